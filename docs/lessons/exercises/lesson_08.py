"""Exercises of lesson 8, vmap: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_08
"""

from __future__ import annotations

import numpy as np

import tinytensor as tt
from tinytensor.engine import Op


def sum_of_lanes(x: np.ndarray, axis: int) -> np.ndarray:
    """1. x (lanes, ...) has all lanes along axis 0. Give what `lane.sum(axis)` gives in every lane.

    ``axis`` is what one lane says, from −(its axes) to its axes − 1. Use NumPy alone.

    Hint: where do axis 0 and axis −1 of a lane stand in x?
    """
    raise NotImplementedError(
        "Write x.sum(...) with another axis. Which axis of x is axis 0 of a lane, and which −1?"
    )


def multiply_lanes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """2. a and b have the lanes along axis 0, and behind it as many axes as their lanes have, which
    may differ. Give `lane of a * lane of b` in every lane. Use NumPy alone.

    Hint: broadcasting aligns from the right. What must be put behind the lanes, and in which one?
    """
    raise NotImplementedError(
        "Begin with a.ndim and b.ndim; the one that has fewer axes gets axes of size 1"
        " behind axis 0"
    )


def gradient_of_each(w: tt.Tensor, xs: tt.Tensor, ys: tt.Tensor) -> tt.Tensor:
    """3. The gradient by w of (tanh(w · x) − y)², for each of the examples xs (n, d), ys (n,): (n,
    d).

    Use vmap and grad of tinytensor.func; no loop.

    Hint: write the loss of one example first. Which of its arguments have lanes?
    """
    raise NotImplementedError(
        "Define loss(w, x, y) for one example, then vmap(grad(loss), in_axes=...)"
    )


def clipped_mean(gradients: tt.Tensor, max_norm: float) -> tt.Tensor:
    """4. gradients (n, d), a row for each example: shorten each row that is longer than
    ``max_norm`` to this length, leave the others as they are, and take the mean of the rows.

    Hint: a factor for each row, which is never above 1. A row of zeros must not give NaN.
    """
    raise NotImplementedError(
        "Compute the length of each row, then a factor for each row, then the mean"
    )


@tt.op
def steps(x):
    """The differences of neighbours along axis 0: (n, ...) → (n − 1, ...)."""
    return np.diff(x, axis=0)


def attach_rule(op: Op) -> None:
    """5. Give ``op``, the op `steps` above, a batching rule by ``op.batched(rule)``: for all lanes
    at once, by ops alone (slices and a subtraction), without calling ``op``.

    A rule is called as rule(op, args, mapped, static); ``args[0]`` is here the tensor of all lanes.

    Hint: along which axis of all lanes are the neighbours? ``x[:, 1:]`` leaves axis 0 alone.
    """
    raise NotImplementedError(
        "Write def rule(op, args, mapped, static): ..., then op.batched(rule); a lane's axis 0"
        " is axis 1 of args[0]"
    )
