"""Special functions."""

from __future__ import annotations

import numpy as np

from .rows import case, row
from .samples import maps, maps_of_two, off_zero, positive, signed, single, some, within_one

maps(
    {
        "exp2": some,
        "erfc": some,
        "erfinv": within_one,
        "lgamma": lambda rng: signed(rng, 3, 4, low=0.3, high=0.7) + rng.integers(-2, 4, (3, 4)),
        "digamma": lambda rng: signed(rng, 3, 4, low=0.3, high=0.7) + rng.integers(-2, 4, (3, 4)),
        "i0": some,
        "sinc": some,
    }
)
maps_of_two("logaddexp2")
row(
    "polygamma",
    lambda rng: [case(n, rng.uniform(0.6, 3, (3, 4))) for n in range(4)],
    torch=lambda torch, n, x: torch.polygamma(n, x),
)
row(
    "mvlgamma",
    lambda rng: [case(rng.uniform(2.1, 4, (3, 4)), p) for p in (1, 3)],
    torch=lambda torch, x, p: torch.mvlgamma(x, p),
)
row(
    "xlogy",
    lambda rng: [
        case(some(rng), positive(rng)),
        case(rng.normal(size=(4,)), positive(rng)),
        case(np.zeros(3), rng.uniform(0.5, 2, 3)),
        case(1.5, positive(rng)),
        case(some(rng), 2.0),
    ],
    torch=lambda torch, a, b: torch.xlogy(a, torch.as_tensor(b, dtype=torch.float64)),
    elementwise=True,
)
row(
    "logit",
    lambda rng: [
        case(rng.uniform(0.1, 0.9, (3, 4))),
        case(np.array([0.05, 0.2, 0.5, 0.97]), eps=0.1),
    ],
    torch=lambda torch, x, eps=None: torch.logit(x, eps),
)
for _name in ("igamma", "igammac"):
    row(
        _name,
        lambda rng: [
            case(rng.integers(1, 6, (3, 4)), rng.uniform(0.1, 8, (3, 4))),
            case(1.5, rng.uniform(0.1, 8, (3, 4))),
        ],
        torch=lambda torch, a, x, name=_name: getattr(torch, name)(
            torch.as_tensor(a, dtype=x.dtype), x
        ),
    )
for _name, _sample in {
    "entr": positive,
    "erfcx": some,
    "i0e": off_zero,
    "i1": some,
    "i1e": off_zero,
    "log_ndtr": some,
    "ndtr": some,
}.items():
    row(
        _name,
        single(_sample),
        torch=lambda torch, x, name=_name: getattr(torch.special, name)(x),
        elementwise=True,
    )
row(
    "xlog1py",
    lambda rng: [
        case(some(rng), within_one(rng)),
        case(np.zeros(3), rng.uniform(0.5, 2, 3)),
        case(1.5, within_one(rng)),
        case(some(rng), 2.0),
    ],
    torch=lambda torch, a, b: torch.special.xlog1py(
        torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
    ),
    elementwise=True,
)
