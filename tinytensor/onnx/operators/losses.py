"""Losses: of probabilities' logarithms, and of scores."""

from __future__ import annotations

from typing import Any, Literal

from ... import ops
from ..registry import operator
from ..values import array

__all__: list[str] = []

Reduction = Literal["none", "mean", "sum"]
NEVER = -(1 << 31)  # no class


@operator("NegativeLogLikelihoodLoss", since=12, settings=(2,))
def nll_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Any:
    ignored = NEVER if ignore_index is None else ignore_index
    return ops.nll_loss(x, array(target).astype("int64"), weight, ignored, reduction)


@operator("SoftmaxCrossEntropyLoss", since=12, settings=(2,))
def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> tuple[Any, Any]:
    scores = ops.log_softmax(x, 1)
    loss = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    return loss, scores
