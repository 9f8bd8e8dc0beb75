"""Matrices made of diagonals, or changed along one."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

row(
    "diag",
    lambda rng: [
        case(normal(rng, 3)),
        case(normal(rng, 3), -1),
        case(normal(rng, 3, 4)),
        case(normal(rng, 3, 4), 2),
    ],
    torch=lambda torch, x, k=0: torch.diag(x, k),
)
row(
    "diagflat",
    lambda rng: [case(normal(rng, 2, 2)), case(normal(rng, 3), 1)],
    torch=lambda torch, x, k=0: torch.diagflat(x, k),
)
row(
    "diag_embed",
    lambda rng: [
        case(normal(rng, 2, 3)),
        case(normal(rng, 2, 3), -1, 0, 2),
        case(normal(rng, 2, 3), 2, axis1=-1, axis2=-2),
    ],
    torch=lambda torch, x, offset=0, axis1=-2, axis2=-1: torch.diag_embed(x, offset, axis1, axis2),
)
row(
    "block_diag",
    lambda rng: [
        case(normal(rng, 2, 3), normal(rng, 2), normal(rng)),
        case(normal(rng, 2, 0), normal(rng, 1, 2)),
    ],
    torch=lambda torch, *arrays: torch.block_diag(*arrays),
)
row(
    "diagonal_scatter",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 3)),
        case(normal(rng, 2, 3, 4), normal(rng, 4, 2), 1),
        case(normal(rng, 2, 3, 4), normal(rng, 2, 2), -1, -2, -1),
    ],
    torch=lambda torch, x, source, offset=0, axis1=0, axis2=1: torch.diagonal_scatter(
        x, source, offset, axis1, axis2
    ),
)
