"""Sums, products, quotients, signs, whole parts and limits."""

from __future__ import annotations

import numpy as np

from .rows import Case, case, row
from .samples import apart, between_whole, maps, maps_of_two, off_zero, pairs, signed, some

for _name in ("add", "subtract", "multiply", "divide"):
    row(
        _name,
        pairs,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            torch.as_tensor(a), torch.as_tensor(b)
        ),
        elementwise=True,
    )


def _quotient(torch, a, b):
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return torch.floor_divide(a.detach(), b.detach())  # PyTorch has no derivative of it


row(
    "floor_divide",
    lambda rng: [
        case(signed(rng, 3, 4), signed(rng, 4)),
        case(signed(rng, 3, 4), 0.7),
        case(1.5, signed(rng, 3, 4)),
        case(rng.integers(-9, 10, (3, 4)), 5),
    ],
    torch=lambda torch, a, b: _quotient(torch, a, b) + 0 * (a + b),
)
row(
    "remainder",
    pairs,
    torch=lambda torch, a, b: torch.remainder(
        torch.as_tensor(a, dtype=getattr(b, "dtype", None)), b
    ),
)
maps(
    {
        "negative": some,
        "positive": some,
        "abs": off_zero,
        "sign": off_zero,
        "square": some,
        "reciprocal": off_zero,
        "floor": between_whole,
        "ceil": between_whole,
        "round": between_whole,
        "trunc": between_whole,
    }
)
maps_of_two("copysign")
maps_of_two("nextafter")


def _ordered(rng: np.random.Generator) -> list[Case]:
    both = apart(rng, 2, 3, 4)
    return [case(both[0], both[1]), case(both[0], both[1, 0] + 0.05), case(both[0], 0.33)]


for _name in ("maximum", "minimum"):
    row(
        _name,
        _ordered,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            a, torch.as_tensor(b, dtype=a.dtype)
        ),
        elementwise=True,
    )
row(
    "clip",
    lambda rng: [
        case(apart(rng, 3, 4), -0.9, 1.1),
        case(apart(rng, 3, 4), min=0.1),
        case(apart(rng, 3, 4), max=0.1),
        case(apart(rng, 3, 4)),
        case(apart(rng, 3, 4), rng.uniform(-1.5, -1.4, (3, 4)), rng.uniform(1.3, 1.4, (4,))),
        case(apart(rng, 3, 4), rng.uniform(1.3, 1.4, (4,)), rng.uniform(-1.5, -1.4, (3, 1))),
    ],
    torch=lambda torch, x, min=None, max=None: (
        x + 0 if min is None and max is None else torch.clip(x, min, max)
    ),
)
