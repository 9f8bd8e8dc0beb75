"""Images looked up at the points of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import Case, case, row
from .samples import normal


def _functional(name: str) -> Callable[..., Any]:
    return lambda torch, *args, **kwargs: getattr(torch.nn.functional, name)(*args, **kwargs)


def _points(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(-1.3, 1.3, shape)


def _lookups(rng: np.random.Generator) -> list[Case]:
    return [
        case(normal(rng, 2, 3, 4, 5), _points(rng, 2, 3, 2, 2)),
        case(normal(rng, 1, 2, 4, 5), _points(rng, 1, 3, 2, 2), padding_mode="border"),
        case(
            normal(rng, 1, 2, 4, 5),
            _points(rng, 1, 3, 2, 2),
            padding_mode="reflection",
            align_corners=True,
        ),
        case(normal(rng, 1, 2, 4, 5), _points(rng, 1, 3, 2, 2), "nearest"),
        case(normal(rng, 1, 2, 4, 5), _points(rng, 1, 2, 2, 2), "bicubic", "reflection"),
        case(normal(rng, 1, 2, 3, 4, 3), _points(rng, 1, 2, 2, 1, 3)),
    ]


row("grid_sample", _lookups, torch=_functional("grid_sample"))
row(
    "affine_grid",
    lambda rng: [
        case(normal(rng, 2, 2, 3), (2, 1, 3, 4)),
        case(normal(rng, 1, 3, 4), (1, 2, 2, 1, 3), align_corners=True),
    ],
    torch=_functional("affine_grid"),
)
