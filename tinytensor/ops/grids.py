"""Images looked up at points of a grid: spatial transformers. (Jaderberg et al. 2015.)"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..errors import ShapeError
from .activation import hardtanh
from .annotations import ArrayLike, Tensor
from .arithmetic import abs, floor, remainder, round
from .checks import real_floats
from .composed import computed, tensor
from .indexing import take_along_axis
from .logic import equal, greater_equal, less_equal, logical_and, where
from .matmul import matmul
from .shape import astype, expand_dims, reshape, swapaxes

__all__ = [
    "affine_grid",
    "grid_sample",
]

Tap = tuple[Any, Any]  # where along an axis, as floats that are whole, and how much it weighs


@computed
def affine_grid(theta: ArrayLike, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """The grid by which :func:`grid_sample` moves images of ``size`` (N, C, H, W) by theta
    (N, 2, 3), or volumes (N, C, D, H, W) by theta (N, 3, 4): theta (x, y, 1)ᵀ of each pixel.

    >>> import tinytensor as tt
    >>> identity = tt.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> tt.affine_grid(identity, (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    real_floats("affine_grid", "theta", theta)
    size = tuple(size)
    axes = len(size) - 2
    if axes not in (2, 3) or theta.shape != (size[0], axes, axes + 1) or min(size) < 1:
        raise ShapeError(
            f"affine_grid: needs theta (N, 2, 3) and size (N, C, H, W), or (N, 3, 4) and"
            f" (N, C, D, H, W): theta is {theta.shape}, size {size}"
        )
    lines = []
    for n in size[2:]:
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        lines.append(line if align_corners else line * (n - 1) / n)
    points = np.meshgrid(*lines, indexing="ij")[::-1]  # x, the last axis, comes first
    base = np.stack([*points, np.ones(size[2:])], -1).reshape(-1, axes + 1)
    moved = matmul(base.astype(theta.dtype), swapaxes(theta, -1, -2))
    return reshape(moved, (size[0], *size[2:], axes))


@computed
def grid_sample(
    x: ArrayLike,
    grid: ArrayLike,
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """x (N, C, H, W) at the points of grid (N, H', W', 2), or x (N, C, D, H, W) at those of grid
    (N, D', H', W', 3): (N, C, H', W') or (N, C, D', H', W').

    A point is (x, y) or (x, y, z), −1 and 1 being the ends of an axis: the middles of its first and
    last pixels with ``align_corners``, otherwise their outer sides. ``mode`` "bilinear" mixes the
    neighbours, "bicubic" four along each of two axes (Keys 1981, a = −3/4), "nearest" takes one
    (halves to even). Outside there are zeros, or the pixels at the border, or a reflection.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> tt.grid_sample(x, tt.zeros(1, 1, 1, 2)).item()
    2.5
    """
    name, grid = "grid_sample", tensor(grid)
    axes = x.ndim - 2
    real_floats(name, "x", x)
    real_floats(name, "grid", grid)
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and axes != 2):
        raise ValueError(f"{name}: there is no mode {mode!r} for x {x.shape}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"{name}: there is no padding_mode {padding_mode!r}")
    if (
        axes not in (2, 3)
        or grid.ndim != x.ndim
        or grid.shape[:1] + grid.shape[-1:]
        != (
            x.shape[0],
            axes,
        )
    ):
        raise ShapeError(
            f"{name}: needs x (N, C, H, W) and grid (N, H', W', 2), or (N, C, D, H, W) and"
            f" (N, D', H', W', 3): x is {x.shape}, grid {grid.shape}"
        )
    n, channels, *space = x.shape
    if 0 in space:
        raise ShapeError(f"{name}: nothing to look at: x is {x.shape}")
    corners, out = bool(align_corners), grid.shape[1:-1]
    points = math.prod(out)
    flat = reshape(x, (n, channels, math.prod(space)))
    grid = reshape(grid, (n, points, axes))
    taps = [
        _taps(grid[..., axes - 1 - i], size, mode, padding_mode, corners)
        for i, size in enumerate(space)
    ]
    total: Any = None
    for each in itertools.product(*taps):
        index: Any = 0
        weight: Any = None
        for (at, share), size in zip(each, space, strict=True):
            inside = logical_and(greater_equal(at, 0), less_equal(at, size - 1))
            index = index * size + astype(where(inside, at, 0.0), np.int64)
            share = where(inside, share, 0.0) if padding_mode == "zeros" else share
            weight = share if weight is None else weight * share
        part = take_along_axis(flat, expand_dims(index, 1), -1) * expand_dims(weight, 1)
        total = part if total is None else total + part
    return reshape(total, (n, channels, *out))


def _taps(at: Any, size: int, mode: str, outside: str, corners: bool) -> list[Tap]:
    """Which pixels along an axis a coordinate from −1 to 1 mixes, and how."""
    at = (at + 1) * ((size - 1) / 2) if corners else ((at + 1) * size - 1) / 2
    if mode == "bicubic":
        first = floor(at)
        t = at - first
        weights = (_far(t + 1), _near(t), _near(1 - t), _far(2 - t))
        places = (first - 1, first, first + 1, first + 2)
        return [
            (_brought_in(place, size, outside, corners).detach(), weight)
            for place, weight in zip(places, weights, strict=True)
        ]
    at = _brought_in(at, size, outside, corners)
    if mode == "nearest":
        whole = round(at)
        return [(whole.detach(), whole * 0.0 + 1.0)]  # depends on the grid, with slope 0
    first = floor(at)
    t = at - first
    return [(first.detach(), 1 - t), ((first + 1).detach(), t)]


def _brought_in(at: Any, size: int, outside: str, corners: bool) -> Any:
    """A coordinate in pixels, within the image unless there are zeros outside."""
    if outside == "zeros":
        return at + 0.0
    if outside == "reflection":
        low, span = (0.0, size - 1.0) if corners else (-0.5, float(size))
        if span == 0:
            return at * 0.0
        far = abs(at - low)
        turns = floor(far / span)
        rest = far - turns * span
        at = low + where(equal(remainder(turns, 2.0), 0), rest, span - rest)
    return hardtanh(at, 0.0, size - 1.0)


A = -0.75


def _near(t: Any) -> Any:
    return ((A + 2) * t - (A + 3)) * t * t + 1


def _far(t: Any) -> Any:
    return ((A * t - 5 * A) * t + 8 * A) * t - 4 * A
