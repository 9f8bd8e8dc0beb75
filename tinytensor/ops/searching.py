"""Sorting, searching, counting and sets. Sorted and picked values have gradients, indices none."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from ..engine.operation import MANY
from ..errors import ShapeError
from ..kernels.reference.checks import own_axis
from .annotations import ArrayLike, Axes, Tensor
from .batching import along_axis, elementwise, lanes_of, refused, with_lanes
from .batching import reduction as over_lanes
from .checks import axis_index, integers
from .composed import composed
from .declared import op
from .indexing import take_along_axis

__all__ = [
    "argsort",
    "bucketize",
    "count_nonzero",
    "isin",
    "nonzero",
    "searchsorted",
    "sort",
    "topk",
    "unique_all",
    "unique_consecutive",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unravel_index",
]

# --- Sorting ---------------------------------------------------------------------------------


@op
@own_axis
def argsort(x: ArrayLike, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort x along ``axis``; equal elements keep their order."""
    axis_index("argsort", axis, np.ndim(x))
    kind: Literal["stable"] | None = "stable" if stable else None
    if not descending:
        return np.argsort(x, axis=axis, kind=kind)
    # Backwards, sorted and turned, so that equal elements are not exchanged.
    last = np.shape(x)[axis] - 1
    return last - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind=kind), axis)


@composed
def sort(x: ArrayLike, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """x with its elements sorted along ``axis``; the gradients are put back in place.

    >>> import tinytensor as tt
    >>> tt.sort(tt.tensor([2.0, 3.0, 1.0]), descending=True)
    tensor([3., 2., 1.])
    """
    return take_along_axis(x, argsort(x, axis, descending, stable), axis)


class TopK(NamedTuple):
    """The k extreme elements along an axis, and where they stand."""

    values: Tensor
    indices: Tensor


@composed
def topk(x: ArrayLike, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> TopK:
    """The k largest (or smallest) elements along ``axis``, and their indices; in order of size or,
    if not ``sorted``, in the order in which they stand in x.

    >>> import tinytensor as tt
    >>> tt.topk(tt.tensor([2.0, 3.0, 1.0]), 2)
    TopK(values=tensor([3., 2.]), indices=tensor([1, 0]))
    """
    return TopK(*_topk(x, axis, k, largest, sorted))


@own_axis
def _topk(x: Any, axis: int, k: int, largest: bool, sorted: bool) -> tuple[Any, Any]:
    axis = axis_index("topk", axis, x.ndim)
    if not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"topk: k is {k}, but axis {axis} of x has {x.shape[axis]} elements")
    first = (slice(None),) * axis + (slice(0, k),)
    indices = argsort(x, axis, largest)[first]
    if not sorted:
        indices = take_along_axis(indices, argsort(indices, axis), axis)
    return take_along_axis(x, indices, axis), indices


# --- Searching and counting -------------------------------------------------------------------


@op(outputs=MANY)
def nonzero(x: ArrayLike) -> tuple[Tensor, ...]:
    """Where x is not 0: the indices along each axis, in C order."""
    if np.ndim(x) == 0:
        raise ShapeError("nonzero: x has no axes")
    return np.nonzero(x)


@op
@own_axis
def count_nonzero(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0."""
    return np.asarray(np.count_nonzero(x, axis=axis, keepdims=keepdims))


@op
def searchsorted(
    x: ArrayLike,
    values: ArrayLike,
    side: Literal["left", "right"] = "left",
    sorter: ArrayLike | None = None,
    right: bool = False,
    out_int32: bool = False,
) -> Tensor:
    """Where ``values`` would have to be put into the sorted x, which has one axis; or into each row
    of x, along its last axis, what stands in the same place of ``values``.

    ``side`` "left" is before equal elements, "right" behind them, as is ``right``; ``sorter`` are
    the indices that sort x. The result is int64, or int32 with ``out_int32``.

    >>> import tinytensor as tt
    >>> tt.searchsorted(tt.tensor([1.0, 2.0, 3.0]), [2.0, 2.5])
    tensor([1, 2])
    """
    side, dtype = "right" if right else side, np.int32 if out_int32 else np.int64
    if sorter is not None:
        sorter = integers("searchsorted", "sorter", sorter)
    if np.ndim(x) < 2:
        return np.searchsorted(x, values, side, sorter).astype(dtype)
    values = np.asarray(values)
    if x.shape[:-1] != values.shape[:-1]:
        raise ShapeError(f"searchsorted: x is {x.shape}, values {values.shape}, of other rows")
    x = x if sorter is None else np.take_along_axis(x, sorter, -1)
    out = np.empty(values.shape, dtype)
    for row in np.ndindex(x.shape[:-1]):
        out[row] = np.searchsorted(x[row], values[row], side)
    return out


@composed
def bucketize(
    x: ArrayLike, boundaries: ArrayLike, right: bool = False, out_int32: bool = False
) -> Tensor:
    """The number of the interval that each element of x is in, where ``boundaries``, sorted, cut
    them: that is ``searchsorted(boundaries, x)``. An element at a boundary is before it, or
    behind it if ``right``.

    >>> import tinytensor as tt
    >>> tt.bucketize(tt.tensor([0.5, 1.0, 7.0]), [1.0, 2.0])
    tensor([0, 0, 2])
    """
    if np.ndim(boundaries) != 1:
        raise ShapeError(f"boundaries must have one axis, but are {np.shape(boundaries)}")
    return searchsorted(boundaries, x, "left", None, right, out_int32)


@op(outputs=MANY)
def unravel_index(indices: ArrayLike, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The index along each axis of an array of ``shape`` of those elements that have the numbers
    ``indices`` in C order.

    >>> import tinytensor as tt
    >>> tt.unravel_index(tt.tensor([5, 0]), (2, 3))
    (tensor([1, 0]), tensor([2, 0]))
    """
    return np.unravel_index(integers("unravel_index", "indices", indices), shape)


@op
def isin(x: ArrayLike, elements: ArrayLike, invert: bool = False) -> Tensor:
    """Which elements of x are among ``elements``; with ``invert``, which are not."""
    return np.isin(x, elements, invert=invert)


# --- Sets ------------------------------------------------------------------------------------
# NaNs are all different, as they are not equal.


@op(outputs=4)
def _unique(x):
    found = np.unique_all(x)
    return found.values, found.indices, found.inverse_indices, found.counts


class UniqueAllResult(NamedTuple):
    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCountsResult(NamedTuple):
    values: Tensor
    counts: Tensor


class UniqueInverseResult(NamedTuple):
    values: Tensor
    inverse_indices: Tensor


@composed
def unique_all(x: ArrayLike) -> UniqueAllResult:
    """The different elements, sorted; where each first stands; for each element of x the index of
    its equal; and how often each occurs. The values have no gradient."""
    return UniqueAllResult(*_unique(x))


@composed
def unique_counts(x: ArrayLike) -> UniqueCountsResult:
    """The different elements, sorted, and how often each occurs."""
    found = unique_all(x)
    return UniqueCountsResult(found.values, found.counts)


@composed
def unique_inverse(x: ArrayLike) -> UniqueInverseResult:
    """The different elements, sorted, and for each element of x the index of its equal."""
    found = unique_all(x)
    return UniqueInverseResult(found.values, found.inverse_indices)


@op
@own_axis
def unique_values(x: ArrayLike, axis: int | None = None) -> Tensor:
    """The different elements, sorted; with an ``axis`` the different slices along it."""
    if axis is not None:
        axis_index("unique_values", axis, np.ndim(x))
    return np.unique(x, axis=axis, equal_nan=False)


@op(outputs=3)
@own_axis
def unique_slices(x: ArrayLike, axis: int = 0) -> tuple[Tensor, ...]:
    """The different slices along ``axis``, sorted; for each slice of x the index of its equal; and
    how often each occurs."""
    axis_index("unique", axis, np.ndim(x))
    return np.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)


@op(outputs=3)
def _runs(x, axis):
    """The first of each run of equal slices; for each slice the number of its run; the lengths."""
    if axis is None:
        rows = x.reshape(-1, 1)
    else:
        axis = axis_index("unique_consecutive", axis, x.ndim)
        rows = np.moveaxis(x, axis, 0)
        rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    starts = np.ones(len(rows), bool)
    starts[1:] = (rows[1:] != rows[:-1]).any(1)
    values = x.reshape(-1)[starts] if axis is None else x.compress(starts, axis)
    runs = np.cumsum(starts) - 1
    ends = np.append(np.flatnonzero(starts), len(rows))
    return values, runs.reshape(x.shape) if axis is None else runs, np.diff(ends)


@composed
def unique_consecutive(
    x: ArrayLike,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """x without those elements that equal the one before; with an ``axis`` without such slices. If
    asked, for each the number of its run, and how long each run is. The values have no gradient.

    >>> import tinytensor as tt
    >>> tt.unique_consecutive(tt.tensor([1, 1, 2, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 2, 1]))
    """
    x = x if x.ndim or axis is None else x.reshape((1,))
    values, inverse, lengths = _runs(x, axis)
    found = [values] + [inverse] * bool(return_inverse) + [lengths] * bool(return_counts)
    return tuple(found) if len(found) > 1 else values


# --- Lanes of a vmap --------------------------------------------------------------------------

argsort.batched(along_axis())
count_nonzero.batched(over_lanes)
for _op in (nonzero, unique_values):
    _op.batched(refused)
for _op_of_several in (_unique, unique_slices, _runs):
    _op_of_several.batched(refused)


def _searchsorted_lanes(op, args, mapped, static):
    if not (mapped[0] or mapped[3] or np.ndim(args[0]) > 1):
        return op(*args)
    lanes = lanes_of(args, mapped)
    x, values = (with_lanes(args[i], mapped[i], lanes) for i in (0, 1))
    sorter = with_lanes(args[3], mapped[3], lanes)
    if x.ndim > 2:
        return op(x, values, args[2], sorter, *args[4:])
    row = values.reshape(lanes, math.prod(values.shape[1:]))
    return op(x, row, args[2], sorter, *args[4:]).reshape(values.shape)


def _isin_lanes(op, args, mapped, static):
    return NotImplemented if mapped[1] else op(*args)


unravel_index.batched(elementwise)
searchsorted.batched(_searchsorted_lanes)
isin.batched(_isin_lanes)
