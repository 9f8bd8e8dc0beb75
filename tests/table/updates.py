"""Copies in which indexed elements are changed."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import apart, normal, signed

row(
    "index_put",
    lambda rng: [
        case(normal(rng, 4, 3), (np.array([0, 2]),), normal(rng, 2, 3)),
        case(normal(rng, 4, 3), (np.array([0, 2, 0]),), normal(rng, 3, 3), accumulate=True),
        case(normal(rng, 4, 3), (np.array([1, 3]), np.array([0, 2])), normal(rng, 1)),
        case(normal(rng, 4), (np.array([True, False, True, True]),), normal(rng, 3)),
    ],
    torch=lambda torch, x, indices, values, accumulate=False: torch.index_put(
        x, tuple(torch.as_tensor(i) for i in indices), values, accumulate
    ),
)
row(
    "index_add",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([0, 2, 0]), normal(rng, 3, 3)),
        case(normal(rng, 2, 3), -1, np.array([1, 1]), normal(rng, 2, 2), 0.5),
    ],
    torch=lambda torch, x, axis, index, source, alpha=1: torch.index_add(
        x, axis, index, source, alpha=alpha
    ),
)
row(
    "scatter",
    lambda rng: [
        case(signed(rng, 4, 3), 0, np.array([[0, 2, 1], [3, 0, 0]]), signed(rng, 2, 3)),
        *(
            case(apart(rng, 4, 3), -1, np.array([[0, 0], [2, 1]]), apart(rng, 2, 2) + 0.1, reduce)
            for reduce in ("sum", "mean", "prod", "amax", "amin")
        ),
        case(apart(rng, 4, 3), 0, np.array([[0, 0, 1]]), apart(rng, 1, 3), "mean", False),
    ],
    torch=lambda torch, x, axis, index, source, reduce=None, include_self=True: (
        torch.scatter(x, axis, index, source)
        if reduce is None
        else torch.scatter_reduce(x, axis, index, source, reduce, include_self=include_self)
    ),
)
row(
    "gather",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([[0, 2], [3, 3]])),
        case(normal(rng, 2, 3), 1, np.array([[0, 0, 1, 2]])),
    ],
    torch=lambda torch, x, axis, index: torch.gather(x, axis, index),
)
