"""What the namespace has beyond the standard, against PyTorch: all arguments, values, gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5, 6))
IMAGES = RNG.normal(size=(2, 3, 7, 6))


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], *inputs: np.ndarray) -> None:
    """Values, and gradients by all inputs that are floats."""

    def leaves(make: Any) -> list[Any]:
        return [make(x, requires_grad=x.dtype.kind == "f") for x in inputs]

    mine, other = leaves(tt.tensor), leaves(torch.tensor)
    found, wanted = ours(*mine), theirs(*other)
    assert found.shape == tuple(wanted.shape)
    np.testing.assert_allclose(found.numpy(), wanted.detach().numpy(), rtol=1e-9, atol=1e-12)
    weights = np.arange(1.0, found.size + 1).reshape(found.shape)
    (found * weights).sum().backward()
    (wanted * torch.tensor(weights)).sum().backward()
    for a, b in zip(mine, other, strict=True):
        if b.requires_grad:
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-9)


# --- Products and diagonals ------------------------------------------------------------------

EXPRESSIONS = {
    "ij,jk->ik": 2,
    "ij,jk": 2,
    "ii->i": 1,
    "ii": 1,
    "ij->ji": 1,
    "ij->": 1,
    "i...,i...->...": 2,
    "ij,ij,ij->j": 3,
    "ij,jk,kl->il": 3,
    "a,b->ab": 2,
    "ij,j->i": 2,
    "...ij,...jk->...ik": 2,
    "bij,bij->b": 2,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_einsum(text: str) -> None:
    terms = text.split("->")[0].split(",")
    arrays = []
    for term in terms:
        dots = (2,) if "..." in term else ()
        arrays.append(RNG.normal(size=dots + (3,) * len(term.replace(".", ""))))
    if text.startswith("i..."):
        arrays = [np.moveaxis(a, 0, -1).copy() for a in arrays]
    agree(lambda *a: tt.einsum(text, *a), lambda *a: torch.einsum(text, *a), *arrays)


def test_einsum_of_lists_of_axes() -> None:
    a, b = X[0], X[1].T.copy()
    agree(
        lambda a, b: tt.einsum(a, [0, 1], b, [1, 2], [0, 2]),
        lambda a, b: torch.einsum(a, [0, 1], b, [1, 2], [0, 2]),
        a,
        b,
    )
    for lists in (
        (a, [0, 7], b, [7, 3]),
        (a, [1, 0]),
        (a, [0, ...], a, [0, ...], [...]),
        (a, [5, 2], []),
    ):
        found = tt.einsum(*(tt.asarray(x) if isinstance(x, np.ndarray) else x for x in lists))
        np.testing.assert_allclose(found.numpy(), np.einsum(*lists))
    with pytest.raises(TypeError, match="einsum: subscripts must be text"):
        tt.einsum(tt.asarray(a), tt.asarray(b))
    with pytest.raises(TypeError, match="einsum: axes must be named by integers"):
        tt.einsum(tt.asarray(a), ["i", "j"])


PAIRS: list[tuple[Any, tuple[int, ...]]] = [
    (0, (4, 3)),
    (1, (3, 4)),
    (2, (4, 3, 2)),
    (([0, 2], [2, 1]), (2, 3, 3)),
    (([1], [1]), (3, 4, 2)),
    (([-1, 0], [1, 2]), (2, 3, 3)),
]


@pytest.mark.parametrize(("axes", "shape"), PAIRS)
def test_tensordot(axes: Any, shape: tuple[int, ...]) -> None:
    a, b = RNG.normal(size=(3, 4, 3)), RNG.normal(size=shape)
    agree(lambda a, b: tt.tensordot(a, b, axes), lambda a, b: torch.tensordot(a, b, axes), a, b)


def test_outer_and_kron() -> None:
    agree(tt.outer, torch.outer, X[0, 0], X[0, :, 0].copy())
    for a, b in ((X[0], X[1]), (X[0, 0], X[0]), (X, X[0])):
        agree(tt.kron, torch.kron, a, b)


@pytest.mark.parametrize("offset", [-2, 0, 1, 3])
@pytest.mark.parametrize("axes", [(-2, -1), (0, 1), (2, 0), (1, 0)])
def test_diagonal(offset: int, axes: tuple[int, int]) -> None:
    agree(lambda x: tt.diagonal(x, offset, *axes), lambda x: torch.diagonal(x, offset, *axes), X)
    assert tt.diagonal(tt.asarray(X), 9, *axes).shape[-1] == 0
    with pytest.raises(ValueError, match="axis1 and axis2 are both 1"):
        tt.diagonal(tt.asarray(X), 0, 1, 1)


@pytest.mark.parametrize("k", [-9, -1, 0, 2, 9])
def test_triangles(k: int) -> None:
    agree(lambda x: tt.tril(x, k), lambda x: torch.tril(x, k), X)
    agree(lambda x: tt.triu(x, k), lambda x: torch.triu(x, k), X)


# --- Largest elements ------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "largest"), itertools.product((0, 1, -1), (True, False)))
def test_topk(axis: int, largest: bool) -> None:
    for k in (0, 1, 3):
        agree(
            lambda x, k=k: tt.topk(x, k, axis, largest).values,
            lambda x, k=k: torch.topk(x, k, axis, largest).values,
            X,
        )
        found = tt.topk(tt.asarray(X), k, axis, largest)
        wanted = torch.topk(torch.tensor(X), k, axis, largest)
        np.testing.assert_array_equal(found.indices.numpy(), wanted.indices.numpy())
        unsorted = tt.topk(tt.asarray(X), k, axis, largest, sorted=False)
        places = unsorted.indices.numpy()
        np.testing.assert_array_equal(places, np.sort(wanted.indices.numpy(), axis))
        np.testing.assert_array_equal(unsorted.values.numpy(), np.take_along_axis(X, places, axis))


# --- Windows and sizes -----------------------------------------------------------------------

WINDOWS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": (3, 2), "stride": 2},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (2, 3), "dilation": 2, "padding": (1, 2), "stride": (2, 1)},
]


@pytest.mark.parametrize("options", WINDOWS)
def test_unfold_and_fold(options: dict[str, Any]) -> None:
    f = torch.nn.functional
    for images in (IMAGES, IMAGES[0]):
        agree(lambda x: tt.unfold(x, **options), lambda x: f.unfold(x, **options), images)
        columns = f.unfold(torch.tensor(images), **options).numpy()
        agree(
            lambda x: tt.fold(x, (7, 6), **options), lambda x: f.fold(x, (7, 6), **options), columns
        )


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
@pytest.mark.parametrize("space", [1, 2, 3])
def test_interpolate(mode: str, space: int) -> None:
    f = torch.nn.functional.interpolate
    x = RNG.normal(size=(2, 3, 5, 4, 3)[: space + 2])
    if mode == "linear":
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[space]
    sizes: list[dict[str, Any]] = [{"size": n} for n in (1, 3, 5, 8, (7, 2, 6)[:space])]
    sizes += [{"scale_factor": s} for s in (0.5, 2, 1.7, (0.4, 2.5, 1.0)[:space])]
    for size, corners in itertools.product(sizes, (False, True)):
        if mode.startswith("nearest"):
            if corners:
                with pytest.raises(ValueError, match="align_corners"):
                    tt.interpolate(tt.asarray(x), **size, mode=mode, align_corners=True)
                continue
            theirs = {**size, "mode": mode}
        else:
            theirs = {**size, "mode": mode, "align_corners": corners}
        agree(
            lambda x, theirs=theirs: tt.interpolate(x, **theirs),
            lambda x, theirs=theirs: f(x, **theirs),
            x,
        )


def test_the_nearest_element_is_found_in_whole_numbers() -> None:
    """Floats put element 49 of 2 → 98 at 0.999…"""
    for old, new in itertools.product((1, 2, 3, 5, 7, 49, 64), (1, 2, 3, 7, 41, 49, 98, 300)):
        x = tt.arange(old).reshape(1, 1, old)
        found = tt.interpolate(x, new)[0, 0].tolist()
        assert found == [i * old // new for i in range(new)]
        found = tt.interpolate(x, new, mode="nearest-exact")[0, 0].tolist()
        assert found == [(2 * i + 1) * old // (2 * new) for i in range(new)]
    assert tt.interpolate(tt.arange(2).reshape(1, 1, 2), 98)[0, 0, 49].item() == 1


def test_scale_factors_are_taken_as_they_are_meant() -> None:
    """1/49 as a float is no 49th, nor 0.1 a tenth; PyTorch rounds 1 / scale_factor to float32."""
    f = torch.nn.functional.interpolate
    for old, scale in itertools.product((1, 2, 5, 10, 30), (0.1, 1 / 3, 0.7, 1.1, 2.3, 3, 49)):
        x = np.arange(old).reshape(1, 1, old)
        meant, new = Fraction(scale).limit_denominator(100), int(old * scale)
        if new == 0:
            with pytest.raises(ValueError, match="to 0 elements"):
                tt.interpolate(x, scale_factor=scale)
            continue
        found = tt.interpolate(x, scale_factor=scale)[0, 0].tolist()
        assert found == [min(i * meant.denominator // meant.numerator, old - 1) for i in range(new)]
        theirs = f(torch.tensor(x, dtype=torch.float32), scale_factor=scale)
        assert len(found) == theirs.numel()
        assert abs(np.array(found) - theirs.numpy().reshape(-1)).max() <= 1
    for bad in (-1.0, 0, math.nan, math.inf):
        with pytest.raises(ValueError, match="interpolate"):
            tt.interpolate(np.ones((1, 1, 2)), scale_factor=bad)
    with pytest.raises(TypeError, match="interpolate"):
        tt.interpolate(np.ones((1, 1, 2)), 2.5)


@pytest.mark.parametrize("dtype", [tt.uint8, tt.int8, tt.int16, tt.int32, tt.uint32])
def test_mixtures_of_integers_are_rounded(dtype: np.dtype) -> None:
    limits = np.iinfo(dtype)
    ends = np.array([[[limits.min, limits.max]]], dtype)
    found = tt.interpolate(ends, 5, mode="linear", align_corners=True)
    wanted = np.rint(np.linspace(limits.min, limits.max, 5)).astype(int).tolist()
    assert (found.dtype, found[0, 0].tolist()) == (dtype, wanted)
    for mode in ("nearest", "nearest-exact"):
        assert tt.interpolate(ends, 4, mode=mode).tolist() == np.repeat(ends, 2, -1).tolist()
    for other in (tt.int64, tt.uint64, tt.bool):
        with pytest.raises(tt.errors.DtypeError, match="'linear' mixes floats or short integers"):
            tt.interpolate(ends.astype(other), 5, mode="linear")
    mixed = tt.interpolate(np.array([[[1j, 2.0]]], np.complex64), 3, mode="linear")
    assert (mixed.dtype, mixed[0, 0].tolist()) == (tt.complex64, [1j, 1 + 0.5j, 2])


# --- Gathering and scattering ----------------------------------------------------------------

INDEX = RNG.integers(0, 4, (3, 5, 6))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather(axis: int) -> None:
    index = INDEX % X.shape[axis]
    for shape in ((3, 5, 6), (4, 2, 3), (1, 1, 1)):
        part = np.resize(index, shape)
        agree(lambda x, i: tt.gather(x, axis, i), lambda x, i: torch.gather(x, axis, i), X, part)


@pytest.mark.parametrize("reduce", ["sum", "mean", "prod", "amax", "amin"])
@pytest.mark.parametrize(("axis", "include"), itertools.product((0, 1, -1), (True, False)))
def test_scatter_with_a_reduction(reduce: str, axis: int, include: bool) -> None:
    source = RNG.normal(size=INDEX.shape)
    agree(
        lambda x, i, s: tt.scatter(x, axis, i, s, reduce, include),
        lambda x, i, s: torch.scatter_reduce(x, axis, i, s, reduce, include_self=include),
        X,
        INDEX,
        source,
    )
    whole = (X * 9).astype(np.int64)
    added = (source * 9).astype(np.int64)
    found = tt.scatter(tt.asarray(whole), axis, INDEX, tt.asarray(added), reduce, include)
    wanted = torch.scatter_reduce(
        *(torch.tensor(whole), axis, torch.tensor(INDEX), torch.tensor(added), reduce),
        include_self=include,
    )
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter(axis: int) -> None:
    index = np.argsort(RNG.normal(size=X.shape), axis)  # no place twice
    agree(
        lambda x, i, s: tt.scatter(x, axis, i, s),
        lambda x, i, s: torch.scatter(x, axis, i, s),
        X,
        index,
        RNG.normal(size=X.shape),
    )
    found = tt.scatter(tt.asarray(X), axis, index[:2, :2, :2], 7.0)
    wanted = torch.scatter(torch.tensor(X), axis, torch.tensor(index[:2, :2, :2]), 7.0)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    with pytest.raises(ValueError, match="scatter: reduce is one of sum, mean"):
        tt.scatter(tt.asarray(X), axis, index, 1.0, reduce="median")


@pytest.mark.parametrize(("axis", "alpha"), itertools.product((0, 1, -1), (1, -2.5)))
def test_index_add(axis: int, alpha: float) -> None:
    index = np.array([1, 3, 1, 0])
    shape = list(X.shape)
    shape[axis] = 4
    agree(
        lambda x, i, s: tt.index_add(x, axis, i, s, alpha),
        lambda x, i, s: torch.index_add(x, axis, i, s, alpha=alpha),
        X,
        index,
        RNG.normal(size=shape),
    )


@pytest.mark.parametrize("accumulate", [True, False])
def test_index_put(accumulate: bool) -> None:
    rows, columns = np.array([0, 2, 1]), np.array([1, 1, 4])
    if accumulate:
        rows, columns = np.array([0, 2, 0]), np.array([1, 1, 1])
    values = RNG.normal(size=(3, 6))
    agree(
        lambda x, i, j, v: tt.index_put(x, (i, j), v, accumulate),
        lambda x, i, j, v: torch.index_put(x, (i, j), v, accumulate),
        X,
        rows,
        columns,
        values,
    )


def test_at() -> None:
    index = np.array([0, 2, 0])
    values = RNG.uniform(1, 2, (3, 5, 6))
    x, v = tt.tensor(X, requires_grad=True), tt.tensor(values, requires_grad=True)
    ufuncs = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "mul": np.multiply}
    ufuncs |= {"divide": np.divide, "power": np.power, "min": np.minimum, "max": np.maximum}
    for name, ufunc in ufuncs.items():
        start = abs(X) if name == "power" else X
        wanted = start.copy()
        ufunc.at(wanted, index, values)
        found = getattr((abs(x) if name == "power" else x).at[index], name)(v)
        np.testing.assert_allclose(found.numpy(), wanted)
        gradients = tt.grad(found.sum(), [x, v])
        assert all(tt.all(tt.isfinite(g)).item() for g in gradients)
    np.testing.assert_array_equal(x.at[1:3, ..., 0].get().numpy(), X[1:3, ..., 0])
    np.testing.assert_array_equal(x.numpy(), X)


def test_runs_of_no_slices() -> None:
    values, inverse, lengths = tt.unique_consecutive(tt.zeros(5, 0, 4), True, True, axis=1)
    assert (values.shape, inverse.shape, lengths.shape) == ((5, 0, 4), (0,), (0,))
