"""Small integers as onnxruntime's tools write them, beyond the standard (com.microsoft)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import ops
from ..registry import find, operator
from ..values import array, value
from .quantised import dequantize, dynamically, matmul, quantize, requantized, rows
from .recurrent import layer, lstm_direction, settings

__all__: list[str] = []

DOMAIN = "com.microsoft"

# --- An operator of floats between two conversions -----------------------------------------------


def _between(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """The operator whose inputs are ``number`` times an array, its scale and its zero point, then
    the scale and the zero point of what ``function`` makes of the floats."""

    def call(*given: Any, **how: Any) -> Any:
        given = (*given, *(None,) * (3 * number + 2 - len(given)))
        floats = [dequantize(*given[3 * i : 3 * i + 3]) for i in range(number)]
        scale, zero = given[3 * number :]
        zero = given[2] if zero is None else zero
        return quantize(function(*floats, **how), scale, zero)

    return call


def _standard(name: str, opset: int = 13) -> Callable[..., Any]:
    found = find("", name, opset)
    assert found is not None
    return found.function


@operator("QLinearAdd", domain=DOMAIN)
def add(*given: Any) -> Any:
    return _between(ops.add, 2)(*given)


@operator("QLinearMul", domain=DOMAIN)
def multiply(*given: Any) -> Any:
    return _between(ops.multiply, 2)(*given)


@operator("QLinearSigmoid", domain=DOMAIN)
def sigmoid(*given: Any) -> Any:
    return _between(ops.sigmoid, 1)(*given)


@operator("QLinearLeakyRelu", domain=DOMAIN)
def leaky_relu(*given: Any, alpha: float = 0.01) -> Any:
    return _between(lambda x: ops.leaky_relu(x, alpha), 1)(*given)


@operator("QLinearSoftmax", domain=DOMAIN)
def softmax(*given: Any, axis: int = -1, opset: int = 13) -> Any:
    return _between(partial(_standard("Softmax", opset), axis=axis), 1)(*given)


@operator("QLinearGlobalAveragePool", domain=DOMAIN)
def global_average(*given: Any, channels_last: int = 0) -> Any:
    def mean(x: Any) -> Any:
        axes = range(1, x.ndim - 1) if channels_last else range(2, x.ndim)
        return ops.mean(x, axis=tuple(axes), keepdims=True)

    return _between(mean, 1)(*given)


@operator("QLinearAveragePool", domain=DOMAIN)
def average(
    *given: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    how: dict[str, Any] = {"auto_pad": auto_pad, "kernel_shape": kernel_shape}
    how |= {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    how |= {k: v for k, v in (("pads", pads), ("strides", strides)) if v is not None}
    if channels_last:
        raise NotImplementedError("QLinearAveragePool: channels must come second, not last")
    return _between(partial(_standard("AveragePool", 11), **how), 1)(*given)


@operator("QLinearConcat", domain=DOMAIN)
def concat(scale: Any, zero: Any, *given: Any, axis: int) -> Any:
    parts = [dequantize(*given[i : i + 3]) for i in range(0, len(given), 3)]
    return quantize(ops.concat(parts, axis), scale, zero)


@operator("QLinearWhere", domain=DOMAIN)
def where(condition: Any, *given: Any) -> Any:
    return _between(partial(ops.where, condition), 2)(*given)


# --- Products ------------------------------------------------------------------------------------


@operator("QGemm", domain=DOMAIN)
def gemm(
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    c: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    a, b = (ops.matrix_transpose(x) if turn else x for x, turn in ((a, transA), (b, transB)))
    sums = matmul(a, b, a_zero, b_zero).astype(np.float64)
    if c is not None:
        sums = sums + array(c)
    scales = (array(a_scale) * np.float32(alpha), b_scale)
    if y_scale is not None:
        return requantized(sums, scales, y_scale, y_zero)
    return value((sums * (scales[0] * array(b_scale))).astype(np.float32))


@operator("MatMulIntegerToFloat", domain=DOMAIN)
def matmul_to_float(
    a: Any,
    b: Any,
    a_scale: Any,
    b_scale: Any,
    a_zero: Any = None,
    b_zero: Any = None,
    bias: Any = None,
) -> Any:
    if (shape := rows(a_scale, a.ndim)) is not None and array(a_scale).size > 1:
        a_scale = array(a_scale).reshape(shape)
    made = matmul(a, b, a_zero, b_zero) * (array(a_scale) * array(b_scale))
    made = value(made.astype(np.float32))
    return made if bias is None else made + bias


@operator("DynamicQuantizeMatMul", domain=DOMAIN)
def dynamic_matmul(a: Any, b: Any, b_scale: Any, b_zero: Any = None, bias: Any = None) -> Any:
    stored, scale, zero = dynamically(array(a))
    return matmul_to_float(value(stored), b, value(scale), b_scale, value(zero), b_zero, bias)


# --- A layer -------------------------------------------------------------------------------------


def _rounded(x: Any) -> Any:
    """Floats as they are after they were uint8; the gradient passes as if nothing was."""
    stored, scale, zero = dynamically(array(x))
    back = (stored.astype(np.float32) - zero) * scale
    return x + (back - array(x))


def _weights(stored: Any, scale: Any, zero: Any) -> Any:
    """(D, size, rows), with scales (D,) or (D, rows), as floats (D, rows, size)."""
    data, scale, zero = (array(x).astype(np.float32) for x in (stored, scale, zero))
    scale, zero = (x.reshape(x.shape[0], 1, -1) for x in (scale, zero))
    return value(np.ascontiguousarray(((data - zero) * scale).swapaxes(1, 2)))


@operator("DynamicQuantizeLSTM", domain=DOMAIN, attributes_of=settings)
def dynamic_lstm(
    x: Any,
    w: Any,
    r: Any,
    bias: Any,
    lengths: Any,
    initial_h: Any,
    initial_c: Any,
    peepholes: Any,
    w_scale: Any,
    w_zero: Any,
    r_scale: Any,
    r_zero: Any,
    *,
    input_forget: int = 0,
    **how: Any,
) -> tuple[Any, ...]:
    run = partial(lstm_direction, coupled=bool(input_forget), seen=_rounded)
    inputs = (_rounded(x), _weights(w, w_scale, w_zero), _weights(r, r_scale, r_zero))
    defaults = ["Sigmoid", "Tanh", "Tanh"]
    return layer(
        "DynamicQuantizeLSTM",
        4,
        defaults,
        run,
        (*inputs, bias, lengths),
        (initial_h, initial_c),
        settings(**how),
        peepholes,
    )
