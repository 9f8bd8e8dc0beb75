"""Losses that ask for a margin: between classes, between pairs, between distances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import DtypeError, ShapeError
from .. import reduction as reductions
from ..activation import logsigmoid, relu
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import clip, minimum
from ..checks import number, real_floats
from ..composed import computed, tensor
from ..distances import cosine_of, pairwise_distance
from ..elementary import logaddexp
from ..indexing import take, take_along_axis
from ..logic import equal, greater_equal, logical_and, logical_not, not_equal, where
from ..reduction import cumprod
from ..shape import astype, expand_dims, reshape
from .common import check_reduction, is_known, reduced, tensor_pair

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _above_zero(x: Any) -> Any:
    """max(x, 0), at 0 with the gradient of x."""
    return clip(x, 0.0, None)


# --- Two classes, 1 and −1 -------------------------------------------------------------------


@computed
def soft_margin_loss(input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean") -> Tensor:
    """log(1 + exp(−target · input)) of targets 1 and −1.

    >>> import tinytensor as tt
    >>> tt.soft_margin_loss(tt.tensor([1000.0, 1000.0]), tt.tensor([1.0, -1.0]))
    tensor(500.)
    """
    target = tensor_pair("soft_margin_loss", input, target, reduction)
    return reduced(logaddexp(-target * input, 0.0), reduction)


@computed
def hinge_embedding_loss(
    input: ArrayLike, target: ArrayLike, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """The distance ``input`` where target is 1, max(0, margin − input) where it is −1. (Hadsell,
    Chopra and LeCun 2006.)

    >>> import tinytensor as tt
    >>> tt.hinge_embedding_loss(tt.tensor([0.5, 0.25]), tt.tensor([1.0, -1.0]), reduction="none")
    tensor([0.5 , 0.75])
    """
    target = tensor_pair("hinge_embedding_loss", input, target, reduction)
    margin = number("hinge_embedding_loss", "margin", margin)
    apart = where(equal(target, 1), 0.0, _above_zero(margin - input))
    return reduced(apart + where(equal(target, -1), 0.0, input), reduction)


@computed
def margin_ranking_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """max(0, margin − target (input1 − input2)): target 1 ranks the first higher, −1 the second.

    >>> import tinytensor as tt
    >>> tt.margin_ranking_loss(tt.tensor([3.0]), tt.tensor([1.0]), tt.tensor([-1.0]))
    tensor(2.)
    """
    input2 = tensor_pair("margin_ranking_loss", input1, input2, reduction)
    margin, target = number("margin_ranking_loss", "margin", margin), tensor(target, input1)
    if target.ndim != input1.ndim:
        raise ShapeError(f"margin_ranking_loss: target is {target.shape} for {input1.shape}")
    return reduced(_above_zero(margin - target * (input1 - input2)), reduction)


@computed
def cosine_embedding_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """1 − cos(input1, input2) where target is 1, max(0, cos − margin) where it is −1.

    The vectors are the rows of (N, D), or one each of (D,); target is (N,), or one number.

    >>> import tinytensor as tt
    >>> a, b = tt.tensor([[1.0, 0.0], [1.0, 0.0]]), tt.tensor([[0.0, 1.0], [2.0, 0.0]])
    >>> tt.cosine_embedding_loss(a, b, tt.tensor([1, -1]), reduction="none")
    tensor([1., 1.])
    """
    name = "cosine_embedding_loss"
    input2, target = tensor_pair(name, input1, input2, reduction), tensor(target, input1)
    margin = number(name, "margin", margin)
    if input1.ndim not in (1, 2) or target.shape not in (input1.shape[:-1], (1,)):
        raise ShapeError(
            f"{name}: needs (N, D) or (D,) with target (N,) or (): input1 is {input1.shape},"
            f" input2 {input2.shape}, target {target.shape}"
        )
    cosine = cosine_of(input1, input2)
    apart = where(equal(target, -1), _above_zero(cosine - margin), 0.0)
    return reduced(where(equal(target, 1), 1.0 - cosine, 0.0) + apart, reduction)


# --- Many classes ----------------------------------------------------------------------------


def _classes(name: str, input: Any, target: Any, per_class: bool) -> Any:
    """The scores and the classes, checked: one of input (N, C) or (C,), or a row of them. A number
    alone is the score of one class."""
    real_floats(name, "input", input)
    target = tensor(target)
    if not input.ndim:
        input = reshape(input, (1,))
        target = reshape(target, (1,)) if per_class and not target.ndim else target
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{name}: target must be integers, but is {target.dtype}")
    if not per_class and input.ndim == 1 and target.shape == (1,):
        target = reshape(target, ())
    shape = input.shape if per_class else input.shape[:-1]
    if input.ndim not in (1, 2) or target.shape != shape:
        whole = "(N, C) or (C,)" if per_class else "(N,) or ()"
        raise ShapeError(
            f"{name}: input is (N, C) or (C,) and target {whole}, but they are {input.shape} and"
            f" {target.shape}"
        )
    if is_known(target) and target.size:
        found, least = np.asarray(target.data), -1 if per_class else 0
        if found.min() < least or found.max() >= input.shape[-1]:
            raise IndexError(
                f"{name}: classes from {found.min()} to {found.max()} of {input.shape[-1]}"
            )
    return input, target


@computed
def multi_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Σ max(0, margin − input[target] + input[c])ᵖ / C over the other classes c, p = 1 or 2.

    ``input`` is (N, C) or (C,), ``target`` holds classes (N,); a loss counts the ``weight`` (C,) of
    its class. (Crammer and Singer 2001.)

    >>> import tinytensor as tt
    >>> tt.multi_margin_loss(tt.tensor([[0.0, 2.0], [0.0, 0.5]]), tt.tensor([1, 1]))
    tensor(0.125)
    """
    name = "multi_margin_loss"
    check_reduction(name, reduction)
    if p not in (1, 2):
        raise ValueError(f"{name}: p must be 1 or 2, not {p!r}")
    margin = number(name, "margin", margin)
    input, target = _classes(name, input, target, False)
    classes = input.shape[-1]
    own = take_along_axis(input, expand_dims(target, -1), -1)
    short = relu(margin - own + input)
    if p == 2:
        short = short * short
    if weight is not None:
        weight = tensor(weight, input)
        if weight.shape != (classes,):
            raise ShapeError(f"{name}: weight is {weight.shape} for {classes} classes")
        short = short * expand_dims(take(weight, target, 0), -1)
    others = not_equal(np.arange(classes), expand_dims(target, -1))
    return reduced(reductions.sum(where(others, short, 0.0), -1) / classes, reduction)


@computed
def multilabel_margin_loss(
    input: ArrayLike, target: ArrayLike, reduction: Reduction = "mean"
) -> Tensor:
    """Σ max(0, 1 − input[t] + input[c]) / C over the targets t and the classes c that are none.

    ``input`` is (N, C) or (C,), and so is ``target``: classes, as many as there are before a −1.

    >>> import tinytensor as tt
    >>> tt.multilabel_margin_loss(tt.tensor([0.0, 0.5, 2.0, 0.0]), tt.tensor([2, 1, -1, 0]))
    tensor(0.25)
    """
    name = "multilabel_margin_loss"
    check_reduction(name, reduction)
    input, target = _classes(name, input, target, True)
    classes = input.shape[-1]
    given = cumprod(astype(greater_equal(target, 0), np.int64), -1) > 0
    own = take_along_axis(input, where(given, target, 0), -1)
    short = relu(1.0 - expand_dims(own, -1) + expand_dims(input, -2))
    named = logical_and(
        expand_dims(given, -1), equal(expand_dims(target, -1), np.arange(classes))
    )  # (…, target, class)
    others = expand_dims(logical_not(reductions.any(named, -2)), -2)
    counted = where(logical_and(expand_dims(given, -1), others), short, 0.0)
    return reduced(reductions.sum(counted, (-1, -2)) / max(classes, 1), reduction)


@computed
def multilabel_soft_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """−(target log σ(input) + (1 − target) log σ(−input)), the mean over the classes (…, C).

    >>> import tinytensor as tt
    >>> tt.multilabel_soft_margin_loss(tt.tensor([[0.0, 1000.0]]), tt.tensor([[1.0, 1.0]]))
    tensor(0.3465736)
    """
    name = "multilabel_soft_margin_loss"
    target = tensor_pair(name, input, target, reduction)
    if not input.ndim:
        raise ShapeError(f"{name}: input must be (…, C), but is {input.shape}")
    losses = -(target * logsigmoid(input) + (1.0 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * tensor(weight, input)
    return reduced(reductions.mean(losses, -1), reduction)


# --- Distances -------------------------------------------------------------------------------


@computed
def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """max(0, margin + d(anchor, positive) − d(anchor, negative)), d the :func:`pairwise_distance`.

    With ``swap``, d(positive, negative) where that is less than d(anchor, negative). (Balntas et
    al. 2016.)

    >>> import tinytensor as tt
    >>> a, p, n = tt.tensor([[0.0]]), tt.tensor([[2.0]]), tt.tensor([[-2.5]])
    >>> round(tt.triplet_margin_loss(a, p, n).item(), 3)
    0.5
    """
    return _triplets(
        "triplet_margin_loss",
        (anchor, positive, negative),
        lambda a, b: pairwise_distance(a, b, p, eps),
        margin,
        swap,
        reduction,
    )


@computed
def triplet_margin_with_distance_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """:func:`triplet_margin_loss` of any ``distance_function``, by default the Euclidean."""
    return _triplets(
        "triplet_margin_with_distance_loss",
        (anchor, positive, negative),
        distance_function or pairwise_distance,
        margin,
        swap,
        reduction,
    )


def _triplets(
    name: str, triplet: Any, distance: Callable[..., Any], margin: Any, swap: bool, reduction: Any
) -> Any:
    anchor = triplet[0]
    positive, negative = (tensor_pair(name, anchor, x, reduction, True) for x in triplet[1:])
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            f"{name}: anchor is {anchor.shape}, positive {positive.shape}, negative"
            f" {negative.shape}"
        )
    margin = number(name, "margin", margin)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(_above_zero(margin + near - far), reduction)
