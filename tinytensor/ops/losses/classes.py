"""Losses of class scores: cross-entropy and the negative log-likelihood.

Targets and weights may be arrays. Class indices outside [0, classes) are errors, except for
``ignore_index``.
"""

from __future__ import annotations

import numpy as np

from ... import kernels
from ...dtypes import is_real_floating
from ...errors import DtypeError, ShapeError
from ...kernels.reference.losses import target_factors
from .. import reduction as reductions
from ..annotations import ArrayLike, Reduction, Tensor
from ..arithmetic import square
from ..batching import folded, lanes_of, rank, unfolded, with_lanes
from ..checks import floating, integers, number, parameter
from ..declared import op
from ..indexing import take
from ..logic import not_equal, where
from ..precision import cast
from ..shape import expand_dims
from ..softmax import log_softmax, softmax
from .common import check_reduction, reduced_lanes

__all__ = [
    "cross_entropy",
    "nll_loss",
]


def _class_axis(input):
    return 1 if input.ndim > 1 else 0


def _rows(x):
    """An array (N, C, …) or (C,) as rows of classes."""
    if x.ndim == 2:
        return kernels.contiguous(x)
    axis = _class_axis(x)
    return kernels.contiguous(np.moveaxis(x, axis, -1)).reshape(-1, x.shape[axis])


def _from_rows(rows, shape):
    """The array of ``shape`` whose ``_rows`` these are."""
    if len(shape) < 3:
        return rows.reshape(shape)
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _targets(name, input, target):
    """The class of each row."""
    target = integers(name, "target", target)
    axis = _class_axis(input)
    expected = input.shape[:axis] + input.shape[axis + 1 :]
    if not input.ndim or target.shape != expected:
        raise ShapeError(
            f"{name}: input is (N, C, …) and target (N, …), but they are {input.shape} and"
            f" {target.shape}"
        )
    return target.reshape(-1)


def _per_class(name, shape, target, weight, ignore_index, label_smoothing, dtype):
    """A constant A such that the loss is −Σ A log softmax(input), the sum along the classes."""
    classes = shape[1 if len(shape) > 1 else 0]
    target = integers(name, "target", target).reshape(-1)
    weight = None if weight is None else np.asarray(weight)
    y, w, own, _, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, np.dtype(dtype)
    )
    rows = spread[:, None] * w
    if classes:
        rows[np.arange(len(rows)), y] += own
    return _from_rows(rows.astype(dtype, copy=False), shape)


def _shares(target, classes, weight, ignore_index, dtype):
    """How often the loss of each row counts: as its class does, and 0 times if it is ignored."""
    return target_factors(target, classes, weight, ignore_index, 0.0, np.dtype(dtype))[3]


def _with_z(losses, lse, target, classes, weight, ignore_index, z_loss):
    """The losses of rows and z (log Z)² of each, for ``lse``: top and Σ exp(x − top) of a row."""
    share = _shares(target, classes, weight, ignore_index, losses.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = share * np.square(lse[0] + np.log(lse[1]))
    return losses + losses.dtype.type(z_loss) * np.where(share == 0, 0, squares)


def _lse_with_z(lse, target, classes, weight, ignore_index, label_smoothing, z_loss):
    """The ``lse`` by which the kernel of backward makes z (log Z)²'s cotangent along with the
    loss's: both are softmax(x) times a number of the row, and that divides by Σ exp(x − top)."""
    how = weight, ignore_index, label_smoothing, lse.dtype
    _, w, own, share, spread = target_factors(target, classes, *how)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = own + spread * w.sum()
        more = 2 * z_loss * share * (lse[0] + np.log(lse[1]))
        total = np.where(share == 0, lse[1], lse[1] * factor / (factor + more))
    return np.stack([lse[0], total]).astype(lse.dtype, copy=False)


def _z_slopes(input, share, z_loss):
    """The derivative of z share (log Z)² by the logits; ``share`` has an axis of one class."""
    axis = _class_axis(input)
    return softmax(input, axis) * (
        reductions.logsumexp(input, axis, keepdims=True) * (2 * z_loss * share)
    )


def _to_classes(g, input, divisor):
    """The cotangent of a loss (N, …), or of one number, beside the classes."""
    g = g / divisor
    return expand_dims(g, _class_axis(input)) if g.ndim else g


@op(residuals=("lse", "divisor"))
def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
) -> Tensor:
    """−Σ target log softmax(input), the sum over the classes: axis 1 of logits (N, C, …), or (C,).

    ``target`` holds class indices (N, …), or probabilities in the shape of the input. Each class
    counts ``weight`` (C,) times; the mean over indices is weighted by it, and leaves out those
    equal to ``ignore_index``. ``label_smoothing`` ε moves targets to (1 − ε) target + ε / C.
    (Szegedy et al. 2016.) ``z_loss`` z adds z (log Z)², Z = Σ exp(input), to each loss before it
    is weighted, which holds log Z near 0. (PaLM: Chowdhery et al. 2022, section 5.)

    >>> import tinytensor as tt
    >>> logits = tt.tensor([[0.0, 0.0], [100.0, 0.0]])
    >>> tt.cross_entropy(logits, tt.tensor([0, 0]), reduction="sum")
    tensor(0.6931472)
    """
    name = "cross_entropy"
    input = floating(name, "input", input)
    target = np.asarray(target)
    check_reduction(name, reduction)
    label_smoothing = number(name, "label_smoothing", label_smoothing, 0, 1)
    z_loss = number(name, "z_loss", z_loss, 0)
    axis = _class_axis(input)
    weight = parameter(name, "weight", weight, input.shape[axis : axis + 1])
    if not is_real_floating(target):
        classes = _targets(name, input, target)
        rows = _rows(input)
        loss, lse, divisor = kernels.cross_entropy(
            rows, classes, weight, ignore_index, label_smoothing, "none" if z_loss else reduction
        )
        if z_loss:
            loss = _with_z(loss, lse, classes, rows.shape[1], weight, ignore_index, z_loss)
            if reduction == "mean":
                shares = _shares(classes, rows.shape[1], weight, ignore_index, loss.dtype)
                divisor = float(shares.sum(dtype=np.float64))
            if reduction != "none":
                with np.errstate(invalid="ignore", divide="ignore"):
                    loss = np.asarray(loss.sum(dtype=np.float64) / np.float64(divisor), loss.dtype)
        return (loss.reshape(target.shape) if reduction == "none" else loss), lse, divisor
    if target.shape != input.shape or not input.ndim:
        if target.ndim == input.ndim - 1:
            raise DtypeError(
                f"{name}: target of {target.shape} looks like classes, which are integers, but is"
                f" {target.dtype}; astype(np.int64) casts"
            )
        raise ShapeError(
            f"{name}: probabilities must have the shape of input, but they are {target.shape} and"
            f" input is {input.shape}"
        )
    if ignore_index >= 0:
        raise ValueError(
            f"{name}: ignore_index {ignore_index} is for class indices, and target holds"
            " probabilities"
        )
    smoothed = target * (1 - label_smoothing) + label_smoothing / max(input.shape[axis], 1)
    if weight is not None:
        weight = weight.reshape(-1, *(1,) * (input.ndim - axis - 1))
        smoothed = kernels.multiply(smoothed, weight)
    losses = -(smoothed * kernels.log_softmax(input, axis)).sum(axis=axis)
    if z_loss:
        share = (target if weight is None else kernels.multiply(target, weight)).sum(axis=axis)
        losses += z_loss * share * np.square(kernels.logsumexp(input, (axis,), False)[0])
    divisor = float(losses.size) if reduction == "mean" else 1.0
    return (losses if reduction == "none" else np.asarray(losses.sum() / divisor)), None, divisor


@op
def cross_entropy_backward(
    g, input, target, weight, ignore_index, label_smoothing, z_loss, lse, divisor
):
    """The cotangent of the logits, for class indices."""
    rows, g = _rows(input), np.asarray(g).reshape(-1) if g.ndim else g
    target = integers("cross_entropy_backward", "target", target).reshape(-1)
    how = weight, ignore_index, label_smoothing
    if z_loss:
        weights = None if weight is None else np.asarray(weight)
        lse = _lse_with_z(lse, target, rows.shape[1], weights, *how[1:], z_loss)
    dx = kernels.cross_entropy_backward(g, rows, lse, target, *how, divisor)
    return _from_rows(dx, input.shape)


def _logits_backward(g, input, per_class, divisor):
    """(softmax(input) Σ A − A) g / divisor, of the loss −Σ A log softmax(input)."""
    axis = _class_axis(input)
    total = reductions.sum(per_class, axis, keepdims=True)
    return (softmax(input, axis) * total - per_class) * _to_classes(g, input, divisor)


def _share_of_places(input, target, weight, ignore_index):
    """``_shares`` of classes (N, …) in the shape of ``input``, of one class."""
    axis = _class_axis(input)
    target = integers("cross_entropy", "target", target)
    weight = None if weight is None else np.asarray(weight)
    how = weight, ignore_index, input.dtype
    share = _shares(target.reshape(-1), input.shape[axis], *how).reshape(target.shape)
    return np.expand_dims(share, axis)


def _cross_entropy_backward(
    g, input, target, weight, ignore_index, label_smoothing, z_loss, lse, divisor
):
    how = weight, ignore_index, label_smoothing, input.dtype
    per_class = _per_class("cross_entropy", input.shape, target, *how)
    dx = _logits_backward(g, input, per_class, divisor)
    if not z_loss:
        return dx
    share = _share_of_places(input, target, weight, ignore_index)
    return dx + _z_slopes(input, share, z_loss) * _to_classes(g, input, divisor)


def _cross_entropy_rule(
    g, input, target, weight, ignore_index, label_smoothing, z_loss, lse, divisor
):
    if lse is not None:
        of_classes = (weight, ignore_index, label_smoothing, z_loss, lse, divisor)
        return cross_entropy_backward(g, input, target, *of_classes), None
    axis = _class_axis(input)
    factor = 1 - label_smoothing
    per_class = target * factor + label_smoothing / input.shape[axis]
    if weight is not None:
        weight = np.asarray(weight, input.dtype).reshape(-1, *(1,) * (input.ndim - axis - 1))
        per_class, factor = per_class * weight, factor * weight
    g_of_classes = _to_classes(g, input, divisor)
    dtarget = -(log_softmax(input, axis) * factor * g_of_classes)
    dx = _logits_backward(g, input, per_class, divisor)
    if z_loss:
        one = 1 if weight is None else weight
        share = reductions.sum(target * one, axis, keepdims=True)
        squares = square(reductions.logsumexp(input, axis, keepdims=True))
        dx = dx + _z_slopes(input, share, z_loss) * g_of_classes
        dtarget = dtarget + squares * (z_loss * one) * g_of_classes
    return dx, dtarget


cross_entropy_backward.defined_by(_cross_entropy_backward)
cross_entropy.grad_all(("input", "target"), _cross_entropy_rule)


@op(residuals=("shape", "dtype", "divisor"))
def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """−weight[target] · input[target] of log-probabilities (N, C, …) or (C,) and classes (N, …).

    The mean is weighted by ``weight`` (C,) and leaves out targets equal to ``ignore_index``.

    >>> import tinytensor as tt
    >>> tt.nll_loss(tt.tensor([[-1.0, -2.0], [-3.0, -4.0]]), tt.tensor([1, 0]))
    tensor(2.5)
    """
    name = "nll_loss"
    input = floating(name, "input", input)
    check_reduction(name, reduction)
    axis = _class_axis(input)
    weight = parameter(name, "weight", weight, input.shape[axis : axis + 1])
    classes = _targets(name, input, target)
    loss, divisor = kernels.nll_loss(_rows(input), classes, weight, ignore_index, reduction)
    if reduction == "none":
        loss = loss.reshape(np.shape(target))
    return loss, input.shape, input.dtype, divisor


@op
def nll_loss_backward(g, target, weight, ignore_index, shape, dtype, divisor):
    """The cotangent of the log-probabilities."""
    g, target = np.asarray(g), integers("nll_loss_backward", "target", target).reshape(-1)
    axis = 1 if len(shape) > 1 else 0
    rows = (target.size, shape[axis])
    dx = kernels.nll_loss_backward(
        g.reshape(-1) if g.ndim else g, target, rows, weight, ignore_index, divisor
    )
    return _from_rows(dx.astype(dtype, copy=False), shape)


def _nll_loss_backward(g, target, weight, ignore_index, shape, dtype, divisor):
    how = weight, ignore_index, 0.0, dtype
    per_class = _per_class("nll_loss", shape, target, *how)
    return _to_classes(g, per_class, divisor) * -per_class


nll_loss_backward.defined_by(_nll_loss_backward)
nll_loss.grad(
    input=lambda g, target, weight, ignore_index, shape, dtype, divisor: nll_loss_backward(
        g, target, weight, ignore_index, shape, dtype, divisor
    )
)


def _class_lanes(op, args, mapped, static):
    input, target, weight, ignore_index, reduction, *smoothing = args
    ndim = rank(input, mapped[0])
    if mapped[2] or ndim == 0 or rank(target, mapped[1]) not in (ndim - 1, ndim):
        return NotImplemented
    lanes = lanes_of(args, mapped)
    input, target = with_lanes(input, mapped[0], lanes), with_lanes(target, mapped[1], lanes)
    check_reduction(op.__name__, reduction)
    rows = (input, target) if ndim == 1 else (folded(input), folded(target))
    losses = op(*rows, weight, ignore_index, "none", *smoothing)
    losses = losses if ndim == 1 else unfolded(losses, lanes)
    if reduction != "mean" or is_real_floating(target):
        return reduced_lanes(losses, reduction)
    kept = not_equal(target, ignore_index)
    counts = cast(kept, losses.dtype)
    if weight is not None:
        counts = counts * cast(take(weight, where(kept, target, 0)), losses.dtype)
    return reduced_lanes(losses, "sum") / reduced_lanes(counts, "sum")


cross_entropy.batched(_class_lanes)
nll_loss.batched(_class_lanes)
