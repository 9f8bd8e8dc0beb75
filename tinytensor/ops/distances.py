"""How far vectors are from each other, the cosine between them, and bounds of their lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.core import Variable
from ..errors import ShapeError
from . import reduction
from .annotations import ArrayLike, Tensor
from .arithmetic import maximum, square
from .checks import axis_index, number, real_floats
from .composed import computed, tensor
from .elementary import sqrt
from .indexing import take
from .linalg import vector_norm
from .logic import greater, where
from .shape import broadcast_to

__all__ = [
    "cosine_similarity",
    "dist",
    "pairwise_distance",
    "pdist",
    "renorm",
]


def at_least(x: Any, least: float) -> Any:
    """max(x, least), with the gradient of x everywhere."""
    fixed = x.detach() if isinstance(x, Variable) else x
    return x + (maximum(fixed, least) - fixed)


@computed
def cosine_similarity(x1: ArrayLike, x2: ArrayLike, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """Σ x1 x2 / (‖x1‖ ‖x2‖) along ``axis``; norms less than ``eps`` count as it.

    >>> import tinytensor as tt
    >>> tt.cosine_similarity(tt.tensor([1.0, 0.0]), tt.tensor([1.0, 1.0]), axis=0)
    tensor(0.70710677)
    """
    x2 = tensor(x2, x1)
    for name, x in (("x1", x1), ("x2", x2)):
        real_floats("cosine_similarity", name, x)
    if (x1.ndim == 0) != (x2.ndim == 0):
        raise ShapeError(f"cosine_similarity: needs vectors: x1 is {x1.shape}, x2 {x2.shape}")
    eps = number("cosine_similarity", "eps", eps, 0)
    if x1.shape != x2.shape:  # they broadcast, and the axis is one of both
        shape = np.broadcast_shapes(x1.shape, x2.shape)
        x1, x2 = broadcast_to(x1, shape), broadcast_to(x2, shape)
    lengths = (at_least(vector_norm(x, axis, True), eps) for x in (x1, x2))
    unit1, unit2 = (x / length for x, length in zip((x1, x2), lengths, strict=True))
    return reduction.sum(unit1 * unit2, axis)


def cosine_of(a: Any, b: Any) -> Any:
    """The cosine along the last axis, with 10⁻¹² added to the squared lengths: it is smooth."""
    first, second = (reduction.sum(square(x), -1) + 1e-12 for x in (a, b))
    return reduction.sum(a * b, -1) / sqrt(first * second)


@computed
def pairwise_distance(
    x1: ArrayLike, x2: ArrayLike, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False
) -> Tensor:
    """‖x1 − x2 + eps‖ along the last axis, the p-norm.

    >>> import tinytensor as tt
    >>> tt.pairwise_distance(tt.tensor([[3.0, 0.0]]), tt.tensor([[0.0, 4.0]]), eps=0.0)
    tensor([5.])
    """
    x2 = tensor(x2, x1)
    for name, x in (("x1", x1), ("x2", x2)):
        real_floats("pairwise_distance", name, x, or_complex=True)
    if not x1.ndim or not x2.ndim:
        raise ShapeError(f"pairwise_distance: needs vectors: x1 is {x1.shape}, x2 {x2.shape}")
    p, eps = (number("pairwise_distance", name, n) for name, n in (("p", p), ("eps", eps)))
    return vector_norm(x1 - x2 + eps, -1, keepdims, p)


@computed
def pdist(x: ArrayLike, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs i < j of rows of x (N, D), in a row.

    >>> import tinytensor as tt
    >>> tt.pdist(tt.tensor([[0.0], [1.0], [5.0]]))
    tensor([1., 5., 4.])
    """
    real_floats("pdist", "x", x)
    if x.ndim != 2:
        raise ShapeError(f"pdist: x must be (N, D), but is {x.shape}")
    p = number("pdist", "p", p, 0)
    first, second = np.triu_indices(x.shape[0], 1)
    return vector_norm(take(x, first, 0) - take(x, second, 0), -1, False, p)


@computed
def dist(a: ArrayLike, b: ArrayLike, p: float = 2.0) -> Tensor:
    """The p-norm of a − b, which broadcast, over all elements.

    >>> import tinytensor as tt
    >>> tt.dist(tt.tensor([3.0, 0.0]), tt.tensor([0.0, 4.0]))
    tensor(5.)
    """
    difference = a - tensor(b, a)
    real_floats("dist", "a - b", difference, or_complex=True)
    return vector_norm(difference, ord=number("dist", "p", p))


@computed
def renorm(x: ArrayLike, p: float, axis: int, maxnorm: float) -> Tensor:
    """x with each of its slices along ``axis`` whose p-norm is above ``maxnorm`` scaled down to it.

    >>> import tinytensor as tt
    >>> tt.renorm(tt.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0).round(decimals=4)
    tensor([[0.6, 0.8],
            [0.3, 0.4]])
    """
    real_floats("renorm", "x", x, or_complex=True)
    p, maxnorm = number("renorm", "p", p, 0), number("renorm", "maxnorm", maxnorm, 0)
    axis = axis_index("renorm", axis, x.ndim, of_numbers=False)
    if x.ndim < 2:
        raise ShapeError(f"renorm: x needs two axes at least, but is {x.shape}")
    lengths = vector_norm(x, tuple(a for a in range(x.ndim) if a != axis), True, p)
    above = greater(lengths, maxnorm)
    # PyTorch adds the same 10⁻⁷, which keeps what is rounded from being above.
    return x * where(above, maxnorm / (where(above, lengths, 1.0) + 1e-7), 1.0)
