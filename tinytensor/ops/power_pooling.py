"""Pooling by the p-norm of windows: between the sum (p = 1) and the largest (p → ∞)."""

from __future__ import annotations

import math
from typing import Any

from .annotations import ArrayLike, Sizes, Tensor
from .arithmetic import abs
from .checks import number, real_floats, sizes
from .composed import computed
from .elementary import pow
from .logic import equal, where
from .pooling import avg_pool2d, max_pool2d
from .volumes import avg_pool1d, avg_pool3d, max_pool1d, max_pool3d

__all__ = [
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
]

POOLS: dict[int, tuple[Any, Any]] = {
    1: (avg_pool1d, max_pool1d),
    2: (avg_pool2d, max_pool2d),
    3: (avg_pool3d, max_pool3d),
}


def _lp_pool(
    name: str, axes: int, x: Any, norm_type: float, kernel: Any, stride: Any, ceil: Any
) -> Any:
    p = number(name, "norm_type", norm_type)
    if p == 0:
        raise ValueError(f"{name}: norm_type must not be 0")
    real_floats(name, "x", x)
    kernel = sizes(name, "kernel_size", kernel, axes, 1)
    average, largest = POOLS[axes]
    if math.isinf(p):
        out = largest(abs(x) if p > 0 else -abs(x), kernel, stride, ceil_mode=ceil)
        return out if p > 0 else -out
    means = average(pow(x, int(p) if p.is_integer() else p), kernel, stride, ceil_mode=ceil)
    sums = means * math.prod(kernel)
    nothing = equal(sums, 0)  # where a root has no slope: its gradient is 0 there
    return where(nothing, 0.0 if p > 0 else math.inf, pow(where(nothing, 1.0, sums), 1 / p))


@computed
def lp_pool1d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window of lines x (N, C, L) or (C, L), p being ``norm_type``.

    No magnitudes are taken: an odd p wants x ≥ 0. But p = ∞ gives the largest magnitude, −∞ the
    least. In ceil mode a window that reaches over the end counts as if it went on with its mean.
    Where the sum is 0, so is the gradient. (PyTorch's ``lp_pool1d``.)

    >>> import tinytensor as tt
    >>> tt.lp_pool1d(tt.tensor([[3.0, 4.0, 0.0, 2.0]]), 2, 2)
    tensor([[5., 2.]])
    """
    return _lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode)


@computed
def lp_pool2d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window of images x (N, C, H, W) or (C, H, W); see
    :func:`lp_pool1d`."""
    return _lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode)


@computed
def lp_pool3d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window of volumes x (N, C, D, H, W) or (C, D, H, W); see
    :func:`lp_pool1d`."""
    return _lp_pool("lp_pool3d", 3, x, norm_type, kernel_size, stride, ceil_mode)
