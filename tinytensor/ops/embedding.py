"""Looking up rows of a table."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .batching import elementwise, lanes_of, unfolded, with_lanes
from .checks import floating, integers
from .declared import op
from .logic import where
from .shape import reshape

__all__ = [
    "embedding",
]


@op(residuals=("rows",))
def embedding(indices: ArrayLike, weight: ArrayLike, padding_idx: int | None = None) -> Tensor:
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


@op(view=True)
def with_shares(x, shares):
    """x, of whose gradient ``shares`` counts."""
    return x


with_shares.grad(x=lambda g, shares: g * shares, shares=None)


# --- Lanes of a vmap: the tables of all lanes are one ------------------------------------------


@op
def _rows_of_lanes(indices, rows):
    """The indices (lanes, …) into tables of ``rows`` as those into all tables, one on another."""
    indices = integers("embedding", "indices", indices)
    if indices.size and not 0 <= indices.min() <= indices.max() < rows:
        raise IndexError(f"embedding: an index is outside of the {rows} rows of weight")
    return indices + rows * np.arange(len(indices)).reshape(-1, *(1,) * (indices.ndim - 1))


_rows_of_lanes.__name__ = embedding.__name__  # for its errors


def _embedding_lanes(op, args, mapped, static):
    (indices, weight, padding_idx), lanes = args, lanes_of(args, mapped)
    if not mapped[1]:
        return op(*args)
    if weight.ndim != 3 or not -weight.shape[1] <= (padding_idx or 0) < weight.shape[1]:
        return NotImplemented
    rows, width = weight.shape[1:]
    if padding_idx is not None:
        padding = np.arange(rows)[:, None] == padding_idx % rows
        weight = where(padding, weight.detach(), weight)
    indices = _rows_of_lanes(with_lanes(indices, mapped[0], lanes), rows)
    return op(indices, reshape(weight, (lanes * rows, width)))


def _embedding_backward_lanes(op, args, mapped, static):
    (g, indices, rows, padding_idx), lanes = args, lanes_of(args, mapped)
    indices = _rows_of_lanes(with_lanes(indices, mapped[1], lanes), rows)
    out = unfolded(op(with_lanes(g, mapped[0], lanes), indices, lanes * rows, None), lanes)
    if padding_idx is None:
        return out
    return where(np.arange(rows)[:, None] == padding_idx % rows, 0.0, out)


embedding.batched(_embedding_lanes)
with_shares.batched(elementwise)
embedding_backward.batched(_embedding_backward_lanes)
