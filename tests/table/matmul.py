"""Matrix products and linear layers."""

from __future__ import annotations

from .rows import case, row
from .samples import normal

row(
    "matmul",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 4, 5)),
        case(normal(rng, 4), normal(rng, 4)),
        case(normal(rng, 4), normal(rng, 4, 5)),
        case(normal(rng, 3, 4), normal(rng, 4)),
        case(normal(rng, 2, 3, 4), normal(rng, 4, 5)),
        case(normal(rng, 2, 3, 4), normal(rng, 4)),
        case(normal(rng, 4), normal(rng, 2, 4, 3)),
        case(normal(rng, 3, 4), normal(rng, 2, 4, 3)),
        case(normal(rng, 2, 1, 3, 4), normal(rng, 3, 4, 2)),
        case(normal(rng, 3, 0), normal(rng, 0, 2)),
        case(normal(rng, 0, 3), normal(rng, 3, 2)),
    ],
    torch=lambda torch, a, b: torch.matmul(a, b),
)
row(
    "linear",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 3, 4), normal(rng, 5, 4)),
        case(normal(rng, 2, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 0, 4), normal(rng, 5, 4), bias=normal(rng, 5)),
    ],
    torch=lambda torch, x, weight, bias=None: torch.nn.functional.linear(x, weight, bias),
)
row(
    "linear_relu",
    lambda rng: [
        case(normal(rng, 3, 4), normal(rng, 5, 4), normal(rng, 5)),
        case(normal(rng, 2, 3, 4), normal(rng, 5, 4)),
        case(normal(rng, 4), normal(rng, 5, 4), normal(rng, 5)),
    ],
    torch=lambda torch, x, weight, bias=None: torch.nn.functional.linear(x, weight, bias).relu(),
)
