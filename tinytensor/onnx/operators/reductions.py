"""Reductions along axes, and what searches along one: ArgMax, TopK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_floating
from ..registry import operator
from ..values import array, integers, value

Reduce = Callable[[Any, tuple[int, ...] | None, bool], Any]


def _kept(function: Any) -> Reduce:
    """A reduction in the dtype of x, which NumPy's sums of small integers are not."""
    return lambda x, axes, keep: function(x, axes, keep, dtype=x.dtype)


def _mean(x: Any, axes: Any, keep: bool) -> Any:
    out = ops.mean(x, axes, keep)
    return out if out.dtype == x.dtype else ops.astype(out, x.dtype)


def _limit(largest: bool) -> Reduce:
    """The largest or the smallest; of no elements the least or the most that there is."""
    function = ops.max if largest else ops.min

    def called(x: Any, axes: Any, keep: bool) -> Any:
        if x.size:
            return function(x, axes, keep)
        kind = x.dtype.kind
        ends = (False, True) if kind == "b" else (-np.inf, np.inf)
        if kind in "iu":
            ends = np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
        numpy = np.max if largest else np.min
        start = ends[0] if largest else ends[1]
        return value(np.asarray(numpy(array(x), axes, keepdims=keep, initial=start), x.dtype))

    return called


def _log_sum_exp(x: Any, axes: Any, keep: bool) -> Any:
    if not x.size or not is_floating(x.dtype):
        return _log(_sum(ops.exp(x), axes, keep), x)
    return ops.logsumexp(x, axes, keep)


def _log(x: Any, like: Any) -> Any:
    with np.errstate(divide="ignore"):
        out = ops.log(x)
    return out if out.dtype == like.dtype else ops.astype(out, like.dtype)


def _norm(x: Any, axes: Any, keep: bool) -> Any:
    out = ops.sqrt(_sum(ops.square(x), axes, keep))
    return out if out.dtype == x.dtype else ops.astype(out, x.dtype)


_sum = _kept(ops.sum)
_REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": lambda x, axes, keep: _sum(ops.abs(x), axes, keep),
    "ReduceL2": _norm,
    "ReduceLogSum": lambda x, axes, keep: _log(_sum(x, axes, keep), x),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _limit(True),
    "ReduceMean": _mean,
    "ReduceMin": _limit(False),
    "ReduceProd": _kept(ops.prod),
    "ReduceSum": _sum,
    "ReduceSumSquare": lambda x, axes, keep: _sum(ops.square(x), axes, keep),
}


def _by_attribute(reduction: Reduce) -> Any:
    def called(x: Any, *, axes: tuple[int, ...] | None = None, keepdims: int = 1) -> Any:
        return reduction(x, axes or None, bool(keepdims))

    return called


def _by_input(reduction: Reduce) -> Any:
    def called(
        x: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Any:
        along = None if axes is None else integers(axes)
        if not along:  # () reduces nothing: what is done to each element is done all the same
            along = () if noop_with_empty_axes else None
        if along == ():
            x = ops.expand_dims(x, 0)
            return reduction(x, (0,), False)
        return reduction(x, along, bool(keepdims))

    return called


for _name, _reduction in _REDUCTIONS.items():
    operator(_name)(_by_attribute(_reduction))
    operator(_name, since=13 if _name == "ReduceSum" else 18)(_by_input(_reduction))


def _place(function: Any) -> Any:
    def called(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        if not select_last_index:
            return function(x, axis, bool(keepdims))
        return x.shape[axis] - 1 - function(ops.flip(x, axis), axis, bool(keepdims))

    return called


operator("ArgMax")(_place(ops.argmax))
operator("ArgMin")(_place(ops.argmin))


@operator("TopK")
def topk_1(x: Any, *, k: int, axis: int = -1) -> Any:
    return topk(x, np.asarray(k), axis=axis)


@operator("TopK", since=10)
def topk(x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    count = int(array(k).reshape(()))
    if not 0 <= count <= x.shape[axis]:
        raise ValueError(f"TopK: k is {count}, and x has {x.shape[axis]} along the axis {axis}")
    data = array(x)
    # Of equal elements the first comes first, so the largest are read from behind.
    if largest:
        data = np.flip(data, axis)
    order = np.argsort(data, axis, stable=True)
    if largest:
        order = x.shape[axis] - 1 - np.flip(order, axis)
    order = value(np.take(order, range(count), axis))
    return ops.take_along_axis(x, order, axis), order
