"""Solutions of lesson 4, bilinear maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def matmul_gradients(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return g @ b.T, a.T @ g


def is_adjoint(
    forward: Callable[[np.ndarray], np.ndarray],
    backward: Callable[[np.ndarray], np.ndarray],
    x_shape: tuple[int, ...],
    rng: np.random.Generator,
) -> bool:
    x = rng.normal(size=x_shape)
    y = forward(x)
    g = rng.normal(size=y.shape)
    return bool(np.isclose(np.vdot(g, y), np.vdot(backward(g), x)))


def conv1d_gradients(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by_x, by_w = np.zeros_like(x), np.zeros_like(w)
    for y in range(len(g)):
        for r in range(len(w)):
            by_x[y + r] += g[y] * w[r]
            by_w[r] += g[y] * x[y + r]
    return by_x, by_w


def patches(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (rows, columns))


def patches_adjoint(g: np.ndarray) -> np.ndarray:
    y, x, rows, columns = g.shape
    image = np.zeros((y + rows - 1, x + columns - 1), g.dtype)
    for r, s in np.ndindex(rows, columns):
        image[r : r + y, s : s + x] += g[:, :, r, s]
    return image


def einsum_gradients(
    subscripts: str, g: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    inputs, of_g = subscripts.split("->")
    of_a, of_b = inputs.split(",")

    def without(letters: str, it: np.ndarray, others: str, other: np.ndarray) -> np.ndarray:
        lonely = [i for i, letter in enumerate(letters) if letter not in of_g + others]
        ones = np.ones([it.shape[i] for i in lonely])
        alone = "".join(letters[i] for i in lonely)
        return np.einsum(f"{of_g},{others},{alone}->{letters}", g, other, ones)

    return without(of_a, a, of_b, b), without(of_b, b, of_a, a)
