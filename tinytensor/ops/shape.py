"""Ops that move elements without computing: shapes, axes, joining, splitting, repeating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..dtypes import is_complex, is_floating, is_number, meant, storable
from ..engine.operation import MANY, SOMETIMES
from ..errors import DtypeError, ShapeError
from ..kernels.reference.checks import own_axis
from ..kernels.reference.promotion import alike
from .annotations import ArrayLike, Axes, Axis, Dtype, Shape, Tensor
from .batching import (
    elementwise,
    lanes_of,
    over_matrices,
    rank,
    shape,
    shifted,
    with_lanes,
    with_own_axis,
)
from .checks import axis_index, counts, fits_memory, integer, lined_up
from .composed import composed
from .declared import op
from .indexing import getitem, take
from .operands import operand
from .precision import cast

__all__ = [
    "astype",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "clone",
    "concat",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "pad",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "tril",
    "triu",
    "unstack",
]


# --- One array -------------------------------------------------------------------------------


@op
def clone(x: ArrayLike) -> Tensor:
    """A copy of x, in C order."""
    return kernels.copy(x)


clone.grad(x=lambda g: g)


@composed
def astype(x: ArrayLike, dtype: Dtype, copy: bool = True, device: str | None = None) -> Tensor:
    """x with elements of ``dtype``; x itself if it has them already and ``copy`` is False.

    To integers or bools, no gradient flows back. Complex numbers become real ones by ``tt.real``.
    """
    dtype = meant("astype", dtype)
    if not is_number(dtype):
        raise DtypeError(f"astype: {dtype} is no dtype of numbers")
    if device not in (None, "cpu"):
        raise ValueError(f"astype: there is only the device 'cpu', not {device!r}")
    if is_complex(x) and dtype.kind not in "cb":
        raise DtypeError(f"astype: complex numbers do not fit into {dtype}; tt.real(x) would")
    if x.dtype == dtype and not copy:
        return x
    return cast(x if is_floating(dtype) or not hasattr(x, "detach") else x.detach(), dtype)


@op(view=SOMETIMES, kernel=kernels.reshape)
def reshape(x: ArrayLike, shape: Shape, copy: bool | None = None) -> Tensor:
    """The elements of x, in C order, in another shape; one size may be -1.

    A view where that can be; with ``copy`` True a copy, with False an error if it cannot be a view.
    """


reshape.grad(x=lambda g, x_shape: reshape(g, x_shape))


@composed
def flatten(x: ArrayLike, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from ``start_axis`` to ``end_axis`` (included) made into one."""
    start, end = (axis_index("flatten", axis, x.ndim) for axis in (start_axis, end_axis))
    if x.ndim == 0:
        return reshape(x, (1,))
    if start > end:
        raise ShapeError(f"flatten: start_axis {start_axis} is behind end_axis {end_axis}")
    joined = int(np.prod(x.shape[start : end + 1]))
    return reshape(x, (*x.shape[:start], joined, *x.shape[end + 1 :]))


@op(view=True, kernel=kernels.permute_dims)
def permute_dims(x: ArrayLike, axes: Sequence[int] | None = None) -> Tensor:
    """The axes of x in another order; all reversed if ``axes`` is None."""


permute_dims.grad(
    x=lambda g, axes: permute_dims(g, None if axes is None else inverse(axes, g.ndim))
)


def inverse(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    """The permutation that undoes ``axes``."""
    return tuple(int(i) for i in np.argsort([axis % ndim for axis in axes]))


@composed
def swapaxes(x: ArrayLike, axis1: int, axis2: int) -> Tensor:
    """x with two axes exchanged."""
    axes = list(range(x.ndim))
    try:
        axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    except IndexError:
        raise ShapeError(f"swapaxes: axes {axis1} and {axis2} of an x of {x.shape}") from None
    return permute_dims(x, tuple(axes))


@op(
    view=True,
    kernel=kernels.matrix_transpose,
    explain=lambda x: f"x is {x}, needs at least 2 axes",
)
def matrix_transpose(x: ArrayLike) -> Tensor:
    """x with its last two axes exchanged."""


matrix_transpose.grad(x=lambda g: matrix_transpose(g))


@composed
def moveaxis(x: ArrayLike, source: Axis, destination: Axis) -> Tensor:
    """x with the axes of ``source`` moved to ``destination``; the others keep their order."""
    numbered = np.empty(range(x.ndim))  # axis i has size i, so the sizes tell where each one went
    return permute_dims(x, np.moveaxis(numbered, source, destination).shape)


@op(view=True)
def expand_dims(x: ArrayLike, axis: Axis = 0) -> Tensor:
    """x with an axis of size 1 put in at ``axis``, or at each of several."""
    return np.expand_dims(x, axis)


expand_dims.grad(x=lambda g, x_shape: reshape(g, x_shape))


@op(view=True)
def squeeze(x: ArrayLike, axis: Axes = None) -> Tensor:
    """x without the axes of ``axis``, which must have size 1; without all such if None."""
    x = np.asarray(x)
    if not x.ndim and axis not in (None, ()):  # own_axis would cost as much as a squeeze
        x = x.reshape((1,))
    return np.squeeze(x, axis)


squeeze.grad(x=lambda g, x_shape: reshape(g, x_shape))


@op(view=True)
def broadcast_to(x: ArrayLike, shape: Sequence[int]) -> Tensor:
    """x stretched to ``shape`` by NumPy's rules, without a copy; its memory is read-only."""
    fits = isinstance(x, np.ndarray) and x.size == 1 and x.ndim <= len(shape)
    if fits and x.flags.c_contiguous and min((1, *shape)) > 0:
        # np.broadcast_to costs more than a small op; this is the cotangent of every sum()
        stretched: np.ndarray = np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        stretched.flags.writeable = False
        return stretched
    return np.broadcast_to(x, shape)


broadcast_to.grad(x=lambda g: g)  # the engine sums it down


@op(view=True)
@own_axis
def flip(x: ArrayLike, axis: Axes = None) -> Tensor:
    """x with the order of its elements along ``axis`` (all axes if None) reversed."""
    return np.asarray(np.flip(x, axis))


flip.grad(x=lambda g, axis: flip(g, axis))


@op
@own_axis
def roll(x: ArrayLike, shift: Axis, axis: Axes = None) -> Tensor:
    """x with its elements moved on by ``shift`` along ``axis``, around the end."""
    for step in shift if isinstance(shift, tuple | list) else (shift,):
        integer("roll", "shift", step)
    return np.roll(x, shift, axis)


roll.grad(
    x=lambda g, shift, axis: roll(
        g, tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift, axis
    )
)


@op
def tril(x: ArrayLike, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes, up to diagonal ``k``; 0 above."""
    return np.tril(x, integer("tril", "k", k))


tril.grad(x=lambda g, k: tril(g, k))


@op
def triu(x: ArrayLike, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes, from diagonal ``k`` on; 0 below."""
    return np.triu(x, integer("triu", "k", k))


triu.grad(x=lambda g, k: triu(g, k))


# --- Several arrays --------------------------------------------------------------------------


@op(variadic=True, residuals=("shapes",))
def concat(arrays: Sequence[ArrayLike], axis: int = 0) -> Tensor:
    """The arrays joined along an axis that they have; with None, flattened first."""
    if not arrays:
        raise ShapeError("concat: needs at least one array")
    return np.concatenate(alike(arrays), axis), [np.shape(array) for array in arrays]


def _concat_grad(g: Any, axis: int | None, shapes: list[tuple[int, ...]]) -> Any:
    sizes = [int(np.prod(shape)) if axis is None else shape[axis] for shape in shapes]
    pieces = split(g, np.cumsum(sizes)[:-1].tolist(), axis or 0)
    if axis is not None:
        return pieces
    return [reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]


concat.grad(arrays=_concat_grad)


@op(variadic=True)
def stack(arrays: Sequence[ArrayLike], axis: int = 0) -> Tensor:
    """The arrays, all of one shape, joined along a new axis."""
    if not arrays:
        raise ShapeError("stack: needs at least one array")
    return np.stack(alike(arrays), axis)


stack.grad(arrays=lambda g, axis: unstack(g, axis))


@op(outputs=MANY, view=True)
def split(
    x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Tensor, ...]:
    """Views of x along ``axis``: that many equal pieces, or cut before the given indices."""
    axis_index("split", axis, np.ndim(x), of_numbers=False)
    if isinstance(indices_or_sections, float):
        raise DtypeError(f"split: sections must be an integer, not {indices_or_sections!r}")
    if isinstance(indices_or_sections, int) and indices_or_sections < 1:
        raise ShapeError(f"split: cannot cut into {indices_or_sections} sections")
    return tuple(np.split(x, indices_or_sections, axis))


split.grad(x=lambda g, axis: concat(g, axis))


@op(outputs=MANY, view=True)
def unstack(x: ArrayLike, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along ``axis``, without that axis: views."""
    if np.ndim(x) == 0:
        raise ShapeError("unstack: x has no axes")
    slices = x if axis == 0 else np.moveaxis(x, axis, 0)
    return tuple(slices[i, ...] for i in range(len(slices)))  # with the ..., numbers are views too


unstack.grad(x=lambda g, axis: stack(g, axis))


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_shapes: {shapes} do not broadcast") from None


def broadcast_arrays(*arrays: ArrayLike) -> tuple[Tensor, ...]:
    """The arrays, each stretched to the shape that they broadcast to."""
    shape = broadcast_shapes(*(np.shape(array) for array in arrays))
    return tuple(broadcast_to(array, shape) for array in arrays)


def meshgrid(*arrays: ArrayLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid: array k varies along axis k, and has the shape of the grid.

    ``indexing`` "ij" keeps the order of the axes, "xy" exchanges the first two.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij", not {indexing!r}')
    axes = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        axes[:2] = 1, 0
    along_axis = [
        reshape(
            operand("meshgrid", array), tuple(-1 if i == axis else 1 for i in range(len(arrays)))
        )
        for axis, array in zip(axes, arrays, strict=True)
    ]
    return tuple(clone(array) for array in broadcast_arrays(*along_axis))


# --- Made longer -----------------------------------------------------------------------------


@op
def pad_constant(x, pad_width, value=0):
    """x with ``value`` put before and behind each axis: a pair of lengths for each axis."""
    value = storable(value, x.dtype)
    return np.pad(x, pad_width, constant_values=value)


pad_constant.grad(
    x=lambda g, pad_width: g[
        tuple(slice(before, g.shape[i] - after) for i, (before, after) in enumerate(pad_width))
    ]
)


@composed
def pad(
    x: ArrayLike, pad_width: int | Sequence[Any], mode: str = "constant", constant_values: float = 0
) -> Tensor:
    """x with elements put before and behind along each axis.

    ``pad_width`` is NumPy's: a number, a pair, or a pair for each axis. ``mode`` is "constant",
    "edge", "reflect", "symmetric" or "wrap". What is below 0 takes elements away instead: at the
    end, so that others may still be their mirror images; but around the end goes what is left.
    """
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    except ValueError:
        raise ShapeError(f"pad: pad_width {pad_width} does not fit an x of {x.shape}") from None
    if widths.dtype.kind not in "iu":
        raise ShapeError(f"pad: pad_width must be integers, not {pad_width}")
    pairs = tuple((int(before), int(after)) for before, after in widths)
    if (widths < 0).any():
        for axis, (size, pair) in enumerate(zip(x.shape, pairs, strict=True)):
            if sum(min(n, 0) for n in pair) < -size:
                raise ShapeError(
                    f"pad: {pair} takes more elements than axis {axis} of {x.shape} has"
                )
        longer = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
        if mode in ("constant", "wrap"):
            return pad(_cropped(x, pairs), longer, mode, constant_values)
        return _cropped(pad(x, longer, mode, constant_values), pairs)
    sizes = zip(x.shape, pairs, strict=True)
    fits_memory("pad", tuple(n + before + after for n, (before, after) in sizes), x.dtype)
    if mode == "constant":
        return pad_constant(x, pairs, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: there is no mode {mode!r}")
    for axis, pair in enumerate(pairs):
        if pair != (0, 0):
            indices = np.pad(np.arange(x.shape[axis]), pair, mode)  # type: ignore[call-overload]
            x = take(x, indices, axis)
    return x


def _cropped(x: Any, pairs: tuple[tuple[int, int], ...]) -> Any:
    """x without as many elements before and behind as the pairs have below 0: a view."""
    kept = []
    for size, (before, after) in zip(x.shape, pairs, strict=True):
        kept.append(slice(max(-before, 0), size - max(-after, 0)))
    return getitem(x, tuple(kept))


@composed
def repeat(x: ArrayLike, repeats: ArrayLike, axis: int | None = None) -> Tensor:
    """x with each element along ``axis`` repeated; ``repeats`` is a number or one for each."""
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    x, axis = lined_up("repeat", x, axis)
    each = counts("repeat", "repeats", repeats)
    if each.size not in (1, x.shape[axis]):
        raise ShapeError(
            f"repeat: {each.size} counts for the {x.shape[axis]} elements along axis {axis} of"
            f" {x.shape}"
        )
    total = each.item() * x.shape[axis] if each.size == 1 else sum(each.tolist())
    fits_memory("repeat", (*x.shape[:axis], total, *x.shape[axis + 1 :]), x.dtype)
    return take(x, np.repeat(np.arange(x.shape[axis]), each), axis)


@composed
def tile(x: ArrayLike, repetitions: int | Sequence[int]) -> Tensor:
    """x laid side by side ``repetitions`` times along each axis."""
    reps = tuple(np.atleast_1d(counts("tile", "repetitions", repetitions)).tolist())
    ndim = max(len(reps), x.ndim)
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - x.ndim) + x.shape
    pairs = [size for r, n in zip(reps, shape, strict=True) for size in (r, n)]
    ones = [size for n in shape for size in (1, n)]
    sizes = tuple(r * n for r, n in zip(reps, shape, strict=True))
    fits_memory("tile", sizes, x.dtype)
    return reshape(broadcast_to(reshape(x, tuple(ones)), tuple(pairs)), sizes)


# --- Lanes of a vmap --------------------------------------------------------------------------

clone.batched(elementwise)
matrix_transpose.batched(over_matrices)
tril.batched(over_matrices)
triu.batched(over_matrices)


def _reshape_lanes(op, args, mapped, static):
    x, shape, copy = args
    sizes = [int(n) for n in (shape if isinstance(shape, tuple | list) else (shape,))]
    if x.size == 0 and -1 in sizes:
        return NotImplemented
    return op(x, (x.shape[0], *sizes), copy)


def _permute_lanes(op, args, mapped, static):
    x, axes = args
    axes = range(x.ndim - 2, -1, -1) if axes is None else axes
    return op(x, (0, *shifted(op, tuple(axes), x.ndim - 1)))


def _expand_dims_lanes(op, args, mapped, static):
    x, axis = args
    several = len(axis) if isinstance(axis, tuple | list) else 1
    return op(x, shifted(op, axis, x.ndim - 1 + several))


def _squeeze_lanes(op, args, mapped, static):
    x, axis = args
    if axis is None:
        return op(x, tuple(i for i in range(1, x.ndim) if x.shape[i] == 1))
    return op(x, shifted(op, axis, x.ndim - 1))


def _broadcast_lanes(op, args, mapped, static):
    x, shape = args
    missing = len(shape) - (x.ndim - 1)
    if missing < 0:
        return NotImplemented
    return op(reshape(x, (x.shape[0], *(1,) * missing, *x.shape[1:])), (x.shape[0], *shape))


def _flip_lanes(op, args, mapped, static):
    x, axis = args
    return op(x, shifted(op, axis, x.ndim - 1))


def _roll_lanes(op, args, mapped, static):
    x, shift, axis = args
    if axis is not None:
        return op(x, shift, shifted(op, axis, x.ndim - 1))
    flat = reshape(x, (x.shape[0], int(np.prod(x.shape[1:]))))
    return reshape(op(flat, sum(shift) if isinstance(shift, tuple | list) else shift, 1), x.shape)


def _concat_lanes(op, args, mapped, static):
    axis, lanes = static["axis"], lanes_of(args, mapped)
    arrays = [with_lanes(x, o, lanes) for x, o in zip(args, mapped, strict=True)]
    if axis is None:
        arrays = [reshape(x, (lanes, int(np.prod(x.shape[1:])))) for x in arrays]
        return op(arrays, 1)
    return op(arrays, shifted(op, axis, arrays[0].ndim - 1))


def _stack_lanes(op, args, mapped, static):
    lanes = lanes_of(args, mapped)
    arrays = [with_lanes(x, o, lanes) for x, o in zip(args, mapped, strict=True)]
    if len({shape(x, o) for x, o in zip(args, mapped, strict=True)}) > 1:
        return NotImplemented
    return op(arrays, shifted(op, static["axis"], rank(arrays[0], True) + 1))


def _split_lanes(op, args, mapped, static):
    x, indices_or_sections, axis = args
    return op(x, indices_or_sections, shifted(op, axis, x.ndim - 1))


def _unstack_lanes(op, args, mapped, static):
    x, axis = args
    return NotImplemented if x.ndim == 1 else op(x, shifted(op, axis, x.ndim - 1))


def _pad_lanes(op, args, mapped, static):
    x, pad_width, value = args
    if mapped[2]:
        return NotImplemented
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim - 1, 2)).tolist()
    return op(x, ((0, 0), *(tuple(pair) for pair in widths)), value)


reshape.batched(_reshape_lanes)
permute_dims.batched(_permute_lanes)
expand_dims.batched(_expand_dims_lanes)
squeeze.batched(with_own_axis(_squeeze_lanes))
broadcast_to.batched(_broadcast_lanes)
flip.batched(with_own_axis(_flip_lanes))
roll.batched(with_own_axis(_roll_lanes))
concat.batched(_concat_lanes)
stack.batched(_stack_lanes)
split.batched(_split_lanes)
unstack.batched(_unstack_lanes)
pad_constant.batched(_pad_lanes)
