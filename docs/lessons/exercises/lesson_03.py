"""Exercises of lesson 3, broadcasting: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_03

Arrays are NumPy's here. ``g`` is always dL/d(output), in the output's shape.
"""

from __future__ import annotations

import numpy as np


def bias_gradient(g: list[list[float]]) -> list[float]:
    """1. The output was x[i][j] + b[j]. dL/db from g[i][j], as a list; lists and loops only.

    Hint: to how many outputs did b[0] go?
    """
    raise NotImplementedError(
        "b[0] was added to x[0][0], x[1][0], x[2][0] … So L changes with it by g[0][0] +"
        " g[1][0] + g[2][0] …: which of g's rows or columns is that?"
    )


def scale_gradients(g: np.ndarray, x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2. The output was x · s, x of shape (n, m) and s of shape (n, 1). (dL/dx, dL/ds), each in the
    shape of its array.

    Hint: first pretend that s had been copied to (n, m), and undo the copying afterwards.
    """
    raise NotImplementedError(
        "out[i, j] = x[i, j] · s[i, 0]. By x it is g · s. By s[i, 0] it is a sum: over which index?"
        " And what keeps the axis whose length is 1?"
    )


def fitted(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """3. The cotangent g of a result, for a parent of ``shape`` that was broadcast to g's shape.

    Hint: shapes are lined up at their right ends. Two kinds of axes are to be added over.
    """
    raise NotImplementedError(
        "Add over the axes in front first, as many as g has more than shape; then ndim agrees. Then"
        " add over each axis where shape says 1 and g has more, with keepdims=True."
    )


def share_gradient(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """4. The output was x / x.sum(axis=1, keepdims=True): each row as shares of its sum. dL/dx.

    Hint: x goes two ways, as the numerator and into the sum. Name the sum s, and do both.
    """
    raise NotImplementedError(
        "Go by steps: s = x.sum(axis=1, keepdims=True), out = x / s. What arrives at x directly?"
        " What arrives at s, in s's shape? And the gradient of a sum hands what arrived to each"
        " that was added."
    )


def distance_gradients(
    g: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """5. The output was out[i, j] = Σ_k (x[i, k] - y[j, k])², x of shape (n, d) and y of (m, d):
    ((x[:, None] - y[None]) ** 2).sum(-1). (dL/dx, dL/dy), without a loop.

    Hint: the difference has shape (n, m, d). What arrives at it?
    """
    raise NotImplementedError(
        "Let r = x[:, None] - y[None], of shape (n, m, d). At r arrives 2 · g[:, :, None] · r. x"
        " was copied along axis 1 to make r, and y along axis 0; y came with a minus."
    )
