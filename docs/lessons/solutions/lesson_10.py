"""Solutions of lesson 10, vanishing gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import tinytensor as tt


def product_of_slopes(w: float, h0: float, steps: int) -> float:
    h, product = h0, 1.0
    for _ in range(steps):
        h = math.tanh(w * h)
        product *= w * (1 - h * h)
    return product


def horizon(radius: float, rest: float) -> float:
    if radius >= 1:
        return math.inf
    if radius == 0:
        return 1
    return math.floor(math.log(rest) / math.log(radius)) + 1


def clipped(gradients: list[np.ndarray], max_norm: float) -> list[np.ndarray]:
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    factor = max_norm / max(norm, max_norm)
    return [g * factor for g in gradients]


def scale_for(act: Callable[[tt.Tensor], tt.Tensor]) -> float:
    z = tt.tensor(np.random.default_rng(0).normal(size=200_000), requires_grad=True)
    (slope,) = tt.grad(act(z).sum(), z)
    return float(np.mean(slope.numpy() ** 2) ** -0.5)


def deep(x: tt.Tensor, weights: list[tt.Tensor]) -> tt.Tensor:
    h, factor = x, len(weights) ** -0.5
    for w in weights:
        h = h + factor * tt.tanh(h @ w)
    return h
