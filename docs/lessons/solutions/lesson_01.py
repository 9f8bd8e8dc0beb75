"""Solutions of lesson 1, one number and its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinytensor.engine import op
from tinytensor.scalar import Value


def slopes_by_hand(a: float, b: float, c: float) -> tuple[float, float, float]:
    s = a * b + c
    by_s = 2 * s
    return by_s * b, by_s * a, by_s


def central_difference(f: Callable[[float], float], x: float, h: float) -> float:
    return (f(x + h) - f(x - h)) / (2 * h)


def best_step(f: Callable[[float], float], x: float, slope: float) -> float:
    steps = [10.0**-k for k in range(1, 16)]
    return min(steps, key=lambda h: abs(central_difference(f, x, h) - slope))


def value_and_slopes(f: Callable[..., Value], *numbers: float) -> tuple[float, list[float]]:
    values = [Value(number) for number in numbers]
    out = f(*values)
    out.backward()
    return out.data, [0.0 if value.grad is None else value.grad.data for value in values]


@op
def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


softplus.grad(x=lambda g, x: g * x.sigmoid())  # of ops: so it has a derivative in its turn
softplus.family = Value
