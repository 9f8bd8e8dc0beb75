"""Indexing and assignment as the standard wants them, with ndarrays as the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinytensor as tt

from .oracle import DTYPES

X = np.arange(24).reshape(2, 3, 4)


def same(x: np.ndarray, index: Any) -> None:
    wanted = x[index]
    found = tt.asarray(x)[tensors_in(index)]
    assert isinstance(found, tt.Tensor)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(found.numpy(), wanted)


def tensors_in(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(tensors_in(item) for item in index)
    return tt.asarray(index) if isinstance(index, np.ndarray) else index


def assigned(x: np.ndarray, index: Any, value: Any) -> None:
    wanted, found = x.copy(), tt.tensor(x)
    wanted[index] = value
    found[tensors_in(index)] = tensors_in(value)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found.numpy(), wanted)


BASIC: list[Any] = [
    0,
    -1,
    (1, -2),
    (1, 2, 3),
    slice(None),
    slice(1, None),
    (slice(None), slice(None, None, -1)),
    (slice(2, 0, -1), ..., slice(3, 0, -2)),
    (0, slice(1, 1)),
    ...,
    (..., 0),
    (0, ..., None),
    (None, 1, slice(None), None),
    (),
]
ADVANCED: list[Any] = [
    np.array([1, 0, 0]),
    np.array([[1, 0], [-1, -2]]),
    (np.array([0, 1]), np.array([2, -1])),
    (np.array([[0], [1]]), np.array([0, 2, 1])),
    (np.array([0, 1]), 2, np.array([3, 0])),
    (0, np.array([2, 1, 0]), np.array([1, 1, 3])),
    (slice(None), np.array([2, 0])),
    (np.array(1), np.array(2)),
    np.array([], np.int64),
    (slice(None), slice(None), np.array([3, 3])),
]
MASKS: list[Any] = [
    X > 7,
    X > 99,
    np.array([True, False]),
    (slice(None), np.array([True, False, True])),
    np.ones((2, 3), bool),
    np.array(True),
    np.array(False),
]


@pytest.mark.parametrize("index", BASIC + ADVANCED + MASKS, ids=repr)
def test_picking_and_assigning(index: Any) -> None:
    same(X, index)
    assigned(X, index, 7)
    picked = X[index]
    assigned(X, index, -1 - np.arange(picked.size).reshape(picked.shape))
    if picked.ndim > 1:
        assigned(X, index, picked[:1] * 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    x = (X % 5).astype(dtype)
    for index in (0, (1, 2, 3), (slice(None), np.array([0, 2])), X > 7):
        same(x, index)
        assigned(x, index, x[index] * x.dtype.type(1))
        assigned(x, index, x.dtype.type(1).item())
    for kind in ("int8", "uint8", "int32", "uint64"):
        same(x, np.array([1, 0], kind))


@pytest.mark.parametrize("index", [(), ..., np.array(True), (None, ...)], ids=repr)
def test_of_no_axes(index: Any) -> None:
    x = np.array(5.0)
    same(x, index)
    assigned(x, index, 7.0)


def test_what_is_out_of_bounds() -> None:
    x = tt.asarray(X)
    indices: list[Any] = [2, -3, (0, 3), (..., 4), tt.asarray([0, 2]), (0, tt.asarray([-4]))]
    indices += [(0, 0, 0, 0), tt.ones(3, dtype=tt.bool), tt.asarray([0.0])]
    for index in indices:
        with pytest.raises(IndexError):
            x[index]
        with pytest.raises(IndexError):
            x[index] = 0
    assert x[:9].shape == x.shape  # slices are cut to fit
    for value in (tt.ones(3, dtype=x.dtype), tt.ones((2, 4), dtype=x.dtype)):
        with pytest.raises(ValueError, match=r"shape|broadcast"):
            x[0, 0] = value
    with pytest.raises(IndexError):
        tt.ones(())[0]
    np.testing.assert_array_equal(x.numpy(), X)


def test_basic_indices_are_views_and_arrays_copy() -> None:
    x = tt.tensor(X)
    for view in (x[0], x[..., 1], x[:, ::2], x[0, 0, 0], x[None]):
        assert np.shares_memory(view.numpy(), x.numpy())
    for copy in (x[tt.asarray([0])], x[x >= 0], x[tt.asarray(0)]):
        assert not np.shares_memory(copy.numpy(), x.numpy())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_integers_and_arrays_mixed(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    x = np.arange(np.prod(shape)).reshape(shape)
    index = data.draw(
        hnp.integer_array_indices(shape) | hnp.basic_indices(shape, allow_newaxis=True)
    )
    same(x, index)
    assigned(x, index, 3)
    found = tt.tensor(x.astype(float), requires_grad=True)
    picked = found[tensors_in(index)]
    weights = 1.0 + np.arange(picked.size).reshape(picked.shape)
    (picked * tt.asarray(weights)).sum().backward()
    wanted = np.zeros(shape)
    np.add.at(wanted, index, weights)
    assert found.grad is not None
    np.testing.assert_array_equal(found.grad.numpy(), wanted)


def test_take_and_take_along_axis() -> None:
    x = tt.asarray(X)
    for axis, indices in ((0, [1, 0, 1]), (-1, [-1, 3]), (1, [2])):
        for kind in ("int64", "int8", "uint8", "uint64"):
            if kind.startswith("u") and -1 in indices:
                continue
            given_indices = tt.asarray(indices, dtype=getattr(tt, kind))
            found = tt.take(x, given_indices, axis=axis)
            np.testing.assert_array_equal(found.numpy(), np.take(X, indices, axis))
    for axis, shape in ((0, (1, 3, 4)), (1, (2, 1, 4)), (-1, (2, 3, 1)), (-1, (1, 1, 6))):
        indices_array = np.zeros(shape, np.int64)
        found = tt.take_along_axis(x, tt.asarray(indices_array), axis=axis)
        np.testing.assert_array_equal(found.numpy(), np.take_along_axis(X, indices_array, axis))
    with pytest.raises(IndexError, match="take"):
        tt.take(x, tt.asarray([5]), axis=0)
    with pytest.raises(IndexError, match="take: there is no axis 3"):
        tt.take(x, tt.asarray([0]), axis=3)
    with pytest.raises(TypeError, match="take: indices must be integers"):
        tt.take(x, tt.asarray([0.0]), axis=0)
