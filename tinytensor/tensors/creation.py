"""Tensors from data and from nothing: the constructors, with the Array API's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels, ops, random
from ..dtypes import COMPLEX, FLOAT, fitting, get_default_dtype, is_floating, promoted
from ..errors import DtypeError, GraphError, RangeError, kind_of
from ..ops.annotations import ArrayLike
from ..ops.checks import counts, fits_memory, integer, shape_of
from ..ops.composed import in_own_name
from ..ops.operands import holds_graph, operand
from ..ops.spelling import spelled
from .batched import drawn
from .namespace_info import check_device
from .tensor import Dtype, Shape, Tensor, _stacked, as_array, as_shape, describe

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "is_tensor",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
    "zeros_like",
]


def tensor(
    data: npt.ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor:
    """A tensor with a copy of ``data`` in C order: numbers, nested lists, an array or a tensor.

    Floating-point numbers, Python's or NumPy's scalars, become float32 (the default dtype, see
    :func:`set_default_dtype`) and integers int64; an array keeps its dtype. A list that holds
    tensors which require gradients is stacked, in the graph: a plain copy would lose it.

    >>> import tinytensor as tt
    >>> tt.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    check_device(device)
    stacked = _in_graph(data, dtype)
    if stacked is not None:
        if requires_grad:
            raise GraphError(
                "tensor: the data has a graph, so the result is no leaf; pass detached data, or"
                " leave requires_grad out"
            )
        return stacked
    # kernels.copy: memory that starts at a cache line, so that no vector lies across two.
    return Tensor(kernels.copy(as_array(data, dtype)), requires_grad=requires_grad)


def _in_graph(data: Any, dtype: Dtype) -> Tensor | None:
    """A list that holds tensors which require gradients, stacked; None for anything that is not."""
    stacked = _stacked(data) if isinstance(data, list | tuple) else None
    if not isinstance(stacked, Tensor):
        return None
    return stacked if dtype is None else stacked.astype(dtype)


@in_own_name
def asarray(
    obj: npt.ArrayLike, dtype: Dtype = None, device: str | None = None, copy: bool | None = None
) -> Tensor:
    """``obj`` as a tensor. An ndarray's memory is shared, unless ``copy`` or a cast forbids it."""
    check_device(device)
    if copy:
        return tensor(obj, dtype)
    if isinstance(obj, Tensor) and (dtype is None or dtype == obj.dtype):  # float64 == None
        return obj
    stacked = _in_graph(obj, dtype)
    if stacked is not None and copy is None:
        return stacked
    array = as_array(obj, dtype)
    if copy is False and not np.may_share_memory(array, getattr(obj, "value", obj)):
        raise ValueError(f"asarray: cannot make a {array.dtype} tensor of this without a copy")
    return Tensor(array)


as_tensor = asarray


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of ``array``."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: needs an ndarray, not {type(array).__name__}")
    return Tensor(array)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of an array of another library, by the DLPack protocol.

    >>> import numpy as np, tinytensor as tt
    >>> a = np.zeros(2)
    >>> t = tt.from_dlpack(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.], dtype=float64)
    """
    check_device(None if device == (1, 0) else device)  # DLPack's own name of the CPU
    array = np.from_dlpack(x)
    return tensor(array) if copy else Tensor(array)


def _sizes(name: str, shape: Any, more: Any, dtype: Any, requires_grad: bool) -> Any:
    """The shape, dtype and requires_grad of ``zeros(2, 3)`` and of ``zeros((2, 3), dtype)``."""
    sizes, rest = [shape], list(more)
    if isinstance(shape, tuple | list):
        sizes = list(shape)
    else:
        while rest and isinstance(rest[0], int | np.integer) and not isinstance(rest[0], bool):
            sizes.append(rest.pop(0))
    if rest and dtype is None:
        dtype = rest.pop(0)
    if rest and not requires_grad:
        requires_grad = rest.pop(0)
    if rest or not isinstance(requires_grad, bool):
        raise TypeError(f"{name}: takes sizes, a dtype and requires_grad, not {(shape, *more)}")
    dtype = get_default_dtype() if dtype is None else dtype
    return shape_of(name, sizes, dtype), dtype, requires_grad


@spelled
def empty(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """A tensor whose elements are not set."""
    check_device(device)
    shape, dtype, requires_grad = _sizes("empty", shape, more, dtype, requires_grad)
    return Tensor(np.empty(shape, dtype), requires_grad=requires_grad)


@spelled
def zeros(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """A tensor of zeros, of the default dtype (float32) unless ``dtype`` says otherwise; sizes are
    given as one tuple or one by one.

    >>> import tinytensor as tt
    >>> tt.zeros(2, 0).shape, tt.zeros((1, 2), tt.int64)
    ((2, 0), tensor([[0, 0]]))
    """
    check_device(device)
    shape, dtype, requires_grad = _sizes("zeros", shape, more, dtype, requires_grad)
    return Tensor(np.zeros(shape, dtype), requires_grad=requires_grad)


@spelled
def ones(
    shape: int | Shape,
    *more: Any,
    dtype: Dtype = None,
    requires_grad: bool = False,
    device: str | None = None,
) -> Tensor:
    """A tensor of ones, of the default dtype (float32) unless ``dtype`` says otherwise."""
    check_device(device)
    shape, dtype, requires_grad = _sizes("ones", shape, more, dtype, requires_grad)
    return Tensor(np.ones(shape, dtype), requires_grad=requires_grad)


@in_own_name
@spelled
def full(
    shape: int | Shape,
    fill_value: ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor:
    """A tensor whose elements all are ``fill_value``, a number or what broadcasts to ``shape``. One
    that requires a gradient gets the sum of those of its copies."""
    check_device(device)
    return _filled("full", shape, fill_value, dtype, requires_grad)


def _filled(name: str, shape: Any, value: Any, dtype: Dtype, requires_grad: bool) -> Tensor:
    """``value`` in all places of ``shape``: a tensor with a graph keeps it."""
    if not isinstance(value, Tensor) or not holds_graph(value):
        return Tensor(_full(name, shape, value, dtype), requires_grad=requires_grad)
    if requires_grad:
        raise GraphError(
            f"{name}: fill_value has a graph, so the result is no leaf; pass it detached, or leave"
            " requires_grad out"
        )
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return ops.clone(ops.broadcast_to(value.astype(_or(dtype, value)), tuple(sizes)))


def _full(name: str, shape: Any, fill_value: Any, dtype: Dtype) -> np.ndarray:
    value = np.asarray(fill_value) if isinstance(fill_value, int) else as_array(fill_value)
    kind = np.dtype(_or(dtype, value))
    shape = shape_of(name, shape, kind)
    try:
        numbers = value if isinstance(fill_value, Tensor) else fill_value
        return np.full(shape, fitting(numbers, kind), kind)
    except (ValueError, TypeError, OverflowError) as error:
        shown = f"fill_value {describe(fill_value)} for {shape}"
        raise kind_of(error)(f"{name}: {shown}: {error}") from error


def _or(dtype: Dtype, x: Any) -> Any:
    return x.dtype if dtype is None else dtype  # 0 is no dtype, and no missing one


@in_own_name
@spelled
def empty_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor:
    """A tensor with the shape of x, and its dtype unless another is given; nothing is set."""
    x = operand("empty_like", x)
    return empty(x.shape, _or(dtype, x), requires_grad, device=device)


@in_own_name
@spelled
def zeros_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor:
    """Zeros with the shape of x, and its dtype unless another is given."""
    x = operand("zeros_like", x)
    return zeros(x.shape, _or(dtype, x), requires_grad, device=device)


@in_own_name
@spelled
def ones_like(
    x: ArrayLike, dtype: Dtype = None, requires_grad: bool = False, *, device: str | None = None
) -> Tensor:
    """Ones with the shape of x, and its dtype unless another is given."""
    x = operand("ones_like", x)
    return ones(x.shape, _or(dtype, x), requires_grad, device=device)


@in_own_name
@spelled
def full_like(
    x: ArrayLike,
    fill_value: ArrayLike,
    dtype: Dtype = None,
    requires_grad: bool = False,
    *,
    device: str | None = None,
) -> Tensor:
    """``fill_value`` in the shape of x, with its dtype unless another is given."""
    check_device(device)
    x = operand("full_like", x)
    return _filled("full_like", x.shape, fill_value, _or(dtype, x), requires_grad)


@spelled
def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: Dtype = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Evenly spaced numbers from ``start`` (0 if only a stop is given) up to below ``stop``."""
    check_device(device)
    first, last = (0, start) if stop is None else (start, stop)
    _numbers("arange", "start + step * tt.arange(n)", first, last, step)
    _check_steps(first, last, step)
    whole = all(isinstance(number, int) for number in (first, last, step))
    if whole and max(first, last) >= 2**63:  # NumPy would take to floats if the step is negative
        turns = np.arange(len(range(int(first), int(last), int(step))), dtype=np.uint64)
        array: np.ndarray = turns * np.uint64(step % 2**64) + np.uint64(first % 2**64)
    else:
        try:
            array = np.arange(first, last, step)
        except (ValueError, TypeError) as error:
            why = str(error).removeprefix("arange: ")
            raise kind_of(error)(f"arange: {why} (from {first} to {last} by {step})") from error
    if dtype is None and array.dtype.kind == "f":
        dtype = get_default_dtype()
    kind = np.dtype(_or(dtype, array))
    if array.dtype == kind:
        return Tensor(array, requires_grad=requires_grad)
    try:
        return Tensor(fitting(array, kind), requires_grad=requires_grad)
    except RangeError as error:
        raise RangeError(f"arange: {error}") from None


def _check_steps(first: Any, last: Any, step: Any) -> None:
    """Whether a number of steps that memory holds leads from first to last."""
    for name, number in (("start", first), ("stop", last), ("step", step)):
        if number is None:
            raise DtypeError(f"arange: {name} must be a number, not None")
        if number != number:
            raise ValueError(f"arange: {name} is {number}, so there are no steps to count")
    if any(isinstance(number, complex | np.complexfloating) for number in (first, last, step)):
        raise DtypeError(f"arange: complex numbers have no order: from {first} to {last} by {step}")
    if step == 0:
        raise ValueError(f"arange: step is 0; no number of steps leads from {first} to {last}")
    try:
        steps = math.ceil((last - first) / step)
    except (OverflowError, ValueError):  # infinitely many, or nearly
        if last == first or (last > first) != (step > 0):
            return
        if not all(map(math.isfinite, (first, last))):
            raise ValueError(f"arange: no number of steps leads from {first} to {last}") from None
        steps = 1 << 63
    except TypeError:
        return  # no real numbers: NumPy says so
    fits_memory("arange", (max(steps, 0),), np.int64)


@in_own_name
@spelled
def linspace(
    start: complex,
    stop: complex,
    num: int,
    dtype: Dtype = None,
    endpoint: bool = True,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which is the last of them unless
    ``endpoint`` is False. They are rounded to ``dtype``, of real or complex floats, once.

    >>> import tinytensor as tt
    >>> tt.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    check_device(device)
    _numbers("linspace", "start + (stop - start) * tt.linspace(0, 1, num)", start, stop)
    reach = COMPLEX if np.iscomplexobj([start, stop]) else FLOAT
    kind = promoted((), reach) if dtype is None else np.dtype(dtype)
    if not is_floating(kind):
        raise DtypeError(
            f"linspace: dtype must be of floats, not {kind}; astype rounds to integers"
        )
    num = int(counts("linspace", "num", num))
    fits_memory("linspace", (num,), kind)
    # as float64, in which float32 numbers have no rounding to speak of
    first, last = (np.asarray(end, np.result_type(end, np.float64)) for end in (start, stop))
    with np.errstate(over="ignore"):
        halves = not np.isfinite(last - first) and np.isfinite(last) and np.isfinite(first)
    if halves:
        halved = np.linspace(first / 2, last / 2, num, endpoint=endpoint)
        return Tensor(2 * halved, dtype=kind, requires_grad=requires_grad)
    return Tensor(
        np.linspace(first, last, num, endpoint=endpoint).astype(kind), requires_grad=requires_grad
    )


def _numbers(name: str, instead: str, *ends: Any) -> None:
    if holds_graph(ends):
        raise GraphError(f"{name}: takes numbers, and would lose their graph; {instead} keeps it")


@spelled
def eye(
    n_rows: int,
    n_cols: int | None = None,
    k: int = 0,
    dtype: Dtype = None,
    *,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A matrix with ones on its diagonal ``k`` and zeros elsewhere."""
    check_device(device)
    rows = int(counts("eye", "n_rows", n_rows))
    columns = rows if n_cols is None else int(counts("eye", "n_cols", n_cols))
    dtype = dtype or get_default_dtype()
    fits_memory("eye", (rows, columns), dtype)
    k = max(-rows, min(integer("eye", "k", k), columns))
    return Tensor(np.eye(rows, columns, k, dtype), requires_grad=requires_grad)


def rand(
    *shape: int | Shape,
    size: int | Shape = (),
    dtype: Dtype = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor:
    """Uniform numbers from [0, 1), from the default generator unless another is given."""
    check_device(device)
    sizes = shape_of("rand", as_shape(shape or (size,)), dtype or get_default_dtype())
    x = drawn(lambda sizes: random.rand(sizes, dtype, generator), sizes)
    return x.requires_grad_(requires_grad)


def randn(
    *shape: int | Shape,
    size: int | Shape = (),
    dtype: Dtype = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
    device: str | None = None,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1, real or complex.

    >>> import tinytensor as tt
    >>> _ = tt.manual_seed(0)
    >>> tt.randn(2, 3).shape
    (2, 3)
    """
    check_device(device)
    sizes = shape_of("randn", as_shape(shape or (size,)), dtype or get_default_dtype())
    x = drawn(lambda sizes: random.randn(sizes, dtype, generator), sizes)
    return x.requires_grad_(requires_grad)


@in_own_name
@spelled
def randint(
    low: int,
    high: int | Shape | None = None,
    shape: int | Shape | None = None,
    dtype: Dtype = np.int64,
    generator: np.random.Generator | None = None,
    *,
    device: str | None = None,
) -> Tensor:
    """Integers from [low, high); from [0, low) if no ``high`` is given.

    >>> import tinytensor as tt
    >>> tt.randint(5, (2, 3)).shape
    (2, 3)
    """
    check_device(device)
    if isinstance(high, tuple | list) and shape is None:
        high, shape = None, high
    if shape is None or isinstance(high, tuple | list):
        raise TypeError("randint: argument 'shape' is missing")
    low, high = (0, low) if high is None else (low, high)
    sizes = shape_of("randint", shape, dtype or np.int64)

    def draw(shape: Shape) -> np.ndarray:
        try:
            return random.randint(low, high, shape, dtype or np.int64, generator)
        except ValueError as error:
            shown = f"[{low}, {high}) as {np.dtype(dtype or np.int64)}"
            raise ValueError(f"randint: {error} ({shown})") from error

    return drawn(draw, sizes)


def randperm(
    n: int, generator: np.random.Generator | None = None, *, device: str | None = None
) -> Tensor:
    """The integers below n in random order."""
    check_device(device)
    n = int(counts("randperm", "n", n))
    fits_memory("randperm", (n,), np.int64)
    return Tensor(random.randperm(n, generator))
