"""Creation, data types and manipulation by the standard's text, beside what the oracle compares."""

from __future__ import annotations

import array
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinytensor as tt

from .oracle import COMPLEX, DTYPES, FLOATS, SIGNED, UNSIGNED, compare

# --- Creation --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_filled(dtype: str) -> None:
    kind = getattr(tt, dtype)
    for shape in ((), (0,), (3,), (2, 0, 3), 4):
        wanted = (shape,) if isinstance(shape, int) else shape
        for make, number in ((tt.zeros, 0), (tt.ones, 1)):
            x = make(shape, dtype=kind, device="cpu")
            assert (x.shape, x.dtype) == (wanted, kind)
            assert np.all(x.numpy() == number)
        assert tt.empty(shape, dtype=kind).shape == wanted
        assert tt.full(shape, 1, dtype=kind).numpy().sum() == math.prod(wanted)
        like = tt.ones(shape, dtype=kind)
        for make in (tt.zeros_like, tt.ones_like, tt.empty_like):
            assert (make(like).shape, make(like).dtype) == (wanted, kind)
            assert make(like, dtype=tt.int8, device="cpu").dtype == tt.int8
        assert tt.full_like(like, 1).dtype == kind
    for rows, columns, k in itertools.product((0, 1, 3), (None, 0, 4), (-5, -1, 0, 1, 5)):
        found = tt.eye(rows, columns, k=k, dtype=kind)
        np.testing.assert_array_equal(found.numpy(), np.eye(rows, columns, k, dtype))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_arange_of_integers(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([*SIGNED, *UNSIGNED, None]))
    info = np.iinfo(dtype or "int64")
    start = data.draw(st.integers(int(info.min), int(info.max)))
    step = data.draw(st.sampled_from([-3, -1, 1, 2, 7]))
    stop = (
        start + step * data.draw(st.integers(-2, 20)) + data.draw(st.sampled_from([0, step // 2]))
    )
    values = list(range(start, stop, step))
    if not all(info.min <= value <= info.max for value in (*values, stop)):
        return
    found = tt.arange(start, stop, step, dtype=dtype and getattr(tt, dtype))
    assert found.dtype == (dtype or "int64")
    assert found.tolist() == values


def test_arange_of_numbers_beyond_int64() -> None:
    top = 2**63
    assert tt.arange(top, top - 7, -3, dtype=tt.uint64).tolist() == [top, top - 3, top - 6]
    assert tt.arange(2**64 - 3, 2**64 - 1, dtype=tt.uint64).tolist() == [2**64 - 3, 2**64 - 2]


def test_arange_and_linspace_of_floats() -> None:
    assert tt.arange(3.0).tolist() == [0, 1, 2]
    assert tt.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert tt.arange(5, 1, -1.5).tolist() == [5, 3.5, 2]
    assert tt.arange(1, 1).shape == tt.arange(1, 0).shape == (0,)
    for dtype in FLOATS:
        kind = getattr(tt, dtype)
        assert tt.arange(3, dtype=kind).dtype == kind
        for start, stop, num, endpoint in itertools.product(
            (0.0, -1.5, 7), (1.0, 100.25), (0, 1, 2, 5), (True, False)
        ):
            found = tt.linspace(start, stop, num, dtype=kind, endpoint=endpoint)
            assert (found.shape, found.dtype) == ((num,), kind)
            np.testing.assert_allclose(
                found.numpy(), np.linspace(start, stop, num, endpoint), rtol=1e-6
            )
            if num:
                assert found[0].item() == start
            if num > 1 and endpoint:
                assert found[-1].item() == stop


def test_linspace_of_other_dtypes_is_refused() -> None:
    for dtype in (*SIGNED, *UNSIGNED, "bool"):
        with pytest.raises(tt.errors.DtypeError, match=f"linspace: dtype must be .* not {dtype}"):
            tt.linspace(0, 10, 3, dtype=getattr(tt, dtype))


def test_linspace_at_the_ends_of_a_dtype() -> None:
    for dtype in (tt.float32, tt.float64):
        most = dtype.type(tt.finfo(dtype).max)
        for start, stop in ((-most, most), (float(-most), float(most)), (most, -most)):
            found = tt.linspace(start, stop, 5, dtype=dtype)
            assert found.dtype == dtype
            assert (found[0].item(), found[-1].item()) == (start, stop)
            np.testing.assert_allclose(found, [start, start / 2, 0, stop / 2, stop], rtol=1e-15)
    third = np.float32(1 / 3)
    ends = tt.linspace(third, np.float32(0.1), 7)
    assert (ends.dtype, ends[0].item(), ends[-1].item()) == (tt.float32, third, np.float32(0.1))
    one = np.float32(1)
    several = tt.linspace(one, np.float32(2), 50).numpy()  # each rounded once
    np.testing.assert_array_equal(several, np.linspace(1, 2, 50).astype(np.float32))
    assert tt.linspace(third, one, 3, dtype=tt.float64)[0].item() == float(third)
    wide = tt.linspace(-1e308 - 1e308j, 1e308 + 1e308j, 3, dtype=tt.complex128)
    assert wide.tolist() == [-1e308 - 1e308j, 0, 1e308 + 1e308j]


def test_asarray_takes_what_is_like_an_array() -> None:
    nested = [[1, 2], (3, 4)]
    assert tt.asarray(nested).tolist() == [[1, 2], [3, 4]]
    assert tt.asarray([tt.asarray(1.0), 2]).tolist() == [1, 2]
    assert tt.asarray([[tt.ones(2), [3, 4]]]).shape == (1, 2, 2)
    assert tt.asarray(range(3)).tolist() == [0, 1, 2]
    kept = tt.asarray(array.array("d", [1, 2]))
    assert kept.dtype == tt.float64  # a buffer has a dtype, Python's floats have the default
    assert tt.asarray(memoryview(np.ones(3))).dtype == tt.float64
    for value, dtype in ((True, tt.bool), (1, tt.int64), (1.0, tt.float32), (1j, tt.complex64)):
        assert tt.asarray(value).dtype == tt.asarray([value]).dtype == dtype
    assert tt.asarray([], dtype=tt.int8).shape == (0,)
    assert tt.asarray(2**64 - 1, dtype=tt.uint64).item() == 2**64 - 1
    for value in ("text", object(), None, [[1], [2, 3]], {1: 2}):
        with pytest.raises((TypeError, ValueError)):
            tt.asarray(value)
    x = tt.asarray([1.0, 2.0])
    assert tt.asarray(x) is x
    same, copied = tt.asarray(x, copy=False), tt.asarray(x, copy=True)
    x[0] = 7
    assert (same[0].item(), copied[0].item()) == (7, 1)
    with pytest.raises(ValueError, match="copy"):
        tt.asarray(x, dtype=tt.float64, copy=False)
    for dtype in DTYPES:
        assert tt.asarray(x, dtype=getattr(tt, dtype)).dtype == dtype
        for other in DTYPES[:-2]:
            assert (
                tt.asarray(tt.ones(2, dtype=getattr(tt, other)), getattr(tt, dtype)).dtype == dtype
            )


def test_meshgrid_and_triangles() -> None:
    a, b = tt.asarray([1, 2, 3]), tt.asarray([4, 5])
    for indexing in ("xy", "ij"):
        found = tt.meshgrid(a, b, indexing=indexing)
        wanted = np.meshgrid([1, 2, 3], [4, 5], indexing=indexing)  # type: ignore[call-overload]
        for got, want in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(got.numpy(), want)
    assert len(tt.meshgrid()) == 0
    with pytest.raises(ValueError, match="meshgrid: indexing"):
        tt.meshgrid(a, indexing="ji")


# --- Data types ------------------------------------------------------------------------------


def test_every_cast() -> None:
    values: dict[str, Any] = {"bool": [True, False], "f": [0.0, -0.0, 1.5, -2.75], "i": [0, 1, 100]}
    for one, other in itertools.product(DTYPES, DTYPES):
        kind = np.dtype(one).kind
        x = np.array(values.get("f" if kind in "fc" else "bool" if kind == "b" else "i"), one)
        if one in COMPLEX and other not in (*COMPLEX, "bool"):
            with pytest.raises(TypeError, match="astype: complex numbers do not fit"):
                tt.astype(tt.asarray(x), getattr(tt, other))
            continue
        if other in UNSIGNED:
            x = x[x >= 0] if kind != "b" else x
        found = tt.astype(tt.asarray(x), getattr(tt, other))
        assert found.dtype == other
        np.testing.assert_array_equal(found.numpy(), x.astype(other))
    x = tt.ones(2)
    assert tt.astype(x, tt.float32, copy=False) is x
    assert tt.astype(x, tt.float32, copy=True) is not x
    with pytest.raises(ValueError, match="astype: there is only"):
        tt.astype(x, tt.float32, device="gpu")


def test_limits() -> None:
    for name in (*FLOATS, *COMPLEX):
        for of in (getattr(tt, name), tt.ones(2, dtype=getattr(tt, name))):
            found = tt.finfo(of)
            for limit in ("eps", "max", "min", "smallest_normal"):
                assert type(getattr(found, limit)) is float
            assert found.dtype in (tt.float32, tt.float64)
    for of in (tt.int8, tt.bool, "text"):
        with pytest.raises((TypeError, ValueError)):
            tt.finfo(of)
    for of in (tt.float32, tt.complex64):
        with pytest.raises((TypeError, ValueError)):
            tt.iinfo(of)
    with pytest.raises((TypeError, ValueError)):
        tt.isdtype(tt.float32, "floating")
    with pytest.raises((TypeError, ValueError)):
        tt.result_type()
    assert type(tt.can_cast(tt.int8, tt.int16)) is bool
    assert type(tt.isdtype(tt.int8, "integral")) is bool


# --- Manipulation ----------------------------------------------------------------------------

SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_shapes_of_moves(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    x = np.arange(math.prod(shape)).reshape(shape)
    ndim = x.ndim
    axis = data.draw(st.integers(-ndim, ndim - 1))
    order = data.draw(st.permutations(range(ndim)))
    compare("permute_dims", x, tuple(i - ndim * (i % 2) for i in order))
    compare("moveaxis", x, tuple(order), tuple(range(ndim)))
    compare("flip", x, axis=axis)
    compare("roll", x, data.draw(st.integers(-9, 9)), axis=axis)
    compare("roll", x, tuple(order), axis=tuple(order))
    compare("expand_dims", x, axis=data.draw(st.integers(-ndim - 1, ndim)))
    compare("concat", [x, x[:1], x[:0]], axis=0)
    compare("stack", [x, x + 1], axis=data.draw(st.integers(-ndim - 1, ndim)))
    compare("unstack", x, axis=axis)
    compare("repeat", x, data.draw(st.integers(0, 3)), axis=axis)
    counts = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=shape[axis], max_size=shape[axis])), "i8"
    )
    compare("repeat", x, counts, axis=axis)
    compare("tile", x, tuple(data.draw(st.lists(st.integers(0, 2), max_size=ndim + 1))))
    compare("reshape", x, (-1,) if x.size else shape)
    compare("cumulative_sum", x, axis=axis, include_initial=data.draw(st.booleans()))
    compare("broadcast_to", x, (2, *shape))


def test_axes_that_are_not_there() -> None:
    x = tt.ones((2, 3))
    calls: list[Any] = [
        lambda: tt.expand_dims(x, axis=3),
        lambda: tt.expand_dims(x, axis=-4),
        lambda: tt.squeeze(x, axis=5),
        lambda: tt.sum(x, axis=2),
        lambda: tt.flip(x, axis=-3),
        lambda: tt.concat([x, x], axis=2),
        lambda: tt.stack([x, x], axis=4),
        lambda: tt.unstack(x, axis=2),
        lambda: tt.sort(x, axis=2),
        lambda: tt.argmax(x, axis=-3),
        lambda: tt.cumulative_sum(x, axis=2),
        lambda: tt.diff(x, axis=2),
        lambda: tt.take(x, tt.asarray([0]), axis=2),
        lambda: tt.fft.fft(x, axis=2),
    ]
    for call in calls:
        for kind in (ValueError, IndexError):
            with pytest.raises(kind):
                call()
    with pytest.raises(ValueError, match="squeeze"):
        tt.squeeze(x, axis=0)
    for shape in ((2, 2), (3, 2)):
        with pytest.raises(ValueError, match="broadcast_to"):
            tt.broadcast_to(x, shape)
    with pytest.raises(ValueError, match="reshape"):
        tt.reshape(x, (4,))


def test_sorting_is_stable_in_both_directions() -> None:
    x = tt.asarray([2, 1, 2, 1, 2])
    assert tt.argsort(x).tolist() == [1, 3, 0, 2, 4]
    assert tt.argsort(x, descending=True).tolist() == [0, 2, 4, 1, 3]
    assert tt.sort(x, descending=True, stable=False).tolist() == [2, 2, 2, 1, 1]


def test_sets() -> None:
    nans = tt.asarray([math.nan, 1.0, math.nan, -0.0, 0.0, 1.0])
    found = tt.unique_all(nans)
    assert found._fields == ("values", "indices", "inverse_indices", "counts")
    assert found.counts.tolist() == [2, 2, 1, 1]  # NaNs are all different, ±0 are one
    assert tt.unique_counts(nans)._fields == ("values", "counts")
    assert tt.unique_inverse(nans)._fields == ("values", "inverse_indices")
    assert tt.unique_values(nans).shape == (4,)
    x = tt.asarray([[3, 1], [1, 3]])
    assert tt.unique_inverse(x).inverse_indices.tolist() == [[1, 0], [0, 1]]
    assert tt.unique_all(x).indices.tolist() == [1, 0]
    for dtype in DTYPES:
        empty = tt.unique_all(tt.zeros((0, 2), dtype=getattr(tt, dtype)))
        assert empty.values.dtype == dtype
        assert empty.inverse_indices.shape == (0, 2)
    assert tt.isin(2, tt.asarray([1, 2])).item() is True
    assert tt.isin(tt.asarray([1, 2]), 2, invert=True).tolist() == [True, False]
