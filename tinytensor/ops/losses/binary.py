"""Losses of binary classes."""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...engine.core import Variable
from ...errors import ShapeError
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import maximum
from ..checks import floating
from ..declared import op
from ..elementary import log, log1p, logaddexp, sigmoid
from .common import check_reduction, pair_lanes, reduce, share_of_each
from .differences import loss_backward

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]


def _binary(name, input, target, reduction):
    input, target = floating(name, "input", input), floating(name, "target", target)
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input is {input.shape}, but target is {target.shape}")
    return input, target


def _weighted(x, weight):
    if weight is None:
        return x
    return x * weight if isinstance(x, Variable) else kernels.multiply(x, weight)


@op
def binary_cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """−weight (y log p + (1 − y) log(1 − p)) of probabilities p and targets y; a log is at least
    −100.

    >>> import tinytensor as tt
    >>> tt.binary_cross_entropy(tt.tensor([0.5, 0.25]), tt.tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931472, 1.3862944])
    """
    p, y = _binary("binary_cross_entropy", input, target, reduction)
    if (p < 0).any() or (p > 1).any():
        raise ValueError("binary_cross_entropy: input must hold probabilities, from 0 to 1")
    with np.errstate(divide="ignore"):
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
    return reduce(_weighted(-(y * log_p + (1 - y) * log_q), weight), reduction)


def _bce_by_input(g, input, target, weight, reduction):
    slope = (input - target) / maximum(input * (1 - input), 1e-12)
    return _weighted(slope * share_of_each(g, input, reduction), weight)


def _bce_by_target(g, input, target, weight, reduction):
    slope = maximum(log1p(-input), -100.0) - maximum(log(input), -100.0)
    return _weighted(slope * share_of_each(g, input, reduction), weight)


binary_cross_entropy.grad(input=_bce_by_input, target=_bce_by_target)


@op
def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    pos_weight: ArrayLike | None = None,
) -> Tensor:
    """−weight (pos_weight y log p + (1 − y) log(1 − p)) with p = σ(input), stable for any input.

    >>> import tinytensor as tt
    >>> tt.binary_cross_entropy_with_logits(tt.tensor([0.0, 1000.0]), tt.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """
    x, y = _binary("binary_cross_entropy_with_logits", input, target, reduction)
    if weight is None and pos_weight is None:
        return kernels.loss("logistic", x, y, 0.0, reduction)
    least = np.log1p(np.exp(-np.abs(x)))
    minus_log_p, minus_log_q = np.maximum(-x, 0) + least, np.maximum(x, 0) + least
    # a sum of what is not negative: log(1 − p) = log p − x would lose the digits of a small loss
    losses = _weighted(y, pos_weight) * minus_log_p + (1 - y) * minus_log_q
    return reduce(_weighted(losses, weight), reduction)


def _logits_by_input(g, input, target, weight, reduction, pos_weight):
    if weight is None and pos_weight is None:
        return loss_backward(g, "logistic", input, target, 0.0, reduction)
    slope = (1 - target) * sigmoid(input) - _weighted(target, pos_weight) * sigmoid(-input)
    return _weighted(slope * share_of_each(g, input, reduction), weight)


def _logits_by_target(g, input, target, weight, reduction, pos_weight):
    slope = -input
    if pos_weight is not None:
        minus_log_p = logaddexp(-input, 0.0)
        slope = slope + (_weighted(minus_log_p, pos_weight) - minus_log_p)
    return _weighted(slope * share_of_each(g, input, reduction), weight)


binary_cross_entropy_with_logits.grad(input=_logits_by_input, target=_logits_by_target)


for _op in (binary_cross_entropy, binary_cross_entropy_with_logits):
    _op.batched(pair_lanes)
