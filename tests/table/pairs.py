"""Distances, covariances and correlations of all pairs of rows."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import apart, normal

row(
    "cdist",
    lambda rng: [
        case(normal(rng, 3, 2), normal(rng, 4, 2)),
        case(normal(rng, 2, 1, 3, 2), normal(rng, 2, 4, 2), 3.0),
        *(case(apart(rng, 3, 2), apart(rng, 2, 2) + 0.1, p) for p in (1.0, 1.5, np.inf)),
    ],
    torch=lambda torch, x1, x2, p=2.0: torch.cdist(x1, x2, p),
)
row(
    "cov",
    lambda rng: [
        case(normal(rng, 3, 5)),
        case(normal(rng, 5), 0),
        case(normal(rng, 2, 4), 1, np.array([1, 3, 2, 1])),
        case(normal(rng, 2, 4), 2, np.array([1, 3, 2, 1]), rng.uniform(0.5, 2, 4)),
        case(normal(rng, 2, 4), aweights=rng.uniform(0.5, 2, 4)),
    ],
    torch=lambda torch, x, correction=1, fweights=None, aweights=None: torch.cov(
        x, correction=correction, fweights=fweights, aweights=aweights
    ),
)
row(
    "corrcoef",
    lambda rng: [case(normal(rng, 3, 5))],
    torch=lambda torch, x: torch.corrcoef(x),
)
