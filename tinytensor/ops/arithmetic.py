"""Arithmetic, signs, rounding, extremes and bounds, element by element.

Operands broadcast as in NumPy; Python numbers take the dtype of the tensor beside them. At a kink
the gradient is PyTorch's: 0 for abs at 0, and half for each of two equal operands of maximum and
minimum (docs/hard_points.md has all such points, with reasons).
"""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..dtypes import is_complex
from ..engine.operation import Op
from ..kernels.reference.promotion import mixing
from .annotations import ArrayLike, Tensor
from .batching import elementwise as over_lanes
from .complex_numbers import conj, conjugate_if_complex, real
from .declared import op
from .logic import equal, greater, greater_equal, isnan, less, less_equal, logical_or, where

__all__ = [
    "abs",
    "add",
    "ceil",
    "clip",
    "copysign",
    "divide",
    "floor",
    "floor_divide",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "positive",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "square",
    "subtract",
    "trunc",
]

# --- Sums, products, quotients ---------------------------------------------------------------


@op(kernel=kernels.add)
def add(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a + b."""


add.grad(a=lambda g: g, b=lambda g: g)


@op(kernel=kernels.subtract)
def subtract(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a − b."""


subtract.grad(a=lambda g: g, b=lambda g: -g)


@op(kernel=kernels.multiply)
def multiply(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a · b."""


multiply.grad(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op(kernel=kernels.divide)
def divide(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a / b."""


divide.grad(a=lambda g, b: g / b, b=lambda g, b, out: -(g * (out / b)))


@op
def positive(x: ArrayLike) -> Tensor:
    """+x, a copy."""
    return np.array(x)


positive.grad(x=lambda g: g)


@op(kernel=kernels.negative)
def negative(x: ArrayLike) -> Tensor:
    """−x."""


negative.grad(x=lambda g: -g)


@op(kernel=kernels.square)
def square(x: ArrayLike) -> Tensor:
    """x²."""


square.grad(x=lambda g, x: g * (2 * x))


@op(kernel=kernels.reciprocal)
def reciprocal(x: ArrayLike) -> Tensor:
    """1 / x."""


reciprocal.grad(x=lambda g, out: -(g * (out * out)))

# --- Signs -----------------------------------------------------------------------------------


@op(kernel=kernels.absolute)
def abs(x: ArrayLike) -> Tensor:
    """|x|; the gradient at 0 is 0."""


def _no_slope(g):
    """The cotangent of what a flat map takes: zeros of the shape of g."""
    return where(False, g, 0.0)


abs.grad(x=lambda g, x: g * conjugate_if_complex(sign(x)))


@op(kernel=kernels.sign, notes={"turning": lambda x: x if is_complex(x) else None})
def sign(x: ArrayLike) -> Tensor:
    """−1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is 0.

    Of a complex number, x / |x|, or 0.
    """


def _sign_to_x(g, turning):
    if turning is None:
        return _no_slope(g)
    x, out = turning, sign(turning)
    zero = equal(x, 0)
    across = g - conj(out) * real(g * out)  # the part that turns x; |x| is no matter
    return where(zero, 0.0, across / where(zero, 1.0, abs(x)))


sign.grad(x=_sign_to_x)


@op(kernel=mixing(np.copysign, floating=True))
def copysign(a: ArrayLike, b: ArrayLike) -> Tensor:
    """|a| with the sign of b. By a the gradient is 0 at 0; by b it is 0."""


copysign.grad(a=lambda g, a, b: g * (sign(a) * copysign(1.0, b)), b=None)

# --- Rounding: the gradient is 0 -------------------------------------------------------------


@op(kernel=kernels.floor_divide)
def floor_divide(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The largest whole number ≤ a / b, at infinities too. The gradient is 0.

    >>> import tinytensor as tt
    >>> tt.floor_divide(tt.tensor([7.0, -7.0, float("inf")]), 2.0)
    tensor([ 3., -4., inf])
    """


floor_divide.grad(a=_no_slope, b=_no_slope)


@op(kernel=kernels.remainder)
def remainder(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a − b ⌊a / b⌋, which has the sign of b.

    >>> import tinytensor as tt
    >>> tt.remainder(tt.tensor([-1.0, 5.0]), 3.0)
    tensor([2., 2.])
    """


remainder.grad(
    a=lambda g, out: where(isnan(out), np.nan, g),  # beside 0, and of infinity, it has no value
    b=lambda g, a, b: -(g * floor_divide(a, b)),
)


@op(kernel=kernels.floor)
def floor(x: ArrayLike) -> Tensor:
    """The largest whole number ≤ x. The gradient is 0."""


floor.grad(x=_no_slope)


@op(kernel=kernels.ceil)
def ceil(x: ArrayLike) -> Tensor:
    """The smallest whole number ≥ x. The gradient is 0."""


ceil.grad(x=_no_slope)


@op(kernel=kernels.rint)
def round(x: ArrayLike) -> Tensor:
    """The nearest whole number, halves to even. The gradient is 0."""


round.grad(x=_no_slope)


@op
def trunc(x: ArrayLike) -> Tensor:
    """The nearest whole number towards 0. The gradient is 0."""
    return np.trunc(x)


trunc.grad(x=_no_slope)


@op(kernel=mixing(np.nextafter, floating=True))
def nextafter(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The floating point number next to a, towards b. The gradient goes to a where a ≠ b."""


nextafter.grad(a=lambda g, a, b: where(equal(a, b), 0.0, g), b=None)


# --- Extremes and bounds ---------------------------------------------------------------------


@op(kernel=kernels.maximum)
def maximum(a: ArrayLike, b: ArrayLike) -> Tensor:
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
def minimum(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of a and b; NaN if either is. Equal operands get half the gradient each; beside
    a NaN both get all of it."""


minimum.grad(
    a=lambda g, a, b: _share(g, greater(a, b), equal(a, b)),
    b=lambda g, a, b: _share(g, greater(b, a), equal(a, b)),
)


@op
def clip(x: ArrayLike, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
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
