"""Changes of some elements as new tensors: ``x.at[index].set(v)`` and its relatives.

They are what ``x[index] = v`` would be if it made a copy, and have gradients by x and by v. Where
an index stands several times, ``set`` takes the last value; the others take all, one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import float32, storable
from ..engine.core import Variable
from ..engine.observers import current_observers
from ..errors import ShapeError, kind_of
from ..kernels.reference.checks import own_axis
from .annotations import ArrayLike, Tensor
from .arithmetic import add, divide, floor_divide, maximum, minimum, multiply, subtract
from .batching import lanes_of, padded, rank, with_lanes
from .checks import axis_index
from .composed import composed, heard_whole
from .declared import op
from .elementary import pow
from .indexing import (
    advanced_index,
    each_axis,
    getitem,
    has_lanes,
    in_front,
    index_array,
    is_basic,
    lookup,
    of_all_lanes,
    own_index,
)
from .operands import keep_graph
from .precision import cast, has_narrow, widened
from .shape import astype, broadcast_to, reshape

__all__ = [
    "gather",
    "index_add",
    "index_put",
    "scatter",
]


@op
def index_set(x, index, value):
    """A copy of x with ``value`` at ``[index]``, an index in which no element stands twice."""
    out = np.array(x)
    out[index] = value
    return out


index_set.grad(
    x=lambda g, index: index_set(g, index, 0),
    value=lambda g, index: getitem(g, index),
)


def _set_lanes(op, args, mapped, static):
    (x, index, value), lanes = args, lanes_of(args, mapped)
    index = of_all_lanes(index, np.shape(x)[mapped[0] :], lanes)
    return op(with_lanes(x, mapped[0], lanes), index, value)


index_set.batched(_set_lanes)


def updated(name: str, x: Any, index: Any, value: Any, change: Callable[..., Any] | None) -> Any:
    """x with ``change(old, value)`` (``value`` itself if None) at ``[index]``."""
    if current_observers():
        whole = heard_whole(updated, (name, x, index, value, change), {})
        if whole is not NotImplemented:
            return whole
    index = own_index(index)
    if has_lanes(index):
        return _update([x, value, *each_axis(x.shape, index)], name, change)
    try:
        places = np.arange(x.size).reshape(x.shape)[index]
    except IndexError as error:
        raise IndexError(f"{name}: {error}") from error
    try:
        value = value if isinstance(value, Variable) else keep_graph(name, value)
        value = storable(value, x.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise kind_of(error)(f"{name}: {error}") from error
    if change is not None and has_narrow(x):  # an element may change often, but is rounded once
        return cast(updated(name, cast(x, float32), index, value, change), x.dtype)
    value = value if value.dtype == x.dtype else astype(value, x.dtype)
    try:
        value = broadcast_to(value, places.shape)
    except ValueError as error:
        raise ShapeError(
            f"{name}: the value is {value.shape}, but its place {places.shape}"
        ) from error
    if is_basic(index) or not repeats(places):
        return index_set(x, index, value if change is None else change(getitem(x, index), value))
    out, values, places = reshape(x, (-1,)), reshape(value, (-1,)), places.reshape(-1)
    for turn in turns(places, last_only=change is None):
        here = places[turn]
        new = advanced_index(values, turn)
        out = index_set(out, here, new if change is None else change(out[here], new))
    return reshape(out, x.shape)


@op(variadic=True)
def _update(arrays, name, change):
    """``updated`` for arrays x, value, *index, where one of the index is of a lane of a vmap."""
    raise TypeError("no array is of a lane of a vmap")


def _update_lanes(op, args, mapped, static):
    (x, value, *index), lanes = args, lanes_of(args, mapped)
    ndim = max(rank(i, o) for i, o in zip(index, mapped[2:], strict=True))
    index = [padded(i, o, ndim) for i, o in zip(index, mapped[2:], strict=True)]
    place = (in_front(lanes, ndim), *index)
    value = padded(value, mapped[1], ndim)
    return updated(static["name"], with_lanes(x, mapped[0], lanes), place, value, static["change"])


_update.batched(_update_lanes)


def repeats(places: np.ndarray) -> bool:
    return len(np.unique(places)) < places.size


def turns(places: np.ndarray, last_only: bool) -> list[np.ndarray]:
    """Which places to write in turn, so that in none of them one stands twice: the first of each,
    then the second of each …; or only the last of each."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    if last_only:
        return [order[np.r_[starts[1:], len(order)] - 1]]
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return [order[turn == i] for i in range(turn.max() + 1)]


class At:
    """What ``x.at`` is: index it, then say what to do with the elements there.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0, 3.0])
    >>> x.at[1:].multiply(10.0)
    tensor([ 1., 20., 30.])
    >>> x.at[[0, 0]].add(tt.tensor([1.0, 2.0]))
    tensor([4., 2., 3.])
    """

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Place:
        return Place(self._x, index)


class Place:
    """Some elements of a tensor, to be changed in a copy of it."""

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    def _updated(self, name: str, value: Any, change: Callable[..., Any] | None) -> Any:
        return updated(f"at.{name}", self._x, self._index, value, change)

    def get(self) -> Any:
        """The elements themselves: x[index]."""
        return getitem(self._x, self._index)

    def set(self, value: Any) -> Any:
        """x with ``value`` there; of several for one element, the last."""
        return self._updated("set", value, None)

    def add(self, value: Any) -> Any:
        """x with ``value`` added there."""
        return self._updated("add", value, add)

    def subtract(self, value: Any) -> Any:
        """x with ``value`` subtracted there."""
        return self._updated("subtract", value, subtract)

    def multiply(self, value: Any) -> Any:
        """x with the elements there multiplied by ``value``."""
        return self._updated("multiply", value, multiply)

    mul = multiply

    def divide(self, value: Any) -> Any:
        """x with the elements there divided by ``value``."""
        return self._updated("divide", value, divide)

    def power(self, value: Any) -> Any:
        """x with the elements there raised to the power ``value``."""
        return self._updated("power", value, pow)

    def min(self, value: Any) -> Any:
        """x with the smaller of element and ``value`` there."""
        return self._updated("min", value, minimum)

    def max(self, value: Any) -> Any:
        """x with the larger of element and ``value`` there."""
        return self._updated("max", value, maximum)


# --- PyTorch's names -------------------------------------------------------------------------


@composed
@own_axis
def index_add(
    x: ArrayLike, axis: int, index: ArrayLike, source: ArrayLike, alpha: float = 1
) -> Tensor:
    """x with ``alpha`` times slice i of ``source`` added at ``index[i]`` along ``axis``."""
    axis = axis_index("index_add", axis, x.ndim)
    if alpha != 1:
        source = multiply(widened(source), alpha)
    place = (slice(None),) * axis + (index_array(index),)
    return updated("index_add", x, place, source, add)


@composed
def index_put(
    x: ArrayLike, indices: tuple[ArrayLike, ...], values: ArrayLike, accumulate: bool = False
) -> Tensor:
    """x with ``values`` at ``[indices]``, a tuple of arrays; added, if ``accumulate``."""
    return updated("index_put", x, tuple(indices), values, add if accumulate else None)


# What joins an element with what is there, and the number that leaves the other as it is.
REDUCTIONS: dict[str, tuple[Callable[..., Any], float]] = {
    "sum": (add, 0),
    "mean": (add, 0),
    "prod": (multiply, 1),
    "amax": (maximum, -np.inf),
    "amin": (minimum, np.inf),
}
REDUCTIONS |= {"add": REDUCTIONS["sum"], "multiply": REDUCTIONS["prod"]}  # as scatter calls them


@composed
def scatter(
    x: ArrayLike,
    axis: int,
    index: ArrayLike,
    source: ArrayLike,
    reduce: str | None = None,
    include_self: bool = True,
) -> Tensor:
    """x with element [i, j, …] of ``source`` at [index[i, j, …], j, …], for ``axis`` 0.

    ``reduce`` "sum", "mean", "prod", "amax" or "amin" joins it with what is there, or, without
    ``include_self``, with the other elements of ``source`` for that place alone. ``index`` may be
    smaller than x along the other axes, as in PyTorch, and than ``source``, of which the first
    elements are taken; otherwise that broadcasts to it.
    """
    shape = x.shape
    if np.ndim(source) and np.ndim(source) == np.ndim(index):
        pairs = [*zip(np.shape(source), np.shape(index), strict=True)]
        if any(given > wanted for given, wanted in pairs) and all(g >= w for g, w in pairs):
            source = getitem(source, tuple(slice(0, wanted) for _, wanted in pairs))
    x, place = _along("scatter", x, axis, index)
    return reshape(joined("scatter", x, place, source, reduce, include_self), shape)


def joined(name: str, x: Any, place: Any, source: Any, reduce: str | None, itself: bool) -> Any:
    """x with ``source`` at ``place``, joined by ``reduce`` with what is there if ``itself``."""
    if reduce is None:
        return updated(name, x, place, source, None)
    if reduce not in REDUCTIONS:
        raise ValueError(f"{name}: reduce is one of {', '.join(REDUCTIONS)}, not {reduce!r}")
    if has_narrow(x):
        return cast(joined(name, cast(x, float32), place, source, reduce, itself), x.dtype)
    change, neutral = REDUCTIONS[reduce]
    if not itself:
        if x.dtype.kind in "iu" and np.isinf(neutral):
            limits = np.iinfo(x.dtype)
            neutral = limits.min if neutral < 0 else limits.max
        x = updated(name, x, place, neutral, None)
    out = updated(name, x, place, source, change)
    if reduce != "mean":
        return out
    counts = updated(name, np.zeros(x.shape, out.dtype), place, 1, add)
    counts = counts + 1 if itself else maximum(counts, 1)
    return floor_divide(out, counts) if out.dtype.kind in "iu" else divide(out, counts)


@composed
def gather(x: ArrayLike, axis: int, index: ArrayLike) -> Tensor:
    """Element [i, j, …] is x[index[i, j, …], j, …], for ``axis`` 0.

    ``index`` may be smaller than x along the other axes, as in PyTorch.
    """
    return lookup(*_along("gather", x, axis, index))


def _along(name: str, x: Any, axis: int, index: Any) -> tuple[Any, tuple[Any, ...]]:
    """x, and the index of what ``index`` says along ``axis``, and its own place along the others.
    An x without axes has one element along axis 0."""
    axis, index = axis_index(name, axis, x.ndim), index_array(own_index(index))
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}: index must be integers, not {index.dtype}")
    fits = all(
        i <= n or a == axis for a, (i, n) in enumerate(zip(index.shape, x.shape, strict=False))
    )
    if not fits or index.ndim not in (x.ndim, x.ndim or 1):
        raise ShapeError(f"{name}: index {index.shape} does not fit an x of {x.shape}")
    if x.ndim == 0:
        return reshape(x, (1,)), (index,)
    places: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    places[axis] = index
    return x, tuple(places)
