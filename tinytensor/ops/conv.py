"""Convolution of images, and its two gradients: three bilinear ops, each the others' derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from .. import kernels
from ..errors import ShapeError
from ..kernels.reference import conv_size
from ..operation import op
from . import reduction
from .batching import folded, lanes_of, rank, unfolded, with_lanes
from .shape import expand_dims, moveaxis, reshape

__all__ = ["conv2d", "conv2d_grad_w", "conv2d_grad_x"]

Pair = tuple[int, int]
Result = TypeVar("Result")


# --- Arguments -------------------------------------------------------------------------------


def as_pair(name: str, what: str, value: Any, least: int) -> Pair:
    """A number for both axes, or one for each (rows, columns); at least ``least``."""
    pair = (value, value) if isinstance(value, int | np.integer) else value
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(isinstance(n, int | np.integer) and n >= least for n in pair)
    ):
        raise ShapeError(f"{name}: {what} must be one or two integers ≥ {least}, is {value!r}")
    return int(pair[0]), int(pair[1])


def as_padding(
    name: str, padding: Any, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)). Of an odd 'same' padding the larger part is at the end."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        if stride != (1, 1):
            raise ShapeError(f"{name}: padding 'same' needs stride 1, stride is {stride}")
        whole = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return (whole[0] // 2, -(-whole[0] // 2)), (whole[1] // 2, -(-whole[1] // 2))
    if isinstance(padding, str):
        raise ShapeError(f"{name}: padding must be 'same', 'valid' or integers, is {padding!r}")
    rows, columns = as_pair(name, "padding", padding, 0)
    return (rows, rows), (columns, columns)


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


@remembered
def geometry(
    name: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The normalised arguments of the kernels, and the shape of the output, for shapes that fit."""
    if len(x) not in (3, 4) or len(weight) != 4:
        raise ShapeError(
            f"{name}: needs x (N, C, H, W) or (C, H, W) and weight (K, C / groups, R, S):"
            f" x is {x}, weight is {weight}"
        )
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise ShapeError(f"{name}: groups must be an integer ≥ 1, is {groups!r}")
    if weight[1] * groups != x[-3]:
        raise ShapeError(
            f"{name}: x has {x[-3]} channels, weight takes {weight[1]} in each of {groups} groups:"
            f" x is {x}, weight is {weight}"
        )
    if weight[0] % groups:
        raise ShapeError(f"{name}: {weight[0]} filters do not divide into {groups} groups")
    kernel = weight[2:]
    if 0 in kernel:
        raise ShapeError(f"{name}: an empty kernel: weight is {weight}")
    stride = as_pair(name, "stride", stride, 1)
    dilation = as_pair(name, "dilation", dilation, 1)
    padding = as_padding(name, padding, (kernel[0], kernel[1]), stride, dilation)
    out = tuple(map(conv_size, x[-2:], kernel, stride, padding, dilation))
    if min(out) < 1:
        raise ShapeError(
            f"{name}: a kernel of {kernel} with dilation {dilation} is larger than x {x}"
            f" with padding {padding}"
        )
    return (stride, padding, dilation, int(groups)), (*x[:-3], weight[0], *out)


def check_gradient(name: str, g: tuple[int, ...], out: tuple[int, ...]) -> None:
    if g != out:
        raise ShapeError(f"{name}: g is {g}, but the output of such a convolution is {out}")


# --- Ops -------------------------------------------------------------------------------------


@op(residuals=("size", "kernel"))
def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide filters over images: a cross-correlation, as all of deep learning calls convolution.

    out[n, k, y, z] = bias[k] + Σ_crs x[n, c, y·stride + r·dilation − padding, …] weight[k, c, r, s]

    x is (N, C, H, W), or (C, H, W) for one image; weight (K, C / groups, R, S); bias (K,) or None.
    ``stride``, ``padding`` and ``dilation`` are one number or (rows, columns). ``padding`` may be
    'valid' (none) or 'same' (an output of x's size, for stride 1). With ``groups``, filter k sees
    only the channels of its own group. Gradients: :func:`conv2d_grad_x`, :func:`conv2d_grad_w`, and
    the sum over images and pixels for the bias. (Layout of PyTorch's ``conv2d``.)

    In float32, a 3×3 convolution of stride 1 whose shapes are large enough, and its gradients, are
    taken by Winograd's method F(4×4, 3×3) (Lavin & Gray 2015): their errors are within 10⁻⁶ of the
    largest Σ |x| |weight|, and an inf or NaN in x spreads over the 4×4 outputs computed with it.

    >>> import tinytensor as tt
    >>> tt.conv2d(tt.ones((2, 3, 8, 8)), tt.ones((4, 3, 5, 5)), stride=2, padding=2).shape
    (2, 4, 4, 4)
    """
    size, shape = np.shape(x), np.shape(weight)
    arguments, _ = geometry("conv2d", size, shape, stride, padding, dilation, groups)
    if bias is not None and np.shape(bias) != shape[:1]:
        raise ShapeError(
            f"conv2d: needs bias (K,) for weight (K, …): bias is {np.shape(bias)},"
            f" weight is {shape}"
        )
    return kernels.conv2d(x, weight, bias, *arguments), size[-2:], shape[2:]


@op(residuals=("kernel",))
def conv2d_grad_x(g, weight, size, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of :func:`conv2d` in x, whose (H, W) is ``size``; g has the output's shape."""
    size, shape = as_pair("conv2d_grad_x", "size", size, 0), np.shape(weight)
    x = (*np.shape(g)[:-3], shape[1] * groups if len(shape) == 4 else 0, *size)
    arguments, out = geometry("conv2d_grad_x", x, shape, stride, padding, dilation, groups)
    check_gradient("conv2d_grad_x", np.shape(g), out)
    return kernels.conv2d_grad_x(g, weight, size, *arguments), shape[2:]


@op(residuals=("size",))
def conv2d_grad_w(g, x, kernel, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of :func:`conv2d` in its weight, whose (R, S) is ``kernel``."""
    kernel = as_pair("conv2d_grad_w", "kernel", kernel, 1)
    size, filters = np.shape(x), (np.shape(g)[-3] if np.ndim(g) in (3, 4) else 0)
    weight = (filters, size[-3] // groups if len(size) in (3, 4) else 0, *kernel)
    arguments, out = geometry("conv2d_grad_w", size, weight, stride, padding, dilation, groups)
    check_gradient("conv2d_grad_w", np.shape(g), out)
    return kernels.conv2d_grad_w(g, x, kernel, *arguments), size[-2:]


# --- Rules: ⟨g, conv(x, w)⟩ is linear in each of its three, and each op is one of its gradients.


def by_x(g, weight, size, stride, padding, dilation, groups):
    return conv2d_grad_x(g, weight, size, stride, padding, dilation, groups)


def by_weight(g, x, kernel, stride, padding, dilation, groups):
    return conv2d_grad_w(g, x, kernel, stride, padding, dilation, groups)


def by_bias(g):
    return reduction.sum(g, (0, 2, 3) if g.ndim == 4 else (1, 2))


conv2d.grad(x=by_x, weight=by_weight, bias=by_bias)

conv2d_grad_x.grad(
    g=lambda gg, weight, stride, padding, dilation, groups: conv2d(
        gg, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda gg, g, kernel, stride, padding, dilation, groups: conv2d_grad_w(
        g, gg, kernel, stride, padding, dilation, groups
    ),
)

conv2d_grad_w.grad(
    g=lambda gg, x, stride, padding, dilation, groups: conv2d(
        x, gg, None, stride, padding, dilation, groups
    ),
    x=lambda gg, g, size, stride, padding, dilation, groups: conv2d_grad_x(
        g, gg, size, stride, padding, dilation, groups
    ),
)


# --- Lanes of a vmap: they are images more where the filters are the same in all, and else groups
# of channels more.


def into_channels(x):
    """(lanes, N, C, …) as (N, lanes C, …)."""
    x = moveaxis(x, 0, 1)
    return reshape(x, (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def out_of_channels(x, lanes):
    """(N, lanes C, …) as (lanes, N, C, …)."""
    return moveaxis(reshape(x, (x.shape[0], lanes, x.shape[1] // lanes, *x.shape[2:])), 1, 0)


def _conv_lanes(op, args, on, static):
    """Of conv2d and conv2d_grad_x: images, filters, and a bias or a size."""
    (x, weight, third, *how, groups), lanes = args, lanes_of(args, on)
    bias = third if op is conv2d else None
    if rank(x, on[0]) not in (3, 4) or rank(weight, on[1]) != 4 or lanes == 0:
        return NotImplemented
    if bias is not None and rank(bias, on[2]) != 1:
        return NotImplemented
    single = rank(x, on[0]) == 3
    x = expand_dims(x, -4) if single else x
    third = None if op is conv2d else third
    if on[1]:
        x = into_channels(with_lanes(x, on[0], lanes))
        out = out_of_channels(op(x, folded(weight), third, *how, groups * lanes), lanes)
    elif on[0]:
        out = unfolded(op(folded(x), weight, third, *how, groups), lanes)
    else:
        out = op(x, weight, third, *how, groups)
    out = out[..., 0, :, :, :] if single else out
    if bias is None:
        return out
    one = () if single or not on[2] else (1,)
    return out + reshape(bias, (*bias.shape[:-1], *one, bias.shape[-1], 1, 1))


def _conv_grad_w_lanes(op, args, on, static):
    (g, x, kernel, *how, groups), lanes = args, lanes_of(args, on)
    ranks = {rank(a, o) for a, o in zip((g, x), on, strict=False)}
    if not (ranks == {3} or ranks == {4}) or lanes == 0:
        return NotImplemented
    pair = (with_lanes(a, o, lanes) for a, o in zip((g, x), on, strict=False))
    pair = (into_channels(expand_dims(a, -4) if ranks == {3} else a) for a in pair)
    return unfolded(op(*pair, kernel, *how, groups * lanes), lanes)


conv2d.batched(_conv_lanes)
conv2d_grad_x.batched(_conv_lanes)
conv2d_grad_w.batched(_conv_grad_w_lanes)
