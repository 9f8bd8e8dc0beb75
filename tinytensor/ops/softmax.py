"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np

from .. import kernels
from . import reduction
from .annotations import ArrayLike, Dtype, Tensor
from .batching import along_axis
from .checks import axis_index, floating
from .declared import op
from .elementary import exp

__all__ = [
    "log_softmax",
    "softmax",
]


@op
def softmax(x: ArrayLike, axis: int = -1, dtype: Dtype = None) -> Tensor:
    """exp(x) / Σ exp(x), the sum along ``axis``; of x cast to ``dtype``, if one is given.

    >>> import tinytensor as tt
    >>> tt.softmax(tt.tensor([0.0, 0.0, 0.0, 0.0]))
    tensor([0.25, 0.25, 0.25, 0.25])
    """
    x = floating("softmax", "x", x if dtype is None else np.asarray(x, dtype))
    return kernels.softmax(x, axis_index("softmax", axis, x.ndim))


@op
def softmax_backward(g, y, axis):
    """y · (g − Σ g · y)."""
    return kernels.softmax_backward(g, y, axis_index("softmax", axis, y.ndim))


softmax.batched(along_axis()).grad(x=lambda g, out, axis: softmax_backward(g, out, axis))
softmax_backward.batched(along_axis(2)).defined_by(
    lambda g, y, axis: y * (g - reduction.sum(g * y, axis, keepdims=True))
)


@op
def log_softmax(x: ArrayLike, axis: int = -1, dtype: Dtype = None) -> Tensor:
    """x − log Σ exp(x), the sum along ``axis``; stable where the exponentials are not. ``dtype`` as
    of :func:`softmax`.

    >>> import tinytensor as tt
    >>> tt.log_softmax(tt.tensor([1000.0, 0.0]))
    tensor([    0., -1000.])
    """
    x = floating("log_softmax", "x", x if dtype is None else np.asarray(x, dtype))
    return kernels.log_softmax(x, axis_index("log_softmax", axis, x.ndim))


@op
def log_softmax_backward(g, y, axis):
    """g − exp(y) Σ g."""
    return kernels.log_softmax_backward(g, y, axis_index("log_softmax", axis, y.ndim))


log_softmax.batched(along_axis()).grad(x=lambda g, out, axis: log_softmax_backward(g, out, axis))
log_softmax_backward.batched(along_axis(2)).defined_by(
    lambda g, y, axis: g - exp(y) * reduction.sum(g, axis, keepdims=True)
)
