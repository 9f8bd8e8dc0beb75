"""Exponentials, logarithms, powers, roots, trigonometric and hyperbolic functions, erf.

Where a number is outside of an op's domain the value is NaN, and so are the derivatives of every
order. The formula of a derivative has values in more places (1 / x below 0), which would hide it.
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..dtypes import complex128, float64, is_complex
from ..engine.operation import Op
from ..kernels.reference.promotion import mixing
from .annotations import ArrayLike, Tensor
from .arithmetic import _no_slope
from .batching import elementwise as over_lanes
from .complex_numbers import complex, imag, real
from .composed import composed, computed
from .declared import op
from .logic import equal, greater_equal, isinf, logical_and, where
from .precision import cast

__all__ = [
    "acos",
    "acosh",
    "angle",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "exp",
    "expm1",
    "float_power",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "polar",
    "pow",
    "rad2deg",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]

# --- Exponentials and logarithms -------------------------------------------------------------


@op(kernel=kernels.exp)
def exp(x: ArrayLike) -> Tensor:
    """eˣ."""


exp.grad(x=lambda g, out: g * out)


@op(kernel=kernels.expm1)
def expm1(x: ArrayLike) -> Tensor:
    """eˣ − 1, exact also near 0."""


expm1.grad(x=lambda g, out: g * (out + 1))


@op(kernel=kernels.log)
def log(x: ArrayLike) -> Tensor:
    """The natural logarithm; −inf at 0, NaN below."""


log.grad(x=lambda g, x: log_backward(g, x))


@op(kernel=kernels.log_backward)
def log_backward(g, x):
    """g / x: the cotangent of x from that of log x; NaN below 0."""


log_backward.grad(g=lambda c, x: log_backward(c, x), x=lambda c, x, out: -log_backward(c * out, x))


@op(kernel=kernels.log1p)
def log1p(x: ArrayLike) -> Tensor:
    """log(1 + x), exact also near 0."""


log1p.grad(x=lambda g, x: log_backward(g, 1 + x))


@op(kernel=kernels.log2)
def log2(x: ArrayLike) -> Tensor:
    """The logarithm to base 2."""


log2.grad(x=lambda g, x: log_backward(g, x * math.log(2)))


@op(kernel=kernels.log10)
def log10(x: ArrayLike) -> Tensor:
    """The logarithm to base 10."""


log10.grad(x=lambda g, x: log_backward(g, x * math.log(10)))


@op(kernel=mixing(np.logaddexp, floating=True))
def logaddexp(a: ArrayLike, b: ArrayLike) -> Tensor:
    """log(eᵃ + eᵇ), without overflow."""


def _weight(a, b):
    """eᵃ / (eᵃ + eᵇ), a half where both are the same infinity."""
    return sigmoid(where(logical_and(equal(a, b), isinf(a)), 0.0, a - b))


logaddexp.grad(a=lambda g, a, b: g * _weight(a, b), b=lambda g, a, b: g * _weight(b, a))

# --- Powers, roots and lengths ---------------------------------------------------------------


@op(kernel=kernels.power)
def pow(a: ArrayLike, b: ArrayLike) -> Tensor:
    """aᵇ. By a the gradient is b aᵇ⁻¹, 0 where b is 0; by b it is aᵇ log a, 0 where a is 0 ≤ b.

    >>> import tinytensor as tt
    >>> tt.pow(tt.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """


def _pow_by_base(g, a, b):
    if isinstance(b, int | float):
        if b == 0:
            return _no_slope(g)
        return 0.5 * g / sqrt(a) if b == 0.5 else g * (b * pow(a, b - 1))
    constant = equal(b, 0)
    b = where(constant, 1.0, b)  # where the derivative is 0, no 0⁻¹ is to be met on the way
    return where(constant, 0.0, g * (b * pow(a, b - 1)))


def _pow_by_exponent(g, a, b, out):
    if isinstance(a, int | float) and a > 0:
        return g * (out * math.log(a))
    constant = logical_and(equal(a, 0), greater_equal(b, 0))
    return g * (out * log(where(constant, 1.0, a)))


pow.grad(a=_pow_by_base, b=_pow_by_exponent)


@composed
def float_power(a: ArrayLike, b: ArrayLike) -> Tensor:
    """aᵇ in double precision, whatever the dtypes are. Gradients as of :func:`pow`."""
    return pow(cast(a, complex128 if is_complex(a) else float64), b)


@op(kernel=kernels.sqrt)
def sqrt(x: ArrayLike) -> Tensor:
    """√x; NaN below 0."""


sqrt.grad(x=lambda g, out: 0.5 * g / out)


@op(kernel=kernels.rsqrt)
def rsqrt(x: ArrayLike) -> Tensor:
    """1 / √x."""


rsqrt.grad(x=lambda g, out: -0.5 * g * (out * out * out))


@op(kernel=mixing(np.hypot, floating=True))
def hypot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """√(a² + b²), without overflow; the gradient at 0 is 0."""


def _share_of(a, length):
    """a / length, and 0, with all derivatives, where the length is 0."""
    none = equal(length, 0)
    return where(none, 0.0, a / where(none, 1.0, length))


hypot.grad(a=lambda g, a, out: g * _share_of(a, out), b=lambda g, b, out: g * _share_of(b, out))

# --- Trigonometry: angles in radians ---------------------------------------------------------


@op(kernel=kernels.sin)
def sin(x: ArrayLike) -> Tensor:
    """The sine."""


sin.grad(x=lambda g, x: g * cos(x))


@op(kernel=kernels.cos)
def cos(x: ArrayLike) -> Tensor:
    """The cosine."""


cos.grad(x=lambda g, x: -(g * sin(x)))


@op(kernel=kernels.tan)
def tan(x: ArrayLike) -> Tensor:
    """The tangent."""


tan.grad(x=lambda g, out: g * (1 + out * out))


@op(kernel=kernels.asin)
def asin(x: ArrayLike) -> Tensor:
    """The inverse sine; NaN outside [−1, 1]."""


asin.grad(x=lambda g, x: g * rsqrt(1 - x * x))


@op(kernel=kernels.acos)
def acos(x: ArrayLike) -> Tensor:
    """The inverse cosine; NaN outside [−1, 1]."""


acos.grad(x=lambda g, x: -(g * rsqrt(1 - x * x)))


@op(kernel=kernels.atan)
def atan(x: ArrayLike) -> Tensor:
    """The inverse tangent."""


atan.grad(x=lambda g, x: g / (1 + x * x))


@op(kernel=mixing(np.arctan2, floating=True))
def atan2(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The angle in (−π, π] of the point with ordinate a and abscissa b; the gradient at 0 is 0."""


def _turned_by(a, b):
    """a / (a² + b²), without overflow."""
    length = hypot(a, b)
    return _share_of(_share_of(a, length), length)


atan2.grad(a=lambda g, a, b: g * _turned_by(b, a), b=lambda g, a, b: -g * _turned_by(a, b))


@composed
def deg2rad(x: ArrayLike) -> Tensor:
    """x π / 180: degrees in radians."""
    return x * (math.pi / 180)


@composed
def rad2deg(x: ArrayLike) -> Tensor:
    """x 180 / π: radians in degrees."""
    return x * (180 / math.pi)


@computed
def angle(x: ArrayLike) -> Tensor:
    """The angle of a complex number in (−π, π], in radians; of a real one, 0 or π. The gradient
    at 0 is 0.

    >>> import tinytensor as tt
    >>> tt.angle(tt.tensor([1j, -2.0]))
    tensor([1.5707964, 3.1415927])
    """
    return atan2(imag(x), real(x))


@computed
def polar(r: ArrayLike, angle: ArrayLike) -> Tensor:
    """The complex number with the absolute value r and the angle in radians: r (cos + i sin)."""
    return complex(r * cos(angle), r * sin(angle))


# --- Hyperbolic functions --------------------------------------------------------------------


@op(kernel=kernels.sinh)
def sinh(x: ArrayLike) -> Tensor:
    """(eˣ − e⁻ˣ) / 2."""


sinh.grad(x=lambda g, x: g * cosh(x))


@op(kernel=kernels.cosh)
def cosh(x: ArrayLike) -> Tensor:
    """(eˣ + e⁻ˣ) / 2."""


cosh.grad(x=lambda g, x: g * sinh(x))


@op(kernel=kernels.tanh)
def tanh(x: ArrayLike) -> Tensor:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""


tanh.grad(x=lambda g, out: tanh_backward(g, out))


@op(kernel=kernels.tanh_backward)
def tanh_backward(g, y):
    """g (1 − y²): the cotangent of x from that of y = tanh x."""


tanh_backward.defined_by(lambda g, y: g * (1 - y * y))


@op(kernel=mixing(np.arcsinh, floating=True))
def asinh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic sine."""


asinh.grad(x=lambda g, x: g * rsqrt(1 + x * x))


@op(kernel=mixing(np.arccosh, floating=True))
def acosh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic cosine; NaN below 1."""


acosh.grad(x=lambda g, x: g * (rsqrt(x - 1) * rsqrt(x + 1)))


@op(kernel=mixing(np.arctanh, floating=True))
def atanh(x: ArrayLike) -> Tensor:
    """The inverse hyperbolic tangent; NaN outside [−1, 1]."""


atanh.grad(x=lambda g, x: log_backward(g, 1 - x * x))

# --- The error function and the logistic one -------------------------------------------------


@op(kernel=kernels.erf)
def erf(x: ArrayLike) -> Tensor:
    """The error function, 2/√π ∫₀ˣ exp(−t²) dt."""


erf.grad(x=lambda g, x: g * (2 / math.sqrt(math.pi) * exp(-(x * x))))


@op(kernel=kernels.sigmoid)
def sigmoid(x: ArrayLike) -> Tensor:
    """1 / (1 + e⁻ˣ)."""


sigmoid.grad(x=lambda g, out: sigmoid_backward(g, out))


@op(kernel=kernels.sigmoid_backward)
def sigmoid_backward(g, y):
    """g y (1 − y): the cotangent of x from that of y = sigmoid x."""


sigmoid_backward.defined_by(lambda g, y: g * (y * (1 - y)))

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
