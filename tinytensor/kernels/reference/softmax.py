"""Softmax, log-softmax and log-sum-exp."""

import numpy as np

from .checks import of_real_numbers, own_axis
from .promotion import promoting

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "softmax",
    "softmax_backward",
]


@of_real_numbers
def softmax(x, axis):
    with np.errstate(invalid="ignore"):
        out = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
        out /= out.sum(axis=axis, keepdims=True)
    return out


def softmax_backward(g, out, axis):
    return out * (g - (g * out).sum(axis=axis, keepdims=True))


@of_real_numbers
def log_softmax(x, axis):
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
        return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def log_softmax_backward(g, out, axis):
    return g - np.exp(out) * g.sum(axis=axis, keepdims=True)


@promoting(floating=True)
@of_real_numbers
@own_axis
def logsumexp(x, axis=None, keepdims=False):
    """log Σ eˣ, and in an array (2, …) what backward needs: the largest x (0 if it is not finite)
    and Σ exp(x − largest). Where the largest is large, log Σ eˣ has not the digits of the other."""
    x = np.asarray(x)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log 0 = -inf where all x are -inf
        total = np.sum(np.exp(x - shift), axis=axis, keepdims=True)
        if not keepdims:
            shift, total = np.squeeze(shift, axis), np.squeeze(total, axis)
        return shift + np.log(total), np.stack([shift, total])


@promoting(floating=True)
def logsumexp_backward(g, x, lse, axis=None, keepdims=False):
    """g eˣ / Σ eˣ from the largest x and the sum that forward found; where that is 0, 0."""
    top, total = lse
    if axis is not None and not keepdims:
        g, top, total = (np.expand_dims(a, axis) for a in (g, top, total))
    none = total == 0
    out = np.where(none, 0, g / np.where(none, 1, total)) * np.exp(x - top)
    return out.reshape(np.shape(x))  # also where x has no axes, of which 0 may be named
