"""Running extremes and log-sums, and integrals."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import apart, some

for _name in ("cummax", "cummin"):
    row(
        _name,
        lambda rng: [
            case(apart(rng, 3, 4), 0),
            case(apart(rng, 2, 3, 4), -2),
            case(apart(rng, 5), axis=0),
        ],
        torch=lambda torch, x, axis, name=_name: getattr(torch, name)(x, axis),
    )
row(
    "logcumsumexp",
    lambda rng: [
        case(rng.normal(size=(5,)), 0),
        case(3 * rng.normal(size=(2, 3, 4)), -2),
        case(some(rng), axis=1),
    ],
    torch=lambda torch, x, axis: torch.logcumsumexp(x, axis),
)
for _name in ("trapezoid", "cumulative_trapezoid"):
    row(
        _name,
        lambda rng: [
            case(some(rng)),
            case(some(rng), dx=0.5, axis=0),
            case(some(rng), np.sort(rng.normal(size=4))),
            case(some(rng), rng.normal(size=(3,)), axis=0),
            case(rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 1)), axis=1),
        ],
        torch=lambda torch, y, x=None, axis=-1, name=_name, **kwargs: (
            getattr(torch, name)(y, x, dim=axis)
            if x is not None
            else getattr(torch, name)(y, dim=axis, **kwargs)
        ),
    )
row(
    "gradient",
    lambda rng: [
        case(rng.normal(size=5)),
        case(some(rng), 0.5),
        case(some(rng), axis=1, edge_order=2),
        case(some(rng), spacing=[2.0, 0.5], edge_order=2),
        case(some(rng), spacing=[[0.0, 1.0, 1.5, 4.0]], axis=-1),
    ],
    torch=lambda torch, x, spacing=1.0, axis=None, edge_order=1: torch.gradient(
        x,
        spacing=[torch.tensor(s, dtype=x.dtype) for s in spacing]
        if isinstance(spacing, list) and isinstance(spacing[0], list)
        else spacing,
        dim=axis,
        edge_order=edge_order,
    ),
)
