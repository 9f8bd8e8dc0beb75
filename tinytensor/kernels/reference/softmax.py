"""Softmax, log-softmax and log-sum-exp."""

import numpy as np

from .checks import of_real_numbers

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


@of_real_numbers
def logsumexp(x, axis=None, keepdims=False):
    """log Σ eˣ, shifted by the largest x so that exp never overflows."""
    x = np.asarray(x)
    x = x.astype(np.result_type(x.dtype, np.float16), copy=False)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log 0 = -inf where all x are -inf
        result = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdims else np.squeeze(result, axis)


def logsumexp_backward(g, x, out, axis=None, keepdims=False):
    """g eˣ / Σ eˣ from out = log Σ eˣ; where that is −inf, 0."""
    if axis is not None and not keepdims:
        g, out = np.expand_dims(g, axis), np.expand_dims(out, axis)
    return g * np.exp(x - np.where(out == -np.inf, 0, out))
