"""Arithmetic, signs, rounding, extremes and bounds, element by element.

Operands broadcast as in NumPy; Python numbers take the dtype of the tensor beside them. At a kink
the gradient is PyTorch's: 0 for abs at 0, and half for each of two equal operands of maximum and
minimum (docs/hard_points.md has all such points, with reasons).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..dtypes import finfo, is_complex, is_floating
from ..engine.operation import Op
from ..errors import DtypeError
from ..kernels.reference.checks import of_real_numbers
from ..kernels.reference.promotion import mixing
from .annotations import ArrayLike, Tensor
from .batching import elementwise as over_lanes
from .complex_numbers import complex, conj, conjugate_if_complex, imag, real
from .composed import composed, computed
from .declared import op
from .logic import (
    equal,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    where,
)
from .spelling import with_settings

__all__ = [
    "abs",
    "add",
    "addcdiv",
    "addcmul",
    "ceil",
    "clip",
    "copysign",
    "divide",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "frexp",
    "gcd",
    "heaviside",
    "lcm",
    "ldexp",
    "lerp",
    "maximum",
    "minimum",
    "multiply",
    "nan_to_num",
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
    """a + b, or a + alpha · b."""


add.grad(a=lambda g: g, b=lambda g: g)


@op(kernel=kernels.subtract)
def subtract(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a − b, or a − alpha · b."""


subtract.grad(a=lambda g: g, b=lambda g: -g)


@op(kernel=kernels.multiply)
def multiply(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a · b."""


multiply.grad(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op(kernel=kernels.divide)
def divide(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc" rounded
    towards 0, both of the dtype of a and b and with a gradient of 0."""


divide.grad(a=lambda g, b: g / b, b=lambda g, b, out: -(g * (out / b)))


@op
def _add_times(a: ArrayLike, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor:
    return kernels.add(a, kernels.multiply(alpha, b))


@op
def _subtract_times(a: ArrayLike, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor:
    return kernels.subtract(a, kernels.multiply(alpha, b))


@op
def _divide_to_whole(a: ArrayLike, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode == "floor":
        return kernels.floor_divide(a, b)
    if rounding_mode is None:
        return kernels.divide(a, b)
    if rounding_mode != "trunc":
        raise ValueError(
            f"divide: rounding_mode is 'floor', 'trunc' or None, not {rounding_mode!r}"
        )
    if np.result_type(a, b).kind not in "iu":
        return np.trunc(kernels.divide(a, b))
    whole = kernels.floor_divide(a, b)  # below 0 one more, unless nothing is left
    return whole + ((whole < 0) & (kernels.multiply(whole, b) != a))


_add_times.grad(
    a=lambda g: g, b=lambda g, alpha: multiply(g, alpha), alpha=lambda g, b: multiply(g, b)
)
_subtract_times.grad(
    a=lambda g: g, b=lambda g, alpha: -multiply(g, alpha), alpha=lambda g, b: -multiply(g, b)
)
_divide_to_whole.grad(
    a=lambda g, b, rounding_mode: g / b if rounding_mode is None else _no_slope(g),
    b=lambda g, b, out, rounding_mode: -(g * (out / b)) if rounding_mode is None else _no_slope(g),
)
with_settings(add, _add_times)
with_settings(subtract, _subtract_times)
with_settings(divide, _divide_to_whole)


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


@partial(mixing, floating=True)
def _between(a, b, weight):
    step = kernels.subtract(b, a)
    near = np.abs(weight) < 0.5  # from the nearer end, so that both ends are exact
    if near.ndim == 0:
        if near:
            return kernels.add(a, kernels.multiply(weight, step))
        return kernels.subtract(b, kernels.multiply(1 - weight, step))
    return np.where(near, a + weight * step, b - (1 - weight) * step)


@op(kernel=_between)
def lerp(a: ArrayLike, b: ArrayLike, weight: ArrayLike) -> Tensor:
    """a + weight (b − a): a where the weight is 0, b where it is 1.

    >>> import tinytensor as tt
    >>> tt.lerp(tt.tensor([0.0, 10.0]), tt.tensor([4.0, 20.0]), 0.5)
    tensor([ 2., 15.])
    """


lerp.grad(
    a=lambda g, weight: g * (1 - weight),
    b=lambda g, weight: g * weight,
    weight=lambda g, a, b: g * subtract(b, a),
)


@computed
def addcmul(x: ArrayLike, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
    """x + value · tensor1 · tensor2, element by element."""
    return add(x, _times(value, multiply(tensor1, tensor2)))


@computed
def addcdiv(x: ArrayLike, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
    """x + value · tensor1 / tensor2, element by element."""
    return add(x, _times(value, divide(tensor1, tensor2)))


def _times(value: Any, x: Any) -> Any:
    return x if type(value) in (int, float) and value == 1 else multiply(value, x)


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
    """The nearest whole number, halves to even; with ``decimals`` the nearest of so many digits
    behind the point, or of zeros before it. The gradient is 0."""


@op
def _round_to(x: ArrayLike, decimals: int = 0) -> Tensor:
    if type(decimals) is not int:
        raise DtypeError(f"round: decimals must be an integer, not {decimals!r}")
    return np.asarray(np.round(x, decimals))


round.grad(x=_no_slope)
_round_to.grad(x=_no_slope)
with_settings(round, _round_to)


@op
def trunc(x: ArrayLike) -> Tensor:
    """The nearest whole number towards 0. The gradient is 0."""
    return np.trunc(x)


trunc.grad(x=_no_slope)


@computed
def frac(x: ArrayLike) -> Tensor:
    """What is behind the point, x − trunc x, which has the sign of x. Its gradient is g.

    >>> import tinytensor as tt
    >>> tt.frac(tt.tensor([1.5, -2.25]))
    tensor([ 0.5 , -0.25])
    """
    return subtract(x, trunc(x))


@op(kernel=mixing(np.fmod))
def fmod(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a − b trunc(a / b), which has the sign of a.

    >>> import tinytensor as tt
    >>> tt.fmod(tt.tensor([-1.0, 5.0]), 3.0)
    tensor([-1.,  2.])
    """


fmod.grad(
    a=lambda g, out: where(isnan(out), np.nan, g),
    b=lambda g, a, b, out: -(g * round(divide(subtract(a, out), b))),
)


@op(kernel=mixing(np.heaviside, floating=True))
def heaviside(x: ArrayLike, values: ArrayLike) -> Tensor:
    """0 where x is negative, 1 where it is positive, and otherwise ``values``. By x the gradient is
    0."""


heaviside.grad(x=_no_slope, values=lambda g, x: where(equal(x, 0), g, 0.0))


@op
def gcd(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The greatest common divisor of integers, ≥ 0."""
    return np.gcd(a, b)


@op
def lcm(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The least common multiple of integers, ≥ 0."""
    return np.lcm(a, b)


@partial(mixing, floating=True)
def _scaled(a, b):
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        return kernels.multiply(a, kernels.exp2(b))
    dtype = np.result_type(a, b)
    a, b = np.asarray(a, dtype), np.asarray(b, dtype)
    with np.errstate(invalid="ignore"):
        whole = np.rint(b)
        rest = np.where(np.isinf(b), 0, b - whole)  # of most b 0: then the result is exact
        scaled = np.ldexp(a, np.clip(whole, -20000, 20000).astype(np.int32))
        return scaled * np.exp2(rest).astype(dtype)


@op(kernel=_scaled)
def ldexp(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a · 2ᵇ, exact where b is a whole number. Gradient: g 2ᵇ by a, g a 2ᵇ log 2 by b."""


ldexp.grad(a=lambda g, b: ldexp(g, b), b=lambda g, out: g * (out * math.log(2)))


@op
def _exponent(x):
    """The whole e with 0.5 ≤ |x| / 2ᵉ < 1; 0 of 0, infinities and NaN."""
    return np.asarray(np.frexp(x)[1])


class MantissaExponent(NamedTuple):
    """m and e with m · 2ᵉ = x."""

    mantissa: Tensor
    exponent: Tensor


@computed
def frexp(x: ArrayLike) -> MantissaExponent:
    """x as m · 2ᵉ, 0.5 ≤ |m| < 1 or m = x, and e an integer. Gradient: by m, g 2⁻ᵉ.

    >>> import tinytensor as tt
    >>> tt.frexp(tt.tensor([6.0, -0.25]))
    MantissaExponent(mantissa=tensor([ 0.75, -0.5 ]), exponent=tensor([ 3, -1], dtype=int32))
    """
    exponent = _exponent(x)
    return MantissaExponent(ldexp(x, negative(exponent)), exponent)


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


@op(kernel=mixing(of_real_numbers(np.fmax)))
def fmax(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The larger of a and b; where one is NaN, the other. Equal operands get half the gradient
    each."""


@op(kernel=mixing(of_real_numbers(np.fmin)))
def fmin(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The smaller of a and b; where one is NaN, the other. Equal operands get half the gradient
    each."""


def _loses(a, b, beside):
    return logical_or(beside(a, b), logical_and(isnan(a), logical_not(isnan(b))))


fmax.grad(
    a=lambda g, a, b: _share(g, _loses(a, b, less), equal(a, b)),
    b=lambda g, a, b: _share(g, _loses(b, a, less), equal(a, b)),
)
fmin.grad(
    a=lambda g, a, b: _share(g, _loses(a, b, greater), equal(a, b)),
    b=lambda g, a, b: _share(g, _loses(b, a, greater), equal(a, b)),
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


@composed
def nan_to_num(
    x: ArrayLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """x with ``nan`` for NaN, and the largest and the smallest finite number of its dtype, or what
    is given, for infinities. Gradient: g, and 0 where x was replaced.

    >>> import tinytensor as tt
    >>> tt.nan_to_num(tt.tensor([float("nan"), 1.0, float("inf")]), posinf=9.0)
    tensor([0., 1., 9.])
    """
    if is_complex(x):
        parts = (nan_to_num(part, nan, posinf, neginf) for part in (real(x), imag(x)))
        return complex(*parts)
    if not is_floating(x):
        return positive(x)
    limits = finfo(x.dtype)
    return _finite(
        x, nan, limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
    )


@op
def _finite(x, nan, posinf, neginf):
    return np.asarray(np.nan_to_num(x, True, nan, posinf, neginf))


_finite.grad(x=lambda g, x: where(isfinite(x), g, 0.0))

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
