"""Sizes and windows of convolution and pooling: no kernels, but what their twins share.

Sizes come by axis, of images rows first: kernel (R, S), stride (sy, sx), dilation (dy, dx). Padding
is ((top, bottom), (left, right)) in convolution, and (y, x), the same on both sides, in pooling.
"""

from typing import Any

import numpy as np

__all__ = [
    "adaptive_windows",
    "avg_weights",
    "avg_windows",
    "conv_size",
    "grouped",
    "padded",
    "pool_size",
    "pool_windows",
    "windows",
]


def conv_size(size, kernel, stride, padding, dilation):
    """Output size along one axis."""
    return (size + padding[0] + padding[1] - dilation * (kernel - 1) - 1) // stride + 1


def pool_size(size, kernel, stride, padding, dilation, ceil_mode):
    """Output size along one axis. In ceil mode a last window may reach over the end, but must
    begin within the input or the padding before it."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def padded(x, padding, value=0):
    """x with its last axes extended by ``value``: as many as there are paddings."""
    return np.pad(x, [(0, 0)] * (x.ndim - len(padding)) + list(padding), constant_values=value)


def windows(x, kernel, stride, dilation):
    """Views of all windows of x: (…, H, W) gives (…, Y, X, R, S); so along any number of axes."""
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    axes = tuple(range(-len(span), 0))
    every = np.lib.stride_tricks.sliding_window_view(x, span, axis=axes)
    steps: Any = [slice(None, None, step) for step in (*stride, *dilation)]
    return every[(..., *steps)]


def grouped(x, axis, groups):
    """Split an axis into (groups, size / groups)."""
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])


def pool_windows(x, kernel, stride, padding, dilation, ceil_mode, value):
    """The windows of x, extended by ``value`` as far as they reach: (…, Y, X, R, S)."""
    axes = zip(x.shape[-2:], kernel, stride, padding, dilation, strict=True)
    outs = [pool_size(*axis, ceil_mode) for axis in axes]
    reach = [
        ((n - 1) * s + d * (k - 1) + 1 - p - size)
        for n, s, d, k, p, size in zip(
            outs, stride, dilation, kernel, padding, x.shape[-2:], strict=True
        )
    ]
    pads = [(p, max(r, 0)) for p, r in zip(padding, reach, strict=True)]
    views = windows(padded(x, pads, value), kernel, stride, dilation)
    return views[..., : outs[0], : outs[1], :, :]


def avg_windows(size, kernel, stride, padding, ceil_mode):
    """Along one axis: where windows begin and end, and how long they are with their padding."""
    begin = np.arange(pool_size(size, kernel, stride, padding, 1, ceil_mode)) * stride - padding
    end = np.minimum(begin + kernel, size + padding)
    return np.maximum(begin, 0), np.minimum(end, size), end - begin


def avg_weights(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """1 / (what the sum of each window is divided by): (Y, X)."""
    axes = zip(size, kernel, stride, padding, strict=True)
    ys, xs = (avg_windows(*axis, ceil_mode) for axis in axes)
    if divisor is not None:
        return np.full((len(ys[0]), len(xs[0])), 1 / divisor)
    rows, columns = (w[2] if count_include_pad else w[1] - w[0] for w in (ys, xs))
    return 1 / np.outer(rows, columns)


def adaptive_windows(size, out):
    """Where the windows of adaptive pooling begin and end along one axis."""
    edges = np.arange(out + 1) * size
    return edges[:-1] // out, -(-edges[1:] // out)
