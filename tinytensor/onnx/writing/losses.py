"""Losses, so that a graph may end in one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tracing import Value
from .elementwise import number, out_dtype
from .writer import INT64, Unwritable, Writer, writes


def _reduced(g: Writer, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return g({"mean": "ReduceMean", "sum": "ReduceSum"}[reduction], losses, keepdims=0)


def _weighted(g: Writer, losses: Any, weight: Any, reduction: str, dtype: Any) -> Any:
    """As differences are weighted: their mean is over the sum of weights."""
    if weight is None:
        return _reduced(g, losses, reduction)
    w = g.cast(weight, dtype)
    losses = g("Mul", losses, w)
    if reduction != "mean":
        return _reduced(g, losses, reduction)
    total = g("ReduceSum", g("Expand", w, g("Shape", losses)), keepdims=0)
    return g("Div", g("ReduceSum", losses, keepdims=0), total)


@writes("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
def difference(
    g: Writer, input: Any, target: Any, reduction: str = "mean", weight: Any = None,
    delta: float = 1.0, beta: float = 1.0,
) -> Any:  # fmt: skip
    dtype, name = out_dtype(g), g.call.name
    apart = g("Sub", g.cast(input, dtype), g.cast(target, dtype))
    if name == "mse_loss":
        losses = g("Mul", apart, apart)
    else:
        losses = size = g("Abs", apart)
        if name != "l1_loss" and (delta if name == "huber_loss" else beta) > 0:
            at = float(delta if name == "huber_loss" else beta)
            half = g("Mul", g("Mul", apart, apart), number(g, 0.5, dtype))
            far = g("Mul", g("Sub", size, number(g, at / 2, dtype)), number(g, at, dtype))
            losses = g("Where", g("LessOrEqual", size, number(g, at, dtype)), half, far)
            if name == "smooth_l1_loss":
                losses = g("Div", losses, number(g, at, dtype))
    return _weighted(g, losses, weight, reduction, dtype)


@writes("binary_cross_entropy", "binary_cross_entropy_with_logits")
def binary(
    g: Writer, input: Any, target: Any, weight: Any = None, reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:  # fmt: skip
    dtype = out_dtype(g)
    x, t, one = g.cast(input, dtype), g.cast(target, dtype), number(g, 1, dtype)
    if g.call.name == "binary_cross_entropy":
        floor = number(g, -100, dtype)
        yes = g("Max", g("Log", x), floor)
        no = g("Max", g("Log", g("Sub", one, x)), floor)
    else:
        yes, no = (g("Neg", g("Softplus", one_)) for one_ in (g("Neg", x), x))
    positive = g("Mul", t, yes)
    if pos_weight is not None:
        positive = g("Mul", positive, g.cast(pos_weight, dtype))
    losses = g("Neg", g("Add", positive, g("Mul", g("Sub", one, t), no)))
    if weight is not None:
        losses = g("Mul", losses, g.cast(weight, dtype))
    return _reduced(g, losses, reduction)


@writes("cross_entropy", "nll_loss")
def classes(
    g: Writer, input: Value, target: Value, weight: Any = None, ignore_index: int = -100,
    reduction: str = "mean", label_smoothing: float = 0.0, z_loss: float = 0.0,
) -> Any:  # fmt: skip
    dtype = out_dtype(g)
    if target.dtype.kind == "f" or label_smoothing or z_loss:
        raise Unwritable("cross_entropy of probabilities, or with label_smoothing or z_loss")
    x, t = g.cast(input, dtype), g.cast(target, INT64)
    alone = input.ndim == 1
    if alone:
        x, t = g("Unsqueeze", x, np.array([0])), g("Unsqueeze", t, np.array([0]))
    w = None if weight is None else g.cast(weight, dtype)
    kind = (
        "SoftmaxCrossEntropyLoss" if g.call.name == "cross_entropy" else "NegativeLogLikelihoodLoss"
    )
    found = g(kind, x, t, w, ignore_index=int(ignore_index), reduction=reduction)
    return g("Squeeze", found, np.array([0])) if alone and reduction == "none" else found
