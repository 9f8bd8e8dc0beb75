"""Ops that pick elements by index, and the scatter that is the derivative of them all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..engine import Variable
from ..errors import ShapeError
from ..operation import op
from .composed import composed

__all__ = [
    "advanced_index",
    "basic_index",
    "getitem",
    "raw_index",
    "scatter_add",
    "take",
    "take_along_axis",
]


def raw_index(index: Any) -> Any:
    """An index with its tensors, and the tensors in its lists, replaced by their arrays."""
    if isinstance(index, Variable):
        return index.value
    if isinstance(index, tuple):
        return tuple(raw_index(item) for item in index)
    return [raw_index(item) for item in index] if isinstance(index, list) else index


def is_basic(index: Any) -> bool:
    """Whether an index makes a view: of integers, slices, None and ``...`` alone."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None
        or item is Ellipsis
        or isinstance(item, slice)
        or (isinstance(item, int | np.integer) and not isinstance(item, bool))
        for item in items
    )


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``, with all of NumPy's indexing: a view where the index is basic."""
    return basic_index(x, index) if is_basic(index) else advanced_index(x, own_index(index))


def own_index(index: Any) -> Any:
    """``raw_index`` with copies of its arrays: a change of them afterwards is no change here."""
    if isinstance(index, tuple):
        return tuple(own_index(item) for item in index)
    index = raw_index(index)
    return index.copy() if isinstance(index, np.ndarray) else index


@op(view=True, residuals=("from_shape",))
def basic_index(x, index):
    """``x[index]`` for an index of integers, slices, None and ``...``: a view."""
    picked = x[index]
    if not isinstance(picked, np.ndarray):  # one element: as a view too
        picked = x[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return picked, np.shape(x)


basic_index.grad(x=lambda g, index, from_shape: scatter_add(g, index, from_shape))


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


@op(residuals=("from_shape",))
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
            return kernels.embedding(numbers, x.reshape(rows, -1)).reshape(shape), x.shape
    return x[index], np.shape(x)


advanced_index.grad(x=lambda g, index, from_shape: scatter_add(g, index, from_shape))


@op
def scatter_add(g, index, shape):
    """Zeros of ``shape`` with g added at ``[index]``; where an index repeats, all are added."""
    out = np.zeros(shape, np.asarray(g).dtype)
    if is_basic(index) and np.shape(out[index]) != np.shape(g):
        raise ShapeError(f"scatter_add: g is {np.shape(g)}, but its place is {out[index].shape}")
    if is_basic(index) or (isinstance(index, np.ndarray) and index.dtype == bool):
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


scatter_add.grad(g=lambda gg, index: getitem(gg, index))


@composed
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The slices of x along ``axis`` at ``indices``; of the flattened x if ``axis`` is None."""
    indices = np.asarray(raw_index(indices))
    if indices.dtype.kind not in "iu":
        raise TypeError(f"take: indices must be integers, not {indices.dtype}")
    if axis is None:
        x, axis = x.reshape(-1), 0
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"take: there is no axis {axis} in x of shape {x.shape}")
    return advanced_index(x, (slice(None),) * (axis % x.ndim) + (indices,))


@composed
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """For each place of ``indices`` the element of x with that index along ``axis``.

    ``indices`` has as many axes as x, and sizes that broadcast with x's on the others.
    """
    indices = np.asarray(raw_index(indices))
    if indices.dtype.kind not in "iu":
        raise TypeError(f"take_along_axis: indices must be integers, not {indices.dtype}")
    if indices.ndim != x.ndim or not -x.ndim <= axis < x.ndim:
        raise ShapeError(
            f"take_along_axis: x is {x.shape}, indices {indices.shape}, axis {axis}; the ranks must"
            " be equal, and axis one of theirs"
        )
    axis %= x.ndim
    index: list[Any] = [
        np.arange(n).reshape((-1,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(x.shape)
    ]
    index[axis] = indices
    return advanced_index(x, tuple(index))
