"""Float32 kernels beside their NumPy twins: the numbers to try, and how near the two must be."""

from __future__ import annotations

import numpy as np

from tinytensor import kernels
from tinytensor.kernels import reference


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(got, expected, tolerance=2e-5, floor=1e-3):
    """Within ``tolerance`` of the largest value, or of ``floor`` if terms of that size cancel."""
    got, expected = (x if isinstance(x, tuple) else (x,) for x in (got, expected))
    for a, b in zip(got, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = np.abs(b).max(initial=floor)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


def assert_like_twin(name, *args, **bounds):
    expected = getattr(reference, name)(*args)
    assert_close(getattr(kernels, name)(*args), expected, **bounds)
    return expected
