"""Reading by an index, and the scattering that is its gradient."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import normal

row(
    "getitem",
    lambda rng: [
        case(normal(rng, 4, 3), (slice(None, None, -1), 1)),
        case(normal(rng, 4, 3), np.array([0, 0, 3])),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    why_no_torch="basic_index and advanced_index are compared",
)
row(
    "basic_index",
    lambda rng: [
        case(normal(rng, 4, 3), 1),
        case(normal(rng, 4, 3), (slice(1, None, 2), None, Ellipsis)),
        case(normal(rng, 2, 3, 4), (Ellipsis, 0)),
        case(normal(rng, 4, 3), slice(2, 2)),
    ],
    torch=lambda torch, x, index: x[index],
)
row(
    "advanced_index",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([[0, 0], [3, -1]])),
        case(normal(rng, 4, 3), (np.array([0, 1, 1]), np.array([2, 0, 0]))),
        case(normal(rng, 2, 3, 4), (slice(None), np.array([0, 2]), 1)),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    torch=lambda torch, x, index: x[
        tuple(torch.as_tensor(i) if isinstance(i, np.ndarray) else i for i in index)
        if isinstance(index, tuple)
        else torch.as_tensor(index)
    ],
)
row(
    "added_at",
    lambda rng: [
        case(normal(rng, 3, 3), np.array([0, 0, 3]), (4, 3)),
        case(normal(rng, 2, 3), slice(1, 3), (4, 3)),
        case(normal(rng, 2), (np.array([0, 0]), np.array([1, 1])), (2, 2)),
    ],
    why_no_torch="it is the gradient of advanced_index, which is compared",
)
row(
    "take",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([0, 2, 2])),
        case(normal(rng, 4, 3), np.array([[2, 0], [1, 1]]), axis=1),
        case(normal(rng, 4, 3), np.array([3, -1]), axis=0),
    ],
    torch=lambda torch, x, indices, axis=None: (
        x.flatten()[torch.as_tensor(indices)]
        if axis is None
        else x[(slice(None),) * axis + (torch.as_tensor(indices),)]
    ),
)
row(
    "take_along_axis",
    lambda rng: [
        case(normal(rng, 4, 3), rng.integers(0, 3, (4, 2))),
        case(normal(rng, 4, 3), rng.integers(0, 4, (2, 3)), axis=0),
    ],
    torch=lambda torch, x, indices, axis=-1: torch.take_along_dim(
        x, torch.as_tensor(indices), axis
    ),
)
