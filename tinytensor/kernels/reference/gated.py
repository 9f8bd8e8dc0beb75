"""Gated activations: f(gate) up."""

import numpy as np

from .checks import of_real_numbers
from .maps import gelu, gelu_backward, relu, sigmoid, silu, silu_backward
from .promotion import promoting

__all__ = ["gated", "gated_backward"]


def _value(x, activation):
    if activation in ("gelu", "gelu_tanh"):
        return gelu(x, "tanh" if activation == "gelu_tanh" else "none")
    return {"silu": silu, "relu": relu, "sigmoid": sigmoid}[activation](x)


def _slope(g, x, activation):
    if activation in ("gelu", "gelu_tanh"):
        return gelu_backward(g, x, "tanh" if activation == "gelu_tanh" else "none")
    if activation == "silu":
        return silu_backward(g, x)
    if activation == "relu":
        return np.where(x <= 0, 0, g)
    s = sigmoid(x)
    return g * s * (1 - s)


@promoting(floating=True)
@of_real_numbers
def gated(gate, up, activation):
    """f(gate) up, f the activation of this name."""
    return _value(gate, activation) * up


@promoting(floating=True)
def gated_backward(g, gate, up, activation):
    """The cotangents of gate and of up, of the shape that both broadcast to."""
    return _slope(g * up, gate, activation), g * _value(gate, activation)
