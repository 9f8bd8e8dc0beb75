"""Solutions of lesson 5, what a node saves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinytensor as tt
from tinytensor.engine import op


def needs() -> dict[str, str]:
    return {
        "add": "nothing",
        "multiply": "other",
        "exp": "output",
        "sin": "input",
        "log": "input",
        "sqrt": "output",
        "tanh": "output",
        "matmul": "other",
        "sum": "nothing",
    }


def bytes_saved(batch: int, widths: list[int]) -> int:
    return 4 * batch * sum(widths)  # the data, and each tanh's output, the last one too


@op
def lean_silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def _slope(x: Any) -> Any:
    s = tt.sigmoid(x)
    return s * (1 + x * (1 - s))


lean_silu.grad(x=lambda g, x: g * _slope(x))


def in_parts(chain: Callable[[Any, list[Any]], Any], x: Any, weights: list[Any], most: int) -> Any:
    n = len(weights)
    m = max(m for m in range(1, n + 1) if math.ceil(n / m) + m <= most)
    for i in range(0, n, m):
        x = tt.func.checkpoint(chain, x, weights[i : i + m])
    return x


def forgetful(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @op
    def again(x: np.ndarray) -> np.ndarray:
        with tt.no_grad():
            return np.asarray(f(tt.asarray(x)))

    return again.grad(x=lambda g, x: tt.func.vjp(f, x)[1](g)[0])
