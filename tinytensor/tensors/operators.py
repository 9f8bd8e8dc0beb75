"""The operators of a tensor: each is the op of its name.

They are a class of their own so that a build can compile them: ``x + y`` then goes straight to the
op, without a Python function between; so do the views that cost little else: ``x[i]``, ``x.T``,
``x.mT`` and ``x.reshape(2, 3)``, and the ends of a loss: ``x.sum()`` and ``x.mean()``. ``x += y``
changes the memory of x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..dtypes import number_of
from ..engine.core import Variable, compiled
from ..engine.operation import BAD_INPUT, Op, would_record
from ..errors import DtypeError, ShapeError, kind_of
from ..ops import (
    abs,
    add,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    divide,
    equal,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    matmul,
    matrix_transpose,
    multiply,
    negative,
    not_equal,
    permute_dims,
    pow,
    remainder,
    subtract,
)
from ..ops import mean as mean_op  # a typed name cannot be that of a method too
from ..ops import reshape as reshape_op
from ..ops import sum as sum_op
from ..ops.indexing import basic_index, getitem
from ..ops.inplace import array_of, change
from ..ops.operands import keep_graph

if __file__.endswith(".py"):
    from ..engine import interpreted as cython
else:
    import cython  # type: ignore[no-redef]

if TYPE_CHECKING:
    from ..ops.annotations import Dtype
    from .made import ArrayLike
    from .tensor import Axes, Tensor


def in_place(x, by, op, ufunc, others):
    """Change x to what ``op`` makes of it and the others. Where no graph needs to know of that,
    ``ufunc``, if there is one, does it without a buffer; but one of x alone only of floats where
    memory is contiguous: NumPy 2.4's ``negative`` reads elements of a strided array that it has
    written, and its ``rint`` makes floats of integers."""
    if would_record((x, *others)):
        change(by, x, op, *others)
        return x
    array = array_of(by, x)
    raw = [other.value if isinstance(other, Variable) else single(by, other) for other in others]
    try:
        if not isinstance(op, Op):
            np.copyto(array, op(x.detach(), *others).numpy(), casting="same_kind")
        elif ufunc is not None and (others or (array.flags.forc and array.dtype.kind not in "biu")):
            ufunc(array, *raw, out=array, casting="same_kind")
        else:
            forward = x.widened(op) if x.rounded else op.forward
            np.copyto(array, forward(array, *raw), casting="same_kind")
    except BAD_INPUT as error:
        raise kind_of(error)(f"{by}: {error}") from error
    return x


def as_shape(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sizes of ``f(2, 3)`` and of ``f((2, 3))`` alike."""
    one_sequence = len(sizes) == 1 and isinstance(sizes[0], (tuple, list))
    return tuple(sizes[0]) if one_sequence else sizes


def one_of(name: str, axis: Axes, dim: Axes) -> Axes:
    """What was given of the two names of one argument."""
    if axis is not None and dim is not None:
        raise TypeError(f"{name}: argument 'axis' is given twice, once as 'dim'")
    return axis if dim is None else dim


def method_of(function: Any) -> Any:
    """A function of a tensor as a method: compiled, it goes straight to the op."""
    if isinstance(function, Op):
        call = function.call

        def method(self, *args, **kwargs):
            return call((self, *args), kwargs)

    else:

        def method(self, *args, **kwargs):
            return function(self, *args, **kwargs)

    return method


def single(by, other):
    """What is no tensor, beside one that is changed in place."""
    return number_of(keep_graph(by, other))


class Gradient:
    """The attribute ``grad`` of a tensor: the gradient that backward has added up, or None. What is
    assigned must be a tensor of the same shape and dtype. (The compiled engine uses the slot.)"""

    def __get__(self, variable: Any, owner: Any) -> Any:
        return self if variable is None else grad_of(variable)

    def __set__(self, variable: Any, gradient: Any) -> None:
        if gradient is not None:
            if not isinstance(gradient, Operators):
                raise TypeError(
                    f"grad: a gradient is a tensor, not {type(gradient).__name__}; tt.asarray makes"
                    " one of an array"
                )
            levels = variable.level or gradient.level
            apart = levels or variable.rounded  # whose spec is that of cotangents
            if apart or not variable.has_spec(gradient.value, variable.spec(variable.value)):
                for error, name in ((ShapeError, "shape"), (DtypeError, "dtype")):
                    own, given = getattr(variable, name), getattr(gradient, name)
                    if own != given:
                        raise error(f"grad: the tensor's {name} is {own}, the gradient's {given}")
        set_grad(variable, gradient)

    def __delete__(self, variable: Any) -> None:
        set_grad(variable, None)


SLOT: Any = Variable.__dict__["grad"]


def grad_of(variable):
    if not compiled:
        return SLOT.__get__(variable)
    with cython.critical_section(variable):  # a backward pass of another thread may change it
        return variable.grad


def set_grad(variable, gradient):
    if not compiled:
        SLOT.__set__(variable, gradient)
        return
    with cython.critical_section(variable):
        variable.grad = gradient


class Operators(Variable):
    """A variable with the operators of Python's data model."""

    __slots__ = ()

    # fmt: off
    def __add__(self, other: ArrayLike) -> Tensor: return add.call((self, other), None)
    def __radd__(self, other: ArrayLike) -> Tensor: return add.call((other, self), None)
    def __sub__(self, other: ArrayLike) -> Tensor: return subtract.call((self, other), None)
    def __rsub__(self, other: ArrayLike) -> Tensor: return subtract.call((other, self), None)
    def __mul__(self, other: ArrayLike) -> Tensor: return multiply.call((self, other), None)
    def __rmul__(self, other: ArrayLike) -> Tensor: return multiply.call((other, self), None)
    def __truediv__(self, other: ArrayLike) -> Tensor: return divide.call((self, other), None)
    def __rtruediv__(self, other: ArrayLike) -> Tensor: return divide.call((other, self), None)
    def __pow__(self, other: ArrayLike) -> Tensor: return pow.call((self, other), None)
    def __rpow__(self, other: ArrayLike) -> Tensor: return pow.call((other, self), None)
    def __matmul__(self, other: ArrayLike) -> Tensor: return matmul.call((self, other), None)
    def __rmatmul__(self, other: ArrayLike) -> Tensor: return matmul.call((other, self), None)
    def __floordiv__(self, other: ArrayLike) -> Tensor:
        return floor_divide.call((self, other), None)
    def __rfloordiv__(self, other: ArrayLike) -> Tensor:
        return floor_divide.call((other, self), None)
    def __mod__(self, other: ArrayLike) -> Tensor: return remainder.call((self, other), None)
    def __rmod__(self, other: ArrayLike) -> Tensor: return remainder.call((other, self), None)
    def __and__(self, other: ArrayLike) -> Tensor: return bitwise_and.call((self, other), None)
    def __rand__(self, other: ArrayLike) -> Tensor: return bitwise_and.call((other, self), None)
    def __or__(self, other: ArrayLike) -> Tensor: return bitwise_or.call((self, other), None)
    def __ror__(self, other: ArrayLike) -> Tensor: return bitwise_or.call((other, self), None)
    def __xor__(self, other: ArrayLike) -> Tensor: return bitwise_xor.call((self, other), None)
    def __rxor__(self, other: ArrayLike) -> Tensor: return bitwise_xor.call((other, self), None)
    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return equal.call((self, other), None)
    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return not_equal.call((self, other), None)
    def __lt__(self, other: ArrayLike) -> Tensor: return less.call((self, other), None)
    def __le__(self, other: ArrayLike) -> Tensor: return less_equal.call((self, other), None)
    def __gt__(self, other: ArrayLike) -> Tensor: return greater.call((self, other), None)
    def __ge__(self, other: ArrayLike) -> Tensor: return greater_equal.call((self, other), None)
    def __invert__(self) -> Tensor: return bitwise_invert.call((self,), None)
    def __neg__(self) -> Tensor: return negative.call((self,), None)
    def __abs__(self) -> Tensor: return abs.call((self,), None)
    def __pos__(self) -> Self: return self

    def __getitem__(self, index: Any) -> Tensor:
        for item in index if type(index) is tuple else (index,):
            if type(item) is not int and type(item) is not slice:
                return getitem(self, index)
        return basic_index.call((self, index), None)

    @property
    def T(self) -> Tensor:
        """All axes reversed."""
        return permute_dims.call((self, None), None)

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return matrix_transpose.call((self,), None)

    def reshape(self, *shape: Any) -> Tensor:
        """The elements, in C order, in another shape: ``reshape(2, 3)`` or ``reshape((2, 3))``."""
        return reshape_op.call((self, as_shape(shape), None), None)

    def sum(self, axis: Axes = None, keepdims: bool = False, *, dim: Axes = None,
            keepdim: bool = False, dtype: Dtype = None) -> Tensor:
        """The sum over ``axis``, or PyTorch's ``dim``: see :func:`tinytensor.sum`."""
        if dim is not None or keepdim is not False or dtype is not None:
            return sum_op(self, one_of("sum", axis, dim), keepdim or keepdims, dtype)
        return sum_op.call((self, axis, keepdims, None), None)

    def mean(self, axis: Axes = None, keepdims: bool = False, *,
             dim: Axes = None, keepdim: bool = False, dtype: Dtype = None) -> Tensor:
        """The mean over ``axis``, or PyTorch's ``dim``: see :func:`tinytensor.mean`."""
        if dtype is not None:
            settings: dict[str, Any] = {"dtype": dtype}  # which a variant of the op takes
            return mean_op(self, one_of("mean", axis, dim), keepdim or keepdims, **settings)
        if dim is not None or keepdim is not False:
            return mean_op(self, one_of("mean", axis, dim), keepdim or keepdims)
        return mean_op.call((self, axis, keepdims), None)

    def __iadd__(self, y: ArrayLike) -> Self: return in_place(self, "+=", add, np.add, (y,))
    def __isub__(self, y: ArrayLike) -> Self:
        return in_place(self, "-=", subtract, np.subtract, (y,))
    def __imul__(self, y: ArrayLike) -> Self:
        return in_place(self, "*=", multiply, np.multiply, (y,))
    def __itruediv__(self, y: ArrayLike) -> Self:
        return in_place(self, "/=", divide, np.divide, (y,))
    def __ifloordiv__(self, y: ArrayLike) -> Self:
        return in_place(self, "//=", floor_divide, None, (y,))
    def __imod__(self, y: ArrayLike) -> Self:
        return in_place(self, "%=", remainder, np.remainder, (y,))
    def __ipow__(self, y: ArrayLike) -> Self: return in_place(self, "**=", pow, np.power, (y,))
    def __imatmul__(self, y: ArrayLike) -> Self:
        return in_place(self, "@=", matmul, np.matmul, (y,))
    def __iand__(self, y: ArrayLike) -> Self:
        return in_place(self, "&=", bitwise_and, np.bitwise_and, (y,))
    def __ior__(self, y: ArrayLike) -> Self:
        return in_place(self, "|=", bitwise_or, np.bitwise_or, (y,))
    def __ixor__(self, y: ArrayLike) -> Self:
        return in_place(self, "^=", bitwise_xor, np.bitwise_xor, (y,))
    def __ilshift__(self, y: ArrayLike) -> Self:
        return in_place(self, "<<=", bitwise_left_shift, np.left_shift, (y,))
    def __irshift__(self, y: ArrayLike) -> Self:
        return in_place(self, ">>=", bitwise_right_shift, np.right_shift, (y,))
    # fmt: on
