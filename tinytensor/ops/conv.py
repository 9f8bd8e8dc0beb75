"""Convolution of images, and its two gradients: three bilinear ops, each the others' derivative."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .. import kernels
from ..errors import ShapeError
from . import reduction
from .annotations import ArrayLike, Sizes, Tensor
from .batching import folded, lanes_of, rank, unfolded, with_lanes
from .checks import sizes
from .declared import op
from .shape import expand_dims, moveaxis, pad_constant, reshape
from .windows import convolution, transposed

__all__ = ["conv2d", "conv_transpose2d"]


# --- Arguments -------------------------------------------------------------------------------


def check_gradient(name: str, g: tuple[int, ...], out: tuple[int, ...]) -> None:
    if g != out:
        raise ShapeError(f"{name}: g is {g}, but the output of such a convolution is {out}")


# --- Ops -------------------------------------------------------------------------------------


@op(residuals=("size", "kernel"))
def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
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
    arguments, _ = convolution("conv2d", 2, size, shape, stride, padding, dilation, groups)
    if bias is not None and np.shape(bias) != shape[:1]:
        raise ShapeError(
            f"conv2d: needs bias (K,) for weight (K, …): bias is {np.shape(bias)},"
            f" weight is {shape}"
        )
    return kernels.conv2d(x, weight, bias, *arguments), size[-2:], shape[2:]


@op(residuals=("kernel",))
def conv2d_grad_x(g, weight, size, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of :func:`conv2d` in x, whose (H, W) is ``size``; g has the output's shape."""
    size, shape = sizes("conv2d_grad_x", "size", size, 2, 0), np.shape(weight)
    x = (*np.shape(g)[:-3], shape[1] * groups if len(shape) == 4 else 0, *size)
    arguments, out = convolution("conv2d_grad_x", 2, x, shape, stride, padding, dilation, groups)
    check_gradient("conv2d_grad_x", np.shape(g), out)
    return kernels.conv2d_grad_x(g, weight, size, *arguments), shape[2:]


@op(residuals=("size",))
def conv2d_grad_w(g, x, kernel, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of :func:`conv2d` in its weight, whose (R, S) is ``kernel``."""
    kernel = sizes("conv2d_grad_w", "kernel", kernel, 2, 1)
    size, filters = np.shape(x), (np.shape(g)[-3] if np.ndim(g) in (3, 4) else 0)
    weight = (filters, size[-3] // groups if len(size) in (3, 4) else 0, *kernel)
    arguments, out = convolution(
        "conv2d_grad_w", 2, size, weight, stride, padding, dilation, groups
    )
    check_gradient("conv2d_grad_w", np.shape(g), out)
    return kernels.conv2d_grad_w(g, x, kernel, *arguments), size[-2:]


def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of a convolution: input (N, C, H, W) or (C, H, W) is spread by filters.

    out[n, k, y·stride + r·dilation − padding, …] += input[n, c, y, …] weight[c, k, r, s]

    weight is (C, K / groups, R, S), bias (K,) is added, the output is (N, K, H', W') with
    ``H' = (H − 1) stride − 2 padding + dilation (R − 1) + output_padding + 1``: the sizes that a
    convolution with these arguments takes to H; ``output_padding``, less than the stride, chooses
    among them. (Where it is less than the dilation alone, it adds zeros.) It is
    :func:`conv2d_grad_x`, with its gradients. (PyTorch's ``conv_transpose2d``.)

    >>> import tinytensor as tt
    >>> tt.conv_transpose2d(tt.ones((1, 3, 4, 4)), tt.ones((3, 8, 2, 2)), stride=2).shape
    (1, 8, 8, 8)
    """
    name, shape = "conv_transpose2d", np.shape(weight)
    size = transposed(
        name, 2, np.shape(input), shape, stride, padding, output_padding, dilation, groups
    )
    around, steps, more = (
        sizes(name, what, value, 2, least)
        for what, value, least in (
            ("padding", padding, 0),
            ("stride", stride, 1),
            ("output_padding", output_padding, 0),
        )
    )
    if any(m >= s for m, s in zip(more, steps, strict=True)):  # of no convolution's size: cut out
        reached = tuple(n + 2 * p - m for n, p, m in zip(size, around, more, strict=True))
        out = conv2d_grad_x(input, weight, reached, stride, 0, dilation, groups)
        behind = tuple((0, max(m - p, 0)) for m, p in zip(more, around, strict=True))
        out = pad_constant(out, ((0, 0),) * (out.ndim - 2) + behind, 0)
        (top, left), (height, width) = around, size
        out = out[..., top : top + height, left : left + width]
    else:
        out = conv2d_grad_x(input, weight, size, stride, padding, dilation, groups)
    if bias is None:
        return out
    if np.shape(bias) != (shape[1] * groups,):
        raise ShapeError(
            f"{name}: needs bias (K,) for weight (C, K / groups, …): bias is {np.shape(bias)},"
            f" weight is {shape}"
        )
    return out + reshape(bias, (-1, 1, 1))


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


# --- Lanes of a vmap: shared filters fold lanes into images; filters per lane fold lanes into
# channel groups.


def into_channels(x):
    """(lanes, N, C, …) as (N, lanes C, …)."""
    x = moveaxis(x, 0, 1)
    return reshape(x, (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def out_of_channels(x, lanes):
    """(N, lanes C, …) as (lanes, N, C, …)."""
    return moveaxis(reshape(x, (x.shape[0], lanes, x.shape[1] // lanes, *x.shape[2:])), 1, 0)


def _conv_lanes(op, args, mapped, static):
    """Of conv2d and conv2d_grad_x: images, filters, and a bias or a size."""
    (x, weight, third, *how, groups), lanes = args, lanes_of(args, mapped)
    bias = third if op is conv2d else None
    if rank(x, mapped[0]) not in (3, 4) or rank(weight, mapped[1]) != 4 or lanes == 0:
        return NotImplemented
    if bias is not None and rank(bias, mapped[2]) != 1:
        return NotImplemented
    single = rank(x, mapped[0]) == 3
    x = expand_dims(x, -4) if single else x
    third = None if op is conv2d else third
    if mapped[1]:
        x = into_channels(with_lanes(x, mapped[0], lanes))
        out = out_of_channels(op(x, folded(weight), third, *how, groups * lanes), lanes)
    elif mapped[0]:
        out = unfolded(op(folded(x), weight, third, *how, groups), lanes)
    else:
        out = op(x, weight, third, *how, groups)
    out = out[..., 0, :, :, :] if single else out
    if bias is None:
        return out
    one = () if single or not mapped[2] else (1,)
    return out + reshape(bias, (*bias.shape[:-1], *one, bias.shape[-1], 1, 1))


def _conv_grad_w_lanes(op, args, mapped, static):
    (g, x, kernel, *how, groups), lanes = args, lanes_of(args, mapped)
    ranks = {rank(a, o) for a, o in zip((g, x), mapped, strict=False)}
    if not (ranks == {3} or ranks == {4}) or lanes == 0:
        return NotImplemented
    pair = (with_lanes(a, o, lanes) for a, o in zip((g, x), mapped, strict=False))
    pair = (into_channels(expand_dims(a, -4) if ranks == {3} else a) for a in pair)
    return unfolded(op(*pair, kernel, *how, groups * lanes), lanes)


conv2d.batched(_conv_lanes)
conv2d_grad_x.batched(_conv_lanes)
conv2d_grad_w.batched(_conv_grad_w_lanes)
