"""Means, and sums of squares, whose terms leave the range of their dtype. No kernels.

The plain way is taken first. Where its sum is not finite, or so small that squares may have lost
digits, it is taken again of what is divided by a power of two near the largest element (or the
number of them, for a mean), which is exact, and the result is multiplied back.
"""

import numpy as np

__all__ = ["leaves_range", "mean_in_range", "power_of_two", "powers_near"]


def mean_in_range(x, axis, keepdims=False):
    """The mean; what comes out infinite or NaN is taken again of x over a power of two."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.asarray(np.mean(x, axis=axis, keepdims=keepdims))
    again = ~np.isfinite(found)
    if not again.any() or not x.size:
        return found[()]
    if x.dtype.kind == "c":
        found = np.empty(found.shape, found.dtype)
        found.real = mean_in_range(x.real, axis, keepdims)
        found.imag = mean_in_range(x.imag, axis, keepdims)
        return found[()]
    power = 2.0 ** (x.size // found.size).bit_length()
    small = np.asarray(np.mean(x / found.dtype.type(power), axis=axis, keepdims=keepdims))
    most = np.finfo(x.dtype).max / power  # that no mean is above, but for its rounding
    small = np.where(np.isfinite(small), np.clip(small, -most, most), small)
    return np.where(again, small * found.dtype.type(power), found).astype(found.dtype)[()]


def powers_near(sizes):
    """The powers of two at or below sizes whose squares leave the range of their dtype; 1 for
    others."""
    limit = np.finfo(sizes.dtype).maxexp // 2 - 14
    exponents = np.frexp(sizes)[1] - 1
    exponents = np.where(np.isfinite(sizes) & (np.abs(exponents) > limit), exponents, 0)
    return np.ldexp(np.ones((), sizes.dtype), exponents)


_LEAST_TRUSTED = {
    np.dtype(t): np.dtype(t).type(np.finfo(t).tiny / np.finfo(t).eps) for t in ("f4", "f8")
}


def leaves_range(squares):
    """Where a sum (or mean) of squares may not be trusted: where it is not finite, or below the
    smallest normal number over the spacing at 1."""
    return ~((squares > _LEAST_TRUSTED[squares.dtype]) & (squares < np.inf))


def power_of_two(x, axis, where):
    """For each of the results along the axis (kept, of size 1) the power of two at or below its
    largest |x|; 1 where that is 0 or not finite, or ``where`` is false."""
    largest = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    plain = ~where | (largest == 0) | ~np.isfinite(largest)
    exponents = np.frexp(np.where(plain, 1, largest))[1] - 1
    return np.ldexp(np.ones((), largest.dtype), exponents)
