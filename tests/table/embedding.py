"""Rows of a table, by number."""

from __future__ import annotations

import numpy as np

from .rows import case, row

row(
    "embedding",
    lambda rng: [
        case(np.array([2, 0, 2, 1]), rng.normal(size=(4, 3))),
        case(np.array([[1, 3], [3, 0]]), rng.normal(size=(4, 3)), 2),
        case(np.array([[1, 3], [3, 0]]), rng.normal(size=(4, 33)), padding_idx=-2),
        case(np.zeros((2, 0), int), rng.normal(size=(4, 3))),
    ],
    torch=lambda torch, i, w, padding_idx=None: torch.nn.functional.embedding(i, w, padding_idx),
)
