"""Methods that overwrite a tensor by what is drawn, and places in it by values."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.tensors.filling import IN_PLACE

# Arguments, mean and variance of each; those of logarithms or ranks where there are none.
DRAWS: dict[str, tuple[tuple[Any, ...], float, float, Callable[[Any], Any]]] = {
    "normal_": ((2.0, 3.0), 2, 9, lambda x: x),
    "uniform_": ((-1.0, 3.0), 1, 16 / 12, lambda x: x),
    "log_normal_": ((0.5, 2.0), 0.5, 4, np.log),
    "exponential_": ((4.0,), 0.25, 1 / 16, lambda x: x),
    "cauchy_": ((1.0, 2.0), 0.5, 1 / 12, lambda x: 0.5 + np.arctan((x - 1) / 2) / math.pi),
    "geometric_": ((0.25,), 4, 12, lambda x: x),
    "bernoulli_": ((0.3,), 0.3, 0.21, lambda x: x),
    "random_": ((2, 12), 6.5, 99 / 12, lambda x: x),
}
NEED_FLOATS = ["normal_", "uniform_", "log_normal_", "exponential_", "cauchy_"]


def test_each_is_here() -> None:
    assert {*DRAWS, "fill_diagonal_"} == IN_PLACE.keys()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_moments(name: str, dtype: str) -> None:
    args, mean, variance, seen = DRAWS[name]
    generator = np.random.Generator(np.random.Philox(3))
    x = tt.zeros(200, 200, dtype=dtype)
    assert getattr(x, name)(*args, generator=generator) is x
    assert x.dtype == dtype
    found = seen(x.numpy().astype(np.float64))
    deviations = math.sqrt(variance / found.size)  # of the mean
    assert abs(found.mean() - mean) < 5 * deviations + 1e-3
    assert abs(found.var() / variance - 1) < 0.1


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_draws_the_same(name: str) -> None:
    args = DRAWS[name][0]
    runs = []
    for _ in range(2):
        tt.manual_seed(5)
        runs.append(getattr(tt.zeros(2, 3), name)(*args).tolist())
    assert runs[0] == runs[1]
    tt.manual_seed(6)
    strided = tt.zeros(3, 2).T
    other = getattr(strided, name)(*args)
    assert other is strided
    assert getattr(tt.tensor(0.0), name)(*args).shape == ()
    assert getattr(tt.zeros(0, 3), name)(*args).shape == (0, 3)


@pytest.mark.parametrize("name", DRAWS)
def test_they_count_as_changes_in_place(name: str) -> None:
    args = DRAWS[name][0]
    leaf = tt.ones(3, requires_grad=True)
    with pytest.raises(tt.GraphError, match=f"^{name}: cannot change a tensor in place"):
        getattr(leaf, name)(*args)
    with tt.no_grad():
        getattr(leaf, name)(*args)
    x = leaf * 2
    y = x * x
    getattr(x, name)(*args)
    with pytest.raises(tt.GraphError, match=name):
        y.sum().backward()
    x = leaf * 2
    getattr(x[1:], name)(*args)
    (x * 3).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [6, 0, 0]
    with pytest.raises(tt.errors.VmapError):
        tt.func.vmap(lambda x: getattr(x, name)(*args), randomness="same")(tt.zeros(2, 3))
    read_only = tt.Tensor(np.broadcast_to(np.zeros(()), (3,)))
    with pytest.raises(ValueError, match=f"^{name}: the tensor's memory is read-only"):
        getattr(read_only, name)(*args)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "uint64"])
def test_integers(dtype: str) -> None:
    x = tt.ones(1000, dtype=dtype)
    for name in NEED_FLOATS:
        with pytest.raises(tt.DtypeError, match=f"^{name}: draws floats, but .* {dtype}"):
            getattr(x, name)()
    assert set(x.bernoulli_(0.5).numpy()) == {False, True}
    x.random_()
    most = 1 if dtype == "bool" else int(np.iinfo(dtype).max)
    assert int(x.max()) > 0.9 * most
    assert int(x.min()) >= 0
    if dtype != "bool":
        assert set(x.random_(3, 6).numpy()) == {3, 4, 5}
        assert set(x.random_(2).numpy()) == {0, 1}
        assert int(x.geometric_(0.9).min()) == 1


def test_all_integers_without_gaps_are_drawn() -> None:
    for dtype, most in (("float16", 2**11), ("float32", 2**24), ("float64", 2**53)):
        x = tt.zeros(1000, dtype=dtype).random_()
        assert 0.9 * most < float(x.max()) <= most


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_both_parts_of_complex_numbers(dtype: str) -> None:
    x = tt.zeros(200, 200, dtype=dtype)
    found = x.uniform_(-1, 3).numpy()
    for part in (found.real, found.imag):
        assert -1 <= part.min() <= part.max() < 3
        assert abs(part.mean() - 1) < 0.05
    found = x.normal_(2, 4).numpy()
    assert abs(found.mean() - 2) < 0.2
    for part in (found.real, found.imag):
        assert abs(part.var() - 8) < 0.5


def test_a_chance_for_each() -> None:
    x = tt.zeros(2, 3).bernoulli_(tt.tensor([0.0, 1.0, 0.0]))
    assert x.tolist() == [[0, 1, 0]] * 2


def test_uniform_stays_below_its_end() -> None:
    x = tt.zeros(100_000, dtype=tt.float32).uniform_(1.0, 1.0 + 2**-22)
    assert float(x.max()) < 1.0 + 2**-22


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.normal_(0, -1), "normal_: std must be at least 0"),
        (lambda x: x.uniform_(1, 0), "uniform_: high must be at least 1"),
        (lambda x: x.uniform_(math.nan), "uniform_: low must be"),
        (lambda x: x.exponential_(0), "exponential_: lambd must be at least"),
        (lambda x: x.cauchy_(0, 0), "cauchy_: sigma must be at least"),
        (lambda x: x.geometric_(0), "geometric_: p must be"),
        (lambda x: x.bernoulli_(1.5), r"bernoulli_: p must be within \[0, 1\]"),
        (lambda x: x.bernoulli_(np.zeros(2)), r"bernoulli_: p is \(2,\), but the tensor \(3, 3\)"),
        (lambda x: x.random_(3, 3), r"random_: no integers from \[3, 3\)"),
        (lambda x: x.long().random_(0, 2**64), "random_: no integers"),
        (lambda x: x.astype(tt.int8).geometric_(1e-9), "geometric_: .* does not fit into int8"),
        (lambda x: x.astype(tt.complex64).random_(), "random_: draws integers"),
        (lambda x: x.normal_(generator=3), "generator: needs a numpy.random.Generator"),
        (lambda x: x[0].fill_diagonal_(1), "fill_diagonal_: needs a matrix"),
        (lambda x: x[None].fill_diagonal_(1), "fill_diagonal_: needs a matrix or equal sizes"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError), match=f"^{message}"):
        call(tt.zeros(3, 3))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (7, 2), (2, 2, 2), (0, 3), (5, 1)])
@pytest.mark.parametrize("wrap", [False, True])
def test_diagonals(shape: tuple[int, ...], wrap: bool, torch: Any) -> None:
    expected = torch.zeros(shape).fill_diagonal_(5, wrap)
    x = tt.zeros(shape)
    assert x.fill_diagonal_(5, wrap) is x
    assert x.tolist() == expected.tolist()


def test_a_diagonal_that_is_filled_has_no_gradient() -> None:
    leaf, value = tt.ones(2, 2, requires_grad=True), tt.tensor(3.0, requires_grad=True)
    x = leaf * 1
    x.fill_diagonal_(value)
    (x * tt.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [[0, 2], [3, 0]]
    assert value.grad is not None
    assert value.grad.item() == 5


# --- What copies are, in place -----------------------------------------------------------------

INDEX, SOURCE = np.array([2, 0]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
CHANGES: dict[str, tuple[Any, ...]] = {
    "index_add": (1, INDEX, SOURCE),
    "index_copy": (1, INDEX, SOURCE),
    "index_fill": (1, INDEX, 0.5),
    "index_put": ((INDEX,), SOURCE.T[:, :1]),
    "index_reduce": (1, INDEX, SOURCE, "prod"),
    "masked_scatter": (np.eye(3, dtype=bool), SOURCE),
    "put": (INDEX, SOURCE[0]),
    "scatter": (1, np.array([[0], [2], [1]]), SOURCE[:, :1]),
    "scatter_add": (1, np.array([[0], [2], [1]]), SOURCE[:, :1]),
    "scatter_reduce": (1, np.array([[0], [2], [1]]), SOURCE[:, :1], "amax"),
    "addmv": (SOURCE @ SOURCE.T, SOURCE[:, 0]),
    "addr": (SOURCE[:, 0], SOURCE[:, 1]),
    "tril": (),
    "triu": (1,),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_place_is_the_copy(name: str) -> None:
    args = CHANGES[name]
    base = np.arange(9.0).reshape(3, 3)[0 if name == "addmv" else slice(None)]
    function = getattr(tt, name)
    expected = function(base, *args).numpy()
    x = tt.tensor(base)
    view = x[:]
    assert getattr(x, f"{name}_")(*args) is x
    np.testing.assert_array_equal(view.numpy(), expected)
    values = [i for i, a in enumerate(args) if isinstance(a, np.ndarray) and a.dtype == float]
    for by_name in (False, True):
        leaves = [tt.tensor(a, requires_grad=True) for a in (base, *(args[i] for i in values))]
        given = list(args)
        for i, leaf in zip(values, leaves[1:], strict=True):
            given[i] = leaf
        keywords = {}
        if by_name and values:
            parameters = [*signature(function).parameters]
            keywords = {parameters[i + 1]: given[i] for i in range(values[0], len(given))}
            given = given[: values[0]]
        y = leaves[0] * 1
        getattr(y, f"{name}_")(*given, **keywords)
        weights = np.linspace(1, 2, y.size).reshape(y.shape)
        found = tt.grad((y * weights).sum(), leaves)
        again = [tt.tensor(leaf.numpy(), requires_grad=True) for leaf in leaves]
        others = iter(again[1:])
        full = [next(others) if i in values else a for i, a in enumerate(args)]
        wanted = tt.grad((function(again[0], *full) * weights).sum(), again)
        for g, w in zip(found, wanted, strict=True):
            np.testing.assert_allclose(g.numpy(), w.numpy(), rtol=1e-12)


def test_a_source_given_by_name_keeps_its_gradient() -> None:
    """Also where the tensor itself has none."""
    source = tt.ones(2, requires_grad=True)
    x = tt.zeros(3)
    x.index_add_(0, tt.tensor([0, 2]), source=source)
    x.sum().backward()
    assert source.grad is not None
    assert source.grad.tolist() == [1, 1]
