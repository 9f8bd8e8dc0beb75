"""Shapes, views, joining and cutting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..sizes import Size, is_dynamic
from ..tracing import Value
from .elementwise import out_dtype
from .writer import INT64, Unwritable, Writer, writes


def axes_of(axis: Any, ndim: int) -> list[int]:
    """Axes as a list of numbers from 0; all of them for None."""
    if axis is None:
        return list(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    return [int(one) % ndim if ndim else 0 for one in given]


def reshaped(g: Writer, x: Any, sizes: Sequence[Any], before: Sequence[Any] | None = None) -> Any:
    """x in the shape ``sizes``. Where that can be without nodes for sizes, it is: what stays as it
    was ``before`` is told by 0, and one other size by −1."""
    before = x.sizes if isinstance(x, Value) else before
    sizes = list(sizes)
    if before is not None and list(before) == sizes:
        return g.name(x)
    if is_dynamic(sizes):
        # Those in front that stay what they were.
        told = [
            0 if isinstance(size, Size) and before is not None and before[i : i + 1] == (size,)
            else size
            for i, size in enumerate(sizes)
        ]  # fmt: skip
        open_ = [i for i, size in enumerate(told) if isinstance(size, Size)]
        if len(open_) == 1 and all(size != 0 or told[i] == 0 for i, size in enumerate(sizes)):
            told[open_[0]] = -1
        sizes = told if not is_dynamic(told) else sizes
        if not is_dynamic(sizes):
            return g("Reshape", x, np.array(sizes, np.int64))
        return g("Reshape", x, g.ints(sizes))
    empty = 0 in sizes
    return g("Reshape", x, g.ints(sizes), allowzero=1 if empty else None)


@writes("reshape")
def reshape(g: Writer, x: Value, shape: Any, copy: Any = None) -> Any:
    return reshaped(g, x, g.call.outputs[0].sizes)


@writes("expand_dims")
def expand_dims(g: Writer, x: Value, axis: Any = 0) -> Any:
    ndim = g.call.outputs[0].ndim
    return g("Unsqueeze", x, np.array(sorted(axes_of(axis, ndim)), np.int64))


@writes("squeeze")
def squeeze(g: Writer, x: Value, axis: Any = None) -> Any:
    if axis is None:
        axes = [i for i, size in enumerate(x.sizes) if size == 1]
    else:
        axes = axes_of(axis, x.ndim) if x.ndim else []
    if not axes:
        return g.value(x)
    return g("Squeeze", x, np.array(axes, np.int64))


@writes("permute_dims")
def permute_dims(g: Writer, x: Value, axes: Any = None) -> Any:
    order = list(range(x.ndim))[::-1] if axes is None else [int(a) % x.ndim for a in axes]
    return g.value(x) if order == sorted(order) else g("Transpose", x, perm=order)


@writes("matrix_transpose")
def matrix_transpose(g: Writer, x: Value) -> Any:
    order = list(range(x.ndim))
    return g("Transpose", x, perm=[*order[:-2], order[-1], order[-2]])


@writes("broadcast_to")
def broadcast_to(g: Writer, x: Value, shape: Any) -> Any:
    sizes = g.call.outputs[0].sizes
    return g.value(x) if sizes == x.sizes else g("Expand", x, g.ints(sizes))


@writes("expand")
def expand(g: Writer, g_: Value, shape: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The transpose of a sum."""
    sizes = g.call.outputs[0].sizes
    name = g.value(g_)
    if not keepdims and sizes:
        axes = sorted(axes_of(axis, len(sizes)))
        name = g("Unsqueeze", name, np.array(axes, np.int64))
    return g("Expand", name, g.ints(sizes))


@writes("flip")
def flip(g: Writer, x: Value, axis: Any = None) -> Any:
    axes = axes_of(axis, x.ndim)
    if not axes:
        return g.value(x)
    last = np.iinfo(np.int64)
    ends = [np.full(len(axes), n, np.int64) for n in (-1, last.min + 1)]
    return g("Slice", x, *ends, np.array(axes, np.int64), np.full(len(axes), -1, np.int64))


@writes("roll")
def roll(g: Writer, x: Value, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        flat = g("Reshape", x, np.array([-1]))
        if not isinstance(shift, int):
            shift = sum(shift)
        return reshaped(g, _rolled(g, flat, shift, 0, math.prod(x.shape)), x.sizes)
    shifts = shift if isinstance(shift, tuple | list) else (shift,)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    if len(shifts) != len(axes):
        shifts = tuple(shifts) * len(axes) if len(shifts) == 1 else shifts
        axes = tuple(axes) * len(shifts) if len(axes) == 1 else axes
    name = g.value(x)
    for one, at in zip(shifts, axes, strict=True):
        size = x.sizes[at % x.ndim]
        name = _rolled(g, name, one, at % x.ndim, size)
    return name


def _rolled(g: Writer, name: str, shift: Any, axis: int, size: Any) -> str:
    if not isinstance(size, Size):
        if not size or not shift % size:
            return name
        shift %= size
    elif shift == 0:
        return name
    ends = np.array([np.iinfo(np.int64).max])
    where = g.dimension(-shift)
    tail = g("Slice", name, where, ends, np.array([axis]))
    head = g("Slice", name, np.array([0]), where, np.array([axis]))
    return str(g("Concat", tail, head, axis=axis))


@writes("tril", "triu")
def triangle(g: Writer, x: Value, k: Any = 0) -> Any:
    name, dtype = x, x.dtype
    narrow = dtype.kind not in "f" and dtype not in (np.int64, bool)
    if narrow:
        name = g.cast(x, INT64)
    found = g("Trilu", name, g.cast(k, INT64), upper=int(g.call.name == "triu"))
    return g.cast(found, dtype, INT64) if narrow else found


@writes("concat")
def concat(g: Writer, arrays: Any, axis: Any = 0) -> Any:
    dtype = out_dtype(g)
    names = [g.cast(array, dtype) for array in arrays]
    if axis is None:
        names = [g("Reshape", name, np.array([-1])) for name in names]
        axis = 0
    kept = [
        name
        for name, array in zip(names, arrays, strict=True)
        if not isinstance(array, Value) or 0 not in array.shape
    ] or names[:1]
    if len(kept) == 1:
        return kept[0]
    return g("Concat", *kept, axis=int(axis))


@writes("stack")
def stack(g: Writer, arrays: Any, axis: int = 0) -> Any:
    dtype, at = out_dtype(g), int(axis) % g.call.outputs[0].ndim
    parts = [g("Unsqueeze", g.cast(array, dtype), np.array([at])) for array in arrays]
    return parts[0] if len(parts) == 1 else g("Concat", *parts, axis=at)


@writes("split")
def split(g: Writer, x: Value, indices_or_sections: Any = None, axis: int = 0) -> Any:
    outputs, axis = g.call.outputs, int(axis) % x.ndim
    sizes = [value.sizes[axis] for value in outputs]
    if len(outputs) == 1:
        return (g.value(x),)
    if isinstance(indices_or_sections, int | np.integer):
        return g("Split", x, outputs=len(outputs), axis=axis, num_outputs=len(outputs))
    return g("Split", x, g.ints(sizes), outputs=len(outputs), axis=axis)


@writes("unstack")
def unstack(g: Writer, x: Value, axis: int = 0) -> Any:
    return tuple(
        g("Gather", x, np.array(i), axis=int(axis) % x.ndim) for i in range(len(g.call.outputs))
    )


@writes("pad_constant")
def pad_constant(g: Writer, x: Value, pad_width: Any, value: Any = 0) -> Any:
    pairs = np.array(pad_width.array if isinstance(pad_width, Value) else pad_width, object)
    widths = [*pairs[:, 0], *pairs[:, 1]]
    return g("Pad", x, g.ints(widths), g.cast(value, x.dtype))


@writes("windows_along")
def windows_along(g: Writer, x: Value, axis: int, size: int, step: int = 1) -> Any:
    axis = int(axis) % x.ndim
    count = g.call.outputs[0].sizes[axis]
    places = int(step) * np.arange(int(count))[:, np.newaxis] + np.arange(int(size))
    name = g("Gather", x, places, axis=axis)
    order = [i for i in range(x.ndim + 1) if i != axis + 1] + [axis + 1]
    return g("Transpose", name, perm=order)


@writes("_pick", "_update")
def of_lanes(g: Writer, **given: Any) -> Any:
    raise Unwritable("a call under vmap")
