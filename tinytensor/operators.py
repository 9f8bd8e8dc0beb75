"""The operators of a tensor: each is the op of its name.

They are a class of their own so that a build can compile them: ``x + y`` then goes straight to the
op, without a Python function between.
"""

from __future__ import annotations

from typing import Any

from .engine import Variable
from .ops import (
    abs,
    add,
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    bitwise_xor,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    matmul,
    multiply,
    negative,
    not_equal,
    pow,
    remainder,
    subtract,
)


class Operators(Variable):
    """A variable with the operators of Python's data model."""

    __slots__ = ()

    def __hash__(self) -> int:
        return object.__hash__(self)

    # fmt: off
    def __add__(self, other: Any) -> Any: return add.call((self, other), None)
    def __radd__(self, other: Any) -> Any: return add.call((other, self), None)
    def __sub__(self, other: Any) -> Any: return subtract.call((self, other), None)
    def __rsub__(self, other: Any) -> Any: return subtract.call((other, self), None)
    def __mul__(self, other: Any) -> Any: return multiply.call((self, other), None)
    def __rmul__(self, other: Any) -> Any: return multiply.call((other, self), None)
    def __truediv__(self, other: Any) -> Any: return divide.call((self, other), None)
    def __rtruediv__(self, other: Any) -> Any: return divide.call((other, self), None)
    def __pow__(self, other: Any) -> Any: return pow.call((self, other), None)
    def __rpow__(self, other: Any) -> Any: return pow.call((other, self), None)
    def __matmul__(self, other: Any) -> Any: return matmul.call((self, other), None)
    def __rmatmul__(self, other: Any) -> Any: return matmul.call((other, self), None)
    def __floordiv__(self, other: Any) -> Any: return floor_divide.call((self, other), None)
    def __rfloordiv__(self, other: Any) -> Any: return floor_divide.call((other, self), None)
    def __mod__(self, other: Any) -> Any: return remainder.call((self, other), None)
    def __rmod__(self, other: Any) -> Any: return remainder.call((other, self), None)
    def __and__(self, other: Any) -> Any: return bitwise_and.call((self, other), None)
    def __rand__(self, other: Any) -> Any: return bitwise_and.call((other, self), None)
    def __or__(self, other: Any) -> Any: return bitwise_or.call((self, other), None)
    def __ror__(self, other: Any) -> Any: return bitwise_or.call((other, self), None)
    def __xor__(self, other: Any) -> Any: return bitwise_xor.call((self, other), None)
    def __rxor__(self, other: Any) -> Any: return bitwise_xor.call((other, self), None)
    def __eq__(self, other: Any) -> Any: return equal.call((self, other), None)
    def __ne__(self, other: Any) -> Any: return not_equal.call((self, other), None)
    def __lt__(self, other: Any) -> Any: return less.call((self, other), None)
    def __le__(self, other: Any) -> Any: return less_equal.call((self, other), None)
    def __gt__(self, other: Any) -> Any: return greater.call((self, other), None)
    def __ge__(self, other: Any) -> Any: return greater_equal.call((self, other), None)
    def __invert__(self) -> Any: return bitwise_invert.call((self,), None)
    def __neg__(self) -> Any: return negative.call((self,), None)
    def __abs__(self) -> Any: return abs.call((self,), None)
    def __pos__(self) -> Any: return self
    # fmt: on
