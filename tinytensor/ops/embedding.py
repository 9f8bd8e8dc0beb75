"""Looking up rows of a table."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..errors import ShapeError
from ..operation import op
from .checks import floating, integers
from .elementwise import where

__all__ = ["embedding"]


@op(residuals=("rows",))
def embedding(indices, weight, padding_idx=None):
    """The rows of weight (rows, width) at the integers ``indices`` (…): (…, width).

    An index outside [0, rows) is an error. The row ``padding_idx`` gets no gradient.

    >>> import tinytensor as tt
    >>> tt.embedding(tt.tensor([1, 0]), tt.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    indices = integers("embedding", "indices", indices)
    weight = floating("embedding", "weight", weight)
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight must be (rows, width), but is {weight.shape}")
    rows = len(weight)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise IndexError(f"embedding: padding_idx is {padding_idx}, but weight has {rows} rows")
    return kernels.embedding(indices, weight), rows


@op
def embedding_backward(g, indices, rows, padding_idx):
    """A table of zeros with the rows of g added at ``indices``, in their order."""
    return kernels.embedding_backward(
        g, integers("embedding", "indices", indices), rows, padding_idx
    )


def _embedding_of(g, indices, rows, padding_idx):
    """The adjoint of ``embedding_backward``."""
    picked = embedding(indices, g)
    if padding_idx is None:
        return picked
    padding = np.asarray(indices) == padding_idx % rows
    return where(padding[..., None], 0.0, picked)


embedding.grad(
    weight=lambda g, indices, rows, padding_idx: embedding_backward(g, indices, rows, padding_idx)
)
embedding_backward.grad(g=_embedding_of)
