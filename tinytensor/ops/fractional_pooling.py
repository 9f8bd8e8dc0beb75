"""Pooling over windows whose places are drawn, by which sizes shrink by any factor.

(Graham 2014.) The draws come from the caller: one number from [0, 1) for each plane and axis.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError
from .batching import over_leading_axes
from .checks import number, real_floats, sizes
from .composed import tensor
from .declared import op
from .indexing import take_along_axis
from .shape import reshape
from .windows import images

__all__ = ["fractional_max_pool", "fractional_sizes"]


def fractional_sizes(
    name: str, axes: int, x: tuple[int, ...], kernel: Any, output_size: Any, output_ratio: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The kernel's and the output's sizes, for an input of shape x or, if that is (), any."""
    kernel = sizes(name, "kernel_size", kernel, axes, 1)
    if (output_size is None) == (output_ratio is None):
        raise ValueError(f"{name}: give either output_size or output_ratio")
    if output_ratio is not None:
        each = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,) * axes
        if len(each) != axes:
            raise ShapeError(f"{name}: output_ratio {output_ratio!r} is not for {axes} axes")
        each = [number(name, "output_ratio", ratio, 0, 1) for ratio in each]
        if not all(0 < ratio < 1 for ratio in each):
            raise ValueError(f"{name}: output_ratio must lie between 0 and 1, not {output_ratio!r}")
        output_size = [int(n * r) for n, r in zip(x[-axes:], each, strict=False)] or [0] * axes
    out = sizes(name, "output_size", output_size, axes, 0)
    for n, k, m in zip(x[-axes:] if x else (), kernel, out, strict=False):
        if m + k - 1 > n:
            raise ShapeError(f"{name}: no {m} windows of {k} begin at different ones of {n}: x {x}")
    return kernel, out


def fractional_max_pool(
    name: str, axes: int, x: Any, kernel_size: Any, output_size: Any, output_ratio: Any, draws: Any
) -> Any:
    """The largest element of each window, and its index in its plane: (out, indices).

    Of m windows of k elements along an axis of n, window i begins at ⌊(i + u) α⌋ − ⌊u α⌋ with
    α = (n − k) / (m − 1), the last one at n − k; u is this axis's of ``draws`` (N, C, axes), of
    which more than N rows may come.
    """
    x, draws = tensor(x), tensor(draws)
    images(name, axes, x.shape)
    real_floats(name, "x", x)
    kernel, out = fractional_sizes(name, axes, x.shape, kernel_size, output_size, output_ratio)
    lead, space = x.shape[:-axes], x.shape[-axes:]
    n, channels = lead if len(lead) == 2 else (1, *lead)
    if draws.ndim != 3 or draws.shape[0] < n or draws.shape[1:] != (channels, axes):
        raise ShapeError(
            f"{name}: _random_samples are {draws.shape}, but x {x.shape} has {(n, channels, axes)}"
        )
    indices = _largest(x, reshape(draws[:n], (*lead, axes)), kernel, out)
    flat = take_along_axis(reshape(x, (*lead, math.prod(space))), indices, -1)
    return reshape(flat, (*lead, *out)), reshape(indices, (*lead, *out))


@op
def _largest(x, draws, kernel, out):
    """Where in each plane the largest element of each window stands, NaN being larger than all."""
    axes = len(kernel)
    space, lead = x.shape[-axes:], x.shape[:-axes]
    index = np.zeros((1,) * (len(lead) + 2 * axes), np.int64)  # (…, *out, *kernel)
    for i, (n, k, m) in enumerate(zip(space, kernel, out, strict=True)):
        # PyTorch draws for the last axis of images first, for the first one of volumes.
        u = draws[..., axes - 1 - i if axes == 2 else i, np.newaxis]
        start = np.full((*lead, m), n - k, np.int64)
        if m > 1:
            alpha = x.dtype.type(n - k) / x.dtype.type(m - 1)
            along = np.arange(m - 1).astype(x.dtype)
            start[..., :-1] = ((along + u) * alpha).astype(np.int64) - (u * alpha).astype(np.int64)
        at = start[..., np.newaxis] + np.arange(k)
        shape = [1] * (2 * axes)
        shape[i], shape[axes + i] = m, k
        index = index * n + at.reshape(*lead, *shape)
    index = index.reshape(*lead, math.prod(out), math.prod(kernel))
    flat = x.reshape(*lead, 1, math.prod(space))
    best = np.take_along_axis(flat, index, -1).argmax(-1)[..., np.newaxis]
    return np.take_along_axis(index, best, -1)[..., 0]


_largest.batched(over_leading_axes(2))
