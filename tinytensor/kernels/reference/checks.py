"""What twins refuse. No kernels."""

from functools import wraps

import numpy as np

__all__ = ["COMPLEX", "check_lengths", "check_targets", "of_real_numbers"]


COMPLEX = (np.dtype(np.complex64), np.dtype(np.complex128))


def of_real_numbers(kernel):
    """The kernel, refusing complex numbers, of which it would have no gradient."""

    @wraps(kernel)
    def checked(*args, **kwargs):
        if any(getattr(x, "dtype", None) in COMPLEX for x in args):
            raise TypeError("complex numbers, where only real ones have a meaning")
        return kernel(*args, **kwargs)

    return checked


def check_targets(name, target, classes, ignore_index):
    """Raise unless every target is a class, or ``ignore_index``."""
    bad = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bad.any():
        raise IndexError(f"{name}: target holds {target[bad][0]}, outside [0, {classes})")


def check_lengths(params, *others):
    if {len(arrays) for arrays in others if arrays is not None} != {len(params)}:
        raise ValueError("the lists of parameters, gradients and states differ in length")
