"""Products, convolutions, pooling, norms: what most layers are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..sizes import NeedsNumber, Size, is_dynamic
from ..tracing import Value
from .elementwise import number, out_dtype
from .shapes import reshaped
from .writer import INT64, Unwritable, Writer, writes

# --- Products ----------------------------------------------------------------------------------


@writes("matmul")
def matmul(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    return g("MatMul", g.cast(a, dtype), g.cast(b, dtype))


@writes("linear", "linear_relu")
def linear(g: Writer, x: Value, weight: Value, bias: Any = None) -> Any:
    """Of rows a Gemm; otherwise a product with the weight the other way round, and a sum."""
    dtype = out_dtype(g)
    x_, w = g.cast(x, dtype), g.cast(weight, dtype)
    b = None if bias is None else g.cast(bias, dtype)
    if x.ndim == 2:
        found = g("Gemm", x_, w, b, transB=1)
    else:
        turned = g.once(("transposed", w), lambda: g("Transpose", w, perm=[1, 0]))
        found = g("MatMul", x_, turned)
        found = found if b is None else g("Add", found, b)
    return g("Relu", found) if g.call.name == "linear_relu" else found


# --- Convolutions and pooling ------------------------------------------------------------------


def many(value: Any, axes: int) -> list[int]:
    """One number for each of the axes."""
    given = list(value) if isinstance(value, tuple | list | np.ndarray) else [value]
    given = [int(one) for one in given]
    return given * axes if len(given) == 1 else given


def _in_batch(g: Writer, x: Any, ndim: int, axes: int) -> tuple[str, bool]:
    """x with an axis of images, and whether it had none."""
    if ndim == axes + 2:
        return g.name(x), False
    return g("Unsqueeze", x, np.array([0])), True


def _out_of_batch(g: Writer, name: str, alone: bool) -> str:
    return str(g("Squeeze", name, np.array([0]))) if alone else name


@writes("conv1d", "conv2d", "conv3d")
def conv(
    g: Writer, x: Value, weight: Value, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    axes, dtype = int(g.call.name[4]), out_dtype(g)
    kernel = [int(size) for size in weight.sizes[2:]]
    dilations = many(dilation, axes)
    before, after = _padding(padding, kernel, dilations)
    name, alone = _in_batch(g, g.cast(x, dtype), x.ndim, axes)
    b = None if bias is None else g.cast(bias, dtype)
    found = g(
        "Conv", name, g.cast(weight, dtype), b, kernel_shape=kernel, strides=many(stride, axes),
        pads=before + after, dilations=dilations, group=int(groups),
    )  # fmt: skip
    return _out_of_batch(g, found, alone)


def _padding(padding: Any, kernel: list[int], dilations: list[int]) -> tuple[list[int], list[int]]:
    axes = len(kernel)
    if padding == "valid":
        return [0] * axes, [0] * axes
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        return [t // 2 for t in totals], [t - t // 2 for t in totals]
    if isinstance(padding, tuple | list) and padding and isinstance(padding[0], tuple | list):
        return [int(low) for low, _ in padding], [int(high) for _, high in padding]
    return many(padding, axes), many(padding, axes)


@writes("conv1d_grad_x", "conv2d_grad_x", "conv3d_grad_x")
def conv_transpose(
    g: Writer, g_: Value, weight: Value, size: Any, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Any:  # fmt: skip
    """The gradient of a convolution in x is the transposed one: of an output that is larger than
    its windows need, ``output_padding`` is the rest."""
    axes, dtype = int(g.call.name[4]), out_dtype(g)
    kernel = [int(n) for n in weight.sizes[2:]]
    strides, dilations = many(stride, axes), many(dilation, axes)
    before, after = _padding(padding, kernel, dilations)
    out = g.call.outputs[0].sizes[-axes:]
    rest: list[Any] = []
    for i in range(axes):
        least = (g_.sizes[-axes + i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1
        rest.append(out[i] - (least - before[i] - after[i]))
    name, alone = _in_batch(g, g.cast(g_, dtype), g_.ndim, axes)
    how: dict[str, Any] = {
        "kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": int(groups),
    }  # fmt: skip
    if any(is_dynamic(n) or n >= s for n, s in zip(rest, strides, strict=True)):
        # More than ONNX lets an output have, or now more and now less: cut out of all of it.
        found = g("ConvTranspose", name, g.cast(weight, dtype), **how)
        more = [0] * (axes + 2), [0, 0, *(max(_values(n)) for n in rest)]
        found = g("Pad", found, np.array([*more[0], *more[1]], np.int64))
        ends = [low + size for low, size in zip(before, out, strict=True)]
        found = g("Slice", found, g.ints(before), g.ints(ends), np.arange(2, axes + 2))
        return _out_of_batch(g, found, alone)
    found = g(
        "ConvTranspose", name, g.cast(weight, dtype), pads=before + after,
        output_padding=rest if any(rest) else None, **how,
    )  # fmt: skip
    return _out_of_batch(g, found, alone)


def _values(size: Any) -> tuple[int, ...]:
    return size.values if isinstance(size, Size) else (int(size),)


@writes("max_pool2d_with_indices")
def max_pool(
    g: Writer, x: Value, kernel_size: Any, stride: Any = None, padding: Any = 0,
    dilation: Any = 1, ceil_mode: bool = False,
) -> Any:  # fmt: skip
    kernel = many(kernel_size, 2)
    name, alone = _in_batch(g, x, x.ndim, 2)
    wanted = g.needed(g.call.outputs[1])
    lead = x.sizes[:-2]
    if wanted and is_dynamic(lead):
        raise NeedsNumber("indices of max_pool2d, whose batch varies")
    found = g(
        "MaxPool", name, outputs=2 if wanted else 1, kernel_shape=kernel,
        strides=kernel if stride is None else many(stride, 2), pads=many(padding, 2) * 2,
        dilations=many(dilation, 2), ceil_mode=int(bool(ceil_mode)),
    )  # fmt: skip
    if not wanted:
        return _out_of_batch(g, found, alone), None
    # ONNX counts through all planes, and not from the start of each.
    planes = math.prod(int(n) for n in lead)
    size = int(x.sizes[-2] * x.sizes[-1])
    starts = np.arange(planes).reshape(*lead, 1, 1) * size
    pooled, indices = (_out_of_batch(g, one, alone) for one in found)
    return pooled, g("Sub", indices, starts)


@writes("avg_pool2d")
def avg_pool(
    g: Writer, x: Value, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None,
) -> Any:  # fmt: skip
    kernel = many(kernel_size, 2)
    name, alone = _in_batch(g, x, x.ndim, 2)
    if divisor_override is not None and ceil_mode:
        raise Unwritable("avg_pool2d with a divisor, in ceil mode")
    include = count_include_pad or divisor_override is not None
    found = g(
        "AveragePool", name, kernel_shape=kernel,
        strides=kernel if stride is None else many(stride, 2), pads=many(padding, 2) * 2,
        ceil_mode=int(bool(ceil_mode)), count_include_pad=int(bool(include)),
    )  # fmt: skip
    if divisor_override is not None:
        scale = math.prod(kernel) / int(divisor_override)
        found = g("Mul", found, number(g, scale, x.dtype))
    return _out_of_batch(g, found, alone)


@writes("adaptive_avg_pool2d")
def adaptive_avg_pool(g: Writer, x: Value, output_size: Any) -> Any:
    size, out = x.sizes[-2:], g.call.outputs[0].sizes[-2:]
    if out == (1, 1):
        name, alone = _in_batch(g, x, x.ndim, 2)
        return _out_of_batch(g, g("GlobalAveragePool", name), alone)
    if size == out:
        return g.value(x)
    if not is_dynamic((size, out)) and all(n % m == 0 for n, m in zip(size, out, strict=True)):
        kernel = [n // m for n, m in zip(size, out, strict=True)]
        name, alone = _in_batch(g, x, x.ndim, 2)
        found = g("AveragePool", name, kernel_shape=kernel, strides=kernel)
        return _out_of_batch(g, found, alone)
    # A product with the shares of each window, along rows and along columns.
    rows, columns = (_shares(int(n), int(m), x.dtype) for n, m in zip(size, out, strict=True))
    return g("MatMul", g("MatMul", rows, x), np.ascontiguousarray(columns.T))


def _shares(size: int, parts: int, dtype: np.dtype) -> np.ndarray:
    found = np.zeros((parts, size), dtype)
    for i in range(parts):
        start, stop = i * size // parts, -(-(i + 1) * size // parts)
        found[i, start:stop] = 1 / (stop - start)
    return found


@writes("unfold")
def unfold(
    g: Writer, x: Value, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """A convolution with a filter for each element of a window, of each channel by itself."""
    kernel, channels = many(kernel_size, 2), int(x.sizes[-3])
    count = math.prod(kernel)
    filters = np.tile(np.eye(count, dtype=x.dtype).reshape(count, 1, *kernel), (channels, 1, 1, 1))
    name, alone = _in_batch(g, x, x.ndim, 2)
    found = g(
        "Conv", name, filters, kernel_shape=kernel, strides=many(stride, 2),
        pads=many(padding, 2) * 2, dilations=many(dilation, 2), group=channels,
    )  # fmt: skip
    out = g.call.outputs[0].sizes
    return reshaped(g, _out_of_batch(g, found, alone), out, (*out[:-1], None, None))


@writes("fold")
def fold(
    g: Writer, x: Value, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Any:  # fmt: skip
    name, alone = _in_batch(g, x, x.ndim, 1)
    pads = many(padding, 2)
    found = g(
        "Col2Im", name, np.array(many(output_size, 2)), np.array(many(kernel_size, 2)),
        dilations=many(dilation, 2), pads=pads * 2, strides=many(stride, 2),
    )  # fmt: skip
    return _out_of_batch(g, found, alone)


# --- Norms ---------------------------------------------------------------------------------------


@writes("batch_norm")
def batch_norm(
    g: Writer, x: Value, running_mean: Any = None, running_var: Any = None, weight: Any = None,
    bias: Any = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    dtype, channels = out_dtype(g), x.sizes[1]
    name = g.cast(x, dtype)
    one = np.ones(int(channels), dtype)
    scale = g.constant(one) if weight is None else g.cast(weight, dtype)
    shift = g.constant(0 * one) if bias is None else g.cast(bias, dtype)
    if training or running_mean is None:
        axes = np.array([i for i in range(x.ndim) if i != 1])
        mean = g("ReduceMean", name, axes, keepdims=1)
        apart = g("Sub", name, mean)
        var = g("ReduceMean", g("Mul", apart, apart), axes, keepdims=1)
        shape = np.array([-1] + [1] * (x.ndim - 2), np.int64)
        found = g("Div", apart, g("Sqrt", g("Add", var, number(g, eps, dtype))))
        if weight is not None:
            found = g("Mul", found, g("Reshape", scale, shape))
        return found if bias is None else g("Add", found, g("Reshape", shift, shape))
    mean, var = g.cast(running_mean, dtype), g.cast(running_var, dtype)
    return g("BatchNormalization", name, scale, shift, mean, var, epsilon=float(eps))


@writes("layer_norm")
def layer_norm(
    g: Writer, x: Value, normalized_shape: Any, weight: Any = None, bias: Any = None,
    eps: float = 1e-5,
) -> Any:  # fmt: skip
    dtype = out_dtype(g)
    shape = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if is_dynamic(tuple(shape)):
        raise NeedsNumber("layer_norm over axes whose sizes vary")
    sizes = [int(n) for n in shape]
    scale = np.ones(sizes, dtype) if weight is None else g.cast(weight, dtype)
    shift = None if bias is None else g.cast(bias, dtype)
    return g("LayerNormalization", g.cast(x, dtype), scale, shift, axis=-len(sizes),
             epsilon=float(eps))  # fmt: skip


@writes("rms_norm")
def rms_norm(
    g: Writer, x: Value, normalized_shape: Any, weight: Any = None, eps: Any = None
) -> Any:
    dtype = out_dtype(g)
    shape = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    count = len(shape)
    eps = float(np.finfo(dtype).eps if eps is None else eps)
    name = g.cast(x, dtype)
    if g.opset >= 23:
        scale = np.ones([int(n) for n in shape], dtype) if weight is None else g.cast(weight, dtype)
        return g("RMSNormalization", name, scale, axis=-count, epsilon=eps)
    axes = np.arange(-count, 0)
    power = g("ReduceMean", g("Mul", name, name), axes, keepdims=1)
    found = g("Div", name, g("Sqrt", g("Add", power, number(g, eps, dtype))))
    return found if weight is None else g("Mul", found, g.cast(weight, dtype))


@writes("group_norm")
def group_norm(
    g: Writer, x: Value, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    dtype, channels, groups = out_dtype(g), int(x.sizes[1]), int(num_groups)
    name = g.cast(x, dtype)
    ones = np.ones(channels, dtype)
    if groups == channels and x.ndim > 2:
        scale = ones if weight is None else g.cast(weight, dtype)
        shift = 0 * ones if bias is None else g.cast(bias, dtype)
        return g("InstanceNormalization", name, scale, shift, epsilon=float(eps))
    if g.opset >= 21 and dtype != np.float64:
        scale = ones if weight is None else g.cast(weight, dtype)
        shift = 0 * ones if bias is None else g.cast(bias, dtype)
        return g("GroupNormalization", name, scale, shift, num_groups=groups, epsilon=float(eps))
    apart = g("Reshape", name, np.array([0, groups, -1]))
    few = np.ones(groups, dtype)
    normed = g("InstanceNormalization", apart, few, 0 * few, epsilon=float(eps))
    found = reshaped(g, normed, x.sizes, (*x.sizes[:1], None, None))
    shape = np.array([-1] + [1] * (x.ndim - 2), np.int64)
    if weight is not None:
        found = g("Mul", found, g("Reshape", g.cast(weight, dtype), shape))
    return found if bias is None else g("Add", found, g("Reshape", g.cast(bias, dtype), shape))


# --- Distances and rotary positions --------------------------------------------------------------


@writes("rotary_embedding")
def rotary_embedding(
    g: Writer, x: Value, positions: Value, frequencies: Value, interleaved: bool = False,
    scale: float = 1.0,
) -> Any:  # fmt: skip
    """x cos + (x turned by a right angle) sin, with the angles' axes behind those of positions."""
    dtype = out_dtype(g)
    half = int(frequencies.sizes[0])
    name: Any = g.cast(x, dtype)
    width = int(x.sizes[-1])
    wide = np.float32 if frequencies.dtype.itemsize < 4 else frequencies.dtype

    def angles() -> Any:
        along = g("Unsqueeze", g.cast(positions, wide), np.array([-1]))
        found = g("Mul", along, g.cast(frequencies, wide))  # (…, T, R / 2)
        if positions.ndim == 2 and x.ndim > 3:  # (B, T) of x (B, …, T, D)
            found = g("Unsqueeze", found, np.arange(1, x.ndim - 2))
        parts = []
        for kind in ("Cos", "Sin"):
            part = g.cast(g(kind, found), dtype, wide)
            if scale != 1:
                part = g("Mul", part, number(g, scale, dtype))
            parts.append(part)
        return tuple(parts)

    key = ("angles", g.name(positions), g.name(frequencies), x.ndim, scale, dtype.str)
    cos, sin = g.once(key, angles)
    rest: Any = None
    if width > 2 * half:
        parts = np.array([2 * half, width - 2 * half])
        name, rest = tuple(g("Split", name, parts, outputs=2, axis=-1))
        if scale != 1:
            rest = g("Mul", rest, number(g, scale, dtype))
    if interleaved:
        first, second = (
            g("Slice", name, np.array([i]), np.array([2 * half]), np.array([-1]), np.array([2]))
            for i in (0, 1)
        )
    else:
        first, second = g("Split", name, outputs=2, axis=-1, num_outputs=2)
    a = g("Sub", g("Mul", first, cos), g("Mul", second, sin))
    b = g("Add", g("Mul", second, cos), g("Mul", first, sin))
    if interleaved:
        pair = g("Concat", *(g("Unsqueeze", one, np.array([-1])) for one in (a, b)), axis=-1)
        found = reshaped(g, pair, [*x.sizes[:-1], 2 * half], (*x.sizes[:-1], half, 2))
    else:
        found = g("Concat", a, b, axis=-1)
    return found if rest is None else g("Concat", found, rest, axis=-1)


@writes("cdist")
def cdist(g: Writer, x1: Value, x2: Value, p: float = 2.0, compute_mode: Any = None) -> Any:
    dtype = out_dtype(g)
    apart = g("Sub", g("Unsqueeze", g.cast(x1, dtype), np.array([-2])),
              g("Unsqueeze", g.cast(x2, dtype), np.array([-3])))  # fmt: skip
    last = np.array([-1])
    if p == 2:
        return g("ReduceL2", apart, last, keepdims=0)
    if p == 1:
        return g("ReduceL1", apart, last, keepdims=0)
    sizes = g("Abs", apart)
    if math.isinf(p):
        return g("ReduceMax", sizes, last, keepdims=0)
    if p == 0:
        there = g.cast(g.cast(sizes, bool, dtype), dtype, np.dtype(bool))
        return g("ReduceSum", there, last, keepdims=0)
    powers = g("ReduceSum", g("Pow", sizes, number(g, p, dtype)), last, keepdims=0)
    return g("Pow", powers, number(g, 1 / p, dtype))


@writes("det")
def det(g: Writer, x: Value) -> Any:
    return g("Det", x)


# --- Attention -----------------------------------------------------------------------------------


@writes("scaled_dot_product_attention")
def attention(
    g: Writer, query: Value, key: Value, value: Value, attn_mask: Any = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False, generator: Any = None, bias: Any = None, alibi_slopes: Any = None,
    key_lengths: Any = None, window: Any = None, softcap: Any = None, offset: Any = 0,
) -> Any:  # fmt: skip
    """Two products around a softmax. A query that may look nowhere gets 0, as here."""
    if alibi_slopes is not None:
        raise Unwritable("attention with alibi_slopes")
    dtype = out_dtype(g)
    q, k, v = (g.cast(x, dtype) for x in (query, key, value))
    if (
        g.opset >= 23
        and dtype == np.float32
        and query.ndim == key.ndim == value.ndim == 4
        and not isinstance(attn_mask, Value)
        and all(given is None for given in (bias, key_lengths, window))
        and not (softcap or offset or (dropout_p and g.training))
    ):
        return g("Attention", q, k, v, is_causal=int(bool(is_causal)),
                 scale=None if scale is None else float(scale))  # fmt: skip
    size = query.sizes[-1]
    factor = 1 / math.sqrt(int(size)) if scale is None else float(scale)
    groups = 1
    if enable_gqa and query.ndim > 2 and query.sizes[-3] != key.sizes[-3]:
        # Heads of the query beside those of keys and values that serve them.
        groups = int(query.sizes[-3]) // int(key.sizes[-3])
        heads = int(key.sizes[-3])
        split = [*query.sizes[:-3], heads, groups, *query.sizes[-2:]]
        q = _heads(g, q, query.sizes, split)
        k, v = (g("Unsqueeze", x, np.array([-3])) for x in (k, v))
    order = list(range(key.ndim + (groups > 1)))
    order[-1], order[-2] = order[-2], order[-1]
    q = g("Mul", q, number(g, factor, dtype))
    scores = g("MatMul", q, g("Transpose", k, perm=order))
    if softcap:
        cap = number(g, softcap, dtype)
        scores = g("Mul", g("Tanh", g("Div", scores, cap)), cap)
    rows, columns = query.sizes[-2], key.sizes[-2]

    def in_groups(name: str, given: Value) -> str:
        """A mask of heads (…, H, L, S) beside scores (…, heads, groups, L, S)."""
        if groups == 1 or given.ndim < 3:
            return name
        if given.sizes[-3] == 1:
            return str(g("Unsqueeze", name, np.array([-3])))
        sizes = [*given.sizes[:-3], int(key.sizes[-3]), groups, *given.sizes[-2:]]
        return str(_heads(g, name, given.sizes, sizes))

    hidden = False
    seen = None
    for added in (bias, attn_mask):
        if isinstance(added, Value) and added.dtype != bool:
            scores = g("Add", scores, in_groups(g.cast(added, dtype), added))
    if isinstance(attn_mask, Value) and attn_mask.dtype == bool:
        seen, hidden = in_groups(g.value(attn_mask), attn_mask), True
    bounds = _bounds(g, rows, columns, is_causal, window, offset)
    if bounds is not None:
        seen = bounds if seen is None else g("And", seen, bounds)
        hidden |= window is not None or offset != 0
    if key_lengths is not None:
        there = _lengths(g, key_lengths, columns, query.ndim + (groups > 1))
        seen, hidden = there if seen is None else g("And", seen, there), True
    if seen is not None:
        scores = g("Where", seen, scores, number(g, np.finfo(dtype).min, dtype))
    weights = g("Softmax", scores, axis=-1)
    if hidden:
        weights = g("Where", seen, weights, number(g, 0, dtype))
    if dropout_p and g.training:
        weights = g("Dropout", weights, np.float32(dropout_p), np.array(True))
    found = g("MatMul", weights, v)
    if groups > 1:
        sizes = g.call.outputs[0].sizes
        split = [*sizes[:-3], int(key.sizes[-3]), groups, *sizes[-2:]]
        found = _heads(g, found, split, list(sizes))
    return found


def _heads(g: Writer, name: str, before: Any, after: list[Any]) -> str:
    """A reshape that splits or joins the axis of heads, third from behind."""
    told = [0 if i < min(len(before), len(after)) - 4 + (len(before) < len(after)) else n
            for i, n in enumerate(after)]  # fmt: skip
    open_ = [i for i, n in enumerate(told) if isinstance(n, Size)]
    if len(open_) == 1:
        told[open_[0]] = -1
        return str(g("Reshape", name, np.array([int(n) for n in told], np.int64)))
    return str(reshaped(g, name, after, before))


def _bounds(
    g: Writer, rows: Any, columns: Any, is_causal: bool, window: Any, offset: Any
) -> str | None:
    """Bools (L, S): which keys causality and a window leave."""
    left: Any
    right: Any
    if isinstance(window, tuple | list):
        left, right = window
    else:
        left = right = None if window is None else window - 1
    if is_causal:
        right = 0 if right is None else min(int(right), 0)
    if left is None and right is None:
        return None
    if not is_dynamic((rows, columns, left, right, offset)):
        apart = np.arange(columns) - np.arange(rows)[:, np.newaxis] - int(offset)
        seen = np.ones(apart.shape, bool)
        if right is not None:
            seen &= apart <= int(right)
        if left is not None:
            seen &= apart >= -int(left)
        return g.constant(seen)
    from .constants import lower_triangle

    found = None
    if right is not None:
        found = lower_triangle(g, rows, columns, right + offset)
    if left is not None:
        far = g("Not", lower_triangle(g, rows, columns, offset - left - 1))
        found = far if found is None else g("And", found, far)
    return found


def _lengths(g: Writer, lengths: Any, columns: Any, ndim: int) -> str:
    """Bools (B, 1 …, 1, S): which keys are there."""
    ends = lengths if isinstance(lengths, Value) else np.asarray(lengths)
    count = ends.ndim
    name = g.cast(ends, INT64) if isinstance(ends, Value) else g.constant(ends.astype(np.int64))
    name = g("Unsqueeze", name, np.arange(count, ndim))
    line = g.once(
        ("range", columns), lambda: g("Range", np.array(0), g.cast(columns, INT64), np.array(1))
    )
    return str(g("Less", line, name))
