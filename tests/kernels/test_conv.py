"""The kernels of convolution: fast against reference on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor.kernels import reference

from ..twins import normal

core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")
conv = pytest.importorskip("tinytensor.kernels.conv", reason="the fast kernels are not built")


@pytest.fixture(params=core.available_isas())
def isa(request):
    before = core.isa()
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)


def close(got, want):
    assert got.dtype == np.float32
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * (1 + abs(want).max()))


# x, weight, stride, padding, dilation, groups
CASES = [
    ((2, 3, 8, 8), (4, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((1, 1, 28, 28), (6, 1, 5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1), 1),
    ((3, 4, 9, 7), (6, 2, 3, 2), (2, 3), ((1, 2), (0, 1)), (1, 1), 2),
    ((2, 4, 9, 11), (8, 1, 3, 3), (1, 2), ((2, 2), (2, 2)), (2, 1), 4),
    ((2, 5, 6, 5), (7, 5, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((3, 70, 9, 8), (40, 70, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 6, 30, 21), (600, 3, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 2),
    ((2, 6, 6, 5), (4, 3, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 2),
    ((2, 5, 6, 5), (7, 5, 1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 5, 6, 5), (7, 5, 1, 1), (1, 1), ((1, 0), (0, 2)), (1, 1), 1),
    ((1, 3, 40, 41), (16, 3, 7, 7), (2, 2), ((3, 3), (3, 3)), (1, 1), 1),
    ((2, 64, 7, 7), (70, 64, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((1, 2, 3, 3), (2, 2, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((1, 2, 1, 1), (2, 2, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((1, 2, 4, 5), (2, 2, 2, 2), (3, 4), ((5, 6), (7, 8)), (3, 2), 1),
    ((20, 2, 4, 5), (3, 2, 2, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((1, 1, 1, 3000), (2, 1, 1, 3), (1, 1), ((0, 0), (1, 1)), (1, 1), 1),
    ((1, 2, 1, 9000), (3, 2, 1, 300), (1, 1), ((0, 0), (7, 0)), (1, 1), 1),
    ((1, 3, 50, 40), (5, 3, 50, 39), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((1, 40, 30, 30), (500, 40, 3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), 1),
    # Rows that fill vectors: few filters are convolved directly, here from several bands.
    ((2, 3, 500, 40), (31, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((3, 8, 30, 45), (8, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 8),
    ((2, 6, 29, 28), (6, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 6),
    ((2, 8, 33, 90), (16, 1, 5, 3), (2, 3), ((2, 2), (1, 0)), (1, 1), 8),
    ((2, 20, 12, 14), (15, 20, 5, 5), (1, 1), ((4, 6), (5, 7)), (1, 1), 1),
    ((1, 2, 40, 60), (3, 2, 3, 4), (1, 2), ((3, 3), (9, 9)), (2, 3), 1),
    ((2, 2, 100, 16), (1, 2, 3, 1), (7, 1), ((0, 0), (0, 0)), (1, 1), 1),
    # 3 × 3 taps of one channel for one filter have kernels of their own.
    ((2, 3, 7, 7), (3, 1, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 3),
    ((2, 3, 5, 3), (3, 1, 3, 3), (2, 2), ((0, 0), (0, 0)), (1, 1), 3),
    ((2, 3, 6, 34), (3, 1, 3, 3), (1, 1), ((4, 0), (0, 5)), (1, 1), 3),
    ((2, 3, 36, 33), (3, 1, 3, 3), (2, 2), ((2, 0), (3, 4)), (1, 1), 3),
    ((1, 2, 1, 1), (2, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 2),
    ((1, 2, 300, 250), (2, 1, 3, 3), (2, 2), ((1, 0), (0, 1)), (1, 1), 2),
]

# The same, where Winograd's method pays: 3 × 3, stride 1, channels and filters enough.
WINOGRAD = [
    ((8, 16, 16, 16), (16, 16, 3, 3), ((1, 1), (1, 1))),
    ((8, 19, 15, 18), (21, 19, 3, 3), ((1, 1), (1, 1))),
    ((20, 40, 6, 7), (33, 40, 3, 3), ((0, 2), (1, 0))),
    ((1, 40, 30, 30), (200, 40, 3, 3), ((1, 1), (1, 1))),
    ((2, 24, 33, 150), (24, 24, 3, 3), ((0, 0), (1, 1))),
    ((2, 32, 14, 14), (32, 32, 3, 3), ((5, 4), (6, 7))),
    ((1, 400, 20, 20), (12, 400, 3, 3), ((2, 2), (2, 2))),
]
PLAIN = [((1, 1), padding, (1, 1), 1) for *_, padding in WINOGRAD]
ALL = CASES + [(*shapes, *plain) for (*shapes, _), plain in zip(WINOGRAD, PLAIN, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_the_reference(isa, case):
    x_shape, w_shape, *geometry = case
    x, w, b = normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[0], seed=2)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    want = reference.conv2d(wide_x, wide_w, b, *geometry)
    close(conv.conv2d(x, w, b, *geometry), want)
    close(conv.conv2d(x, w, None, *geometry), reference.conv2d(wide_x, wide_w, None, *geometry))
    g = normal(*want.shape, seed=3)
    size, kernel = x_shape[2:], w_shape[2:]
    close(
        conv.conv2d_grad_x(g, w, size, *geometry),
        reference.conv2d_grad_x(g.astype(np.float64), wide_w, size, *geometry),
    )
    close(
        conv.conv2d_grad_w(g, x, kernel, *geometry),
        reference.conv2d_grad_w(g.astype(np.float64), wide_x, kernel, *geometry),
    )


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
def test_the_error_of_winograds_method(isa, case):
    """Each of the three within 1e-6 of the largest sum of the sizes of what it adds up."""
    x_shape, w_shape, padding = case
    geometry = ((1, 1), padding, (1, 1), 1)
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    b = normal(w_shape[0], seed=2)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    want = reference.conv2d(wide_x, wide_w, None, *geometry)
    g = normal(*want.shape, seed=3)
    wide_g = g.astype(np.float64)
    bias = b[:, np.newaxis, np.newaxis]
    for got, function, left, right, arguments in [
        (conv.conv2d(x, w, None, *geometry), reference.conv2d, wide_x, wide_w, (None,)),
        (conv.conv2d(x, w, b, *geometry) - bias, reference.conv2d, wide_x, wide_w, (None,)),
        (
            conv.conv2d_grad_x(g, w, x_shape[2:], *geometry),
            *(reference.conv2d_grad_x, wide_g, wide_w, (x_shape[2:],)),
        ),
        (
            conv.conv2d_grad_w(g, x, (3, 3), *geometry),
            *(reference.conv2d_grad_w, wide_g, wide_x, ((3, 3),)),
        ),
    ]:
        want = function(left, right, *arguments, *geometry)
        sizes = function(abs(left), abs(right), *arguments, *geometry)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * sizes.max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_not_finite_stays_where_it_belongs(isa, stride, value):
    """A column that no tap reads, and zeros around g, which the weight does not meet."""
    geometry = ((stride, stride), ((0, 0), (1, 0)), (1, 1), 3)
    x, w = normal(2, 3, 20, 19), normal(3, 1, 3, 3, seed=1)
    x[1, 2, 9, 18] = w[1, 0, 0, 2] = value
    out = reference.conv2d(x, w, None, *geometry)
    g = normal(*out.shape, seed=2)
    for got, want in [
        (conv.conv2d(x, w, None, *geometry), out),
        (
            conv.conv2d_grad_x(g, w, (20, 19), *geometry),
            reference.conv2d_grad_x(g, w, (20, 19), *geometry),
        ),
        (
            conv.conv2d_grad_w(g, x, (3, 3), *geometry),
            reference.conv2d_grad_w(g, x, (3, 3), *geometry),
        ),
    ]:
        finite = np.isfinite(want)
        np.testing.assert_array_equal(np.isfinite(got), finite)
        close(np.where(finite, got, 0), np.where(finite, want, 0))


def test_winograds_method_spreads_nan_over_a_tile_only(isa):
    x, w = normal(8, 16, 16, 16), normal(16, 16, 3, 3, seed=1)
    x[3, 5, 7, 6] = np.nan  # read for the outputs of rows 6 to 8, columns 5 to 7: of two tiles
    out = conv.conv2d(x, w, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    assert np.isnan(out[3, :, 6:9, 5:8]).all()
    out[3, :, 4:12, 4:8] = 0
    assert np.isfinite(out).all()


@pytest.mark.parametrize("case", ALL, ids=str)
def test_same_bits_for_any_number_of_threads(case):
    x_shape, w_shape, *geometry = case
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    results = []
    before = core.get_num_threads()
    try:
        for threads in (1, 2, 3):
            core.set_num_threads(threads)
            out = conv.conv2d(x, w, None, *geometry)
            dx = conv.conv2d_grad_x(out, w, x_shape[2:], *geometry)
            dw = conv.conv2d_grad_w(out, x, w_shape[2:], *geometry)
            results.append(out.tobytes() + dx.tobytes() + dw.tobytes())
    finally:
        core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_layouts_and_one_image(isa):
    geometry = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    x = normal(9, 8, 3).transpose(2, 0, 1)[:, ::-1]
    w = normal(3, 3, 3, 5, seed=1).transpose(3, 0, 1, 2)
    want = reference.conv2d(x, w, None, *geometry)
    close(conv.conv2d(x, w, None, *geometry), want)
    g = normal(*want.shape[::-1]).T
    close(
        conv.conv2d_grad_x(g, w, (9, 8), *geometry),
        reference.conv2d_grad_x(g, w, (9, 8), *geometry),
    )
    close(
        conv.conv2d_grad_w(g, x, (3, 3), *geometry),
        reference.conv2d_grad_w(g, x, (3, 3), *geometry),
    )


def test_no_images_no_channels_no_filters(isa):
    geometry = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    for images, channels, filters in [(0, 2, 3), (2, 0, 3), (2, 2, 0)]:
        x, w = normal(images, channels, 4, 5), normal(filters, channels, 3, 3)
        out = conv.conv2d(x, w, None, *geometry)
        np.testing.assert_array_equal(out, np.zeros((images, filters, 4, 5)))
        assert conv.conv2d_grad_x(out, w, (4, 5), *geometry).shape == x.shape
        if channels:
            assert conv.conv2d_grad_w(out, x, (3, 3), *geometry).shape == w.shape


def test_nan_reaches_only_the_windows_that_hold_it(isa):
    x, w = normal(1, 2, 6, 6), normal(3, 2, 3, 3, seed=1)
    x[0, 1, 0, 0] = np.nan
    out = conv.conv2d(x, w, None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    assert np.isnan(out[0, :, 0, 0]).all()
    assert np.isfinite(np.delete(out.reshape(3, -1), 0, axis=1)).all()
