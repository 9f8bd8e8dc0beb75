"""Losses that are a negative log-likelihood, or a divergence, of a distribution."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ShapeError
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import square
from ..checks import number
from ..composed import computed, tensor
from ..distances import at_least
from ..elementary import exp, log
from ..logic import greater, where
from ..shape import expand_dims
from ..special import xlogy
from .common import is_known, reduced, tensor_pair

__all__ = [
    "gaussian_nll_loss",
    "kl_div",
    "poisson_nll_loss",
]


@computed
def kl_div(
    input: ArrayLike, target: ArrayLike, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target (log target − input): the divergence of ``target`` from what ``input`` is the log of.

    With ``log_target`` the target is a logarithm too. ``reduction`` "batchmean" divides the sum by
    the size of axis 0, as the divergence is defined; "mean" divides it by all. (Kullback and
    Leibler 1951.)

    >>> import tinytensor as tt
    >>> p = tt.tensor([0.5, 0.5])
    >>> round(tt.kl_div(tt.log(tt.tensor([0.25, 0.75])), p, reduction="sum").item(), 4)
    0.1438
    """
    batchmean = reduction == "batchmean"
    target = tensor_pair("kl_div", input, target, "sum" if batchmean else reduction)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        losses = xlogy(target, target) - target * input
    if batchmean:
        return reduced(losses, "sum") / (input.shape[0] if input.ndim else 1)
    return reduced(losses, reduction)


@computed
def poisson_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Tensor:
    """exp(input) − target · input, of counts ``target`` and the logarithm of their mean.

    Without ``log_input`` it is the mean itself: input − target log(input + eps). ``full`` adds
    Stirling's target log(target) − target + log(2π target) / 2 where target > 1.

    >>> import tinytensor as tt
    >>> tt.poisson_nll_loss(tt.tensor([0.0, 0.0]), tt.tensor([1.0, 3.0]))
    tensor(1.)
    """
    target = tensor_pair("poisson_nll_loss", input, target, reduction)
    eps = number("poisson_nll_loss", "eps", eps, 0)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        many = greater(target, 1)
        n = where(many, target, 1.0)
        losses = losses + where(many, n * log(n) - n + 0.5 * log(2 * math.pi * n), 0.0)
    return reduced(losses, reduction)


def _unlike(shape: tuple[int, ...], other: tuple[int, ...]) -> list[int]:
    return [size for size, another in zip(shape, other, strict=True) if size != another]


@computed
def gaussian_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Tensor:
    """(log var + (input − target)² / var) / 2, of the mean ``input`` and the variance ``var``.

    ``var`` has the shape of input, or without its last axis, or with 1 in one, or is a number. It
    is taken as ``eps`` where it is less, and its gradient is as if it were not. ``full`` adds
    log(2π) / 2. (Nix and Weigend 1994.)

    >>> import tinytensor as tt
    >>> tt.gaussian_nll_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 4.0]), tt.ones(2))
    tensor(1.)
    """
    name = "gaussian_nll_loss"
    target, var = tensor_pair(name, input, target, reduction), tensor(var, input)
    eps = number(name, "eps", eps, 0)
    if var.ndim and var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = expand_dims(var, -1)
        elif var.ndim != input.ndim or _unlike(var.shape, input.shape) != [1]:
            raise ShapeError(f"{name}: var is {var.shape}, which does not fit input {input.shape}")
    if is_known(var) and (np.asarray(var.data) < 0).any():
        raise ValueError(f"{name}: var must not be negative")
    var = at_least(var, eps)
    losses = 0.5 * (log(var) + square(input - target) / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
