"""Layer, RMS, group and batch normalisation."""

import math

import numpy as np

from ...dtypes import promoted
from .checks import of_real_numbers
from .promotion import promoting
from .scaling import leaves_range, mean_in_range, power_of_two, powers_near

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "group_norm",
    "group_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "rms_norm",
    "rms_norm_backward",
]


def _normalised(x, axes, eps, centred=True):
    """(x − mean) / √(var + eps), the mean and the factor over the axes, also where sums, squares
    or differences are out of range. Without ``centred`` the mean is taken as 0."""
    eps, scale = x.dtype.type(eps), None
    mean = mean_in_range(x, axes, keepdims=True) if centred else 0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        out = x - mean
        var = np.square(out).mean(axis=axes, keepdims=True)
    bad = leaves_range(var + eps)
    if x.size and bad.any():
        scale = power_of_two(x, axes, bad)
        with np.errstate(over="ignore", under="ignore"):
            out = x / scale - mean / scale
            var, eps = np.square(out).mean(axis=axes, keepdims=True), eps / scale / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        rstd = 1 / np.sqrt(var + eps)
        out *= rstd
    return out, mean, rstd if scale is None else rstd / scale


def _normalised_again(x, mean, rstd):
    """(x − mean) rstd, also where the difference is out of range."""
    power = powers_near(rstd)
    return (x * power - mean * power) * (rstd / power)


@promoting()
@of_real_numbers
def layer_norm(x, weight, bias, eps, ndim):
    """Normalise over the last ``ndim`` axes; also the mean and 1 / standard deviation."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    out, mean, rstd = _normalised(x, axes, eps)
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out, mean, rstd


@promoting()
def layer_norm_backward(g, x, weight, mean, rstd, ndim):
    """The cotangents of x, of the weight and of the bias."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = _normalised_again(x, mean, rstd)
    gx = g if weight is None else g * weight
    dx = gx - gx.mean(axis=axes, keepdims=True)
    dx -= xhat * (gx * xhat).mean(axis=axes, keepdims=True)
    return dx * rstd, (g * xhat).sum(axis=lead), g.sum(axis=lead)


@promoting()
def rms_norm(x, weight, eps, ndim):
    """x over the root of its mean square over the last ``ndim`` axes; also 1 / that root."""
    axes = tuple(range(x.ndim - ndim, x.ndim))
    out, _, rstd = _normalised(x, axes, eps, centred=False)
    return (out if weight is None else out * weight), rstd


@promoting()
def rms_norm_backward(g, x, weight, rstd, ndim):
    """The cotangents of x and of the weight."""
    lead, axes = tuple(range(x.ndim - ndim)), tuple(range(x.ndim - ndim, x.ndim))
    xhat = x * rstd
    gx = g if weight is None else g * weight
    dx = (gx - xhat * (gx * xhat).mean(axis=axes, keepdims=True)) * rstd
    return dx, (g * xhat).sum(axis=lead)


@promoting()
@of_real_numbers
def group_norm(x, groups, weight, bias, eps):
    """Normalise over each group of channels (axis 1); also their (N, groups) means and 1 / standard
    deviations."""
    out, mean, rstd = _normalised(_as_rows(x, groups), (2,), eps)
    out, channels = out.reshape(x.shape), (-1,) + (1,) * (x.ndim - 2)
    if weight is not None:
        out = out * weight.reshape(channels)
    if bias is not None:
        out = out + bias.reshape(channels)
    return out, mean[..., 0], rstd[..., 0]


def _as_rows(x, groups):
    return x.reshape(len(x), groups, math.prod(x.shape[1:]) // groups)


@promoting()
def group_norm_backward(g, x, weight, mean, rstd, groups):
    """The cotangents of x, of the weight and of the bias."""
    axes, channels = (0, *range(2, x.ndim)), (-1,) + (1,) * (x.ndim - 2)
    mean, rstd = mean[..., None], rstd[..., None]
    xhat = _normalised_again(_as_rows(x, groups), mean, rstd)
    h = _as_rows(g if weight is None else g * weight.reshape(channels), groups)
    dx = h - h.mean(axis=2, keepdims=True) - xhat * (h * xhat).mean(axis=2, keepdims=True)
    dweight = (g * xhat.reshape(x.shape)).sum(axis=axes)
    return (dx * rstd).reshape(x.shape), dweight, g.sum(axis=axes)


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
        out, mean, rstd = _normalised(x, axes, eps)
        with np.errstate(over="ignore", under="ignore"):
            var = np.square(x - mean).mean(axis=axes)
        mean, rstd = mean.reshape(-1), rstd.reshape(-1)
        count = x.size // (x.shape[1] or 1)
        update_running_stats(running_mean, running_var, mean, var, count, momentum)
    else:
        dtype = promoted((x.dtype, running_mean.dtype, running_var.dtype))
        mean, var = running_mean.astype(dtype), running_var.astype(dtype)
        rstd = 1 / np.sqrt(var + var.dtype.type(eps))
        out = (x - mean.reshape(channels)) * rstd.reshape(channels)
    if weight is not None:
        out = out * weight.reshape(channels)
    if bias is not None:
        out = out + bias.reshape(channels)
    return out, mean, rstd


@promoting()
def batch_norm_backward(g, x, weight, mean, rstd, training):
    """The cotangents of x, of the weight and of the bias."""
    axes, channels = (0, *range(2, x.ndim)), (1, -1) + (1,) * (x.ndim - 2)
    xhat = _normalised_again(x, mean.reshape(channels), rstd.reshape(channels))
    dweight, dbias = (g * xhat).sum(axis=axes), g.sum(axis=axes)
    dx = g
    if training:
        count = x.size // (x.shape[1] or 1) or 1
        dx = g - (dbias / count).reshape(channels) - xhat * (dweight / count).reshape(channels)
    factor = rstd if weight is None else rstd * weight
    return dx * factor.reshape(channels), dweight, dbias
