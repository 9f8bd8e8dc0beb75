"""Dropout."""

from __future__ import annotations

import numpy as np

from .rows import case, row

row(
    "dropout",
    lambda rng: [
        case(rng.normal(size=(5, 7)), generator=np.random.default_rng(1)),
        case(rng.normal(size=(40, 3)), 0.2, True, np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), 1.0, generator=np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), 0.0, generator=np.random.default_rng(1)),
        case(rng.normal(size=(2, 3)), training=False, generator=np.random.default_rng(1)),
    ],
    why_no_torch="the draws are others; tests/ops/test_dropout.py tests their distribution",
)
