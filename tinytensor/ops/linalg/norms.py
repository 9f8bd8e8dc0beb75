"""Norms of vectors and matrices, and condition numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import kernels
from ...dtypes import is_real_floating
from ...errors import ShapeError
from ...kernels.reference.checks import own_axis
from ...kernels.reference.promotion import promoting
from ...kernels.reference.scaling import leaves_range, power_of_two
from ..annotations import ArrayLike, Dtype, Tensor
from ..arithmetic import _no_slope, abs, divide, sign
from ..batching import reduction as over_lanes
from ..checks import axis_index
from ..complex_numbers import conjugate_if_complex, real
from ..composed import computed
from ..declared import op
from ..elementary import pow
from ..logic import equal, greater, logical_or, where
from ..reduction import expand, max, min, sum
from ..searching import count_nonzero
from ..shape import (
    astype,
    expand_dims,
    moveaxis,
)
from .factorisations import inv_ex, svdvals

__all__ = [
    "cond",
    "matrix_norm",
    "norm",
    "vector_norm",
]


@op
@promoting(floating=True)
@own_axis
def _p_norm(x, axis, keepdims, ord):
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        powers = np.asarray(_powers(x, axis, keepdims, ord))
        if kernels.in_range(powers) or x.size == 0:
            return _root(powers, ord)
        bad = leaves_range(powers)
        if axis is not None and not keepdims:
            bad = np.expand_dims(bad, axis)
        scale = power_of_two(x, axis, bad)
        out = _root(_powers(x / scale, axis, keepdims, ord), ord)
        return out * (scale if keepdims else np.squeeze(scale, axis))


def _powers(x, axis, keepdims, ord):
    """Σ |x|ᵖ, where p is ``ord``."""
    if ord == 2 and is_real_floating(x):
        return kernels.reduce_sum(kernels.square(x), axis, keepdims)
    return np.sum(np.abs(x) ** ord, axis=axis, keepdims=keepdims)


def _root(powers, ord):
    return kernels.sqrt(powers) if ord == 2 else powers ** (1 / ord)


def _p_norm_to_x(g, x, out, axis, keepdims, ord):
    """g |y|ᵖ⁻² ȳ, where y = x / norm."""
    g, out = (expand(t, x.shape, axis, keepdims) for t in (g, out))
    none = equal(out, 0)
    y = x / where(none, 1.0, out)
    across = conjugate_if_complex(y)
    if ord > 0 and ord % 2 == 0:  # a polynomial, whose higher derivatives are not 0 where x is
        if ord > 2:
            across = across * pow(real(y * across), ord / 2 - 1)
        return g * where(none, 0.0, across)
    gone = logical_or(none, equal(y, 0))
    share = pow(where(gone, 1.0, abs(y)), ord - 1)
    return g * (where(gone, 0.0, share) * conjugate_if_complex(sign(y)))


_p_norm.batched(over_lanes).grad(x=_p_norm_to_x)


@computed
def vector_norm(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    ord: float = 2,
    dtype: Dtype = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over the axes of ``axis``, p = ``ord``; for ∞ the largest |x|, for −∞ the
    smallest, for 0 how many are not 0. Where x or the norm is 0, so is the gradient. With a
    ``dtype`` x is cast to it before."""
    x = x if dtype is None else astype(x, dtype)
    if ord in (math.inf, -math.inf):
        return _extreme(abs(x), axis, keepdims, ord > 0)
    if ord == 0:
        count = count_nonzero(x, axis, keepdims)
        if x.dtype.kind in "biu":
            return count
        found = astype(count, np.empty(0, x.dtype).real.dtype)
        return found + sum(_no_slope(abs(x)), axis, keepdims)  # 0, and a gradient of zeros
    if ord == 1:
        return sum(abs(x), axis, keepdims)
    return _p_norm(x, axis, keepdims, ord)


def _extreme(x: Any, axis: Any, keepdims: bool, largest: bool) -> Any:
    """The largest or smallest element; the largest of none is 0, as for a norm it should."""
    if not largest:
        return min(x, axis, keepdims)
    return max(x, axis, keepdims) if x.size else sum(x, axis, keepdims)


@computed
def matrix_norm(
    x: ArrayLike,
    ord: float | str | None = "fro",
    axis: tuple[int, int] = (-2, -1),
    keepdims: bool = False,
    dtype: Dtype = None,
) -> Tensor:
    """The norm of each matrix, in the two axes of ``axis``. ``ord`` is "fro" (or None) for √Σ|x|²,
    "nuc" for the sum of the singular values, 2 and −2 for the largest and smallest, 1 and −1 for
    the largest and smallest column sum of |x|, inf and -inf for those of the rows. With a ``dtype``
    x is cast to it before."""
    if x.ndim < 2:
        raise ShapeError(f"matrix_norm: needs matrices, but is given {x.shape}")
    if not isinstance(axis, tuple | list) or len(axis) != 2:
        raise ShapeError(f"matrix_norm: axis names two axes, not {axis!r}, of {x.shape}")
    if isinstance(ord, bool) or ord not in (None, "fro", "nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise ValueError(f"matrix_norm: there is no ord {ord!r}")
    rows, columns = (axis_index("matrix_norm", one, x.ndim) for one in axis)
    if rows == columns:
        raise ShapeError(f"matrix_norm: axis {axis} is one axis twice, of {x.shape}")
    x = x if dtype is None else astype(x, dtype)
    if ord in ("fro", None):
        return vector_norm(x, (rows, columns), keepdims)
    if (rows, columns) != (x.ndim - 2, x.ndim - 1):
        x = moveaxis(x, (rows, columns), (-2, -1))
    if ord == "nuc":
        out = sum(svdvals(x), -1)
    else:
        lengths = svdvals(x) if ord in (2, -2) else sum(abs(x), -2 if ord in (1, -1) else -1)
        out = _extreme(lengths, -1, False, float(ord or 0) > 0)
    return expand_dims(out, tuple(sorted((rows, columns)))) if keepdims else out


@computed
def norm(
    x: ArrayLike,
    ord: float | str | None = None,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    dtype: Dtype = None,
) -> Tensor:
    """The norm of vectors or matrices, as ``axis`` and ``ord`` say.

    One axis: :func:`vector_norm` of that order. Two, or two dimensions and no ``axis``:
    :func:`matrix_norm`. Without ``ord``: √Σ|x|² over ``axis``, which may be any, or over all.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[3.0, 0.0], [0.0, 4.0]])
    >>> tt.linalg.norm(x), tt.linalg.norm(x, 1), tt.linalg.norm(x, 2, axis=0)
    (tensor(5.), tensor(4.), tensor([3., 4.]))
    """
    axes = (axis,) if isinstance(axis, int) else axis
    if ord is None:
        return vector_norm(x, axes, keepdims, dtype=dtype)
    if axes is None:
        if x.ndim not in (1, 2):
            raise ShapeError(f"norm: of {x.shape}, an ord of {ord!r} needs the axis or two of it")
        axes = tuple(range(x.ndim))
    if len(axes) == 2:
        return matrix_norm(x, ord, axes, keepdims, dtype)
    if isinstance(ord, str) or len(axes) != 1:
        raise ShapeError(f"norm: ord {ord!r} is of matrices, but axis is {axis}, x {x.shape}")
    return vector_norm(x, axes, keepdims, ord, dtype)


@computed
def cond(x: ArrayLike, p: float | str | None = None) -> Tensor:
    """The condition number ‖x‖ ‖x⁻¹‖ of each matrix, in the :func:`matrix_norm` of order p.

    None is 2, the largest singular value by the smallest; −2 is the inverse of that. These two take
    matrices of any sides, the others square ones. Of a singular matrix it is ∞.
    """
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = s[..., 0], s[..., -1]
        if p == -2:
            return divide(smallest, largest)
        return where(equal(smallest, 0), math.inf, divide(largest, smallest))
    inverse, failed = inv_ex(x)
    product = matrix_norm(x, ord=p) * matrix_norm(inverse, ord=p)
    return where(greater(failed, 0), math.inf, product)


@computed
def norm_of_elements(
    x: ArrayLike,
    p: float | str | None = "fro",
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    dtype: Dtype = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over the axes of ``axis``, or over all: p = 2 of a matrix is its Frobenius
    norm, and not its largest singular value. ``p`` "nuc" is the sum of the singular values of
    matrices. (PyTorch's ``x.norm``.)

    >>> import tinytensor as tt
    >>> tt.tensor([[3.0, 0.0], [0.0, 4.0]]).norm(2)
    tensor(5.)
    """
    axes: Any = tuple(axis) if isinstance(axis, list) else axis
    if p == "nuc":
        return matrix_norm(x, "nuc", axes or (-2, -1), keepdims, dtype)
    if isinstance(p, str) and p != "fro":
        raise ValueError(f'norm: p must be a number, "fro" or "nuc", not {p!r}')
    order = 2 if p is None or isinstance(p, str) else p
    return vector_norm(x, None if axes == () else axes, keepdims, order, dtype)
