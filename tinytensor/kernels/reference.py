"""The reference kernels: NumPy definitions of what every kernel means, for any dtype and layout.

Each fast kernel is tested against its twin here, and hands over to it whatever it does not cover.
"""

import math
from functools import cache

import numpy as np

# --- Element-wise maps -----------------------------------------------------------------------


# What NumPy has under the name that the Array API standard gives it.
add, subtract, multiply, divide = np.add, np.subtract, np.multiply, np.divide
maximum, minimum = np.maximum, np.minimum
equal, not_equal = np.equal, np.not_equal
less, less_equal, greater, greater_equal = np.less, np.less_equal, np.greater, np.greater_equal
logical_and, logical_or = np.logical_and, np.logical_or
logical_xor, logical_not = np.logical_xor, np.logical_not
isnan, isinf, isfinite = np.isnan, np.isinf, np.isfinite
negative, sign, square, reciprocal = np.negative, np.sign, np.square, np.reciprocal
exp, expm1, log, log1p, sqrt = np.exp, np.expm1, np.log, np.log1p, np.sqrt
sin, cos, tan, asin, acos, atan = np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan
sinh, cosh, tanh = np.sinh, np.cosh, np.tanh
floor, ceil, where = np.floor, np.ceil, np.where


def abs(x):
    return np.absolute(x)


def pow(a, b):
    return np.asarray(a) ** b


def round(x):
    """To the nearest whole number, halves to even."""
    return np.rint(x)


def rsqrt(x):
    return 1 / np.sqrt(x)


def clip(x, low, high):
    """Into [low, high]; None is no bound."""
    return np.array(x) if low is None and high is None else np.clip(x, low, high)


@cache
def _scaled_erfc():
    """A polynomial for exp(x²) erfc(x) on [0.5, 6], exact to 1e-15."""
    return np.polynomial.Chebyshev.interpolate(
        np.vectorize(lambda x: math.exp(x * x) * math.erfc(x)), 28, domain=[0.5, 6]
    )


def erf(x):
    """2/√π ∫₀ˣ exp(−t²) dt, to 1e-15: its power series below 1/2, 1 − erfc(x) above."""
    x = np.asarray(x)
    y = x.astype(np.float64)
    size, square = np.abs(y), y * y
    series = np.zeros_like(y)
    for n in range(14, -1, -1):
        series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
    y_far = np.clip(size, 0.5, 6)
    far = np.copysign(1 - np.exp(-y_far * y_far) * _scaled_erfc()(y_far), y)
    result = np.where(size > 0.5, far, 2 / math.sqrt(math.pi) * series * y)
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
    return np.where(np.less_equal(x, 0), np.zeros((), x.dtype), x)


def relu_backward(g, out):
    return np.where(out <= 0, np.zeros((), g.dtype), g)


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
    """x Φ(x), Φ of the normal distribution; or with (1 + tanh(√(2/π) (x + 0.044715 x³)))/2 for Φ."""
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
    soft = np.where(z < 0, np.zeros((), x.dtype), z) + np.log1p(np.exp(-np.absolute(z)))
    return np.where(z > threshold, x, soft / beta)


def softplus_backward(g, x, beta, threshold):
    return np.where(x * beta > threshold, g, g * sigmoid(x * beta))


def hardtanh_backward(g, x, low, high):
    return np.where((x <= low) | (x >= high), np.zeros((), g.dtype), g)


# --- Reductions ------------------------------------------------------------------------------


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


# --- Pooling ---------------------------------------------------------------------------------


# --- Softmax, losses -------------------------------------------------------------------------


# --- Normalisation ---------------------------------------------------------------------------


# --- Attention -------------------------------------------------------------------------------


# --- Embedding, dropout ----------------------------------------------------------------------


# --- Optimizer updates -----------------------------------------------------------------------
