"""The kernels of matrix products: fast against float64 on every instruction set."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinytensor.kernels import reference

core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")
gemm = pytest.importorskip("tinytensor.kernels.gemm", reason="the fast kernels are not built")

WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(params=core.available_isas())
def isa(request):
    before = core.isa()
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)


@pytest.fixture
def threads():
    before = core.get_num_threads()
    yield core.set_num_threads
    core.set_num_threads(before)


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def stored(shape, layout, seed, dtype=np.float32):
    """A matrix of ``shape``, in one of the ways that matrices lie in memory."""
    rows, columns = shape
    if layout == "rows":
        return normal(rows, columns, seed=seed, dtype=dtype)
    if layout == "columns":
        return normal(columns, rows, seed=seed, dtype=dtype).T
    if layout == "strided":
        return normal(2 * rows, 3 * columns, seed=seed, dtype=dtype)[::-2, ::3]
    return np.broadcast_to(normal(rows, 1, seed=seed, dtype=dtype), shape)


def assert_close(got, a, b):
    """Each element within the bound of a blocked sum, from the product of a wider type."""
    dtype, depth = a.dtype, a.shape[-1]
    size = np.matmul(abs(a).astype(np.float64), abs(b).astype(np.float64))
    want = np.matmul(a.astype(WIDER[dtype]), b.astype(WIDER[dtype]))
    assert got.dtype == dtype
    assert got.shape == want.shape
    block = 2048 // dtype.itemsize
    terms = min(depth, block) + depth // block + 2
    assert np.all(abs(got - want) <= np.finfo(dtype).eps * terms * size)


SIZES = [
    (1, 1, 1), (3, 4, 5), (7, 3, 33), (14, 17, 32), (15, 9, 31), (29, 513, 65),
    (200, 1100, 300), (300, 70, 129), (3, 9000, 17), (65, 4200, 66), (8, 40, 70), (9, 512, 150),
    (33, 800, 77), (64, 16, 300),
]  # fmt: skip


@pytest.mark.parametrize("layouts", [*itertools.product(["rows", "columns", "strided"], repeat=2)])
@pytest.mark.parametrize("size", SIZES, ids=str)
@both_types
def test_products_of_all_layouts(isa, dtype, size, layouts):
    m, k, n = size
    a, b = stored((m, k), layouts[0], 0, dtype), stored((k, n), layouts[1], 1, dtype)
    assert_close(gemm.matmul(a, b), a, b)


@pytest.mark.parametrize(
    "size", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 4, 1), (1, 4, 0), (0, 0, 0)], ids=str
)
@both_types
def test_empty_products(isa, dtype, size):
    m, k, n = size
    got = gemm.matmul(normal(m, k, dtype=dtype), normal(k, n, dtype=dtype))
    np.testing.assert_array_equal(got, np.zeros((m, n), dtype), strict=True)


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)), ((3,), (3, 4)), ((4, 3), (3,)), ((2, 5, 3), (3,)), ((3,), (2, 3, 4)),
        ((700,), (700, 5000)), ((5000, 700), (700,)), ((1, 600), (600, 70)), ((70, 600), (600, 1)),
        ((2, 5, 3), (3, 4)), ((2, 5, 3), (2, 3, 4)), ((7, 1, 5, 3), (2, 3, 4)), ((5, 3), (2, 3, 4)),
        ((0, 5, 3), (3, 4)), ((48, 25, 64), (48, 64, 25)), ((2, 300, 600), (2, 600, 300)),
        ((2, 5, 0), (2, 0, 4)),
    ],
    ids=str,
)  # fmt: skip
@both_types
def test_batches_and_vectors(isa, dtype, shapes):
    a, b = normal(*shapes[0], dtype=dtype), normal(*shapes[1], seed=1, dtype=dtype)
    assert_close(gemm.matmul(a, b), a, b)
    assert_close(gemm.matmul(a[::-1], b), a[::-1], b)


def test_batches_of_permuted_axes(isa):
    heads = normal(2, 9, 3, 8).transpose(0, 2, 1, 3)
    keys = normal(2, 9, 3, 8, seed=1).transpose(0, 2, 3, 1)
    assert_close(gemm.matmul(heads, keys), heads, keys)


def test_repeated_rows(isa):
    a, b = stored((20, 30), "repeated", 0), np.broadcast_to(normal(30), (40, 30)).T
    assert_close(gemm.matmul(a, b), a, b)


@pytest.mark.parametrize(
    "size",
    [(130, 700, 150), (1, 600, 3000), (6, 600, 900), (20, 600, 900), (600, 400, 600)],
    ids=str,
)
@pytest.mark.parametrize("layouts", [*itertools.product(["rows", "columns"], repeat=2)])
@both_types
def test_same_bits_for_any_number_of_threads(threads, dtype, size, layouts):
    m, k, n = size
    a, b = stored((m, k), layouts[0], 0, dtype), stored((k, n), layouts[1], 1, dtype)
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        results.append(gemm.matmul(a, b).tobytes())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("size", [(5000, 1200, 150), (150, 1200, 5000)], ids=str)
def test_operands_of_several_strips(size):
    m, k, n = size
    a, b = normal(m, k), normal(k, n, seed=1)
    assert_close(gemm.matmul(a, b), a, b)


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_a_row_has_the_same_bits_among_few_and_among_many(layout):
    a, b = normal(120, 500), stored((500, 196), layout, 1)
    np.testing.assert_array_equal(gemm.matmul(a, b)[7:27], gemm.matmul(a[7:27], b))
    np.testing.assert_array_equal(gemm.matmul(a[:8], b)[3:5], gemm.matmul(a[3:5], b))


def test_unaligned_and_foreign_arrays_go_to_the_reference():
    raw = np.zeros(4 * 12 + 1, np.uint8)[1:].view(np.float32).reshape(3, 4)
    raw[...] = normal(3, 4)
    np.testing.assert_allclose(gemm.matmul(raw, raw.T), raw @ raw.T, rtol=1e-6)
    swapped = normal(3, 4).astype(">f4")
    np.testing.assert_allclose(gemm.matmul(swapped, swapped.T), swapped @ swapped.T, rtol=1e-6)
    whole = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(gemm.matmul(whole, whole.T), whole @ whole.T)


@both_types
def test_infinities_and_nans_pass_through(isa, dtype):
    a, b = normal(20, 40, dtype=dtype), normal(40, 50, seed=1, dtype=dtype)
    a[3, 5], a[4, 6] = np.inf, np.nan
    got = gemm.matmul(a, b)
    assert np.isinf(got[3]).all()
    assert np.isnan(got[4]).all()
    assert np.isfinite(np.delete(got, [3, 4], axis=0)).all()


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    "shape",
    [(5, 7), (1, 70), (2, 3, 900), (12, 900), (60, 20), (300, 800), (7,), (0, 7), (5, 0)],
    ids=str,
)
@both_types
def test_linear(isa, dtype, shape, biased, activation):
    x, weight = normal(*shape, dtype=dtype), normal(230, shape[-1], seed=1, dtype=dtype)
    bias = normal(230, seed=2, dtype=dtype) if biased else None
    got = gemm.linear(x, weight, bias, activation)
    want = reference.linear(x.astype(WIDER[x.dtype]), weight, bias, activation)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got.astype(want.dtype), want, rtol=tolerance, atol=tolerance)
    assert got.dtype == dtype
    assert got.shape == (*shape[:-1], 230)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.reshape(1, 8, 6).swapaxes(0, 1),  # (8, 1, 6), where NumPy keeps odd strides
        lambda x: x.reshape(8, 1, 6).swapaxes(0, 1),
        lambda x: x.reshape(2, 4, 6)[:, ::-1],
        lambda x: x.reshape(2, 4, 6)[::-1],
        lambda x: x.reshape(4, 2, 6).swapaxes(0, 1),
        lambda x: x[::2],
        lambda x: np.broadcast_to(x[:4], (3, 4, 6)),
        lambda x: np.broadcast_to(x[:, None], (8, 3, 6)),
        lambda x: np.broadcast_to(x[0], (3, 4, 6)),
        lambda x: np.lib.stride_tricks.as_strided(x, (1, 8, 1, 6), (-400, 24, 12345 * 4, 4)),
    ],
)
def test_rows_as_they_lie(view):
    x, weight = view(normal(8, 6)), normal(5, 6, seed=1)
    want = np.matmul(x.astype(np.float64), weight.T)
    np.testing.assert_allclose(gemm.linear(x, weight), want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gemm.matmul(x, weight.T), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_added(dtype: type) -> None:
    """Into a total, of operands in either order; what is not covered goes to the twin."""
    rng = np.random.default_rng(0)
    for rows, depth, columns in ((1, 3, 5), (70, 600, 40), (5, 0, 3)):
        a, b = (rng.normal(size=(depth, n)).astype(dtype) for n in (rows, columns))
        total = rng.normal(size=(rows, columns)).astype(dtype)
        wanted = total + a.T.astype(np.float64) @ b.astype(np.float64)
        # A walk of `depth` roundings, each half a unit of a sum of absolute products.
        sums = np.abs(total) + np.abs(a.T).astype(np.float64) @ np.abs(b)
        bound = np.finfo(dtype).eps * (1 + depth**0.5) * sums
        found = gemm.add_matmul(total, a.T, b)
        assert found is total
        assert (np.abs(total - wanted) <= bound).all()
