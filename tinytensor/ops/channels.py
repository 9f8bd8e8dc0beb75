"""What is done to the channels of images: shuffled, made into pixels, normalised in groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .arithmetic import square
from .checks import counts, number, real_floats
from .composed import composed, computed
from .elementary import pow
from .pooling import avg_pool2d
from .shape import moveaxis, pad, permute_dims, reshape

__all__ = [
    "channel_shuffle",
    "local_response_norm",
    "pixel_shuffle",
    "pixel_unshuffle",
]


def _factor(name: str, what: str, value: Any) -> int:
    found = counts(name, what, value)
    if found.ndim or found < 1:
        raise ShapeError(f"{name}: {what} must be an integer of at least 1, not {value!r}")
    return int(found)


@composed
def channel_shuffle(x: ArrayLike, groups: int) -> Tensor:
    """x (N, C, …) with its channels, C = groups · n, in the order 0, n, 2n, …, 1, n + 1, …: each
    group of the output has channels of every group of x. (Zhang et al. 2018.)

    >>> import tinytensor as tt
    >>> tt.channel_shuffle(tt.arange(4.0).reshape((1, 4, 1)), 2).tolist()
    [[[0.0], [2.0], [1.0], [3.0]]]
    """
    groups = _factor("channel_shuffle", "groups", groups)
    if x.ndim < 3 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: no (N, C, …) with C in {groups} groups: x is {x.shape}")
    n, channels, *space = x.shape
    grouped = reshape(x, (n, groups, channels // groups, *space))
    return reshape(moveaxis(grouped, 1, 2), x.shape)


@composed
def pixel_shuffle(x: ArrayLike, upscale_factor: int) -> Tensor:
    """(…, C r², H, W) as (…, C, H r, W r), r = ``upscale_factor``: channel c r² + i r + j is the
    pixel (i, j) of each square of r by r. (Shi et al. 2016.)

    >>> import tinytensor as tt
    >>> tt.pixel_shuffle(tt.arange(4.0).reshape((4, 1, 1)), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    if x.ndim < 3 or x.shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle: no (…, C · {r * r}, H, W): x is {x.shape}")
    *lead, channels, height, width = x.shape
    parts = reshape(x, (*lead, channels // (r * r), r, r, height, width))
    m = len(lead)
    parts = permute_dims(parts, (*range(m + 1), m + 3, m + 1, m + 4, m + 2))
    return reshape(parts, (*lead, channels // (r * r), height * r, width * r))


@composed
def pixel_unshuffle(x: ArrayLike, downscale_factor: int) -> Tensor:
    """(…, C, H r, W r) as (…, C r², H, W), r = ``downscale_factor``: back from
    :func:`pixel_shuffle`.

    >>> import tinytensor as tt
    >>> tt.pixel_unshuffle(tt.arange(4.0).reshape((1, 2, 2)), 2).shape
    (4, 1, 1)
    """
    r = _factor("pixel_unshuffle", "downscale_factor", downscale_factor)
    if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: no (…, C, H · {r}, W · {r}): x is {x.shape}")
    *lead, channels, height, width = x.shape
    parts = reshape(x, (*lead, channels, height // r, r, width // r, r))
    m = len(lead)
    parts = permute_dims(parts, (*range(m + 1), m + 2, m + 4, m + 1, m + 3))
    return reshape(parts, (*lead, channels * r * r, height // r, width // r))


@computed
def local_response_norm(
    x: ArrayLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha · mean of x² over ``size`` channels around each)ᵝ, for x (N, C, …). Channels
    that are not there count as 0. (Krizhevsky, Sutskever and Hinton 2012.)

    >>> import tinytensor as tt
    >>> tt.local_response_norm(tt.ones(1, 1, 2), 1, alpha=3.0, beta=1.0)
    tensor([[[0.25, 0.25]]])
    """
    name = "local_response_norm"
    real_floats(name, "x", x)
    size = _factor(name, "size", size)
    alpha, beta, k = (number(name, *one) for one in (("alpha", alpha), ("beta", beta), ("k", k)))
    if x.ndim < 3:
        raise ShapeError(f"{name}: x must be (N, C, …), but is {x.shape}")
    if not np.prod(x.shape):
        return x * 1.0
    n, channels = x.shape[:2]
    squares = reshape(square(x), (n, channels, -1))
    squares = pad(squares, ((0, 0), (size // 2, (size - 1) // 2), (0, 0)))
    means = reshape(avg_pool2d(squares, (size, 1), 1), x.shape)
    return x / pow(k + alpha * means, beta)
