"""Copies into C order: every layout, against NumPy, on every instruction set."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels

_core = pytest.importorskip("tinytensor.kernels._core", reason="the fast kernels are not built")


@pytest.fixture(params=_core.available_isas())
def isa(request: pytest.FixtureRequest):
    before = _core.isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def check(x: np.ndarray) -> None:
    for function in (kernels.copy, kernels.contiguous):
        got = function(x)
        assert got.flags.c_contiguous
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got, x)
    assert not np.shares_memory(kernels.copy(x), x)


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 5), (17, 33), (1, 70), (70, 1), (0, 4), (2, 4097)], ids=str
)
def test_reshaped(isa: str, shape: tuple[int, ...]) -> None:
    for x in (numbered(*shape), numbered(*shape).T, numbered(3, *shape)[1], numbered(*shape)[::-1]):
        for sizes in ((x.size,), x.size, (*shape, 1), list(shape)):
            got, want = kernels.reshape(x, sizes), kernels.reference.reshape(x, sizes)
            np.testing.assert_array_equal(got, want, strict=True)
            assert np.shares_memory(got, x) == np.shares_memory(want, x)
            assert not np.shares_memory(kernels.reshape(x, sizes, True), x)
        with pytest.raises(ValueError, match="reshape"):
            kernels.reshape(x, (x.size + 1,))


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (3, 5),
        (16, 16),
        (17, 33),
        (64, 130),
        (300, 517),
        (1, 70),
        (70, 1),
        (0, 4),
        (2, 4097),
    ],
    ids=str,
)
def test_transposed(isa: str, shape: tuple[int, ...]) -> None:
    check(numbered(*shape).T)
    check(numbered(3, *shape).mT)


@pytest.mark.parametrize("axes", [None, (2, 0, 1), (-1, 1, 0)], ids=str)
def test_axes_in_another_order(axes: tuple[int, ...] | None) -> None:
    x = numbered(2, 3, 5)
    for kernel in (kernels.permute_dims, kernels.reference.permute_dims):
        got = kernel(x, axes)
        np.testing.assert_array_equal(got, x.transpose(axes), strict=True)
        assert np.shares_memory(got, x)
        assert isinstance(kernel(np.float32(1.0)), np.ndarray)  # a number has a view too


@pytest.mark.parametrize("axes", list(itertools.permutations(range(4))), ids=str)
def test_permuted(isa: str, axes: tuple[int, ...]) -> None:
    for shape in ((2, 3, 19, 34), (5, 1, 40, 16), (33, 2, 2, 65)):
        check(numbered(*shape).transpose(axes))


def test_slices_and_steps(isa: str) -> None:
    x = numbered(37, 65, 21)
    for view in (
        x[1:30, 3:60, 2:19],
        x[:, :, 5],
        x[:, 5],
        x[::2, ::3],
        x[:, :, ::2],
        x[::-1],
        x[:, ::-1, ::-1],
        x[3:, ::-2, 4:].transpose(2, 0, 1),
        np.broadcast_to(x[0], (3, 65, 21)),
        np.broadcast_to(x[:, :, :1], x.shape),
        x[0, 0, :0],
        np.float32(3) + np.zeros((), np.float32),
    ):
        check(view)


def test_other_dtypes_and_unaligned_memory() -> None:
    check(numbered(30, 40).astype(np.float64).T)
    check(numbered(30, 40).astype(np.int64)[::2, ::3])
    raw = np.zeros(4 * 12 + 1, np.uint8)[1:].view(np.float32).reshape(3, 4)
    check(raw.T)
    check(numbered(3, 4).astype(">f4").T)
    fields = np.zeros(9, [("a", np.uint8), ("b", np.float32)])["b"]  # steps of 5 bytes
    check(fields)


def test_reshape_copies_only_if_it_must() -> None:
    x = tt.tensor(numbered(4, 6, 5))
    turned = tt.permute_dims(x, (1, 0, 2))
    np.testing.assert_array_equal(turned.reshape(24, 5).value, turned.value.reshape(24, 5))
    assert np.shares_memory(x.value, x[:, :, :4].reshape(24, 4).value)
    assert not np.shares_memory(x.value, turned.reshape(24, 5).value)
    with pytest.raises(tt.ShapeError, match=r"^reshape: "):
        turned.reshape(7, 7)


def test_maps_of_strided_arrays(isa: str) -> None:
    x, y = numbered(64, 90) / 1000, numbered(90, 64) / 1000
    for view in (x.T, x[3:50, 4:80], x[:, ::2], x[::-1, ::-1], numbered(3, 40, 50)[:, 1:9].mT):
        np.testing.assert_array_equal(kernels.exp(view), kernels.exp(view.copy()))
        np.testing.assert_array_equal(kernels.add(view, 2.0), view + np.float32(2))
        np.testing.assert_array_equal(kernels.subtract(2.0, view), np.float32(2) - view)
        np.testing.assert_array_equal(kernels.add(view, view[0]), view + view[0])
    np.testing.assert_array_equal(kernels.subtract(x.T, y), x.T - y)
    np.testing.assert_array_equal(kernels.subtract(x.T, y[:, :1]), x.T - y[:, :1])
    np.testing.assert_array_equal(kernels.subtract(x.T, x.T * 2), -x.T)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 70, 5000, 70_000])
def test_comparisons_and_choice(isa: str, n: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-2, 3, (2, n)).astype(np.float32)
    a[::7] = np.nan
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        for x, y in ((a, b), (a, 1.0), (0, b), (a, b[:1]), (a[:1], b)):
            got = getattr(kernels, name)(x, y)
            assert got.dtype == bool
            np.testing.assert_array_equal(got, getattr(np, name)(x, y))
    for x, y in ((a, b), (a, 0.5), (2, b)):
        np.testing.assert_array_equal(
            kernels.where(a < b, x, y), np.where(a < b, x, y).astype(np.float32)
        )


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 5), (70, 33), (50, 199), (40, 17, 65), (3, 90_000), (90_000, 3)]
)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_first_extremes(isa: str, name: str, shape: tuple[int, ...], axis: int | None) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 9, shape).astype(np.float32)  # many are equal
    for put in (None, np.nan, np.inf, -np.inf):
        if put is not None:
            x.reshape(-1)[rng.integers(0, x.size, 1 + x.size // 999)] = put
        for keepdims in (False, True):
            got = getattr(kernels, name)(x, axis, keepdims)
            np.testing.assert_array_equal(got, getattr(np, name)(x, axis, keepdims=keepdims))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (70, 33), (9, 17, 257), (3, 40_000), (0, 3)])
def test_running_sums_have_the_error_of_a_sum_in_runs(
    isa: str, shape: tuple[int, ...], axis: int, reverse: bool
) -> None:
    x = np.random.default_rng(2).standard_normal(shape, np.float32)
    way = slice(None, None, -1 if reverse else 1)
    along = np.moveaxis(x.astype(np.float64), axis, 0)[way]
    expected, sizes = (np.cumsum(a, 0)[way] for a in (along, abs(along)))
    got = np.moveaxis(kernels.cumsum(x, axis, reverse), axis, 0)
    assert (abs(got - expected) <= 6 * 2.0**-24 * sizes).all()


ALL = slice(None)
PLACES = [
    ((40, 70), (ALL, slice(3, 20))),
    ((40, 70), (slice(5, 30), slice(0, 70))),
    ((40, 70), (slice(5, 30), slice(69, 70))),
    ((40, 70), slice(5, 30)),
    ((40, 70), (slice(0, 40, 2), slice(3, 20))),
    ((41, 70), (slice(0, 40, 2), slice(3, 20))),
    ((40, 70), (ALL, 3)),
    ((40, 70), (slice(None, None, -1), slice(3, 20))),
    ((40, 70), (ALL, slice(None, None, -2))),
    ((40, 70), (39, 69)),
    ((40, 70), (None, ..., slice(7, 8), None)),
    ((40, 70), ...),
    ((40, 70), (slice(3, 3),)),
    ((7, 5, 6), (ALL, 2)),
    ((7, 5, 6), (ALL, slice(1, 3), slice(2, 4))),
    ((7, 5, 6), (..., -1)),
    ((7, 5, 6), 6),
    ((1, 1), (0, 0)),
    ((), ()),
    ((3, 90_000), (slice(1, 3), slice(10, 80_000))),
    ((270_000,), slice(40_000, 230_000)),
    ((600, 900), (slice(100, 500), slice(450, 460))),
    ((300_000, 2), (ALL, 1)),
]


@pytest.mark.parametrize(("shape", "index"), PLACES, ids=str)
def test_a_part_of_zeros(isa: str, shape: tuple[int, ...], index: object) -> None:
    picked = np.zeros(shape)[index].shape
    whole = 1 + numbered(*picked, 2)
    for g in (whole[..., 0].copy(), whole[..., 1], np.broadcast_to(np.float32(3), picked)):
        spoilt = _core.empty(shape, np.float32)  # the memory that the next one of this size takes
        spoilt[...] = np.nan
        del spoilt
        got, want = kernels.place(g, index, shape), kernels.reference.place(g, index, shape)
        np.testing.assert_array_equal(got, want, strict=True)
        assert got.flags.c_contiguous
    for dtype in (np.float64, np.int32, np.dtype(">f4")):
        g = whole[..., 0].astype(dtype)
        got, want = kernels.place(g, index, shape), kernels.reference.place(g, index, shape)
        np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize("kernel", [kernels.place, kernels.reference.place])
def test_a_part_that_does_not_fit(kernel) -> None:
    with pytest.raises(ValueError, match=r"g is \(2, 4\), but its place is \(3, 4\)"):
        kernel(numbered(2, 4), slice(0, 3), (5, 4))
    with pytest.raises(IndexError):
        kernel(numbered(4), 5, (5, 4))
