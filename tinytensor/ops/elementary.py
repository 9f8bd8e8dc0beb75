"""The standard's other element-wise functions; all but logarithms are computed by NumPy."""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..operation import Op, op
from .batching import elementwise as over_lanes
from .elementwise import equal, isinf, logical_and, rsqrt, sigmoid, sign, where

__all__ = [
    "acosh",
    "asinh",
    "atan2",
    "atanh",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "copysign",
    "hypot",
    "log2",
    "log10",
    "logaddexp",
    "nextafter",
    "positive",
    "signbit",
    "trunc",
]

# --- Signs, bits and neighbours ---------------------------------------------------------------


@op
def positive(x):
    """+x, a copy."""
    return np.array(x)


positive.grad(x=lambda g: g)


@op
def trunc(x):
    """The nearest whole number towards 0. The gradient is 0."""
    return np.trunc(x)


trunc.grad(x=lambda g: where(False, g, 0.0))


@op
def copysign(a, b):
    """|a| with the sign of b. By a the gradient is 0 at 0; by b it is 0."""
    return np.copysign(a, b)


copysign.grad(a=lambda g, a, b: g * (sign(a) * copysign(1.0, b)), b=None)


@op
def signbit(x):
    """Whether the sign bit is set: of negative numbers, −0 and some NaNs."""
    return np.signbit(x)


@op
def nextafter(a, b):
    """The floating point number next to a, towards b. It has no gradient."""
    return np.nextafter(a, b)


@op
def bitwise_left_shift(a, b):
    """The bits of the integer a moved b places to the left: a · 2ᵇ."""
    return np.left_shift(a, b)


@op
def bitwise_right_shift(a, b):
    """The bits of the integer a moved b places to the right: ⌊a / 2ᵇ⌋."""
    return np.right_shift(a, b)


# --- Logarithms and lengths -------------------------------------------------------------------


@op(kernel=kernels.log2)
def log2(x):
    """The logarithm to base 2."""


log2.grad(x=lambda g, x: g / (x * math.log(2)))


@op(kernel=kernels.log10)
def log10(x):
    """The logarithm to base 10."""


log10.grad(x=lambda g, x: g / (x * math.log(10)))


@op
def logaddexp(a, b):
    """log(eᵃ + eᵇ), without overflow."""
    return np.logaddexp(a, b)


def _weight(a, b):
    """eᵃ / (eᵃ + eᵇ), a half where both are the same infinity."""
    return sigmoid(where(logical_and(equal(a, b), isinf(a)), 0.0, a - b))


logaddexp.grad(a=lambda g, a, b: g * _weight(a, b), b=lambda g, a, b: g * _weight(b, a))


@op
def hypot(a, b):
    """√(a² + b²), without overflow; the gradient at 0 is 0."""
    return np.hypot(a, b)


def _share_of(a, length):
    """a / length, and 0, with all derivatives, where the length is 0."""
    none = equal(length, 0)
    return where(none, 0.0, a / where(none, 1.0, length))


hypot.grad(a=lambda g, a, out: g * _share_of(a, out), b=lambda g, b, out: g * _share_of(b, out))

# --- Trigonometry and hyperbolic functions ----------------------------------------------------


@op
def atan2(a, b):
    """The angle in (−π, π] of the point with ordinate a and abscissa b; the gradient at 0 is 0."""
    return np.arctan2(a, b)


def _turned_by(a, b):
    """a / (a² + b²), without overflow."""
    length = hypot(a, b)
    return _share_of(_share_of(a, length), length)


atan2.grad(a=lambda g, a, b: g * _turned_by(b, a), b=lambda g, a, b: -g * _turned_by(a, b))


@op
def asinh(x):
    """The inverse hyperbolic sine."""
    return np.arcsinh(x)


asinh.grad(x=lambda g, x: g * rsqrt(1 + x * x))


@op
def acosh(x):
    """The inverse hyperbolic cosine; NaN below 1."""
    return np.arccosh(x)


acosh.grad(x=lambda g, x: g * (rsqrt(x - 1) * rsqrt(x + 1)))


@op
def atanh(x):
    """The inverse hyperbolic tangent; NaN outside [−1, 1]."""
    return np.arctanh(x)


atanh.grad(x=lambda g, x: g / (1 - x * x))

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
