"""Steps of optimizers, as graphs that train have them (ai.onnx.preview.training)."""

from __future__ import annotations

from typing import Any

from ... import ops
from ..registry import operator
from ..values import array

__all__: list[str] = []

DOMAIN = "ai.onnx.preview.training"


def _groups(given: tuple[Any, ...], number: int) -> list[tuple[Any, ...]]:
    """For each parameter what is given of it: the parameter, its gradient, its averages."""
    count, rest = divmod(len(given), number)
    if rest:
        raise ValueError(f"{len(given)} tensors are given, and each parameter needs {number}")
    return list(zip(*(given[i * count : (i + 1) * count] for i in range(number)), strict=True))


def _flat(columns: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The new values of all parameters, then their averages, one kind after the other."""
    return tuple(each for kind in zip(*columns, strict=True) for each in kind)


@operator("Adagrad", domain=DOMAIN)
def adagrad(
    rate: Any,
    step: Any,
    *given: Any,
    decay_factor: float = 0.0,
    epsilon: float = 0.0,
    norm_coefficient: float = 0.0,
) -> tuple[Any, ...]:
    rate = rate / (1 + array(step).item() * decay_factor)
    made = []
    for x, g, h in _groups(given, 3):
        g = norm_coefficient * x + g
        h = h + g * g
        made.append((x - rate * g / (ops.sqrt(h) + epsilon), h))
    return _flat(made)


@operator("Adam", domain=DOMAIN)
def adam(
    rate: Any,
    step: Any,
    *given: Any,
    alpha: float = 0.9,
    beta: float = 0.999,
    epsilon: float = 0.0,
    norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> tuple[Any, ...]:
    t = array(step).item()
    if t > 0:
        rate = rate * ((1 - beta**t) ** 0.5 / (1 - alpha**t))
    made = []
    for x, g, v, h in _groups(given, 4):
        g = norm_coefficient * x + g
        v = alpha * v + (1 - alpha) * g
        h = beta * h + (1 - beta) * g * g
        x = x - rate * v / (ops.sqrt(h) + epsilon)
        made.append(((1 - norm_coefficient_post) * x, v, h))
    return _flat(made)


@operator("Momentum", domain=DOMAIN)
def momentum(
    rate: Any,
    step: Any,
    *given: Any,
    alpha: float,
    beta: float,
    mode: str,
    norm_coefficient: float,
) -> tuple[Any, ...]:
    if mode not in ("standard", "nesterov"):
        raise ValueError(f"Momentum: mode is standard or nesterov, not {mode!r}")
    share = beta if array(step).item() > 0 else 1.0
    made = []
    for x, g, v in _groups(given, 3):
        g = norm_coefficient * x + g
        v = alpha * v + share * g
        made.append((x - rate * (g + alpha * v if mode == "nesterov" else v), v))
    return _flat(made)
