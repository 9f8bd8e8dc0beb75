"""Elements picked and put by indices: the Gathers and Scatters, and what finds indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...ops.composed import is_followed
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, dtype_of, integers, value


def _within(name: str, indices: np.ndarray, size: int) -> np.ndarray:
    """The indices themselves, for an export follows their memory; −1 is the last."""
    if indices.size and not -size <= indices.min() <= indices.max() < size:
        raise IndexError(f"{name}: an index is outside of an axis of {size}")
    return indices


@operator("Gather")
def gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    places = _within("Gather", array(indices), x.shape[axis])
    if not isinstance(x, Tensor):
        return np.take(x, places, axis)
    axis = axis + x.ndim if axis < 0 else axis
    if places.ndim == 1:
        return ops.take(x, value(indices), axis)
    if places.ndim == 0 and not is_followed():
        return x[(slice(None),) * axis + (int(places),)]
    flat = ops.take(x, ops.reshape(value(indices), (-1,)), axis)
    return ops.reshape(flat, (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))


@operator("GatherElements", since=11)
def gather_elements(x: Any, indices: Any, *, axis: int = 0) -> Any:
    places = _within("GatherElements", array(indices), x.shape[axis])
    if not isinstance(x, Tensor):
        return x[_grid(places, axis)]
    return ops.gather(x, axis, value(indices))


def _grid(places: np.ndarray, axis: int) -> tuple[Any, ...]:
    """An index of each element of ``places``, which is the index along ``axis``."""
    index: list[Any] = list(np.ogrid[tuple(slice(n) for n in places.shape)])
    index[axis] = places
    return tuple(index)


def _nd(indices: np.ndarray, batch: int, shape: tuple[int, ...], name: str) -> tuple[Any, ...]:
    """Rows of indices as an index of x, behind ``batch`` axes that both have."""
    lead = np.ogrid[tuple(slice(n) for n in indices.shape[:batch])] if batch else []
    around = (1,) * (indices.ndim - 1 - batch)
    front = tuple(np.reshape(i, (*i.shape, *around)) for i in lead)
    rows = np.moveaxis(indices, -1, 0)
    return front + tuple(_within(name, row, shape[batch + i]) for i, row in enumerate(rows))


@operator("GatherND", since=11)
def gather_nd(x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    return x[_nd(array(indices), batch_dims, x.shape, "GatherND")]


_REDUCTIONS = {"none": "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}


def _put(x: Any, index: Any, updates: Any, reduction: str, name: str) -> Any:
    if reduction not in _REDUCTIONS:
        raise ValueError(f"{name}: reduction is {reduction!r}, not {', '.join(_REDUCTIONS)}")
    if not isinstance(x, Tensor):
        if reduction != "none":
            raise TypeError(f"{name}: no reduction of {dtype_of(x)}")
        made = x.copy()
        made[index] = updates
        return made
    return getattr(x.at[index], _REDUCTIONS[reduction])(updates)


@operator("ScatterElements", since=11)
def scatter_elements(
    x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none"
) -> Any:
    places = _within("ScatterElements", array(indices), x.shape[axis])
    return _put(x, _grid(places, axis), updates, reduction, "ScatterElements")


@operator("Scatter", since=9)
def scatter(x: Any, indices: Any, updates: Any, *, axis: int = 0) -> Any:
    return scatter_elements(x, indices, updates, axis=axis)


@operator("ScatterND", since=11)
def scatter_nd(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    return _put(x, _nd(array(indices), 0, x.shape, "ScatterND"), updates, reduction, "ScatterND")


@operator("TensorScatter", since=24)
def tensor_scatter(
    cache: Any, update: Any, first: Any = None, *, axis: int = -2, mode: str = "linear"
) -> Any:
    if mode not in ("linear", "circular"):
        raise ValueError(f"TensorScatter: mode is linear or circular, not {mode!r}")
    axis = axis % cache.ndim
    batch, count, whole = cache.shape[0], update.shape[axis], cache.shape[axis]
    starts = np.zeros(batch, np.int64) if first is None else array(first).reshape(-1)
    places = starts[:, None] + np.arange(count)
    if mode == "circular":
        places = places % whole
    elif places.size and (places.min() < 0 or places.max() >= whole):
        raise IndexError(f"TensorScatter: {count} rows from {starts.max()} on of {whole}")
    sizes = [1] * cache.ndim
    sizes[0], sizes[axis] = places.shape
    places = np.broadcast_to(places.reshape(sizes), update.shape)
    return _put(cache, _grid(places, axis), update, "none", "TensorScatter")


@operator("Compress", since=9)
def compress(x: Any, condition: Any, *, axis: int | None = None) -> Any:
    places = value(np.flatnonzero(array(condition)))
    return ops.take(ops.reshape(x, (-1,)), places) if axis is None else ops.take(x, places, axis)


@operator("NonZero", since=9)
def nonzero(x: Any) -> Any:
    return value(np.array(np.nonzero(array(x)), np.int64).reshape(len(x.shape), -1))


@operator("Unique", since=11)
def unique(x: Any, *, axis: int | None = None, sorted: int = 1) -> Any:
    data = array(x)
    kept, first, inverse, counts = np.unique(data, True, True, True, axis)
    order = np.arange(first.size) if sorted else np.argsort(first)
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    first, counts, inverse = first[order], counts[order], back[inverse.reshape(-1)]
    if isinstance(x, Tensor):  # so that gradients flow
        flat = x if axis is not None else ops.reshape(x, (-1,))
        made = ops.take(flat, value(first), axis or 0)
    else:
        made = np.take(kept, order, axis or 0)
    return made, *(value(i.astype(np.int64)) for i in (first, inverse, counts))


@operator("OneHot", since=9)
def one_hot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    classes = int(array(depth).reshape(-1)[0])
    if classes < 1:
        raise ValueError(f"OneHot: depth is {classes}")
    places = array(indices).astype(np.int64)
    places = np.where(places < 0, places + classes, places)
    axis = axis + places.ndim + 1 if axis < 0 else axis
    steps = np.arange(classes).reshape((-1, *(1,) * (places.ndim - axis)))
    hot = np.expand_dims(places, axis) == steps
    if not isinstance(values, Tensor):
        return np.where(hot, values[1], values[0])
    return ops.where(hot, values[1], values[0])


@operator("ArrayFeatureExtractor", domain="ai.onnx.ml")
def array_features(x: Any, indices: Any) -> Any:
    places = integers(indices)
    if not isinstance(x, Tensor):
        return np.take(x, places, -1)
    return ops.take(x, value(np.array(places, np.int64)), x.ndim - 1)
