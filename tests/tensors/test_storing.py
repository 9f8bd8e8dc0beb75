"""What goes into tensors of integers: whole numbers in the range of their dtype, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt


def assigned(x: tt.Tensor, index: Any, value: Any) -> tt.Tensor:
    x[index] = value
    return x


MASK, BOTH = np.array([True, True]), np.array([0, 1])
# Ways into a tensor of two integers of a dtype, of numbers …
MADE: dict[str, Callable[[Any, Any], Any]] = {
    "tensor": lambda v, dtype: tt.tensor([v, v], dtype=dtype),
    "Tensor": lambda v, dtype: tt.Tensor((v, v), dtype=dtype),
    "asarray": lambda v, dtype: tt.asarray([v, v], dtype=dtype),
    "full": lambda v, dtype: tt.full(2, v, dtype=dtype),
    "full of a tensor": lambda v, dtype: tt.full(2, tt.asarray(v), dtype=dtype),
    "full_like": lambda v, dtype: tt.full_like(tt.zeros(2), v, dtype=dtype),
}
# … and of arrays, too.
STORED: dict[str, Callable[[Any, Any], Any]] = {
    "x[...] =": lambda v, dtype: assigned(tt.zeros(2, dtype=dtype), ..., v),
    "x[[0, 1]] =": lambda v, dtype: assigned(tt.zeros(2, dtype=dtype), [0, 1], v),
    "x[mask] =": lambda v, dtype: assigned(tt.zeros(2, dtype=dtype), MASK, v),
    "fill_": lambda v, dtype: tt.zeros(2, dtype=dtype).fill_(v),
    "copy_": lambda v, dtype: tt.zeros(2, dtype=dtype).copy_(v),
    "masked_fill_": lambda v, dtype: tt.zeros(2, dtype=dtype).masked_fill_(MASK, v),
    "masked_fill": lambda v, dtype: tt.masked_fill(tt.zeros(2, dtype=dtype), MASK, v),
    "index_fill": lambda v, dtype: tt.index_fill(tt.zeros(2, dtype=dtype), 0, BOTH, v),
    "scatter": lambda v, dtype: tt.scatter(tt.zeros(2, dtype=dtype), 0, BOTH, v),
    "at.set": lambda v, dtype: tt.zeros(2, dtype=dtype).at[:].set(v),
    "at.add": lambda v, dtype: tt.zeros(2, dtype=dtype).at[BOTH].add(v),
    "pad": lambda v, dtype: tt.pad(tt.zeros(0, dtype=dtype), 1, constant_values=v),
}
WAYS = MADE | STORED
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", WAYS)
def test_numbers_of_the_dtype_go_in(way: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    numbers: list[Any] = [0, 7, True, 7.0, np.float32(7), np.int64(7), limits.min, limits.max]
    numbers += [float(limits.min), float(2 ** (limits.bits - 2)), np.array(limits.max)[()]]
    for number in numbers:
        got = WAYS[way](number, dtype)
        assert got.dtype == dtype, number
        assert got.tolist() == [int(number)] * 2, number


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", WAYS)
def test_other_numbers_are_refused(way: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    name = way.split(" ")[0].lower()
    name = "x[index]" if name.startswith("x[") else name
    numbers: list[Any] = [1.5, -0.5, np.float32(0.5), np.float64(1e-300), np.nan, np.inf, -np.inf]
    numbers += [limits.min - 1, limits.max + 1, 2.0**limits.bits, -(2.0**limits.bits), 10**30]
    if limits.bits < 64:
        numbers += [np.int64(limits.max + 1), np.int64(limits.min - 1)]
    for number in numbers:
        if "of a tensor" in way and (isinstance(number, int) or abs(number) == 1e-300):
            continue  # which may fit into no tensor, or be 0 in it
        with pytest.raises(tt.errors.RangeError, match=dtype) as caught:
            WAYS[way](number, dtype)
        assert str(caught.value).startswith(name)


@pytest.mark.parametrize("way", STORED)
def test_arrays_are_of_the_kind_and_in_the_range(way: str) -> None:
    for whole in (np.array(7), np.array(7, np.uint8), tt.tensor(7), tt.tensor(7, dtype=tt.int16)):
        assert STORED[way](whole, "int8").tolist() == [7, 7]
        assert STORED[way](whole, "uint64").tolist() == [7, 7]
    for array in (np.array(300), tt.tensor(-129), np.array(200, np.uint8)):
        with pytest.raises(tt.errors.RangeError, match=r"into int8, which holds -128 to 127"):
            STORED[way](array, "int8")
    with pytest.raises(tt.errors.RangeError, match=r"-1 does not fit into uint64"):
        STORED[way](np.array(-1), "uint64")
    for array in (np.array(2.0), tt.tensor(2.0), tt.tensor(2.0, dtype=tt.float16), np.array(2j)):
        with pytest.raises(tt.DtypeError, match=r"does not fit into int8; astype casts"):
            STORED[way](array, "int8")


@pytest.mark.parametrize("way", WAYS)
def test_complex_numbers_go_into_complex_tensors_alone(way: str) -> None:
    for dtype in ("int8", "uint64", "float32", "float64"):
        with pytest.raises(tt.DtypeError, match=rf"do(es)? not fit into {dtype}"):
            WAYS[way](1 + 2j, dtype)
    assert WAYS[way](1 + 2j, "complex64").tolist() == [1 + 2j] * 2


@pytest.mark.parametrize("way", WAYS)
def test_a_bool_is_the_truth_of_a_number(way: str) -> None:
    for number in (0, 2, -1, 0.5, 0.0, True, np.float64(3), np.int8(0)):
        assert WAYS[way](number, "bool").tolist() == [bool(number)] * 2


def test_arrays_with_a_dtype_are_cast() -> None:
    """As ``astype`` casts: it is asked for."""
    for make in (tt.tensor, tt.asarray, tt.Tensor):
        for array in (np.array([1.75, -1.75]), tt.tensor([1.75, -1.75]), [np.array(1.75), -1.75]):
            assert make(array, dtype=tt.int8).tolist() == [1, -1]
    assert tt.tensor([1.75, -1.75]).astype(tt.int8).tolist() == [1, -1]
    assert tt.tensor(np.array([300]), dtype=tt.int8).tolist() == [44]


def test_integers_of_many_digits_keep_them() -> None:
    """NumPy makes floats of lists of what no dtype of integers holds together."""
    assert tt.tensor([2**64 - 1, 0], dtype=tt.uint64).tolist() == [2**64 - 1, 0]
    assert tt.tensor([2**63 - 1, 1.0], dtype=tt.int64).tolist()[1] == 1
    for pair in ([2**63 - 1, 0.5], [-(2**63), np.float32(1.5)]):
        with pytest.raises(tt.errors.RangeError, match=r"\.5 does not fit into int64"):
            tt.tensor(pair, dtype=tt.int64)
    with pytest.raises(tt.errors.RangeError, match="into int64, which holds"):
        tt.tensor([2**63, -1], dtype=tt.int64)
    with pytest.raises(tt.errors.RangeError, match="into uint64, which holds"):
        tt.tensor([2**63, -1], dtype=tt.uint64)


def test_bounds_that_do_not_fit_are_no_others() -> None:
    x = tt.tensor([1, 2], dtype=tt.int8)
    assert tt.clip(x, np.array(-300), np.array(300)).tolist() == [1, 2]
    for bounds in ({"min": np.array(300)}, {"max": tt.tensor(-300)}, {"min": 300}):
        with pytest.raises(tt.errors.RangeError, match=r"^clip: -?300|300"):
            tt.clip(x, **bounds)
