"""Sums, products, quotients, signs, whole parts and limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import apart, between_whole, maps, maps_of_two, off_zero, pairs, signed, some

_SETTINGS: dict[str, list[dict[str, Any]]] = {
    "add": [{"alpha": 2}, {"alpha": -0.5}],
    "subtract": [{"alpha": 2}, {"alpha": -0.5}],
    "multiply": [],
    "divide": [{"rounding_mode": way} for way in ("floor", "trunc", None)],
}
for _name in ("add", "subtract", "multiply", "divide"):
    row(
        _name,
        lambda rng, name=_name: [
            *pairs(rng),
            *(case(signed(rng, 3, 4), signed(rng, 4), **kwargs) for kwargs in _SETTINGS[name]),
        ],
        torch=lambda torch, a, b, name=_name, **kwargs: getattr(torch, name)(
            torch.as_tensor(a), torch.as_tensor(b), **kwargs
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
        "trunc": between_whole,
    }
)
row(
    "round",
    lambda rng: [
        case(between_whole(rng)),
        case(between_whole(rng), decimals=-1),
        case(between_whole(rng) / 100, decimals=2),
    ],
    torch=lambda torch, x, **kwargs: torch.round(x, **kwargs),
    elementwise=True,
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


# --- Beyond the standard ---------------------------------------------------------------------

row(
    "fmod",
    pairs,
    torch=lambda torch, a, b: torch.fmod(torch.as_tensor(a, dtype=getattr(b, "dtype", None)), b),
)
maps({"frac": between_whole})


for _name in ("fmax", "fmin"):
    row(
        _name,
        _ordered,
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(
            a, torch.as_tensor(b, dtype=a.dtype)
        ),
        elementwise=True,
    )
row(
    "lerp",
    lambda rng: [
        case(some(rng), some(rng), 0.3),
        case(some(rng), rng.normal(size=(4,)), 0.8),
        case(some(rng), some(rng), rng.uniform(-1, 2, (3, 4))),
        case(rng.normal(size=(4,)), rng.normal(size=(3, 1)), rng.uniform(-1, 2, (2, 1, 1))),
    ],
    torch=lambda torch, a, b, weight: torch.lerp(a, b, weight),
    elementwise=True,
)
for _name in ("addcmul", "addcdiv"):
    row(
        _name,
        lambda rng: [
            case(some(rng), some(rng), off_zero(rng)),
            case(some(rng), rng.normal(size=(4,)), signed(rng, 3, 1), value=-0.5),
        ],
        torch=lambda torch, x, a, b, value=1, name=_name: getattr(torch, name)(
            x, a, b, value=value
        ),
    )
row(
    "heaviside",
    lambda rng: [
        case(off_zero(rng), some(rng)),
        case(signed(rng, 3), rng.normal(size=(2, 3))),
    ],  # PyTorch has no derivative of it
    torch=lambda torch, x, v: torch.heaviside(x.detach(), v.detach()) + 0 * (x + v),
)
for _name in ("gcd", "lcm"):
    row(
        _name,
        lambda rng: [
            case(rng.integers(-20, 20, (3, 4)), rng.integers(-20, 20, (4,))),
            case(rng.integers(-20, 20, (3, 4)), 6),
        ],
        torch=lambda torch, a, b, name=_name: getattr(torch, name)(a, torch.as_tensor(b)),
        differentiable=False,
    )
row(
    "ldexp",
    lambda rng: [
        case(some(rng), rng.integers(-5, 5, (4,))),
        case(some(rng), rng.normal(size=(4,))),
        case(some(rng), 3),
    ],
    # By integers below 0 PyTorch's gradient is 0.
    torch=lambda torch, a, b: torch.ldexp(a, torch.as_tensor(b, dtype=torch.float64)),
)
row(
    "frexp",
    lambda rng: [case(signed(rng, 3, 4)), case(1000 * signed(rng, 5))],
    torch=lambda torch, x: torch.frexp(x),
)
row(
    "nan_to_num",
    lambda rng: [
        case(some(rng)),
        case(some(rng), 7.0, posinf=8.0, neginf=-9.0),
    ],
    torch=lambda torch, x, *args, **kwargs: torch.nan_to_num(x, *args, **kwargs),
)
