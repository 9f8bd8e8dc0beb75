"""Picking and changing elements by masks, along an axis, and in slices."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import apart, normal, signed

MASK = np.array([[True, False, False, True], [False, False, True, True]])

row(
    "masked_fill",
    lambda rng: [
        case(normal(rng, 2, 4), MASK, normal(rng)),
        case(normal(rng, 2, 4), MASK[1], -1.5),
        case(normal(rng, 2, 1), MASK, 0),
    ],
    torch=lambda torch, x, mask, value: torch.masked_fill(x, mask, value),
)
row(
    "fill",
    lambda rng: [case(normal(rng, 2, 4), normal(rng)), case(normal(rng), 1.5)],
    torch=lambda torch, x, value: torch.fill(x, value),
)
row(
    "masked_select",
    lambda rng: [case(normal(rng, 2, 4), MASK), case(normal(rng, 4), MASK)],
    torch=lambda torch, x, mask: torch.masked_select(x, mask),
)
row(
    "masked_scatter",
    lambda rng: [
        case(normal(rng, 2, 4), MASK, normal(rng, 5)),
        case(normal(rng, 3, 4), MASK[0], normal(rng, 2, 3)),
    ],
    torch=lambda torch, x, mask, source: torch.masked_scatter(x, mask, source),
)
row(
    "argwhere",
    lambda rng: [case(MASK), case(normal(rng, 2, 3) * np.array([1.0, 0.0, 1.0]))],
    torch=lambda torch, x: torch.argwhere(x),
    differentiable=False,
)
row(
    "index_select",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([0, 2, 2])),
        case(normal(rng, 4, 3), -1, np.array([1])),
    ],
    torch=lambda torch, x, axis, index: torch.index_select(x, axis, index),
)
row(
    "index_fill",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([0, 2]), normal(rng)),
        case(normal(rng, 4, 3), -1, np.array([1, 1]), 0.5),
    ],
    torch=lambda torch, x, axis, index, value: torch.index_fill(x, axis, index, value),
)
row(
    "index_copy",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([2, 0]), normal(rng, 2, 3)),
        case(normal(rng, 4, 3), -1, np.array([1]), normal(rng, 4, 1)),
    ],
    torch=lambda torch, x, axis, index, source: torch.index_copy(x, axis, index, source),
)
row(
    "index_reduce",
    lambda rng: [
        case(signed(rng, 4, 2), 0, np.array([2, 0, 2]), apart(rng, 3, 2) + 0.1, reduce, itself)
        for reduce in ("prod", "mean", "amax", "amin")
        for itself in (True, False)
    ],
    torch=lambda torch, x, axis, index, source, reduce, itself: torch.index_reduce(
        x, axis, index, source, reduce, include_self=itself
    ),
)
row(
    "scatter_add",
    lambda rng: [
        case(normal(rng, 4, 3), 0, np.array([[0, 2, 1], [3, 0, 1]]), normal(rng, 2, 3)),
        case(normal(rng, 4, 3), -1, np.array([[0, 0], [2, 1]]), normal(rng, 2, 2)),
    ],
    torch=lambda torch, x, axis, index, source: torch.scatter_add(x, axis, index, source),
)
row(
    "scatter_reduce",
    lambda rng: [
        case(apart(rng, 4, 3), -1, np.array([[0, 0], [2, 1]]), apart(rng, 2, 2) + 0.1, "amax"),
        case(apart(rng, 4, 3), 0, np.array([[0, 0, 1]]), apart(rng, 1, 3), "mean", False),
    ],
    torch=lambda torch, x, axis, index, source, reduce, itself=True: torch.scatter_reduce(
        x, axis, index, source, reduce, include_self=itself
    ),
)
row(
    "take_along_dim",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([[0, 2]]), 1),
        case(normal(rng, 4, 3), np.array([[0, 11], [3, 0]])),
    ],
    torch=lambda torch, x, indices, axis=None: torch.take_along_dim(x, indices, axis),
)
row(
    "put",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([[0, -1], [4, 5]]), normal(rng, 2, 2)),
        case(normal(rng, 4, 3), np.array([1, 1, 3]), normal(rng, 3), True),
    ],
    torch=lambda torch, x, index, source, accumulate=False: torch.Tensor.put(
        x, index, source, accumulate
    ),
)
row(
    "select",
    lambda rng: [case(normal(rng, 4, 3), 0, 2), case(normal(rng, 4, 3), -1, -1)],
    torch=lambda torch, x, axis, index: torch.select(x, axis, index),
)
row(
    "narrow",
    lambda rng: [case(normal(rng, 4, 3), 0, 1, 2), case(normal(rng, 4, 3), -1, -2, 2)],
    torch=lambda torch, x, axis, start, length: torch.narrow(x, axis, start, length),
)
row(
    "select_scatter",
    lambda rng: [
        case(normal(rng, 4, 3), normal(rng, 3), 0, 2),
        case(normal(rng, 4, 3), normal(rng, 4), -1, -1),
    ],
    torch=lambda torch, x, source, axis, index: torch.select_scatter(x, source, axis, index),
)
row(
    "slice_scatter",
    lambda rng: [
        case(normal(rng, 4, 3), normal(rng, 4, 3)),
        case(normal(rng, 4, 3), normal(rng, 2, 3), 0, 1, 4, 2),
        case(normal(rng, 4, 3), normal(rng, 4, 1), -1, -1),
    ],
    torch=lambda torch, x, source, axis=0, start=None, end=None, step=1: torch.slice_scatter(
        x, source, axis, start, end, step
    ),
)
