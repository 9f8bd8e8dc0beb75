"""Linear algebra: what ``tt.linalg`` has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .rows import case, row
from .samples import apart, normal, signed


def _regular(rng: np.random.Generator, *shape: int) -> Any:
    """Square matrices with determinants and gaps of singular values away from 0."""
    return rng.normal(size=shape) + 2 * np.diag(np.arange(1.0, shape[-1] + 1))


def _definite(rng: np.random.Generator, *shape: int) -> Any:
    x = _regular(rng, *shape)
    return 0.3 * x @ x.swapaxes(-1, -2)


def _symmetric(torch: Any, x: Any) -> Any:
    return (x + x.mH) / 2


row(
    "solve",
    lambda rng: [
        case(_regular(rng, 3, 3), normal(rng, 3)),
        case(_regular(rng, 2, 3, 3), normal(rng, 3, 2)),
        case(_regular(rng, 2, 2, 2), normal(rng, 2)),
    ],
    torch=lambda torch, a, b: (
        torch.linalg.solve(a, b[:, None])[..., 0] if b.ndim == 1 else torch.linalg.solve(a, b)
    ),
    float32_tolerance=1e-4,
)
for _name in ("inv", "det"):
    row(
        _name,
        lambda rng: [case(_regular(rng, 3, 3)), case(_regular(rng, 2, 2, 2))],
        torch=lambda torch, x, name=_name: getattr(torch.linalg, name)(x),
        float32_tolerance=1e-4,
    )
row(
    "slogdet",
    lambda rng: [case(_regular(rng, 3, 3)), case(-_regular(rng, 2, 3, 3))],
    torch=lambda torch, x: tuple(torch.linalg.slogdet(x)),
    float32_tolerance=1e-4,
)
row(
    "pinv",
    lambda rng: [case(normal(rng, 3, 2)), case(normal(rng, 2, 2, 4)), case(_regular(rng, 3, 3))],
    torch=lambda torch, x: torch.linalg.pinv(x),
    float32_tolerance=1e-3,
)
row(
    "matrix_rank",
    lambda rng: [
        case(np.ones((3, 3))),
        case(normal(rng, 2, 3, 2)),
        case(np.diag([1, 0.1, 0.01]), 0.05),
    ],
    torch=lambda torch, x, rtol=None: torch.linalg.matrix_rank(x, rtol=rtol),
    differentiable=False,
)
row(
    "matrix_power",
    lambda rng: [case(_regular(rng, 3, 3) / 3, n) for n in (1, 2, 5, -2)],
    torch=lambda torch, x, n: torch.linalg.matrix_power(x, n),
    float32_tolerance=1e-3,
)
row(
    "cholesky",
    lambda rng: [case(_definite(rng, 3, 3)), case(_definite(rng, 2, 3, 3), upper=True)],
    torch=lambda torch, x, upper=False: torch.linalg.cholesky(_symmetric(torch, x), upper=upper),
    float32_tolerance=1e-4,
)
row(
    "qr",
    lambda rng: [case(_regular(rng, 3, 3)), case(normal(rng, 2, 4, 2)), case(normal(rng, 2, 4))],
    torch=lambda torch, x: tuple(torch.linalg.qr(x)),
    float32_tolerance=1e-3,
)
row(
    "eigh",
    lambda rng: [case(_definite(rng, 3, 3)), case(_regular(rng, 2, 3, 3))],
    why_no_torch="the signs of the vectors are free; ops/test_linalg.py compares what has none",
    float32_tolerance=1e-3,
)
row(
    "eigvalsh",
    lambda rng: [case(_definite(rng, 3, 3)), case(_regular(rng, 2, 3, 3))],
    torch=lambda torch, x: torch.linalg.eigvalsh(_symmetric(torch, x)),
    float32_tolerance=1e-3,
)
row(
    "eigvals",
    lambda rng: [case(_definite(rng, 3, 3)), case(np.array([[1.0, -2.0], [1.5, 0.5]]))],
    torch=lambda torch, x: torch.linalg.eigvals(x),
    float32_tolerance=1e-3,
)
row(
    "eig",
    lambda rng: [case(rng.integers(-3, 4, (3, 3)))],
    why_no_torch="vectors have free phases; ops/test_linalg.py differentiates what has not",
    differentiable=False,
)
row(
    "svd",
    lambda rng: [
        case(_regular(rng, 3, 3), full_matrices=False),
        case(normal(rng, 2, 4, 2), full_matrices=False),
        case(normal(rng, 2, 3), full_matrices=False),
    ],
    why_no_torch="the signs of the vectors are free; ops/test_linalg.py compares what has none",
    float32_tolerance=1e-3,
)
row(
    "svdvals",
    lambda rng: [case(_regular(rng, 3, 3)), case(normal(rng, 2, 4, 2)), case(normal(rng, 2, 3))],
    torch=lambda torch, x: torch.linalg.svdvals(x),
    float32_tolerance=1e-3,
)
row(
    "vector_norm",
    lambda rng: [
        *(case(apart(rng, 3, 4) + 0.01, ord=p) for p in (2, 1, 3.5, 0.5, -2, math.inf, -math.inf)),
        case(signed(rng, 2, 3, 4), axis=(0, -1), keepdims=True),
        case(signed(rng, 2, 3), 1, ord=3),
        *(case(np.array([[3.0, 0.0, -1.0], [0.0, 0.5, 2.0]]), 1, ord=p) for p in (2, 4)),
    ],
    torch=lambda torch, x, axis=None, keepdims=False, ord=2: torch.linalg.vector_norm(
        x, ord, axis, keepdims
    ),
    float32_tolerance=1e-4,
)
row(
    "matrix_norm",
    lambda rng: [
        *(
            case(_regular(rng, 3, 3), ord=p)
            for p in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
        ),
        case(normal(rng, 2, 3, 2), keepdims=True, ord="nuc"),
    ],
    torch=lambda torch, x, keepdims=False, ord="fro": torch.linalg.matrix_norm(
        x, ord, keepdim=keepdims
    ),
    float32_tolerance=1e-3,
)
