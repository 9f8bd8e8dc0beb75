"""Linear algebra: what ``tt.linalg`` has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .rows import case, row
from .samples import apart, normal, signed, signed_complex


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
        case(_regular(rng, 3, 3), normal(rng, 2, 3), left=False),
    ],
    torch=lambda torch, a, b, left=True: (
        torch.linalg.solve(a, b[:, None])[..., 0]
        if b.ndim == 1
        else torch.linalg.solve(a, b, left=left)
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
    lambda rng: [
        case(normal(rng, 3, 2)),
        case(normal(rng, 2, 2, 4)),
        case(_regular(rng, 3, 3)),
        case(_regular(rng, 2, 3, 3), hermitian=True),
        case(_regular(rng, 2, 2), 0.01, False, 0.02),
    ],
    torch=lambda torch, x, rtol=None, hermitian=False, atol=None: torch.linalg.pinv(
        _symmetric(torch, x) if hermitian else x, rtol=rtol, atol=atol, hermitian=hermitian
    ),
    float32_tolerance=1e-3,
)
row(
    "matrix_rank",
    lambda rng: [
        case(np.ones((3, 3))),
        case(normal(rng, 2, 3, 2)),
        case(np.diag([1, 0.1, 0.01]), 0.05),
        case(np.diag([1, 0.1, 0.01]), atol=0.05),
        case(np.diag([5, 0.1, 0.01]), 0.01, atol=0.01),
        case(np.diag([1, -0.1, 0]), hermitian=True),
    ],
    torch=lambda torch, x, rtol=None, hermitian=False, atol=None: torch.linalg.matrix_rank(
        x, rtol=rtol, atol=atol, hermitian=hermitian
    ),
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
    lambda rng: [
        case(_definite(rng, 3, 3)),
        case(_regular(rng, 2, 3, 3)),
        case(_regular(rng, 3, 3), "U"),
    ],
    why_no_torch="the signs of the vectors are free; ops/test_linalg.py compares what has none",
    float32_tolerance=1e-3,
)
row(
    "eigvalsh",
    lambda rng: [
        case(_definite(rng, 3, 3)),
        case(_regular(rng, 2, 3, 3)),
        case(_regular(rng, 3, 3) + 0.5j * _regular(rng, 3, 3), "U"),
        case(_regular(rng, 3, 3), UPLO="L"),
    ],
    torch=lambda torch, x, UPLO=None: torch.linalg.eigvalsh(
        _symmetric(torch, x)
        if UPLO is None
        else _symmetric(torch, 2 * (torch.tril if UPLO == "L" else torch.triu)(x))
        - torch.diag_embed(torch.diagonal(x).real)
    ),
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
        case(normal(rng, 2, 3, 2), 1, (0, -1), True),
        case(normal(rng, 2, 3, 2), 2, (2, 0)),
        case(normal(rng, 2, 3, 2), axis=(1, 0), dtype=np.float64),
    ],
    torch=lambda torch, x, ord="fro", axis=(-2, -1), keepdims=False, dtype=None: (
        torch.linalg.matrix_norm(x, ord, axis, keepdims, dtype=dtype and torch.float64)
    ),
    float32_tolerance=1e-3,
)
row(
    "norm",
    lambda rng: [
        case(_regular(rng, 3, 3)),
        case(signed(rng, 2, 3, 4), axis=(0, 2), keepdims=True),
        case(signed(rng, 2, 3, 4)),
        case(signed(rng, 4), 3),
        case(_regular(rng, 3, 3), 1),
        case(signed(rng, 2, 3), 3, 1, True),
        case(normal(rng, 3, 2, 3), "nuc", (0, 2)),
        case(normal(rng, 3), dtype=np.float64),
    ],
    torch=lambda torch, x, ord=None, axis=None, keepdims=False, dtype=None: torch.linalg.norm(
        x, ord, axis, keepdims, dtype=dtype and torch.float64
    ),
    float32_tolerance=1e-3,
)
row(
    "cond",
    lambda rng: [
        *(case(_regular(rng, 3, 3), p) for p in (None, 2, -2, "fro", "nuc", 1, -1, math.inf)),
        case(normal(rng, 2, 3, 2)),
    ],
    # PyTorch's cond changes its inverse in place, and then has no gradient.
    torch=lambda torch, x, p=None: (
        torch.linalg.cond(x, p)
        if p in (None, 2, -2)
        else torch.linalg.matrix_norm(x, p) * torch.linalg.matrix_norm(torch.linalg.inv(x), p)
    ),
    float32_tolerance=1e-3,
)
row(
    "logdet",
    lambda rng: [case(_definite(rng, 3, 3)), case(_definite(rng, 2, 2, 2) * (1 + 0.5j))],
    torch=lambda torch, x: torch.logdet(x),
    float32_tolerance=1e-4,
)
for _name in ("inv_ex", "cholesky_ex"):
    row(
        _name,
        lambda rng: [case(_definite(rng, 3, 3)), case(_definite(rng, 2, 3, 3))],
        torch=lambda torch, x, name=_name: (
            tuple(torch.linalg.cholesky_ex(_symmetric(torch, x)))
            if name == "cholesky_ex"
            else tuple(torch.linalg.inv_ex(x))
        ),
        float32_tolerance=1e-3,
    )


def _triangular(rng: np.random.Generator, *shape: int) -> Any:
    """What stands in the other triangle is no matter."""
    return rng.normal(size=shape) + 3 * np.eye(shape[-1])


row(
    "solve_triangular",
    lambda rng: [
        case(_triangular(rng, 3, 3), normal(rng, 3, 2), upper=True),
        case(_triangular(rng, 2, 3, 3), normal(rng, 3, 2), upper=False),
        case(_triangular(rng, 3, 3), normal(rng, 2, 2, 3), upper=False, left=False),
        case(_triangular(rng, 3, 3), normal(rng, 2, 3, 2), upper=True, unitriangular=True),
        case(
            _triangular(rng, 2, 2) * (1 + 0.3j),
            signed_complex(rng, 1, 2),
            upper=False,
            left=False,
            unitriangular=True,
        ),
    ],
    torch=lambda torch, a, b, **options: torch.linalg.solve_triangular(a, b, **options),
    float32_tolerance=1e-3,
)
row(
    "cholesky_solve",
    lambda rng: [
        case(normal(rng, 3, 2), _triangular(rng, 3, 3)),
        case(normal(rng, 2, 3, 2), _triangular(rng, 2, 3, 3), True),
        case(signed_complex(rng, 2, 2), _triangular(rng, 2, 2) * (1 + 0.3j), upper=True),
    ],
    torch=lambda torch, b, factor, upper=False: torch.cholesky_solve(
        b, (torch.triu if upper else torch.tril)(factor), upper
    ),
    float32_tolerance=1e-2,
)
row(
    "cholesky_inverse",
    lambda rng: [case(_triangular(rng, 3, 3)), case(_triangular(rng, 2, 3, 3), True)],
    torch=lambda torch, factor, upper=False: torch.cholesky_inverse(
        (torch.triu if upper else torch.tril)(factor), upper
    ),
    float32_tolerance=1e-2,
)
for _name in ("lu_factor", "lu_factor_ex"):
    row(
        _name,
        lambda rng: [
            case(_triangular(rng, 3, 3)),
            case(normal(rng, 2, 4, 2)),
            case(normal(rng, 2, 4)),
            case(signed_complex(rng, 3, 3)),
        ],
        torch=lambda torch, x, name=_name: tuple(getattr(torch.linalg, name)(x)),
        float32_tolerance=1e-3,
    )
row(
    "lu",
    lambda rng: [
        case(_triangular(rng, 3, 3)),
        case(normal(rng, 2, 4, 2)),
        case(normal(rng, 2, 4)),
        case(normal(rng, 3, 3) + 9 * np.eye(3), pivot=False),
    ],
    # PyTorch has no LU without exchanges on a CPU; the last case needs none.
    torch=lambda torch, x, pivot=True: tuple(torch.linalg.lu(x)),
    float32_tolerance=1e-3,
)
row(
    "lu_solve",
    lambda rng: [
        case(_triangular(rng, 3, 3), np.array([2, 3, 3], np.int32), normal(rng, 3, 2)),
        case(_triangular(rng, 2, 2), np.array([2, 2], np.int32), normal(rng, 1, 2), left=False),
        case(
            _triangular(rng, 2, 3, 3),
            np.array([[3, 3, 3], [1, 2, 3]], np.int32),
            normal(rng, 2, 3, 2),
            adjoint=True,
        ),
        case(
            _triangular(rng, 2, 2) * (1 + 0.3j),
            np.array([2, 2], np.int32),
            signed_complex(rng, 1, 2),
            left=False,
            adjoint=True,
        ),
    ],
    torch=lambda torch, LU, pivots, b, **options: torch.linalg.lu_solve(LU, pivots, b, **options),
    float32_tolerance=1e-3,
)


def _lstsq_in_torch(torch: Any, a: Any, b: Any, rcond: float | None = None) -> Any:
    """PyTorch's has no gradient of residuals and singular values, and stretches no stack."""
    columns = b[:, None] if b.ndim == 1 else b
    stack = torch.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    every, columns = (x.expand(*stack, -1, -1) for x in (a, columns))
    found = torch.linalg.lstsq(every, columns, rcond, driver="gelsd").solution
    rest = ((a @ found - columns) ** 2).sum(-2)
    rest = rest if a.shape[-2] > a.shape[-1] else rest.reshape(-1)[:0]
    solution = found[..., 0] if b.ndim == 1 else found
    return solution, rest, torch.linalg.matrix_rank(a), torch.linalg.svdvals(a)


row(
    "lstsq",
    lambda rng: [
        case(normal(rng, 4, 2), normal(rng, 4, 3)),
        case(normal(rng, 2, 2, 4), normal(rng, 2, 2, 1)),
        case(_regular(rng, 2, 2), normal(rng, 2)),
        case(normal(rng, 4, 2), normal(rng, 2, 4, 2), 1e-9),
        case(normal(rng, 1, 4, 2), normal(rng, 2, 4, 2)),
    ],
    torch=_lstsq_in_torch,
    float32_tolerance=1e-3,
)
row(
    "matrix_exp",
    lambda rng: [
        case(normal(rng, 3, 3)),
        case(np.stack([0.1 * normal(rng, 2, 2), 9 * normal(rng, 2, 2)])),
        case(signed_complex(rng, 2, 2)),
    ],
    torch=lambda torch, x: torch.linalg.matrix_exp(x),
    float32_tolerance=1e-4,
)
row(
    "multi_dot",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 3, 1), normal(rng, 1, 4), normal(rng, 4, 2)]),
        case([normal(rng, 3), normal(rng, 3, 2), normal(rng, 2)]),
    ],
    torch=lambda torch, arrays: torch.linalg.multi_dot(arrays),
)
row(
    "vander",
    lambda rng: [case(signed(rng, 3)), case(signed(rng, 2, 3), 2), case(np.array([2, 3]), N=4)],
    torch=lambda torch, x, N=None: torch.linalg.vander(x, N=N),
)
row(
    "householder_product",
    lambda rng: [
        case(normal(rng, 4, 3), normal(rng, 3)),
        case(normal(rng, 2, 3, 3), normal(rng, 2, 2)),
        case(signed_complex(rng, 3, 2), signed_complex(rng, 2)),
    ],
    torch=lambda torch, x, tau: torch.linalg.householder_product(x, tau),
    float32_tolerance=1e-4,
)
row(
    "tensorinv",
    lambda rng: [
        case(_regular(rng, 4, 4).reshape(2, 2, 4)),
        case(_regular(rng, 4, 4).reshape(4, 2, 2), ind=1),
    ],
    torch=lambda torch, x, ind=2: torch.linalg.tensorinv(x, ind),
    float32_tolerance=1e-3,
)
row(
    "tensorsolve",
    lambda rng: [
        case(_regular(rng, 4, 4).reshape(2, 2, 4), normal(rng, 2, 2)),
        case(_regular(rng, 4, 4).reshape(4, 2, 2).swapaxes(0, 1).copy(), normal(rng, 4), (0,)),
    ],
    torch=lambda torch, a, b, axes=None: torch.linalg.tensorsolve(a, b, axes),
    float32_tolerance=1e-3,
)
row(
    "geqrf",
    lambda rng: [
        case(normal(rng, 3, 3)),
        case(normal(rng, 2, 4, 2)),
        case(signed_complex(rng, 2, 3)),
    ],
    torch=lambda torch, x: tuple(torch.geqrf(x.detach())),
    differentiable=False,
    float32_tolerance=1e-4,
)
row(
    "ormqr",
    lambda rng: [
        case(normal(rng, 4, 2), normal(rng, 2), normal(rng, 4, 3)),
        case(normal(rng, 2, 3, 3), normal(rng, 2, 2), normal(rng, 2, 3, 2), transpose=True),
        case(signed_complex(rng, 3, 2), signed_complex(rng, 2), signed_complex(rng, 2, 3), False),
        case(normal(rng, 3, 2), normal(rng, 2), normal(rng, 1, 3), False, True),
    ],
    torch=lambda torch, x, tau, other, left=True, transpose=False: _ormqr_in_torch(
        torch, x, tau, other, left, transpose
    ),
    float32_tolerance=1e-4,
)


def _ormqr_in_torch(torch: Any, x: Any, tau: Any, other: Any, left: bool, transpose: bool) -> Any:
    """By Q itself: PyTorch's ormqr has no gradient."""
    rows, columns = x.shape[-2:]
    whole = torch.nn.functional.pad(x, (0, rows - columns))
    tau = torch.nn.functional.pad(tau, (0, rows - tau.shape[-1]))
    q = torch.linalg.householder_product(whole, tau)
    q = q.mH if transpose else q
    return q @ other if left else other @ q


row(
    "lu_unpack",
    lambda rng: [
        case(normal(rng, 3, 3), np.array([2, 3, 3], np.int32)),
        case(normal(rng, 2, 4, 2), np.array([[3, 2], [1, 4]], np.int32)),
        case(normal(rng, 2, 3), np.array([2, 2], np.int32)),
    ],
    torch=lambda torch, LU, pivots: tuple(torch.lu_unpack(LU, pivots)),
)
