"""The reference kernels: NumPy definitions of what every kernel means, for any dtype and layout.

Each fast kernel is tested against its twin here, and hands over to it whatever it does not cover.
"""

import builtins
import math
from functools import cache, wraps

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

# --- What an array looks like ----------------------------------------------------------------


def spec(x):
    """The shape and dtype of x, which a gradient of x must have too."""
    return x.shape, x.dtype


def has_spec(x, wanted):
    """Whether ``spec(x)`` is ``wanted``."""
    return (x.shape, x.dtype) == wanted


def shares(x, source):
    """Whether x, which was made of ``source``, is a view of it."""
    base = x.base
    if x is source or (base is not None and (base is source or base is source.base)):
        return True  # NumPy's answer would take its time
    return base is not None and np.may_share_memory(x, source)


@cache
def _one(dtype):
    """The number 1, which every backward pass starts from, made once."""
    one = np.ones((), dtype)
    one.flags.writeable = False
    return one


def one(x):
    """1 in the shape and dtype of x, which has one element; None if it has another number."""
    if x.size != 1:
        return None
    return np.ones_like(x) if x.ndim else _one(x.dtype)


# --- Copies ----------------------------------------------------------------------------------


def copy(x):
    """A copy of x in C order."""
    return np.array(x, order="C")


def matrix_transpose(x):
    """A view of x with its last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def basic_index(x, index):
    """x[index] for an index of integers, slices, None and ``...``: a view."""
    picked = x[index]
    if not isinstance(picked, np.ndarray):  # one element: as a view too
        picked = x[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return picked


def permute_dims(x, axes=None):
    """x with its axes in another order: a view."""
    return np.asanyarray(x).transpose(axes)


def reshape(x, shape, copy=None):
    """The elements of x in another shape: a view where that can be, or as ``copy`` says."""
    x = np.array(x, order="C") if copy else np.asarray(x)
    out = np.reshape(x, shape)
    if copy is not None and x.size and not np.shares_memory(out, x):
        raise ValueError("reshape: these elements are not a view in another shape")
    return out


def place(g, index, shape):
    """Zeros of ``shape`` with g at ``[index]``, of integers, slices, None and ``...``."""
    out = np.zeros(shape, np.asarray(g).dtype)
    if np.shape(out[index]) != np.shape(g):
        raise ValueError(f"g is {np.shape(g)}, but its place is {np.shape(out[index])}")
    out[index] = g
    return out


def contiguous(x):
    """x itself if it is in C order, else a copy that is."""
    return np.require(x, None, ["C", "A"])


# --- Element-wise maps -----------------------------------------------------------------------


# What NumPy has. No kernel has the name of a builtin, which it would hide from the others.
add, subtract, multiply, divide = np.add, np.subtract, np.multiply, np.divide
floor_divide, remainder = np.floor_divide, np.remainder
maximum, minimum = np.maximum, np.minimum
equal, not_equal = np.equal, np.not_equal
less, less_equal, greater, greater_equal = np.less, np.less_equal, np.greater, np.greater_equal
logical_and, logical_or, logical_not = np.logical_and, np.logical_or, np.logical_not
bitwise_and, bitwise_or, bitwise_xor = np.bitwise_and, np.bitwise_or, np.bitwise_xor
bitwise_invert = np.invert
isnan, isinf, isfinite = np.isnan, np.isinf, np.isfinite
negative, absolute = np.negative, np.absolute
square, reciprocal = np.square, np.reciprocal
exp, log, log1p, sqrt = np.exp, np.log, np.log1p, np.sqrt
log2, log10 = np.log2, np.log10
sin, cos, tan, asin, acos, atan = np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan
sinh, cosh, tanh = np.sinh, np.cosh, np.tanh
floor, ceil, where = np.floor, np.ceil, np.where


def logical_xor(a, b):
    return np.not_equal(np.asarray(a, bool), np.asarray(b, bool))


def expm1(x):
    if not np.iscomplexobj(x):
        return np.expm1(x)
    with np.errstate(invalid="ignore"):  # NumPy finds NaN where there is a limit, as at −∞ + iy
        return np.where(np.isfinite(x), np.expm1(x), np.exp(x) - 1)


def rint(x):
    return np.rint(x) if np.asarray(x).dtype.kind in "fc" else np.round(x)


def power(a, b):
    if isinstance(a, np.ndarray | np.generic) and isinstance(b, int | float):
        return np.asarray(a) ** b  # which knows squares and square roots
    if np.ndim(b) > 0 or isinstance(b, int | float | complex):
        return np.power(a, b)
    # NumPy would take a root for an exponent of ½, of no axes; pow(−0, ½) is 0, √−0 is −0.
    return np.power(a, np.reshape(b, 1)).reshape(np.shape(a))


def sign(x):
    out = np.sign(x)
    if np.iscomplexobj(x):  # NumPy finds i for NaN + i∞
        out = np.where(np.isnan(x), out.dtype.type(complex(math.nan, math.nan)), out)
    return out


def rsqrt(x):
    return 1 / np.sqrt(x)


def add_into(total, x):
    """total += x, if total is an array that can be written; whether it is."""
    if not isinstance(total, np.ndarray) or not total.flags.writeable:
        return False
    np.add(total, x, out=total)
    return True


def clip(x, low, high):
    """Into [low, high]; None is no bound. Bounds of another size do not change the dtype of x."""
    if low is None and high is None:
        return np.array(x)
    out, own = np.clip(x, low, high), np.asarray(x).dtype
    return out.astype(own, copy=False) if out.dtype.kind == own.kind else out


@cache
def _scaled_erfc():
    """A polynomial for exp(x²) erfc(x) on [1.5, 6], to 1e-14."""
    return np.polynomial.Chebyshev.interpolate(
        np.vectorize(lambda x: math.exp(x * x) * math.erfc(x)), 24, domain=[1.5, 6]
    )


def erf(x):
    """2/√π ∫₀ˣ exp(−t²) dt, to 2e-15.

    Up to 1.5 by 2/√π x exp(−x²) (1 + 2x²/3 (1 + 2x²/5 (1 + …))), above as 1 − erfc(x).
    """
    x = np.asarray(x)
    y = x.astype(np.float64)
    near, far = np.clip(y, -1.5, 1.5), np.clip(np.abs(y), 1.5, 6)
    series = np.ones_like(y)
    for n in range(30, 0, -1):
        series = 1 + series * (2 / (2 * n + 1)) * near * near
    within = 2 / math.sqrt(math.pi) * near * np.exp(-near * near) * series
    beyond = np.copysign(1 - np.exp(-far * far) * _scaled_erfc()(far), y)
    result = np.where(np.abs(y) > 1.5, beyond, within)
    return result.astype(np.result_type(x.dtype, np.float16), copy=False)


def sigmoid(x):
    """1 / (1 + exp(−x)), written so that exp never overflows."""
    e = np.exp(-np.absolute(x))
    return np.where(np.less(x, 0), e, 1) / (1 + e)


def tanh_backward(g, out):
    return g * (1 - out * out)


def sigmoid_backward(g, out):
    return g * out * (1 - out)


def relu(x):
    return np.where(np.less_equal(x, 0), 0, x)


def relu_backward(g, out):
    return np.where(out <= 0, 0, g)


def leaky_relu(x, negative_slope):
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_backward(g, x, negative_slope):
    return np.where(x > 0, g, negative_slope * g)


def elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_backward(g, x, alpha):
    return np.where(x > 0, g, g * alpha * np.exp(np.minimum(x, 0)))


def silu(x):
    return x * sigmoid(x)


def silu_backward(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


def gelu(x, approximate):
    """x Φ(x), Φ of the normal distribution; "tanh": x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    if approximate == "tanh":
        return x * sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
    return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


def gelu_backward(g, x, approximate):
    if approximate == "tanh":
        scale = 2 * math.sqrt(2 / math.pi)
        s = sigmoid(scale * x * (1 + 0.044715 * x * x))
        return g * (s + x * s * (1 - s) * (scale * (1 + 3 * 0.044715 * x * x)))
    density = math.sqrt(0.5 / math.pi) * np.exp(-0.5 * x * x)
    return g * (0.5 * (1 + erf(x * math.sqrt(0.5))) + x * density)


def softplus(x, beta, threshold):
    """log(1 + exp(βx)) / β, and x itself where βx is above the threshold."""
    z = x * beta
    soft = np.where(z < 0, 0, z) + np.log1p(np.exp(-np.absolute(z)))
    return np.where(z > threshold, x, soft / beta)


def softplus_backward(g, x, beta, threshold):
    return np.where(x * beta > threshold, g, g * sigmoid(x * beta))


def hardtanh_backward(g, x, low, high):
    return np.where((x <= low) | (x >= high), 0, g)


def matches(a, b):
    """1 where a is b, two NaNs counted in, else 0; of the dtype of a."""
    return ((a == b) | ((a != a) & (b != b))).astype(a.dtype, copy=False)


# --- Reductions ------------------------------------------------------------------------------
# An axis is None (all), a number or a tuple of numbers, as in NumPy.


def reduce_sum(x, axis=None, keepdims=False, dtype=None):
    """Σ x; added up as ``dtype``, if one is given."""
    if dtype is None:
        return np.sum(x, axis=axis, keepdims=keepdims)
    x = np.asarray(x).astype(dtype, copy=False)
    return np.sum(x, axis=axis, keepdims=keepdims).astype(dtype, copy=False)


def mean(x, axis=None, keepdims=False):
    return np.mean(x, axis=axis, keepdims=keepdims)


def prod(x, axis=None, keepdims=False):
    return np.prod(x, axis=axis, keepdims=keepdims)


def amax(x, axis=None, keepdims=False):
    return np.max(x, axis=axis, keepdims=keepdims)


def amin(x, axis=None, keepdims=False):
    return np.min(x, axis=axis, keepdims=keepdims)


def var(x, axis=None, correction=0.0, keepdims=False):
    """The mean squared deviation from the mean, over n − correction instead of n."""
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)


def std(x, axis=None, correction=0.0, keepdims=False):
    return np.sqrt(var(x, axis, correction, keepdims))


def argmax(x, axis=None, keepdims=False):
    return np.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x, axis=None, keepdims=False):
    return np.argmin(x, axis=axis, keepdims=keepdims)


def logsumexp(x, axis=None, keepdims=False):
    """log Σ eˣ, shifted by the largest x so that exp never overflows."""
    x = np.asarray(x)
    x = x.astype(np.result_type(x.dtype, np.float16), copy=False)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log 0 = -inf where all x are -inf
        result = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdims else np.squeeze(result, axis)


def logsumexp_backward(g, x, out, axis=None, keepdims=False):
    """g eˣ / Σ eˣ from out = log Σ eˣ; where that is −inf, 0."""
    if axis is not None and not keepdims:
        g, out = np.expand_dims(g, axis), np.expand_dims(out, axis)
    return g * np.exp(x - np.where(out == -np.inf, 0, out))


def cumsum(x, axis, reverse=False):
    """The sums of the elements up to each along an axis; ``reverse``: from each to the end."""
    if reverse:
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis)
    return np.cumsum(x, axis=axis)


def expand(g, shape, axis=None, keepdims=False):
    """The transpose of sum: a read-only view of g, repeated along the axes that sum took away."""
    if not isinstance(shape, tuple):
        raise TypeError("shape must be a tuple of numbers")
    ndim = len(shape)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim or 1)
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    if np.shape(g) != tuple(kept if keepdims else [kept[i] for i in range(ndim) if i not in axes]):
        raise ValueError(f"a sum of {shape} over axis {axis} does not have the shape {np.shape(g)}")
    return np.broadcast_to(np.reshape(g, kept), shape)


# --- Matrix products -------------------------------------------------------------------------


def matmul(a, b):
    """Σ_k a[…, i, k] b[…, k, j]; a vector is a row on the left, a column on the right."""
    return np.matmul(a, b)


def linear(x, weight, bias=None, activation=None):
    """activation(x weightᵀ + bias); x (…, in), weight (out, in), bias (out,)."""
    out = np.matmul(x, weight.T)
    if bias is not None:
        out = out + bias
    if activation is None:
        return out
    if activation == "relu":
        return np.maximum(out, 0)
    raise ValueError(f"linear: activation must be None or 'relu', got {activation!r}")


# --- Convolution -----------------------------------------------------------------------------
#
# Sizes come in pairs, rows first: stride (sy, sx), dilation (dy, dx), and padding
# ((top, bottom), (left, right)). x is (N, C, H, W), weight (K, C / groups, R, S), g and the output
# (N, K, Y, X). One image without its axis N is (C, H, W), throughout.


def conv_size(size, kernel, stride, padding, dilation):
    """Output size along one axis."""
    return (size + padding[0] + padding[1] - dilation * (kernel - 1) - 1) // stride + 1


def padded(x, padding, value=0):
    """x with its last two axes extended by ``value``."""
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + list(padding), constant_values=value)


def windows(x, kernel, stride, dilation):
    """Views of all windows of x: (…, H, W) gives (…, Y, X, R, S)."""
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    every = np.lib.stride_tricks.sliding_window_view(x, span, axis=(-2, -1))
    return every[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def grouped(x, axis, groups):
    """Split an axis into (groups, size / groups)."""
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])


def conv2d(x, weight, bias, stride, padding, dilation, groups):
    """Σ_crs x[n, c, y sy + r dy, x sx + s dx] weight[k, c, r, s] + bias[k], x padded with zeros."""
    if x.ndim == 3:
        return conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    patches = windows(padded(x, padding), weight.shape[2:], stride, dilation)
    out = np.einsum(
        "ngcyxrs,gkcrs->ngkyx",
        grouped(patches, 1, groups),
        grouped(weight, 0, groups),
        optimize=True,
    )
    out = out.reshape(len(x), len(weight), *out.shape[3:])
    return out if bias is None else out + bias[:, None, None]


def conv2d_grad_x(g, weight, size, stride, padding, dilation, groups):
    """The gradient of conv2d in its x, whose (H, W) is ``size``."""
    if g.ndim == 3:
        return conv2d_grad_x(g[None], weight, size, stride, padding, dilation, groups)[0]
    (top, bottom), (left, right) = padding
    rows, columns = g.shape[2:]
    channels = weight.shape[1] * groups
    terms = np.einsum(
        "ngkyx,gkcrs->rsngcyx", grouped(g, 1, groups), grouped(weight, 0, groups), optimize=True
    )
    out = np.zeros((len(g), channels, size[0] + top + bottom, size[1] + left + right), terms.dtype)
    for r, s in np.ndindex(*weight.shape[2:]):
        y, x = r * dilation[0], s * dilation[1]
        ys = slice(y, y + rows * stride[0], stride[0])
        xs = slice(x, x + columns * stride[1], stride[1])
        out[:, :, ys, xs] += terms[r, s].reshape(len(g), channels, rows, columns)
    return out[:, :, top : top + size[0], left : left + size[1]]


def conv2d_grad_w(g, x, kernel, stride, padding, dilation, groups):
    """The gradient of conv2d in its weight, whose (R, S) is ``kernel``."""
    if g.ndim == 3:
        return conv2d_grad_w(g[None], x[None], kernel, stride, padding, dilation, groups)
    patches = windows(padded(x, padding), kernel, stride, dilation)
    patches = patches[:, :, : g.shape[2], : g.shape[3]]
    out = np.einsum(
        "ngkyx,ngcyxrs->gkcrs", grouped(g, 1, groups), grouped(patches, 1, groups), optimize=True
    )
    return out.reshape(groups * out.shape[1], *out.shape[2:])


# --- Pooling ---------------------------------------------------------------------------------
#
# Of the last two axes. ``padding`` is (y, x), the same on both sides.


def pool_size(size, kernel, stride, padding, dilation, ceil_mode):
    """Output size along one axis. In ceil mode a last window may reach over the end, but must
    begin within the input or the padding before it."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def pool_windows(x, kernel, stride, padding, dilation, ceil_mode, value):
    """The windows of x, extended by ``value`` as far as they reach: (…, Y, X, R, S)."""
    axes = zip(x.shape[-2:], kernel, stride, padding, dilation, strict=True)
    outs = [pool_size(*axis, ceil_mode) for axis in axes]
    reach = [
        ((n - 1) * s + d * (k - 1) + 1 - p - size)
        for n, s, d, k, p, size in zip(
            outs, stride, dilation, kernel, padding, x.shape[-2:], strict=True
        )
    ]
    pads = [(p, builtins.max(r, 0)) for p, r in zip(padding, reach, strict=True)]
    views = windows(padded(x, pads, value), kernel, stride, dilation)
    return views[..., : outs[0], : outs[1], :, :]


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    """The largest of each window (NaN if it has one), and its index within the plane H W: of the
    first such. Padding is never the largest."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    geometry = (kernel, stride, padding, dilation, ceil_mode)
    places = np.arange(x.shape[-2] * x.shape[-1], dtype=np.int64).reshape(x.shape[-2:])
    places = pool_windows(places, *geometry, -1)
    views = pool_windows(x, *geometry, lowest)
    out = views.max((-2, -1))
    chosen = ((views == out[..., None, None]) | (views != views)) & (places >= 0)
    in_window = (*out.shape, kernel[0] * kernel[1])
    first = chosen.reshape(in_window).argmax(-1)[..., None]
    places = np.broadcast_to(places, views.shape).reshape(in_window)
    return out, np.take_along_axis(places, first, -1)[..., 0]


def scatter_planes(g, indices, size):
    """Planes of zeros of ``size`` (H, W), with g added at its indices within the plane."""
    planes = np.zeros((int(np.prod(g.shape[:-2])), size[0] * size[1]), g.dtype)
    indices = indices.reshape(len(planes), g.shape[-2] * g.shape[-1])
    np.add.at(planes, (np.arange(len(planes))[:, None], indices), g.reshape(indices.shape))
    return planes.reshape(*g.shape[:-2], *size)


def gather_planes(x, indices):
    """The elements of each plane of x at its indices."""
    flat = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    at = indices.reshape(*indices.shape[:-2], indices.shape[-2] * indices.shape[-1])
    return np.take_along_axis(flat, at, -1).reshape(indices.shape)


def avg_windows(size, kernel, stride, padding, ceil_mode):
    """Along one axis: where windows begin and end, and how long they are with their padding."""
    begin = np.arange(pool_size(size, kernel, stride, padding, 1, ceil_mode)) * stride - padding
    end = np.minimum(begin + kernel, size + padding)
    return np.maximum(begin, 0), np.minimum(end, size), end - begin


def avg_weights(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """1 / (what the sum of each window is divided by): (Y, X)."""
    axes = zip(size, kernel, stride, padding, strict=True)
    ys, xs = (avg_windows(*axis, ceil_mode) for axis in axes)
    if divisor is not None:
        return np.full((len(ys[0]), len(xs[0])), 1 / divisor)
    rows, columns = (w[2] if count_include_pad else w[1] - w[0] for w in (ys, xs))
    return 1 / np.outer(rows, columns)


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """The sum of each window, over the number of its elements: of those in the padding too if
    ``count_include_pad``; over ``divisor`` if that is given."""
    views = pool_windows(x, kernel, stride, padding, (1, 1), ceil_mode, 0)
    weights = avg_weights(
        x.shape[-2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
    return views.sum((-2, -1)) * weights.astype(x.dtype)


def avg_pool2d_grad(g, size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """The gradient of avg_pool2d, whose input's (H, W) is ``size``."""
    weights = avg_weights(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    g = g * weights.astype(g.dtype)
    (rows, columns), (sy, sx) = g.shape[-2:], stride
    reach = [
        builtins.max(n + 2 * p, (m - 1) * s + k)
        for n, p, m, s, k in zip(size, padding, (rows, columns), stride, kernel, strict=True)
    ]
    out = np.zeros((*g.shape[:-2], *reach), g.dtype)
    for r, s in np.ndindex(*kernel):
        out[..., r : r + rows * sy : sy, s : s + columns * sx : sx] += g
    top, left = padding
    return out[..., top : top + size[0], left : left + size[1]]


def adaptive_windows(size, out):
    """Where the windows of adaptive pooling begin and end along one axis."""
    edges = np.arange(out + 1) * size
    return edges[:-1] // out, -(-edges[1:] // out)


def adaptive_avg_pool2d(x, size):
    """The mean of each of ``size`` (Y, X) windows: i spans ⌊i H / Y⌋ to ⌈(i + 1) H / Y⌉."""
    out = np.empty((*x.shape[:-2], *size), x.dtype)
    ys, xs = (adaptive_windows(n, m) for n, m in zip(x.shape[-2:], size, strict=True))
    for i, j in np.ndindex(*size):
        out[..., i, j] = x[..., ys[0][i] : ys[1][i], xs[0][j] : xs[1][j]].mean((-2, -1))
    return out


def adaptive_avg_pool2d_grad(g, size):
    """The gradient of adaptive_avg_pool2d, whose input's (H, W) is ``size``."""
    out = np.zeros((*g.shape[:-2], *size), g.dtype)
    ys, xs = (adaptive_windows(n, m) for n, m in zip(size, g.shape[-2:], strict=True))
    for i, j in np.ndindex(*g.shape[-2:]):
        window = out[..., ys[0][i] : ys[1][i], xs[0][j] : xs[1][j]]
        window += g[..., i, j, None, None] / (window.shape[-2] * window.shape[-1])
    return out


# --- Softmax, losses -------------------------------------------------------------------------


def softmax(x, axis):
    with np.errstate(invalid="ignore"):
        out = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
        out /= out.sum(axis=axis, keepdims=True)
    return out


def softmax_backward(g, out, axis):
    return out * (g - (g * out).sum(axis=axis, keepdims=True))


def log_softmax(x, axis):
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
        return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def log_softmax_backward(g, out, axis):
    return g - np.exp(out) * g.sum(axis=axis, keepdims=True)


def check_targets(name, target, classes, ignore_index):
    """Raise unless every target is a class, or ``ignore_index``."""
    bad = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bad.any():
        raise IndexError(f"{name}: target holds {target[bad][0]}, outside [0, {classes})")


def target_factors(target, classes, weight, ignore_index, label_smoothing, dtype):
    """What a row's loss ``(own + spread * sum(w)) * lse - own * x[y] - spread * sum(w * x)`` needs.

    Returns the classes (0 where ignored), all class weights, and each row's own weight, its part
    of the divisor of the mean, and its spread; these three are 0 in rows that are ignored.
    """
    kept = target != ignore_index
    y = np.where(kept, target, 0)
    w = np.ones(classes, dtype) if weight is None else weight.astype(dtype, copy=False)
    share = kept * (w[y] if classes else dtype.type(0))
    return y, w, (1 - label_smoothing) * share, share, label_smoothing / (classes or 1) * kept


def cross_entropy(x, target, weight, ignore_index, label_smoothing, reduction):
    """The loss of logits ``x`` (rows, classes), each row's log-sum-exp, and the mean's divisor."""
    rows, classes = x.shape
    check_targets("cross_entropy", target, classes, ignore_index)
    y, w, own, share, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, x.dtype
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        top = x.max(axis=1, initial=-np.inf)
        lse = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
        losses = own * (lse - (x[np.arange(rows), y] if classes else 0))
        if label_smoothing:
            losses += spread * (w * (lse[:, None] - x)).sum(axis=1)
        losses = np.where(target == ignore_index, 0, losses).astype(x.dtype, copy=False)
        if reduction == "none":
            return losses, lse, 1.0
        divisor = float(share.sum()) if reduction == "mean" else 1.0
        return np.asarray(losses.sum() / x.dtype.type(divisor)), lse, divisor


def cross_entropy_backward(g, x, lse, target, weight, ignore_index, label_smoothing, divisor):
    rows, classes = x.shape
    y, w, own, _, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, x.dtype
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        total = own + spread * w.sum() if label_smoothing else own
        dx = total[:, None] * np.exp(x - lse[:, None])
        if label_smoothing:
            dx -= spread[:, None] * w
        if classes:
            dx[np.arange(rows), y] -= own
        dx *= np.broadcast_to(g / x.dtype.type(divisor), (rows,))[:, None]
    dx[target == ignore_index] = 0
    return dx.astype(x.dtype, copy=False)


def nll_loss(x, target, weight, ignore_index, reduction):
    """The loss of log-probabilities ``x`` (rows, classes), and the mean's divisor."""
    rows, classes = x.shape
    check_targets("nll_loss", target, classes, ignore_index)
    y, _, own, _, _ = target_factors(target, classes, weight, ignore_index, 0, x.dtype)
    picked = x[np.arange(rows), y] if classes else np.zeros(rows, x.dtype)
    losses = np.where(target == ignore_index, 0, -own * picked).astype(x.dtype, copy=False)
    if reduction == "none":
        return losses, 1.0
    divisor = float(own.sum()) if reduction == "mean" else 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(losses.sum() / x.dtype.type(divisor)), divisor


def nll_loss_backward(g, target, shape, weight, ignore_index, divisor):
    """The cotangent of log-probabilities (rows, classes); g is of one loss, or of each row's."""
    dtype = np.asarray(g).dtype
    y, _, own, _, _ = target_factors(target, shape[1], weight, ignore_index, 0, dtype)
    dx = np.zeros(shape, dtype)
    if shape[1]:
        dx[np.arange(shape[0]), y] = -own * (g / dtype.type(divisor))
    return dx


# For each loss of an input x, a target y and a number p: itself, and its slope by x.
LOSSES = {
    "mse": (lambda x, y, p: np.square(x - y), lambda x, y, p: 2 * (x - y)),
    "l1": (lambda x, y, p: np.absolute(x - y), lambda x, y, p: np.sign(x - y)),
    "smooth_l1": (
        lambda x, y, p: np.where(
            np.absolute(x - y) < p, np.square(x - y) * (0.5 / p), np.absolute(x - y) - 0.5 * p
        ),
        lambda x, y, p: np.clip((x - y) / p, -1, 1),
    ),
    "huber": (
        lambda x, y, p: np.where(
            np.absolute(x - y) < p, np.square(x - y) * 0.5, p * (np.absolute(x - y) - 0.5 * p)
        ),
        lambda x, y, p: np.clip(x - y, -p, p),
    ),
    "logistic": (
        lambda x, y, p: (1 - y) * x + np.maximum(-x, 0) + np.log1p(np.exp(-np.absolute(x))),
        lambda x, y, p: sigmoid(x) - y,
    ),
}


def loss(kind, x, y, parameter, reduction):
    """A loss of LOSSES, each element's, their "sum" or their "mean"."""
    losses = LOSSES[kind][0](x, y, parameter)
    if reduction == "none":
        return losses
    with np.errstate(invalid="ignore"):
        return np.asarray(losses.sum() if reduction == "sum" else losses.mean())


def loss_backward(g, kind, x, y, parameter, reduction):
    """The cotangent of x; that of y is its negative where the loss is of x − y."""
    slopes = LOSSES[kind][1](x, y, parameter)
    return slopes * (g / slopes.dtype.type(slopes.size) if reduction == "mean" else g)


# --- Normalisation ---------------------------------------------------------------------------


def layer_norm(x, weight, bias, eps, ndim):
    """Normalise over the last ``ndim`` axes; also the mean and 1 / standard deviation."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    mean = x.mean(axis=axes, keepdims=True)
    out = x - mean
    rstd = 1 / np.sqrt(np.square(out).mean(axis=axes, keepdims=True) + x.dtype.type(eps))
    out *= rstd
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out, mean, rstd


def layer_norm_backward(g, x, weight, mean, rstd, ndim):
    """The cotangents of x, of the weight and of the bias."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = (x - mean) * rstd
    gx = g if weight is None else g * weight
    dx = gx - gx.mean(axis=axes, keepdims=True)
    dx -= xhat * (gx * xhat).mean(axis=axes, keepdims=True)
    return dx * rstd, (g * xhat).sum(axis=lead), g.sum(axis=lead)


def rms_norm(x, weight, eps, ndim):
    """x over the root of its mean square over the last ``ndim`` axes; also 1 / that root."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    rstd = 1 / np.sqrt(np.square(x).mean(axis=axes, keepdims=True) + x.dtype.type(eps))
    return (x * rstd if weight is None else x * rstd * weight), rstd


def rms_norm_backward(g, x, weight, rstd, ndim):
    """The cotangents of x and of the weight."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = x * rstd
    gx = g if weight is None else g * weight
    dx = (gx - xhat * (gx * xhat).mean(axis=axes, keepdims=True)) * rstd
    return dx, (g * xhat).sum(axis=lead)


def update_running_stats(running_mean, running_var, mean, var, count, momentum):
    """Move the running statistics, where given, towards a batch's of ``count`` values, in place."""
    if running_mean is not None:
        running_mean += momentum * (mean - running_mean)
    if running_var is not None:
        running_var += momentum * (var * (count / (count - 1 or 1)) - running_var)


def batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps):
    """Normalise each channel (axis 1); also the mean and 1 / standard deviation that were used.

    In training the running statistics, where given, are moved towards the batch's, in place.
    """
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    if training:
        mean = x.mean(axis=axes)
        centred = x - mean.reshape(channels)
        var = np.square(centred).mean(axis=axes)
        count = x.size // (x.shape[1] or 1)
        update_running_stats(running_mean, running_var, mean, var, count, momentum)
    else:
        mean, var = running_mean.astype(x.dtype), running_var
        centred = x - mean.reshape(channels)
    rstd = (1 / np.sqrt(var + x.dtype.type(eps))).astype(x.dtype, copy=False)
    out = centred * rstd.reshape(channels)
    if weight is not None:
        out *= weight.reshape(channels)
    if bias is not None:
        out += bias.reshape(channels)
    return out, mean, rstd


def batch_norm_backward(g, x, weight, mean, rstd, training):
    """The cotangents of x, of the weight and of the bias."""
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - mean.reshape(channels)) * rstd.reshape(channels)
    dweight, dbias = (g * xhat).sum(axis=axes), g.sum(axis=axes)
    dx = g
    if training:
        count = x.size // (x.shape[1] or 1) or 1
        dx = g - (dbias / count).reshape(channels) - xhat * (dweight / count).reshape(channels)
    factor = rstd if weight is None else rstd * weight
    return dx * factor.reshape(channels), dweight, dbias


# --- Attention -------------------------------------------------------------------------------


def _attention_logits(q, k, mask, is_causal, scale):
    """``scale * q @ k.mT`` with -inf where a query may not look; heads of k repeated as q has."""
    s = (q * q.dtype.type(scale)) @ _repeat_heads(k, q).mT
    if mask is not None:
        s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
    if is_causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=np.bool_), s, -np.inf)
    return s.astype(q.dtype, copy=False)


def _repeat_heads(k, q):
    return k if k.shape[-3] == q.shape[-3] else k.repeat(q.shape[-3] // k.shape[-3], axis=-3)


def _sum_heads(dk, k):
    """Undo ``_repeat_heads``: sum over the query heads that share a head of k."""
    if dk.shape == k.shape:
        return dk
    return dk.reshape(*k.shape[:-2], -1, *dk.shape[-2:]).sum(axis=-3)


def attention(q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    """``softmax(scale * q @ k.mT + mask) @ v`` and the rows' log-sum-exp (+inf if all is masked).

    q is (batch, heads, queries, depth), k and v (batch, shared heads, keys, depth); a bool mask
    says where to look, another one is added. Rows that may look nowhere are 0. Unless its key is
    None, dropout is applied to the weights.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        s = _attention_logits(q, k, mask, is_causal, scale)
        top = s.max(axis=-1, keepdims=True, initial=-np.inf)
        lse = top + np.log(np.exp(s - top).sum(axis=-1, keepdims=True))
        lse = np.where(np.isneginf(top), q.dtype.type(np.inf), lse)
        p = np.exp(s - lse)
        if dropout_key is not None:
            p = dropout(p, dropout_p, dropout_key)
        return p @ _repeat_heads(v, q), lse[..., 0]


def attention_backward(g, q, k, v, mask, out, lse, is_causal, scale, dropout_p, dropout_key):
    """The cotangents of q, k and v."""
    with np.errstate(invalid="ignore"):
        p = np.exp(_attention_logits(q, k, mask, is_causal, scale) - lse[..., None])
        dp = g @ _repeat_heads(v, q).mT
        dropped = p
        if dropout_key is not None:
            dropped, dp = (dropout(x, dropout_p, dropout_key) for x in (p, dp))
        ds = p * (dp - (g * out).sum(axis=-1, keepdims=True)) * q.dtype.type(scale)
        return ds @ _repeat_heads(k, q), _sum_heads(ds.mT @ q, k), _sum_heads(dropped.mT @ g, v)


# --- Embedding, dropout ----------------------------------------------------------------------


def embedding(indices, weight):
    bad = (indices < 0) | (indices >= len(weight))
    if bad.any():
        raise IndexError(f"embedding: indices holds {indices[bad][0]}, outside [0, {len(weight)})")
    return weight[indices]


def embedding_backward(g, indices, rows, padding_idx):
    """Sum the rows of ``g`` into a zero table of ``rows`` rows, at ``indices``, in their order."""
    dweight = np.zeros((rows, *g.shape[indices.ndim :]), g.dtype)
    np.add.at(dweight, indices, g)
    if padding_idx is not None:
        dweight[padding_idx] = 0
    return dweight


def philox(key, counters):
    """Philox4x32-10 (Salmon et al. 2011): 4 random 32-bit words for each 64-bit counter.

    A pure function of the 64-bit key and the counter, so that any part of the stream can be made
    on any thread, and made again in backward. Returns uint32 of shape (len(counters), 4).
    """
    low = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c = [counters & low, counters >> shift, np.zeros_like(counters), np.zeros_like(counters)]
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [b >> shift ^ c[1] ^ np.uint64(k0), b & low, a >> shift ^ c[3] ^ np.uint64(k1), a & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=-1).astype(np.uint32)


def dropout(x, p, key):
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p).

    Element i (in C order) is kept if word i of the Philox stream of ``key`` is at least p * 2³².
    """
    words = philox(key, np.arange(-(-x.size // 4), dtype=np.uint64)).reshape(-1)[: x.size]
    kept = (words >= np.uint64(np.rint(p * 2**32))).reshape(x.shape)
    return np.where(kept, x * x.dtype.type(1 / (1 - p) if p < 1 else 0), x.dtype.type(0))


# --- Recurrent cells -------------------------------------------------------------------------


def lstm_cell(gates, c):
    """The next h and c from the four gates' sums (batch, 4 * hidden), in the order i, f, g, o."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_next), c_next


def lstm_cell_backward(gh, gc, gates, c):
    """The cotangents of gates and c, from those of h and of the next c."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    t = np.tanh(f * c + i * g)
    dc = gc + gh * o * (1 - t * t)
    dgates = (
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dc * i * (1 - g * g),
        gh * t * o * (1 - o),
    )
    return np.concatenate(dgates, axis=-1), dc * f


def gru_cell(x_gates, h_gates, h):
    """The next h from the sums of input and of state (batch, 3 * hidden each), order r, z, n."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x_gates, 3, axis=-1), np.split(h_gates, 3, axis=-1)
    z = sigmoid(xz + hz)
    n = np.tanh(xn + sigmoid(xr + hr) * hn)
    return n + z * (h - n)


def gru_cell_backward(g, x_gates, h_gates, h):
    """The cotangents of x_gates, h_gates and h."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x_gates, 3, axis=-1), np.split(h_gates, 3, axis=-1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    dn = g * (1 - z) * (1 - n * n)
    dr, dz = dn * hn * r * (1 - r), g * (h - n) * z * (1 - z)
    return np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * r], axis=-1), g * z


# --- Recurrent layers ------------------------------------------------------------------------
# Over x (T, B, I), in time's order or against it: for one layer and direction. Biases may be None,
# and so may the states before the first step, which then have no part in it.


def _steps(count, reverse):
    """The index of each step and of the one before it (None for the first), as they are taken."""
    order = [*range(count)][:: -1 if reverse else 1]
    return [*zip(order, [None, *order], strict=False)]


def _input_gates(x, weight, biases, others):
    """The input's part of the sums of the gates, for all steps, in a new array."""
    dtype = np.result_type(x, weight, *(a for a in (*biases, *others) if a is not None))
    gates = linear(x, weight).astype(dtype)
    for bias in biases:
        if bias is not None:
            gates += bias
    return gates


def _before(states, before, start):
    """The states before a step: those of the step ``before`` it, or the first ones."""
    if before is not None:
        return states[before]
    return np.zeros_like(states[0]) if start is None else start


def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse):
    """The states h (T, B, H), the last h and c, all c, and the gates i, f, g, o (T, B, 4 H)."""
    gates = _input_gates(x, w_ih, (b_ih, b_hh), (h0, c0, w_hh))
    hs, cs = (np.empty((*gates.shape[:2], w_hh.shape[1]), gates.dtype) for _ in range(2))
    h, c = h0, c0
    for t, _ in _steps(len(x), reverse):
        i, f, g, o = np.split(gates[t] if h is None else gates[t] + h @ w_hh.T, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = i * g if c is None else f * c + i * g
        h = o * np.tanh(c)
        hs[t], cs[t], gates[t] = h, c, np.concatenate([i, f, g, o], axis=-1)
    return hs, h.copy(), c.copy(), cs, gates


def lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse):
    """The cotangents of the sums of the gates, of h0 and of c0, from those of hs and the last."""
    dgates, dh, dc = np.empty_like(gates), gh, gc
    for t, before in reversed(_steps(len(cs), reverse)):
        i, f, n, o = np.split(gates[t], 4, axis=-1)
        c = _before(cs, before, c0)
        dh, tanh_c = dh + g[t], np.tanh(cs[t])
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        dgates[t] = np.concatenate(
            [
                dc * n * i * (1 - i),
                dc * c * f * (1 - f),
                dc * i * (1 - n * n),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dh, dc = dgates[t] @ w_hh, dc * f
    return dgates, dh.copy(), dc.copy()


def lstm_grads(g, gh, gc, x, h0, c0, w_ih, w_hh, hs, cs, gates, reverse, of_x):
    """The cotangents of h0, c0, w_ih, w_hh and the bias, and of x if it is asked for, or None."""
    dgates, dh0, dc0 = lstm_backward(g, gh, gc, c0, w_hh, cs, gates, reverse)
    dw_ih = np.tensordot(dgates, x, ((0, 1), (0, 1)))
    later, before = (dgates[:-1], hs[1:]) if reverse else (dgates[1:], hs[:-1])
    dw_hh = np.tensordot(later, before, ((0, 1), (0, 1)))
    if h0 is not None:
        dw_hh += dgates[-1 if reverse else 0].T @ h0
    return dh0, dc0, dw_ih, dw_hh, dgates.sum((0, 1)), dgates @ w_ih if of_x else None


def gru(x, h0, w_ih, w_hh, b_ih, b_hh, reverse):
    """The states h (T, B, H), the last one, the gates r, z, n, and n's part from the state."""
    gates = _input_gates(x, w_ih, (b_ih,), (h0, w_hh, b_hh))
    hs, inner = (np.empty((*gates.shape[:2], w_hh.shape[1]), gates.dtype) for _ in range(2))
    h = h0
    for t, _ in _steps(len(x), reverse):
        sums = np.zeros_like(gates[t]) if h is None else h @ w_hh.T
        if b_hh is not None:
            sums = sums + b_hh
        (xr, xz, xn), (hr, hz, hn) = np.split(gates[t], 3, -1), np.split(sums, 3, -1)
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        h = n + z * ((0 if h is None else h) - n)
        hs[t], gates[t], inner[t] = h, np.concatenate([r, z, n], axis=-1), hn
    return hs, h.copy(), gates, inner


def gru_backward(g, gh, h0, w_hh, hs, gates, inner, reverse):
    """The cotangents of the input's sums (r, z, n), of n's part from the state, and of h0."""
    dgates, dinner, dh = np.empty_like(gates), np.empty_like(inner), gh
    for t, before in reversed(_steps(len(hs), reverse)):
        r, z, n = np.split(gates[t], 3, axis=-1)
        h = _before(hs, before, h0)
        dh = dh + g[t]
        dn = dh * (1 - z) * (1 - n * n)
        dr, dz = dn * inner[t] * r * (1 - r), dh * (h - n) * z * (1 - z)
        dgates[t], dinner[t] = np.concatenate([dr, dz, dn], axis=-1), dn * r
        dh = dh * z + np.concatenate([dr, dz, dinner[t]], axis=-1) @ w_hh
    return dgates, dinner, dh.copy()


def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, reverse):
    """The states h (T, B, H), and the last one."""
    hs = _input_gates(x, w_ih, (b_ih, b_hh), (h0, w_hh))
    h = h0
    for t, _ in _steps(len(x), reverse):
        h = hs[t] if h is None else hs[t] + h @ w_hh.T
        hs[t] = h = np.maximum(h, 0) if relu else np.tanh(h)
    return hs, h.copy()


def rnn_backward(g, gh, w_hh, hs, relu, reverse):
    """The cotangents of the sums and of h0."""
    dsums, dh = np.empty_like(hs), gh
    for t, _ in reversed(_steps(len(hs), reverse)):
        h, dh = hs[t], dh + g[t]
        dsums[t] = np.where(h > 0, dh, 0) if relu else dh * (1 - h * h)
        dh = dsums[t] @ w_hh
    return dsums, dh.copy()


# --- Optimizer updates -----------------------------------------------------------------------


def _check_lengths(params, *others):
    if {len(arrays) for arrays in others if arrays is not None} != {len(params)}:
        raise ValueError("the lists of parameters, gradients and states differ in length")


def sgd_step(
    params,
    grads,
    momentum_buffers,
    lr,
    momentum,
    dampening,
    weight_decay,
    nesterov,
    maximize,
    first,
):
    """Update arrays in place: ``b = momentum * b + (1 - dampening) * g``, ``p -= lr * b``.

    ``first``: the momentum buffers hold nothing yet and start as the gradients.
    """
    _check_lengths(params, grads, momentum_buffers)
    for index, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = -g if maximize else g
        if weight_decay:
            g = g + weight_decay * p
        if momentum:
            b = momentum_buffers[index]
            b[...] = g if first else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p -= lr * g


def adam_step(
    params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, step,
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize,
):  # fmt: skip
    """Update arrays in place by Adam (Kingma & Ba 2015), or AdamW if the decay is ``decoupled``.

    ``max_exp_avg_sqs`` is None but for AMSGrad; ``step`` counts from 1.
    """
    _check_lengths(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    step_size = lr / (1 - beta1**step)
    root_correction = math.sqrt(1 - beta2**step)
    for index, (p, g) in enumerate(zip(params, grads, strict=True)):
        m, v = exp_avgs[index], exp_avg_sqs[index]
        g = -g if maximize else g
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m += (1 - beta1) * (g - m)
        v *= beta2
        v += (1 - beta2) * g * g
        if max_exp_avg_sqs is not None:
            v = np.maximum(max_exp_avg_sqs[index], v, out=max_exp_avg_sqs[index])
        p -= step_size * m / (np.sqrt(v) / root_correction + eps)


# --- Real numbers alone ----------------------------------------------------------------------


def _of_real_numbers(kernel):
    """The kernel, refusing complex numbers, of which it would have no gradient."""

    @wraps(kernel)
    def checked(*args, **kwargs):
        if any(getattr(x, "dtype", None) in COMPLEX for x in args):
            raise TypeError("complex numbers, where only real ones have a meaning")
        return kernel(*args, **kwargs)

    return checked


COMPLEX = (np.dtype(np.complex64), np.dtype(np.complex128))
for _name in (
    *("maximum", "minimum", "clip", "amax", "amin", "var", "std", "logsumexp", "erf", "sigmoid"),
    *("relu", "leaky_relu", "elu", "silu", "gelu", "softplus", "softmax", "log_softmax"),
    *("max_pool2d", "cross_entropy", "nll_loss", "layer_norm", "batch_norm", "attention"),
    *("lstm_cell", "gru_cell"),
):
    globals()[_name] = _of_real_numbers(globals()[_name])
