"""Pooling: the largest or the average of windows of images."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from .. import kernels
from ..dtypes import is_floating
from ..engine.operation import Op
from ..errors import DtypeError, ShapeError
from . import batching
from .annotations import ArrayLike, Sizes, Tensor
from .checks import sizes
from .composed import composed
from .declared import op
from .windows import divisor, images, pooling

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "max_pool2d",
    "max_pool2d_with_indices",
]


# --- Arguments -------------------------------------------------------------------------------


def check_floating(name: str, x: Any) -> None:
    dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    if not is_floating(dtype):
        raise DtypeError(f"{name}: averages are of floating-point numbers, x is {dtype}")


# --- The largest -----------------------------------------------------------------------------


@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
@composed
def max_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of x (N, C, H, W) or (C, H, W); NaN if it holds one.

    Sizes are one number or (rows, columns). The windows are ``stride`` apart (``kernel_size`` if
    None) and their elements ``dilation``; the padding, at most half a window, is never the largest.
    In ceil mode the last window may reach over the end. With ``return_indices`` also the index of
    each within its plane H W. The gradient goes to the first of equals. (PyTorch's
    ``max_pool2d``.)

    >>> import tinytensor as tt
    >>> tt.max_pool2d(tt.arange(16.0).reshape((1, 4, 4)), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    out, indices = max_pool2d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)
    return (out, indices.clone()) if return_indices else out  # a gradient needs the indices


@op(outputs=2, residuals=("indices", "size"))
def max_pool2d_with_indices(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest element of each window, and its index; see :func:`max_pool2d`."""
    shape = np.shape(x)
    name = "max_pool2d_with_indices"
    arguments, _ = pooling(name, 2, shape, kernel_size, stride, padding, dilation, ceil_mode)
    found: Any = kernels.max_pool2d(x, *arguments)  # (out, indices)
    return *found, found[1], shape[-2:]


@op
def scatter_planes(g, indices, size):
    """Planes of zeros of ``size`` (H, W), with g's elements added at ``indices`` of their plane."""
    size = sizes("scatter_planes", "size", size, 2, 0)
    check_indices("scatter_planes", indices, size)
    if np.shape(indices) != np.shape(g):
        raise ShapeError(f"scatter_planes: indices are {np.shape(indices)}, but g is {np.shape(g)}")
    return kernels.scatter_planes(g, indices, size)


@op(residuals=("size",))
def gather_planes(x, indices):
    """The elements of x's planes at ``indices`` within their plane."""
    check_indices("gather_planes", indices, np.shape(x)[-2:])
    return kernels.gather_planes(x, indices), np.shape(x)[-2:]


def check_indices(name: str, indices: Any, size: Any) -> None:
    if np.size(indices) and not 0 <= np.min(indices) <= np.max(indices) < size[0] * size[1]:
        raise IndexError(f"{name}: an index is outside of a plane of {tuple(size)}")


max_pool2d_with_indices.grad(x=lambda g, indices, size: scatter_planes(g[0], indices, size))
scatter_planes.grad(g=lambda gg, indices: gather_planes(gg, indices))
gather_planes.grad(x=lambda g, indices, size: scatter_planes(g, indices, size))


# --- Averages --------------------------------------------------------------------------------


@op(residuals=("size",))
def avg_pool2d(
    x: ArrayLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window of x (N, C, H, W) or (C, H, W).

    Sizes are one number or (rows, columns), the stride ``kernel_size`` if None. The sum is divided
    by the number of elements, with the padding's if ``count_include_pad``, or by
    ``divisor_override``. Gradient: :func:`avg_pool2d_grad`. (PyTorch's ``avg_pool2d``.)

    >>> import tinytensor as tt
    >>> tt.avg_pool2d(tt.arange(16.0).reshape((1, 4, 4)), 2)
    tensor([[[ 2.5,  4.5],
             [10.5, 12.5]]])
    """
    check_floating("avg_pool2d", x)
    size = np.shape(x)
    arguments, _ = avg_arguments(
        "avg_pool2d", size, kernel_size, stride, padding, ceil_mode, divisor_override
    )
    return kernels.avg_pool2d(x, *arguments, count_include_pad, divisor_override), size[-2:]


@op
def avg_pool2d_grad(
    g,
    size,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The gradient of :func:`avg_pool2d`, whose x has planes of ``size`` (H, W)."""
    size = sizes("avg_pool2d_grad", "size", size, 2, 0)
    x = (*np.shape(g)[:-2], *size)
    arguments, out = avg_arguments(
        "avg_pool2d_grad", x, kernel_size, stride, padding, ceil_mode, divisor_override
    )
    if np.shape(g)[-2:] != out:
        raise ShapeError(f"avg_pool2d_grad: g is {np.shape(g)}, but its planes should be {out}")
    return kernels.avg_pool2d_grad(g, size, *arguments, count_include_pad, divisor_override)


def avg_arguments(
    name: str,
    x: tuple[int, ...],
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    divisor_override: Any,
) -> tuple[tuple[Any, Any, Any, bool], Sizes]:
    """The arguments of the kernels, and how many windows there are along each axis."""
    divisor(name, divisor_override)
    arguments, counts = pooling(name, 2, x, kernel, stride, padding, 1, ceil_mode)
    kernel, stride, padding, _, ceil = arguments
    return (kernel, stride, padding, ceil), counts


def avg_pool2d_by_x(
    g, size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
):
    return avg_pool2d_grad(
        g, size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool2d_grad_by_g(
    gg, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
):
    return avg_pool2d(
        gg, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


avg_pool2d.grad(x=avg_pool2d_by_x)
avg_pool2d_grad.grad(g=avg_pool2d_grad_by_g)


@op(residuals=("size",))
def adaptive_avg_pool2d(x: ArrayLike, output_size: Sizes) -> Tensor:
    """The averages of windows that cut x (N, C, H, W) or (C, H, W) into ``output_size`` parts.

    ``output_size`` is one number or (rows, columns), where None keeps x's. Of Y parts of H rows,
    part i spans ⌊i H / Y⌋ to ⌈(i + 1) H / Y⌉. (PyTorch's ``adaptive_avg_pool2d``.)

    >>> import tinytensor as tt
    >>> tt.adaptive_avg_pool2d(tt.arange(16.0).reshape((1, 4, 4)), 1)
    tensor([[[7.5]]])
    """
    size = np.shape(x)
    images("adaptive_avg_pool2d", 2, size)
    check_floating("adaptive_avg_pool2d", x)
    if 0 in size[-2:]:
        raise ShapeError(f"adaptive_avg_pool2d: images without pixels: x is {size}")
    if isinstance(output_size, tuple | list) and len(output_size) == 2:
        output_size = [n if m is None else m for m, n in zip(output_size, size[-2:], strict=True)]
    out = sizes("adaptive_avg_pool2d", "output_size", output_size, 2, 0)
    return kernels.adaptive_avg_pool2d(x, out), size[-2:]


@op(residuals=("out_size",))
def adaptive_avg_pool2d_grad(g, size):
    """The gradient of :func:`adaptive_avg_pool2d`, whose x has planes of ``size`` (H, W)."""
    size = sizes("adaptive_avg_pool2d_grad", "size", size, 2, 1)
    images("adaptive_avg_pool2d_grad", 2, np.shape(g))
    return kernels.adaptive_avg_pool2d_grad(g, size), np.shape(g)[-2:]


adaptive_avg_pool2d.grad(x=lambda g, size: adaptive_avg_pool2d_grad(g, size))
adaptive_avg_pool2d_grad.grad(g=lambda gg, out_size: adaptive_avg_pool2d(gg, out_size))


# --- Lanes of a vmap --------------------------------------------------------------------------

_op: Op
for _op in (max_pool2d_with_indices, avg_pool2d, adaptive_avg_pool2d):
    _op.batched(batching.fold_lanes(["x"]))
for _op in (avg_pool2d_grad, adaptive_avg_pool2d_grad):
    _op.batched(batching.fold_lanes(["g"]))
scatter_planes.batched(batching.fold_lanes(["g", "indices"]))
gather_planes.batched(batching.fold_lanes(["x", "indices"]))
