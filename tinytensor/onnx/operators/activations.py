"""Activations, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ... import ops
from ..registry import operator
from ..values import value


def _of(function: Any) -> Any:
    def called(x: Any) -> Any:
        return function(x)

    return called


operator("Relu")(_of(ops.relu))
operator("Softplus")(_of(lambda x: ops.softplus(x, threshold=np.inf)))
operator("Softsign")(_of(ops.softsign))
operator("Mish", since=18)(_of(ops.mish))
operator("HardSwish", since=14)(_of(ops.hardswish))


@operator("Elu")
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.elu(x, alpha)


@operator("Celu", since=12)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.celu(x, alpha)


@operator("Selu")
def selu(
    x: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Any:
    return gamma * ops.elu(x, alpha)


@operator("LeakyRelu")
def leaky_relu(x: Any, *, alpha: float = 0.01) -> Any:
    return ops.leaky_relu(x, alpha)


@operator("PRelu")
def prelu_1(x: Any, slope: Any) -> Any:
    return prelu(x, ops.reshape(slope, (-1, *(1,) * (x.ndim - 2))) if slope.size > 1 else slope)


@operator("PRelu", since=7)
def prelu(x: Any, slope: Any) -> Any:
    return ops.where(x < 0, slope * x, x)


@operator("ThresholdedRelu", since=10)
def thresholded_relu(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.where(x > alpha, x, 0.0)


@operator("HardSigmoid")
def hard_sigmoid(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return ops.clip(alpha * x + beta, 0.0, 1.0)


@operator("Gelu", since=20)
def gelu(x: Any, *, approximate: str = "none") -> Any:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"Gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return ops.gelu(x, approximate)  # type: ignore[arg-type]


@operator("Swish", since=24)
def swish(x: Any, *, alpha: float = 1.0) -> Any:
    return ops.silu(x) if alpha == 1.0 else x * ops.sigmoid(alpha * x)


@operator("Shrink", since=9)
def shrink(x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    nothing = ops.astype(value(np.zeros(())), x.dtype)
    out = ops.where(x < -lambd, x + bias, ops.where(x > lambd, x - bias, nothing))
    return out if out.dtype == x.dtype else ops.astype(out, x.dtype)


# --- Softmax ---------------------------------------------------------------------------------


def _hardmax(x: Any, axis: int) -> Any:
    place = ops.argmax(x, axis, keepdims=True)
    count = np.arange(x.shape[axis]).reshape((-1, *(1,) * (x.ndim - 1 - axis % x.ndim)))
    return ops.astype(ops.equal(place, count), x.dtype)


def _flat(function: Callable[[Any, int], Any]) -> Any:
    """Before opset 13 over all axes from ``axis`` on."""

    def called(x: Any, *, axis: int = 1) -> Any:
        axis %= x.ndim
        rows = ops.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))
        return ops.reshape(function(rows, 1), x.shape)

    return called


def _along(function: Callable[[Any, int], Any]) -> Any:
    def called(x: Any, *, axis: int = -1) -> Any:
        return function(x, axis)

    return called


_KINDS: dict[str, Any] = {
    "Softmax": ops.softmax, "LogSoftmax": ops.log_softmax, "Hardmax": _hardmax,
}  # fmt: skip
for _name, _function in _KINDS.items():
    operator(_name)(_flat(_function))
    operator(_name, since=13)(_along(_function))
