"""Losses, of logits and classes and of pairs of numbers."""

import numpy as np

from .checks import check_targets, of_real_numbers
from .maps import sigmoid
from .promotion import promoting

__all__ = [
    "cross_entropy",
    "cross_entropy_backward",
    "loss",
    "loss_backward",
    "nll_loss",
    "nll_loss_backward",
]


def target_factors(target, classes, weight, ignore_index, label_smoothing, dtype):
    """What a row's loss ``(own + spread * sum(w)) * lse - own * x[y] - spread * sum(w * x)`` needs.

    Returns the classes (0 where ignored), all class weights, and each row's own weight, its part
    of the divisor of the mean, and its spread; these three are 0 in rows that are ignored.
    """
    kept = target != ignore_index
    y = np.where(kept, target, 0)
    w = np.ones(classes, dtype) if weight is None else weight.astype(dtype, copy=False)
    share = kept * (w[y] if classes else dtype.type(0))
    return y, w, (1 - label_smoothing) * share, share, label_smoothing / (classes or 1) * kept


@promoting(but=("target",))
@of_real_numbers
def cross_entropy(x, target, weight, ignore_index, label_smoothing, reduction):
    """The loss of logits ``x`` (rows, classes), what backward needs of the rows' log-sum-exp as in
    ``logsumexp``, and the mean's divisor."""
    rows, classes = x.shape
    check_targets("cross_entropy", target, classes, ignore_index)
    y, w, own, share, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, x.dtype
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        top = x.max(axis=1, initial=-np.inf)
        total = np.exp(x - top[:, None]).sum(axis=1)
        lse, rest = np.stack([top, total]), np.log(total)
        losses = own * (top - (x[np.arange(rows), y] if classes else 0) + rest)
        if label_smoothing:
            losses += spread * (w * (top[:, None] - x + rest[:, None])).sum(axis=1)
        losses = np.where(target == ignore_index, 0, losses).astype(x.dtype, copy=False)
        if reduction == "none":
            return losses, lse, 1.0
        divisor = float(share.sum()) if reduction == "mean" else 1.0
        return np.asarray(losses.sum() / x.dtype.type(divisor)), lse, divisor


@promoting(but=("target",))
def cross_entropy_backward(
    g, x, lse, target, weight, ignore_index, label_smoothing, divisor, out=None
):
    """The cotangent of the logits ``x``, into ``out`` (which may be ``x``) if it is given."""
    rows, classes = x.shape
    y, w, own, _, spread = target_factors(
        target, classes, weight, ignore_index, label_smoothing, x.dtype
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        total = own + spread * w.sum() if label_smoothing else own
        dx = (total / lse[1])[:, None] * np.exp(x - lse[0, :, None])
        if label_smoothing:
            dx -= spread[:, None] * w
        if classes:
            dx[np.arange(rows), y] -= own
        dx *= np.broadcast_to(g / x.dtype.type(divisor), (rows,))[:, None]
    dx[target == ignore_index] = 0
    if out is not None:
        out[...] = dx
        return out
    return dx.astype(x.dtype, copy=False)


@promoting(but=("target",))
@of_real_numbers
def nll_loss(x, target, weight, ignore_index, reduction):
    """The loss of log-probabilities ``x`` (rows, classes), and the mean's divisor."""
    rows, classes = x.shape
    check_targets("nll_loss", target, classes, ignore_index)
    y, _, own, _, _ = target_factors(target, classes, weight, ignore_index, 0, x.dtype)
    picked = x[np.arange(rows), y] if classes else np.zeros(rows, x.dtype)
    losses = np.where(target == ignore_index, 0, -own * picked).astype(x.dtype, copy=False)
    if reduction == "none":
        return losses, 1.0
    divisor = float(own.sum()) if reduction == "mean" else 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(losses.sum() / x.dtype.type(divisor)), divisor


@promoting(but=("target",))
def nll_loss_backward(g, target, shape, weight, ignore_index, divisor):
    """The cotangent of log-probabilities (rows, classes); g is of one loss, or of each row's."""
    dtype = np.asarray(g).dtype
    y, _, own, _, _ = target_factors(target, shape[1], weight, ignore_index, 0, dtype)
    dx = np.zeros(shape, dtype)
    if shape[1]:
        dx[np.arange(shape[0]), y] = -own * (g / dtype.type(divisor))
    return dx


# For each loss of an input x, a target y and a number p: itself, and its slope by x.
LOSSES = {
    "mse": (lambda x, y, p: np.square(x - y), lambda x, y, p: 2 * (x - y)),
    "l1": (lambda x, y, p: np.absolute(x - y), lambda x, y, p: np.sign(x - y)),
    "smooth_l1": (
        lambda x, y, p: np.where(
            np.absolute(x - y) < p, np.square(x - y) * (0.5 / p), np.absolute(x - y) - 0.5 * p
        ),
        lambda x, y, p: np.clip((x - y) / p, -1, 1),
    ),
    "huber": (
        lambda x, y, p: np.where(
            np.absolute(x - y) < p, np.square(x - y) * 0.5, p * (np.absolute(x - y) - 0.5 * p)
        ),
        lambda x, y, p: np.clip(x - y, -p, p),
    ),
    "logistic": (
        lambda x, y, p: np.where(x > 0, 1 - y, -y) * x + np.log1p(np.exp(-np.absolute(x))),
        lambda x, y, p: (1 - y) * sigmoid(x) - y * sigmoid(-x),
    ),
}


@promoting()
def loss(kind, x, y, parameter, reduction):
    """A loss of LOSSES, each element's, their "sum" or their "mean"."""
    losses = LOSSES[kind][0](x, y, parameter)
    if reduction == "none":
        return losses
    with np.errstate(invalid="ignore"):
        return np.asarray(losses.sum() if reduction == "sum" else losses.mean())


@promoting()
def loss_backward(g, kind, x, y, parameter, reduction):
    """The cotangent of x; that of y is its negative where the loss is of x − y."""
    slopes = LOSSES[kind][1](x, y, parameter)
    return slopes * (g / slopes.dtype.type(slopes.size) if reduction == "mean" else g)
