"""Element-wise maps: the float32 cases of the twins in reference/maps.py.

What is covered, and how it runs, is in mapping.pyx.
"""
from libc.math cimport INFINITY

from tinytensor.kernels cimport _core
from tinytensor.kernels.mapping cimport binary, binary_into, choose, compare, unary

from tinytensor.kernels import reference

__all__ = [
    "absolute",
    "add",
    "add_into",
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
    "gelu",
    "gelu_backward",
    "greater",
    "greater_equal",
    "hardtanh_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "less",
    "less_equal",
    "log",
    "log10",
    "log_backward",
    "log1p",
    "log2",
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


# --- Arithmetic ------------------------------------------------------------------------------


def add_into(total, x):
    """See :func:`tinytensor.kernels.reference.add_into`."""
    return binary_into(_core.table.add_f32, total, x) or reference.add_into(total, x)


def add(a, b):
    out = binary(_core.table.add_f32, a, b, 0, 0)
    return reference.add(a, b) if out is None else out


def subtract(a, b):
    out = binary(_core.table.subtract_f32, a, b, 0, 0)
    return reference.subtract(a, b) if out is None else out


def multiply(a, b):
    out = binary(_core.table.multiply_f32, a, b, 0, 0)
    return reference.multiply(a, b) if out is None else out


def divide(a, b):
    out = binary(_core.table.divide_f32, a, b, 0, 0)
    return reference.divide(a, b) if out is None else out


def maximum(a, b):
    out = binary(_core.table.maximum_f32, a, b, 0, 0)
    return reference.maximum(a, b) if out is None else out


def minimum(a, b):
    out = binary(_core.table.minimum_f32, a, b, 0, 0)
    return reference.minimum(a, b) if out is None else out


def negative(x):
    out = unary(_core.table.negative_f32, x, 0, 0)
    return reference.negative(x) if out is None else out


def absolute(x):
    out = unary(_core.table.abs_f32, x, 0, 0)
    return reference.absolute(x) if out is None else out


def sign(x):
    out = unary(_core.table.sign_f32, x, 0, 0)
    return reference.sign(x) if out is None else out


def square(x):
    out = unary(_core.table.square_f32, x, 0, 0)
    return reference.square(x) if out is None else out


def reciprocal(x):
    out = unary(_core.table.reciprocal_f32, x, 0, 0)
    return reference.reciprocal(x) if out is None else out


def sqrt(x):
    out = unary(_core.table.sqrt_f32, x, 0, 0)
    return reference.sqrt(x) if out is None else out


def rsqrt(x):
    out = unary(_core.table.rsqrt_f32, x, 0, 0)
    return reference.rsqrt(x) if out is None else out


def floor(x):
    out = unary(_core.table.floor_f32, x, 0, 0)
    return reference.floor(x) if out is None else out


def ceil(x):
    out = unary(_core.table.ceil_f32, x, 0, 0)
    return reference.ceil(x) if out is None else out


def rint(x):
    out = unary(_core.table.round_f32, x, 0, 0)
    return reference.rint(x) if out is None else out


def exp(x):
    out = unary(_core.table.exp_f32, x, 0, 0)
    return reference.exp(x) if out is None else out


def expm1(x):
    out = unary(_core.table.expm1_f32, x, 0, 0)
    return reference.expm1(x) if out is None else out


def log(x):
    out = unary(_core.table.log_f32, x, 0, 0)
    return reference.log(x) if out is None else out


def log1p(x):
    out = unary(_core.table.log1p_f32, x, 0, 0)
    return reference.log1p(x) if out is None else out


def cosh(x):
    out = unary(_core.table.cosh_f32, x, 0, 0)
    return reference.cosh(x) if out is None else out


def sinh(x):
    out = unary(_core.table.sinh_f32, x, 0, 0)
    return reference.sinh(x) if out is None else out


def log10(x):
    out = unary(_core.table.log10_f32, x, 0, 0)
    return reference.log10(x) if out is None else out


def log2(x):
    out = unary(_core.table.log2_f32, x, 0, 0)
    return reference.log2(x) if out is None else out


def sin(x):
    out = unary(_core.table.sin_f32, x, 0, 0)
    return reference.sin(x) if out is None else out


def cos(x):
    out = unary(_core.table.cos_f32, x, 0, 0)
    return reference.cos(x) if out is None else out


def tan(x):
    out = unary(_core.table.tan_f32, x, 0, 0)
    return reference.tan(x) if out is None else out


def tanh(x):
    out = unary(_core.table.tanh_f32, x, 0, 0)
    return reference.tanh(x) if out is None else out


def erf(x):
    out = unary(_core.table.erf_f32, x, 0, 0)
    return reference.erf(x) if out is None else out


def sigmoid(x):
    out = unary(_core.table.sigmoid_f32, x, 0, 0)
    return reference.sigmoid(x) if out is None else out


def relu(x):
    out = unary(_core.table.relu_f32, x, 0, 0)
    return reference.relu(x) if out is None else out


def silu(x):
    out = unary(_core.table.silu_f32, x, 0, 0)
    return reference.silu(x) if out is None else out


def power(a, b):
    out = None
    if type(b) is float or type(b) is int:
        if b == 2:
            out = unary(_core.table.square_f32, a, 0, 0)
        elif b == 3:
            out = unary(_core.table.cube_f32, a, 0, 0)
        elif b == 0.5:
            out = unary(_core.table.sqrt_f32, a, 0, 0)
        elif b == -1:
            out = unary(_core.table.reciprocal_f32, a, 0, 0)
    return reference.power(a, b) if out is None else out


cdef inline bint is_bound(object x) noexcept:
    return x is None or type(x) is float or type(x) is int


def clip(x, low, high):
    cdef float p = -INFINITY, q = INFINITY
    out = None
    if is_bound(low) and is_bound(high):
        if low is not None:
            p = low
        if high is not None:
            q = high
        if p == p and q == q:
            out = unary(_core.table.clip_f32, x, p, q)
    return reference.clip(x, low, high) if out is None else out


# --- Activations with parameters -------------------------------------------------------------


def leaky_relu(x, negative_slope):
    out = unary(_core.table.leaky_relu_f32, x, negative_slope, 0)
    return reference.leaky_relu(x, negative_slope) if out is None else out


def elu(x, alpha):
    out = unary(_core.table.elu_f32, x, alpha, 0)
    return reference.elu(x, alpha) if out is None else out


def gelu(x, approximate):
    kernel = _core.table.gelu_tanh_f32 if approximate == "tanh" else _core.table.gelu_f32
    out = unary(kernel, x, 0, 0)
    return reference.gelu(x, approximate) if out is None else out


def softplus(x, beta, threshold):
    out = unary(_core.table.softplus_f32, x, beta, threshold)
    return reference.softplus(x, beta, threshold) if out is None else out


# --- Fused backwards -------------------------------------------------------------------------


def log_backward(g, x):
    result = binary(_core.table.log_backward_f32, g, x, 0, 0)
    return reference.log_backward(g, x) if result is None else result


def tanh_backward(g, out):
    result = binary(_core.table.tanh_backward_f32, g, out, 0, 0)
    return reference.tanh_backward(g, out) if result is None else result


def sigmoid_backward(g, out):
    result = binary(_core.table.sigmoid_backward_f32, g, out, 0, 0)
    return reference.sigmoid_backward(g, out) if result is None else result


def relu_backward(g, out):
    result = binary(_core.table.relu_backward_f32, g, out, 0, 0)
    return reference.relu_backward(g, out) if result is None else result


def silu_backward(g, x):
    result = binary(_core.table.silu_backward_f32, g, x, 0, 0)
    return reference.silu_backward(g, x) if result is None else result


def leaky_relu_backward(g, x, negative_slope):
    out = binary(_core.table.leaky_relu_backward_f32, g, x, negative_slope, 0)
    return reference.leaky_relu_backward(g, x, negative_slope) if out is None else out


def elu_backward(g, x, alpha):
    out = binary(_core.table.elu_backward_f32, g, x, alpha, 0)
    return reference.elu_backward(g, x, alpha) if out is None else out


def gelu_backward(g, x, approximate):
    kernel = _core.table.gelu_backward_f32
    if approximate == "tanh":
        kernel = _core.table.gelu_tanh_backward_f32
    out = binary(kernel, g, x, 0, 0)
    return reference.gelu_backward(g, x, approximate) if out is None else out


def softplus_backward(g, x, beta, threshold):
    out = binary(_core.table.softplus_backward_f32, g, x, beta, threshold)
    return reference.softplus_backward(g, x, beta, threshold) if out is None else out


def hardtanh_backward(g, x, low, high):
    out = binary(_core.table.hardtanh_backward_f32, g, x, low, high)
    return reference.hardtanh_backward(g, x, low, high) if out is None else out


def matches(a, b):
    out = binary(_core.table.matches_f32, a, b, 0, 0)
    return reference.matches(a, b) if out is None else out


# --- Comparison and choice -------------------------------------------------------------------


def equal(a, b):
    out = compare(_core.table.equal_f32, a, b)
    return reference.equal(a, b) if out is None else out


def not_equal(a, b):
    out = compare(_core.table.not_equal_f32, a, b)
    return reference.not_equal(a, b) if out is None else out


def less(a, b):
    out = compare(_core.table.less_f32, a, b)
    return reference.less(a, b) if out is None else out


def less_equal(a, b):
    out = compare(_core.table.less_equal_f32, a, b)
    return reference.less_equal(a, b) if out is None else out


def greater(a, b):
    out = compare(_core.table.less_f32, b, a)
    return reference.greater(a, b) if out is None else out


def greater_equal(a, b):
    out = compare(_core.table.less_equal_f32, b, a)
    return reference.greater_equal(a, b) if out is None else out


def where(condition, a, b):
    out = choose(condition, a, b)
    return reference.where(condition, a, b) if out is None else out
