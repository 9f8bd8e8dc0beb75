"""Layer, RMS and batch normalisation."""

import numpy as np

from ...dtypes import promoted
from .checks import of_real_numbers
from .promotion import promoting
from .scaling import leaves_range, power_of_two

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "rms_norm",
    "rms_norm_backward",
]


def _rstd(x, axes, eps):
    """1 / √(mean(x²) + eps), also where the squares are out of range."""
    eps = x.dtype.type(eps)
    with np.errstate(over="ignore", under="ignore"):
        found = np.square(x).mean(axis=axes, keepdims=True) + eps
    bad = leaves_range(found)
    if x.size == 0 or not bad.any():
        return 1 / np.sqrt(found)
    scale = power_of_two(x, axes, bad)
    with np.errstate(divide="ignore", over="ignore"):
        found = np.square(x / scale).mean(axis=axes, keepdims=True) + eps / scale / scale
        return 1 / np.sqrt(found) / scale


@promoting()
@of_real_numbers
def layer_norm(x, weight, bias, eps, ndim):
    """Normalise over the last ``ndim`` axes; also the mean and 1 / standard deviation."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    mean = x.mean(axis=axes, keepdims=True)
    out = x - mean
    rstd = _rstd(out, axes, eps)
    out *= rstd
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out, mean, rstd


@promoting()
def layer_norm_backward(g, x, weight, mean, rstd, ndim):
    """The cotangents of x, of the weight and of the bias."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = (x - mean) * rstd
    gx = g if weight is None else g * weight
    dx = gx - gx.mean(axis=axes, keepdims=True)
    dx -= xhat * (gx * xhat).mean(axis=axes, keepdims=True)
    return dx * rstd, (g * xhat).sum(axis=lead), g.sum(axis=lead)


@promoting()
def rms_norm(x, weight, eps, ndim):
    """x over the root of its mean square over the last ``ndim`` axes; also 1 / that root."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    rstd = _rstd(x, axes, eps)
    return (x * rstd if weight is None else x * rstd * weight), rstd


@promoting()
def rms_norm_backward(g, x, weight, rstd, ndim):
    """The cotangents of x and of the weight."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = x * rstd
    gx = g if weight is None else g * weight
    dx = (gx - xhat * (gx * xhat).mean(axis=axes, keepdims=True)) * rstd
    return dx, (g * xhat).sum(axis=lead)


def update_running_stats(running_mean, running_var, mean, var, count, momentum):
    """Move the running statistics, where given, towards a batch's of ``count`` values, in place."""
    if running_mean is not None:
        running_mean += momentum * (mean - running_mean)
    if running_var is not None:
        running_var += momentum * (var * (count / (count - 1 or 1)) - running_var)


@promoting(but=("running_mean", "running_var"))
@of_real_numbers
def batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps):
    """Normalise each channel (axis 1); also the mean and 1 / standard deviation that were used.

    In training the running statistics, where given, are moved towards the batch's, in place.
    """
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    if training:
        mean = x.mean(axis=axes)
        centred = x - mean.reshape(channels)
        rstd = _rstd(centred, axes, eps).reshape(-1)
        with np.errstate(over="ignore", under="ignore"):
            var = np.square(centred).mean(axis=axes)
        count = x.size // (x.shape[1] or 1)
        update_running_stats(running_mean, running_var, mean, var, count, momentum)
    else:
        dtype = promoted((x.dtype, running_mean.dtype, running_var.dtype))
        mean, var = running_mean.astype(dtype), running_var.astype(dtype)
        centred = x - mean.reshape(channels)
        rstd = 1 / np.sqrt(var + var.dtype.type(eps))
    out = centred * rstd.reshape(channels)
    if weight is not None:
        out = out * weight.reshape(channels)
    if bias is not None:
        out = out + bias.reshape(channels)
    return out, mean, rstd


@promoting()
def batch_norm_backward(g, x, weight, mean, rstd, training):
    """The cotangents of x, of the weight and of the bias."""
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    xhat = (x - mean.reshape(channels)) * rstd.reshape(channels)
    dweight, dbias = (g * xhat).sum(axis=axes), g.sum(axis=axes)
    dx = g
    if training:
        count = x.size // (x.shape[1] or 1) or 1
        dx = g - (dbias / count).reshape(channels) - xhat * (dweight / count).reshape(channels)
    factor = rstd if weight is None else rstd * weight
    return dx * factor.reshape(channels), dweight, dbias
