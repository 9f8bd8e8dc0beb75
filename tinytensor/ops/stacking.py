"""Stacking, cutting and turning by the names of NumPy and PyTorch; each is a few ops of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as combinations_of
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from ..errors import ShapeError
from .annotations import ArrayLike, Shape, Tensor
from .checks import axis_index, counts, fits_memory
from .composed import composed, joining, one_by_one
from .indexing import raw_index, take
from .searching import sort
from .shape import (
    broadcast_arrays,
    concat,
    flip,
    meshgrid,
    reshape,
    split,
    stack,
    swapaxes,
)

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_tensors",
    "cartesian_prod",
    "chunk",
    "column_stack",
    "combinations",
    "dsplit",
    "dstack",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "msort",
    "rot90",
    "row_stack",
    "split_with_sizes",
    "tensor_split",
    "unflatten",
    "vsplit",
    "vstack",
]

broadcast_tensors = broadcast_arrays


# --- Axes ------------------------------------------------------------------------------------


def _raised(x: Any, ndim: int) -> Any:
    """x with as many axes of size 1 as it needs for ``ndim``: in front, but from 2 to 3 behind."""
    missing = ndim - x.ndim
    if missing <= 0:
        return reshape(x, x.shape)
    front = min(missing, max(2 - x.ndim, 0))
    return reshape(x, ((1,) * front + tuple(x.shape) + (1,) * (missing - front)))


def _each_raised(arrays: Sequence[Any], ndim: int) -> Any:
    raised = tuple(_raised(x, ndim) for x in arrays)
    return raised[0] if len(raised) == 1 else raised


@one_by_one
def atleast_1d(*arrays: ArrayLike) -> Tensor:
    """Numbers as vectors of one element, all else as it is: views. Of one array, or a tuple of
    several."""
    return _each_raised(arrays, 1)


@one_by_one
def atleast_2d(*arrays: ArrayLike) -> Tensor:
    """Numbers and vectors as matrices of one row, all else as it is: views. Of one array, or a
    tuple of several."""
    return _each_raised(arrays, 2)


@one_by_one
def atleast_3d(*arrays: ArrayLike) -> Tensor:
    """Arrays with three axes at least: (1, 1, 1), (1, N, 1) or (M, N, 1), all else as it is: views.
    Of one array, or a tuple of several."""
    return _each_raised(arrays, 3)


@composed
def unflatten(x: ArrayLike, axis: int, sizes: Shape) -> Tensor:
    """x with ``axis`` cut into several of ``sizes``, one of which may be -1: ``flatten`` undone.

    >>> import tinytensor as tt
    >>> tt.unflatten(tt.zeros((3, 8)), 1, (2, -1)).shape
    (3, 2, 4)
    """
    axis = axis_index("unflatten", axis, x.ndim, False)
    sizes = (sizes,) if isinstance(sizes, int) else tuple(map(int, sizes))
    known, count = int(np.prod([n for n in sizes if n != -1])), x.shape[axis]
    unknown = sizes.count(-1)
    if not sizes or min(sizes) < -1 or unknown > 1 or (unknown and (not known or count % known)):
        raise ShapeError(f"unflatten: axis {axis} of {count} elements cannot be cut into {sizes}")
    sizes = tuple(count // known if n == -1 else n for n in sizes)
    if int(np.prod(sizes)) != count:
        raise ShapeError(f"unflatten: axis {axis} of {count} elements cannot be cut into {sizes}")
    return reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


# --- Joined ----------------------------------------------------------------------------------


@joining
def hstack(arrays: Sequence[ArrayLike]) -> Tensor:
    """The arrays joined along their second axis; vectors and numbers along their only one."""
    raised = [_raised(x, 1) for x in arrays]
    return concat(raised, int(bool(raised) and raised[0].ndim > 1))


@joining
def vstack(arrays: Sequence[ArrayLike]) -> Tensor:
    """The arrays, of which vectors are rows, joined along their first axis.

    >>> import tinytensor as tt
    >>> tt.vstack([tt.tensor([1, 2]), tt.tensor([[3, 4], [5, 6]])])
    tensor([[1, 2],
            [3, 4],
            [5, 6]])
    """
    return concat([_raised(x, 2) for x in arrays], 0)


row_stack = vstack


@joining
def dstack(arrays: Sequence[ArrayLike]) -> Tensor:
    """The arrays, with three axes at least (``atleast_3d``), joined along their third."""
    return concat([_raised(x, 3) for x in arrays], 2)


@joining
def column_stack(arrays: Sequence[ArrayLike]) -> Tensor:
    """The arrays, of which vectors are columns, joined along their second axis."""
    return concat([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in arrays], 1)


@one_by_one
def cartesian_prod(*arrays: ArrayLike) -> Tensor:
    """All ways to take an element of each of some vectors, a row for each; the last varies first.

    >>> import tinytensor as tt
    >>> tt.cartesian_prod(tt.tensor([1, 2]), tt.tensor([5, 6]))
    tensor([[1, 5],
            [1, 6],
            [2, 5],
            [2, 6]])
    """
    for i, x in enumerate(arrays):
        if x.ndim != 1:
            raise ShapeError(f"cartesian_prod: needs vectors, but array {i} is {x.shape}")
    if len(arrays) == 1:
        return reshape(arrays[0], (-1,))
    return reshape(stack(meshgrid(*arrays, indexing="ij"), -1), (-1, len(arrays)))


@composed
def combinations(x: ArrayLike, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take ``r`` elements of a vector, a row for each, in the order of ``itertools``.

    >>> import tinytensor as tt
    >>> tt.combinations(tt.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if x.ndim != 1:
        raise ShapeError(f"combinations: needs a vector, but x is {x.shape}")
    r = int(counts("combinations", "r", r))
    ways = combinations_with_replacement if with_replacement else combinations_of
    picked = np.array(list(ways(range(x.shape[0]), r)), np.int64).reshape(-1, r)
    return take(x, picked if r else picked[:0], 0)


# --- Cut -------------------------------------------------------------------------------------


@composed
def tensor_split(
    x: ArrayLike, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Tensor, ...]:
    """Views of x along ``axis``, cut before the given indices or into that many pieces, of which
    the first are longer by one where they cannot be equal.

    >>> import tinytensor as tt
    >>> [piece.tolist() for piece in tt.tensor_split(tt.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    """
    axis = axis_index("tensor_split", axis, x.ndim, False)
    cuts = np.asarray(raw_index(indices_or_sections))
    if cuts.ndim > 1 or (cuts.size and cuts.dtype.kind not in "iu"):
        raise ShapeError("tensor_split: takes a number of pieces, or a row of indices")
    if cuts.ndim == 0:
        pieces, count = int(cuts), x.shape[axis]
        if pieces < 1:
            raise ShapeError(f"tensor_split: cannot cut into {pieces} pieces")
        fits_memory("tensor_split", (pieces,), "V256")  # at least, of each
        shorter, longer = divmod(count, pieces)
        cuts = np.cumsum([shorter + (i < longer) for i in range(pieces - 1)], dtype=np.int64)
    return split(x, cuts.tolist(), axis)


@composed
def chunk(x: ArrayLike, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of x along ``axis``: at most ``chunks`` pieces of ⌈n / chunks⌉, the last maybe shorter.

    >>> import tinytensor as tt
    >>> [piece.tolist() for piece in tt.chunk(tt.arange(5), 4)]
    [[0, 1], [2, 3], [4]]
    """
    axis = axis_index("chunk", axis, x.ndim, False)
    if chunks < 1:
        raise ShapeError(f"chunk: cannot cut into {chunks} pieces")
    count = x.shape[axis]
    each = -(-count // chunks)
    return split(x, [*range(each, count, each)] if each else [0] * (chunks - 1), axis)


@composed
def split_with_sizes(x: ArrayLike, sizes: Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Views of x along ``axis``, of these sizes, which add up to its own."""
    axis = axis_index("split_with_sizes", axis, x.ndim, False)
    each = counts("split_with_sizes", "sizes", list(sizes)).tolist()
    if sum(each) != x.shape[axis]:
        raise ShapeError(f"split_with_sizes: {each} do not add up to {x.shape[axis]}")
    return split(x, np.cumsum(each)[:-1].tolist(), axis)


def _cut(name: str, x: Any, how: Any, axis: int, least: int) -> Any:
    if x.ndim < least:
        raise ShapeError(f"{name}: x is {x.shape}, needs at least {least} axes")
    how = raw_index(how)
    if not isinstance(how, int | np.integer):
        how = np.asarray(how).tolist()
    elif how < 1 or x.shape[axis] % how:
        raise ShapeError(f"{name}: {x.shape[axis]} elements are not {how} equal pieces")
    return split(x, how if isinstance(how, list) else int(how), axis)


@composed
def hsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``split`` along the second axis, of a vector along its only one."""
    return _cut("hsplit", x, indices_or_sections, int(x.ndim > 1), 1)


@composed
def vsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``split`` along the first axis of an x with two at least."""
    return _cut("vsplit", x, indices_or_sections, 0, 2)


@composed
def dsplit(x: ArrayLike, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``split`` along the third axis."""
    return _cut("dsplit", x, indices_or_sections, 2, 3)


# --- Turned ----------------------------------------------------------------------------------


@composed
def fliplr(x: ArrayLike) -> Tensor:
    """x with its second axis reversed: a view."""
    return flip(x, axis_index("fliplr", 1, x.ndim, False))


@composed
def flipud(x: ArrayLike) -> Tensor:
    """x with its first axis reversed: a view."""
    return flip(x, axis_index("flipud", 0, x.ndim, False))


@composed
def rot90(x: ArrayLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """x turned ``k`` times by a right angle, from the first of two ``axes`` to the second: a view.

    >>> import tinytensor as tt
    >>> tt.rot90(tt.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if len(axes) != 2:
        raise ShapeError(f"rot90: axes must be two, not {axes}")
    a, b = (axis_index("rot90", axis, x.ndim, False) for axis in axes)
    if a == b:
        raise ShapeError(f"rot90: axes {axes} are the same")
    if k % 4 == 2:
        return flip(x, (a, b))
    if k % 2:
        return flip(swapaxes(x, a, b), a if k % 4 == 1 else b)
    return flip(x, ())


@composed
def msort(x: ArrayLike) -> Tensor:
    """x sorted along its first axis."""
    return sort(x, 0) if x.ndim else x
