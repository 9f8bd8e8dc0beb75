"""Sums of squares whose squares leave the range of their dtype. No kernels.

The plain way is taken first. Where its sum is not finite, or so small that squares may have lost
digits, it is taken again of what is divided by a power of two near the largest element, which is
exact, and the result is multiplied back.
"""

import numpy as np

__all__ = ["leaves_range", "power_of_two"]


_LEAST = {np.dtype(t): np.dtype(t).type(np.finfo(t).tiny / np.finfo(t).eps) for t in ("f4", "f8")}


def leaves_range(squares):
    """Where a sum (or mean) of squares may not be trusted: where it is not finite, or below the
    smallest normal number over the spacing at 1."""
    return ~((squares > _LEAST[squares.dtype]) & (squares < np.inf))


def power_of_two(x, axis, where):
    """For each of the results along the axis (kept, of size 1) the power of two at or below its
    largest |x|; 1 where that is 0 or not finite, or ``where`` is false."""
    largest = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    plain = ~where | (largest == 0) | ~np.isfinite(largest)
    exponents = np.frexp(np.where(plain, 1, largest))[1] - 1
    return np.ldexp(np.ones((), largest.dtype), exponents)
