"""``x.at[index]``: against loops, with repeated indices, and its gradients against PyTorch."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinytensor as tt
from tinytensor.ops import indexing

CHANGES: dict[str, Any] = {
    "set": lambda old, new: new,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "min": min,
    "max": max,
}


some_places = given(places=st.lists(st.integers(-5, 4), max_size=8), seed=st.integers(0, 99))


def numbers(places: list[int], seed: int) -> list[np.ndarray]:
    """What is changed, the values that change it, and a cotangent of the outcome."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2, 5), rng.uniform(0.5, 2, len(places)), rng.normal(size=5)]


@pytest.mark.parametrize("name", CHANGES)
@some_places
def test_each_value_in_turn_where_an_index_repeats(name: str, places: list[int], seed: int) -> None:
    x, v, _ = numbers(places, seed)
    expected = x.copy()
    for place, value in zip(places, v, strict=True):
        expected[place] = CHANGES[name](expected[place], value)
    index = np.array(places, dtype=np.int64)
    leaf, values = tt.tensor(x, requires_grad=True), tt.tensor(v, requires_grad=True)
    got = getattr(leaf.at[index], name)(values)
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(leaf.detach().numpy(), x)


@pytest.mark.parametrize("name", CHANGES)
@some_places
def test_gradients_where_an_index_repeats(
    torch: Any, name: str, places: list[int], seed: int
) -> None:
    x, v, cotangent = numbers(places, seed)
    leaf, values = tt.tensor(x, requires_grad=True), tt.tensor(v, requires_grad=True)
    got = getattr(leaf.at[np.array(places, dtype=np.int64)], name)(values)
    t_leaf, t_values = (torch.tensor(a, requires_grad=True) for a in (x, v))
    parts = list(t_leaf.unbind())
    for place, value in zip(places, t_values.unbind(), strict=True):
        old = parts[place]
        changed = {"min": torch.minimum, "max": torch.maximum}.get(name, CHANGES[name])
        parts[place] = changed(old, value)
    torch.stack(parts).backward(torch.tensor(cotangent))
    found = tt.grad(got, (leaf, values), tt.tensor(cotangent), allow_unused=True)
    for ours, theirs in zip(found, (t_leaf.grad, t_values.grad), strict=True):
        zeros = np.zeros(ours.shape if ours is not None else len(places))
        np.testing.assert_allclose(
            zeros if ours is None else ours.numpy(),
            zeros if theirs is None else theirs.numpy(),
            rtol=1e-9,
            atol=1e-12,
        )


def test_indices_of_every_kind() -> None:
    x = np.arange(12.0).reshape(3, 4)
    indices: list[Any] = [
        1,
        (slice(None), 2),
        (..., None, 1),
        x > 5,
        ([0, 2], slice(1, 3)),
        (np.array([[0], [2]]), np.array([1, 3])),
        [True, False, True],
        (),
    ]
    for index in indices:
        expected = x.copy()
        expected[index] = -1
        np.testing.assert_array_equal(tt.tensor(x).at[index].set(-1).numpy(), expected)
        np.testing.assert_array_equal(tt.tensor(x).at[index].get().numpy(), x[index])


def test_bad_updates() -> None:
    x = tt.tensor([1.0, 2.0, 3.0])
    with pytest.raises(tt.ShapeError, match=r"at\.set: the value is \(3,\), but its place \(2,\)"):
        x.at[:2].set(tt.ones(3))
    with pytest.raises(IndexError, match=r"at\.add: index 9 is out of bounds"):
        x.at[9].add(1.0)
    with pytest.raises(tt.DtypeError, match=r"at\.set: 1\.5 does not fit into int64"):
        tt.tensor([1, 2]).at[0].set(1.5)
    with pytest.raises(tt.ShapeError, match=r"scatter: index \(4, 1\) does not fit an x of \(3,\)"):
        tt.scatter(x, 0, np.zeros((4, 1), int), x)
    assert tt.tensor([1, 2], dtype=tt.uint8).at[0].add(3).tolist() == [4, 2]


def test_copies_of_tensors() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = copy.copy(x * 3)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3, 3]
    shallow, deep, back = copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))
    with tt.no_grad():
        x[0] = 7
    assert [t[0].item() for t in (shallow, deep, back)] == [7, 1, 1]
    assert shallow.requires_grad
    assert deep.requires_grad
    assert back.requires_grad


def test_html_for_notebooks() -> None:
    assert "<td>0</td><td>1</td>" in tt.arange(6).reshape(2, 3)._repr_html_()
    wide = tt.arange(100)._repr_html_()
    assert wide.count("<td>") == 13
    assert "…" in wide
    assert tt.ones((1, 1, 1))._repr_html_().startswith("<pre>tensor(")


ALL = slice(None)
PLACES = np.random.default_rng(3).integers(-5, 5, (40, 3))


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        (PLACES, (5, 70)),
        (PLACES.astype(np.int8), (300, 70)),
        ((ALL, PLACES), (4, 5, 3)),
        ((ALL, PLACES, np.arange(3), ALL), (4, 5, 3, 2)),
        ((PLACES, 1), (5, 3, 7)),
        ((PLACES, ALL, ALL), (5, 7, 2)),
        ((PLACES, ALL, PLACES), (5, 7, 6)),
        ((..., PLACES), (9, 5)),
        ((None, PLACES), (5, 11)),
        ((PLACES, slice(0, 8)), (5, 11)),
        ((PLACES, PLACES), (5, 6)),
        ((ALL, PLACES[:, 0] > 0), (20, 40, 2)),
        ([0, 1, 1], (3, 600)),
        (PLACES, (5, 0)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex64"])
def test_scatter_add_of_rows_is_numpys(index: Any, shape: tuple[int, ...], dtype: str) -> None:
    picked = np.empty(shape)[index].shape
    g = (8 * np.random.default_rng(0).normal(size=picked)).astype(dtype)
    expected = np.zeros(shape, dtype)
    np.add.at(expected, index, g)
    got = indexing.added_at(tt.tensor(g), index, shape).numpy()
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("place", [5, -6])
def test_scatter_add_out_of_range(place: int) -> None:
    index = np.full(300, place)
    with pytest.raises(IndexError, match=f"added_at: index {place} is out of bounds"):
        indexing.added_at(tt.zeros((300, 3)), index, (5, 3))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_many_rows_are_numpys(dtype: str) -> None:
    x = (4 * np.random.default_rng(0).normal(size=(50, 70, 3))).astype(dtype)
    for index in (PLACES.repeat(9), np.tile(PLACES, (8, 1)).astype(np.int8), x[:, 0, 0] > 0):
        for array in (x, x[::-1], np.asfortranarray(x), x[..., :0]):
            got = tt.tensor(array)[index].numpy()
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array[index])
    for place in (50, -51):
        with pytest.raises(IndexError, match=f"index {place} is out of bounds"):
            tt.tensor(x)[np.full(300, place)]
