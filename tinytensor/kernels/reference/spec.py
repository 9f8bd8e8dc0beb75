"""What an array looks like: its shape and dtype, and whose memory it is."""

from functools import cache

import numpy as np

from ...dtypes import is_narrow

__all__ = ["has_spec", "one", "shares", "spec"]


FLOAT32 = np.dtype(np.float32)


def spec(x):
    """The shape and dtype of the cotangents of x. They are those of x; but of 16-bit floats the
    cotangents are float32, and the dtype of the gradient stands behind."""
    return (x.shape, FLOAT32, x.dtype) if is_narrow(x.dtype) else (x.shape, x.dtype)


def has_spec(x, wanted):
    """Whether x has the shape and dtype of the spec ``wanted``."""
    return (x.shape, x.dtype) == wanted[:2]


def shares(x, source):
    """Whether x, which was made of ``source``, is a view of it."""
    base = x.base
    if x is source or (base is not None and (base is source or base is source.base)):
        return True  # NumPy's answer would take its time
    return base is not None and np.may_share_memory(x, source)


@cache
def _one(dtype):
    """The number 1, which every backward pass starts from, made once."""
    one = np.ones((), dtype)
    one.flags.writeable = False
    return one


def one(x):
    """1 in the shape and dtype of x, which has one element; None if it has another number."""
    if x.size != 1:
        return None
    return np.ones_like(x) if x.ndim else _one(x.dtype)
