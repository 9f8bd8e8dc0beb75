"""Calls of ops on arrays that are large enough for blocking, tails and several threads."""

from __future__ import annotations

import numpy as np
import pytest

from .calls import arrays, as_float32, cases_of, replaced
from .ops_table import ROWS, Case, case

rng = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def stretched(case: Case, shape: tuple[int, ...]) -> Case:
    return replaced(case, {key: np.resize(a, shape) for key, a in arrays(case).items()})


# The ops that are not element-wise.
CALLS: dict[str, list[Case]] = {
    "matmul": [
        case(normal(150, 700), normal(700, 300)),
        case(normal(700, 150).T, normal(300, 700).T),
        case(normal(6, 130, 70), normal(6, 70, 90)),
        case(normal(700), normal(700, 5000)),
    ],
    "linear": [case(normal(4, 70, 500), normal(300, 500), normal(300))],
    "linear_relu": [case(normal(300, 500), normal(270, 500), normal(270))],
    "conv2d": [
        case(normal(4, 24, 30, 31), normal(40, 24, 3, 3), normal(40), padding=1),
        case(normal(2, 16, 40, 41), normal(32, 8, 5, 3), stride=2, padding=(2, 1), groups=2),
        case(normal(4, 130, 20, 21), normal(70, 130, 1, 1), normal(70)),
    ],
    "conv2d_grad_x": [case(normal(4, 40, 30, 31), normal(40, 24, 3, 3), (30, 31), padding=1)],
    "conv2d_grad_w": [case(normal(4, 40, 30, 31), normal(4, 24, 30, 31), (3, 3), padding=1)],
    "max_pool2d": [case(normal(8, 16, 33, 70), 3, stride=2, padding=1)],
    "avg_pool2d": [case(normal(8, 16, 33, 70), 3, stride=2, padding=1)],
    "adaptive_avg_pool2d": [case(normal(8, 16, 33, 70), (7, 5))],
}


def _large() -> list:
    calls = {name: list(made) for name, made in CALLS.items() if name in ROWS}
    for name, row in ROWS.items():
        if row.elementwise:
            full = next(c for c in cases_of(row) if all(a.size for a in arrays(c).values()))
            calls[name] = [stretched(as_float32(full), (300, 1003))]
    return [
        pytest.param(ROWS[name], made, id=f"{name}-{i}")
        for name, all_made in calls.items()
        for i, made in enumerate(all_made)
    ]


LARGE = _large()
