"""Distances between vectors."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

row(
    "cosine_similarity",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 3, 4)),
        case(normal(rng, 2, 1, 4), normal(rng, 3, 4), axis=-1),
        case(normal(rng, 4), normal(rng, 4), axis=0, eps=0.1),
    ],
    torch=lambda torch, a, b, axis=1, eps=1e-8: torch.cosine_similarity(a, b, axis, eps),
)
row(
    "pairwise_distance",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 3, 4)),
        case(normal(rng, 3, 4), normal(rng, 4), p=1.0, eps=0.1),
        case(normal(rng, 4), normal(rng, 4), p=3.0, keepdims=True),
    ],
    torch=lambda torch, a, b, p=2.0, eps=1e-6, keepdims=False: torch.pairwise_distance(
        a, b, p, eps, keepdims
    ),
)
row(
    "pdist",
    lambda rng: [case(normal(rng, 4, 3)), case(normal(rng, 4, 3), p=1.0), case(normal(rng, 1, 3))],
    torch=lambda torch, x, p=2.0: torch.pdist(x, p),
)
row(
    "dist",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 4)),
        case(normal(rng, 3, 4), normal(rng, 3, 4), p=3.0),
    ],
    torch=lambda torch, a, b, p=2.0: torch.dist(a, b, p),
)
row(
    "renorm",
    lambda rng: [
        case(normal(rng, 3, 4), 2.0, 0, 1.5),
        case(normal(rng, 2, 3, 4), 1.0, -1, 3.0),
        case(normal(rng, 3, 4), p=3.0, axis=1, maxnorm=9.0),
    ],
    torch=lambda torch, x, p, axis, maxnorm: torch.renorm(x, p, axis, maxnorm),
)
