"""Pooling: the largest, averages and norms of windows, or of whole images."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_floating
from ..registry import operator
from ..values import array, integers, value
from .convolution import of_axes
from .windows import Pairs, around, reach, with_padding

_MAX = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
_AVERAGE = {1: ops.avg_pool1d, 2: ops.avg_pool2d, 3: ops.avg_pool3d}


class _Windows:
    """Which windows a node looks at."""

    def __init__(
        self,
        name: str,
        x: Any,
        kernel: tuple[int, ...],
        auto_pad: str,
        ceil: int,
        dilations: tuple[int, ...] | None,
        pads: tuple[int, ...] | None,
        strides: tuple[int, ...] | None,
    ) -> None:
        axes = x.ndim - 2
        if len(kernel) != axes:
            raise ValueError(f"{name}: kernel_shape {kernel} for x {x.shape}")
        self.kernel, self.size = kernel, x.shape[2:]
        self.stride, self.dilation = strides or (1,) * axes, dilations or (1,) * axes
        span = reach(kernel, self.dilation)
        self.pads, same = around(name, auto_pad, pads, self.size, span, self.stride)
        self.counts = []
        for n, (a, b), w, s in zip(self.size, self.pads, span, self.stride, strict=True):
            rest = n + a + b - w
            count = (-(-rest // s) if ceil and not same else rest // s) + 1
            # A window that would begin in the padding behind is none.
            if ceil and not same and (count - 1) * s >= n + a:
                count -= 1
            self.counts.append(count)
        # Padding up to the end of the last window, which may lie within x or far behind.
        self.whole: Pairs = [
            (a, (count - 1) * s + w - n - a)
            for n, (a, _), w, s, count in zip(
                self.size, self.pads, span, self.stride, self.counts, strict=True
            )
        ]

    @property
    def even(self) -> bool:
        """Whether the ops' own padding, the same on both sides and at most half a window, does."""
        both = zip(self.whole, self.pads, self.kernel, strict=True)
        return all(a == q and b <= q and 2 * a <= k for (a, b), (p, q), k in both for _ in (p,))

    def padded(self, x: Any, filling: float) -> Any:
        """x with padding, so that windows without padding are those that are meant."""
        x = x[
            (
                ...,
                *(slice(0, n + min(b, 0)) for n, (_, b) in zip(self.size, self.whole, strict=True)),
            )
        ]
        return with_padding(x, [(a, max(b, 0)) for a, b in self.whole], filling)


@operator("MaxPool")
def max_pool(
    x: Any,
    *,
    kernel_shape: tuple[int, ...],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    storage_order: int = 0,
    strides: tuple[int, ...] | None = None,
    node: Any,
) -> Any:
    pool = of_axes("MaxPool", _MAX, x)
    seen = _Windows("MaxPool", x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)
    dtype = x.dtype
    if not is_floating(dtype):
        x = ops.astype(x, np.float32 if dtype.itemsize < 4 else np.float64)
    asked = len(node.outputs) > 1
    if seen.even and not asked:
        first = tuple(a for a, _ in seen.pads)
        out = pool(x, seen.kernel, seen.stride, first, seen.dilation)
    else:
        padded = seen.padded(x, -np.inf)
        out = pool(padded, seen.kernel, seen.stride, 0, seen.dilation, False, asked)
    if asked:
        out, found = out
        places = np.unravel_index(array(found), padded.shape[2:])
        inner = [i - a for i, (a, _) in zip(places, seen.whole, strict=True)]
        order: Any = "F" if storage_order else "C"
        flat = np.ravel_multi_index(tuple(inner), seen.size, "clip", order)
        image = np.arange(prod(x.shape[:2])).reshape((*x.shape[:2], *(1,) * (x.ndim - 2)))
        indices = value((flat + image * prod(seen.size)).astype(np.int64))
    out = out if out.dtype == dtype else ops.astype(out, dtype)
    return (out, indices) if asked else out


def _window_sums(x: Any, seen: _Windows) -> Any:
    """The sum of each window, of x with zeros around it."""
    padded = seen.padded(x, 0)
    if set(seen.dilation) == {1}:
        pool = of_axes("AveragePool", _AVERAGE, x)
        return pool(padded, seen.kernel, seen.stride) * float(prod(seen.kernel))
    total: Any = 0
    for tap in np.ndindex(*seen.kernel):
        each = zip(tap, seen.dilation, seen.stride, seen.counts, strict=True)
        index = (slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in each)
        total = total + padded[(..., *index)]
    return total


def _window_sizes(seen: _Windows, padding: bool) -> np.ndarray:
    """How many elements each window has: x's, or with the padding that was asked for."""
    sizes = np.ones((1,) * len(seen.kernel))
    for axis, n in enumerate(seen.size):
        a, b = seen.pads[axis]
        first = np.arange(seen.counts[axis]) * seen.stride[axis] - a
        taps = first[:, None] + np.arange(seen.kernel[axis]) * seen.dilation[axis]
        low, high = (-a, n + b) if padding else (0, n)
        shape = [1] * len(seen.kernel)
        shape[axis] = -1
        sizes = sizes * ((taps >= low) & (taps < high)).sum(1).reshape(shape)
    return sizes


@operator("AveragePool")
def average_pool(
    x: Any,
    *,
    kernel_shape: tuple[int, ...],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    pool = of_axes("AveragePool", _AVERAGE, x)
    seen = _Windows("AveragePool", x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)
    if seen.even and set(seen.dilation) == {1}:
        first = tuple(a for a, _ in seen.pads)
        return pool(x, seen.kernel, seen.stride, first, False, bool(count_include_pad))
    sizes = _window_sizes(seen, bool(count_include_pad))
    return _window_sums(x, seen) / value(sizes.astype(x.dtype))


@operator("LpPool", since=2)
def power_pool(
    x: Any,
    *,
    kernel_shape: tuple[int, ...],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: tuple[int, ...] | None = None,
    p: int = 2,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    seen = _Windows("LpPool", x, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides)
    return ops.pow(_window_sums(ops.pow(ops.abs(x), p), seen), 1 / p)


def _spatial(x: Any) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


@operator("GlobalAveragePool")
def global_average(x: Any) -> Any:
    return ops.mean(x, _spatial(x), True)


@operator("GlobalMaxPool")
def global_max(x: Any) -> Any:
    return ops.max(x, _spatial(x), True)


@operator("GlobalLpPool", since=2)
def global_power(x: Any, *, p: int = 2) -> Any:
    return ops.pow(ops.sum(ops.pow(ops.abs(x), p), _spatial(x), True), 1 / p)


@operator("MaxUnpool", since=9)
def max_unpool(
    x: Any,
    indices: Any,
    output_shape: Any = None,
    *,
    kernel_shape: tuple[int, ...],
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    axes = len(kernel_shape)
    steps, edges = strides or (1,) * axes, pads or (0,) * (2 * axes)
    sizes = tuple(
        (n - 1) * steps[i] - edges[i] - edges[i + axes] + kernel_shape[i]
        for i, n in enumerate(x.shape[2:])
    )
    shape = (*x.shape[:2], *sizes)
    flat = value(np.zeros(prod(shape), x.dtype))
    places = array(indices).reshape(-1)
    out = ops.reshape(flat.at[places].set(ops.reshape(x, (-1,))), shape)
    wanted = shape if output_shape is None else integers(output_shape)
    return with_padding(out, [(0, n - m) for n, m in zip(wanted, shape, strict=True)])
