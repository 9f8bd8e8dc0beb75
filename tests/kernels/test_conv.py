"""The kernels of convolution: fast against reference on every instruction set."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tinytensor.kernels import reference
from tinytensor.kernels.reference.windows import padded, windows

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
    # Lines.
    ((2, 3, 70), (4, 3, 5), (1,), ((2, 2),), (1,), 1),
    ((2, 40, 333), (70, 40, 3), (2,), ((1, 0),), (2,), 1),
    ((3, 6, 50), (6, 1, 7), (1,), ((9, 3),), (1,), 6),
    ((2, 5, 40), (7, 5, 1), (1,), ((0, 0),), (1,), 1),
    # A long row is cut: with padding, a stride, a part at its end, a row of images and of volumes.
    ((2, 20, 1000), (30, 20, 7), (1,), ((3, 3),), (1,), 1),
    ((2, 16, 999), (40, 8, 5), (3,), ((400, 1),), (2,), 2),
    ((3, 6, 777), (6, 1, 7), (2,), ((3, 3),), (1,), 6),
    ((2, 3, 3, 520), (8, 3, 3, 3), (1, 1), ((0, 0), (1, 1)), (1, 1), 1),
    ((2, 2, 3, 1, 600), (8, 2, 3, 1, 3), (1, 1, 1), ((1, 1), (0, 0), (1, 1)), (1, 1, 1), 1),
    # Small images, convolved as the planes of one volume; of so many filters that they are cut.
    ((8, 40, 2, 2), (600, 40, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    ((5, 96, 9, 8), (70, 96, 3, 2), (2, 1), ((1, 2), (0, 1)), (1, 2), 1),
    ((6, 70, 4, 4), (90, 70, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    ((7, 70, 4, 4), (90, 70, 1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((5, 33, 7), (70, 33, 3), (2,), ((1, 1),), (1,), 1),
    # Volumes: by patches, from bands, of one tap of planes, outside of all planes, by strides.
    ((2, 3, 5, 6, 7), (4, 3, 2, 3, 3), (1, 1, 1), ((1, 1), (1, 1), (1, 1)), (1, 1, 1), 1),
    ((2, 4, 7, 6, 5), (6, 2, 3, 2, 3), (2, 3, 2), ((1, 2), (0, 1), (2, 0)), (2, 1, 1), 2),
    ((1, 3, 6, 20, 33), (8, 3, 3, 3, 3), (1, 1, 1), ((1, 1), (1, 1), (1, 1)), (1, 1, 1), 1),
    ((2, 2, 6, 31, 32), (8, 1, 3, 5, 3), (2, 2, 2), ((1, 1), (2, 2), (1, 1)), (1, 1, 1), 2),
    ((2, 3, 5, 30, 17), (3, 1, 1, 3, 3), (2, 2, 2), ((1, 0), (1, 1), (1, 1)), (1, 1, 1), 3),
    ((2, 3, 5, 9, 17), (3, 1, 1, 3, 3), (1, 1, 1), ((1, 0), (1, 1), (1, 1)), (1, 1, 1), 3),
    ((2, 5, 3, 6, 5), (7, 5, 1, 1, 1), (1, 1, 1), ((0, 0), (0, 0), (0, 0)), (1, 1, 1), 1),
    ((2, 20, 8, 9, 8), (30, 20, 3, 1, 1), (1, 1, 1), ((1, 1), (0, 0), (0, 0)), (1, 1, 1), 1),
    ((2, 6, 7, 4, 5), (6, 3, 2, 1, 1), (2, 1, 1), ((1, 0), (0, 0), (0, 0)), (2, 1, 1), 2),
    ((2, 6, 4, 5, 9), (5, 6, 1, 1, 3), (1, 1, 2), ((0, 0), (0, 0), (1, 1)), (1, 1, 1), 1),
    ((2, 2, 1, 5, 40), (3, 2, 3, 2, 2), (1, 1, 1), ((4, 3), (0, 0), (0, 0)), (2, 1, 1), 1),
    ((1, 2, 3, 4, 5), (2, 2, 2, 2, 2), (3, 3, 4), ((5, 6), (7, 8), (0, 9)), (3, 3, 2), 1),
    ((2, 70, 4, 8, 8), (80, 70, 2, 2, 2), (2, 2, 2), ((0, 0), (0, 0), (0, 0)), (1, 1, 1), 1),
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
    # Volumes, whose planes are channels: a block of a product has several planes, or part of one.
    ((2, 16, 5, 16, 16), (16, 16, 3, 3, 3), ((1, 1), (1, 1), (1, 1))),
    ((2, 19, 4, 15, 18), (40, 19, 2, 3, 3), ((3, 2), (0, 1), (1, 0))),
    ((1, 400, 3, 12, 12), (16, 400, 3, 3, 3), ((1, 1), (1, 1), (1, 1))),
    ((4, 24, 7, 14, 14), (33, 24, 1, 3, 3), ((0, 0), (1, 1), (1, 1))),
    ((3, 40, 2, 12, 12), (24, 40, 5, 3, 3), ((4, 4), (1, 1), (1, 1))),
]
PLAIN = [((1,) * len(padding), padding, (1,) * len(padding), 1) for *_, padding in WINOGRAD]
ALL = CASES + [(*shapes, *plain) for (*shapes, _), plain in zip(WINOGRAD, PLAIN, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_against_the_reference(isa, case):
    x_shape, w_shape, *geometry = case
    x, w, b = normal(*x_shape), normal(*w_shape, seed=1), normal(w_shape[0], seed=2)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    want = reference.convolve(wide_x, wide_w, b, *geometry)
    close(conv.convolve(x, w, b, *geometry), want)
    close(conv.convolve(x, w, None, *geometry), reference.convolve(wide_x, wide_w, None, *geometry))
    g = normal(*want.shape, seed=3)
    size, kernel = x_shape[2:], w_shape[2:]
    close(
        conv.convolve_grad_x(g, w, size, *geometry),
        reference.convolve_grad_x(g.astype(np.float64), wide_w, size, *geometry),
    )
    close(
        conv.convolve_grad_w(g, x, kernel, *geometry),
        reference.convolve_grad_w(g.astype(np.float64), wide_x, kernel, *geometry),
    )


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
def test_the_error_of_winograds_method(isa, case):
    """Each of the three within 1e-6 of the largest sum of the sizes of what it adds up."""
    x_shape, w_shape, padding = case
    ones = (1,) * len(padding)
    geometry = (ones, padding, ones, 1)
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    b = normal(w_shape[0], seed=2)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    want = reference.convolve(wide_x, wide_w, None, *geometry)
    g = normal(*want.shape, seed=3)
    wide_g = g.astype(np.float64)
    bias = b.reshape(-1, *ones)
    for got, function, left, right, arguments in [
        (conv.convolve(x, w, None, *geometry), reference.convolve, wide_x, wide_w, (None,)),
        (conv.convolve(x, w, b, *geometry) - bias, reference.convolve, wide_x, wide_w, (None,)),
        (
            conv.convolve_grad_x(g, w, x_shape[2:], *geometry),
            *(reference.convolve_grad_x, wide_g, wide_w, (x_shape[2:],)),
        ),
        (
            conv.convolve_grad_w(g, x, w_shape[2:], *geometry),
            *(reference.convolve_grad_w, wide_g, wide_x, (w_shape[2:],)),
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
    out = reference.convolve(x, w, None, *geometry)
    g = normal(*out.shape, seed=2)
    for got, want in [
        (conv.convolve(x, w, None, *geometry), out),
        (
            conv.convolve_grad_x(g, w, (20, 19), *geometry),
            reference.convolve_grad_x(g, w, (20, 19), *geometry),
        ),
        (
            conv.convolve_grad_w(g, x, (3, 3), *geometry),
            reference.convolve_grad_w(g, x, (3, 3), *geometry),
        ),
    ]:
        finite = np.isfinite(want)
        np.testing.assert_array_equal(np.isfinite(got), finite)
        close(np.where(finite, got, 0), np.where(finite, want, 0))


WITHIN = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)


def all_three(module, x, w, g, padding):
    geometry = ((1, 1), padding, (1, 1), 1)
    return [
        module.convolve(x, w, None, *geometry),
        module.convolve_grad_x(g, w, x.shape[2:], *geometry),
        module.convolve_grad_w(g, x, (3, 3), *geometry),
    ]


def odd_arrays(pad, place, value, which):
    x, w = normal(2, 16, 28, 28), normal(16, 16, 3, 3, seed=1)
    g = normal(2, 16, 26 + 2 * pad, 26 + 2 * pad, seed=2)
    if which is not None:
        last = np.subtract((x, w, g)[which].shape, 1)
        (x, w, g)[which][tuple(np.minimum(place, last))] = value
    return x, w, g


@cache
def exact_sums(pad, *odd):
    arrays = [a.astype(np.float64) for a in odd_arrays(pad, *odd)]
    with np.errstate(all="ignore"):
        return all_three(reference, *arrays, ((pad, pad), (pad, pad)))


@pytest.mark.no_c
@pytest.mark.parametrize("value", [np.nan, -np.inf, 100.0, 1e10, 3e38])
@pytest.mark.parametrize("place", [(1, 3, 9, 11), (0, 0, 0, 0), (1, 5, 27, 14)], ids=str)
@pytest.mark.parametrize("pad", [0, 1, 2])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["x", "weight", "g"])
def test_an_odd_number_reaches_what_sees_it_and_nothing_more(isa, which, pad, place, value):
    """Of x, weight and g, where Winograd's method pays: all that does not see the number is as if
    it were not there. A corner of a weight is not seen where it meets padding alone."""
    got = all_three(conv, *odd_arrays(pad, place, value, which), ((pad, pad), (pad, pad)))
    wanted, plain = exact_sums(pad, place, value, which), exact_sums(pad, place, 0.0, None)
    for a, b, c in zip(got, wanted, plain, strict=True):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
            np.testing.assert_array_equal(np.isinf(a), np.isinf(b.astype(np.float32)))
            unseeing = abs(b - c) < 1e-9
        assert (abs(a[unseeing] - b[unseeing]) <= 8e-6 * abs(c).max()).all()


@pytest.mark.parametrize("step", [0.1, 0.5, 0.8, 1, 2])
def test_the_error_of_an_output_is_bounded_by_what_it_sees(isa, step):
    """Of images that grow from column to column, by up to 4."""
    x, w = normal(2, 16, 28, 28), normal(16, 16, 3, 3, seed=1)
    x *= np.exp2(np.abs(np.arange(28) - 14) * np.float32(step)).astype(np.float32)
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    want = reference.convolve(wide_x, wide_w, None, *WITHIN)
    seen = np.broadcast_to(abs(wide_x).max(1, keepdims=True), x.shape)
    seen = windows(padded(seen, ((1, 1), (1, 1))), (3, 3), (1, 1), (1, 1)).max((-2, -1))
    sizes = abs(wide_w).max((2, 3)).sum(1) * 9
    bound = 16e-6 * seen[:, :1] * sizes[None, :, None, None]
    assert (abs(conv.convolve(x, w, None, *WITHIN) - want) <= bound).all()


def test_one_nan_makes_nine(isa):
    x, w = normal(1, 16, 28, 28), normal(16, 16, 3, 3, seed=1)
    x[0, 4, 13, 13] = np.nan
    out = conv.convolve(x, w, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    assert (np.isnan(out).sum((0, 2, 3)) == 9).all()


@pytest.mark.parametrize("fill", [0.0, 1e-20])
def test_an_output_that_sees_nearly_nothing_is_exact(isa, fill):
    """Half of each image is empty: an output there has no error of the other half's size."""
    x, w = normal(3, 16, 28, 28), normal(16, 16, 3, 3, seed=1)
    x[..., 14:] *= np.float32(fill)
    want = reference.convolve(*(a.astype(np.float64) for a in (x, w)), None, *WITHIN)
    got = conv.convolve(x, w, None, *WITHIN)
    np.testing.assert_allclose(got[..., 15:], want[..., 15:], 1e-4, 1e-5 * fill)


def test_weights_that_are_not_finite(isa):
    x, w, g = normal(2, 16, 28, 28), normal(16, 16, 3, 3, seed=1), normal(2, 16, 28, 28, seed=2)
    w[3, 5, 0, 2], w[7, 2, 1, 1] = np.inf, np.nan
    padding = ((1, 1), (1, 1))
    with np.errstate(all="ignore"):
        for a, b in zip(
            all_three(conv, x, w, g, padding), all_three(reference, x, w, g, padding), strict=True
        ):
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
            np.testing.assert_array_equal(np.isposinf(a), np.isposinf(b))


def test_numbers_near_the_largest_do_not_overflow_on_the_way(isa):
    x, w = normal(2, 16, 28, 28), normal(16, 16, 3, 3, seed=1)
    want = conv.convolve(x, w, None, *WITHIN)
    got = conv.convolve(x * np.float32(2.0**122), w * np.float32(2.0**-20), None, *WITHIN)
    np.testing.assert_allclose(got * np.float32(2.0**-102), want, rtol=0, atol=2e-4)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_same_bits_for_any_number_of_threads(case):
    x_shape, w_shape, *geometry = case
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    results = []
    before = core.get_num_threads()
    try:
        for threads in (1, 2, 3):
            core.set_num_threads(threads)
            out = conv.convolve(x, w, None, *geometry)
            dx = conv.convolve_grad_x(out, w, x_shape[2:], *geometry)
            dw = conv.convolve_grad_w(out, x, w_shape[2:], *geometry)
            results.append(out.tobytes() + dx.tobytes() + dw.tobytes())
    finally:
        core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_layouts_and_one_image(isa):
    geometry = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    x = normal(9, 8, 3).transpose(2, 0, 1)[:, ::-1]
    w = normal(3, 3, 3, 5, seed=1).transpose(3, 0, 1, 2)
    want = reference.convolve(x, w, None, *geometry)
    close(conv.convolve(x, w, None, *geometry), want)
    g = normal(*want.shape[::-1]).T
    close(
        conv.convolve_grad_x(g, w, (9, 8), *geometry),
        reference.convolve_grad_x(g, w, (9, 8), *geometry),
    )
    close(
        conv.convolve_grad_w(g, x, (3, 3), *geometry),
        reference.convolve_grad_w(g, x, (3, 3), *geometry),
    )


def test_no_images_no_channels_no_filters(isa):
    geometry = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    for images, channels, filters in [(0, 2, 3), (2, 0, 3), (2, 2, 0)]:
        x, w = normal(images, channels, 4, 5), normal(filters, channels, 3, 3)
        out = conv.convolve(x, w, None, *geometry)
        np.testing.assert_array_equal(out, np.zeros((images, filters, 4, 5)))
        assert conv.convolve_grad_x(out, w, (4, 5), *geometry).shape == x.shape
        if channels:
            assert conv.convolve_grad_w(out, x, (3, 3), *geometry).shape == w.shape


def test_nan_reaches_only_the_windows_that_hold_it(isa):
    x, w = normal(1, 2, 6, 6), normal(3, 2, 3, 3, seed=1)
    x[0, 1, 0, 0] = np.nan
    out = conv.convolve(x, w, None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    assert np.isnan(out[0, :, 0, 0]).all()
    assert np.isfinite(np.delete(out.reshape(3, -1), 0, axis=1)).all()
