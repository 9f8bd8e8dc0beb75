"""Solutions of lesson 3, broadcasting."""

from __future__ import annotations

import numpy as np


def bias_gradient(g: list[list[float]]) -> list[float]:
    return [sum(column) for column in zip(*g, strict=True)]


def scale_gradients(g: np.ndarray, x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return g * s, (g * x).sum(axis=1, keepdims=True)


def fitted(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return g.sum(axis=stretched, keepdims=True)


def share_gradient(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    s = x.sum(axis=1, keepdims=True)
    by_s = -(g * x / s**2).sum(axis=1, keepdims=True)  # s was copied along the row by the division
    return g / s + by_s  # and by_s is copied along the row: the gradient of the sum


def distance_gradients(
    g: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    by_r = 2 * g[:, :, None] * (x[:, None] - y[None])
    return by_r.sum(axis=1), -by_r.sum(axis=0)
