"""Element-wise operations: arithmetic, comparison, elementary functions, activations, choice.

Operands broadcast as in NumPy; Python numbers take the dtype of the tensor beside them. All are
differentiable to any order, but for comparisons and logic. At a kink the gradient is PyTorch's:
0 for abs and relu at 0, and half for each of two equal operands of maximum and minimum
(docs/hard_points.md has all such points, with reasons).
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..operation import Op, op
from .batching import elementwise as over_lanes
from .complex_numbers import conj, conjugate_if_complex, real

__all__ = [
    "abs",
    "acos",
    "add",
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
    "hardtanh",
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
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "pow",
    "reciprocal",
    "relu",
    "relu_backward",
    "remainder",
    "round",
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


@op(kernel=kernels.add)
def add(a, b):
    """a + b."""


add.grad(a=lambda g: g, b=lambda g: g)


@op(kernel=kernels.subtract)
def subtract(a, b):
    """a − b."""


subtract.grad(a=lambda g: g, b=lambda g: -g)


@op(kernel=kernels.multiply)
def multiply(a, b):
    """a · b."""


multiply.grad(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op(kernel=kernels.divide)
def divide(a, b):
    """a / b."""


divide.grad(a=lambda g, b: g / b, b=lambda g, b, out: -(g * (out / b)))


@op(kernel=kernels.floor_divide)
def floor_divide(a, b):
    """The largest whole number ≤ a / b. It has no gradient."""


@op(kernel=kernels.remainder)
def remainder(a, b):
    """a − b ⌊a / b⌋, which has the sign of b.

    >>> import tinytensor as tt
    >>> tt.remainder(tt.tensor([-1.0, 5.0]), 3.0)
    tensor([2., 2.])
    """


remainder.grad(a=lambda g: g, b=lambda g, a, b: -(g * floor_divide(a, b)))


@op(kernel=kernels.power)
def pow(a, b):
    """aᵇ. By a the gradient is b aᵇ⁻¹, 0 where b is 0; by b it is aᵇ log a, 0 where a is 0 ≤ b.

    >>> import tinytensor as tt
    >>> tt.pow(tt.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """


def _no_slope(g):
    """The cotangent of what a flat map takes: zeros of the shape of g."""
    return where(False, g, 0.0)


def _pow_by_base(g, a, b):
    if isinstance(b, int | float):
        return _no_slope(g) if b == 0 else g * (b * pow(a, b - 1))
    constant = equal(b, 0)
    b = where(constant, 1.0, b)  # where the derivative is 0, no 0⁻¹ is to be met on the way
    return where(constant, 0.0, g * (b * pow(a, b - 1)))


def _pow_by_exponent(g, a, b, out):
    if isinstance(a, int | float) and a > 0:
        return g * (out * math.log(a))
    constant = logical_and(equal(a, 0), greater_equal(b, 0))
    return g * (out * log(where(constant, 1.0, a)))


pow.grad(a=_pow_by_base, b=_pow_by_exponent)


@op(kernel=kernels.maximum)
def maximum(a, b):
    """The larger of a and b; NaN if either is. Equal operands get half the gradient each; beside a
    NaN both get all of it."""


def _share(g, loses, ties):
    """g but where this operand loses, half of it where both are equal."""
    return where(ties, 0.5 * g, where(loses, 0.0, g))


maximum.grad(
    a=lambda g, a, b: _share(g, less(a, b), equal(a, b)),
    b=lambda g, a, b: _share(g, less(b, a), equal(a, b)),
)


@op(kernel=kernels.minimum)
def minimum(a, b):
    """The smaller of a and b; NaN if either is. Equal operands get half the gradient each; beside
    a NaN both get all of it."""


minimum.grad(
    a=lambda g, a, b: _share(g, greater(a, b), equal(a, b)),
    b=lambda g, a, b: _share(g, greater(b, a), equal(a, b)),
)


@op(kernel=kernels.negative)
def negative(x):
    """−x."""


negative.grad(x=lambda g: -g)


@op(kernel=kernels.absolute)
def abs(x):
    """|x|; the gradient at 0 is 0."""


abs.grad(x=lambda g, x: g * conjugate_if_complex(sign(x)))


@op(kernel=kernels.sign)
def sign(x):
    """−1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is 0.

    Of a complex number, x / |x|, or 0.
    """


def _sign_to_x(g, x, out):
    if x.dtype.kind != "c":
        return _no_slope(g)
    zero = equal(x, 0)
    across = g - conj(out) * real(g * out)  # the part that turns x; |x| is no matter
    return where(zero, 0.0, across / where(zero, 1.0, abs(x)))


sign.grad(x=_sign_to_x)


@op(kernel=kernels.square)
def square(x):
    """x²."""


square.grad(x=lambda g, x: g * (2 * x))


@op(kernel=kernels.reciprocal)
def reciprocal(x):
    """1 / x."""


reciprocal.grad(x=lambda g, out: -(g * (out * out)))


@op(kernel=kernels.sqrt)
def sqrt(x):
    """√x; NaN below 0."""


sqrt.grad(x=lambda g, out: 0.5 * g / out)


@op(kernel=kernels.rsqrt)
def rsqrt(x):
    """1 / √x."""


rsqrt.grad(x=lambda g, out: -0.5 * g * (out * out * out))


# --- Comparison and logic: no gradient --------------------------------------------------------


@op(kernel=kernels.equal)
def equal(a, b):
    """a = b, as a tensor of bool."""


@op(kernel=kernels.not_equal)
def not_equal(a, b):
    """a ≠ b, as a tensor of bool."""


@op(kernel=kernels.less)
def less(a, b):
    """a < b, as a tensor of bool."""


@op(kernel=kernels.less_equal)
def less_equal(a, b):
    """a ≤ b, as a tensor of bool."""


@op(kernel=kernels.greater)
def greater(a, b):
    """a > b, as a tensor of bool."""


@op(kernel=kernels.greater_equal)
def greater_equal(a, b):
    """a ≥ b, as a tensor of bool."""


@op(kernel=kernels.logical_and)
def logical_and(a, b):
    """Whether both are true (not 0)."""


@op(kernel=kernels.logical_or)
def logical_or(a, b):
    """Whether one is true (not 0)."""


@op(kernel=kernels.logical_xor)
def logical_xor(a, b):
    """Whether exactly one is true (not 0)."""


@op(kernel=kernels.logical_not)
def logical_not(x):
    """Whether x is false (0)."""


@op(kernel=kernels.bitwise_and)
def bitwise_and(a, b):
    """The bits that both integers have; of bools, whether both are true."""


@op(kernel=kernels.bitwise_or)
def bitwise_or(a, b):
    """The bits that one of two integers has; of bools, whether one is true."""


@op(kernel=kernels.bitwise_xor)
def bitwise_xor(a, b):
    """The bits that exactly one of two integers has; of bools, whether exactly one is true."""


@op(kernel=kernels.bitwise_invert)
def bitwise_invert(x):
    """The bits that an integer has not; of bools, whether x is false."""


@op(kernel=kernels.isnan)
def isnan(x):
    """Whether x is NaN."""


@op(kernel=kernels.isinf)
def isinf(x):
    """Whether x is infinite."""


@op(kernel=kernels.isfinite)
def isfinite(x):
    """Whether x is neither infinite nor NaN."""


# --- Rounding: the gradient is 0 --------------------------------------------------------------


@op(kernel=kernels.floor)
def floor(x):
    """The largest whole number ≤ x. The gradient is 0."""


@op(kernel=kernels.ceil)
def ceil(x):
    """The smallest whole number ≥ x. The gradient is 0."""


@op(kernel=kernels.rint)
def round(x):
    """The nearest whole number, halves to even. The gradient is 0."""


floor.grad(x=_no_slope)
ceil.grad(x=_no_slope)
round.grad(x=_no_slope)

# --- Exponentials and logarithms --------------------------------------------------------------


@op(kernel=kernels.exp)
def exp(x):
    """eˣ."""


exp.grad(x=lambda g, out: g * out)


@op(kernel=kernels.expm1)
def expm1(x):
    """eˣ − 1, exact also near 0."""


expm1.grad(x=lambda g, out: g * (out + 1))


@op(kernel=kernels.log)
def log(x):
    """The natural logarithm; −inf at 0, NaN below."""


log.grad(x=lambda g, x: g / x)


@op(kernel=kernels.log1p)
def log1p(x):
    """log(1 + x), exact also near 0."""


log1p.grad(x=lambda g, x: g / (1 + x))

# --- Trigonometry: angles in radians ----------------------------------------------------------


@op(kernel=kernels.sin)
def sin(x):
    """The sine."""


sin.grad(x=lambda g, x: g * cos(x))


@op(kernel=kernels.cos)
def cos(x):
    """The cosine."""


cos.grad(x=lambda g, x: -(g * sin(x)))


@op(kernel=kernels.tan)
def tan(x):
    """The tangent."""


tan.grad(x=lambda g, out: g * (1 + out * out))


@op(kernel=kernels.asin)
def asin(x):
    """The inverse sine; NaN outside [−1, 1]."""


asin.grad(x=lambda g, x: g * rsqrt(1 - x * x))


@op(kernel=kernels.acos)
def acos(x):
    """The inverse cosine; NaN outside [−1, 1]."""


acos.grad(x=lambda g, x: -(g * rsqrt(1 - x * x)))


@op(kernel=kernels.atan)
def atan(x):
    """The inverse tangent."""


atan.grad(x=lambda g, x: g / (1 + x * x))


@op(kernel=kernels.sinh)
def sinh(x):
    """(eˣ − e⁻ˣ) / 2."""


sinh.grad(x=lambda g, x: g * cosh(x))


@op(kernel=kernels.cosh)
def cosh(x):
    """(eˣ + e⁻ˣ) / 2."""


cosh.grad(x=lambda g, x: g * sinh(x))

# --- tanh, sigmoid, erf -----------------------------------------------------------------------


@op(kernel=kernels.tanh)
def tanh(x):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""


@op(kernel=kernels.tanh_backward)
def tanh_backward(g, y):
    """g (1 − y²): the cotangent of x from that of y = tanh x."""


tanh.grad(x=lambda g, out: tanh_backward(g, out))
tanh_backward.defined_by(lambda g, y: g * (1 - y * y))


@op(kernel=kernels.sigmoid)
def sigmoid(x):
    """1 / (1 + e⁻ˣ)."""


@op(kernel=kernels.sigmoid_backward)
def sigmoid_backward(g, y):
    """g y (1 − y): the cotangent of x from that of y = sigmoid x."""


sigmoid.grad(x=lambda g, out: sigmoid_backward(g, out))
sigmoid_backward.defined_by(lambda g, y: g * (y * (1 - y)))


@op(kernel=kernels.erf)
def erf(x):
    """The error function, 2/√π ∫₀ˣ exp(−t²) dt."""


erf.grad(x=lambda g, x: g * (2 / math.sqrt(math.pi) * exp(-(x * x))))

# --- Activations ------------------------------------------------------------------------------


def _check_numbers(**arguments):
    """The parameters of activations are plain numbers: no gradient goes to them."""
    for name, value in arguments.items():
        if not isinstance(value, int | float | np.number):
            raise TypeError(f"{name} must be a number")


@op(kernel=kernels.relu)
def relu(x):
    """max(x, 0); the gradient at 0 is 0."""


@op(kernel=kernels.relu_backward)
def relu_backward(g, y):
    """g where y = relu x is positive, else 0."""


relu.grad(x=lambda g, out: relu_backward(g, out))
relu_backward.grad(g=lambda gg, y: relu_backward(gg, y), y=None)


@op
def leaky_relu(x, negative_slope=0.01):
    """x where x is positive, else ``negative_slope`` x."""
    _check_numbers(negative_slope=negative_slope)
    return kernels.leaky_relu(x, negative_slope)


@op
def leaky_relu_backward(g, x, negative_slope):
    """g where x is positive, else ``negative_slope`` g."""
    _check_numbers(negative_slope=negative_slope)
    return kernels.leaky_relu_backward(g, x, negative_slope)


leaky_relu.grad(x=lambda g, x, negative_slope: leaky_relu_backward(g, x, negative_slope))
leaky_relu_backward.grad(
    g=lambda gg, x, negative_slope: leaky_relu_backward(gg, x, negative_slope), x=None
)


@op
def elu(x, alpha=1.0):
    """x where x is positive, else α (eˣ − 1). Clevert, Unterthiner and Hochreiter, 2016."""
    _check_numbers(alpha=alpha)
    return kernels.elu(x, alpha)


@op
def elu_backward(g, x, alpha):
    """g where x is positive, else g α eˣ."""
    _check_numbers(alpha=alpha)
    return kernels.elu_backward(g, x, alpha)


elu.grad(x=lambda g, x, alpha: elu_backward(g, x, alpha))
elu_backward.defined_by(
    lambda g, x, alpha: g * where(x > 0, 1.0, alpha * exp(where(x > 0, 0.0, x)))
)


@op(kernel=kernels.silu)
def silu(x):
    """x sigmoid x, also called swish. Elfwing, Uchibe and Doya, 2018."""


@op(kernel=kernels.silu_backward)
def silu_backward(g, x):
    """g s (1 + x (1 − s)), s = sigmoid x."""


def _silu_backward(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu.grad(x=lambda g, x: silu_backward(g, x))
silu_backward.defined_by(_silu_backward)


@op
def gelu(x, approximate="none"):
    """x Φ(x), Φ the distribution function of the normal distribution. Hendrycks and Gimpel, 2016.

    ``approximate="tanh"`` takes (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 for Φ.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate must be "none" or "tanh", got {approximate!r}')
    return kernels.gelu(x, approximate)


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


gelu.grad(x=lambda g, x, approximate: gelu_backward(g, x, approximate))
gelu_backward.defined_by(_gelu_backward)


@op
def softplus(x, beta=1.0, threshold=20.0):
    """log(1 + exp(βx)) / β; x itself where βx is above ``threshold``."""
    _check_numbers(beta=beta, threshold=threshold)
    return kernels.softplus(x, beta, threshold)


@op
def softplus_backward(g, x, beta, threshold):
    """g sigmoid(βx); g itself where βx is above ``threshold``."""
    _check_numbers(beta=beta, threshold=threshold)
    return kernels.softplus_backward(g, x, beta, threshold)


softplus.grad(x=lambda g, x, beta, threshold: softplus_backward(g, x, beta, threshold))
softplus_backward.defined_by(
    lambda g, x, beta, threshold: g * where(x * beta > threshold, 1.0, sigmoid(x * beta))
)


@op
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """x into [``min_val``, ``max_val``]; the gradient at and beyond the bounds is 0."""
    _check_numbers(min_val=min_val, max_val=max_val)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return kernels.clip(x, min_val, max_val)


@op
def hardtanh_backward(g, x, min_val, max_val):
    """g where x is strictly between the bounds, else 0."""
    _check_numbers(min_val=min_val, max_val=max_val)
    return kernels.hardtanh_backward(g, x, min_val, max_val)


hardtanh.grad(x=lambda g, x, min_val, max_val: hardtanh_backward(g, x, min_val, max_val))
hardtanh_backward.grad(
    g=lambda gg, x, min_val, max_val: hardtanh_backward(gg, x, min_val, max_val), x=None
)

# --- Choice -----------------------------------------------------------------------------------


@op
def where(condition, a, b):
    """a where the condition is true, else b.

    >>> import tinytensor as tt
    >>> x = tt.tensor([-1.0, 2.0])
    >>> tt.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if type(a) is int or type(b) is int:  # which NumPy makes small without a word
        a, b = _fitting(a, b), _fitting(b, a)
    return kernels.where(condition, a, b)


def _fitting(number, other):
    """A Python integer in the dtype of the integers beside it, or an OverflowError."""
    beside = type(number) is int and isinstance(other, np.ndarray | np.generic)
    return np.asarray(number, other.dtype) if beside and other.dtype.kind in "iu" else number


where.grad(
    condition=None,
    a=lambda g, condition: where(condition, g, 0.0),
    b=lambda g, condition: where(condition, 0.0, g),
)


@op
def clip(x, min=None, max=None):
    """x into [min, max], None being no bound; max where min is above max.

    The gradient goes to x inside the bounds and at them, beyond a bound to that bound.
    """
    return kernels.clip(x, min, max)


def _clip_to_x(g, x, min, max):
    if min is not None:
        g = where(greater_equal(x, min), g, 0.0)
    return g if max is None else where(less_equal(x, max), g, 0.0)


def _clip_to_min(g, x, min, max):
    g = where(less(x, min), g, 0.0)
    return g if max is None else where(less(min, max), g, 0.0)


def _clip_to_max(g, x, min, max):
    beyond = greater(x, max)
    if min is not None:
        beyond = logical_or(beyond, greater(min, max))
    return where(beyond, g, 0.0)


clip.grad(x=_clip_to_x, min=_clip_to_min, max=_clip_to_max)

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
