"""Calls of ops on arrays that are large enough for blocking, tails and several threads."""

from __future__ import annotations

import numpy as np
import pytest

from .calls import arrays, as_float32, cases_of, replaced
from .ops_table import ROWS, Case

rng = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def stretched(case: Case, shape: tuple[int, ...]) -> Case:
    return replaced(case, {key: np.resize(a, shape) for key, a in arrays(case).items()})


# The ops that are not element-wise.
CALLS: dict[str, list[Case]] = {}


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
