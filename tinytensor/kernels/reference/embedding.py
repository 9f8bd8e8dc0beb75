"""Embedding: rows of a table."""

import numpy as np

__all__ = ["embedding", "embedding_backward"]


def embedding(indices, weight):
    bad = (indices < 0) | (indices >= len(weight))
    if bad.any():
        raise IndexError(f"embedding: indices holds {indices[bad][0]}, outside [0, {len(weight)})")
    return weight[indices]


def embedding_backward(g, indices, rows, padding_idx):
    """Sum the rows of ``g`` into a zero table of ``rows`` rows, at ``indices``, in their order."""
    dweight = np.zeros((rows, *g.shape[indices.ndim :]), g.dtype)
    np.add.at(dweight, indices, g)
    if padding_idx is not None:
        dweight[padding_idx] = 0
    return dweight
