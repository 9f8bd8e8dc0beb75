"""Element-wise maps, and the backwards that are fused."""

import math
from functools import cache

import numpy as np

from ...dtypes import storable
from .checks import of_real_numbers
from .promotion import mixing, promoting

__all__ = [
    "absolute",
    "acos",
    "add",
    "add_into",
    "asin",
    "atan",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_or",
    "bitwise_xor",
    "ceil",
    "clip",
    "cos",
    "cosh",
    "divide",
    "elu",
    "elu_backward",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "gelu",
    "gelu_backward",
    "greater",
    "greater_equal",
    "hardtanh_backward",
    "isfinite",
    "isinf",
    "isnan",
    "leaky_relu",
    "leaky_relu_backward",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_backward",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matches",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "reciprocal",
    "relu",
    "relu_backward",
    "remainder",
    "rint",
    "rsqrt",
    "sigmoid",
    "sigmoid_backward",
    "sign",
    "silu",
    "silu_backward",
    "sin",
    "sinh",
    "softplus",
    "softplus_backward",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "tanh_backward",
    "where",
]

# What NumPy has. No kernel has the name of a builtin, which it would hide from the others.
add, subtract, multiply = mixing(np.add), mixing(np.subtract), mixing(np.multiply)
divide = mixing(np.divide, floating=True)
remainder = mixing(np.remainder)
maximum, minimum = mixing(of_real_numbers(np.maximum)), mixing(of_real_numbers(np.minimum))
equal, not_equal = np.equal, np.not_equal
less, less_equal, greater, greater_equal = np.less, np.less_equal, np.greater, np.greater_equal
logical_and, logical_or, logical_not = np.logical_and, np.logical_or, np.logical_not
bitwise_and, bitwise_or, bitwise_xor = np.bitwise_and, np.bitwise_or, np.bitwise_xor
bitwise_invert = np.invert
isnan, isinf, isfinite = np.isnan, np.isinf, np.isfinite
negative, absolute = np.negative, np.absolute
floor, ceil, square = np.floor, np.ceil, np.square
where = mixing(np.where, first=1)


def _of_floats(ufunc):
    return mixing(ufunc, floating=True)


reciprocal, sqrt = _of_floats(np.reciprocal), _of_floats(np.sqrt)
exp, log, log1p = _of_floats(np.exp), _of_floats(np.log), _of_floats(np.log1p)
log2, log10 = _of_floats(np.log2), _of_floats(np.log10)
sin, cos, tan = _of_floats(np.sin), _of_floats(np.cos), _of_floats(np.tan)
asin, acos, atan = _of_floats(np.arcsin), _of_floats(np.arccos), _of_floats(np.arctan)
sinh, cosh, tanh = _of_floats(np.sinh), _of_floats(np.cosh), _of_floats(np.tanh)


def logical_xor(a, b):
    return np.not_equal(np.asarray(a, bool), np.asarray(b, bool))


@mixing
def floor_divide(a, b):
    """⌊a / b⌋, also where one of them is infinite: NumPy has NaN or −1 there, to fit its %."""
    with np.errstate(invalid="ignore"):
        found = np.floor_divide(a, b)
        if found.dtype.kind != "f":
            return found
        endless = np.isinf(a) | np.isinf(b)
        if not np.any(endless):
            return found
        with np.errstate(divide="ignore"):
            return np.where(endless, np.floor(np.divide(a, b)), found)


@_of_floats
def expm1(x):
    if not np.iscomplexobj(x):
        return np.expm1(x)
    with np.errstate(invalid="ignore"):  # NumPy finds NaN where there is a limit, as at −∞ + iy
        found = np.where(np.isfinite(x), np.expm1(x), np.exp(x) - 1)
        return np.where(x == 0, x - np.real(x), found)  # of −0 + iy the real part is +0, as of 0


def rint(x):
    x = np.asarray(x)
    return np.rint(x) if x.dtype.kind in "fc" else np.array(x)


@mixing
def power(a, b):
    if isinstance(a, np.ndarray | np.generic) and isinstance(b, int | float):
        return np.asarray(a) ** b  # which knows squares and square roots
    if np.ndim(b) > 0 or isinstance(b, int | float | complex):
        return np.power(a, b)
    # NumPy would take a root for an exponent of ½, of no axes; pow(−0, ½) is 0, √−0 is −0.
    return np.power(a, np.reshape(b, 1)).reshape(np.shape(a))


def sign(x):
    if np.asarray(x).dtype == bool:
        return np.array(x)
    out = np.sign(x)
    if np.iscomplexobj(x):  # NumPy finds i for NaN + i∞
        out = np.where(np.isnan(x), out.dtype.type(complex(math.nan, math.nan)), out)
    return out


@_of_floats
def rsqrt(x):
    return 1 / np.sqrt(x)


def add_into(total, x):
    """total += x, if total is an array that can be written; whether it is."""
    if not isinstance(total, np.ndarray) or not total.flags.writeable:
        return False
    np.add(total, x, out=total)
    return True


@mixing
@of_real_numbers
def clip(x, low, high):
    """Into [low, high]; None is no bound. Bounds of another size do not change the dtype of x."""
    if low is None and high is None:
        return np.array(x)
    out, own = np.clip(x, low, high), np.asarray(x).dtype
    return storable(out, own).astype(own, copy=False) if out.dtype.kind == own.kind else out


@cache
def _scaled_erfc():
    """A polynomial for exp(x²) erfc(x) on [1.5, 6], to 1e-14."""
    return np.polynomial.Chebyshev.interpolate(
        np.vectorize(lambda x: math.exp(x * x) * math.erfc(x)), 24, domain=[1.5, 6]
    )


@_of_floats
@of_real_numbers
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
    return result.astype(x.dtype, copy=False)


@_of_floats
@of_real_numbers
def sigmoid(x):
    """1 / (1 + exp(−x)), written so that exp never overflows."""
    e = np.exp(-np.absolute(x))
    return np.where(np.less(x, 0), e, 1) / (1 + e)


@_of_floats
def log_backward(g, x):
    """g / x, and NaN below 0, where the logarithm has no value."""
    if np.iscomplexobj(x):
        return np.divide(g, x)
    return np.where(np.less(x, 0), np.nan, np.divide(g, x))


@_of_floats
def tanh_backward(g, out):
    return g * (1 - out * out)


@_of_floats
def sigmoid_backward(g, out):
    return g * out * (1 - out)


@of_real_numbers
def relu(x):
    return np.where(np.less_equal(x, 0), 0, x)


def relu_backward(g, out):
    return np.where(out <= 0, 0, g)


@promoting(floating=True)
@of_real_numbers
def leaky_relu(x, negative_slope):
    return np.where(x > 0, x, negative_slope * x)


@promoting(floating=True)
def leaky_relu_backward(g, x, negative_slope):
    return np.where(x > 0, g, negative_slope * g)


@promoting(floating=True)
@of_real_numbers
def elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@promoting(floating=True)
def elu_backward(g, x, alpha):
    return np.where(x > 0, g, g * alpha * np.exp(np.minimum(x, 0)))


@_of_floats
@of_real_numbers
def silu(x):
    return x * sigmoid(x)


@_of_floats
def silu_backward(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@promoting(floating=True)
@of_real_numbers
def gelu(x, approximate):
    """x Φ(x), Φ of the normal distribution; "tanh": x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    if approximate == "tanh":
        return x * sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
    return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


@promoting(floating=True)
def gelu_backward(g, x, approximate):
    if approximate == "tanh":
        scale = 2 * math.sqrt(2 / math.pi)
        s = sigmoid(scale * x * (1 + 0.044715 * x * x))
        return g * (s + x * s * (1 - s) * (scale * (1 + 3 * 0.044715 * x * x)))
    density = math.sqrt(0.5 / math.pi) * np.exp(-0.5 * x * x)
    return g * (0.5 * (1 + erf(x * math.sqrt(0.5))) + x * density)


@promoting(floating=True)
@of_real_numbers
def softplus(x, beta, threshold):
    """log(1 + exp(βx)) / β, and x itself where βx is above the threshold."""
    z = x * beta
    soft = np.where(z < 0, 0, z) + np.log1p(np.exp(-np.absolute(z)))
    return np.where(z > threshold, x, soft / beta)


@promoting(floating=True)
def softplus_backward(g, x, beta, threshold):
    return np.where(x * beta > threshold, g, g * sigmoid(x * beta))


@promoting(floating=True)
def hardtanh_backward(g, x, low, high):
    return np.where((x <= low) | (x >= high), 0, g)


def matches(a, b):
    """1 where a is b, two NaNs counted in, otherwise 0; of the dtype of a."""
    return ((a == b) | ((a != a) & (b != b))).astype(a.dtype, copy=False)
