"""Layer norm, RMS norm, group norm and batch norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import kernels
from ..errors import ShapeError, VmapError
from . import reduction
from .annotations import ArrayLike, Tensor
from .arithmetic import add, multiply, square
from .batching import folded, lanes_of, padded, rank, unfolded, with_lanes
from .checks import floating, number, parameter, real_floats, sizes
from .declared import op
from .elementary import rsqrt
from .shape import expand_dims, moveaxis, reshape

__all__ = [
    "batch_norm",
    "group_norm",
    "layer_norm",
    "rms_norm",
]


def _normalised(x, axes, eps, rstd, centred=True):
    """(x − mean) / √(var + eps) over the axes, and the factor, as ops; rstd is the factor's value.
    Without ``centred`` the mean is taken as 0."""
    power = reduction.powers_near(rstd)
    x = x * power
    if centred:
        x = x - reduction.mean(x, axes, keepdims=True)
    factor = rsqrt(reduction.mean(square(x), axes, keepdims=True) + eps * power * power)
    return x * factor, factor * power


# --- Layer norm ------------------------------------------------------------------------------


@op(residuals=("mean", "rstd"))
def layer_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias over the last axes, those of ``normalized_shape``.

    The variance is the biased one; weight and bias have the shape ``normalized_shape``. (Ba, Kiros
    and Hinton 2016.)

    >>> import tinytensor as tt
    >>> tt.layer_norm(tt.tensor([[1.0, 3.0], [5.0, 5.0]]), 2, eps=0.0625).round()
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """
    x = floating("layer_norm", "x", x)
    shape = _trailing("layer_norm", x, normalized_shape)
    weight = parameter("layer_norm", "weight", weight, shape)
    bias = parameter("layer_norm", "bias", bias, shape)
    return kernels.layer_norm(x, weight, bias, number("layer_norm", "eps", eps, 0), len(shape))


def _layer_norm_lanes(op, args, mapped, static):
    x, normalized_shape, *parameters, eps = args
    ndim = len(trailing_shape(normalized_shape))
    ranks = {rank(p, o) for p, o in zip(parameters, mapped[2:], strict=False) if p is not None}
    if rank(x, mapped[0]) < ndim or ranks - {ndim}:
        return NotImplemented
    if not any(mapped[1:]):
        return op(*args)
    out = op(x, normalized_shape, *[None] * len(parameters), eps)
    for p, has_lanes, change in zip(parameters, mapped[2:], (multiply, add), strict=False):
        out = out if p is None else change(out, padded(p, has_lanes, rank(x, mapped[0])))
    return out


def trailing_shape(normalized_shape):
    """A size alone is the shape of one axis."""
    if isinstance(normalized_shape, int | np.integer):
        return (int(normalized_shape),)
    return tuple(normalized_shape)


def _trailing(name, x, normalized_shape):
    """The shape, with which that of x must end."""
    shape = trailing_shape(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"{name}: x must end with normalized_shape, but x is {x.shape} and"
            f" normalized_shape {shape}"
        )
    return shape


@op(outputs=3)
def layer_norm_backward(g, x, weight, mean, rstd, ndim, eps):
    """The cotangents of x, weight and bias, from the forward's mean and 1 / √(var + eps)."""
    return kernels.layer_norm_backward(g, x, weight, mean, rstd, ndim)


def _layer_norm_backward(g, x, weight, mean, rstd, ndim, eps):
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat, factor = _normalised(x, axes, eps, rstd)
    gx = g if weight is None else g * weight
    centred = gx - reduction.mean(gx, axes, keepdims=True)
    dx = factor * (centred - xhat * reduction.mean(gx * xhat, axes, keepdims=True))
    return dx, reduction.sum(g * xhat, lead), reduction.sum(g, lead)


layer_norm_backward.defined_by(_layer_norm_backward)
layer_norm.batched(_layer_norm_lanes).grad_all(
    ("x", "weight", "bias"),
    lambda g, x, normalized_shape, weight, mean, rstd, eps: layer_norm_backward(
        g, x, weight, mean, rstd, len(trailing_shape(normalized_shape)), eps
    ),
)


# --- RMS norm --------------------------------------------------------------------------------


@op(residuals=("rstd",))
def rms_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axes, those of ``normalized_shape``.

    weight has the shape ``normalized_shape``; eps is that of the dtype if None. (Zhang and
    Sennrich 2019.)

    >>> import tinytensor as tt
    >>> tt.rms_norm(tt.tensor([3.0, 4.0, 0.0, 0.0]), 4)
    tensor([1.2, 1.6, 0. , 0. ])
    """
    x = floating("rms_norm", "x", x)
    shape = _trailing("rms_norm", x, normalized_shape)
    weight = parameter("rms_norm", "weight", weight, shape)
    return kernels.rms_norm(x, weight, _eps(eps, x), len(shape))


def _eps(eps, x):
    return float(np.finfo(x.dtype).eps) if eps is None else number("rms_norm", "eps", eps, 0)


@op(outputs=2)
def rms_norm_backward(g, x, weight, rstd, ndim, eps):
    """The cotangents of x and weight, from the forward's 1 / √(mean(x²) + eps)."""
    return kernels.rms_norm_backward(g, x, weight, rstd, ndim)


def _rms_norm_backward(g, x, weight, rstd, ndim, eps):
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat, factor = _normalised(x, axes, _eps(eps, x), rstd, centred=False)
    gx = g if weight is None else g * weight
    dx = factor * (gx - xhat * reduction.mean(gx * xhat, axes, keepdims=True))
    return dx, reduction.sum(g * xhat, lead)


rms_norm_backward.defined_by(_rms_norm_backward)
rms_norm.batched(_layer_norm_lanes).grad_all(
    ("x", "weight"),
    lambda g, x, normalized_shape, weight, rstd, eps: rms_norm_backward(
        g, x, weight, rstd, len(trailing_shape(normalized_shape)), eps
    ),
)


# --- Group norm ------------------------------------------------------------------------------


@op(residuals=("mean", "rstd"))
def group_norm(
    x: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias over each of ``num_groups`` groups of channels of x
    (N, C, …), and all of their elements; weight and bias are (C,). (Wu and He 2018.)

    >>> import tinytensor as tt
    >>> x = tt.tensor([[[1.0], [3.0], [5.0], [5.0]]])
    >>> tt.group_norm(x, 2, eps=0.0625).round().flatten()
    tensor([-1.,  1.,  0.,  0.])
    """
    real_floats("group_norm", "x", x)
    x = floating("group_norm", "x", x)
    (groups,) = sizes("group_norm", "num_groups", num_groups, 1, 1)
    if x.ndim < 2 or x.shape[1] % groups:
        raise ShapeError(f"group_norm: no (N, C, …) with C in {groups} groups: x is {x.shape}")
    weight = parameter("group_norm", "weight", weight, x.shape[1:2])
    bias = parameter("group_norm", "bias", bias, x.shape[1:2])
    return kernels.group_norm(x, groups, weight, bias, number("group_norm", "eps", eps, 0))


@op(outputs=3)
def group_norm_backward(g, x, weight, mean, rstd, groups, eps):
    """The cotangents of x, weight and bias, from the forward's mean and 1 / √(var + eps)."""
    return kernels.group_norm_backward(g, x, weight, mean, rstd, int(groups))


def _group_norm_backward(g, x, weight, mean, rstd, groups, eps):
    axes, channels = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    rows = (x.shape[0], int(groups), math.prod(x.shape[1:]) // int(groups))
    xhat, factor = _normalised(reshape(x, rows), 2, eps, expand_dims(rstd, -1))
    h = reshape(g if weight is None else g * reshape(weight, channels), rows)
    centred = h - reduction.mean(h, 2, keepdims=True)
    dx = factor * (centred - xhat * reduction.mean(h * xhat, 2, keepdims=True))
    dweight = reduction.sum(g * reshape(xhat, x.shape), axes)
    return reshape(dx, x.shape), dweight, reduction.sum(g, axes)


def _group_norm_lanes(op, args, mapped, static):
    """Lanes are images more; parameters of the lanes' own come after."""
    x, groups, *parameters, eps = args
    lanes = lanes_of(args, mapped)
    ranks = {rank(p, o) for p, o in zip(parameters, mapped[2:], strict=False) if p is not None}
    if rank(x, mapped[0]) < 2 or ranks - {1} or lanes == 0:
        return NotImplemented
    x, one = folded(with_lanes(x, mapped[0], lanes)), (1,) * (rank(x, mapped[0]) - 2)
    if not any(mapped[1:]):
        return unfolded(op(x, groups, *parameters, eps), lanes)
    out = unfolded(op(x, groups, None, None, eps), lanes)
    for p, has_lanes, change in zip(parameters, mapped[2:], (multiply, add), strict=False):
        if p is not None:
            lead = (p.shape[0], 1) if has_lanes else (1,)
            out = change(out, reshape(p, (*lead, p.shape[-1], *one)))
    return out


group_norm_backward.defined_by(_group_norm_backward)
group_norm.batched(_group_norm_lanes).grad_all(
    ("x", "weight", "bias"),
    lambda g, x, num_groups, weight, mean, rstd, eps: group_norm_backward(
        g, x, weight, mean, rstd, num_groups, eps
    ),
)


# --- Batch norm ------------------------------------------------------------------------------


@op(residuals=("mean", "rstd"))
def batch_norm(
    x: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias for each channel of x (N, C, …).

    In training mean and (biased) variance are those of the batch; the running ones, where given,
    are moved towards them (the variance unbiased) in place: running += momentum (batch − running).
    Outside training the running ones are taken. A batch without elements moves nothing. All
    parameters are (C,). (Ioffe and Szegedy 2015.)
    """
    x = floating("batch_norm", "x", x)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: x must be (N, C, …), but is {x.shape}")
    channels = x.shape[1:2]
    running_mean, running_var, weight, bias = (
        parameter("batch_norm", name, value, channels)
        for name, value in (
            ("running_mean", running_mean),
            ("running_var", running_var),
            ("weight", weight),
            ("bias", bias),
        )
    )
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: outside training it needs running_mean and running_var")
    if training and 0 < x.size <= x.shape[1]:
        raise ShapeError(
            f"batch_norm: training needs more than one value for each channel, but x is {x.shape}"
        )
    momentum = number("batch_norm", "momentum", momentum, 0, 1)
    eps = number("batch_norm", "eps", eps, 0)
    if training and not x.size:
        return x.copy(), np.zeros(channels, x.dtype), np.ones(channels, x.dtype)
    return kernels.batch_norm(
        x, running_mean, running_var, weight, bias, bool(training), momentum, eps
    )


@op(outputs=3)
def batch_norm_backward(g, x, weight, mean, rstd, training, eps):
    """The cotangents of x, weight and bias, from the mean and 1 / √(var + eps) that were used."""
    if not np.size(x):
        return np.empty_like(x), np.zeros_like(mean), np.zeros_like(mean)
    return kernels.batch_norm_backward(g, x, weight, mean, rstd, training)


def _batch_norm_backward(g, x, weight, mean, rstd, training, eps):
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    if training and x.size:
        xhat, factor = _normalised(x, axes, eps, reshape(rstd, channels))
        centred = g - reduction.mean(g, axes, keepdims=True)
        dx = centred - xhat * reduction.mean(g * xhat, axes, keepdims=True)
    else:
        factor = rstd.reshape(channels)
        xhat, dx = (x - mean.reshape(channels)) * factor, g
    if weight is not None:
        factor = factor * reshape(weight, channels)
    return dx * factor, reduction.sum(g * xhat, axes), reduction.sum(g, axes)


batch_norm.overwrites = ("running_mean", "running_var")
batch_norm_backward.defined_by(_batch_norm_backward)


def _batch_norm_lanes(op, args, mapped, static):
    """Shared parameters and given statistics: fold lanes into images; otherwise into channels."""
    x, *parameters, training, momentum, eps = args
    if training and (args[1] is not None or args[2] is not None):
        raise VmapError(
            "batch_norm: in training under vmap, the lanes cannot all move the running statistics:"
            " use eval(), or a layer with track_running_stats=False"
        )
    if rank(x, mapped[0]) < 2 or any(
        p is not None and rank(p, o) != 1 for p, o in zip(parameters, mapped[1:5], strict=True)
    ):
        return NotImplemented
    lanes = lanes_of(args, mapped)
    if not training and not any(mapped[1:]):
        return unfolded(op(folded(x), *args[1:]), lanes)
    x = moveaxis(with_lanes(x, mapped[0], lanes), 0, 1)
    parameters = [
        None if p is None else reshape(with_lanes(p, o, lanes), (-1,))
        for p, o in zip(parameters, mapped[1:5], strict=True)
    ]
    channels = (x.shape[0], lanes * x.shape[2], *x.shape[3:])
    out = op(reshape(x, channels), *parameters, training, momentum, eps)
    return moveaxis(reshape(out, x.shape), 1, 0)


batch_norm.batched(_batch_norm_lanes).grad_all(
    ("x", "weight", "bias"),
    lambda g, x, weight, mean, rstd, training, eps: batch_norm_backward(
        g, x, weight, mean, rstd, bool(training), eps
    ),
)
