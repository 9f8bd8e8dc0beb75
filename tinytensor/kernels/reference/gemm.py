"""Matrix products."""

import numpy as np

from .promotion import mixing, promoting

__all__ = ["add_matmul", "linear", "matmul"]


@mixing
def matmul(a, b):
    """Σ_k a[…, i, k] b[…, k, j]; a vector is a row on the left, a column on the right."""
    return np.matmul(a, b)


def add_matmul(total, a, b):
    """The product of two matrices added to ``total``, in place."""
    total += np.matmul(a, b)
    return total


@promoting()
def linear(x, weight, bias=None, activation=None):
    """activation(x weightᵀ + bias); x (…, in), weight (out, in), bias (out,)."""
    out = np.matmul(x, weight.T)
    if bias is not None:
        out = out + bias
    if activation is None:
        return out
    if activation == "relu":
        return np.maximum(out, 0)
    raise ValueError(f"linear: activation must be None or 'relu', got {activation!r}")
