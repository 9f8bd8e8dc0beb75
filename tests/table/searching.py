"""Sorting, searching, counting and sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import case, row
from .samples import apart, some

_SORTS: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": 0, "descending": True}]
for _name in ("sort", "argsort"):
    row(
        _name,
        lambda rng: [case(apart(rng, 3, 4), **kwargs) for kwargs in _SORTS],
        torch=lambda torch, x, axis=-1, descending=False, name=_name: torch.sort(
            x, dim=axis, descending=descending
        )[name == "argsort"],
        differentiable=_name == "sort",
    )
row(
    "topk",
    lambda rng: [
        case(apart(rng, 3, 4), 2),
        case(apart(rng, 3, 4), 3, axis=0, largest=False),
        case(apart(rng, 3, 4), 4, sorted=False),
    ],
    torch=lambda torch, x, k, axis=-1, largest=True, sorted=True: (
        torch.topk(x, k, axis, largest) if sorted else (x, torch.arange(4).expand(3, 4))
    ),
)
row(
    "nonzero",
    lambda rng: [case(rng.integers(0, 2, (3, 4)).astype(np.float64))],
    torch=lambda torch, x: torch.nonzero(x, as_tuple=True),
    differentiable=False,
)
row(
    "count_nonzero",
    lambda rng: [case(rng.integers(0, 2, (3, 4)).astype(np.float64), axis=a) for a in (None, 0, 1)],
    torch=lambda torch, x, axis=None: torch.count_nonzero(x, dim=axis),
    differentiable=False,
)


def _unsorted(rng: np.random.Generator) -> tuple[Any, ...]:
    x = apart(rng, 3, 4)
    return x, rng.normal(size=(3, 2)), "left", np.argsort(x)


row(
    "unravel_index",
    lambda rng: [case(rng.integers(0, 24, (3, 4)), (2, 3, 4)), case(rng.integers(0, 6, 5), (6,))],
    torch=lambda torch, indices, shape: torch.unravel_index(indices, shape),
    differentiable=False,
)
row(
    "bucketize",
    lambda rng: [
        case(some(rng), np.sort(rng.normal(size=5))),
        case(rng.integers(0, 4, (3, 4)), np.array([1, 2, 2]), right=True),
    ],
    torch=lambda torch, x, boundaries, right=False: torch.bucketize(x, boundaries, right=right),
    differentiable=False,
)
row(
    "unique_consecutive",
    lambda rng: [
        case(rng.integers(0, 2, 9)),
        case(rng.integers(0, 2, (3, 4)).astype(np.float64), True, True),
        case(rng.integers(0, 2, (5, 1)), return_counts=True, axis=0),
    ],
    torch=lambda torch, x, *args, axis=None, **kwargs: torch.unique_consecutive(
        x.detach(), *args, dim=axis, **kwargs
    ),
    differentiable=False,
)
row(
    "unique_slices",
    lambda rng: [case(rng.integers(0, 2, (5, 2)), 0), case(rng.integers(0, 2, (2, 5)), axis=-1)],
    torch=lambda torch, x, axis: torch.unique(x, dim=axis, return_inverse=True, return_counts=True),
    differentiable=False,
)
row(
    "searchsorted",
    lambda rng: [
        case(np.sort(rng.normal(size=5)), rng.normal(size=(3, 4))),
        case(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 9.0]), side="right"),
        case(np.array([1.0, 2.0, 2.0, 3.0]), np.array([2.0, 9.0]), right=True),
        case(np.sort(rng.normal(size=(3, 2, 5))), rng.normal(size=(3, 2, 4))),
        case(*_unsorted(rng)),
    ],
    torch=lambda torch, x, values, side="left", sorter=None, right=False: torch.searchsorted(
        x, values, side="right" if right else side, sorter=sorter
    ),
    differentiable=False,
)
row(
    "isin",
    lambda rng: [case(rng.integers(0, 5, (3, 4)), np.array([1, 3])), case(np.ones(3), 1.0, True)],
    torch=lambda torch, x, elements, invert=False: torch.isin(x, elements, invert=invert),
    differentiable=False,
)
row(
    "unique_values",
    lambda rng: [
        case(rng.integers(0, 5, (3, 4)).astype(np.float64)),
        case(rng.integers(0, 2, (5, 2)).astype(np.float64), axis=0),
        case(rng.integers(0, 2, (2, 5)), -1),
    ],
    torch=lambda torch, x, axis=None: torch.unique(x, dim=axis),
    differentiable=False,
)
for _name in ("unique_all", "unique_counts", "unique_inverse"):
    row(
        _name,
        lambda rng: [case(rng.integers(0, 5, (3, 4)).astype(np.float64))],
        why_no_torch="torch has not all of these; tests/array_api compares with the standard",
        differentiable=False,
    )
