"""Pooling as ops: what the windows are, their arguments and errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.ops import pooling


def image(*shape):
    return tt.Tensor(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), requires_grad=True)


def test_indices_say_where_the_largest_are():
    x = tt.Tensor(np.random.default_rng(0).normal(size=(2, 3, 7, 8)))
    out, indices = tt.max_pool2d(x, 3, stride=2, padding=1, return_indices=True)
    assert indices.dtype == np.int64
    picked = np.take_along_axis(x.value.reshape(2, 3, 56), indices.value.reshape(2, 3, -1), -1)
    np.testing.assert_array_equal(picked.reshape(out.shape), out.value)


def test_the_gradient_goes_to_the_first_of_equals():
    x = tt.Tensor(np.zeros((1, 2, 2), np.float32), requires_grad=True)
    tt.max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.value, [[[1, 0], [0, 0]]])


def test_overlapping_windows_add_up():
    x = image(1, 3, 3)
    tt.max_pool2d(x, 2, stride=1).backward(tt.Tensor(np.ones((1, 2, 2), np.float32)))
    np.testing.assert_array_equal(x.grad.value[0], [[0, 0, 0], [0, 1, 1], [0, 1, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_the_largest(dtype):
    x = np.zeros((1, 4, 4), dtype)
    x[0, 1, 1] = np.nan
    out = tt.max_pool2d(tt.Tensor(x), 2)
    np.testing.assert_array_equal(out.value, [[[np.nan, 0], [0, 0]]])


def test_padding_is_never_the_largest():
    x = tt.full((1, 2, 2), -5.0)
    np.testing.assert_array_equal(tt.max_pool2d(x, 2, padding=1).value, np.full((1, 2, 2), -5.0))


def test_padding_counts_or_not():
    x = tt.ones((1, 2, 2))
    np.testing.assert_allclose(tt.avg_pool2d(x, 2, padding=1).value, np.full((1, 2, 2), 0.25))
    counted = tt.avg_pool2d(x, 2, padding=1, count_include_pad=False)
    np.testing.assert_allclose(counted.value, np.ones((1, 2, 2)))
    np.testing.assert_allclose(tt.avg_pool2d(x, 2, divisor_override=2).value, [[[2]]])


def test_integers_have_a_largest_and_no_average():
    x = tt.Tensor(np.arange(16).reshape(1, 4, 4))
    np.testing.assert_array_equal(tt.max_pool2d(x, 2).value, [[[5, 7], [13, 15]]])
    with pytest.raises(tt.DtypeError, match="avg_pool2d: averages are of floating-point"):
        tt.avg_pool2d(x, 2)
    with pytest.raises(tt.DtypeError, match="adaptive_avg_pool2d: averages are of floating-point"):
        tt.adaptive_avg_pool2d(x, 2)


def test_adaptive_windows_cover_all():
    x = image(1, 5, 7)
    tt.adaptive_avg_pool2d(x, (None, 3)).sum().backward()
    assert (x.grad.value > 0).all()
    with pytest.raises(tt.ShapeError, match="adaptive_avg_pool2d: output_size must be"):
        tt.adaptive_avg_pool2d(x, -1)


@pytest.mark.parametrize("pool", [tt.max_pool2d, tt.avg_pool2d], ids=["max", "avg"])
@pytest.mark.parametrize(
    ("x", "args", "message"),
    [
        ((4, 4), (2,), r"x must be \(N, C, H, W\) or \(C, H, W\), is \(4, 4\)"),
        ((1, 4, 4), (5,), r"no window of \(5, 5\)"),
        ((1, 0, 4), (2,), r"no window of \(2, 2\)"),
        ((1, 4, 4), (0,), "kernel_size must be one or two integers ≥ 1"),
        ((1, 4, 4), (2, 0), "stride must be one or two integers ≥ 1"),
        ((1, 4, 4), (2, 1, 2), "padding may be at most half of the window"),
        ((1, 4, 4), (2, 1, -1), "padding must be one or two integers ≥ 0"),
    ],
)
def test_errors(pool, x, args, message):
    with pytest.raises(tt.ShapeError, match=message):
        pool(tt.zeros(x), *args)


def test_a_window_of_padding_alone_is_refused():
    with pytest.raises(tt.ShapeError, match="has nothing but padding"):
        tt.max_pool2d(tt.zeros((1, 1, 1)), 2, padding=1, dilation=2)


def test_an_index_outside_of_the_plane_is_refused():
    with pytest.raises(IndexError, match="scatter_planes: an index is outside"):
        pooling.scatter_planes(tt.ones((1, 1, 1)), np.array([[[4]]]), (2, 2))
    with pytest.raises(IndexError, match="gather_planes: an index is outside"):
        pooling.gather_planes(tt.ones((1, 2, 2)), np.array([[[-1]]]))
