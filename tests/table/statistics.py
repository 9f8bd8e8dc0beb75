"""Order statistics, sums and means of what is a number, counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import apart, some

_AXES: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": (0, 2)}, {"axis": -1, "keepdims": True}]


def _torch_axes(x: Any, axis: Any, keepdims: bool) -> dict[str, Any]:
    return {"dim": tuple(range(x.ndim)) if axis is None else axis, "keepdim": keepdims}


def _in_torch(name: str) -> Any:
    return lambda torch, x, axis=None, keepdims=False: getattr(torch, name)(
        x, **_torch_axes(x, axis, keepdims)
    )


for _name in ("nansum", "nanmean"):
    row(
        _name,
        lambda rng: [case(rng.normal(size=(3, 4, 2)), **kwargs) for kwargs in _AXES],
        torch=_in_torch(_name),
    )
row(
    "aminmax",
    lambda rng: [
        case(apart(rng, 3, 4)),
        case(apart(rng, 3, 4), axis=0),
        case(apart(rng, 3, 4), axis=-1, keepdims=True),
    ],
    torch=lambda torch, x, axis=None, keepdims=False: torch.aminmax(x, dim=axis, keepdim=keepdims),
)
for _name in ("var_mean", "std_mean"):
    row(
        _name,
        lambda rng: [
            *(case(rng.normal(size=(3, 4, 2)), **kwargs) for kwargs in _AXES),
            case(some(rng), axis=1, correction=0),
        ],
        torch=lambda torch, x, axis=None, correction=1, keepdims=False, name=_name: getattr(
            torch, name
        )(x, **_torch_axes(x, axis, keepdims), correction=correction),
    )

# --- Elements of a rank, and quantiles --------------------------------------------------------

_ALONG: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}]


def _ranked(rng: np.random.Generator) -> list[Case]:
    return [case(apart(rng, 3, 4), **kwargs) for kwargs in _ALONG]


for _name, _torchs in (("median", "quantile"), ("nanmedian", "nanquantile")):
    row(
        _name,
        _ranked,
        torch=lambda torch, x, name=_torchs, axis=None, keepdims=False: getattr(torch, name)(
            x, 0.5, axis, keepdims
        ),
    )
row(
    "kthvalue",
    lambda rng: [
        case(apart(rng, 3, 4), 2),
        case(apart(rng, 3, 4), 3, axis=0),
        case(apart(rng, 3, 4), 1, axis=1, keepdims=True),
    ],
    torch=lambda torch, x, k, axis=-1, keepdims=False: torch.kthvalue(x, k, axis, keepdims),
)
row(
    "mode",
    lambda rng: [
        case(apart(rng, 3, 4)),
        case(rng.integers(0, 3, (4, 5))),
        case(rng.integers(0, 3, (4, 5)), axis=0, keepdims=True),
    ],
    torch=lambda torch, x, axis=-1, keepdims=False: torch.mode(x, axis, keepdims),
)
for _name in ("quantile", "nanquantile"):
    row(
        _name,
        lambda rng: [
            *(case(apart(rng, 3, 4), 0.3, **kwargs) for kwargs in _ALONG),
            case(apart(rng, 3, 4), np.array([0.1, 0.85]), axis=1),
            case(apart(rng, 3, 4), np.array([0.1, 0.85]), axis=0, keepdims=True),
            *(
                case(apart(rng, 3, 4), 0.3, axis=1, interpolation=kind)
                for kind in ("lower", "higher", "midpoint", "nearest")
            ),
        ],
        torch=lambda torch, x, q, axis=None, keepdims=False, name=_name, **kwargs: getattr(
            torch, name
        )(x, q, axis, keepdims, **kwargs),
    )

# --- Counts -----------------------------------------------------------------------------------

row(
    "bincount",
    lambda rng: [
        case(rng.integers(0, 5, 9)),
        case(rng.integers(0, 5, 9), minlength=7),
        case(rng.integers(0, 5, 9), rng.normal(size=9)),
    ],  # PyTorch has no derivative of it
    torch=lambda torch, x, weights=None, minlength=0: (
        torch.bincount(x, minlength=minlength)
        if weights is None
        else torch.zeros(int(x.max()) + 1, dtype=weights.dtype).index_add(0, x, weights)
    ),
)
row(
    "histc",
    lambda rng: [case(some(rng)), case(some(rng), 5, -1, 1), case(some(rng), bins=3, max=2.0)],
    torch=lambda torch, x, *args, **kwargs: torch.histc(x, *args, **kwargs),
    differentiable=False,
)
row(
    "histogram",
    lambda rng: [
        case(some(rng)),
        case(some(rng), 5, (-1.0, 1.0)),
        case(some(rng), 4, (-3.0, 3.0), density=True),
    ],
    torch=lambda torch, x, bins=10, range=None, **kwargs: torch.histogram(
        x.detach(), bins, range=range, **kwargs
    ),
    differentiable=False,
)
