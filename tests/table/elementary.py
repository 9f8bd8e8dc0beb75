"""Powers, exponentials, logarithms, circular and hyperbolic functions."""

from __future__ import annotations

from .rows import case, row
from .samples import maps, maps_of_two, positive, signed, some, within_one

row(
    "pow",
    lambda rng: [
        case(rng.uniform(0.3, 2, (3, 4)), signed(rng, 3, 4)),
        case(rng.uniform(0.3, 2, (3, 4)), signed(rng, 4)),
        *(case(signed(rng, 3, 4), e) for e in (2, 3.0, -1, 1, 0)),
        *(case(rng.uniform(0.3, 2, (3, 4)), e) for e in (0.5, 2.5, -1.5)),
        case(1.7, rng.normal(size=(3,))),
        case(0.0, rng.uniform(0.5, 2, (3,))),
    ],
    torch=lambda torch, a, b: torch.pow(a, b),
    elementwise=True,
)
maps(
    {
        "sqrt": positive,
        "rsqrt": positive,
        "exp": some,
        "expm1": some,
        "log": positive,
        "log1p": within_one,
        "log2": positive,
        "log10": positive,
        "sin": some,
        "cos": some,
        "tan": within_one,
        "asin": within_one,
        "acos": within_one,
        "atan": some,
        "sinh": some,
        "cosh": some,
        "tanh": some,
        "asinh": some,
        "acosh": lambda rng: rng.uniform(1.2, 3, (3, 4)),
        "atanh": within_one,
        "erf": some,
        "sigmoid": some,
    }
)
maps_of_two("atan2", "hypot", "logaddexp")

# The fused backwards, from the argument or the value of the map.
row(
    "log_backward",
    lambda rng: [case(some(rng), rng.uniform(0.5, 2, (3, 4)))],
    torch=lambda torch, g, x: g / x,
    elementwise=True,
)
row(
    "tanh_backward",
    lambda rng: [case(some(rng), within_one(rng))],
    torch=lambda torch, g, y: g * (1 - y * y),
    elementwise=True,
)
row(
    "sigmoid_backward",
    lambda rng: [case(some(rng), rng.uniform(0.1, 0.9, (3, 4)))],
    torch=lambda torch, g, y: g * y * (1 - y),
    elementwise=True,
)

maps({"deg2rad": some, "rad2deg": some})
row(
    "float_power",
    lambda rng: [
        case(positive(rng), signed(rng, 3, 4)),
        case(signed(rng, 3, 4), 2),
        case(rng.integers(1, 5, (3, 4)), rng.normal(size=(4,))),
    ],
    torch=lambda torch, a, b: torch.float_power(a, b),
)
