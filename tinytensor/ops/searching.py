"""Sorting, searching, counting and sets. Sorted and picked values have gradients, indices none."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from ..engine.operation import MANY
from ..errors import ShapeError
from ..kernels.reference.checks import own_axis
from .annotations import ArrayLike, Axes, Tensor
from .batching import along_axis, refused
from .batching import reduction as over_lanes
from .checks import axis_index, integers
from .composed import composed
from .declared import op
from .indexing import take_along_axis

__all__ = [
    "argsort",
    "count_nonzero",
    "isin",
    "nonzero",
    "searchsorted",
    "sort",
    "topk",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
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
) -> Tensor:
    """Where ``values`` would have to be put into the sorted x, which has one axis.

    ``side`` "left" is before equal elements, "right" behind them; ``sorter`` are the indices that
    sort x.
    """
    if sorter is not None:
        sorter = integers("searchsorted", "sorter", sorter)
    return np.searchsorted(x, values, side, sorter)


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
def unique_values(x: ArrayLike) -> Tensor:
    """The different elements, sorted."""
    return np.unique(x, equal_nan=False)


# --- Lanes of a vmap --------------------------------------------------------------------------

argsort.batched(along_axis())
count_nonzero.batched(over_lanes)
for _op in (nonzero, _unique, unique_values):
    _op.batched(refused)


def _searchsorted_lanes(op, args, mapped, static):
    return NotImplemented if mapped[0] or mapped[3] else op(*args)


def _isin_lanes(op, args, mapped, static):
    return NotImplemented if mapped[1] else op(*args)


searchsorted.batched(_searchsorted_lanes)
isin.batched(_isin_lanes)
