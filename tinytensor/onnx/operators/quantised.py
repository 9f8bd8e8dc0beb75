"""Numbers stored as small integers, or floats of 8 and 4 bits, and products of these."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_real_floating
from ...engine.grad_mode import is_grad_enabled, no_grad
from ...tensors.function import Function
from ..registry import operator
from ..values import array, dtype_of_code, value
from .convolution import convolve

__all__: list[str] = []

# --- To and from them ----------------------------------------------------------------------------


def _spread(parameter: Any, shape: tuple[int, ...], axis: int, block: int) -> Any:
    """A scale or a zero point as it broadcasts with what it is for: one for all, one for each place
    along ``axis``, or one for each ``block`` of places."""
    size = parameter.shape
    if not block:
        if parameter.ndim == 0 or size == (1,):
            return parameter.reshape(())
        if parameter.ndim == 1 and -len(shape) <= axis < len(shape) and size[0] == shape[axis]:
            return parameter.reshape((-1, *(1,) * (len(shape) - 1 - axis % len(shape))))
        if size == shape:
            return parameter
    elif len(size) == len(shape):
        place = axis % len(shape)
        full = (*shape[:place], -(-shape[place] // block), *shape[place + 1 :])
        if size == full:
            return _repeated(parameter, place, block, shape[place])
    how = f"blocks of {block}" if block else "places"
    raise ValueError(f"a scale or zero point of {size} is not for {how} of {shape} along {axis}")


def _repeated(parameter: Any, axis: int, block: int, count: int) -> Any:
    places = np.arange(count) // block
    if isinstance(parameter, np.ndarray):
        return parameter.take(places, axis)
    return ops.take(parameter, places, axis)


def _limits(dtype: np.dtype) -> tuple[float, float]:
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    import ml_dtypes  # onnx needs it

    info: Any = ml_dtypes.iinfo if "int" in dtype.name else ml_dtypes.finfo
    return float(info(dtype).min), float(info(dtype).max)


def _stored(x: np.ndarray, dtype: np.dtype, saturate: bool = True) -> np.ndarray:
    """Numbers in a dtype; what it cannot hold is the nearest that it can, if ``saturate``."""
    low, high = _limits(dtype)
    if saturate or "int" in dtype.name:
        x = np.clip(x, low, high)
    return x.astype(dtype)


@operator("QuantizeLinear", since=10, settings=(1, 2))
def quantize(
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    saturate: int = 1,
    precision: int = 0,
) -> Any:
    data, shape = array(x), x.shape
    to = array(zero).dtype if zero is not None else np.dtype(np.uint8)
    if output_dtype:
        to = dtype_of_code(output_dtype)
    scale = array(scale)
    wide = np.float64 if scale.dtype == np.float64 else np.float32
    if precision:
        data, scale = (a.astype(dtype_of_code(precision)) for a in (data, scale))
    elif is_real_floating(data.dtype):
        scale = scale.astype(data.dtype)
    else:
        data, scale = data.astype(wide), scale.astype(wide)
    ratio = (data / _spread(scale, shape, axis, block_size)).astype(wide)
    if "int" not in to.name:
        return value(_stored(ratio, to, bool(saturate)))
    whole = np.rint(ratio)
    if zero is not None:
        whole = whole + _spread(array(zero).astype(np.float32), shape, axis, block_size)
    return value(_stored(whole, to))


@operator("DequantizeLinear", since=10, settings=(0, 2))
def dequantize(
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Any:
    data = array(x)
    if zero is not None and not is_real_floating(data) and "float" not in data.dtype.name:
        least = _spread(array(zero).astype(np.int64), data.shape, axis, block_size)
        data = data.astype(np.int64) - least
    to = dtype_of_code(output_dtype) if output_dtype else scale.dtype
    wide = np.float64 if scale.dtype == np.float64 else np.float32
    spread = _spread(ops.astype(scale, wide), data.shape, axis, block_size)
    return ops.astype(spread * data.astype(wide), to)


class _StraightThrough(Function):
    """What was made of x, whose gradient passes where ``inside`` is true."""

    @staticmethod
    def forward(ctx: Any, x: Any, made: Any, inside: Any) -> Any:
        ctx.inside = inside
        return made

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return ops.where(ctx.inside, g, 0.0), None, None


@operator("Rounding", domain="tinytensor", settings=(1, 2))
def rounding(
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    saturate: int = 1,
    precision: int = 0,
    back: int = 0,
) -> Any:
    """A QuantizeLinear and the DequantizeLinear of it: the gradient of what can be held passes, as
    if nothing had been rounded (Bengio, Léonard and Courville 2013)."""
    places = {"axis": axis, "block_size": block_size}
    how = {"output_dtype": output_dtype, "saturate": saturate, "precision": precision}
    fixed = value(array(scale))
    stored = quantize(x, fixed, zero, **places, **how)
    made = dequantize(stored, fixed, zero, **places, output_dtype=back)
    if not is_grad_enabled() or not x.requires_grad or made.dtype != x.dtype:
        return made
    low, high = (
        dequantize(value(np.full(x.shape, limit, array(stored).dtype)), fixed, zero, **places)
        for limit in _limits(array(stored).dtype)
    )
    slack = _spread(array(fixed), x.shape, axis, block_size) / 2  # what is rounded to the limits
    inside = (array(x) >= array(low) - slack) & (array(x) <= array(high) + slack)
    return _StraightThrough.apply(x, made, value(inside))


def dynamically(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Floats as uint8 from their smallest to their largest, with the scale and the zero point."""
    low, high = np.minimum(data.min(initial=0), 0), np.maximum(data.max(initial=0), 0)
    scale = (high - low) / np.float32(255)
    if not scale:
        scale = np.float32(1)
    zero = np.rint(np.clip(-low / scale, 0, 255)).astype(np.uint8)
    stored = _stored(np.rint(data / scale) + np.float32(zero), np.dtype(np.uint8))
    return stored, np.asarray(scale, np.float32), zero


@operator("DynamicQuantizeLinear", since=11)
def dynamic_quantize(x: Any) -> tuple[Any, Any, Any]:
    stored, scale, zero = dynamically(array(x))
    return value(stored), value(scale), value(zero)


# --- Products ------------------------------------------------------------------------------------
# Of whole numbers, in floats that hold each of their sums: so they are exact, and fast.


def _around(x: Any, zero: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """x without its zero point, which may be one for each row or column of ``shape``."""
    data = array(x).astype(np.float64)
    if zero is None:
        return data
    least = array(zero).astype(np.float64)
    return data - (least.reshape(shape) if shape is not None and least.size > 1 else least)


def _exact(a: np.ndarray, b: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Both in float32 if no sum of ``terms`` products leaves its whole numbers."""
    most = terms * np.abs(a).max(initial=0) * np.abs(b).max(initial=0)
    dtype = np.float32 if most < 1 << 24 else np.float64
    return a.astype(dtype), b.astype(dtype)


def rows(zero: Any, ndim: int) -> tuple[int, ...] | None:
    """The shape of zero points of rows."""
    return None if zero is None or array(zero).ndim != 1 or ndim < 2 else (-1, 1)


def matmul(a: Any, b: Any, a_zero: Any, b_zero: Any) -> np.ndarray:
    a, b = _around(a, a_zero, rows(a_zero, a.ndim)), _around(b, b_zero)
    a, b = _exact(a, b, a.shape[-1] if a.ndim else 1)
    with no_grad():
        return array(ops.matmul(a, b))


def _conv(x: Any, w: Any, x_zero: Any, w_zero: Any, how: dict[str, Any]) -> np.ndarray:
    per_channel = (-1, *(1,) * (w.ndim - 1))
    x, w = _around(x, x_zero), _around(w, w_zero, per_channel)
    x, w = _exact(x, w, int(np.prod(w.shape[1:])))
    with no_grad():
        return array(convolve(value(x), value(w), **how))


def requantized(
    sums: np.ndarray, scales: tuple[Any, Any], to_scale: Any, zero: Any, shape: Any = None
) -> Any:
    """Sums of products, whose scales are the product of both, in another scale."""
    first, second = (array(scale) for scale in scales)
    wide = np.float64 if first.dtype == np.float64 else np.float32
    if shape is not None and second.size > 1:
        second = second.reshape(shape)
    ratio = first.astype(wide) * second.astype(wide) / array(to_scale).astype(wide)
    whole = np.rint(sums.astype(wide) * ratio) + array(zero).astype(wide)
    return value(_stored(whole, array(zero).dtype))


@operator("MatMulInteger", since=10)
def matmul_integer(a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    return value(matmul(a, b, a_zero, b_zero).astype(np.int32))


@operator("QLinearMatMul", since=10, settings=(1, 4, 6))
def qlinearmatmul(
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    y_scale: Any,
    y_zero: Any,
) -> Any:
    sums = matmul(a, b, a_zero, b_zero)
    if (shape := rows(a_scale, a.ndim)) is not None and array(a_scale).size > 1:
        a_scale = array(a_scale).reshape(shape)
    return requantized(sums, (a_scale, b_scale), y_scale, y_zero)


@operator("ConvInteger", since=10, attributes_of=convolve)
def conv_integer(
    x: Any,
    w: Any,
    x_zero: Any = None,
    w_zero: Any = None,
    **how: Any,
) -> Any:
    return value(_conv(x, w, x_zero, w_zero, how).astype(np.int32))


@operator("QLinearConv", since=10, settings=(1, 4, 6), attributes_of=convolve)
def qlinear_conv(
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    bias: Any = None,
    **how: Any,
) -> Any:
    sums = _conv(x, w, x_zero, w_zero, how).astype(np.float64)
    channels = (-1, *(1,) * (x.ndim - 2))
    if bias is not None:
        sums = sums + array(bias).reshape(channels)
    return requantized(sums, (x_scale, w_scale), y_scale, y_zero, channels)
