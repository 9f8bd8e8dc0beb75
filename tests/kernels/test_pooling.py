"""The kernels of pooling: fast against reference on every instruction set."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinytensor.kernels import reference

from ..twins import normal

core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")
pooling = pytest.importorskip("tinytensor.kernels.pooling", reason="the fast kernels are not built")


@pytest.fixture(params=core.available_isas())
def isa(request):
    before = core.isa()
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)


SHAPES = [(2, 3, 8, 8), (1, 70, 7, 9), (3, 5, 6), (0, 2, 5, 5), (40, 41), (2, 33, 67)]
# kernel, stride, padding, ceil_mode
GEOMETRIES = [
    ((2, 2), (2, 2), (0, 0), False),
    ((3, 2), (2, 3), (1, 1), True),
    ((3, 3), (1, 1), (1, 0), False),
    ((5, 4), (4, 5), (2, 2), True),
    ((1, 1), (1, 1), (0, 0), True),
    ((1, 3), (1, 1), (0, 0), False),
    ((2, 2), (1, 2), (1, 1), False),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_pool(isa, shape, dilation, geometry):
    kernel, stride, padding, ceil_mode = geometry
    x = normal(*shape)
    x.flat[::7] = np.nan
    x.flat[1::5] = -np.inf
    if dilation[0] * (kernel[0] - 1) >= shape[-2] + 2 * padding[0]:
        pytest.skip("no window fits")
    got = pooling.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    want = reference.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    g = normal(*got[0].shape)
    scattered = pooling.scatter_planes(g, got[1], shape[-2:])
    want = reference.scatter_planes(g.astype(np.float64), got[1], shape[-2:])
    np.testing.assert_allclose(scattered, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("counting", [*itertools.product([False, True], [None, 5])], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_avg_pool(isa, shape, counting, geometry):
    x = normal(*shape)
    got = pooling.avg_pool2d(x, *geometry, *counting)
    want = reference.avg_pool2d(x.astype(np.float64), *geometry, *counting)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    g = normal(*got.shape)
    np.testing.assert_allclose(
        pooling.avg_pool2d_grad(g, shape[-2:], *geometry, *counting),
        reference.avg_pool2d_grad(g.astype(np.float64), shape[-2:], *geometry, *counting),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("out", [(1, 1), (3, 4), (40, 2), (0, 2)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_adaptive_avg_pool(isa, shape, out):
    x, g = normal(*shape), normal(*shape[:-2], *out)
    np.testing.assert_allclose(
        pooling.adaptive_avg_pool2d(x, out),
        reference.adaptive_avg_pool2d(x.astype(np.float64), out),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        pooling.adaptive_avg_pool2d_grad(g, shape[-2:]),
        reference.adaptive_avg_pool2d_grad(g.astype(np.float64), shape[-2:]),
        rtol=1e-5,
        atol=1e-6,
    )


def test_indices_outside_of_a_plane_are_passed_over(isa):
    g, indices = normal(1, 2, 2), np.array([[[0, -1], [4, 2**60]]])
    got = pooling.scatter_planes(g, indices, (2, 2))
    np.testing.assert_array_equal(got, [[[g[0, 0, 0], 0], [0, 0]]])


def test_indices_at_odd_addresses(isa):
    raw = np.zeros(4 * 8 + 1, np.uint8)[1:].view(np.int64).reshape(1, 2, 2)
    raw[...] = [[[0, 3], [3, 1]]]
    got = pooling.scatter_planes(np.ones((1, 2, 2), np.float32), raw, (2, 2))
    np.testing.assert_array_equal(got, [[[1, 1], [0, 2]]])
