"""Reductions, running sums and products, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import apart, signed, some

# Arguments of a reduction: all axes, one from either end, several, none; kept or not.
_AXES: list[dict[str, Any]] = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": 1},
    {"axis": (0, 2)},
    {"axis": (1, 2), "keepdims": True},
    {"keepdims": True},
]


def _reduced(rng: np.random.Generator) -> list[Case]:
    return [case(rng.normal(size=(3, 4, 5)), **kwargs) for kwargs in _AXES]


def _torch_axes(x: Any, axis: Any, keepdims: bool) -> dict[str, Any]:
    return {"dim": tuple(range(x.ndim)) if axis is None else axis, "keepdim": keepdims}


for _name in ("sum", "mean"):
    row(
        _name,
        lambda rng: [
            *_reduced(rng),
            case(rng.normal(size=(3, 4)), axis=1, dtype="float64"),
        ],
        torch=lambda torch, x, axis=None, keepdims=False, dtype=None, name=_name: getattr(
            torch, name
        )(x, **_torch_axes(x, axis, keepdims), dtype=dtype and getattr(torch, dtype)),
    )
for _name in ("max", "min"):
    row(
        _name,
        lambda rng: [case(apart(rng, 3, 4, 5), **kwargs) for kwargs in _AXES],
        torch=lambda torch, x, axis=None, keepdims=False, name=f"a{_name}": getattr(torch, name)(
            x, **_torch_axes(x, axis, keepdims)
        ),
    )
row(
    "logsumexp",
    _reduced,
    torch=lambda torch, x, axis=None, keepdims=False: torch.logsumexp(
        x, **_torch_axes(x, axis, keepdims)
    ),
)
for _name in ("var", "std"):
    row(
        _name,
        lambda rng: [
            *_reduced(rng),
            case(rng.normal(size=(3, 4)), axis=1, correction=1.0),
            case(rng.normal(size=(3, 4)), correction=0.5, keepdims=True),
        ],
        torch=lambda torch, x, axis=None, correction=0.0, keepdims=False, name=_name: getattr(
            torch, name
        )(x, **_torch_axes(x, axis, keepdims), correction=correction),
    )


def _torch_prod(torch: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    for one in sorted(
        _torch_axes(x, axis, keepdims)["dim"] if not isinstance(axis, int) else [axis]
    ):
        x = torch.prod(x, one, keepdim=True)
    return x if keepdims else x.squeeze(_torch_axes(x, axis, keepdims)["dim"])


def _with_zeros(rng: np.random.Generator, *zeros: int) -> Any:
    x = signed(rng, 3, 4)
    x.flat[list(zeros)] = 0.0
    return x


row(
    "prod",
    lambda rng: [
        case(signed(rng, 2, 3, 2)),
        case(signed(rng, 3, 4), axis=0),
        case(signed(rng, 3, 5), axis=-1, keepdims=True),
        case(signed(rng, 2, 3, 4), axis=(0, 2)),
        case(_with_zeros(rng, 1), axis=1),
        case(_with_zeros(rng, 4, 6), axis=1),
        case(_with_zeros(rng, 8, 9, 10), axis=1),
    ],
    torch=_torch_prod,
)
for _name in ("argmax", "argmin"):
    row(
        _name,
        lambda rng: [
            case(apart(rng, 3, 4)),
            case(apart(rng, 3, 4), axis=0),
            case(apart(rng, 3, 4, 2), axis=-2, keepdims=True),
            case(np.array([[1.0, 3.0, 3.0], [2.0, 1.0, 1.0]]), axis=1),
        ],
        torch=lambda torch, x, axis=None, keepdims=False, name=_name: getattr(torch, name)(
            x, dim=axis, keepdim=keepdims
        ),
        differentiable=False,
    )
for _name in ("any", "all"):
    row(
        _name,
        lambda rng: [
            case(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]]), **kwargs)
            for kwargs in ({"axis": 1}, {"axis": 0, "keepdims": True}, {"axis": (0, 1)})
        ],
        torch=lambda torch, x, axis=None, keepdims=False, name=_name: getattr(torch, name)(
            x, **_torch_axes(x, axis, keepdims)
        ),
        differentiable=False,
    )
row(
    "cumsum",
    lambda rng: [
        case(rng.normal(size=(5,))),
        case(rng.normal(size=(3, 4)), axis=0),
        case(rng.normal(size=(2, 3, 4)), axis=-2),
        case(rng.normal(size=(3, 4)), axis=1, reverse=True),
        case(rng.normal(size=(3, 4)), axis=1, dtype="float64"),
        case(rng.integers(0, 99, (3, 4)).astype(np.int8), axis=0, dtype="int64"),
    ],
    torch=lambda torch, x, axis=0, reverse=False, dtype=None: (
        x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)
    ),
)
row(
    "expand",
    lambda rng: [
        case(rng.normal(size=(1, 1)), (2, 3), None, True),
        case(rng.normal(size=(3,)), (3, 4), -1, False),
        case(rng.normal(size=(1, 4)), (3, 4), 0, True),
        case(rng.normal(size=(4,)), (3, 4, 2), (0, 2), False),
    ],
    torch=lambda torch, g, shape, axis, keepdims: (
        g if keepdims or axis is None else _torch_unsqueeze(g, shape, axis)
    ).broadcast_to(shape),
)


def _torch_unsqueeze(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    for one in sorted(a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))):
        g = g.unsqueeze(one)
    return g


row(
    "cumprod",
    lambda rng: [
        case(signed(rng, 5), 0),
        case(signed(rng, 2, 3, 4), -2),
        case(_with_zeros(rng, 1, 6, 7), 1),
        case(signed(rng, 3, 4), 1, dtype="float64"),
    ],
    torch=lambda torch, x, axis, dtype=None: torch.cumprod(x, axis),
)
for _name in ("cumulative_sum", "cumulative_prod"):
    row(
        _name,
        lambda rng: [
            case(signed(rng, 5)),
            case(signed(rng, 2, 3), axis=0, include_initial=True),
            case(signed(rng, 2, 3), axis=-1, dtype="float64"),
        ],
        why_no_torch="torch has no include_initial; tests/array_api compares these",
    )
row(
    "diff",
    lambda rng: [
        case(some(rng)),
        case(some(rng), axis=0, n=2),
        case(some(rng), axis=0, prepend=rng.normal(size=(1, 4)), append=rng.normal(size=(2, 4))),
    ],
    torch=lambda torch, x, axis=-1, **kwargs: torch.diff(x, dim=axis, **kwargs),
)
