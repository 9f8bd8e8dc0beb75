"""What calls of ops cost: the multiply-adds of those that multiply matrices, by their shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def _of_filters(args: list[Shape], out: Shape) -> int:
    """For each element of the output (or of the first argument, which a gradient spreads): as many
    as a filter has."""
    return prod(out) * prod(args[1][1:])


def _spread(args: list[Shape], out: Shape) -> int:
    return prod(args[0]) * prod(args[1][1:])


def _of_filter_gradients(args: list[Shape], out: Shape) -> int:
    return prod(args[0]) * prod(out[1:])


def _of_rows(args: list[Shape], out: Shape) -> int:
    """A row of the first argument for each element of the output."""
    return prod(out) * args[0][-1]


def _of_attention(args: list[Shape], out: Shape) -> int:
    query, key, value = args[:3]
    return prod(out[:-1]) * key[-2] * (query[-1] + value[-1])


def _of_recurrence(args: list[Shape], out: Shape, count: int = 2) -> int:
    """Both weights, or ``count``, once for each step of each sequence."""
    weights = [shape for shape in args[1:] if len(shape) == 2][-count:]
    return prod(args[0][:-1]) * sum(map(prod, weights))


_COSTS: dict[str, Callable[[list[Shape], Shape], int]] = {
    **{f"conv{axes}d": _of_filters for axes in (1, 2, 3)},
    **{f"conv{axes}d_grad_x": _spread for axes in (1, 2, 3)},
    **{f"conv{axes}d_grad_w": _of_filter_gradients for axes in (1, 2, 3)},
    "linear": _of_rows,
    "linear_relu": _of_rows,
    "matmul": _of_rows,
    "scaled_dot_product_attention": _of_attention,
    "lstm": _of_recurrence,
    "lstm_projected": partial(_of_recurrence, count=3),
    "gru": _of_recurrence,
    "rnn": _of_recurrence,
}


def multiply_adds(op: Any, args: Any, outputs: Any) -> int:
    """How many products a call of ``op`` adds up; 0 for ops that multiply no matrices.

    What an observer is told, see `engine/observers.py`.
    """
    cost = _COSTS.get(op.__name__)
    if cost is None:
        return 0
    out = outputs[0] if isinstance(outputs, list | tuple) else outputs
    return cost([np.shape(arg) if hasattr(arg, "shape") else () for arg in args], np.shape(out))
