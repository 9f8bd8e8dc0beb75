"""Sizes, paddings and geometry of windows: what convolution and pooling ask of their arguments.

For any number of ``axes``, the last ones of x: each function takes it, or reads it off a weight.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from ..errors import ShapeError
from ..kernels.reference.windows import conv_size, pool_size
from .checks import sizes

Sizes = tuple[int, ...]
Result = TypeVar("Result")

# How errors call the sizes of one, two and three axes, those of x and those of a kernel.
SPACE = {1: "L", 2: "H, W", 3: "D, H, W"}
KERNEL = {1: "R", 2: "R, S", 3: "Q, R, S"}


def layout(axes: int) -> str:
    """How x may be shaped, as it stands in errors: "(N, C, H, W) or (C, H, W)" for two axes."""
    return f"(N, C, {SPACE[axes]}) or (C, {SPACE[axes]})"


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """Keep results by the arguments, where those can be hashed: a layer asks the same each time."""
    kept = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def recall(*args: Any) -> Result:
        try:
            return kept(*args)
        except TypeError:  # a list among the arguments
            return function(*args)

    return recall


def paddings(
    op: str, padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> tuple[tuple[int, int], ...]:
    """For each axis the padding (before, behind). Of an odd 'same' padding the larger part is
    behind."""
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        if set(stride) != {1}:
            raise ShapeError(f"{op}: padding 'same' needs stride 1, stride is {stride}")
        whole = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in whole)
    if isinstance(padding, str):
        raise ShapeError(f"{op}: padding must be 'same', 'valid' or integers, is {padding!r}")
    return tuple((n, n) for n in sizes(op, "padding", padding, len(kernel), 0))


@remembered
def convolution(
    op: str,
    axes: int,
    x: Sizes,
    weight: Sizes,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[tuple[Any, ...], Sizes]:
    """The normalised arguments of the kernels, and the shape of the output, for shapes that fit."""
    if len(x) not in (axes + 1, axes + 2) or len(weight) != axes + 2:
        raise ShapeError(
            f"{op}: needs x {layout(axes)} and weight (K, C / groups, {KERNEL[axes]}):"
            f" x is {x}, weight is {weight}"
        )
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise ShapeError(f"{op}: groups must be an integer ≥ 1, is {groups!r}")
    channels = x[-axes - 1]
    if weight[1] * groups != channels:
        raise ShapeError(
            f"{op}: x has {channels} channels, weight takes {weight[1]} in each of {groups} groups:"
            f" x is {x}, weight is {weight}"
        )
    if weight[0] % groups:
        raise ShapeError(f"{op}: {weight[0]} filters do not divide into {groups} groups")
    kernel = weight[2:]
    if 0 in kernel:
        raise ShapeError(f"{op}: an empty kernel: weight is {weight}")
    stride = sizes(op, "stride", stride, axes, 1)
    dilation = sizes(op, "dilation", dilation, axes, 1)
    padding = paddings(op, padding, kernel, stride, dilation)
    out = tuple(map(conv_size, x[-axes:], kernel, stride, padding, dilation))
    if min(out) < 1:
        raise ShapeError(
            f"{op}: a kernel of {kernel} with dilation {dilation} is larger than x {x}"
            f" with padding {padding}"
        )
    return (stride, padding, dilation, int(groups)), (*x[: -axes - 1], weight[0], *out)


@remembered
def transposed(
    op: str,
    axes: int,
    x: Sizes,
    weight: Sizes,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> Sizes:
    """The space that the transpose of a convolution leads to, for shapes that fit."""
    if len(x) not in (axes + 1, axes + 2) or len(weight) != axes + 2 or weight[0] != x[-axes - 1]:
        raise ShapeError(
            f"{op}: needs input {layout(axes)} and weight"
            f" (C, K / groups, {KERNEL[axes]}): input is {x}, weight is {weight}"
        )
    if not isinstance(groups, int | np.integer) or groups < 1 or weight[0] % groups:
        raise ShapeError(
            f"{op}: groups must be an integer ≥ 1 that divides the {weight[0]} channels of input,"
            f" is {groups!r}"
        )
    stride = sizes(op, "stride", stride, axes, 1)
    padding = sizes(op, "padding", padding, axes, 0)
    dilation = sizes(op, "dilation", dilation, axes, 1)
    more = sizes(op, "output_padding", output_padding, axes, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):
        raise ShapeError(
            f"{op}: output_padding must be smaller than the stride or the dilation: it is {more},"
            f" stride is {stride}, dilation {dilation}"
        )
    each = zip(x[-axes:], weight[2:], stride, padding, dilation, more, strict=True)
    out = tuple((n - 1) * s - 2 * p + d * (k - 1) + m + 1 for n, k, s, p, d, m in each)
    if min(out) < 1:
        raise ShapeError(f"{op}: nothing is left of input {x} with padding {padding}")
    return out


@remembered
def pooling(
    op: str,
    axes: int,
    x: Sizes,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[tuple[Any, ...], Sizes]:
    """The normalised arguments of the kernels, and how many windows there are along each axis, for
    shapes that fit."""
    images(op, axes, x)
    kernel, stride, padding, dilation = pooling_windows(
        op, axes, kernel, stride, padding, dilation, ceil_mode
    )
    counts = []
    for n, k, s, p, d in zip(x[-axes:], kernel, stride, padding, dilation, strict=True):
        counts.append(pool_size(n, k, s, p, d, ceil_mode))
        if n == 0 or counts[-1] < 1:
            raise ShapeError(f"{op}: no window of {kernel} with dilation {dilation} fits x {x}")
        if d > 1 and p > 0 and _has_empty_window(n, counts[-1], k, s, p, d):
            raise ShapeError(
                f"{op}: a window of {kernel} with dilation {dilation} has nothing but padding"
                f" {padding}: x is {x}"
            )
    return (kernel, stride, padding, dilation, bool(ceil_mode)), tuple(counts)


def pooling_windows(
    op: str,
    axes: int,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """The normalised arguments of a pooling, as far as they do not depend on x."""
    if not isinstance(ceil_mode, bool | np.bool_):
        raise TypeError(f"{op}: ceil_mode must be True or False, not {ceil_mode!r}")
    kernel = sizes(op, "kernel_size", kernel, axes, 1)
    none = stride is None or (isinstance(stride, tuple | list) and not stride)
    stride = kernel if none else sizes(op, "stride", stride, axes, 1)
    padding = sizes(op, "padding", padding, axes, 0)
    dilation = sizes(op, "dilation", dilation, axes, 1)
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if 2 * p > d * (k - 1) + 1:
            raise ShapeError(
                f"{op}: padding may be at most half of the window: padding is {padding},"
                f" kernel_size {kernel}, dilation {dilation}"
            )
    return kernel, stride, padding, dilation


def divisor(op: str, value: Any) -> None:
    """An error for what cannot take the place of the number of elements of a window."""
    if value is not None and (not isinstance(value, int | np.integer) or value == 0):
        raise ShapeError(f"{op}: divisor_override must be an integer other than 0, is {value!r}")


def images(op: str, axes: int, x: Sizes) -> None:
    """An error unless x has ``axes`` axes behind its channels, with or without N."""
    if len(x) not in (axes + 1, axes + 2):
        raise ShapeError(f"{op}: x must be {layout(axes)}, is {x}")


def _has_empty_window(
    size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
) -> bool:
    taps = np.arange(count)[:, None] * stride - padding + np.arange(kernel) * dilation
    return bool((~((taps >= 0) & (taps < size)).any(1)).any())
