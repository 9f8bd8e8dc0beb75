"""Reductions over axes: sums, means, extremes, spreads, and running sums.

``axis`` is a number, a tuple of numbers, or None for all axes; negative ones count from the end.
With ``keepdims`` the reduced axes stay, of size 1.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from .. import kernels
from ..errors import DtypeError, ShapeError
from ..kernels.reference import scaling
from ..kernels.reference.checks import own_axis
from .annotations import ArrayLike, Axes, Dtype, Tensor
from .arithmetic import subtract
from .batching import along_axis, elementwise, rank, shifted, with_own_axis
from .batching import reduction as over_lanes
from .checks import axis_index
from .composed import composed, computed
from .declared import op
from .elementary import exp
from .logic import equal, isclose, not_equal, where
from .precision import cast
from .shape import astype, clone, concat, permute_dims, reshape
from .spelling import with_settings

__all__ = [
    "all",
    "allclose",
    "any",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]

# --- Sums and means ---------------------------------------------------------------------------


@op(kernel=kernels.reduce_sum)
def sum(x: ArrayLike, axis: Axes = None, keepdims: bool = False, dtype: Dtype = None) -> Tensor:
    """Σ x; added up as ``dtype``, if one is given. Small integers become int64 or uint64.

    >>> import tinytensor as tt
    >>> tt.sum(tt.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([3., 7.])
    """


@op(view=True, kernel=kernels.expand)
def expand(g, shape, axis, keepdims):
    """g repeated along the axes that a sum from ``shape`` takes away: the transpose of ``sum``."""


sum.grad(x=lambda g, x_shape, axis, keepdims: expand(g, x_shape, axis, keepdims))
expand.grad(g=lambda gg, axis, keepdims: sum(gg, axis, keepdims))


@op(kernel=kernels.mean)
def mean(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Σ x / n, of the elements as ``dtype`` if one is given, a floating or complex one; NaN for
    no elements."""


def _mean_to_x(g, x_shape, axis, keepdims):
    return expand(g / _count(x_shape, g), x_shape, axis, keepdims)


def _count(from_shape, reduced):
    """How many elements went into each of ``reduced``."""
    return math.prod(from_shape) / builtins.max(math.prod(reduced.shape), 1)


@op
def _mean_as(
    x: ArrayLike, axis: Axes = None, keepdims: bool = False, dtype: Dtype = None
) -> Tensor:
    if dtype is not None:
        x = np.asarray(x).astype(dtype, copy=False)
        if x.dtype.kind in "biu":
            raise DtypeError(f"mean: dtype is a floating or a complex one, not {x.dtype}")
    return kernels.mean(x, axis, keepdims)


mean.grad(x=_mean_to_x)
_mean_as.grad(x=_mean_to_x)
with_settings(mean, _mean_as)


@op
def prod(x: ArrayLike, axis: Axes = None, keepdims: bool = False, dtype: Dtype = None) -> Tensor:
    """Π x, of the elements as ``dtype`` if one is given. The gradients are right also where
    elements are 0."""
    if dtype is not None:
        x = np.asarray(x).astype(dtype, copy=False)
        return kernels.prod(x, axis, keepdims).astype(dtype, copy=False)
    return kernels.prod(x, axis, keepdims)


def _prod_by_halves(x, axis, keepdims, dtype):
    """The product in pairs: an element's derivative is the product of the others, without 1/x."""
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [a % x.ndim for a in given if x.ndim]
    others = [a for a in range(x.ndim) if a not in axes]
    kept = [1 if a in axes else n for a, n in enumerate(x.shape)]
    x = permute_dims(x if dtype is None else cast(x, dtype), (*others, *axes))
    x = reshape(x, (*x.shape[: len(others)], math.prod(x.shape[len(others) :])))
    if x.shape[-1] == 0:
        x = sum(x, -1, True)  # of no elements, to which no gradient can go
    odd = None
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        if x.shape[-1] % 2:
            last = x[..., -1:]
            odd = last if odd is None else odd * last
        x = x[..., :half] * x[..., half : 2 * half]
    x = x if odd is None else x * odd
    return reshape(x, kept if keepdims else [x.shape[i] for i in range(len(others))])


prod.defined_by(_prod_by_halves)

# --- Extremes ---------------------------------------------------------------------------------


@op
def max(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest element; NaN if one is NaN. Equal largest elements share the gradient."""
    return kernels.amax(x, axis, keepdims)


@op
def min(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest element; NaN if one is NaN. Equal smallest elements share the gradient."""
    return kernels.amin(x, axis, keepdims)


@op
def _extreme_shares(x, extreme, axis, keepdims):
    """1/k at each of the k elements that equal the extreme of their lane, otherwise 0."""
    hits = kernels.matches(x, kernels.expand(extreme, np.shape(x), axis, keepdims))
    counts = kernels.reduce_sum(hits, axis, True)
    return hits if (counts == 1).all() else kernels.divide(hits, counts)


def _extreme_to_x(g, x, out, axis, keepdims):
    shares = _extreme_shares(x, out, axis, keepdims)
    return expand(g, shares.shape, axis, keepdims) * shares


max.grad(x=_extreme_to_x)
min.grad(x=_extreme_to_x)


@op
def argmax(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the first largest element (of all elements in a row where axis is None)."""
    return kernels.argmax(x, axis, keepdims)


@op
def argmin(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the first smallest element (of all elements in a row where axis is None)."""
    return kernels.argmin(x, axis, keepdims)


@op
@own_axis
def any(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether one element is true (not 0)."""
    return np.any(x, axis=axis, keepdims=keepdims)


@op
@own_axis
def all(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true (not 0)."""
    return np.all(x, axis=axis, keepdims=keepdims)


@composed
def allclose(
    a: ArrayLike,
    b: ArrayLike,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> bool:
    """Whether :func:`isclose` is true of all elements, as True or False of Python.

    >>> import tinytensor as tt
    >>> tt.allclose(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 2.000001]))
    True
    """
    return bool(all(isclose(a, b, rtol, atol, equal_nan)))


# --- Spreads ----------------------------------------------------------------------------------


@op
def var(x: ArrayLike, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance, Σ (x − mean)² / (n − correction). NumPy's default is 0, PyTorch's 1."""
    return kernels.var(x, axis, correction, keepdims)


def _share(x, g, correction):
    """What var multiplies each square by."""
    over = builtins.max(_count(x.shape, g) - correction, 0.0)
    return 1 / over if over else math.inf


def _var_to_x(g, x, axis, correction, keepdims):
    scale = 2 * _share(x, g, correction)
    return expand(scale * g, x.shape, axis, keepdims) * (x - mean(x, axis, True))


var.grad(x=_var_to_x)


@op
def powers_near(sizes):
    """The powers of two near sizes, such as deviations, whose squares leave the range of their
    dtype, by which it is exact to divide; 1 for sizes in it. A constant."""
    return scaling.powers_near(np.asarray(sizes))


powers_near.batched(elementwise)


@op
def std(x: ArrayLike, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation, √(Σ (x − mean)² / (n − correction)). Where it is 0, so is the
    gradient."""
    return kernels.std(x, axis, correction, keepdims)


@op
def std_backward(g, x, y, axis, correction, keepdims):
    """g (x − mean) / (y (n − correction)), and 0 where y, the standard deviation, is 0."""
    g, y = np.asarray(g), np.asarray(y)
    flat = y == 0
    share, y = np.where(flat, 0, g * g.dtype.type(_share(x, g, correction))), np.where(flat, 1, y)
    with np.errstate(all="ignore"):
        inverse = np.asarray(1 / y)
        scale = np.asarray(share * inverse)
    sizes = np.where(share == 0, 1, abs(scale))
    if kernels.in_range(inverse) and kernels.in_range(sizes):
        deviations = kernels.subtract(x, kernels.mean(x, axis, True))
    else:
        power = scaling.powers_near(y)
        x = x / kernels.expand(power, x.shape, axis, keepdims)
        over = kernels.expand(y / power, x.shape, axis, keepdims)
        deviations, scale = (x - kernels.mean(x, axis, True)) / over, share
    scale = kernels.expand(np.asarray(scale, g.dtype), x.shape, axis, keepdims)
    return kernels.multiply(scale, deviations)


def _std_backward(g, x, y, axis, correction, keepdims):
    """By deviations over y, not g over y, whose derivatives leave the range before these do."""
    flat, power = equal(y, 0), powers_near(y)
    x = x / expand(power, x.shape, axis, keepdims)
    over = expand(where(flat, 1.0, y / power), x.shape, axis, keepdims)
    scale = expand(where(flat, 0.0, g * _share(x, g, correction)), x.shape, axis, keepdims)
    return scale * ((x - mean(x, axis, True)) / over)


std_backward.defined_by(_std_backward)
std.grad(
    x=lambda g, x, out, axis, correction, keepdims: std_backward(
        g, x, out, axis, correction, keepdims
    )
)


@op(residuals=("lse",))
def logsumexp(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """log Σ eˣ, without overflow; −inf where all x are −inf."""
    return kernels.logsumexp(x, axis, keepdims)


@op
def logsumexp_backward(g, x, lse, axis=None, keepdims=False):
    """g exp(x) / Σ exp(x): the cotangent of x from that of log Σ eˣ, 0 where that is −inf. ``lse``
    holds the largest x and Σ exp(x − largest)."""
    return kernels.logsumexp_backward(g, x, lse, axis, keepdims)


def _logsumexp_backward(g, x, lse, axis, keepdims):
    values = lse if isinstance(lse, np.ndarray) else lse.value
    top = values[0, ...]  # a constant, as it cancels; an array, as a scalar would be weak
    e = exp(x - expand(top, x.shape, axis, keepdims))
    total = sum(e, axis, True)
    share = e / where(equal(total, 0), 1.0, total)
    return expand(g, x.shape, axis, keepdims) * share


logsumexp.grad(x=lambda g, x, lse, axis, keepdims: logsumexp_backward(g, x, lse, axis, keepdims))
logsumexp_backward.defined_by(_logsumexp_backward)

# --- Running sums -----------------------------------------------------------------------------


@op
def cumsum(
    x: ArrayLike, axis: int | None = None, reverse: bool = False, dtype: Dtype = None
) -> Tensor:
    """The sum of the elements up to each, along one axis; with ``reverse`` from each to the end.
    They are added up as ``dtype``, if one is given.

    ``axis`` may be left out where x has one axis.

    >>> import tinytensor as tt
    >>> tt.cumsum(tt.tensor([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.])
    """
    if axis is None:
        if np.ndim(x) != 1:
            raise ShapeError(f"cumsum: axis must be given, x is {np.shape(x)}")
        axis = -1
    if dtype is None:
        return kernels.cumsum(x, axis, reverse)
    x = np.asarray(x).astype(dtype, copy=False)
    return kernels.cumsum(x, axis, reverse).astype(dtype, copy=False)


cumsum.grad(x=lambda g, axis, reverse: cumsum(g, axis, not reverse))


@op
def cumprod(x: ArrayLike, axis: int, dtype: Dtype = None) -> Tensor:
    """The product of the elements up to each, along one axis, of the elements as ``dtype`` if one
    is given."""
    axis = axis_index("cumprod", axis, np.ndim(x))
    if dtype is None:
        return kernels.cumprod(x, axis)
    return kernels.cumprod(np.asarray(x).astype(dtype, copy=False), axis).astype(dtype, copy=False)


@own_axis
def _cumprod_by_doubling(x, axis, dtype):
    """Products of runs of 1, 2, 4 … elements that end at each: no division, so zeros are right."""
    x = x if dtype is None else cast(x, dtype)
    axis %= x.ndim
    before, run = (slice(None),) * axis, 1
    while run < x.shape[axis]:
        head, tail = x[(*before, slice(0, run))], x[(*before, slice(run, None))]
        x = concat([head, tail * x[(*before, slice(0, -run))]], axis)
        run *= 2
    return x


cumprod.defined_by(_cumprod_by_doubling)


@own_axis
def _cumulative(x: Any, axis: Any, name: str, of: Any, dtype: Any, first: int | None) -> Any:
    """Running sums or products as the standard wants them."""
    if axis is None:
        if x.ndim != 1:
            raise ShapeError(f"{name}: axis must be given, x is {x.shape}")
        axis = 0
    axis = axis_index(name, axis, x.ndim)
    if dtype is not None:
        x = astype(x, dtype)
    out = of(x, axis)
    if dtype is not None and out.dtype != dtype:  # NumPy adds small integers as larger ones
        out = astype(out, dtype)
    if first is None:
        return out
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return concat([np.full(shape, first, out.dtype), out], axis)


@composed
def cumulative_sum(
    x: ArrayLike, axis: int | None = None, dtype: Dtype = None, include_initial: bool = False
) -> Tensor:
    """The sum of the elements up to each, along one axis; with ``include_initial`` behind a 0.

    ``axis`` may be left out where x has one axis. Elements are added as ``dtype``, if one is given.

    >>> import tinytensor as tt
    >>> tt.cumulative_sum(tt.tensor([1.0, 2.0, 3.0]), include_initial=True)
    tensor([0., 1., 3., 6.])
    """
    return _cumulative(x, axis, "cumulative_sum", cumsum, dtype, 0 if include_initial else None)


@composed
def cumulative_prod(
    x: ArrayLike, axis: int | None = None, dtype: Dtype = None, include_initial: bool = False
) -> Tensor:
    """The product of the elements up to each, along one axis; with ``include_initial`` behind a 1.

    Arguments as of :func:`cumulative_sum`. The gradients are right also where elements are 0.
    """
    return _cumulative(x, axis, "cumulative_prod", cumprod, dtype, 1 if include_initial else None)


@computed
def diff(
    x: ArrayLike,
    n: int = 1,
    axis: int = -1,
    prepend: ArrayLike | None = None,
    append: ArrayLike | None = None,
) -> Tensor:
    """The differences of neighbours along ``axis``, taken n times; ``prepend`` and ``append`` are
    put before and behind x first.

    >>> import tinytensor as tt
    >>> tt.diff(tt.tensor([1.0, 4.0, 9.0]))
    tensor([3., 5.])
    """
    axis = axis_index("diff", axis, x.ndim, of_numbers=False)
    if not isinstance(n, int) or n < 0:
        raise ShapeError(f"diff: n must be a number of times, not {n!r}")
    if n == 0:
        return clone(x)
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = concat(parts, axis)
    before = (slice(None),) * axis
    minus = not_equal if x.dtype == bool else subtract  # as NumPy has it
    for _ in range(builtins.min(n, x.shape[axis])):  # then there is nothing left
        x = minus(x[(*before, slice(1, None))], x[(*before, slice(None, -1))])
    return x


# --- Lanes of a vmap --------------------------------------------------------------------------

for _op in (sum, mean, _mean_as, prod, max, min, any, all, var, std, logsumexp):
    _op.batched(over_lanes)
cumprod.batched(along_axis())


def _expand_lanes(op, args, mapped, static):
    g, shape, axis, keepdims = args
    axis = shifted(op, axis, len(shape), True)
    return op(g, (g.shape[0], *shape), axis, keepdims) if shape else g


def _shares_of_lanes(op, args, mapped, static):
    x, extreme, axis, keepdims = args
    if not builtins.all(mapped[:2]):
        return NotImplemented
    if x.ndim == 1:
        axis = shifted(op, axis, 0, True) or (1,)
        return op(x.reshape(len(x), 1), extreme, axis, False).reshape(len(x))
    return op(x, extreme, shifted(op, axis, x.ndim - 1), keepdims)


def _index_of_lanes(op, args, mapped, static):
    x, axis, keepdims = args
    ndim = x.ndim - 1
    if axis is not None:
        return op(x, shifted(op, axis, ndim), keepdims)
    found = op(x.reshape(x.shape[0], math.prod(x.shape[1:])), 1, False)
    return found.reshape(x.shape[0], *(1,) * ndim) if keepdims else found


def _cumsum_of_lanes(op, args, mapped, static):
    x, axis, reverse, dtype = args
    if axis is None and rank(x, True) != 1:
        return NotImplemented
    return op(x, shifted(op, -1 if axis is None else axis, x.ndim - 1), reverse, dtype)


expand.batched(_expand_lanes)
_extreme_shares.batched(_shares_of_lanes)
argmax.batched(with_own_axis(_index_of_lanes))
argmin.batched(with_own_axis(_index_of_lanes))
cumsum.batched(with_own_axis(_cumsum_of_lanes))
