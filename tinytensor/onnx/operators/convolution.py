"""Convolution, its transpose, and convolution at places that are learned."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import value
from .windows import around, reach, with_padding

_CONV = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}
_TRANSPOSE = {1: ops.conv_transpose1d, 2: ops.conv_transpose2d, 3: ops.conv_transpose3d}


def of_axes(name: str, table: dict[int, Any], x: Any) -> Any:
    """The op for as many axes as x has behind its channels."""
    axes = len(x.shape) - 2
    if axes not in table:
        raise NotImplementedError(f"{name}: along 1 to 3 axes, and x is {x.shape}")
    return table[axes]


def _check(name: str, x: Any, weight: Any, kernel: Any) -> None:
    """Refuse a weight of other axes than x has, or of other sizes than the node tells."""
    if weight.ndim != x.ndim or (kernel is not None and tuple(kernel) != weight.shape[2:]):
        of = "" if kernel is None else f", kernel_shape {tuple(kernel)}"
        raise ShapeError(f"{name}: x is {x.shape}, the weight {weight.shape}{of}")


@operator("Conv")
def convolve(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    conv = of_axes("Conv", _CONV, x)
    _check("Conv", x, weight, kernel_shape)
    axes = x.ndim - 2
    stride, dilation = strides or (1,) * axes, dilations or (1,) * axes
    span = reach(weight.shape[2:], dilation)
    pairs, _ = around("Conv", auto_pad, pads, x.shape[2:], span, stride)
    if all(a == b for a, b in pairs):
        return conv(x, weight, bias, stride, tuple(a for a, _ in pairs), dilation, group)
    return conv(with_padding(x, pairs), weight, bias, stride, 0, dilation, group)


@operator("ConvTranspose")
def convolve_transposed(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    output_padding: tuple[int, ...] | None = None,
    output_shape: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    conv = of_axes("ConvTranspose", _TRANSPOSE, x)
    _check("ConvTranspose", x, weight, kernel_shape)
    axes = x.ndim - 2
    stride, dilation = strides or (1,) * axes, dilations or (1,) * axes
    more = output_padding or (0,) * axes
    span = reach(weight.shape[2:], dilation)
    spread = [(n - 1) * s + w for n, s, w in zip(x.shape[2:], stride, span, strict=True)]
    wanted = output_shape
    if wanted is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(x.shape[2:], stride, strict=True))
    if wanted is None:
        pairs, _ = around("ConvTranspose", auto_pad, pads, x.shape[2:], span, stride)
    else:
        pairs = []
        for whole, m, n in zip(spread, more, wanted[-axes:], strict=True):
            cut = whole + m - n
            half = cut // 2 if auto_pad == "SAME_UPPER" else cut - cut // 2
            pairs.append((half, cut - half))
    less = all(m < s for m, s in zip(more, stride, strict=True))
    if less and all(a == b and a >= 0 for a, b in pairs):
        return conv(x, weight, bias, stride, tuple(a for a, _ in pairs), more, group, dilation)
    out = conv(x, weight, None, stride, 0, 0, group, dilation)
    # What is cut off before and behind; less than nothing is to be added.
    out = with_padding(
        out, [(max(-a, 0), max(m - b, 0)) for (a, b), m in zip(pairs, more, strict=True)]
    )
    inside = []
    for whole, m, (a, b) in zip(spread, more, pairs, strict=True):
        inside.append(slice(max(a, 0), max(a, 0) + whole + m - a - b))
    out = out[(..., *inside)]
    return out if bias is None else out + ops.reshape(bias, (-1, *(1,) * axes))


@operator("DeformConv", since=19)
def convolve_deformed(
    x: Any,
    weight: Any,
    offset: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    dilations: tuple[int, ...] | None = None,
    group: int = 1,
    kernel_shape: tuple[int, ...] | None = None,
    offset_group: int = 1,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    if x.ndim != 4:
        raise NotImplementedError(f"DeformConv: of images (N, C, H, W) alone, and x is {x.shape}")
    _check("DeformConv", x, weight, kernel_shape)
    (n, c, h, w), (k, _, kh, kw) = x.shape, weight.shape
    stride, dilation = strides or (1, 1), dilations or (1, 1)
    top, left = (pads or (0, 0, 0, 0))[:2]
    oh, ow = offset.shape[2:]
    taps, groups = kh * kw, offset_group
    moved = ops.reshape(offset, (n, groups, taps, 2, oh, ow))
    rows = np.repeat(np.arange(kh) * dilation[0], kw)[:, None, None] - top
    columns = np.tile(np.arange(kw) * dilation[1], kh)[:, None, None] - left
    y = moved[:, :, :, 0] + value((rows + np.arange(oh)[:, None] * stride[0]).astype(x.dtype))
    z = moved[:, :, :, 1] + value((columns + np.arange(ow) * stride[1]).astype(x.dtype))
    seen = _between(ops.reshape(x, (n, groups, c // groups, h * w)), y, z, h, w)
    if mask is not None:
        seen = seen * ops.reshape(mask, (n, groups, 1, taps, oh, ow))
    # A product for each group of channels: (K / G, C / G · taps) by (C / G · taps, pixels).
    seen = ops.reshape(seen, (n, group, c // group * taps, oh * ow))
    filters = ops.reshape(weight, (1, group, k // group, c // group * taps))
    out = ops.reshape(ops.matmul(filters, seen), (n, k, oh, ow))
    return out if bias is None else out + ops.reshape(bias, (-1, 1, 1))


def _between(x: Tensor, y: Tensor, z: Tensor, h: int, w: int) -> Any:
    """x (N, G, C, H·W) at rows y and columns z (N, G, …), between four pixels; 0 outside."""
    top, left = ops.floor(y).detach(), ops.floor(z).detach()
    total: Any = 0
    for down in (0, 1):
        for right in (0, 1):
            row, column = (top.value + down).astype(int), (left.value + right).astype(int)
            inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
            places = np.where(inside, row * w + column, 0).reshape(*x.shape[:2], 1, -1)
            places = np.broadcast_to(places, (*x.shape[:3], places.shape[-1]))
            pixels = ops.take_along_axis(x, value(places), -1)
            pixels = ops.reshape(pixels, (*x.shape[:3], *y.shape[2:]))
            part = (y - top if down else 1 - (y - top)) * (z - left if right else 1 - (z - left))
            part = part * value(inside.astype(y.dtype))
            total = total + pixels * ops.expand_dims(part, 2)
    return total
