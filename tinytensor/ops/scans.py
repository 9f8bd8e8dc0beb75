"""Running extremes and log-sums along an axis, slopes, and integrals by the trapezoidal rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import REAL_OF, promoted
from ..engine.core import Variable
from ..errors import ShapeError
from ..kernels.reference.checks import of_real_numbers, own_axis
from ..kernels.reference.promotion import promoting
from .annotations import ArrayLike, Axes, Tensor
from .batching import along_axis
from .checks import axis_index
from .composed import composed, computed
from .declared import op
from .elementary import logaddexp
from .indexing import Picked, take_along_axis
from .operands import operand
from .reduction import cumsum, diff
from .reduction import sum as total
from .shape import concat, reshape

__all__ = [
    "cummax",
    "cummin",
    "cumulative_trapezoid",
    "gradient",
    "logcumsumexp",
    "trapezoid",
]

# --- Running extremes -------------------------------------------------------------------------


@op
@of_real_numbers
@own_axis
def _running_index(x, axis, largest):
    """Where the largest element up to each stands, the last of equals; of a NaN, where that is."""
    extreme = (np.maximum if largest else np.minimum).accumulate(x, axis)
    places = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - 1 - axis % x.ndim))
    return np.maximum.accumulate(np.where((x == extreme) | (x != x), places, 0), axis)


@composed
def cummax(x: ArrayLike, axis: int) -> Picked:
    """The largest element up to each along ``axis``, and its index, the last of equals; NaN from
    the first NaN on. The gradient goes to the elements at the indices.

    >>> import tinytensor as tt
    >>> tt.cummax(tt.tensor([1.0, 3.0, 2.0]), 0)
    Picked(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    return _running(x, axis_index("cummax", axis, x.ndim), True)


@composed
def cummin(x: ArrayLike, axis: int) -> Picked:
    """The smallest element up to each along ``axis``, and its index, as :func:`cummax`."""
    return _running(x, axis_index("cummin", axis, x.ndim), False)


def _running(x: Any, axis: int, largest: bool) -> Picked:
    indices = _running_index(x, axis, largest)
    return Picked(take_along_axis(x, indices, axis), indices)


# --- Running sums of exponentials -------------------------------------------------------------


@promoting(floating=True)
@of_real_numbers
@own_axis
def _accumulated(x, axis):
    with np.errstate(over="ignore"):
        return np.logaddexp.accumulate(x, axis, dtype=np.float64).astype(x.dtype, copy=False)


@op
def logcumsumexp(x: ArrayLike, axis: int) -> Tensor:
    """log Σ eˣ over the elements up to each along ``axis``, without overflow; −∞ where all are −∞.

    Gradient: to each element g times its share, e to the power of x less the sum, of every sum
    that it is in.

    >>> import tinytensor as tt
    >>> tt.logcumsumexp(tt.tensor([0.0, 0.0, 100.0]), 0)
    tensor([  0.       ,   0.6931472, 100.       ])
    """
    return _accumulated(x, axis_index("logcumsumexp", axis, np.ndim(x)))


@own_axis
def _by_doubling(x, axis):
    """Sums of runs of 1, 2, 4 … elements that end at each, each made of two."""
    axis %= x.ndim
    before, run = (slice(None),) * axis, 1
    while run < x.shape[axis]:
        head, tail = x[(*before, slice(0, run))], x[(*before, slice(run, None))]
        x = concat([head, logaddexp(tail, x[(*before, slice(0, -run))])], axis)
        run *= 2
    return x


logcumsumexp.defined_by(_by_doubling)

# --- Slopes -----------------------------------------------------------------------------------


@computed
def gradient(
    x: ArrayLike,
    spacing: float | Sequence[ArrayLike] | None = None,
    axis: Axes = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """The slopes of x along each ``axis``, all of them unless some are given: the derivative of the
    parabola through each element and its neighbours, and at the ends of the line, or with
    ``edge_order`` 2 of the parabola, through the next ones.

    ``spacing`` is the distance of neighbours, None for 1; or for each axis a distance, or the
    places of the elements.

    >>> import tinytensor as tt
    >>> tt.gradient(tt.tensor([0.0, 1.0, 4.0, 9.0]))
    (tensor([1., 2., 4., 5.]),)
    """
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, not {edge_order!r}")
    given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = [axis_index("gradient", a, x.ndim, of_numbers=False) for a in given]
    spacing = 1.0 if spacing is None else spacing
    spacings = spacing if isinstance(spacing, tuple | list) else [spacing] * len(axes)
    if len(spacings) != len(axes):
        raise ShapeError(f"gradient: {len(spacings)} spacings for {len(axes)} axes")
    return tuple(_slopes(x, s, a, edge_order) for s, a in zip(spacings, axes, strict=True))


def _slopes(x: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    count = x.shape[axis]
    if count <= edge_order:
        raise ShapeError(f"gradient: x is {x.shape}, of {count} elements along axis {axis}")
    places = np.asarray(spacing.detach() if isinstance(spacing, Variable) else spacing, float)
    places = places * np.arange(count) if places.ndim == 0 else places
    if places.shape != (count,):
        raise ShapeError(f"gradient: spacing is {places.shape}, and x {x.shape} along axis {axis}")
    before = (slice(None),) * axis
    dtype = promoted([x.dtype], floating=True)

    def weighted(part: slice, numbers: Any) -> Any:
        along = np.asarray(numbers, REAL_OF.get(dtype, dtype))
        return x[(*before, part)] * along.reshape((-1,) + (1,) * (x.ndim - 1 - axis))

    def end(first: int, at: int) -> Any:
        p = places[first : first + edge_order + 1]
        numbers = (
            _parabola(places[at], *p) if edge_order == 2 else np.array([-1, 1]) / (p[1] - p[0])
        )
        return total(weighted(slice(first, first + edge_order + 1), numbers), axis, True)

    parts = [end(0, 0), end(count - 1 - edge_order, -1)]
    if count > 2:
        a, b, c = places[:-2], places[1:-1], places[2:]
        left, middle, right = _parabola(b, a, b, c)
        inner = weighted(slice(0, -2), left) + weighted(slice(1, -1), middle)
        parts.insert(1, inner + weighted(slice(2, None), right))
    return concat(parts, axis)


def _parabola(at: Any, a: Any, b: Any, c: Any) -> list[Any]:
    """What the slope at a place multiplies the elements at three places by."""
    thirds = ((a, b, c), (b, a, c), (c, a, b))
    return [((at - q) + (at - r)) / ((p - q) * (p - r)) for p, q, r in thirds]


# --- Integrals --------------------------------------------------------------------------------


@computed
def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral of y along ``axis`` by the trapezoidal rule: half of each two neighbours' sum,
    times the distance of their places ``x``, which have one axis or broadcast with y, or times
    ``dx``, added up.

    >>> import tinytensor as tt
    >>> tt.trapezoid(tt.tensor([1.0, 2.0, 3.0]), tt.tensor([0.0, 1.0, 3.0]))
    tensor(6.5)
    """
    return total(*_trapezoids("trapezoid", y, x, dx, axis))


@computed
def cumulative_trapezoid(
    y: ArrayLike, x: ArrayLike | None = None, dx: float = 1.0, axis: int = -1
) -> Tensor:
    """The integrals of y up to each element but the first, as :func:`trapezoid`."""
    return cumsum(*_trapezoids("cumulative_trapezoid", y, x, dx, axis))


def _trapezoids(name: str, y: Any, x: Any, dx: float, axis: int) -> tuple[Any, int]:
    """Their areas, and along which axis they lie."""
    axis = axis_index(name, axis, y.ndim, of_numbers=False)
    before = (slice(None),) * axis
    twice = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    if x is None:
        return twice * (dx / 2), axis
    x = operand(name, x, y)
    behind = y.ndim - 1 - axis
    if x.ndim == 1:
        x = reshape(x, (x.shape[0],) + (1,) * behind)
    if x.ndim <= behind or x.shape[x.ndim - 1 - behind] != y.shape[axis]:
        raise ShapeError(f"{name}: x is {x.shape}, and y {y.shape}, along axis {axis}")
    return twice * diff(x, 1, x.ndim - 1 - behind) / 2, axis


for _op in (_running_index, logcumsumexp):
    _op.batched(along_axis())
