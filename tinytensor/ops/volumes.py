"""Convolution and pooling along one axis and along three, made of those along two.

A line is an image with one row. In a volume (D, H, W) a window is taken apart: what it does along H
and W, an op of images does to each of the D planes. Pooling along D is then pooling of the image
(D, H · W). A convolution puts the planes under a filter beside each other, as channels.
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
from .conv import conv2d, conv_transpose2d
from .declared import op
from .indexing import take, take_along_axis
from .pooling import adaptive_avg_pool2d, avg_pool2d, check_floating, max_pool2d_with_indices
from .reduction import argmax
from .shape import broadcast_to, expand_dims, moveaxis, pad, reshape, squeeze
from .updates import index_add
from .windows import SPACE, convolution, images, pooling, transposed

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool3d",
    "conv1d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose3d",
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


# --- Convolution -----------------------------------------------------------------------------


@composed
def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters along lines: :func:`conv2d` of x (N, C, L) or (C, L), and weight
    (K, C / groups, R).

    >>> import tinytensor as tt
    >>> tt.conv1d(tt.tensor([[1.0, 2.0, 4.0]]), tt.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    weight = tensor(weight)
    how: Any = convolution("conv1d", 1, x.shape, weight.shape, stride, padding, dilation, groups)[0]
    _check_bias("conv1d", bias, weight.shape[0])
    (step,), (each,), (spread,), groups = how
    if each[0] != each[1]:  # "same", of an even kernel
        x, each = pad(x, ((0, 0),) * (x.ndim - 1) + (each,)), (0, 0)
    image, filters = expand_dims(x, -2), expand_dims(weight, -2)
    return squeeze(conv2d(image, filters, bias, (1, step), (0, each[0]), (1, spread), groups), -2)


@composed
def conv3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters through volumes: :func:`conv2d` of x (N, C, D, H, W) or (C, D, H, W), weight
    (K, C / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.conv3d(tt.ones(1, 2, 4, 4, 4), tt.ones(3, 2, 3, 3, 3), padding=1).shape
    (1, 3, 4, 4, 4)
    """
    weight = tensor(weight)
    how, out = convolution("conv3d", 3, x.shape, weight.shape, stride, padding, dilation, groups)
    _check_bias("conv3d", bias, weight.shape[0])
    if x.ndim == 4:
        return conv3d(expand_dims(x, 0), weight, bias, stride, padding, dilation, groups)[0]
    steps, paddings, spread, groups = how
    before = tuple(p if p[0] != p[1] or i == 0 else (0, 0) for i, p in enumerate(paddings))
    if before != ((0, 0),) * 3:
        x = pad(x, ((0, 0), (0, 0), *before))
    left = tuple(0 if b != (0, 0) else p[0] for b, p in zip(before[1:], paddings[1:], strict=True))
    planes = np.arange(out[2])[:, None] * steps[0] + np.arange(weight.shape[2]) * spread[0]
    x = moveaxis(take(x, planes, 2), 2, 1)  # (N, D', C, Q, H, W)
    n, depth, channels, q, *plane = x.shape
    x = reshape(x, (n * depth, channels * q, *plane))
    filters = reshape(weight, (weight.shape[0], weight.shape[1] * q, *weight.shape[3:]))
    flat = conv2d(x, filters, bias, steps[1:], left, spread[1:], groups)
    return moveaxis(reshape(flat, (n, depth, *flat.shape[1:])), 1, 2)


@computed
def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of :func:`conv1d`: x (N, C, L) or (C, L), weight (C, K / groups, R).

    >>> import tinytensor as tt
    >>> tt.conv_transpose1d(tt.tensor([[1.0, 2.0]]), tt.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])
    """
    weight = tensor(weight)
    given = (stride, padding, output_padding, dilation, groups)
    transposed("conv_transpose1d", 1, x.shape, weight.shape, *given)
    _check_bias("conv_transpose1d", bias, weight.shape[1] * groups)
    arguments = (_of_row(stride, 1), _of_row(padding, 0), _of_row(output_padding, 0), groups)
    image, filters = expand_dims(x, -2), expand_dims(weight, -2)
    return squeeze(conv_transpose2d(image, filters, bias, *arguments, _of_row(dilation, 1)), -2)


@computed
def conv_transpose3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of :func:`conv3d`: x (N, C, D, H, W) or (C, D, H, W), weight
    (C, K / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.conv_transpose3d(tt.ones(1, 3, 2, 2, 2), tt.ones(3, 4, 2, 2, 2), stride=2).shape
    (1, 4, 4, 4, 4)
    """
    name, weight = "conv_transpose3d", tensor(weight)
    given = (stride, padding, output_padding, dilation, groups)
    depth = transposed(name, 3, x.shape, weight.shape, *given)[0]
    channels = weight.shape[1] * groups
    _check_bias(name, bias, channels)
    if x.ndim == 4:
        x = expand_dims(x, 0)
        return conv_transpose3d(x, weight, bias, *given[:3], groups, dilation)[0]
    stride, dilation = sizes(name, "stride", stride, 3, 1), sizes(name, "dilation", dilation, 3, 1)
    padding = sizes(name, "padding", padding, 3, 0)
    more = sizes(name, "output_padding", output_padding, 3, 0)
    planes = moveaxis(x, 2, 1)  # (N, D, C, H, W)
    n, d, q = x.shape[0], x.shape[2], weight.shape[2]
    filters = reshape(weight, (weight.shape[0], weight.shape[1] * q, *weight.shape[3:]))
    spread = conv_transpose2d(
        reshape(planes, (n * d, *planes.shape[2:])), filters, None, stride[1:], padding[1:],
        more[1:], groups, dilation[1:],
    )  # fmt: skip
    plane = spread.shape[-2:]
    spread = moveaxis(reshape(spread, (n, d, channels, q, *plane)), 1, 2)  # (N, K, D, Q, H', W')
    at = np.arange(d)[:, None] * stride[0] + np.arange(q) * dilation[0]
    whole = max(at.max(initial=-1) + 1, depth + padding[0])
    zeros = np.zeros((n, channels, whole, *plane), x.dtype)
    out = index_add(zeros, 2, at.reshape(-1), reshape(spread, (n, channels, d * q, *plane)))
    out = out[:, :, padding[0] : padding[0] + depth]
    return out if bias is None else out + reshape(bias, (-1, 1, 1, 1))


def _check_bias(name: str, bias: Any, filters: int) -> None:
    if bias is not None and np.shape(bias) != (filters,):
        raise ShapeError(f"{name}: bias is {np.shape(bias)}, for {filters} filters")


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
