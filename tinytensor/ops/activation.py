"""Activations of neural networks. The gradient of relu at 0 is 0, as PyTorch's.

The fused backward of each is an op of its own, and differentiable by a plain formula.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from .. import kernels
from ..engine.operation import Op
from .annotations import ArrayLike, Tensor
from .batching import elementwise as over_lanes
from .declared import op
from .elementary import erf, exp, sigmoid
from .logic import where

__all__ = [
    "elu",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "relu",
    "silu",
    "softplus",
]


def _check_numbers(**arguments):
    """The parameters of activations are plain numbers: no gradient goes to them."""
    for name, value in arguments.items():
        if not isinstance(value, int | float | np.number):
            raise TypeError(f"{name} must be a number")


@op(kernel=kernels.relu)
def relu(x: ArrayLike) -> Tensor:
    """max(x, 0); the gradient at 0 is 0."""


relu.grad(x=lambda g, out: relu_backward(g, out))


@op(kernel=kernels.relu_backward)
def relu_backward(g, y):
    """g where y = relu x is positive, otherwise 0."""


relu_backward.grad(g=lambda gg, y: relu_backward(gg, y), y=None)


@op
def leaky_relu(x: ArrayLike, negative_slope: float = 0.01) -> Tensor:
    """x where x is positive, otherwise ``negative_slope`` x."""
    _check_numbers(negative_slope=negative_slope)
    return kernels.leaky_relu(x, negative_slope)


leaky_relu.grad(x=lambda g, x, negative_slope: leaky_relu_backward(g, x, negative_slope))


@op
def leaky_relu_backward(g, x, negative_slope):
    """g where x is positive, otherwise ``negative_slope`` g."""
    _check_numbers(negative_slope=negative_slope)
    return kernels.leaky_relu_backward(g, x, negative_slope)


leaky_relu_backward.grad(
    g=lambda gg, x, negative_slope: leaky_relu_backward(gg, x, negative_slope), x=None
)


@op
def elu(x: ArrayLike, alpha: float = 1.0) -> Tensor:
    """x where x is positive, otherwise α (eˣ − 1). Clevert, Unterthiner and Hochreiter, 2016."""
    _check_numbers(alpha=alpha)
    return kernels.elu(x, alpha)


elu.grad(x=lambda g, x, alpha: elu_backward(g, x, alpha))


@op
def elu_backward(g, x, alpha):
    """g where x is positive, otherwise g α eˣ."""
    _check_numbers(alpha=alpha)
    return kernels.elu_backward(g, x, alpha)


elu_backward.defined_by(
    lambda g, x, alpha: g * where(x > 0, 1.0, alpha * exp(where(x > 0, 0.0, x)))
)


@op(kernel=kernels.silu)
def silu(x: ArrayLike) -> Tensor:
    """x sigmoid x, also called swish. Elfwing, Uchibe and Doya, 2018."""


silu.grad(x=lambda g, x: silu_backward(g, x))


@op(kernel=kernels.silu_backward)
def silu_backward(g, x):
    """g s (1 + x (1 − s)), s = sigmoid x."""


def _silu_backward(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu_backward.defined_by(_silu_backward)


@op
def gelu(x: ArrayLike, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """x Φ(x), Φ the distribution function of the normal distribution. Hendrycks and Gimpel, 2016.

    ``approximate="tanh"`` takes (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 for Φ.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate must be "none" or "tanh", got {approximate!r}')
    return kernels.gelu(x, approximate)


gelu.grad(x=lambda g, x, approximate: gelu_backward(g, x, approximate))


@op
def gelu_backward(g, x, approximate):
    """g times the derivative of gelu: Φ(x) + x φ(x) for the exact form."""
    return kernels.gelu_backward(g, x, approximate)


def _gelu_backward(g, x, approximate):
    if approximate == "tanh":
        scale = 2 * math.sqrt(2 / math.pi)
        s = sigmoid(scale * x * (1 + 0.044715 * x * x))
        return g * (s + x * s * (1 - s) * (scale * (1 + 3 * 0.044715 * x * x)))
    density = math.sqrt(0.5 / math.pi) * exp(-0.5 * x * x)
    return g * (0.5 * (1 + erf(math.sqrt(0.5) * x)) + x * density)


gelu_backward.defined_by(_gelu_backward)


@op
def softplus(x: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(βx)) / β; x itself where βx is above ``threshold``."""
    _check_numbers(beta=beta, threshold=threshold)
    if beta == 0:
        raise ValueError("softplus: beta must not be 0")
    return kernels.softplus(x, beta, threshold)


softplus.grad(x=lambda g, x, beta, threshold: softplus_backward(g, x, beta, threshold))


@op
def softplus_backward(g, x, beta, threshold):
    """g sigmoid(βx); g itself where βx is above ``threshold``."""
    _check_numbers(beta=beta, threshold=threshold)
    return kernels.softplus_backward(g, x, beta, threshold)


softplus_backward.defined_by(
    lambda g, x, beta, threshold: g * where(x * beta > threshold, 1.0, sigmoid(x * beta))
)


@op
def hardtanh(x: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x into [``min_val``, ``max_val``]; the gradient at and beyond the bounds is 0."""
    _check_numbers(min_val=min_val, max_val=max_val)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return kernels.clip(x, min_val, max_val)


hardtanh.grad(x=lambda g, x, min_val, max_val: hardtanh_backward(g, x, min_val, max_val))


@op
def hardtanh_backward(g, x, min_val, max_val):
    """g where x is strictly between the bounds, otherwise 0."""
    _check_numbers(min_val=min_val, max_val=max_val)
    return kernels.hardtanh_backward(g, x, min_val, max_val)


hardtanh_backward.grad(
    g=lambda gg, x, min_val, max_val: hardtanh_backward(gg, x, min_val, max_val), x=None
)

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
