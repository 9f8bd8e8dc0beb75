"""Convolution.

Sizes come in pairs, rows first: stride (sy, sx), dilation (dy, dx), and padding
((top, bottom), (left, right)). x is (N, C, H, W), weight (K, C / groups, R, S), g and the output
(N, K, Y, X). One image without its axis N is (C, H, W), throughout.
"""

import numpy as np

from .promotion import promoting
from .windows import grouped, padded, windows

__all__ = ["conv2d", "conv2d_grad_w", "conv2d_grad_x"]


@promoting()
def conv2d(x, weight, bias, stride, padding, dilation, groups):
    """Σ_crs x[n, c, y sy + r dy, x sx + s dx] weight[k, c, r, s] + bias[k], x padded with zeros."""
    if x.ndim == 3:
        return conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    patches = windows(padded(x, padding), weight.shape[2:], stride, dilation)
    out = np.einsum(
        "ngcyxrs,gkcrs->ngkyx",
        grouped(patches, 1, groups),
        grouped(weight, 0, groups),
        optimize=True,
    )
    out = out.reshape(len(x), len(weight), *out.shape[3:])
    return out if bias is None else out + bias[:, None, None]


@promoting()
def conv2d_grad_x(g, weight, size, stride, padding, dilation, groups):
    """The gradient of conv2d in its x, whose (H, W) is ``size``."""
    if g.ndim == 3:
        return conv2d_grad_x(g[None], weight, size, stride, padding, dilation, groups)[0]
    (top, bottom), (left, right) = padding
    rows, columns = g.shape[2:]
    channels = weight.shape[1] * groups
    terms = np.einsum(
        "ngkyx,gkcrs->rsngcyx", grouped(g, 1, groups), grouped(weight, 0, groups), optimize=True
    )
    out = np.zeros((len(g), channels, size[0] + top + bottom, size[1] + left + right), terms.dtype)
    for r, s in np.ndindex(*weight.shape[2:]):
        y, x = r * dilation[0], s * dilation[1]
        ys = slice(y, y + rows * stride[0], stride[0])
        xs = slice(x, x + columns * stride[1], stride[1])
        out[:, :, ys, xs] += terms[r, s].reshape(len(g), channels, rows, columns)
    return out[:, :, top : top + size[0], left : left + size[1]]


@promoting()
def conv2d_grad_w(g, x, kernel, stride, padding, dilation, groups):
    """The gradient of conv2d in its weight, whose (R, S) is ``kernel``."""
    if g.ndim == 3:
        return conv2d_grad_w(g[None], x[None], kernel, stride, padding, dilation, groups)
    patches = windows(padded(x, padding), kernel, stride, dilation)
    patches = patches[:, :, : g.shape[2], : g.shape[3]]
    out = np.einsum(
        "ngkyx,ngcyxrs->gkcrs", grouped(g, 1, groups), grouped(patches, 1, groups), optimize=True
    )
    return out.reshape(groups * out.shape[1], *out.shape[2:])
