"""Elements picked and changed by masks, along an axis, or in slices: PyTorch's names for it.

What changes elements makes a copy, with gradients by x and by what is put in.
"""

from __future__ import annotations

from operator import index as as_int
from typing import Any

import numpy as np

from ..dtypes import storable
from ..engine.core import Variable
from ..errors import DtypeError, ShapeError
from ..kernels.reference.checks import own_axis
from .annotations import ArrayLike, Tensor
from .arithmetic import add, clip
from .batching import refused
from .checks import axis_index
from .composed import composed
from .declared import op
from .indexing import getitem, index_array, lookup, raw_index, take, take_along_axis
from .logic import where
from .operands import operand
from .reduction import cumulative_sum
from .shape import astype, broadcast_shapes, broadcast_to, reshape
from .updates import joined, scatter, updated

__all__ = [
    "argwhere",
    "fill",
    "index_copy",
    "index_fill",
    "index_reduce",
    "index_select",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "narrow",
    "put",
    "scatter_add",
    "scatter_reduce",
    "select",
    "select_scatter",
    "slice_scatter",
    "take_along_dim",
]


# --- By a mask -------------------------------------------------------------------------------


def _mask(name: str, mask: Any) -> Any:
    """A mask as an array of its own, or a tensor of one lane of a vmap."""
    mask = index_array(mask)
    if mask.dtype != bool:
        raise DtypeError(f"{name}: mask must be bool, but is {mask.dtype} of {mask.shape}")
    return mask


@composed
def masked_fill(x: ArrayLike, mask: ArrayLike, value: ArrayLike) -> Tensor:
    """``value``, one number, where ``mask`` is True, and x elsewhere; x and the mask broadcast.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0, 3.0])
    >>> tt.masked_fill(x, x > 1.5, 0.0)
    tensor([1., 0., 0.])
    """
    mask = _mask("masked_fill", mask)
    value = storable(value, x.dtype)
    if value.ndim:
        raise ShapeError(f"masked_fill: value is {value.shape}, not one number; tt.where takes it")
    return where(mask, value if value.dtype == x.dtype else astype(value, x.dtype), x)


@composed
def fill(x: ArrayLike, value: ArrayLike) -> Tensor:
    """``value``, one number, in the shape and dtype of x, which gets a gradient of zeros."""
    if np.ndim(value):
        raise ShapeError(f"fill: value is {np.shape(value)}, not one number")
    return updated("fill", x, ..., value, None)


@composed
def masked_select(x: ArrayLike, mask: ArrayLike) -> Tensor:
    """The elements of x where ``mask`` is True, in C order; x and the mask broadcast."""
    mask = _mask("masked_select", mask)
    shape = broadcast_shapes(x.shape, mask.shape)
    mask = mask if isinstance(mask, Variable) else np.broadcast_to(mask, shape)
    return getitem(x if x.shape == shape else broadcast_to(x, shape), mask)


@composed
def masked_scatter(x: ArrayLike, mask: ArrayLike, source: ArrayLike) -> Tensor:
    """x with the first elements of ``source``, in C order, in the places where ``mask``, which
    broadcasts to x, is True.

    >>> import tinytensor as tt
    >>> tt.masked_scatter(tt.zeros(3), [True, False, True], tt.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 2.])
    """
    mask, source = _mask("masked_scatter", mask), operand("masked_scatter", source, x)
    if source.dtype != x.dtype:
        raise DtypeError(f"masked_scatter: source is {source.dtype}, but x is {x.dtype}")
    shape = broadcast_shapes(x.shape, mask.shape)
    x, source = x if x.shape == shape else broadcast_to(x, shape), reshape(source, (-1,))
    mask, filled = broadcast_to(mask, shape), source.shape[0]
    every: Any = mask
    while isinstance(every, Variable):  # the masks of all lanes of vmaps, if it is of one
        every = every.value
    count = int(np.count_nonzero(every, tuple(range(-len(shape), 0))).max(initial=0))
    if count > filled:
        raise ShapeError(f"masked_scatter: {count} places for the {filled} elements of source")
    if not mask.level:
        return updated("masked_scatter", x, raw_index(mask), source[:count], None)
    if not count:
        return where(mask, x, x)
    numbers = cumulative_sum(astype(reshape(mask, (-1,)), np.int64)) - 1
    return where(mask, reshape(take(source, clip(numbers, 0, filled - 1), 0), shape), x)


@op
def argwhere(x: ArrayLike) -> Tensor:
    """The indices of the elements that are not 0, a row for each, in C order."""
    return np.argwhere(x)


argwhere.batched(refused)


# --- Along an axis ---------------------------------------------------------------------------


def _along(name: str, x: Any, axis: int, index: Any) -> tuple[Any, ...]:
    """The place of the slices of x along ``axis`` with the numbers ``index``."""
    axis, index = axis_index(name, axis, x.ndim), index_array(index)
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise (ShapeError if index.ndim > 1 else DtypeError)(
            f"{name}: index must be a row of integers, but is {index.dtype} of {index.shape}"
        )
    return (*(slice(None),) * axis, index.reshape(-1))


@composed
@own_axis
def index_select(x: ArrayLike, axis: int, index: ArrayLike) -> Tensor:
    """The slices of x along ``axis`` with the numbers ``index``, a row of integers."""
    return lookup(x, _along("index_select", x, axis, index))


@composed
@own_axis
def index_fill(x: ArrayLike, axis: int, index: ArrayLike, value: ArrayLike) -> Tensor:
    """x with ``value``, one number, in the slices ``index`` along ``axis``."""
    if np.ndim(value):
        raise ShapeError(f"index_fill: value is {np.shape(value)}, not one number")
    return updated("index_fill", x, _along("index_fill", x, axis, index), value, None)


@composed
@own_axis
def index_copy(x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike) -> Tensor:
    """x with slice i of ``source`` in place of slice ``index[i]`` along ``axis``; of several for
    one place, the last."""
    return updated("index_copy", x, _along("index_copy", x, axis, index), source, None)


@composed
@own_axis
def index_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor:
    """x with slice i of ``source`` joined to slice ``index[i]`` along ``axis``, by "sum", "mean",
    "prod", "amax" or "amin"; without ``include_self``, to each other alone."""
    place = _along("index_reduce", x, axis, index)
    return joined("index_reduce", x, place, source, reduce, include_self)


@composed
def scatter_add(x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike) -> Tensor:
    """x with element [i, j, …] of ``source`` added at [index[i, j, …], j, …], for ``axis`` 0:
    ``scatter`` by "sum"."""
    return scatter(x, axis, index, source, "sum")


@composed
def scatter_reduce(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor:
    """``scatter`` with a ``reduce`` that must be given."""
    return scatter(x, axis, index, source, reduce, include_self)


@composed
def take_along_dim(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Tensor:
    """``take_along_axis``; without an axis, the elements of the flattened x at ``indices``, which
    are flattened too."""
    if axis is None:
        return take(reshape(x, (-1,)), index_array(indices).reshape(-1), 0)
    return take_along_axis(x, indices, axis)


@composed
def put(x: ArrayLike, index: ArrayLike, source: ArrayLike, accumulate: bool = False) -> Tensor:
    """x with the elements of ``source`` at ``index`` of the flattened x; added, if
    ``accumulate``."""
    index, source = index_array(index).reshape(-1), reshape(operand("put", source, x), (-1,))
    flat = updated("put", reshape(x, (-1,)), index, source, add if accumulate else None)
    return reshape(flat, x.shape)


# --- Slices ----------------------------------------------------------------------------------


@composed
def select(x: ArrayLike, axis: int, index: int) -> Tensor:
    """x[…, index, …], at ``index`` of ``axis``: a view."""
    return getitem(x, _at("select", x, axis, as_int(index)))


@composed
def narrow(x: ArrayLike, axis: int, start: int, length: int) -> Tensor:
    """The ``length`` slices of x along ``axis`` from ``start`` on: a view.

    >>> import tinytensor as tt
    >>> tt.narrow(tt.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    axis, start, length = axis_index("narrow", axis, x.ndim, False), as_int(start), as_int(length)
    count = x.shape[axis]
    first = start + count if start < 0 else start
    if not (0 <= first <= count and 0 <= length <= count - first):
        raise ShapeError(f"narrow: no {length} elements from {start} on, of {count}")
    return getitem(x, _at("narrow", x, axis, slice(first, first + length)))


@composed
def select_scatter(x: ArrayLike, source: ArrayLike, axis: int, index: int) -> Tensor:
    """A copy of x with ``source`` at ``index`` of ``axis``."""
    place = _at("select_scatter", x, axis, as_int(index))
    return updated("select_scatter", x, place, source, None)


@composed
def slice_scatter(
    x: ArrayLike,
    source: ArrayLike,
    axis: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """A copy of x with ``source`` in place of the slice ``start:end:step`` along ``axis``."""
    place = _at("slice_scatter", x, axis, slice(start, end, step))
    return updated("slice_scatter", x, place, source, None)


def _at(name: str, x: Any, axis: int, item: Any) -> tuple[Any, ...]:
    """The index that has ``item`` at ``axis``."""
    return (*(slice(None),) * axis_index(name, axis, x.ndim, False), item)
