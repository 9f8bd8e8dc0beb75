"""Copies in C order, and views where a view will do."""

import numpy as np

__all__ = [
    "basic_index",
    "contiguous",
    "copy",
    "matrix_transpose",
    "permute_dims",
    "place",
    "reshape",
]


def copy(x):
    """A copy of x in C order."""
    return np.array(x, order="C")


def matrix_transpose(x):
    """A view of x with its last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def basic_index(x, index):
    """x[index] for an index of integers, slices, None and ``...``: a view."""
    picked = x[index]
    if not isinstance(picked, np.ndarray):  # one element: as a view too
        picked = x[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return picked


def permute_dims(x, axes=None):
    """x with its axes in another order: a view."""
    return np.asanyarray(x).transpose(axes)


def reshape(x, shape, copy=None):
    """The elements of x in another shape: a view where that can be, or as ``copy`` says."""
    x = np.array(x, order="C") if copy else np.asarray(x)
    out = np.reshape(x, shape)
    if copy is not None and x.size and not np.shares_memory(out, x):
        raise ValueError("reshape: these elements are not a view in another shape")
    return out


def place(g, index, shape):
    """Zeros of ``shape`` with g at ``[index]``, of integers, slices, None and ``...``."""
    out = np.zeros(shape, np.asarray(g).dtype)
    if np.shape(out[index]) != np.shape(g):
        raise ValueError(f"g is {np.shape(g)}, but its place is {np.shape(out[index])}")
    out[index] = g
    return out


def contiguous(x):
    """x itself if it is in C order, otherwise a copy that is."""
    return np.require(x, None, ["C", "A"])
