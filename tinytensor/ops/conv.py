"""Convolution along one, two and three axes, and its two gradients: for each number of axes three
bilinear ops, each the others' derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from .. import kernels
from ..errors import ShapeError
from . import reduction
from .annotations import ArrayLike, Sizes, Tensor
from .batching import folded, lanes_of, rank, unfolded, with_lanes
from .checks import sizes
from .composed import computed, tensor
from .declared import op
from .shape import expand_dims, moveaxis, pad_constant, reshape, squeeze
from .windows import convolution, transposed

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]


# --- Convolution -----------------------------------------------------------------------------


def _forward(name, axes, x, weight, bias, *how):
    size, shape = getattr(x, "shape", ()), getattr(weight, "shape", ())
    arguments, _ = convolution(name, axes, size, shape, *how)
    _check_bias(name, bias, shape[:1], "(K, …)", shape)
    return kernels.convolve(x, weight, bias, *arguments), size[-axes:], shape[2:]


def _check_bias(name, bias, shape, layout, weight):
    if bias is not None and np.shape(bias) != shape:
        raise ShapeError(
            f"{name}: needs bias (K,) for weight {layout}: bias is {np.shape(bias)},"
            f" weight is {weight}"
        )


@op(residuals=("size", "kernel"))
def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters along lines: :func:`conv2d` of x (N, C, L) or (C, L), and weight
    (K, C / groups, R).

    >>> import tinytensor as tt
    >>> tt.conv1d(tt.tensor([[1.0, 2.0, 4.0]]), tt.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    return _forward("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


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
    only the channels of its own group. Gradients: the transposed convolution, a convolution
    of x by g, and the sum over images and pixels for the bias. (Layout of PyTorch's ``conv2d``.)

    In float32, a 3×3 convolution of stride 1 whose shapes are large enough, and its gradients, are
    taken by Winograd's method F(4×4, 3×3) (Lavin & Gray 2015): their errors are within 10⁻⁶ of the
    largest Σ |x| |weight|. An inf or NaN reaches the outputs that see it, and no others.

    >>> import tinytensor as tt
    >>> tt.conv2d(tt.ones((2, 3, 8, 8)), tt.ones((4, 3, 5, 5)), stride=2, padding=2).shape
    (2, 4, 4, 4)
    """
    return _forward("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


@op(residuals=("size", "kernel"))
def conv3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters through volumes: :func:`conv2d` of x (N, C, D, H, W) or (C, D, H, W), weight
    (K, C / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.conv3d(tt.ones(1, 2, 4, 4, 4), tt.ones(3, 2, 3, 3, 3), padding=1).shape
    (1, 3, 4, 4, 4)
    """
    return _forward("conv3d", 3, x, weight, bias, stride, padding, dilation, groups)


# --- Its gradients, and the rules: ⟨g, conv(x, w)⟩ is linear in each of its three, and each op is
# one of its gradients.


def _gradients(conv: Any, axes: int) -> tuple[Any, Any]:
    """The gradients of ``conv`` in x, whose space is ``size``, and in its weight, whose is
    ``kernel``; g has the output's shape."""

    def declared(residual: str, forward: Callable[..., Any]) -> Any:
        of = forward.__name__.removeprefix("grad_").replace("w", "its weight")
        forward.__doc__ = f"The gradient of :func:`{conv.__name__}` in {of}, for a cotangent g."
        forward.__name__ = f"{conv.__name__}_{forward.__name__}"
        return op(residuals=(residual,))(forward)

    def check(name, g, out):
        if np.shape(g) != out:
            raise ShapeError(
                f"{name}: g is {np.shape(g)}, but the output of such a convolution is {out}"
            )

    def grad_x(g, weight, size, stride=1, padding=0, dilation=1, groups=1):
        name, shape = by_x.__name__, np.shape(weight)
        size = sizes(name, "size", size, axes, 0)
        channels = shape[1] * groups if len(shape) == axes + 2 else 0
        x = (*np.shape(g)[: -axes - 1], channels, *size)
        arguments, out = convolution(name, axes, x, shape, stride, padding, dilation, groups)
        check(name, g, out)
        return kernels.convolve_grad_x(g, weight, size, *arguments), shape[2:]

    def grad_w(g, x, kernel, stride=1, padding=0, dilation=1, groups=1):
        name, size, shape = by_weight.__name__, np.shape(x), np.shape(g)
        kernel = sizes(name, "kernel", kernel, axes, 1)
        filters = shape[-axes - 1] if len(shape) in (axes + 1, axes + 2) else 0
        channels = size[-axes - 1] // groups if len(size) in (axes + 1, axes + 2) else 0
        weight = (filters, channels, *kernel)
        arguments, out = convolution(name, axes, size, weight, stride, padding, dilation, groups)
        check(name, g, out)
        return kernels.convolve_grad_w(g, x, kernel, *arguments), size[-axes:]

    by_x, by_weight = declared("kernel", grad_x), declared("size", grad_w)

    conv.grad(
        x=lambda g, weight, size, stride, padding, dilation, groups: by_x(
            g, weight, size, stride, padding, dilation, groups
        ),
        weight=lambda g, x, kernel, stride, padding, dilation, groups: by_weight(
            g, x, kernel, stride, padding, dilation, groups
        ),
        bias=lambda g: reduction.sum(g, tuple(i for i in range(g.ndim) if i != g.ndim - axes - 1)),
    )
    by_x.grad(
        g=lambda gg, weight, stride, padding, dilation, groups: conv(
            gg, weight, None, stride, padding, dilation, groups
        ),
        weight=lambda gg, g, kernel, stride, padding, dilation, groups: by_weight(
            g, gg, kernel, stride, padding, dilation, groups
        ),
    )
    by_weight.grad(
        g=lambda gg, x, stride, padding, dilation, groups: conv(
            x, gg, None, stride, padding, dilation, groups
        ),
        x=lambda gg, g, size, stride, padding, dilation, groups: by_x(
            g, gg, size, stride, padding, dilation, groups
        ),
    )
    return by_x, by_weight


conv1d_grad_x, conv1d_grad_w = _gradients(conv1d, 1)
conv2d_grad_x, conv2d_grad_w = _gradients(conv2d, 2)
conv3d_grad_x, conv3d_grad_w = _gradients(conv3d, 3)


# --- The transpose ---------------------------------------------------------------------------


@computed
def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of :func:`conv1d`: x (N, C, L) or (C, L), weight (C, K / groups, R).

    >>> import tinytensor as tt
    >>> tt.conv_transpose1d(tt.tensor([[1.0, 2.0]]), tt.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])
    """
    how = (stride, padding, output_padding, dilation, groups)
    return _transpose("conv_transpose1d", conv1d_grad_x, x, tensor(weight), bias, *how)


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
    among them. (Where it is less than the dilation alone, it adds zeros.) It is the
    gradient of :func:`conv2d` in x, with its gradients. (PyTorch's ``conv_transpose2d``.)

    >>> import tinytensor as tt
    >>> tt.conv_transpose2d(tt.ones((1, 3, 4, 4)), tt.ones((3, 8, 2, 2)), stride=2).shape
    (1, 8, 8, 8)
    """
    how = (stride, padding, output_padding, dilation, groups)
    return _transpose("conv_transpose2d", conv2d_grad_x, input, weight, bias, *how)


@computed
def conv_transpose3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The transpose of :func:`conv3d`: x (N, C, D, H, W) or (C, D, H, W), weight
    (C, K / groups, Q, R, S).

    >>> import tinytensor as tt
    >>> tt.conv_transpose3d(tt.ones(1, 3, 2, 2, 2), tt.ones(3, 4, 2, 2, 2), stride=2).shape
    (1, 4, 4, 4, 4)
    """
    how = (stride, padding, output_padding, dilation, groups)
    return _transpose("conv_transpose3d", conv3d_grad_x, x, tensor(weight), bias, *how)


def _transpose(name, grad_x, x, weight, bias, stride, padding, output_padding, dilation, groups):
    shape, axes = np.shape(weight), int(name[-2])
    given = (stride, padding, output_padding, dilation, groups)
    size = transposed(name, axes, np.shape(x), shape, *given)
    _check_bias(name, bias, (shape[1] * groups,), "(C, K / groups, …)", shape)
    around, steps, more = (
        sizes(name, what, value, axes, least)
        for what, value, least in (
            ("padding", padding, 0),
            ("stride", stride, 1),
            ("output_padding", output_padding, 0),
        )
    )
    if any(m >= s for m, s in zip(more, steps, strict=True)):  # of no convolution's size: cut out
        reached = tuple(n + 2 * p - m for n, p, m in zip(size, around, more, strict=True))
        out = grad_x(x, weight, reached, stride, 0, dilation, groups)
        behind = tuple((0, max(m - p, 0)) for m, p in zip(more, around, strict=True))
        out = pad_constant(out, ((0, 0),) * (out.ndim - axes) + behind, 0)
        out = out[(..., *(slice(p, p + n) for p, n in zip(around, size, strict=True)))]
    else:
        out = grad_x(x, weight, size, stride, padding, dilation, groups)
    return out if bias is None else out + reshape(bias, (-1, *(1,) * axes))


# --- Lanes of a vmap: shared filters fold lanes into images; filters per lane fold lanes into
# channel groups.


def into_channels(x):
    """(lanes, N, C, …) as (N, lanes C, …)."""
    x = moveaxis(x, 0, 1)
    return reshape(x, (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def out_of_channels(x, lanes):
    """(N, lanes C, …) as (lanes, N, C, …)."""
    return moveaxis(reshape(x, (x.shape[0], lanes, x.shape[1] // lanes, *x.shape[2:])), 1, 0)


def _conv_lanes(axes, convolves, op, args, mapped, static):
    """Of a convolution or its gradient in x: images, filters, and a bias or a size."""
    (x, weight, third, *how, groups), lanes = args, lanes_of(args, mapped)
    bias = third if convolves else None
    if rank(x, mapped[0]) not in (axes + 1, axes + 2) or rank(weight, mapped[1]) != axes + 2:
        return NotImplemented
    if lanes == 0:
        return NotImplemented
    if bias is not None and rank(bias, mapped[2]) != 1:
        return NotImplemented
    single = rank(x, mapped[0]) == axes + 1
    x = expand_dims(x, -axes - 2) if single else x
    third = None if convolves else third
    if mapped[1]:
        x = into_channels(with_lanes(x, mapped[0], lanes))
        out = out_of_channels(op(x, folded(weight), third, *how, groups * lanes), lanes)
    elif mapped[0]:
        out = unfolded(op(folded(x), weight, third, *how, groups), lanes)
    else:
        out = op(x, weight, third, *how, groups)
    out = squeeze(out, -axes - 2) if single else out
    if bias is None:
        return out
    one = () if single or not mapped[2] else (1,)
    return out + reshape(bias, (*bias.shape[:-1], *one, bias.shape[-1], *(1,) * axes))


def _conv_grad_w_lanes(axes, op, args, mapped, static):
    (g, x, kernel, *how, groups), lanes = args, lanes_of(args, mapped)
    ranks = {rank(a, o) for a, o in zip((g, x), mapped, strict=False)}
    if not (ranks == {axes + 1} or ranks == {axes + 2}) or lanes == 0:
        return NotImplemented
    pair = (with_lanes(a, o, lanes) for a, o in zip((g, x), mapped, strict=False))
    pair = (into_channels(expand_dims(a, -axes - 2) if ranks == {axes + 1} else a) for a in pair)
    return unfolded(op(*pair, kernel, *how, groups * lanes), lanes)


for _axes, (_conv, *_both) in enumerate(
    (
        (conv1d, conv1d_grad_x, conv1d_grad_w),
        (conv2d, conv2d_grad_x, conv2d_grad_w),
        (conv3d, conv3d_grad_x, conv3d_grad_w),
    ),
    1,
):
    _conv.batched(partial(_conv_lanes, _axes, True))
    _both[0].batched(partial(_conv_lanes, _axes, False))
    _both[1].batched(partial(_conv_grad_w_lanes, _axes))
