"""Ops that pick elements by index, and the scatter that is the derivative of them all."""

from __future__ import annotations

import math
from operator import index as as_int
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..engine.core import Variable
from ..engine.observers import current_observers
from ..errors import ShapeError, VmapError
from .annotations import ArrayLike, Tensor
from .batching import lanes_of, padded, rank, with_lanes
from .checks import lined_up
from .composed import composed
from .declared import op

__all__ = [
    "take",
    "take_along_axis",
]


class Picked(NamedTuple):
    """Elements of a tensor, and their indices along the axis from which they were picked."""

    values: Tensor
    indices: Tensor


def raw_index(index: Any) -> Any:
    """An index with its tensors, and the tensors in its lists, replaced by their arrays."""
    if isinstance(index, Variable):
        return index if index.level else index.value
    if isinstance(index, tuple):
        return tuple(raw_index(item) for item in index)
    return [raw_index(item) for item in index] if isinstance(index, list) else index


def is_basic(index: Any) -> bool:
    """Whether an index makes a view: of integers, slices, None and ``...`` alone."""
    for item in index if isinstance(index, tuple) else (index,):
        kind = type(item)
        if kind not in _BASIC and (kind is bool or not isinstance(item, _INTEGERS)):
            return False
    return True


_BASIC = frozenset((int, slice, type(None), type(Ellipsis)))
_INTEGERS = (int, np.integer)  # for isinstance: int | np.integer would be made anew in each call


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``, with all of NumPy's indexing: a view where the index is basic."""
    return basic_index(x, index) if is_basic(index) else lookup(x, own_index(index))


def lookup(x: Any, index: Any) -> Any:
    """``advanced_index``, also where tensors of one lane of a vmap are in the index."""
    return _pick([x, *each_axis(x.shape, index)]) if has_lanes(index) else advanced_index(x, index)


def has_lanes(index: Any) -> bool:
    """Whether tensors of one lane of a vmap are in an index: all that ``raw_index`` leaves."""
    if isinstance(index, tuple):
        return any(isinstance(item, Variable) for item in index)
    return isinstance(index, Variable)


def own_index(index: Any) -> Any:
    """``raw_index`` with copies of its arrays: a change of them afterwards is no change here."""
    if isinstance(index, tuple):
        return tuple(own_index(item) for item in index)
    given, index = index, raw_index(index)
    if isinstance(index, slice):
        return slice(
            *(i if i is None else as_int(i) for i in (index.start, index.stop, index.step))
        )
    return _told(given, index.copy()) if isinstance(index, np.ndarray) else index


def index_array(index: Any) -> Any:
    """One item of an index as an array of its own, for what was given may change; or a tensor of
    one lane."""
    given, index = index, raw_index(index)
    return index if isinstance(index, Variable) else _told(given, np.array(index))


def _told(given: Any, copy: np.ndarray) -> np.ndarray:
    """``copy``, of which observers that follow values are told of what it was made: a tensor, or
    an array that may be such a copy itself."""
    if isinstance(given, Variable | np.ndarray):
        for observer in current_observers():
            follow = getattr(type(observer), "copied", None)
            if follow is not None:
                follow(observer, given, copy)
    return copy


@op(view=True, kernel=kernels.basic_index)
def basic_index(x, index):
    """``x[index]`` for an index of integers, slices, None and ``...``: a view."""


basic_index.grad(x=lambda g, index, x_shape: added_at(g, index, x_shape))


# Elements from which on it is worth the look at an index, to copy rows and to add them up.
COPIED_FROM, ADDED_FROM = 1 << 15, 512


def _picked_rows(index: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, int, tuple] | None:
    """The numbers of the rows that ``index`` picks from an array of ``shape``, seen as rows.

    Also how many rows there are, and the shape of what is picked. None but for integer arrays in
    range that stand side by side, with full slices alone before and behind them.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    kept = [isinstance(item, slice) and item == slice(None) for item in items]
    first, last = kept.index(False), len(kept) - kept[::-1].index(False)
    arrays, sizes = [np.asarray(item) for item in items[first:last]], shape[first:last]
    if any(kept[first:last]) or len(sizes) < len(arrays):
        return None
    numbers: np.ndarray = np.zeros((), np.int64)
    for array, size in zip(arrays, sizes, strict=True):
        if array.dtype.kind not in "iu" or not array.size:
            return None
        lowest = array.min()
        if lowest < -size or array.max() >= size:
            return None
        array = array.astype(np.int64, copy=False)
        if lowest < 0:
            array = np.where(array < 0, array + size, array)
        numbers = numbers * size + array
    of, before = math.prod(sizes), math.prod(shape[:first])
    picked = (*shape[:first], *numbers.shape, *shape[last:])
    numbers = (of * np.arange(before)[:, np.newaxis] + numbers.reshape(-1)).reshape(-1)
    return numbers, before * of, picked


@op
def advanced_index(x, index):
    """``x[index]`` for an index with arrays of integers or bools: a copy."""
    if (
        isinstance(index, np.ndarray)
        and (x.dtype == np.float32 and x.ndim > 1 and x.flags.c_contiguous)
        and x.size * index.size >= COPIED_FROM * len(x)
    ):
        picked = _picked_rows(index, x.shape)
        if picked is not None:
            numbers, rows, shape = picked
            return kernels.embedding(numbers, x.reshape(rows, -1)).reshape(shape)
    return x[index]


advanced_index.grad(x=lambda g, index, x_shape: added_at(g, index, x_shape))
basic_index.written = advanced_index.written = "x[index]"


@op
def added_at(g: ArrayLike, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of ``shape`` with g added at ``[index]``; where an index repeats, all are added."""
    if is_basic(index):
        return kernels.place(g, index, shape)
    out = np.zeros(shape, np.asarray(g).dtype)
    if isinstance(index, np.ndarray) and index.dtype == bool:
        out[index] = g  # nothing repeats
        return out
    # NumPy adds single elements well where the index is one array, but rows one by one.
    picked = None if len(shape) == 1 or np.size(g) < ADDED_FROM else _picked_rows(index, shape)
    if picked is None or np.shape(g) != picked[2]:
        np.add.at(out, index, g)
        return out
    numbers, rows, _ = picked
    if rows == out.size:
        np.add.at(out.reshape(-1), numbers, np.reshape(g, -1))
        return out
    g = np.reshape(g, (numbers.size, -1))
    return kernels.embedding_backward(g, numbers, rows, None).reshape(shape)


added_at.grad(g=lambda gg, index: getitem(gg, index))


@composed
def take(x: ArrayLike, indices: ArrayLike, axis: int | None = None) -> Tensor:
    """The slices of x along ``axis`` at ``indices``; of the flattened x if ``axis`` is None."""
    indices = index_array(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"take: indices must be integers, not {indices.dtype}")
    if axis is None:
        x, axis = x.reshape(-1), 0
    x, axis = lined_up("take", x, axis)
    return lookup(x, (slice(None),) * axis + (indices,))


@composed
def take_along_axis(x: ArrayLike, indices: ArrayLike, axis: int = -1) -> Tensor:
    """For each place of ``indices`` the element of x with that index along ``axis``.

    ``indices`` has as many axes as x, and sizes that broadcast with x's on the others.
    """
    indices = index_array(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"take_along_axis: indices must be integers, not {indices.dtype}")
    if indices.ndim not in (x.ndim, x.ndim or 1):
        raise ShapeError(
            f"take_along_axis: x is {x.shape}, indices {indices.shape}; the ranks must be equal"
        )
    x, axis = lined_up("take_along_axis", x, axis)
    index: list[Any] = [
        np.arange(n).reshape((-1,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(x.shape)
    ]
    index[axis] = indices
    return lookup(x, tuple(index))


# --- Lanes of a vmap --------------------------------------------------------------------------


def each_axis(shape: tuple[int, ...], index: Any) -> list[Any]:
    """An index of an array of ``shape`` as integers for each of its axes, all of the rank of what
    is picked: then its axes lie where NumPy's rules put them, and no rule is needed any more."""
    items: list[Any] = []
    for item in index if isinstance(index, tuple) else (index,):
        array: Any = item if is_single(item) else index_array(item)
        if is_single(item) or array.dtype != bool:
            items.append(array)
        elif isinstance(array, Variable):
            raise VmapError("x[mask]: under vmap each lane would pick another number of elements")
        else:
            items += np.nonzero(array)
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if Ellipsis not in [item for item in items if is_single(item)]:
        items.append(Ellipsis)
    place = next(i for i, item in enumerate(items) if item is Ellipsis)
    items[place : place + 1] = [slice(None)] * (len(shape) - taken)
    if taken > len(shape):
        raise IndexError(f"x[index]: too many indices, {taken}, for an x of {shape}")

    picking = [i for i, item in enumerate(items) if not is_axis(item)]
    depth = max(np.ndim(items[i]) for i in picking)  # of what the arrays pick together
    together = picking[-1] - picking[0] < len(picking)
    start = picking[0] if together else 0  # where its axes lie in the result
    whole = len(items) - len(picking) + depth
    sizes, passed = iter(shape), 0
    found = []
    for i, item in enumerate(items):
        if not is_axis(item):
            next(sizes)
            array = item if isinstance(item, Variable) else np.asarray(item)
            before = start + depth - array.ndim
            array = array.reshape((1,) * before + array.shape + (1,) * (whole - start - depth))
            found.append(array)
            continue
        at = passed + depth * (i > picking[0] or not together)
        passed += 1
        if item is not None:
            along_axis = np.arange(next(sizes))[item]
            found.append(along_axis.reshape((1,) * at + along_axis.shape + (1,) * (whole - at - 1)))
    return found


def is_single(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice)


def is_axis(item: Any) -> bool:
    """Whether an item of an index is an axis of its own in the result."""
    return item is None or isinstance(item, slice)


def of_all_lanes(index: Any, shape: tuple[int, ...], lanes: int) -> tuple[Any, ...]:
    """An index that is the same in all lanes, of arrays of ``shape``, as one of them all."""
    items = index if isinstance(index, tuple) else (index,)
    picking = [i for i, item in enumerate(items) if not is_single(item)]
    if is_basic(index) or picking[-1] - picking[0] < len(picking):
        return (slice(None), *items)
    arrays = each_axis(shape, index)
    return (in_front(lanes, arrays[0].ndim), *arrays)


def in_front(lanes: int, ndim: int) -> np.ndarray:
    """The numbers of the lanes along an axis in front of ``ndim`` others."""
    return np.arange(lanes).reshape((-1,) + (1,) * ndim)


@op(variadic=True)
def _pick(arrays):
    """``x[index]`` for arrays x, *index, where one is of a lane of a vmap."""
    return arrays[0][tuple(arrays[1:])]


def _pick_lanes(op, args, mapped, static):
    x, *index = args
    ndim = max(rank(i, o) for i, o in zip(index, mapped[1:], strict=True))
    index = [padded(i, o, ndim) for i, o in zip(index, mapped[1:], strict=True)]
    if mapped[0]:
        index = [in_front(x.shape[0], ndim), *index]
    return lookup(x, raw_index(tuple(index)))


def _index_lanes(op, args, mapped, static):
    if mapped[1]:
        return NotImplemented
    x, index = args[0], raw_index(args[1])
    return lookup(x, of_all_lanes(index, x.shape[1:], x.shape[0]))


def _scatter_lanes(op, args, mapped, static):
    (g, index, shape), lanes = args, lanes_of(args, mapped)
    if mapped[1] and index.level:  # of a vmap around this one, too: a tuple would hide them
        return NotImplemented
    if mapped[1]:
        arrays = each_axis(tuple(shape), index)
        index = (in_front(lanes, arrays[0].ndim - 1), *arrays)
    else:
        index = of_all_lanes(index, tuple(shape), lanes)
    return op(with_lanes(g, mapped[0], lanes), raw_index(index), (lanes, *shape))


_pick.batched(_pick_lanes)
basic_index.batched(lambda op, args, mapped, static: op(args[0], of_all_lanes(args[1], (), 0)))
advanced_index.batched(_index_lanes, formula=lookup)
added_at.batched(_scatter_lanes)
