"""Losses, with PyTorch's arguments: each ends in ``reduction``, "none", "mean" or "sum".

Targets and weights may be arrays. Class indices outside [0, classes) are errors, except for
``ignore_index``.
"""

from __future__ import annotations

import warnings
from functools import wraps

import numpy as np

from .. import kernels
from ..errors import DtypeError, ShapeError
from ..kernels.reference.losses import target_factors
from ..operation import op
from . import reduction as reductions
from .batching import folded, lanes_of, padded, rank, shape, unfolded, with_lanes
from .checks import floating, integers, parameter
from .elementary import logaddexp
from .elementwise import hardtanh, log, log1p, maximum, not_equal, sigmoid, sign, where
from .indexing import take
from .shape import cast, expand_dims
from .softmax import log_softmax, softmax

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def _check_reduction(name, reduction):
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f'{name}: reduction must be "none", "mean" or "sum", not {reduction!r}')


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    if reduction == "sum":
        return kernels.reduce_sum(losses, None, False)
    with np.errstate(invalid="ignore"):  # the mean of no losses is NaN
        return np.asarray(kernels.reduce_sum(losses, None, False) / losses.dtype.type(losses.size))


# --- Classes ---------------------------------------------------------------------------------


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


def _per_class(shape, target, weight, ignore_index, label_smoothing, dtype):
    """A constant A such that the loss is −Σ A log softmax(input), the sum along the classes."""
    classes = shape[1 if len(shape) > 1 else 0]
    target = integers("cross_entropy", "target", target).reshape(-1)
    weight = None if weight is None else np.asarray(weight)
    y, w, own, _, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, np.dtype(dtype)
    )
    rows = spread[:, None] * w
    if classes:
        rows[np.arange(len(rows)), y] += own
    return _from_rows(rows.astype(dtype, copy=False), shape)


def _to_classes(g, input, divisor):
    """The cotangent of a loss (N, …), or of one number, beside the classes."""
    g = g / divisor
    return expand_dims(g, _class_axis(input)) if g.ndim else g


@op(residuals=("lse", "divisor"))
def cross_entropy(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """−Σ target log softmax(input), the sum over the classes: axis 1 of logits (N, C, …), or (C,).

    ``target`` holds class indices (N, …), or probabilities in the shape of the input. Each class
    counts ``weight`` (C,) times; the mean over indices is weighted by it, and leaves out those
    equal to ``ignore_index``. ``label_smoothing`` ε moves targets to (1 − ε) target + ε / C.
    (Szegedy et al. 2016.)

    >>> import tinytensor as tt
    >>> logits = tt.tensor([[0.0, 0.0], [100.0, 0.0]])
    >>> tt.cross_entropy(logits, tt.tensor([0, 0]), reduction="sum")
    tensor(0.6931472)
    """
    name = "cross_entropy"
    input = floating(name, "input", input)
    target = np.asarray(target)
    _check_reduction(name, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing must be in [0, 1], not {label_smoothing}")
    axis = _class_axis(input)
    weight = parameter(name, "weight", weight, input.shape[axis : axis + 1])
    if target.dtype.kind != "f":
        classes = _targets(name, input, target)
        loss, lse, divisor = kernels.cross_entropy(
            _rows(input), classes, weight, ignore_index, label_smoothing, reduction
        )
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
    smoothed = target * (1 - label_smoothing) + label_smoothing / max(input.shape[axis], 1)
    if weight is not None:
        smoothed = smoothed * weight.reshape(-1, *(1,) * (input.ndim - axis - 1))
    losses = -(smoothed * kernels.log_softmax(input, axis)).sum(axis=axis)
    divisor = float(losses.size) if reduction == "mean" else 1.0
    return (losses if reduction == "none" else np.asarray(losses.sum() / divisor)), None, divisor


@op
def cross_entropy_backward(g, input, target, weight, ignore_index, label_smoothing, lse, divisor):
    """The cotangent of the logits, for class indices."""
    dx = kernels.cross_entropy_backward(
        np.asarray(g).reshape(-1) if g.ndim else g,
        _rows(input),
        lse,
        integers("cross_entropy", "target", target).reshape(-1),
        weight,
        ignore_index,
        label_smoothing,
        divisor,
    )
    return _from_rows(dx, input.shape)


def _logits_backward(g, input, per_class, divisor):
    """(softmax(input) Σ A − A) g / divisor, of the loss −Σ A log softmax(input)."""
    axis = _class_axis(input)
    total = reductions.sum(per_class, axis, keepdims=True)
    return (softmax(input, axis) * total - per_class) * _to_classes(g, input, divisor)


def _cross_entropy_backward(g, input, target, weight, ignore_index, label_smoothing, lse, divisor):
    per_class = _per_class(input.shape, target, weight, ignore_index, label_smoothing, input.dtype)
    return _logits_backward(g, input, per_class, divisor)


def _cross_entropy_rule(g, input, target, weight, ignore_index, label_smoothing, lse, divisor):
    if lse is not None:
        of_classes = (weight, ignore_index, label_smoothing, lse, divisor)
        return cross_entropy_backward(g, input, target, *of_classes), None
    axis = _class_axis(input)
    factor = 1 - label_smoothing
    per_class = target * factor + label_smoothing / input.shape[axis]
    if weight is not None:
        weight = np.asarray(weight, input.dtype).reshape(-1, *(1,) * (input.ndim - axis - 1))
        per_class, factor = per_class * weight, factor * weight
    dtarget = -(log_softmax(input, axis) * factor * _to_classes(g, input, divisor))
    return _logits_backward(g, input, per_class, divisor), dtarget


cross_entropy_backward.defined_by(_cross_entropy_backward)
cross_entropy.grad_all(("input", "target"), _cross_entropy_rule)


@op(residuals=("shape", "dtype", "divisor"))
def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """−weight[target] · input[target] of log-probabilities (N, C, …) or (C,) and classes (N, …).

    The mean is weighted by ``weight`` (C,) and leaves out targets equal to ``ignore_index``.

    >>> import tinytensor as tt
    >>> tt.nll_loss(tt.tensor([[-1.0, -2.0], [-3.0, -4.0]]), tt.tensor([1, 0]))
    tensor(2.5)
    """
    name = "nll_loss"
    input = floating(name, "input", input)
    _check_reduction(name, reduction)
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
    g, target = np.asarray(g), integers("nll_loss", "target", target).reshape(-1)
    axis = 1 if len(shape) > 1 else 0
    rows = (target.size, shape[axis])
    dx = kernels.nll_loss_backward(
        g.reshape(-1) if g.ndim else g, target, rows, weight, ignore_index, divisor
    )
    return _from_rows(dx.astype(dtype, copy=False), shape)


def _nll_loss_backward(g, target, weight, ignore_index, shape, dtype, divisor):
    per_class = _per_class(shape, target, weight, ignore_index, 0.0, dtype)
    return _to_classes(g, per_class, divisor) * -per_class


nll_loss_backward.defined_by(_nll_loss_backward)
nll_loss.grad(
    input=lambda g, target, weight, ignore_index, shape, dtype, divisor: nll_loss_backward(
        g, target, weight, ignore_index, shape, dtype, divisor
    )
)


# --- Differences -----------------------------------------------------------------------------


def _pair(name, input, target, reduction):
    """The arrays, checked; as in PyTorch they may broadcast, which is seldom meant."""
    input, target = floating(name, "input", input), np.asarray(target)
    _check_reduction(name, reduction)
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: input is {input.shape} and target {target.shape}: to broadcast them is seldom"
            " meant",
            UserWarning,
            stacklevel=4,
        )
    return input, target


def _share(g, losses, reduction):
    """The cotangent of each loss."""
    return g / losses.size if reduction == "mean" else g


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
    "logistic": lambda x, y, p: sigmoid(x) - y,
}


def _loss_backward(g, kind, input, target, parameter, reduction):
    slope = _SLOPES[kind](input, target, parameter)
    return slope * _share(g, slope, reduction)


loss_backward.defined_by(_loss_backward)


def _differentiate(loss, rule):
    """Declare the gradient by the input, and its negative by the target."""

    @wraps(rule)
    def by_target(*args):
        return -rule(*args)

    loss.grad(input=rule, target=by_target)


@op
def mse_loss(input, target, reduction="mean"):
    """(input − target)².

    >>> import tinytensor as tt
    >>> tt.mse_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 4.0]))
    tensor(2.)
    """
    input, target = _pair("mse_loss", input, target, reduction)
    return kernels.loss("mse", input, target, 0.0, reduction)


_differentiate(
    mse_loss,
    lambda g, input, target, reduction: loss_backward(g, "mse", input, target, 0.0, reduction),
)


@op
def l1_loss(input, target, reduction="mean"):
    """|input − target|; the gradient at 0 is 0.

    >>> import tinytensor as tt
    >>> tt.l1_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 4.0]))
    tensor(1.)
    """
    input, target = _pair("l1_loss", input, target, reduction)
    return kernels.loss("l1", input, target, 0.0, reduction)


_differentiate(
    l1_loss,
    lambda g, input, target, reduction: loss_backward(g, "l1", input, target, 0.0, reduction),
)


@op
def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    """d² / (2 beta) where d = |input − target| < beta, else d − beta / 2. (Girshick 2015.)

    >>> import tinytensor as tt
    >>> tt.smooth_l1_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.5, 4.0]), reduction="none")
    tensor([0.125, 1.5  ])
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, but is {beta}")
    input, target = _pair("smooth_l1_loss", input, target, reduction)
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
def huber_loss(input, target, reduction="mean", delta=1.0):
    """d² / 2 where d = |input − target| < delta, else delta (d − delta / 2). (Huber 1964.)

    >>> import tinytensor as tt
    >>> tt.huber_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.5, 5.0]), reduction="none", delta=2.0)
    tensor([0.125, 4.   ])
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, but is {delta}")
    input, target = _pair("huber_loss", input, target, reduction)
    return kernels.loss("huber", input, target, delta, reduction)


_differentiate(
    huber_loss,
    lambda g, input, target, reduction, delta: loss_backward(
        g, "huber", input, target, delta, reduction
    ),
)


# --- Binary classes --------------------------------------------------------------------------


def _binary(name, input, target, reduction):
    input, target = floating(name, "input", input), floating(name, "target", target)
    _check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input is {input.shape}, but target is {target.shape}")
    return input, target


def _weighted(x, weight):
    return x if weight is None else x * np.asarray(weight)


@op
def binary_cross_entropy(input, target, weight=None, reduction="mean"):
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
    return _reduce(_weighted(-(y * log_p + (1 - y) * log_q), weight), reduction)


def _bce_by_input(g, input, target, weight, reduction):
    slope = (input - target) / maximum(input * (1 - input), 1e-12)
    return _weighted(slope * _share(g, input, reduction), weight)


def _bce_by_target(g, input, target, weight, reduction):
    slope = maximum(log1p(-input), -100.0) - maximum(log(input), -100.0)
    return _weighted(slope * _share(g, input, reduction), weight)


binary_cross_entropy.grad(input=_bce_by_input, target=_bce_by_target)


@op
def binary_cross_entropy_with_logits(input, target, weight=None, reduction="mean", pos_weight=None):
    """−weight (pos_weight y log p + (1 − y) log(1 − p)) with p = σ(input), stable for any input.

    >>> import tinytensor as tt
    >>> tt.binary_cross_entropy_with_logits(tt.tensor([0.0, 1000.0]), tt.tensor([1.0, 1.0]))
    tensor(0.3465736)
    """
    x, y = _binary("binary_cross_entropy_with_logits", input, target, reduction)
    if weight is None and pos_weight is None:
        return kernels.loss("logistic", x, y, 0.0, reduction)
    log_p = -(np.maximum(-x, 0) + np.log1p(np.exp(-np.abs(x))))
    losses = (1 - y) * x - _positives(y, pos_weight) * log_p
    return _reduce(_weighted(losses, weight), reduction)


def _positives(y, pos_weight):
    """What log p is multiplied by, where log(1 − p) = log p − x: 1 − y + pos_weight y."""
    return 1 if pos_weight is None else 1 + (np.asarray(pos_weight) - 1) * y


def _logits_by_input(g, input, target, weight, reduction, pos_weight):
    if weight is None and pos_weight is None:
        return loss_backward(g, "logistic", input, target, 0.0, reduction)
    slope = (1 - target) - _positives(target, pos_weight) * sigmoid(-input)
    return _weighted(slope * _share(g, input, reduction), weight)


def _logits_by_target(g, input, target, weight, reduction, pos_weight):
    slope = -input
    if pos_weight is not None:
        slope = slope + logaddexp(-input, 0.0) * (np.asarray(pos_weight) - 1)  # −log p
    return _weighted(slope * _share(g, input, reduction), weight)


binary_cross_entropy_with_logits.grad(input=_logits_by_input, target=_logits_by_target)


# --- Lanes of a vmap: the losses of all, reduced in each ---------------------------------------


def _reduced(losses, reduction):
    axes = tuple(range(1, losses.ndim))
    if reduction == "none" or not axes:
        return losses
    return (reductions.sum if reduction == "sum" else reductions.mean)(losses, axes)


def _pair_lanes(op, args, on, static):
    how, lanes = op.names.index("reduction"), lanes_of(args, on)
    ndim = max(rank(x, o) for x, o in zip(args, on, strict=True))
    if shape(args[0], on[0]) == shape(args[1], on[1]):  # else they broadcast, with a warning
        args = [with_lanes(x, o, lanes) if i < 2 else x
                for i, (x, o) in enumerate(zip(args, on, strict=True))]  # fmt: skip
        on = [True, True, *on[2:]]
    each = [padded(x, o, ndim) for x, o in zip(args, on, strict=True)]
    _check_reduction(op.__name__, args[how])
    each[how] = "none"
    return _reduced(op(*each), args[how])


for _op in (mse_loss, l1_loss, smooth_l1_loss, huber_loss):
    _op.batched(_pair_lanes)
for _op in (binary_cross_entropy, binary_cross_entropy_with_logits):
    _op.batched(_pair_lanes)


def _class_lanes(op, args, on, static):
    input, target, weight, ignore_index, reduction, *smoothing = args
    ndim = rank(input, on[0])
    if on[2] or ndim == 0 or rank(target, on[1]) not in (ndim - 1, ndim):
        return NotImplemented
    lanes = lanes_of(args, on)
    input, target = with_lanes(input, on[0], lanes), with_lanes(target, on[1], lanes)
    _check_reduction(op.__name__, reduction)
    rows = (input, target) if ndim == 1 else (folded(input), folded(target))
    losses = op(*rows, weight, ignore_index, "none", *smoothing)
    losses = losses if ndim == 1 else unfolded(losses, lanes)
    if reduction != "mean" or target.dtype.kind == "f":
        return _reduced(losses, reduction)
    kept = not_equal(target, ignore_index)
    counts = cast(kept, losses.dtype)
    if weight is not None:
        counts = counts * cast(take(weight, where(kept, target, 0)), losses.dtype)
    return _reduced(losses, "sum") / _reduced(counts, "sum")


cross_entropy.batched(_class_lanes)
nll_loss.batched(_class_lanes)
