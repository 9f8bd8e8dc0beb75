"""Order statistics, sums and means of what is a number, and counts of equal elements.

``axis`` is a number, or None for all axes; negative ones count from the end. With ``keepdims`` the
axis stays, of size 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dtypes import is_floating, promoted
from ..engine.core import Variable
from ..errors import DtypeError, ShapeError
from ..kernels.reference.checks import of_real_numbers, own_axis
from .annotations import ArrayLike, Axes, Dtype, Interpolation, Tensor
from .arithmetic import divide, floor, lerp, round, subtract
from .batching import along_axis, refused
from .checks import axis_index, integers
from .composed import composed, computed
from .declared import op
from .indexing import Picked, take, take_along_axis
from .logic import equal, isinf, isnan, logical_not, logical_or, where
from .reduction import any, max, mean, min, std, sum, var
from .searching import sort
from .shape import astype, expand_dims, moveaxis, reshape, squeeze

__all__ = [
    "aminmax",
    "bincount",
    "histc",
    "histogram",
    "kthvalue",
    "median",
    "mode",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "quantile",
    "std_mean",
    "var_mean",
]

# --- Sums and means of what is a number -------------------------------------------------------


@computed
def nansum(x: ArrayLike, axis: Axes = None, keepdims: bool = False, dtype: Dtype = None) -> Tensor:
    """Σ x of the elements that are not NaN, to which the gradient goes.

    >>> import tinytensor as tt
    >>> tt.nansum(tt.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    return sum(where(isnan(x), 0.0, x) if is_floating(x) else x, axis, keepdims, dtype)


@computed
def nanmean(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The mean of the elements that are not NaN, to which the gradient goes; NaN of none."""
    if not is_floating(x):
        return mean(x, axis, keepdims)
    missing = isnan(x)
    kept = sum(logical_not(missing), axis, keepdims)
    with np.errstate(invalid="ignore"):
        return sum(where(missing, 0.0, x), axis, keepdims) / kept


class Extremes(NamedTuple):
    """The smallest and the largest element."""

    min: Tensor
    max: Tensor


@composed
def aminmax(x: ArrayLike, axis: Axes = None, keepdims: bool = False) -> Extremes:
    """The smallest and the largest element; gradients as of :func:`min` and :func:`max`.

    >>> import tinytensor as tt
    >>> tt.aminmax(tt.tensor([2.0, 1.0, 3.0]))
    Extremes(min=tensor(1.), max=tensor(3.))
    """
    return Extremes(min(x, axis, keepdims), max(x, axis, keepdims))


@composed
def var_mean(
    x: ArrayLike, axis: Axes = None, correction: float = 1, keepdims: bool = False
) -> tuple[Tensor, Tensor]:
    """The variance and the mean. ``correction`` is 1 unless it is given, as in PyTorch, which has
    this function; that of :func:`var` is 0, as the standard has it."""
    return var(x, axis, correction, keepdims), mean(x, axis, keepdims)


@composed
def std_mean(
    x: ArrayLike, axis: Axes = None, correction: float = 1, keepdims: bool = False
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean, as :func:`var_mean`."""
    return std(x, axis, correction, keepdims), mean(x, axis, keepdims)


# --- Elements of a rank -----------------------------------------------------------------------


@op
@of_real_numbers
def _index_of_rank(x, axis, rank):
    """Where the element stands that is number ``rank`` in order along ``axis``, NaN behind all
    others."""
    return np.argpartition(x, rank, axis).take([rank], axis)


@own_axis
def _picked(x: Any, axis: int, keepdims: bool, indices_of: Any) -> tuple[Any, Any]:
    """The elements at the indices that ``indices_of(x, axis)`` finds, and these."""
    indices = indices_of(x, axis)
    values = take_along_axis(x, indices, axis)
    return (values, indices) if keepdims else (squeeze(values, axis), squeeze(indices, axis))


def _elements(name: str, x: Any, axis: int) -> int:
    """How many elements there are along ``axis``; an error if none."""
    count = x.shape[axis] if x.ndim else 1
    if not count:
        raise ShapeError(f"{name}: x is {x.shape}, without elements along axis {axis}")
    return count


@composed
def kthvalue(x: ArrayLike, k: int, axis: int = -1, keepdims: bool = False) -> Picked:
    """The k-th smallest element along ``axis``, k from 1 on, and where it stands; NaN is the
    largest. The gradient goes to the element at the index.

    >>> import tinytensor as tt
    >>> tt.kthvalue(tt.tensor([3.0, 1.0, 2.0]), 2)
    Picked(values=tensor(2.), indices=tensor(2))
    """
    axis = axis_index("kthvalue", axis, x.ndim)
    if type(k) is not int or not 1 <= k <= (x.shape[axis] if x.ndim else 1):
        raise ShapeError(f"kthvalue: k is {k!r}, and axis {axis} of x that of {x.shape}")
    return Picked(*_picked(x, axis, keepdims, lambda x, a: _index_of_rank(x, a, k - 1)))


@computed
def median(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The element in the middle, in order; of an even number the mean of the two, as in NumPy:
    :func:`quantile` at 0.5, of integers too. NaN if there is one. (PyTorch's, the lower of the two,
    and its index are ``kthvalue(x, (n + 1) // 2, axis)``.)

    >>> import tinytensor as tt
    >>> tt.median(tt.tensor([3.0, 1.0, 2.0, 4.0]))
    tensor(2.5)
    """
    return _quantile("median", x if is_floating(x) else divide(x, 1), 0.5, axis, keepdims)


@computed
def nanmedian(x: ArrayLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The :func:`median` of the elements that are not NaN; NaN of none."""
    return _quantile("nanmedian", x if is_floating(x) else divide(x, 1), 0.5, axis, keepdims)


@op
@of_real_numbers
def _index_of_mode(x, axis):
    """Where the last of those elements stands that are most often along ``axis``, of equally
    frequent ones the smallest."""
    order = np.argsort(x, axis, kind="stable")
    ordered = np.moveaxis(np.take_along_axis(x, order, axis), axis, -1)
    starts = np.ones(ordered.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    places = np.arange(ordered.shape[-1])
    length = places - np.maximum.accumulate(np.where(starts, places, 0), -1)
    last = np.expand_dims(np.argmax(length, -1), axis)  # the run that gets farthest from its start
    return np.take_along_axis(order, last, axis)


@composed
def mode(x: ArrayLike, axis: int = -1, keepdims: bool = False) -> Picked:
    """The most frequent element along ``axis``, of equally frequent ones the smallest, and where
    the last such stands, to which the gradient goes.

    >>> import tinytensor as tt
    >>> tt.mode(tt.tensor([2, 1, 2, 1, 3]))
    Picked(values=tensor(1), indices=tensor(3))
    """
    axis = axis_index("mode", axis, x.ndim)
    _elements("mode", x, axis)
    return Picked(*_picked(x, axis, keepdims, _index_of_mode))


# --- Quantiles --------------------------------------------------------------------------------


@computed
def quantile(
    x: ArrayLike,
    q: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    interpolation: Interpolation = "linear",
) -> Tensor:
    """What a share q of the elements, from 0 to 1, is below: the element at q (n − 1) in order or,
    between two, what ``interpolation`` says. NaN if there is one. Several q make an axis in front.

    The gradient goes to the elements that the result is made of, and to q.

    >>> import tinytensor as tt
    >>> tt.quantile(tt.tensor([4.0, 1.0, 2.0, 3.0]), [0.5, 1.0])
    tensor([2.5, 4. ])
    """
    return _quantile("quantile", x, q, axis, keepdims, interpolation)


@computed
def nanquantile(
    x: ArrayLike,
    q: ArrayLike,
    axis: int | None = None,
    keepdims: bool = False,
    interpolation: Interpolation = "linear",
) -> Tensor:
    """The :func:`quantile` of the elements that are not NaN; NaN of none."""
    return _quantile("nanquantile", x, q, axis, keepdims, interpolation)


def _quantile(
    name: str, x: Any, q: Any, axis: int | None, keepdims: bool, interpolation: str = "linear"
) -> Any:
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"{name}: there is no interpolation {interpolation!r}")
    if not is_floating(x):
        raise DtypeError(f"{name}: x must be floating point, but is {x.dtype} of {x.shape}")
    q = q if isinstance(q, Variable) else np.asarray(q, x.dtype)
    if q.ndim > 1:
        raise ShapeError(f"{name}: q must be a number or have one axis, but has {q.shape}")
    shares = q
    while isinstance(shares, Variable):  # of one lane
        shares = shares.value
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"{name}: q must be from 0 to 1, not {shares}")
    places = reshape(q, (-1,))
    shape = [1] * x.ndim
    if axis is None:
        rows = reshape(x, (-1,))
    else:
        axis = axis_index(name, axis, x.ndim)
        shape = [n if i != axis else 1 for i, n in enumerate(x.shape)]
        rows = moveaxis(reshape(x, (1,)) if x.ndim == 0 else x, axis, -1)
    count = _elements(name, rows, -1)
    rows = sort(rows)
    missing = isnan(rows)
    if not name.startswith("nan"):
        found = _between(rows, places * (count - 1), interpolation)
        found = where(expand_dims(any(missing, -1), -1), np.nan, found)
    else:
        last = sum(logical_not(missing), -1, True) - 1
        places = places * astype(where(last < 0, 0, last), rows.dtype)
        found = _between(rows, places, interpolation)
    if not q.ndim:
        found = squeeze(found, -1)
        return reshape(found, tuple(shape)) if keepdims else found
    found = moveaxis(found, -1, 0)
    return reshape(found, (q.shape[0], *shape)) if keepdims else found


def _between(rows: Any, places: Any, interpolation: str) -> Any:
    """What stands at ``places``, which need not be whole, along the last axis of the rows."""
    below = floor(places)
    if interpolation == "nearest":
        places = round(places)
    elif interpolation == "lower":
        places = below
    elif interpolation != "linear":
        apart = 0.5 if interpolation == "midpoint" else 1.0
        places = where(equal(places, below), below, below + apart)
    below = floor(places)
    weight = subtract(places, below)
    low = _at(rows, below)
    if interpolation not in ("linear", "midpoint"):
        return low
    high = _at(rows, where(equal(weight, 0), below, below + 1))
    endless = logical_or(isinf(low), isinf(high))  # between which no step is a number
    return where(endless, low + high, lerp(low, high, weight))


def _at(rows: Any, places: Any) -> Any:
    places = astype(places, np.int64)
    return take(rows, places, -1) if places.ndim == 1 else take_along_axis(rows, places, -1)


# --- Counts -----------------------------------------------------------------------------------


@op
def bincount(x: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor:
    """How often each of the integers 0, 1, … is in x, which has one axis; with ``weights`` the sum
    of these. Gradient: by the weights, g at x.

    >>> import tinytensor as tt
    >>> tt.bincount(tt.tensor([0, 2, 2]), minlength=4)
    tensor([1, 0, 2, 0])
    """
    x = integers("bincount", "x", x)
    if weights is None:
        return np.bincount(x, None, minlength)
    if np.shape(weights) != x.shape:
        raise ShapeError(f"bincount: x is {x.shape}, but weights {np.shape(weights)}")
    found = np.bincount(x, weights, minlength)
    return found.astype(promoted([weights.dtype], floating=True), copy=False)


bincount.grad(weights=lambda g, x: take(g, x, 0))


@op
def histc(x: ArrayLike, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements are in each of ``bins`` equal parts of [min, max], in the dtype of x;
    between the smallest and the largest where both bounds are 0. It has no gradient."""
    if not is_floating(x):
        raise DtypeError(f"histc: x must be floating point, but is {x.dtype} of {np.shape(x)}")
    if min == max and np.size(x):
        min, max = np.min(x), np.max(x)
    if min == max:
        min, max = min - 1, max + 1
    return np.histogram(x, bins, (min, max))[0].astype(x.dtype)


class Histogram(NamedTuple):
    """How many elements are in each bin, and where the bins begin and end."""

    hist: Tensor
    bin_edges: Tensor


@op(outputs=2)
def _histogram(x, bins, range, weight, density):
    found, edges = np.histogram(x, bins, range, density, weight)
    return found.astype(x.dtype), edges.astype(x.dtype)


@computed
def histogram(
    x: ArrayLike,
    bins: ArrayLike = 10,
    range: tuple[float, float] | None = None,
    weight: ArrayLike | None = None,
    density: bool = False,
) -> Histogram:
    """How many elements, or how much of ``weight``, is in each of ``bins`` equal parts of
    ``range``, or between edges that are given, in the dtype of x; with ``density`` so that the
    integral is 1. Also the edges. It has no gradient.

    >>> import tinytensor as tt
    >>> tt.histogram(tt.tensor([0.0, 1.0, 1.5, 4.0]), 2)
    Histogram(hist=tensor([3., 1.]), bin_edges=tensor([0., 2., 4.]))
    """
    if not is_floating(x):
        raise DtypeError(f"histogram: x must be floating point, but is {x.dtype} of {x.shape}")
    return Histogram(*_histogram(x, bins, range, weight, density))


# --- Lanes of a vmap --------------------------------------------------------------------------


def _one_by_one(op, args, mapped, static):
    return NotImplemented


for _op in (_index_of_rank, _index_of_mode):
    _op.batched(along_axis())
bincount.batched(refused)
histc.batched(_one_by_one)
_histogram.batched(_one_by_one)
