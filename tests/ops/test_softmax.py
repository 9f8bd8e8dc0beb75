"""Softmax and logsumexp: kernels against twins at sizes where pieces and tails matter; extremes."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import reference

from ..twins import assert_like_twin, normal

SHAPES = [(3, 5), (1, 1), (7, 16), (4, 33), (2, 3, 100), (5, 0), (0, 5), (2, 9001), (700, 70)]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(isa, name, shape):
    x, g = normal(*shape), normal(*shape, seed=1)
    for axis in range(len(shape)):
        out = assert_like_twin(name, x, axis)
        assert_like_twin(f"{name}_backward", g, out, axis)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_extremes(isa, name):
    for row in ([300, -300, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1], [np.nan, 0, 1]):
        x = np.array([row], np.float32)
        np.testing.assert_allclose(
            getattr(kernels, name)(x, 1), getattr(reference, name)(x, 1), rtol=1e-6
        )


@pytest.mark.parametrize("shape", [(), *SHAPES], ids=str)
def test_logsumexp(isa, shape):
    x = normal(*shape)
    for axis in [None, *range(-len(shape), len(shape))]:
        for keepdims in (False, True):
            out = assert_like_twin("logsumexp", x, axis, keepdims)
            g = normal(*np.shape(out), seed=1)
            assert_like_twin("logsumexp_backward", g, x, out, axis, keepdims)


@pytest.mark.parametrize("axis", [0, 1])
def test_logsumexp_of_extremes(isa, axis):
    inf, nan = np.inf, np.nan
    rows = [[300, -300, 0], [-inf, 0, 1], [-inf] * 3, [inf, 0, 1], [inf, -inf, 0], [nan, inf, 0]]
    x = np.array(rows, np.float32)
    x = np.ascontiguousarray(np.pad(x, [(0, 0), (0, 50)], mode="edge") if axis else x.T)
    out, g = reference.logsumexp(x, axis), normal(6, seed=1)
    np.testing.assert_allclose(kernels.logsumexp(x, axis), out, rtol=1e-6)
    with np.errstate(all="ignore"):
        dx = reference.logsumexp_backward(g, x, out, axis)
    np.testing.assert_allclose(kernels.logsumexp_backward(g, x, out, axis), dx, rtol=1e-5)


def test_softmax_of_a_long_row_adds_up(isa):
    """float32 sums in runs: as exact as float64, to the last digits."""
    x = normal(1, 200_000)
    exact = reference.softmax(x.astype(np.float64), 1)
    np.testing.assert_allclose(kernels.softmax(x, 1), exact, rtol=2e-6)
