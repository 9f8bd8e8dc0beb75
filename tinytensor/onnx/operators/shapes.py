"""Shapes: what looks at them, and what lays the same elements out in another one."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, integers, value


def of(x: Any) -> Any:
    """Whose functions take a value: the ops a tensor, NumPy what no tensor can hold."""
    return ops if isinstance(x, Tensor) else np


@operator("Identity")
def identity(x: Any) -> Any:
    return x


@operator("Shape")
def shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    return value(np.array(x.shape[start:end], np.int64))


@operator("Size")
def size(x: Any) -> Any:
    return value(np.array(prod(x.shape), np.int64))


@operator("Reshape", since=5, settings=(1,))
def reshape(x: Any, to: Any, *, allowzero: int = 0) -> Any:
    sizes = integers(to)
    if not allowzero and 0 in sizes:
        sizes = tuple(x.shape[i] if n == 0 else n for i, n in enumerate(sizes))
    return of(x).reshape(x, sizes)


@operator("Flatten")
def flatten(x: Any, *, axis: int = 1) -> Any:
    axis = axis + len(x.shape) if axis < 0 else axis
    return of(x).reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


@operator("Transpose")
def transpose(x: Any, *, perm: tuple[int, ...] | None = None) -> Any:
    return of(x).permute_dims(x, tuple(reversed(range(x.ndim))) if perm is None else perm)


@operator("Squeeze")
def squeeze_1(x: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    return squeeze(x, axes)


@operator("Squeeze", since=13)
def squeeze(x: Any, axes: Any = None) -> Any:
    ones = (i for i, n in enumerate(x.shape) if n == 1)
    return of(x).squeeze(x, tuple(ones) if axes is None else integers(axes))


@operator("Unsqueeze")
def unsqueeze_1(x: Any, *, axes: tuple[int, ...]) -> Any:
    return unsqueeze(x, axes)


@operator("Unsqueeze", since=13)
def unsqueeze(x: Any, axes: Any) -> Any:
    along = integers(axes)
    rank = len(x.shape) + len(along)
    new = {axis + rank if axis < 0 else axis for axis in along}
    if len(new) < len(along) or not new.issubset(range(rank)):
        raise ValueError(f"Unsqueeze: axes are {along}, and x is {x.shape}")
    sizes = iter(x.shape)
    return of(x).reshape(x, tuple(1 if i in new else next(sizes) for i in range(rank)))


@operator("Expand", since=8)
def expand(x: Any, to: Any) -> Any:
    sizes = np.broadcast_shapes(x.shape, integers(to))
    return x if sizes == x.shape else of(x).broadcast_to(x, sizes)


@operator("Tile", since=6)
def tile(x: Any, repeats: Any) -> Any:
    return of(x).tile(x, integers(repeats))


@operator("Concat", since=4)
def concat(*parts: Any, axis: int) -> Any:
    return of(parts[0]).concat(parts, axis=axis) if len(parts) > 1 else parts[0]


@operator("Split", since=2)
def split_2(x: Any, *, axis: int = 0, split: tuple[int, ...] | None = None, node: Any) -> Any:
    return split_18(x, split, axis=axis, node=node)


@operator("Split", since=13)
def split_18(
    x: Any, sizes: Any = None, *, axis: int = 0, num_outputs: int | None = None, node: Any
) -> Any:
    whole = x.shape[axis]
    if sizes is None:
        parts = num_outputs or len(node.outputs)
        each = -(-whole // parts)  # the last may be smaller
        ends = [min(each * (i + 1), whole) for i in range(parts)]
    else:
        ends = np.cumsum(integers(sizes)).tolist()
        if not ends or ends[-1] != whole or min(integers(sizes)) < 0:
            raise ValueError(f"Split: sizes {integers(sizes)} of an axis of {whole}")
    front: tuple[Any, ...] = (slice(None),) * (axis + x.ndim if axis < 0 else axis)
    starts = [0, *ends[:-1]]
    return tuple(x[(*front, slice(i, j))] for i, j in zip(starts, ends, strict=True))


@operator("Slice")
def slice_1(
    x: Any,
    *,
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    axes: tuple[int, ...] | None = None,
) -> Any:
    return slice_10(x, starts, ends, axes)


@operator("Slice", since=10)
def slice_10(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    first, last = integers(starts), integers(ends)
    along = tuple(range(len(first))) if axes is None else integers(axes)
    by = (1,) * len(first) if steps is None else integers(steps)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, first, last, by, strict=True):
        n = x.shape[axis]
        if step < 0 and end < -n:  # before the first: as a stop this is None
            index[axis] = slice(start, None, step)
        else:
            index[axis] = slice(start, end, step)
    return x[tuple(index)]


@operator("Pad", since=2)
def pad_2(x: Any, *, pads: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(x, pads, np.asarray(value), mode=mode)


@operator("Pad", since=11, settings=(1, 2, 3))
def pad(
    x: Any, pads: Any, constant: Any = None, axes: Any = None, *, mode: str = "constant"
) -> Any:
    around = integers(pads)
    along = range(x.ndim) if axes is None else integers(axes)
    if len(around) != 2 * len(along):
        raise ValueError(f"Pad: {len(around)} pads for {len(along)} axes of {x.shape}")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(along):
        widths[axis] = around[i], around[i + len(along)]
    if any(a < 0 or b < 0 for a, b in widths):  # less than nothing is cut off
        both = zip(x.shape, widths, strict=True)
        x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in both)]
        widths = [(max(a, 0), max(b, 0)) for a, b in widths]
    if mode == "constant":
        filling = 0 if constant is None else array(constant).reshape(()).item()
        return ops.pad(x, widths, constant_values=filling)
    if mode in ("edge", "reflect", "wrap"):
        places = np.arange(prod(x.shape)).reshape(x.shape)
        chosen = np.pad(places, widths, mode)  # type: ignore[call-overload]
        return ops.take(ops.reshape(x, (-1,)), value(chosen.reshape(-1))).reshape(chosen.shape)
    raise ValueError(f"Pad: mode is {mode!r}, not constant, edge, reflect or wrap")


@operator("CenterCropPad", since=18)
def center_crop_pad(x: Any, to: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    sizes = integers(to)
    for axis, n in zip(range(x.ndim) if axes is None else axes, sizes, strict=True):
        have = x.shape[axis]
        index, widths = [slice(None)] * x.ndim, [(0, 0)] * x.ndim
        if have > n:
            first = (have - n) // 2
            index[axis] = slice(first, first + n)
            x = x[tuple(index)]
        elif have < n:
            widths[axis] = (n - have) // 2, n - have - (n - have) // 2
            x = ops.pad(x, widths)
    return x


@operator("DepthToSpace")
def depth_to_space(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = x.shape
    b = blocksize
    if b < 1 or c % b**2:
        raise ShapeError(f"DepthToSpace: blocksize is {b}, and x is {x.shape}")
    if mode == "DCR":
        blocks = ops.reshape(x, (n, b, b, c // b**2, h, w))
        order = (0, 3, 4, 1, 5, 2)
    elif mode == "CRD":
        blocks = ops.reshape(x, (n, c // b**2, b, b, h, w))
        order = (0, 1, 4, 2, 5, 3)
    else:
        raise ValueError(f"DepthToSpace: mode is DCR or CRD, not {mode!r}")
    return ops.reshape(ops.permute_dims(blocks, order), (n, c // b**2, h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = x.shape
    b = blocksize
    if b < 1 or h % b or w % b:
        raise ShapeError(f"SpaceToDepth: blocksize is {b}, and x is {x.shape}")
    blocks = ops.reshape(x, (n, c, h // b, b, w // b, b))
    if mode not in ("DCR", "CRD"):
        raise ValueError(f"SpaceToDepth: mode is DCR or CRD, not {mode!r}")
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return ops.reshape(ops.permute_dims(blocks, order), (n, c * b * b, h // b, w // b))


@operator("ReverseSequence", since=10)
def reverse_sequence(x: Any, lengths: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    steps, each = np.arange(x.shape[time_axis]), array(lengths)
    # Row i of the batch reads its first lengths[i] steps from behind.
    places = np.where(steps < each[:, None], each[:, None] - 1 - steps, steps)
    sizes = [1] * x.ndim
    sizes[batch_axis], sizes[time_axis] = places.shape
    places = (places if batch_axis < time_axis else places.T).reshape(sizes)
    return ops.take_along_axis(x, value(np.broadcast_to(places, x.shape)), time_axis)


@operator("Trilu", since=14)
def trilu(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    diagonal = 0 if k is None else int(array(k).reshape(()))
    reach = sum(x.shape[-2:])
    return (ops.triu if upper else ops.tril)(x, max(-reach, min(reach, diagonal)))
