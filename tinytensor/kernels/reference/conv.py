"""Convolution along any number of axes.

Sizes come by axis: of images stride (sy, sx), dilation (dy, dx), and padding ((top, bottom), (left,
right)). x is (N, C, H, W), weight (K, C / groups, R, S), g and the output (N, K, Y, X); of lines
and volumes one axis fewer, and one more. One image without its axis N is (C, H, W), throughout.
"""

from typing import Any

import numpy as np

from .promotion import promoting
from .windows import grouped, padded, windows

__all__ = ["convolve", "convolve_grad_w", "convolve_grad_x"]

PIXELS, TAPS = "zyx", "qrs"  # the letters in sums; the last ones of those that there are


@promoting()
def convolve(x, weight, bias, stride, padding, dilation, groups):
    """Σ_crs x[n, c, y sy + r dy, x sx + s dx] weight[k, c, r, s] + bias[k], x padded with zeros."""
    if x.ndim == weight.ndim - 1:
        return convolve(x[None], weight, bias, stride, padding, dilation, groups)[0]
    axes = len(stride)
    pixels, taps = PIXELS[-axes:], TAPS[-axes:]
    patches = windows(padded(x, padding), weight.shape[2:], stride, dilation)
    out = np.einsum(
        f"ngc{pixels}{taps},gkc{taps}->ngk{pixels}",
        grouped(patches, 1, groups),
        grouped(weight, 0, groups),
        optimize=True,
    )
    out = out.reshape(len(x), len(weight), *out.shape[3:])
    return out if bias is None else out + bias.reshape(-1, *(1,) * axes)


@promoting()
def convolve_grad_x(g, weight, size, stride, padding, dilation, groups):
    """The gradient of convolve in its x, whose (H, W) is ``size``."""
    if g.ndim == weight.ndim - 1:
        return convolve_grad_x(g[None], weight, size, stride, padding, dilation, groups)[0]
    pixels, taps = PIXELS[-len(size) :], TAPS[-len(size) :]
    channels = weight.shape[1] * groups
    terms = np.einsum(
        f"ngk{pixels},gkc{taps}->{taps}ngc{pixels}",
        grouped(g, 1, groups),
        grouped(weight, 0, groups),
        optimize=True,
    )
    whole = [n + before + behind for n, (before, behind) in zip(size, padding, strict=True)]
    out = np.zeros((len(g), channels, *whole), terms.dtype)
    for tap in np.ndindex(*weight.shape[2:]):
        first = [r * d for r, d in zip(tap, dilation, strict=True)]
        reached = zip(first, g.shape[2:], stride, strict=True)
        at: Any = [slice(begin, begin + n * step, step) for begin, n, step in reached]
        out[(..., *at)] += terms[tap].reshape(len(g), channels, *g.shape[2:])
    inside: Any = [slice(p, p + n) for (p, _), n in zip(padding, size, strict=True)]
    return out[(..., *inside)]


@promoting()
def convolve_grad_w(g, x, kernel, stride, padding, dilation, groups):
    """The gradient of convolve in its weight, whose (R, S) is ``kernel``."""
    axes = len(kernel)
    if g.ndim == axes + 1:
        return convolve_grad_w(g[None], x[None], kernel, stride, padding, dilation, groups)
    pixels, taps = PIXELS[-axes:], TAPS[-axes:]
    patches = windows(padded(x, padding), kernel, stride, dilation)
    patches = patches[(slice(None), slice(None), *(slice(n) for n in g.shape[2:]))]
    out = np.einsum(
        f"ngk{pixels},ngc{pixels}{taps}->gkc{taps}",
        grouped(g, 1, groups),
        grouped(patches, 1, groups),
        optimize=True,
    )
    return out.reshape(groups * out.shape[1], *out.shape[2:])
