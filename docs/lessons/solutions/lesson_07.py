"""Solutions of lesson 7, Jacobians."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import tinytensor as tt

Function = Callable[[tt.Tensor], tt.Tensor]


def jacobian_by_hand(x: float, y: float) -> np.ndarray:
    return np.array([[y, x], [math.cos(x), 0], [0, 2 * y]])


def jacobian_by_rows(f: Function, x: tt.Tensor) -> np.ndarray:
    out, pullback = tt.func.vjp(f, x)
    units = np.eye(len(out))
    return np.stack([pullback(tt.tensor(v, dtype=out.dtype))[0].numpy() for v in units])


def forward(f: Function, x: tt.Tensor, t: tt.Tensor) -> tt.Tensor:
    x = x.detach().requires_grad_()
    out = f(x)
    v = tt.zeros_like(out.detach()).requires_grad_()
    (p,) = tt.grad(out, x, v, create_graph=True)
    (pushed,) = tt.grad(p, v, t)
    return pushed


def hessian_times(f: Function, x: tt.Tensor, t: tt.Tensor) -> tt.Tensor:
    x = x.detach().requires_grad_()
    (slope,) = tt.grad(f(x), x, create_graph=True)
    (product,) = tt.grad(slope, x, t)
    return product


def sharpest(f: Function, x: tt.Tensor, steps: int, rng: np.random.Generator) -> float:
    t = tt.tensor(rng.normal(size=x.shape), dtype=x.dtype)
    for _ in range(steps):
        t = t / (t**2).sum().sqrt()
        t = tt.func.hvp(f, (x,), (t,))
    t = t / (t**2).sum().sqrt()
    return float((t * tt.func.hvp(f, (x,), (t,))).sum())  # Rayleigh's quotient: tᵀ H t
