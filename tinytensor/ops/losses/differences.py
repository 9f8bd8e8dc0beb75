"""Losses of differences: squared, absolute, and what lies between."""

from __future__ import annotations

from functools import wraps

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..activation import hardtanh
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import sign
from ..checks import number
from ..declared import op
from ..elementary import sigmoid
from ..spelling import with_settings
from .common import checked_pair, pair_lanes, share_of_each

__all__ = [
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


@op
def loss_backward(g, kind, input, target, parameter, reduction):
    """The cotangent of the input, for the losses that the kernels know by ``kind``."""
    return kernels.loss_backward(
        np.asarray(g), kind, input, np.asarray(target), parameter, reduction
    )


_SLOPES = {
    "mse": lambda x, y, p: 2 * (x - y),
    "l1": lambda x, y, p: sign(x - y),
    "smooth_l1": lambda x, y, p: hardtanh((x - y) / p, -1.0, 1.0),
    "huber": lambda x, y, p: hardtanh(x - y, -p, p),
    "logistic": lambda x, y, p: (1 - y) * sigmoid(x) - y * sigmoid(-x),
}


def _loss_backward(g, kind, input, target, parameter, reduction):
    slope = _SLOPES[kind](input, target, parameter)
    return slope * share_of_each(g, slope, reduction)


loss_backward.defined_by(_loss_backward)


def _differentiate(loss, rule):
    """Declare the gradient by the input, and its negative by the target."""

    @wraps(rule)
    def by_target(*args):
        return -rule(*args)

    loss.grad(input=rule, target=by_target)


@op
def mse_loss(input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Tensor:
    """(input − target)², times ``weight`` of their shape if one is given: the mean is by it.

    >>> import tinytensor as tt
    >>> tt.mse_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 4.0]))
    tensor(2.)
    """
    input, target = checked_pair("mse_loss", input, target, reduction)
    return kernels.loss("mse", input, target, 0.0, reduction)


_differentiate(
    mse_loss,
    lambda g, input, target, reduction: loss_backward(g, "mse", input, target, 0.0, reduction),
)


@op
def l1_loss(input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Tensor:
    """|input − target|; the gradient at 0 is 0. Times ``weight`` of their shape if one is given:
    the mean is by it.

    >>> import tinytensor as tt
    >>> tt.l1_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 4.0]))
    tensor(1.)
    """
    input, target = checked_pair("l1_loss", input, target, reduction)
    return kernels.loss("l1", input, target, 0.0, reduction)


_differentiate(
    l1_loss,
    lambda g, input, target, reduction: loss_backward(g, "l1", input, target, 0.0, reduction),
)


@op
def smooth_l1_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    """d² / (2 beta) where d = |input − target| < beta, otherwise d − beta / 2. (Girshick 2015.)

    >>> import tinytensor as tt
    >>> tt.smooth_l1_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.5, 4.0]), reduction="none")
    tensor([0.125, 1.5  ])
    """
    beta = number("smooth_l1_loss", "beta", beta, 0)
    input, target = checked_pair("smooth_l1_loss", input, target, reduction)
    return kernels.loss(_smooth_l1(beta), input, target, beta, reduction)


def _smooth_l1(beta):
    """Without a smooth part it is the other one."""
    return "smooth_l1" if beta else "l1"


_differentiate(
    smooth_l1_loss,
    lambda g, input, target, reduction, beta: loss_backward(
        g, _smooth_l1(beta), input, target, beta, reduction
    ),
)


@op
def huber_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean", delta: float = 1.0
) -> Tensor:
    """d² / 2 where d = |input − target| < delta, otherwise delta (d − delta / 2). (Huber 1964.)
    Times ``weight`` of their shape if one is given: the mean is over all.

    >>> import tinytensor as tt
    >>> tt.huber_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.5, 5.0]), reduction="none", delta=2.0)
    tensor([0.125, 4.   ])
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, but is {delta}")
    input, target = checked_pair("huber_loss", input, target, reduction)
    return kernels.loss("huber", input, target, delta, reduction)


_differentiate(
    huber_loss,
    lambda g, input, target, reduction, delta: loss_backward(
        g, "huber", input, target, delta, reduction
    ),
)


for _op in (mse_loss, l1_loss, smooth_l1_loss, huber_loss):
    _op.batched(pair_lanes)


# --- Weighted ----------------------------------------------------------------------------------


def _weighed(name, losses, weight, reduction):
    """Arrays or tensors: the losses times ``weight``, reduced; the mean of mse_loss and l1_loss is
    over the weights, that of huber_loss over the losses, as PyTorch's."""
    if np.shape(weight) != losses.shape:
        raise ShapeError(f"{name}: weight is {np.shape(weight)}, and the losses are {losses.shape}")
    losses = losses * weight
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if name == "huber_loss" else losses.sum() / weight.sum()


@op
def _weighted_mse(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    weight: ArrayLike | None = None,
) -> Tensor:
    input, target = checked_pair("mse_loss", input, target, reduction)
    losses = kernels.loss("mse", input, target, 0.0, "none")
    return np.asarray(_weighed("mse_loss", losses, np.asarray(weight), reduction))


@op
def _weighted_l1(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    weight: ArrayLike | None = None,
) -> Tensor:
    input, target = checked_pair("l1_loss", input, target, reduction)
    losses = kernels.loss("l1", input, target, 0.0, "none")
    return np.asarray(_weighed("l1_loss", losses, np.asarray(weight), reduction))


@op
def _weighted_huber(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    delta: float = 1.0,
    weight: ArrayLike | None = None,
) -> Tensor:
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, but is {delta}")
    input, target = checked_pair("huber_loss", input, target, reduction)
    losses = kernels.loss("huber", input, target, delta, "none")
    return np.asarray(_weighed("huber_loss", losses, np.asarray(weight), reduction))


def _leave_to_formula(op, args, mapped, static):
    return NotImplemented


for _op, _variant in (
    (mse_loss, _weighted_mse),
    (l1_loss, _weighted_l1),
    (huber_loss, _weighted_huber),
):

    def _formula(input, target, reduction, *rest, loss=_op):
        *settings, weight = rest
        losses = loss(input, target, "none", *settings)
        return _weighed(loss.__name__, losses, weight, reduction)

    _variant.defined_by(_formula)
    _variant.batched(_leave_to_formula)
    with_settings(_op, _variant)
