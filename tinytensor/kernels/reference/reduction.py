"""Reductions and running sums. An axis is None (all), a number or a tuple of numbers."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .checks import of_real_numbers, own_axis
from .promotion import promoting
from .scaling import leaves_range, mean_in_range, power_of_two

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "expand",
    "in_range",
    "mean",
    "prod",
    "reduce_sum",
    "std",
    "var",
]


@own_axis
def reduce_sum(x, axis=None, keepdims=False, dtype=None):
    """Σ x; added up as ``dtype``, if one is given."""
    if dtype is None:
        return np.sum(x, axis=axis, keepdims=keepdims)
    x = np.asarray(x).astype(dtype, copy=False)
    return np.sum(x, axis=axis, keepdims=keepdims).astype(dtype, copy=False)


@promoting(floating=True)
@own_axis
def mean(x, axis=None, keepdims=False):
    """Σ x / n, also where the sum is out of range."""
    return mean_in_range(np.asarray(x), axis, keepdims)


@own_axis
def prod(x, axis=None, keepdims=False):
    return np.prod(x, axis=axis, keepdims=keepdims)


@of_real_numbers
@own_axis
def amax(x, axis=None, keepdims=False):
    return np.max(x, axis=axis, keepdims=keepdims)


@of_real_numbers
@own_axis
def amin(x, axis=None, keepdims=False):
    return np.min(x, axis=axis, keepdims=keepdims)


def in_range(squares):
    """Whether all of an array of sums of squares may be trusted: each is finite, and not so small
    that squares may have lost digits."""
    return not leaves_range(squares).any()


@promoting(floating=True)
@of_real_numbers
@own_axis
def var(x, axis=None, correction=0.0, keepdims=False):
    """The mean squared deviation from the mean, over n − correction instead of n."""
    found, scale = _scaled_var(x, axis, correction, keepdims)
    with np.errstate(over="ignore", under="ignore"):  # of the variance itself
        return found if scale is None else found * scale * scale


@promoting(floating=True)
@of_real_numbers
@own_axis
def std(x, axis=None, correction=0.0, keepdims=False):
    """The root of ``var``, also where the squares are out of range."""
    found, scale = _scaled_var(x, axis, correction, keepdims)
    return np.sqrt(found) if scale is None else np.sqrt(found) * scale


def _scaled_var(x, axis, correction, keepdims):
    """The variance of x / scale, and the scale; None for 1."""
    x = np.asarray(x)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = np.var(x, axis=axis, ddof=correction, keepdims=keepdims)
    bad = leaves_range(np.asarray(found))
    if x.size == 0 or not bad.any():
        return found, None
    if axis is not None and not keepdims:
        bad = np.expand_dims(bad, axis)
    scale = power_of_two(x, axis, bad)
    with np.errstate(invalid="ignore"):
        found = np.var(x / scale, axis=axis, ddof=correction, keepdims=keepdims)
    return found, scale if keepdims else np.squeeze(scale, axis)


@own_axis
def argmax(x, axis=None, keepdims=False):
    return np.argmax(x, axis=axis, keepdims=keepdims)


@own_axis
def argmin(x, axis=None, keepdims=False):
    return np.argmin(x, axis=axis, keepdims=keepdims)


@own_axis
def cumsum(x, axis, reverse=False):
    """The sums of the elements up to each along an axis; ``reverse``: from each to the end.

    They have the error of a sum in blocks: single precision is added up in double, and double in
    runs, to which the running sum of the runs before is added.
    """
    x = np.asarray(x)
    if reverse:
        return np.flip(cumsum(np.flip(x, axis), axis), axis)
    if x.dtype.kind not in "fc":
        return np.cumsum(x, axis=axis)
    if x.dtype in _DOUBLE:
        return _accumulated(np.cumsum, x, axis)
    (axis,) = normalize_axis_tuple(axis, x.ndim)
    x = np.moveaxis(x, axis, -1)
    whole = x.shape[-1] // _RUN * _RUN
    if whole <= _RUN:
        return np.ascontiguousarray(np.moveaxis(np.cumsum(x, axis=-1), -1, axis))
    out = np.empty(x.shape, x.dtype)
    runs = np.cumsum(x[..., :whole].reshape(*x.shape[:-1], -1, _RUN), axis=-1)
    before = cumsum(runs[..., -1], -1)
    runs[..., 1:, :] += before[..., :-1, None]
    out[..., :whole] = runs.reshape(*x.shape[:-1], whole)
    out[..., whole:] = np.cumsum(x[..., whole:], axis=-1) + before[..., -1:]
    return np.ascontiguousarray(np.moveaxis(out, -1, axis))


_RUN = 64
_DOUBLE = {
    np.dtype(single): double for single, double in [("f2", "f8"), ("f4", "f8"), ("c8", "c16")]
}


def _accumulated(function, x, axis):
    with np.errstate(over="ignore", invalid="ignore"):
        return function(x, axis=axis, dtype=_DOUBLE[x.dtype]).astype(x.dtype)


@own_axis
def cumprod(x, axis):
    """The products of the elements up to each along an axis, of single precision in double."""
    x = np.asarray(x)
    return _accumulated(np.cumprod, x, axis) if x.dtype in _DOUBLE else np.cumprod(x, axis=axis)


def expand(g, shape, axis=None, keepdims=False):
    """The transpose of sum: a read-only view of g, repeated along the axes that sum took away."""
    if not isinstance(shape, tuple):
        raise TypeError("shape must be a tuple of numbers")
    ndim = len(shape)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim or 1)
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    if np.shape(g) != tuple(kept if keepdims else [kept[i] for i in range(ndim) if i not in axes]):
        raise ValueError(f"a sum of {shape} over axis {axis} does not have the shape {np.shape(g)}")
    return np.broadcast_to(np.reshape(g, kept), shape)
