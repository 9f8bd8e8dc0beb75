"""Activations of neural networks. The gradient of relu at 0 is 0, as PyTorch's.

The fused backward of each is an op of its own, and differentiable by a plain formula.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from .. import kernels
from ..engine.operation import Op
from ..errors import ShapeError
from .annotations import ArrayLike, Dtype, Tensor
from .arithmetic import abs, negative, sign
from .batching import elementwise as over_lanes
from .checks import axis_index, number, real_floats
from .composed import composed, computed
from .declared import op
from .elementary import erf, exp, expm1, logaddexp, sigmoid, tanh
from .logic import greater, less_equal, where
from .operands import operand
from .shape import reshape, split
from .softmax import softmax

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
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

# --- Made of other ops -------------------------------------------------------------------------
# ``inplace`` is taken as PyTorch's, and changes nothing: the output is a new tensor.


@computed
def celu(x: ArrayLike, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x is positive, otherwise α (exp(x / α) − 1). Barron, 2017.

    >>> import tinytensor as tt
    >>> tt.celu(tt.tensor([-200.0, 3.0]), alpha=2.0)
    tensor([-2.,  3.])
    """
    real_floats("celu", "x", x)
    _check_numbers(alpha=alpha)
    if alpha == 0:
        raise ValueError("celu: alpha must not be 0")
    return where(greater(x, 0), x, alpha * expm1(where(greater(x, 0), 0.0, x) / alpha))


@computed
def selu(x: ArrayLike, inplace: bool = False) -> Tensor:
    """1.0507… times x where x is positive, otherwise times 1.6733… (eˣ − 1): layers of it keep mean
    0 and variance 1. Klambauer et al., 2017."""
    real_floats("selu", "x", x)
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


@computed
def glu(x: ArrayLike, axis: int = -1) -> Tensor:
    """a sigmoid(b) of the halves a and b of x along ``axis``. Dauphin et al., 2017.

    >>> import tinytensor as tt
    >>> tt.glu(tt.tensor([1.0, 2.0, 0.0, 100.0]))
    tensor([0.5, 2. ])
    """
    real_floats("glu", "x", x)
    if not x.ndim:
        raise ShapeError("glu: x has no axes, to be cut into halves along one")
    size = x.shape[axis_index("glu", axis, x.ndim)]
    if size % 2:
        raise ShapeError(f"glu: {size} elements along axis {axis} of x {x.shape} make no halves")
    a, b = split(x, 2, axis)
    return a * sigmoid(b)


@computed
def hardsigmoid(x: ArrayLike, inplace: bool = False) -> Tensor:
    """x / 6 + 1 / 2 into [0, 1]; the gradient at and beyond the bounds is 0."""
    real_floats("hardsigmoid", "x", x)
    return hardtanh(x + 3.0, 0.0, 6.0) / 6.0


@computed
def hardswish(x: ArrayLike, inplace: bool = False) -> Tensor:
    """x times :func:`hardsigmoid` of x. Howard et al., 2019."""
    return x * hardsigmoid(x)


@computed
def hardshrink(x: ArrayLike, lambd: float = 0.5) -> Tensor:
    """x where |x| is above ``lambd``, otherwise 0."""
    real_floats("hardshrink", "x", x)
    _check_numbers(lambd=lambd)
    return where(less_equal(abs(x), lambd), 0.0, x)


@computed
def softshrink(x: ArrayLike, lambd: float = 0.5) -> Tensor:
    """x moved by ``lambd`` towards 0, and 0 where |x| is at most that."""
    real_floats("softshrink", "x", x)
    lambd = number("softshrink", "lambd", lambd, 0)
    return where(less_equal(abs(x), lambd), 0.0, x - lambd * sign(x))


@computed
def logsigmoid(x: ArrayLike) -> Tensor:
    """log sigmoid x = −log(1 + exp(−x)).

    >>> import tinytensor as tt
    >>> tt.logsigmoid(tt.tensor([-1000.0, 1000.0]))
    tensor([-1000.,    -0.])
    """
    real_floats("logsigmoid", "x", x)
    return -logaddexp(-x, 0.0)


@computed
def mish(x: ArrayLike, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + eˣ)). Misra, 2019."""
    real_floats("mish", "x", x)
    return x * tanh(softplus(x))


@computed
def prelu(x: ArrayLike, weight: ArrayLike) -> Tensor:
    """x where x is positive, otherwise ``weight`` x: one number, or one for each channel of x
    (N, C, …). He et al., 2015.

    >>> import tinytensor as tt
    >>> tt.prelu(tt.tensor([[-1.0, -1.0]]), tt.tensor([0.5, 0.25]))
    tensor([[-0.5 , -0.25]])
    """
    real_floats("prelu", "x", x)
    weight = operand("prelu", weight, x)
    channels = 1 if x.ndim < 2 else x.shape[1]
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ShapeError(
            f"prelu: weight must be one number, or one for each of {channels} channels, but is"
            f" {weight.shape} for x {x.shape}"
        )
    weight = reshape(weight, (-1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else (1,) * x.ndim)
    return where(greater(x, 0), x, weight * x)


@computed
def relu6(x: ArrayLike, inplace: bool = False) -> Tensor:
    """x into [0, 6]; the gradient at and beyond the bounds is 0."""
    return hardtanh(x, 0, 6)


@composed
def softmin(x: ArrayLike, axis: int = -1, dtype: Dtype = None) -> Tensor:
    """exp(−x) over its sum along ``axis``; of x cast to ``dtype``, if one is given."""
    return softmax(negative(x), axis, dtype)


@computed
def softsign(x: ArrayLike) -> Tensor:
    """x / (1 + |x|)."""
    return x / (1.0 + abs(x))


@computed
def tanhshrink(x: ArrayLike) -> Tensor:
    """x − tanh x."""
    return x - tanh(x)


@computed
def threshold(x: ArrayLike, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above ``threshold``, otherwise ``value``."""
    _check_numbers(threshold=threshold, value=value)
    return where(less_equal(x, threshold), value, x)


for _op in [one for one in vars().values() if isinstance(one, Op)]:
    if _op.__module__ == __name__:  # the others have rules of their own
        _op.batched(over_lanes)
