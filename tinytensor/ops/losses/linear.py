"""The cross-entropy of a linear layer's scores, of which no more than a chunk exists at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import kernels
from ...errors import ShapeError
from ..annotations import ArrayLike, Reduction, Tensor
from ..checks import floating, integers, number, parameter
from ..declared import op
from ..elementary import tanh
from ..matmul import linear, matmul
from ..reduction import sum
from ..shape import matrix_transpose
from .classes import (
    _logits_backward,
    _lse_with_z,
    _per_class,
    _share_of_places,
    _to_classes,
    _with_z,
    _z_slopes,
    cross_entropy,
)
from .common import check_reduction

# Of the scores of a chunk. Each chunk reads and writes the gradient of the weight once: at this
# size that is some 5 % of its products, and the scores are a small part of what a model holds.
CHUNK = 1 << 23


class Kept:
    """The gradients that the forward pass made along with the loss, for the backward pass to take.

    ``needs``: of x, weight and bias, which of them are wanted.
    """

    def __init__(self, needs: tuple[bool, bool, bool]) -> None:
        self.needs = needs
        self.gradients: tuple[Any, ...] | None = None


@op
def linear_cross_entropy_chunked(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    target: ArrayLike,
    class_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    kept: Kept | None = None,
) -> Tensor:
    """``cross_entropy(linear(x, weight, bias), target, …)`` of x (N, I), weight (C, I), bias (C,)
    and classes (N,), in chunks of rows. With ``softcap`` c the scores are c tanh(scores / c);
    ``z_loss`` is that of ``cross_entropy``.

    If ``kept`` is given, and the loss is one number, the pass forward computes the gradients too:
    that saves the scores' second computation.
    """
    name = "linear_cross_entropy"
    x, weight = floating(name, "input", x), floating(name, "linear_weight", weight)
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ShapeError(
            f"{name}: needs input (N, I) and linear_weight (C, I): they are {x.shape} and"
            f" {weight.shape}"
        )
    bias = parameter(name, "linear_bias", bias, weight.shape[:1])
    class_weight = parameter(name, "weight", class_weight, weight.shape[:1])
    target = integers(name, "target", target)
    if target.shape != x.shape[:1]:
        raise ShapeError(f"{name}: target is {target.shape}, and input {x.shape}")
    check_reduction(name, reduction)
    if softcap is not None and number(name, "softcap", softcap, 0) == 0:
        raise ValueError(f"{name}: softcap must be above 0")
    smoothing = number(name, "label_smoothing", label_smoothing, 0, 1)
    z_loss = number(name, "z_loss", z_loss, 0)
    settings = (class_weight, ignore_index, reduction, smoothing, softcap, z_loss)
    needs = None if kept is None or reduction == "none" else kept.needs
    losses, gradients = _chunks(x, weight, bias, target, *settings, np.ones((), x.dtype), needs)
    if needs is not None and kept is not None:
        kept.gradients = gradients
    if reduction == "none":
        return losses
    divisor = _divisor(target, class_weight, ignore_index, reduction)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(losses.sum(dtype=np.float64) / divisor, losses.dtype)


def _divisor(target, class_weight, ignore_index, reduction):
    if reduction != "mean":
        return 1.0
    counted = target[target != ignore_index]
    if class_weight is None:
        return np.float64(counted.size)
    return class_weight[counted].sum(dtype=np.float64)


def _chunks(
    x, weight, bias, target, class_weight, ignore_index, reduction, smoothing, softcap, z_loss, g,
    needs,
):  # fmt: skip
    """The losses (N,), and the cotangents of x, weight and bias that ``needs`` asks for (None: no
    cotangents), for that of the loss, g, which is one number or (N,)."""
    rows = max(1, CHUNK // max(len(weight), 1))
    losses = np.empty(len(x), np.result_type(x, weight))
    dx, dweight, dbias = None, None, None
    if needs is not None:
        divisor = float(_divisor(target, class_weight, ignore_index, reduction))
        dx = np.empty_like(x) if needs[0] else None
        dweight = np.zeros(weight.shape, losses.dtype) if needs[1] and not len(x) else None
        dbias = np.zeros(len(weight), losses.dtype) if needs[2] else None
    for first in range(0, len(x), rows):
        chunk = slice(first, first + rows)
        scores = kernels.linear(x[chunk], weight, bias, None)
        slope = None
        if softcap is not None:
            shares = kernels.tanh(scores * (1 / softcap))
            scores, slope = shares * softcap, shares
        losses[chunk], lse, _ = kernels.cross_entropy(
            scores, target[chunk], class_weight, ignore_index, smoothing, "none"
        )
        of_z = target[chunk], len(weight), class_weight, ignore_index
        if z_loss:
            losses[chunk] = _with_z(losses[chunk], lse, *of_z, z_loss)
        if needs is None:
            continue
        if z_loss:
            lse = _lse_with_z(lse, *of_z, smoothing, z_loss)
        scores = kernels.cross_entropy_backward(
            g if g.ndim == 0 else g[chunk], scores, lse, target[chunk], class_weight, ignore_index,
            smoothing, divisor, scores,
        )  # fmt: skip
        if slope is not None:
            scores *= 1 - slope * slope
        if dx is not None:
            dx[chunk] = kernels.matmul(scores, weight)
        if needs[1] and dweight is None:
            dweight = kernels.matmul(scores.T, x[chunk])
        elif needs[1]:
            kernels.add_matmul(dweight, scores.T, x[chunk])
        if dbias is not None:
            dbias += scores.sum(axis=0)
    return losses, (dx, dweight, dbias)


@op(outputs=3)
def linear_cross_entropy_backward(
    g, x, weight, bias, target, class_weight, ignore_index, reduction, label_smoothing, softcap,
    z_loss, kept,
):  # fmt: skip
    """The cotangents of x, weight and bias: those that the forward pass kept, if nobody has taken
    them, times g; otherwise made anew."""
    needs = (True, True, bias is not None) if kept is None else kept.needs
    found, g = None if kept is None else kept.gradients, np.asarray(g)
    if found is not None:
        kept.gradients = None
        if g != 1:
            for one in found:
                if one is not None:
                    one *= g
    else:
        settings = (class_weight, ignore_index, reduction, float(label_smoothing), softcap, z_loss)
        target = integers("linear_cross_entropy", "target", target)
        found = _chunks(x, weight, bias, target, *settings, g, needs)[1]
    shapes = x.shape, weight.shape, weight.shape[:1]
    return tuple(
        np.zeros(shape, x.dtype) if one is None else one
        for one, shape in zip(found, shapes, strict=True)
    )


def _plain(
    x, weight, bias, target, class_weight, ignore_index, reduction, label_smoothing, softcap,
    z_loss, kept,
):  # fmt: skip
    scores = linear(x, weight, bias)
    if softcap is not None:
        scores = softcap * tanh(scores / softcap)
    how = class_weight, ignore_index, reduction, label_smoothing, z_loss
    return cross_entropy(scores, target, *how)


def _backward_plain(
    g, x, weight, bias, target, class_weight, ignore_index, reduction, label_smoothing, softcap,
    z_loss, kept,
):  # fmt: skip
    scores = linear(x, weight, bias)
    shares = None if softcap is None else tanh(scores / softcap)
    scores = scores if shares is None else softcap * shares
    how = class_weight, ignore_index, label_smoothing, scores.dtype
    per_class = _per_class("linear_cross_entropy", scores.shape, target, *how)
    found = None if class_weight is None else np.asarray(class_weight)
    divisor = float(_divisor(np.asarray(target), found, ignore_index, reduction))
    logits = scores
    scores = _logits_backward(g, logits, per_class, divisor)
    if z_loss:
        share = _share_of_places(logits, target, class_weight, ignore_index)
        scores = scores + _z_slopes(logits, share, z_loss) * _to_classes(g, logits, divisor)
    if shares is not None:
        scores = scores * (1 - shares * shares)
    return matmul(scores, weight), matmul(matrix_transpose(scores), x), sum(scores, 0)


def _rule(
    g, x, weight, bias, target, class_weight, ignore_index, reduction, label_smoothing, softcap,
    z_loss, kept,
):  # fmt: skip
    settings = class_weight, ignore_index, reduction, label_smoothing, softcap, z_loss, kept
    return linear_cross_entropy_backward(g, x, weight, bias, target, *settings)


linear_cross_entropy_backward.defined_by(_backward_plain)
linear_cross_entropy_chunked.batched(formula=_plain).grad_all(("x", "weight", "bias"), _rule)
