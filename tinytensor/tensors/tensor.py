"""Tensor: an ndarray on the autograd engine, with NumPy's semantics and the ops as its methods."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import kernels, ops
from ..dtypes import (
    COMPLEX,
    FLOAT,
    SCALARS,
    Size,
    float32,
    get_default_dtype,
    is_array,
    is_floating,
    is_narrow,
    is_number,
    number_of,
    promoted,
    storable,
    wide,
)
from ..dtypes import _bfloat16 as bfloat16_dtype
from ..dtypes import as_array as array_of
from ..engine import operation
from ..engine.core import GraphError, Variable, edge, version_of, wrap
from ..engine.grad_mode import enable_grad, is_grad_enabled
from ..engine.hooks import RemovableHandle
from ..engine.operation import Op
from ..errors import DtypeError, RangeError, ShapeError, kind_of
from ..ops import inplace
from ..ops.aliases import expand
from ..ops.checks import axis_index
from ..ops.indexing import raw_index
from ..ops.operands import holds_graph, keep_graph, settled
from ..ops.precision import cast
from ..ops.resample import unfold_axis
from ..ops.updates import At
from .floats16 import widened
from .namespace_info import ARRAY_API_VERSION, CPU, target
from .namespace_info import device as device_of_tensors
from .numpy_protocol import NAMES_OF_UFUNCS, OF_SHAPES, WRITING, function_of, name_of, written_by
from .operators import Gradient, Operators, as_shape, in_place, one_of

if TYPE_CHECKING:
    from ..ops.declared import TensorOp
    from .made import (
        ArrayLike,
        Made,
    )  # a stub: the operators, and what loops give to the class below
else:
    Made = Operators

Axes = int | tuple[int, ...] | None
Shape = tuple[int, ...]
Dtype = npt.DTypeLike | None
Spec = tuple[Any, ...]  # the shape, the dtype of cotangents; the dtype of gradients, if another


def as_array(data: Any, dtype: Dtype = None) -> np.ndarray:
    """``data`` as an ndarray, without a copy where that can be. Floating-point numbers that are no
    arrays have the default dtype."""
    if isinstance(data, Variable):
        return np.asarray(_plain(data), dtype)
    if isinstance(data, np.ndarray):
        return _of_numbers(np.asarray(data, dtype), data)
    try:
        array = array_of(_plain(keep_graph("tensor", data)), dtype)
    except (ValueError, TypeError, OverflowError) as error:  # of a ragged list, or 300 as int8
        raise kind_of(error)(f"tensor: {error}") from error
    return _of_numbers(array, data)


def _of_numbers(array: np.ndarray, data: Any) -> np.ndarray:
    if not is_number(array):
        if isinstance(data, int):
            raise RangeError(f"tensor: {data} does not fit into any dtype of integers")
        kind = f"{array.dtype} " * (array.dtype != object) + type(data).__name__
        raise DtypeError(f"tensor: cannot make an array of numbers from {kind}")
    return array


def _plain(data: Any, array_of: Callable[[Any], Any] = lambda tensor: tensor.numpy()) -> Any:
    """Nested lists with the tensors in them replaced by their arrays."""
    if isinstance(data, Variable):
        return array_of(data)
    if type(data) in (list, tuple):
        return type(data)(_plain(item, array_of) for item in data)
    return data


class Tensor(Made):
    """An n-dimensional array that records how it was computed.

    ``Tensor(data)`` shares the memory of an ndarray; ``tt.tensor(data)`` copies. Numbers become
    float32, the default dtype; ndarrays keep theirs. ``np.asarray(t)`` copies nothing.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])

    Views share memory, and ``y += w``, ``y[index] = w`` and the methods that end in ``_`` change it
    in place, with gradients. Only a leaf that requires a gradient is not changed while gradients
    are recorded. If an op had saved the value that was changed, backward raises a GraphError.

    >>> y = x * 1
    >>> y[1:] *= x[0]
    >>> y.sum().backward()
    >>> x.grad
    tensor([8., 5., 7.])
    """

    __slots__ = ()

    value: np.ndarray
    identity: ClassVar[Any]
    grad: Tensor | None = Gradient()  # type: ignore[assignment]
    __array_priority__ = 1000  # SciPy's sparse arrays leave operators to us
    __hash__ = object.__hash__  # by identity: == compares the elements

    spec = staticmethod(kernels.spec)
    has_spec = staticmethod(kernels.has_spec)
    add_into = staticmethod(kernels.add_into)
    shares = staticmethod(kernels.shares)
    is_narrow = staticmethod(is_narrow)
    widened = staticmethod(widened)

    def __init__(self, data: Any, dtype: Dtype = None, requires_grad: bool = False) -> None:
        super().__init__(as_array(data, dtype), requires_grad)
        self.rounded = is_narrow(self.value)
        if isinstance(data, Variable) and self.value is data.value:
            self.version = version_of(data)

    @property  # type: ignore[misc]
    def storage(self) -> np.ndarray:
        array = self.value
        if not isinstance(array, np.ndarray):  # NumPy gave a number, of which there are no views
            self.value = array = np.array(array)
        return array

    @property
    def data(self) -> Tensor:
        """A constant on the same memory: ``detach()``. Assigning another tensor, or an array,
        counts as a change in place.

        >>> import tinytensor as tt
        >>> p = tt.tensor([1.0, 2.0], requires_grad=True)
        >>> _ = p.data.add_(1)
        >>> p
        tensor([2., 3.], requires_grad=True)
        """
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        self.value = np.asarray(value) if isinstance(value, np.generic) else as_array(value)
        self.rounded = is_narrow(self.value)
        self.changed("an assignment to data")

    # --- What the engine asks ----------------------------------------------------------------

    @classmethod
    def is_differentiable(cls, value: np.ndarray) -> bool:
        """Whether values of this dtype can have gradients: floating-point and complex ones."""
        return is_floating(value.dtype)

    def conjugated(self, of: Any = None) -> Tensor:
        """This cotangent as a gradient and the other way round, cast to the dtype of ``of``."""
        # The gradient of z = x + iy is dL/dx + i dL/dy, as in PyTorch. Rules pass on its conjugate:
        # that of f(z) is then the derivative f'(z) times it, whether numbers are complex or not.
        # And they pass on float32 where numbers have 16 bits: only what is handed out is rounded.
        if of is None:
            return ops.conj(self) if self.dtype.kind == "c" else self.wide()
        dtype = of.dtype if isinstance(of, Tensor) else of.spec[-1]
        cotangent = self if self.dtype == dtype else ops.astype(self, dtype)
        return ops.conj(cotangent) if dtype.kind == "c" else cotangent

    def wide(self) -> Tensor:
        """This tensor as ops compute with it: 16-bit floats as float32."""
        # As ops compute with it.
        return cast(self, float32) if self.rounded else self

    def seed(self, cotangent: Any) -> Tensor:
        """The cotangent from which backward starts: 1, or the conjugate of what is given."""
        if cotangent is None:
            number = kernels.one(self.value)
            if number is None:
                raise ShapeError(
                    f"backward: the output has shape {self.shape}, so the gradient to start from"
                    " must be given; only for a single number it is 1"
                )
            one = wrap(Tensor, number)
            one.rounded = self.rounded
            return one
        if not isinstance(cotangent, Tensor):
            cotangent = wrapped(as_array(cotangent, self.dtype))
        if cotangent.shape != self.shape:
            raise ShapeError(
                f"backward: gradient is {cotangent.shape}, but the output is {self.shape}"
            )
        cotangent.unshared = False
        if not (cotangent.tracked or cotangent.level):
            # A view, so that nobody changes it through a gradient.
            cotangent = cotangent.detach()
            cotangent.value = np.asarray(cotangent.value).view()
            cotangent.value.flags.writeable = False
        return cotangent.conjugated()

    def fitted(self, spec: Spec) -> Tensor:
        """Sum over the axes along which the parent was broadcast, and cast to its dtype."""
        shape, dtype = spec[:2]
        cotangent = self.wide()
        if self.dtype.kind == "c" and dtype.kind != "c":
            cotangent = ops.real(cotangent)
        if self.shape != shape:
            lead = self.ndim - len(shape)
            if lead < 0 or any(n not in (1, self.shape[lead + i]) for i, n in enumerate(shape)):
                raise ShapeError(f"a cotangent {self.shape} for a value {shape}")
            stretched = [lead + i for i, n in enumerate(shape) if n != self.shape[lead + i]]
            cotangent = ops.sum(cotangent, (*range(lead), *stretched), bool(stretched))
            if lead and stretched:
                cotangent = ops.reshape(cotangent, shape)
        return cotangent if cotangent.dtype == dtype else ops.astype(cotangent, dtype)

    def copied(self) -> Tensor:
        """A constant with a copy of the elements."""
        return wrapped(kernels.copy(self.value))

    def again(self) -> Tensor:
        """This view made again of what it is a view of, as the recorded changes left that."""
        root, steps = inplace.steps_of(self.view_of)
        is_leaf = self.tracked and self.node is None  # requires_grad was set on the view itself
        if root is None or is_leaf or not self.shares(self.storage, root.storage):
            return self  # a constant, or the root has another array now
        with enable_grad():
            made = inplace.replayed(steps, root)
        if made.shape != self.shape or made.storage.ctypes.data != self.value.ctypes.data:
            raise GraphError(f"{steps[-1][0].__name__}: an argument that made a view has changed")
        return made

    @classmethod
    def zeros(cls, spec: Spec) -> Tensor:
        """A constant of zeros, of the shape and dtype of a spec."""
        return wrapped(np.zeros(*spec[:2]))

    @classmethod
    def explained(cls, op: Op, error: Exception, values: Sequence[Any]) -> Exception:
        """An error of a forward function with the op's name and what it was given."""
        arrays = all(isinstance(value, np.ndarray | np.generic | int | float) for value in values)
        if op.explain is not None and arrays and isinstance(error, ValueError):
            return ShapeError(f"{op.__name__}: {op.explain(*map(np.shape, values))}")
        message, by = str(error), getattr(op, "written", op.__name__)
        if message.startswith(f"{by}:"):
            return error
        names = op.names * len(values) if op.variadic else op.names
        given = ", ".join(
            f"{name} is {describe(v)}" for name, v in zip(names, values, strict=False)
        )
        return kind_of(error)(f"{by}: {message} ({given})")

    # --- What it is --------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The sizes along the axes."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self.value.ndim

    @property
    def size(self) -> Size:
        """How many elements there are; ``x.size()`` is the shape, ``x.size(0)`` its first size."""
        found = Size(math.prod(self.shape))
        found.shape = self.shape
        return found

    def numel(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    def dim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """How many bytes an element takes."""
        return self.dtype.itemsize

    itemsize = property(element_size)

    @property
    def dtype(self) -> np.dtype:
        """What the elements are: a dtype of NumPy, such as ``tt.float32``."""
        return self.value.dtype

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return self.value.nbytes

    @property
    def device(self) -> device_of_tensors:
        """Always ``"cpu"``, a :class:`tinytensor.device`."""
        return CPU

    @property
    def is_leaf(self) -> bool:
        """True if no recorded op made this tensor."""
        return edge(self) is self

    def numpy(self) -> np.ndarray:
        """The ndarray itself, without a copy. Writing to it is unseen by the graph."""
        return np.asarray(self.value)

    def __array__(self, dtype: Dtype = None, copy: bool | None = None) -> np.ndarray:
        """What ``np.asarray(t)`` gives: the elements, outside the graph. Of a tensor that requires
        a gradient they are read-only while gradients are recorded, so that no function of NumPy can
        change it unseen; :meth:`numpy` and ``t.detach()`` give what can be written to.

        NumPy asks for nothing else of a tensor within a list. So its functions give arrays of
        lists of tensors, where they keep the graph of a tensor; ``tt.stack`` makes one of a list.

        >>> import numpy as np, tinytensor as tt
        >>> x = tt.tensor([1.0, 4.0], requires_grad=True)
        >>> np.diff(tt.stack([x[0], x[1]])), np.diff([x[0], x[1]])
        (tensor([3.], op=subtract), array([3.], dtype=float32))
        """
        array = np.array(self.value, dtype, copy=copy)
        if array is self.value and is_grad_enabled() and self.requires_grad:
            array = array.view()
            array.flags.writeable = False
        return array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # ndarray + tensor and np.exp(tensor) are ours; ndarray += tensor stays NumPy's
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        op = getattr(ops, NAMES_OF_UFUNCS.get(name, name), None)
        if not kwargs and isinstance(op, Op):
            return op(*inputs)
        into = kwargs.get("out", ())
        if any(isinstance(x, Tensor) for x in into):
            raise TypeError(f"np.{name}: out= cannot be a tensor; write x[...] = result")
        if is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
            what = f"with {', '.join(kwargs)}" if kwargs else "here"
            raise GraphError(f"np.{name}: has no gradient {what}; pass x.detach()")
        raw = [_plain(x) if isinstance(x, Tensor) else x for x in inputs]
        got = getattr(ufunc, method)(*raw, **kwargs)
        if into or got is None:
            return got
        got = [wrapped(np.asarray(array)) for array in (got if isinstance(got, tuple) else [got])]
        return tuple(got) if len(got) > 1 else got[0]

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        # np.sum(tensor) and its like are ours; what is not gives ndarrays, outside the graph
        if function in (np.ndim, np.shape, np.size) and len(args) == 1 and not kwargs:
            return getattr(self, function.__name__)  # one lane of a vmap knows these too
        shared, name = function_of(function), name_of(function)
        tracked = holds_graph((args, kwargs))
        if shared is not None:
            own, least, most, known = shared
            given = {key: value for key, value in kwargs.items() if value is not None}
            if least <= len(args) + len(given) and len(args) <= most and given.keys() <= known:
                return own(*args, **given)
            if tracked:
                raise GraphError(
                    f"{name}: with these arguments it has no gradient, only with"
                    f" {', '.join(signature(own).parameters)}; or pass x.detach()"
                )
        unseen = GraphError(
            f"{name}: writes where no graph sees it; write x[...] = values, or pass x.detach()"
        )
        if tracked and function in WRITING:
            raise unseen
        # By __array__, so that what requires a gradient is read-only.
        raw = [_plain(x, np.asarray) for x in args]
        raw_kwargs = {key: _plain(value, np.asarray) for key, value in kwargs.items()}
        try:
            got = function(*raw, **raw_kwargs)
        except ValueError as error:
            if tracked and "read-only" in str(error):
                raise unseen from error
            raise
        for written in written_by(function, args, kwargs):
            if isinstance(written, Tensor):
                written.changed(name)
        if tracked and function not in OF_SHAPES and _has_floats(got):
            raise GraphError(f"{name}: has no gradient here; pass x.detach()")
        return got

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The module ``tinytensor``, which follows the Array API standard."""
        if api_version is not None and api_version > ARRAY_API_VERSION:
            raise ValueError(f"the Array API is of {ARRAY_API_VERSION} here, not {api_version}")
        return sys.modules["tinytensor"]

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule by which another library shares this memory: ``torch.from_dlpack(t)``."""
        if self.requires_grad:
            raise GraphError("__dlpack__: this tensor needs a gradient; hand out t.detach()")
        options: Any = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.storage.__dlpack__(stream=stream, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.storage.__dlpack_device__()

    def to_device(self, device: str, /, *, stream: None = None) -> Tensor:
        """This tensor: the only device is ``"cpu"``."""
        if device != "cpu" or stream is not None:
            raise ValueError(f"to_device: there is only 'cpu', without streams, not {device!r}")
        return self

    def to(
        self,
        *args: Any,
        dtype: Dtype = None,
        device: Any = None,
        copy: bool = False,
        non_blocking: bool = False,
        memory_format: None = None,
    ) -> Tensor:
        """This tensor in another dtype, in that of another tensor, or on a device, which is "cpu".

        >>> import tinytensor as tt
        >>> x = tt.ones(2)
        >>> x.to(tt.float64).dtype, x.to("cpu") is x, x.to(tt.tensor([1])).dtype
        (dtype('float64'), True, dtype('int64'))
        """
        wanted = target("to", args, dtype, device)
        made = self if wanted is None else self.astype(wanted)
        return ops.clone(self) if copy and made is self else made

    def cpu(self) -> Tensor:
        """This tensor, which is on the only device."""
        return self

    def type_as(self, other: Any) -> Tensor:
        """The elements as the dtype of ``other``."""
        return self.astype(other.dtype)

    def type(self, dtype: Dtype = None) -> Tensor:
        """The elements as ``dtype``."""
        if dtype is None:
            raise TypeError("type: PyTorch's x.type() is the name of a type; here x.dtype says it")
        return self.astype(dtype)

    def item(self) -> float:
        """The only element, as a Python number: a bool, an int, a float, or a complex one."""
        if self.size != 1:
            raise ShapeError(f"item: the tensor has shape {self.shape}, not one element")
        return wide(self.value).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return wide(self.value).tolist()

    def __repr__(self) -> str:
        text = np.array2string(wide(np.asarray(self.value)), separator=", ", prefix="tensor(")
        if self.size == 0 and self.shape != (0,):  # which the brackets do not tell
            text = f"[], shape={self.shape}"
        if self.dtype not in (get_default_dtype(), np.int64, np.bool_):
            text += f", dtype={self.dtype}"
        if not self.is_leaf:
            text += f", op={self.node.op.__name__}"
        elif self.tracked:
            text += ", requires_grad=True"
        return f"tensor({text})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: a matrix as a table, with its middle left out if it is large."""
        from html import escape  # late: seldom needed

        if self.ndim not in (1, 2) or self.size == 0:
            return f"<pre>{escape(repr(self))}</pre>"
        array = np.atleast_2d(self.numpy())
        shown = [_ends(n) for n in array.shape]
        rows = (
            "".join(f"<td>{'…' if i is None or j is None else array[i, j]}</td>" for j in shown[1])
            for i in shown[0]
        )
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>{table}</table><p>tensor {self.shape}, {self.dtype}</p>"

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: a tensor of 0 dimensions has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iter: a tensor of 0 dimensions cannot be iterated over")
        return iter(ops.unstack(self))

    def __contains__(self, item: Any) -> bool:
        return bool((self.value == number_of(_plain(item))).any())

    # fmt: off
    def __bool__(self) -> bool: return bool(self.value)
    def __int__(self) -> int: return int(self.item())
    def __float__(self) -> float: return float(self.item())
    def __complex__(self) -> complex: return complex(self.item())
    def __index__(self) -> int: return self.value.__index__()
    # fmt: on

    def __format__(self, spec: str) -> str:
        if spec and self.size != 1:
            raise TypeError(f"format: {spec!r} formats one number; the tensor is {self.shape}")
        return format(self.item(), spec) if spec else repr(self)

    def __copy__(self) -> Tensor:
        """Another tensor with this one's memory and history."""
        other = type(self).__new__(type(self))
        Variable.__init__(other, self.storage)
        other.version, other.rounded = version_of(self), self.rounded
        if self.is_leaf:
            other.requires_grad = self.tracked
        else:  # as a view, so that changes in place reach both
            same = operation.alias(self)
            other.view_of, other.as_of = same.view_of, same.as_of
            other.node, other.tracked = self.node, True
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GraphError("deepcopy: an op made this tensor; copy a detached one")
        other = type(self).__new__(type(self))
        Variable.__init__(other, np.array(self.value))
        other.rounded = self.rounded
        other.requires_grad = self.tracked
        other.grad = None if self.grad is None else self.grad.copied()
        memo[id(self)] = other
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), np.asarray(self.value), self.requires_grad)

    # --- Graph and memory --------------------------------------------------------------------

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad``, and return this tensor."""
        self.requires_grad = requires_grad
        return self

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call ``hook(gradient)`` once the gradient of this tensor is known. What it returns, if
        not None, takes the gradient's place. ``remove()`` of the result takes the hook away.

        >>> import tinytensor as tt
        >>> x = tt.tensor(2.0, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 10)
        >>> tt.grad(x * 3, x), handle.remove(), tt.grad(x * 3, x)
        ((tensor(30.),), None, (tensor(3.),))
        """
        return RemovableHandle(super().register_hook(hook))

    def clone(self) -> Tensor:
        """A copy with memory of its own; gradients flow through."""
        return ops.clone(self)

    def contiguous(self) -> Tensor:
        """This tensor if its memory is in C order, otherwise a copy that is."""
        return self if self.value.flags.c_contiguous else ops.clone(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._assign("x[index] = value", index, value)

    def _assign(self, by: str, index: Any, value: Any) -> Tensor:
        if isinstance(value, list | tuple):
            value = _stacked(value)
        if operation.would_record((self, value)):
            inplace.assign(by, self, index, value)
        else:
            raw, array, kind = raw_index(index), inplace.array_of(by, self), type(value)
            try:
                fits = kind in (int, float) and array.dtype.kind == "f"
                fits = fits or (kind is int and 0 <= value < 128)  # as in any dtype
                if not fits and getattr(value, "dtype", None) is not array.dtype:
                    value = storable(_plain(value), array.dtype)
                array[raw] = _plain(value)
            except operation.BAD_INPUT as error:
                raise kind_of(error)(f"{by}: {error}") from error
        return self

    def copy_(self, other: Any) -> Tensor:
        """Overwrite the elements by those of ``other``, broadcast and cast."""
        if isinstance(other, list | tuple):
            other = _stacked(other)
        if operation.would_record((self, other)):
            inplace.assign("copy_", self, ..., other)
        else:
            array = inplace.array_of("copy_", self)
            try:
                np.copyto(array, storable(_plain(other), array.dtype), casting="unsafe")
            except operation.BAD_INPUT as error:
                raise kind_of(error)(f"copy_: {error}") from error
        return self

    def fill_(self, value: Any) -> Tensor:
        """Overwrite every element by ``value``."""
        return self._assign("fill_", ..., value)

    def zero_(self) -> Tensor:
        """Overwrite every element by 0."""
        return self._assign("zero_", ..., 0)

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """Overwrite the elements where ``mask``, which broadcasts to this shape, by ``value``."""
        return self._assign("masked_fill_", np.broadcast_to(raw_index(mask), self.shape), value)

    def add_(self, other: Any, alpha: float = 1) -> Tensor:
        """``self += alpha * other``"""
        return in_place(self, "add_", ops.add, np.add, (_times(alpha, other),))

    def sub_(self, other: Any, alpha: float = 1) -> Tensor:
        """``self -= alpha * other``"""
        return in_place(self, "sub_", ops.subtract, np.subtract, (_times(alpha, other),))

    subtract_ = sub_

    # --- Methods: each is the op of its name; operators.py has the operators -------------------

    # fmt: off
    def __lshift__(self, other: ArrayLike) -> Tensor: return ops.bitwise_left_shift(self, other)
    def __rlshift__(self, other: ArrayLike) -> Tensor: return ops.bitwise_left_shift(other, self)
    def __rshift__(self, other: ArrayLike) -> Tensor: return ops.bitwise_right_shift(self, other)
    def __rrshift__(self, other: ArrayLike) -> Tensor: return ops.bitwise_right_shift(other, self)
    # fmt: on

    @property
    def at(self) -> At:
        """For changes of some elements in a copy: ``x.at[index].set(v)``, ``add``, ``max`` …"""
        return At(self)

    def astype(self, dtype: Dtype) -> Tensor:
        """The elements as ``dtype``; this very tensor if it has that dtype already."""
        same = dtype is not None and self.dtype == dtype  # float64 == None
        return self if same else ops.astype(self, dtype)

    def bfloat16(self) -> Tensor:
        """The elements as bfloat16."""
        return self.astype(bfloat16_dtype())

    def view(self, *shape: Any, dtype: Dtype = None) -> Tensor:
        """The elements, in C order, in another shape; a view where that can be. Or, given a dtype,
        the bytes as elements of that: a constant on the same memory.

        >>> import tinytensor as tt
        >>> hex(tt.tensor(1.0).view(tt.int32))
        '0x3f800000'
        """
        kind = shape[0] if len(shape) == 1 and dtype is None else dtype
        if isinstance(kind, np.dtype | type):
            return self._as_bytes_of(np.dtype(kind))
        return ops.reshape(self, as_shape(shape))

    def _as_bytes_of(self, dtype: np.dtype) -> Tensor:
        if dtype == self.dtype:
            return self
        if not is_number(dtype) or dtype.kind == "b":
            raise DtypeError(f"view: bytes of {self.dtype} are no {dtype}; astype(dtype) casts")
        made = self.detach()
        try:
            made.value = made.value.view(dtype)
        except ValueError as error:
            raise ShapeError(
                f"view: {self.dtype} {self.shape} cannot be seen as {dtype}: {error}"
            ) from error
        made.rounded = is_narrow(made.value)
        return made

    def unfold(self, axis: int, size: int, step: int) -> Tensor:
        """Windows of ``size`` elements along ``axis``, ``step`` apart, of which there are
        (n − size) / step + 1: a view. Their elements lie along a new last axis."""
        return unfold_axis(self, axis, size, step)

    def is_contiguous(self) -> bool:
        """Whether the memory holds the elements side by side in C order."""
        return self.storage.flags.c_contiguous

    def stride(self, axis: int | None = None) -> int | tuple[int, ...]:
        """How many elements lie between neighbours along ``axis``, or along each."""
        steps = tuple(step // self.dtype.itemsize for step in self.storage.strides)
        return steps if axis is None else steps[axis_index("stride", axis, self.ndim, False)]

    def permute(self, *axes: Any, dims: Sequence[int] | None = None) -> Tensor:
        """The axes in another order, given as one tuple or one by one."""
        return ops.permute_dims(self, as_shape(axes) if dims is None else dims)

    def broadcast_to(self, *shape: Any) -> Tensor:
        """Stretched to a shape, without a copy."""
        return ops.broadcast_to(self, as_shape(shape))

    def expand(self, *sizes: Any) -> Tensor:
        """Stretched to sizes, of which −1 leaves an axis as it is, without a copy."""
        return expand(self, as_shape(sizes))

    def expand_as(self, other: Any) -> Tensor:
        """Stretched to the shape of ``other``."""
        return ops.broadcast_to(self, other.shape)

    def reshape_as(self, other: Any) -> Tensor:
        """In the shape of ``other``."""
        return ops.reshape(self, other.shape)

    view_as = reshape_as

    def flip(self, *axes: Any, axis: Axes = None, dims: Axes = None) -> Tensor:
        """The elements in reverse order along axes, or along all of them."""
        order = as_shape(axes)
        return ops.flip(self, one_of("flip", axis, dims) if order in ((), (None,)) else order)

    def tile(self, *repetitions: Any) -> Tensor:
        """Laid side by side so often along each axis: PyTorch's ``repeat``."""
        return ops.tile(self, as_shape(repetitions))

    def repeat(self, *repeats: Any, axis: int | None = None) -> Tensor:
        """Each element along ``axis`` repeated, as ``tt.repeat`` does."""
        if len(repeats) != 1:
            raise TypeError(
                f"repeat: x.repeat{repeats} is x.tile{repeats} if it is PyTorch's;"
                " x.repeat(repeats, axis=) repeats each element"
            )
        return ops.repeat(self, repeats[0], axis)

    def transpose(self, *axes: Any, dim0: int | None = None, dim1: int | None = None) -> Tensor:
        """All axes reversed, two of them exchanged, or all in a new order."""
        order = as_shape((*axes, *(dim for dim in (dim0, dim1) if dim is not None)))
        if len(order) == 2 and (len(axes) != 1 or dim1 is not None):
            return ops.swapaxes(self, *order)
        return ops.permute_dims(self, None if order in ((), (None,)) else order)

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """The diagonal of two axes, by default the first two, as NumPy and PyTorch have it."""
        return ops.diagonal(self, offset, dim1, dim2)

    @property
    def mH(self) -> Tensor:
        """The last two axes exchanged, and conjugated."""
        return ops.adjoint(self)

    @property
    def H(self) -> Tensor:
        """A matrix transposed and conjugated."""
        if self.ndim > 2:
            raise ShapeError(f"H: x is {self.shape}, not a matrix; x.mH takes all")
        return ops.conj(self.T)

    @property
    def real(self) -> Tensor:
        """The real parts."""
        return ops.real(self)

    @property
    def imag(self) -> Tensor:
        """The imaginary parts."""
        return ops.imag(self)

    def polygamma(self, n: int) -> Tensor:
        """The derivative of order n of the logarithmic derivative of the gamma function."""
        return ops.polygamma(n, self)

    def where(self, condition: Any, other: Any) -> Tensor:
        """The elements where ``condition``, elsewhere those of ``other``."""
        return ops.where(condition, self, other)


Tensor.family = Tensor


operation.scalars, operation.settled = SCALARS, settled


def _identity(x: Any, variable: Any = None) -> Any:
    """x itself, and one more node of the graph; ``variable`` becomes a parent of it."""
    return x


Tensor.identity = (
    Op(_identity, view=True, family=Tensor)
    .grad(x=lambda g: g, variable=None)
    .batched(lambda op, args, mapped, static: op(*args))
)


def _times(alpha: float, other: Any) -> Any:
    return other if alpha == 1 else alpha * other


def _stacked(values: Sequence[Any]) -> Any:
    """A nested list as a tensor, if tensors in it require gradients and these are recorded;
    otherwise as it is."""
    if not holds_graph(values):
        return values
    items = [_stacked(item) if isinstance(item, list | tuple) else item for item in values]
    dtype = next(item.dtype for item in items if holds_graph(item))
    for i, item in enumerate(items):
        if not isinstance(item, Tensor):
            array = np.asarray(_plain(item))
            if not is_array(item):  # a number takes the dtype of what it stands beside
                reach = COMPLEX if array.dtype.kind == "c" else FLOAT
                array = array.astype(promoted((dtype,), reach))
            items[i] = wrapped(array)
    return ops.stack(items)


def wrapped(array: np.ndarray) -> Tensor:
    """A new constant around an array."""
    tensor = wrap(Tensor, array)
    tensor.rounded = is_narrow(array)
    return tensor


def _has_floats(data: Any) -> bool:
    if isinstance(data, list | tuple):
        return any(map(_has_floats, data))
    return isinstance(data, np.ndarray | np.generic) and is_floating(data.dtype)


def _ends(n: int, most: int = 12) -> list[int | None]:
    """The first indices below n and the last, with None for those between that are too many."""
    half = most // 2
    return [*range(n)] if n <= most else [*range(half), None, *range(n - half, n)]


# Where pickles of 0.1 look for _rebuilt.
sys.modules[f"{__name__.partition('.')[0]}.tensor"] = sys.modules[__name__]


def _rebuilt(kind: type[Tensor], array: np.ndarray, requires_grad: bool) -> Tensor:
    tensor = kind.__new__(kind)
    Variable.__init__(tensor, array, requires_grad)
    tensor.rounded = is_narrow(array)
    return tensor


def describe(value: Any) -> str:
    """An argument as an error message names it: the dtype and shape of an array."""
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype} {value.shape}"
    return repr(value) if len(repr(value)) < 60 else type(value).__name__


def op(forward: Callable[..., Any] | None = None, **options: Any) -> TensorOp[..., Any]:
    """Declare an operation on tensors: ``@tt.op`` on a function of ndarrays, then its gradients.

    A rule's first parameter is dL/d(output); the others name what it needs of the call.

    >>> import numpy as np, tinytensor as tt
    >>> @tt.op
    ... def cube(x):
    ...     return x**3
    >>> cube.grad(x=lambda g, x: 3 * g * x**2)
    <op cube>
    >>> x = tt.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    return operation.op(forward, family=Tensor, **options)


for _name, _module in list(sys.modules.items()):  # an op may hide the module of its name in ops
    if _name.startswith(f"{ops.__name__}."):
        for _op in vars(_module).values():
            if isinstance(_op, Op):
                _op.family = Tensor
