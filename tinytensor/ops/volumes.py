"""Pooling along one axis and along three, made of that along two.

A line is an image with one row. In a volume (D, H, W) a window is taken apart: what it does along H
and W, an op of images does to each of the D planes. What it does along D is then pooling of the
image (D, H · W).
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from ..errors import ShapeError
from . import reduction
from .annotations import ArrayLike, Sizes, Tensor
from .batching import over_leading_axes
from .checks import fits_memory, real_floats, sizes
from .composed import composed, computed, tensor
from .declared import op
from .indexing import take, take_along_axis
from .pooling import adaptive_avg_pool2d, avg_pool2d, check_floating, max_pool2d_with_indices
from .reduction import argmax
from .shape import broadcast_to, expand_dims, reshape, squeeze
from .windows import SPACE, images, pooling

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool3d",
    "max_pool1d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def _of_row(value: Any, other: int) -> Any:
    """A size along one axis as one along two, ``other`` along the rows."""
    if value is None or isinstance(value, str):
        return value
    return (other, *(value if isinstance(value, tuple | list) else (value,)))


# --- Pooling ---------------------------------------------------------------------------------


def _planes(x: Any) -> Any:
    """(N, C, D, H, W) or (C, D, H, W) as images of D channels."""
    return reshape(x, (math.prod(x.shape[:-3]), *x.shape[-3:]))


def _as_image(x: Any) -> Any:
    """(B, D, H, W) as (B, D, H · W)."""
    return reshape(x, (*x.shape[:2], x.shape[2] * x.shape[3]))


@composed
def max_pool1d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The largest element of each window of lines: :func:`max_pool2d` of x (N, C, L) or (C, L).

    >>> import tinytensor as tt
    >>> tt.max_pool1d(tt.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    pooling("max_pool1d", 1, x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    given = ((kernel_size, 1), (stride or None, 1), (padding, 0), (dilation, 1))
    each: Any = [_of_row(value, other) for value, other in given]
    pool: Any = max_pool2d_with_indices
    out, indices = pool(expand_dims(x, -2), *each, ceil_mode)
    return (squeeze(out, -2), squeeze(indices, -2)) if return_indices else squeeze(out, -2)


@composed
def max_pool3d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The largest element of each window of volumes: :func:`max_pool2d` of x (N, C, D, H, W) or
    (C, D, H, W). Indices are within D · H · W.

    >>> import tinytensor as tt
    >>> tt.max_pool3d(tt.arange(8.0).reshape((1, 2, 2, 2)), 2)
    tensor([[[[7.]]]])
    """
    (kernel, step, around, spread, ceil), counts = pooling(
        "max_pool3d", 3, x.shape, kernel_size, stride, padding, dilation, ceil_mode
    )
    flat, at = max_pool2d_with_indices(
        _planes(x), kernel[1:], step[1:], around[1:], spread[1:], ceil
    )
    (q, s, p, d), plane = (v[0] for v in (kernel, step, around, spread)), flat.shape[2:]
    out, where = max_pool2d_with_indices(_as_image(flat), (q, 1), (s, 1), (p, 0), (d, 1), ceil)
    shape = (*x.shape[:-3], *counts)
    if not return_indices:
        return reshape(out, shape)
    where = reshape(where, (where.shape[0], math.prod(counts)))
    at = take_along_axis(reshape(at, (at.shape[0], math.prod(at.shape[1:]))), where, -1)
    indices = where // math.prod(plane) * math.prod(x.shape[-2:]) + at
    return reshape(out, shape), reshape(indices, shape)


@composed
def avg_pool1d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average of each window of lines: :func:`avg_pool2d` of x (N, C, L) or (C, L).

    >>> import tinytensor as tt
    >>> tt.avg_pool1d(tt.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[2., 1.]])
    """
    check_floating("avg_pool1d", x)
    pooling("avg_pool1d", 1, x.shape, kernel_size, stride, padding, 1, ceil_mode)
    each = _of_row(kernel_size, 1), _of_row(stride or None, 1), _of_row(padding, 0)
    return squeeze(avg_pool2d(expand_dims(x, -2), *each, ceil_mode, count_include_pad), -2)


@computed
def avg_pool3d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: float | None = None,
) -> Tensor:
    """The average of each window of volumes: :func:`avg_pool2d` of x (N, C, D, H, W) or
    (C, D, H, W).

    >>> import tinytensor as tt
    >>> tt.avg_pool3d(tt.arange(8.0).reshape((1, 2, 2, 2)), 2)
    tensor([[[[3.5]]]])
    """
    check_floating("avg_pool3d", x)
    (kernel, step, around, _, ceil), counts = pooling(
        "avg_pool3d", 3, x.shape, kernel_size, stride, padding, 1, ceil_mode
    )
    first, divisor = None if divisor_override is None else 1, cast(Any, divisor_override)
    flat = avg_pool2d(_planes(x), kernel[1:], step[1:], around[1:], ceil, count_include_pad, first)
    q, s, p = ((v[0], n) for v, n in ((kernel, 1), (step, 1), (around, 0)))
    out = avg_pool2d(_as_image(flat), q, s, p, ceil, count_include_pad, divisor)
    return reshape(out, (*x.shape[:-3], *counts))


@composed
def adaptive_avg_pool1d(x: ArrayLike, output_size: Sizes) -> Tensor:
    """The averages of ``output_size`` parts of lines: :func:`adaptive_avg_pool2d` of x (N, C, L) or
    (C, L).

    >>> import tinytensor as tt
    >>> tt.adaptive_avg_pool1d(tt.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[2. , 2.5]])
    """
    images("adaptive_avg_pool1d", 1, x.shape)
    size = sizes("adaptive_avg_pool1d", "output_size", output_size, 1, 0)
    return squeeze(adaptive_avg_pool2d(expand_dims(x, -2), (1, *size)), -2)


def _adaptive(name: str, axes: int, x: Any, output_size: Any) -> tuple[int, ...]:
    """The sizes of the output, None being that of x."""
    images(name, axes, x.shape)
    if isinstance(output_size, tuple | list) and len(output_size) == axes:
        pairs = zip(output_size, x.shape[-axes:], strict=True)
        output_size = [n if m is None else m for m, n in pairs]
    if 0 in x.shape[-axes:]:
        raise ShapeError(f"{name}: nothing in a space of ({SPACE[axes]}): x is {x.shape}")
    size = sizes(name, "output_size", output_size, axes, 0)
    fits_memory(name, (*x.shape[:-axes], *size), np.int64)  # as many as there are indices
    return size


@computed
def adaptive_avg_pool3d(x: ArrayLike, output_size: Sizes) -> Tensor:
    """The averages of ``output_size`` parts of volumes: :func:`adaptive_avg_pool2d` of x
    (N, C, D, H, W) or (C, D, H, W).

    >>> import tinytensor as tt
    >>> tt.adaptive_avg_pool3d(tt.arange(8.0).reshape((1, 2, 2, 2)), 1)
    tensor([[[[3.5]]]])
    """
    check_floating("adaptive_avg_pool3d", x)
    size = _adaptive("adaptive_avg_pool3d", 3, x, output_size)
    if 0 in size:
        return reduction.sum(x, (-1, -2, -3), True)[..., :0, :0, :0] + x.dtype.type(0)
    flat = adaptive_avg_pool2d(_planes(x), size[1:])
    out = adaptive_avg_pool2d(_as_image(flat), (size[0], size[1] * size[2]))
    return reshape(out, (*x.shape[:-3], *size))


def _adaptive_max(name: str, axes: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    size = _adaptive(name, axes, x, output_size)
    real_floats(name, "x", x)
    space = x.shape[-axes:]
    index: Any = np.arange(math.prod(space)).reshape(space)
    index = broadcast_to(index, x.shape)
    for axis in range(x.ndim - 1, x.ndim - axes - 1, -1):
        parts = _parts(x.shape[axis], size[axis - x.ndim])
        x, index = take(x, parts, axis), take(index, parts, axis)
        best = argmax(x.detach() if hasattr(x, "detach") else x, axis + 1, keepdims=True)
        x, index = (squeeze(take_along_axis(one, best, axis + 1), axis + 1) for one in (x, index))
    return (x, index) if return_indices else x


def _parts(n: int, count: int) -> np.ndarray:
    """The elements of each of ``count`` parts of n, the first one again where a part is short."""
    i = np.arange(count, dtype=np.int64)
    first, last = i * n // count, -(-(i + 1) * n // count)
    at = first[:, np.newaxis] + np.arange((last - first).max(initial=1))
    return np.where(at < last[:, np.newaxis], at, first[:, np.newaxis])


@composed
def adaptive_max_pool1d(x: ArrayLike, output_size: Sizes, return_indices: bool = False) -> Tensor:
    """The largest elements of ``output_size`` parts of lines, x being (N, C, L) or (C, L). Parts as
    of :func:`adaptive_avg_pool2d`, indices as of :func:`max_pool2d`.

    >>> import tinytensor as tt
    >>> tt.adaptive_max_pool1d(tt.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[3., 3.]])
    """
    return _adaptive_max("adaptive_max_pool1d", 1, x, output_size, return_indices)


@composed
def adaptive_max_pool2d(x: ArrayLike, output_size: Sizes, return_indices: bool = False) -> Tensor:
    """The largest elements of ``output_size`` parts of images, x being (N, C, H, W) or
    (C, H, W)."""
    return _adaptive_max("adaptive_max_pool2d", 2, x, output_size, return_indices)


@composed
def adaptive_max_pool3d(x: ArrayLike, output_size: Sizes, return_indices: bool = False) -> Tensor:
    """The largest elements of ``output_size`` parts of volumes, x being (N, C, D, H, W) or
    (C, D, H, W)."""
    return _adaptive_max("adaptive_max_pool3d", 3, x, output_size, return_indices)


# --- Back to where the largest were ----------------------------------------------------------


def _unpooled(
    name: str, axes: int, x: Any, indices: Any, kernel: Any, stride: Any, padding: Any, size: Any
) -> Any:
    images(name, axes, x.shape)
    indices = tensor(indices)
    kernel = sizes(name, "kernel_size", kernel, axes, 1)
    step = kernel if not stride and stride != 0 else sizes(name, "stride", stride, axes, 1)
    around = sizes(name, "padding", padding, axes, 0)
    if size is None:
        each = zip(x.shape[-axes:], kernel, step, around, strict=True)
        size = tuple((n - 1) * s - 2 * p + k for n, k, s, p in each)
    else:
        size = size[-axes:] if isinstance(size, tuple | list) else size
        size = sizes(name, "output_size", size, axes, 1)
    if indices.shape != x.shape or indices.dtype.kind not in "iu":
        raise ShapeError(f"{name}: indices are {indices.dtype} {indices.shape}, but x is {x.shape}")
    lead, count = x.shape[:-axes], math.prod(size)
    fits_memory(name, (*lead, count), x.dtype)
    if not getattr(indices, "level", 0):
        found = np.asarray(getattr(indices, "data", indices))
        if found.size and not 0 <= found.min() <= found.max() < count:
            raise IndexError(f"{name}: an index is outside of a space of {size}")
    flat = (*lead, math.prod(x.shape[-axes:]))
    return reshape(_placed(reshape(x, flat), reshape(indices, flat), count), (*lead, *size))


@op
def _placed(x, indices, count):
    """Rows of ``count`` zeros with x's elements at ``indices``. Equal indices are those of windows
    that overlap, of one element, and each passes on what that gets: as PyTorch's."""
    out = np.zeros((*x.shape[:-1], count), x.dtype)
    np.put_along_axis(out, np.asarray(indices), x, -1)
    return out


_placed.batched(over_leading_axes(2)).grad(x=lambda g, indices: take_along_axis(g, indices, -1))


@composed
def max_unpool1d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """Zeros with x (N, C, L) or (C, L) at ``indices``, those that :func:`max_pool1d` returns.

    The output has the size that pooling with the same arguments leads from to that of x; among
    several ``output_size`` chooses.

    >>> import tinytensor as tt
    >>> x, indices = tt.max_pool1d(tt.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> tt.max_unpool1d(x, indices, 2)
    tensor([[0., 3., 2., 0.]])
    """
    return _unpooled("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size)


@composed
def max_unpool2d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """Zeros with x (N, C, H, W) or (C, H, W) at ``indices``; see :func:`max_unpool1d`."""
    return _unpooled("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size)


@composed
def max_unpool3d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Tensor:
    """Zeros with x (N, C, D, H, W) or (C, D, H, W) at ``indices``; see :func:`max_unpool1d`."""
    return _unpooled("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size)
