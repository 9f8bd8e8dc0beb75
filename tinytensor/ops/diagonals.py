"""Matrices from diagonals: made of them, put beside each other, or changed along one."""

from __future__ import annotations

import numpy as np

from ..dtypes import get_default_dtype
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .checks import axis_index
from .composed import composed, one_by_one
from .indexing import index_array
from .shape import concat, moveaxis, pad_constant, reshape
from .tensor_products import diagonal
from .updates import index_set, updated

__all__ = [
    "block_diag",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal_scatter",
]


@composed
def diag(x: ArrayLike, k: int = 0) -> Tensor:
    """A matrix with the vector x on its diagonal ``k`` and 0 elsewhere; of a matrix x, its diagonal
    ``k``, a copy.

    >>> import tinytensor as tt
    >>> tt.diag(tt.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    >>> tt.diag(tt.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([2.])
    """
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag: needs a vector or a matrix, but x is {x.shape}")
    return diag_embed(x, k) if x.ndim == 1 else diagonal(x, k)


@composed
def diagflat(x: ArrayLike, k: int = 0) -> Tensor:
    """A matrix with all elements of x, in C order, on its diagonal ``k`` and 0 elsewhere."""
    return diag_embed(reshape(x, (-1,)), k)


@composed
def diag_embed(x: ArrayLike, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Tensor:
    """Matrices in the axes ``axis1`` and ``axis2`` of the result, with the last axis of x on their
    diagonals ``offset`` and 0 elsewhere. Gradient: g's diagonals.

    >>> import tinytensor as tt
    >>> tt.diag_embed(tt.ones((3, 4, 2))).shape
    (3, 4, 2, 2)
    """
    if x.ndim == 0:
        raise ShapeError("diag_embed: x has no axes")
    rows, columns = _places(x.shape[-1], offset)
    size = x.shape[-1] + abs(offset)
    place = (*(slice(None),) * (x.ndim - 1), rows, columns)
    out = index_set(np.zeros((*x.shape[:-1], size, size), x.dtype), place, x)
    axes = _two_axes("diag_embed", axis1, axis2, out.ndim)
    return out if axes == (out.ndim - 2, out.ndim - 1) else moveaxis(out, (-2, -1), axes)


def _places(count: int, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows and the columns of ``count`` elements of the diagonal ``offset``."""
    along = np.arange(count)
    return along + max(-offset, 0), along + max(offset, 0)


def _two_axes(name: str, axis1: int, axis2: int, ndim: int) -> tuple[int, int]:
    axes = axis_index(name, axis1, ndim, False), axis_index(name, axis2, ndim, False)
    if axes[0] == axes[1]:
        raise ShapeError(f"{name}: axis1 and axis2 are both {axis1}")
    return axes


@one_by_one
def block_diag(*arrays: ArrayLike) -> Tensor:
    """A matrix with the given ones, each right of and below the one before, and 0 elsewhere. A
    vector is a row, and a number a matrix of one element.

    >>> import tinytensor as tt
    >>> tt.block_diag(tt.ones(2), tt.tensor([[5.0], [6.0]]))
    tensor([[1., 1., 0.],
            [0., 0., 5.],
            [0., 0., 6.]])
    """
    for i, x in enumerate(arrays):
        if x.ndim > 2:
            raise ShapeError(f"block_diag: needs matrices, but array {i} is {x.shape}")
    blocks = [reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape)) for x in arrays]
    if not blocks:
        return np.zeros((1, 0), get_default_dtype())
    width, before, rows = sum(block.shape[1] for block in blocks), 0, []
    for block in blocks:
        after = width - before - block.shape[1]
        rows.append(pad_constant(block, ((0, 0), (before, after))))
        before += block.shape[1]
    return concat(rows, 0)


@composed
def diagonal_scatter(
    x: ArrayLike, source: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Tensor:
    """A copy of x with ``source`` on the diagonals ``offset`` of the matrices in two axes: what
    ``diagonal`` with these arguments then gives, and other shapes that broadcast to it."""
    first, second = _two_axes("diagonal_scatter", axis1, axis2, x.ndim)
    moved = moveaxis(x, (first, second), (-2, -1))
    height, width = moved.shape[-2:]
    count = max(0, min(height + min(offset, 0), width - max(offset, 0)))
    place = (..., *map(index_array, _places(count, offset)))
    out = updated("diagonal_scatter", moved, place, source, None)
    return moveaxis(out, (-2, -1), (first, second))
