"""Softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import case, row


def _along(name: str) -> Callable[..., Any]:
    return lambda torch, x, axis=-1, dtype=None: getattr(torch, name)(x, dim=axis)


for _name in ("softmax", "log_softmax"):
    row(
        _name,
        lambda rng: [
            case(rng.normal(size=(3, 5))),
            case(rng.normal(size=(2, 3, 4)), 1),
            case(rng.normal(size=(4, 3)), axis=0),
            case(rng.normal(size=(2, 67))),
            case(np.array([[300.0, -300.0, 0.0]])),
            case(rng.normal(size=(3, 1))),
            case(np.zeros((0, 3))),
            case(rng.normal(size=(2, 3)), dtype=np.float64),
        ],
        torch=_along(_name),
    )
