"""Comparison, logic, bits and choice: where numbers become truths, and truths choose numbers.

Operands broadcast as in NumPy. Only ``where`` has a gradient.
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..engine.operation import Op
from ..kernels.reference.checks import of_real_numbers
from .annotations import ArrayLike, Tensor
from .batching import elementwise as over_lanes
from .declared import op

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "signbit",
    "where",
]

# --- Comparison: no gradient -----------------------------------------------------------------


@op(kernel=kernels.equal)
def equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a = b, as a tensor of bool."""


@op(kernel=kernels.not_equal)
def not_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a ≠ b, as a tensor of bool."""


@op(kernel=kernels.less)
def less(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a < b, as a tensor of bool."""


@op(kernel=kernels.less_equal)
def less_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a ≤ b, as a tensor of bool."""


@op(kernel=kernels.greater)
def greater(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a > b, as a tensor of bool."""


@op(kernel=kernels.greater_equal)
def greater_equal(a: ArrayLike, b: ArrayLike) -> Tensor:
    """a ≥ b, as a tensor of bool."""


# --- Truth -----------------------------------------------------------------------------------


@op(kernel=kernels.logical_and)
def logical_and(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Whether both are true (not 0)."""


@op(kernel=kernels.logical_or)
def logical_or(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Whether one is true (not 0)."""


@op(kernel=kernels.logical_xor)
def logical_xor(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Whether exactly one is true (not 0)."""


@op(kernel=kernels.logical_not)
def logical_not(x: ArrayLike) -> Tensor:
    """Whether x is false (0)."""


# --- Bits ------------------------------------------------------------------------------------


@op(kernel=kernels.bitwise_and)
def bitwise_and(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The bits that both integers have; of bools, whether both are true."""


@op(kernel=kernels.bitwise_or)
def bitwise_or(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The bits that one of two integers has; of bools, whether one is true."""


@op(kernel=kernels.bitwise_xor)
def bitwise_xor(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The bits that exactly one of two integers has; of bools, whether exactly one is true."""


@op(kernel=kernels.bitwise_invert)
def bitwise_invert(x: ArrayLike) -> Tensor:
    """The bits that an integer has not; of bools, whether x is false."""


@op
def bitwise_left_shift(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The bits of the integer a moved b places to the left: a · 2ᵇ."""
    return np.left_shift(a, b)


@op
def bitwise_right_shift(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The bits of the integer a moved b places to the right: ⌊a / 2ᵇ⌋."""
    return np.right_shift(a, b)


# --- Kinds of numbers ------------------------------------------------------------------------


@op(kernel=kernels.isnan)
def isnan(x: ArrayLike) -> Tensor:
    """Whether x is NaN."""


@op(kernel=kernels.isinf)
def isinf(x: ArrayLike) -> Tensor:
    """Whether x is infinite."""


@op(kernel=kernels.isfinite)
def isfinite(x: ArrayLike) -> Tensor:
    """Whether x is neither infinite nor NaN."""


@op
def signbit(x: ArrayLike) -> Tensor:
    """Whether the sign bit is set: of negative numbers, −0 and some NaNs."""
    return np.signbit(x)


@op
def isneginf(x: ArrayLike) -> Tensor:
    """Whether x is −∞."""
    return _is(x, -math.inf)


@op
def isposinf(x: ArrayLike) -> Tensor:
    """Whether x is ∞."""
    return _is(x, math.inf)


@of_real_numbers
def _is(x, infinity):
    return kernels.equal(x, infinity)


@op
def isreal(x: ArrayLike) -> Tensor:
    """Whether the imaginary part of x is 0."""
    return np.isreal(x)


@op
def isclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> Tensor:
    """Whether |a − b| ≤ atol + rtol |b|, or both are the same infinity; with ``equal_nan`` also
    whether both are NaN.

    >>> import tinytensor as tt
    >>> tt.isclose(tt.tensor([1.0, 2.0]), tt.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    return np.isclose(a, b, rtol, atol, equal_nan)


# --- Choice ----------------------------------------------------------------------------------


@op
def where(condition: ArrayLike, a: ArrayLike, b: ArrayLike) -> Tensor:
    """a where the condition is true, otherwise b.

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

for _op in [one for one in vars().values() if isinstance(one, Op)]:
    _op.batched(over_lanes)
