"""Reductions: their rounding error, NaN and infinities, ties, and gradients where they are hard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference

fast_only = pytest.mark.skipif(kernels.active != "fast", reason="about the fast kernels")
ISAS: tuple[str, ...] = ("reference",)
if kernels.active == "fast":
    from tinytensor.kernels import _core

    ISAS = _core.available_isas()


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    if kernels.active != "fast":
        yield request.param
        return
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


# --- The rounding error ----------------------------------------------------------------------

LONG = [
    ((1_000_003,), None),
    ((200_003, 5), 0),
    ((5, 200_003), 1),
    ((2, 100_003, 3), 1),
    ((300, 40, 50), (0, 2)),
]


@fast_only
@pytest.mark.parametrize(("shape", "axis"), LONG)
def test_error_of_a_sum_grows_with_the_logarithm(shape, axis, isa: str) -> None:
    """|error| <= (16 + log2 n) u sum |x|, u = 2^-24: the longest chain of additions."""
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    exact = x.sum(axis, dtype=np.float64)
    n = x.size / exact.size
    bound = (16 + np.log2(n)) * 2.0**-24 * exact
    assert (np.abs(kernels.reduce_sum(x, axis, False) - exact) <= bound).all()
    assert (np.abs(kernels.mean(x, axis, False) - exact / n) <= bound / n * 1.1).all()


@fast_only
@pytest.mark.parametrize(("shape", "axis"), LONG[:4])
def test_a_spread_far_from_zero(shape, axis, isa: str) -> None:
    """Deviations are from the mean, so an offset of 1000 costs no digits but those of x itself."""
    x = (1000 + np.random.default_rng(1).normal(size=shape)).astype(np.float32)
    exact = x.astype(np.float64)
    got = kernels.var(x, axis, 1.0, False)
    np.testing.assert_allclose(got, exact.var(axis, ddof=1), rtol=2e-5)
    np.testing.assert_allclose(
        kernels.std(x, axis, 0.0, True), exact.std(axis, keepdims=True), 2e-5
    )


SHAPES = [(), (1,), (7,), (70, 33), (300, 1000), (4, 3, 5, 6), (2, 1000, 7, 9), (3, 70_001)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["reduce_sum", "mean", "amax", "amin", "var", "std"])
def test_every_axis(name: str, shape: tuple[int, ...], isa: str) -> None:
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    singles = [None, (), *range(-len(shape), len(shape))]
    pairs = [(i, j) for i in range(len(shape)) for j in range(i + 1, len(shape))]
    for axis in [*singles, *pairs]:
        for keepdims in (False, True):
            got = getattr(kernels, name)(x, axis, keepdims=keepdims)
            expected = getattr(reference, name)(x.astype(np.float64), axis, keepdims=keepdims)
            assert np.shape(got) == np.shape(expected)
            assert got.dtype == np.float32
            scale = np.sqrt(x.size) if name == "reduce_sum" else 1.0
            np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6 * scale)


# --- Special values --------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0, 5, 66, 129])
@pytest.mark.parametrize("name", ["amax", "amin", "reduce_sum", "var"])
def test_nan_reaches_its_own_lane_alone(name: str, where: int, isa: str) -> None:
    for axis, shape in [(1, (3, 130)), (0, (130, 3))]:
        x = np.random.default_rng(3).normal(size=shape).astype(np.float32)
        np.moveaxis(x, axis, 0)[where, 1] = np.nan
        got = getattr(kernels, name)(x, axis)
        np.testing.assert_array_equal(np.isnan(got), [False, True, False])


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 1031])
def test_extremes_of_rows_with_nan_and_infinities(n: int, isa: str) -> None:
    """inf - inf makes a sum NaN as well, which is not NaN among the elements."""
    rng = np.random.default_rng(n)
    x = rng.normal(size=(40, n)).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf):
        rows = rng.integers(0, 40, 15)
        x[rows, rng.integers(0, n, 15)] = value
    for name in ("amax", "amin", "argmax", "argmin"):
        expected = getattr(reference, name)(x, 1)
        np.testing.assert_array_equal(getattr(kernels, name)(x, 1), expected)


def test_infinities(isa: str) -> None:
    x = np.array([[1, -np.inf, 3], [np.inf, 2, -np.inf], [-np.inf] * 3], np.float32)
    np.testing.assert_array_equal(kernels.amax(x, 1), [3, np.inf, -np.inf])
    np.testing.assert_array_equal(kernels.amin(x, 0), [-np.inf] * 3)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(kernels.reduce_sum(x, 1), [-np.inf, np.nan, -np.inf])


def test_logsumexp_of_extremes() -> None:
    x = tt.tensor([[1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0.0], [-1e4, -np.inf]])
    got = tt.logsumexp(x, axis=1).numpy()
    np.testing.assert_allclose(got, [1e4 + np.log(2), -np.inf, np.inf, -1e4], rtol=1e-6)


def test_empty() -> None:
    x = tt.zeros((0, 3))
    np.testing.assert_array_equal(tt.sum(x, axis=0).numpy(), [0, 0, 0])
    np.testing.assert_array_equal(tt.prod(x, axis=0).numpy(), [1, 1, 1])
    with pytest.raises(tt.ShapeError, match="max: zero-size array"):
        tt.max(x, axis=0)
    with pytest.raises(
        tt.ShapeError, match=r"sum: axis 2 is out of bounds .*x is float32 \(0, 3\)"
    ):
        tt.sum(x, axis=2)
    with pytest.raises(tt.ShapeError, match="cumsum: axis must be given"):
        tt.cumsum(x)


# --- Running sums and products ---------------------------------------------------------------


@pytest.mark.no_c
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(
    "shape", [(1_000_000,), (3, 100_000), (100_000, 3), (9, 40_000), (40_000, 9)]
)
def test_a_running_sum_of_tenths(shape, dtype: str, isa: str) -> None:
    axis = int(np.argmax(shape))
    tenths = np.full(shape, 0.1, dtype)
    n = np.arange(1, max(shape) + 1).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    exact = np.broadcast_to(n * np.float64(tenths.flat[0].real), shape)
    x = tt.tensor(tenths, requires_grad=True)
    out = tt.cumsum(x, axis)
    np.testing.assert_allclose(out.numpy().real, exact, 1e-6 if dtype[-2:] != "28" else 1e-12)
    (dx,) = tt.grad(out, x, tt.tensor(tenths))
    np.testing.assert_allclose(dx.numpy().real, np.flip(exact, axis), 1e-6)


@pytest.mark.parametrize("shape", [(70, 33), (3, 1000), (1000, 3), (5, 15), (12, 9), (40, 300)])
def test_what_is_not_finite_stays_in_its_running_sum(shape, isa: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf, -0.0):
        x[rng.integers(0, shape[0], 2), rng.integers(0, shape[1], 2)] = value
    for axis in (0, 1):
        for reverse in (False, True):
            got, want = (m.cumsum(x, axis, reverse) for m in (kernels, reference))
            np.testing.assert_allclose(got, want, 2e-6, 1e-5)
    zeros = np.full(shape, -0.0, np.float32)
    for axis in (0, 1):
        assert np.signbit(kernels.cumsum(zeros, axis)).all()


def test_a_running_sum_comes_back_from_beyond_the_largest_float(isa: str) -> None:
    x = np.zeros((40, 64), np.float32)
    x[:, 5:9] = [3e38, 3e38, -3e38, -3e38]
    x[:, 40] = 2
    for axis, rows in ((1, x), (0, np.ascontiguousarray(x.T))):
        got = kernels.cumsum(rows, axis)
        np.testing.assert_array_equal(got, reference.cumsum(rows, axis))
        np.testing.assert_array_equal(np.take(got, -1, axis), 2)


def test_a_running_product_of_many_factors() -> None:
    x = np.full(1_000_000, 1 + 2.0**-20, np.float32)
    exact = np.exp(np.arange(1, x.size + 1) * np.log1p(2.0**-20))
    np.testing.assert_allclose(tt.cumprod(tt.tensor(x), 0).numpy(), exact, 1e-6)
    np.testing.assert_allclose(tt.cumulative_prod(tt.tensor(x)).numpy(), exact, 1e-6)
    few = tt.tensor(x[:4096], requires_grad=True)
    (dx,) = tt.grad(tt.cumprod(few, 0)[-1], few)
    np.testing.assert_allclose(dx.numpy(), exact[4094], 1e-6)


# --- Gradients -------------------------------------------------------------------------------


def gradient(f, values) -> np.ndarray:
    x = tt.tensor(values, dtype=np.float64, requires_grad=True)
    f(x).sum().backward()
    assert x.grad is not None
    return x.grad.numpy()


def test_equal_extremes_share_the_gradient() -> None:
    values = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
    np.testing.assert_allclose(
        gradient(lambda x: tt.max(x, axis=1), values), [[0, 0.5, 0.5], [1 / 3] * 3]
    )
    np.testing.assert_allclose(gradient(lambda x: tt.min(x), values), [[1, 0, 0], [0, 0, 0]])


def test_std_of_equal_numbers_has_no_slope() -> None:
    np.testing.assert_array_equal(gradient(lambda x: tt.std(x), [2.0, 2.0, 2.0]), [0, 0, 0])


def test_prod_with_zeros_to_the_third_order() -> None:
    x = tt.tensor([0.0, 0.0, 3.0, 5.0], dtype=np.float64, requires_grad=True)
    (first,) = tt.grad(tt.prod(x), x, create_graph=True)
    np.testing.assert_array_equal(first.numpy(), [0, 0, 0, 0])
    (second,) = tt.grad(first[0], x, create_graph=True)
    np.testing.assert_array_equal(second.numpy(), [0, 15, 0, 0])
    (third,) = tt.grad(second[1], x)
    np.testing.assert_array_equal(third.numpy(), [0, 0, 5, 3])


def test_logsumexp_of_nothing_but_minus_infinity_has_no_slope() -> None:
    got = gradient(lambda x: tt.logsumexp(x, axis=1), [[-np.inf, -np.inf], [0.0, 0.0]])
    np.testing.assert_array_equal(got, [[0, 0], [0.5, 0.5]])


def test_a_mean_of_elements_as_another_dtype() -> None:
    whole = tt.tensor([2**24, 1, 1])
    for found in (
        tt.mean(whole, dtype=tt.float64),
        whole.mean(dtype="float64"),
        np.mean(whole, dtype=np.float64),
        whole.mean(dim=0, dtype=tt.float64),
    ):
        assert found.dtype == tt.float64
        assert float(found) == (2**24 + 2) / 3
    assert whole.mean(0, True, dtype=tt.complex64).shape == (1,)
    with pytest.raises(tt.DtypeError, match=r"mean: dtype is a floating or a complex one, not int"):
        whole.mean(dtype=tt.int64)
