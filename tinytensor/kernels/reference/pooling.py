"""Pooling of the last two axes. ``padding`` is (y, x), the same on both sides."""

import numpy as np

from .checks import of_real_numbers
from .windows import adaptive_windows, avg_weights, pool_windows

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_grad",
    "avg_pool2d",
    "avg_pool2d_grad",
    "gather_planes",
    "max_pool2d",
    "scatter_planes",
]


@of_real_numbers
def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    """The largest of each window (NaN if it has one), and its index within the plane H W: of the
    first such. Padding is never the largest."""
    kind = x.dtype.kind
    lowest = -np.inf if kind == "f" else False if kind == "b" else np.iinfo(x.dtype).min
    geometry = (kernel, stride, padding, dilation, ceil_mode)
    places = np.arange(x.shape[-2] * x.shape[-1], dtype=np.int64).reshape(x.shape[-2:])
    places = pool_windows(places, *geometry, -1)
    views = pool_windows(x, *geometry, lowest)
    out = views.max((-2, -1))
    chosen = ((views == out[..., None, None]) | (views != views)) & (places >= 0)
    in_window = (*out.shape, kernel[0] * kernel[1])
    first = chosen.reshape(in_window).argmax(-1)[..., None]
    places = np.broadcast_to(places, views.shape).reshape(in_window)
    return out, np.take_along_axis(places, first, -1)[..., 0]


def scatter_planes(g, indices, size):
    """Planes of zeros of ``size`` (H, W), with g added at its indices within the plane."""
    planes = np.zeros((int(np.prod(g.shape[:-2])), size[0] * size[1]), g.dtype)
    indices = indices.reshape(len(planes), g.shape[-2] * g.shape[-1])
    np.add.at(planes, (np.arange(len(planes))[:, None], indices), g.reshape(indices.shape))
    return planes.reshape(*g.shape[:-2], *size)


def gather_planes(x, indices):
    """The elements of each plane of x at its indices."""
    flat = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    at = indices.reshape(*indices.shape[:-2], indices.shape[-2] * indices.shape[-1])
    return np.take_along_axis(flat, at, -1).reshape(indices.shape)


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """The sum of each window, over the number of its elements: of those in the padding too if
    ``count_include_pad``; over ``divisor`` if that is given."""
    views = pool_windows(x, kernel, stride, padding, (1, 1), ceil_mode, 0)
    weights = avg_weights(
        x.shape[-2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
    return views.sum((-2, -1)) * weights.astype(x.dtype)


def avg_pool2d_grad(g, size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """The gradient of avg_pool2d, whose input's (H, W) is ``size``."""
    weights = avg_weights(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    g = g * weights.astype(g.dtype)
    (rows, columns), (sy, sx) = g.shape[-2:], stride
    reach = [
        max(n + 2 * p, (m - 1) * s + k)
        for n, p, m, s, k in zip(size, padding, (rows, columns), stride, kernel, strict=True)
    ]
    out = np.zeros((*g.shape[:-2], *reach), g.dtype)
    for r, s in np.ndindex(*kernel):
        out[..., r : r + rows * sy : sy, s : s + columns * sx : sx] += g
    top, left = padding
    return out[..., top : top + size[0], left : left + size[1]]


def adaptive_avg_pool2d(x, size):
    """The mean of each of ``size`` (Y, X) windows: i spans ⌊i H / Y⌋ to ⌈(i + 1) H / Y⌉."""
    out = np.empty((*x.shape[:-2], *size), x.dtype)
    ys, xs = (adaptive_windows(n, m) for n, m in zip(x.shape[-2:], size, strict=True))
    for i, j in np.ndindex(*size):
        out[..., i, j] = x[..., ys[0][i] : ys[1][i], xs[0][j] : xs[1][j]].mean((-2, -1))
    return out


def adaptive_avg_pool2d_grad(g, size):
    """The gradient of adaptive_avg_pool2d, whose input's (H, W) is ``size``."""
    out = np.zeros((*g.shape[:-2], *size), g.dtype)
    ys, xs = (adaptive_windows(n, m) for n, m in zip(size, g.shape[-2:], strict=True))
    for i, j in np.ndindex(*g.shape[-2:]):
        window = out[..., ys[0][i] : ys[1][i], xs[0][j] : xs[1][j]]
        window += g[..., i, j, None, None] / (window.shape[-2] * window.shape[-1])
    return out
