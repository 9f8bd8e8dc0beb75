"""Picking, changing, stacking and cutting: what the table of ops does not ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import grad, vmap

X = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (2,), (0,), (2, 3), (2, 3, 4), (1, 2, 3, 4)])
def test_at_least_so_many_axes(n: int, shape: tuple[int, ...]) -> None:
    x = tt.zeros(shape)
    ours, numpys = (getattr(m, f"atleast_{n}d") for m in (tt, np))
    assert ours(x).shape == numpys(x.numpy()).shape
    several = ours(x, tt.tensor(1.0))
    assert [one.shape for one in several] == [ours(x).shape, ours(1.0).shape]
    assert [one.shape for one in ours([x, x])] == [ours(x).shape] * 2
    assert np.shares_memory(ours(x).numpy(), x.numpy()) or not x.size


def test_blocks() -> None:
    assert tt.block_diag().shape == (1, 0)
    assert tt.block_diag().dtype == tt.get_default_dtype()
    assert tt.block_diag(tt.ones(2, 2), 3, [1, 2]).shape == (4, 5)
    with pytest.raises(
        tt.ShapeError, match=r"block_diag: needs matrices, but array 1 is \(1, 1, 1"
    ):
        tt.block_diag(1.0, tt.ones(1, 1, 1))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex64"])
def test_dtypes_stay(dtype: str) -> None:
    x = tt.Tensor(X[0].astype(dtype))
    for made in (
        tt.diag(x),
        tt.diag_embed(x, 1),
        tt.block_diag(x, x),
        tt.masked_fill(x, x == x, 1),
        tt.masked_fill(x, [True, False, True, False], True),
        tt.masked_scatter(x, x == x, x),
        tt.index_fill(x, 0, [1], 1),
        tt.index_copy(x, 0, [1], x[:1]),
        tt.put(x, [1], x[:1]),
        tt.hstack([x, x]),
        tt.combinations(x),
        tt.rot90(tt.diag(x)),
    ):
        assert made.dtype == x.dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: tt.masked_fill(x, x, 0), "masked_fill: mask must be bool"),
        (lambda x: tt.masked_fill(x, x > 1, [1.0, 2.0]), r"masked_fill: value is \(2,\), not one"),
        (
            lambda x: tt.masked_fill(x, x > 1, 1j),
            "masked_fill: complex128 does not fit into float64",
        ),
        (lambda x: tt.masked_scatter(x, x > 1, x[0]), "masked_scatter: 10 places for the 4"),
        (lambda x: tt.masked_scatter(x, x > 1, tt.ones(12)), "masked_scatter: source is float32"),
        (lambda x: tt.index_select(x, 2, [0]), "index_select: there is no axis 2"),
        (lambda x: tt.index_select(x, 0, [0.5]), "index_select: index must be a row of integers"),
        (lambda x: tt.index_select(x, 0, [[0]]), "index_select: index must be a row of integers"),
        (lambda x: tt.index_select(x, 0, [3]), "index_select: .*index 3 is out of bounds"),
        (lambda x: tt.index_copy(x, 0, [3], x[:1]), "index_copy: .*index 3 is out of bounds"),
        (
            lambda x: tt.index_copy(x, 0, [0, 1], x),
            r"index_copy: the value is \(3, 4\), but its pl",
        ),
        (
            lambda x: tt.index_fill(x, 0, [0], [1, 2]),
            r"index_fill: value is \(2,\), not one number",
        ),
        (lambda x: tt.index_reduce(x, 0, [0], x[:1], "max"), "index_reduce: reduce is one of"),
        (lambda x: tt.narrow(x, 0, 2, 2), "narrow: no 2 elements from 2 on, of 3"),
        (lambda x: tt.narrow(x, 0, -4, 1), "narrow: no 1 elements from -4 on, of 3"),
        (lambda x: tt.narrow(x, 0, 1, -1), "narrow: no -1 elements"),
        (lambda x: tt.select(x, 0, 3), "select: .*out of bounds"),
        (lambda x: tt.select_scatter(x, x, 0, 1), r"select_scatter: the value is \(3, 4\)"),
        (lambda x: tt.diagonal_scatter(x, x[0], 0, 1, 1), "diagonal_scatter: axis1 and axis2 are"),
        (lambda x: tt.diag_embed(x, 0, 3, -1), "diag_embed: there is no axis 3 in 3|there is no"),
        (lambda x: tt.diag(x[None]), r"diag: needs a vector or a matrix, but x is \(1, 3, 4\)"),
        (lambda x: tt.unflatten(x, 1, (3, -1)), "unflatten: axis 1 of 4 elements cannot be cut"),
        (lambda x: tt.unflatten(x, 1, (-1, -1)), "unflatten: axis 1 of 4 elements cannot be cut"),
        (lambda x: tt.unflatten(x, 1, ()), "unflatten: axis 1 of 4 elements cannot be cut"),
        (lambda x: tt.chunk(x, 0), "chunk: cannot cut into 0 pieces"),
        (lambda x: tt.tensor_split(x, 0), "tensor_split: cannot cut into 0 pieces"),
        (
            lambda x: tt.split_with_sizes(x, [1, 1]),
            r"split_with_sizes: \[1, 1\] do not add up to 3",
        ),
        (lambda x: tt.hsplit(x, 3), "hsplit: 4 elements are not 3 equal pieces"),
        (lambda x: tt.vsplit(x[0], 2), r"vsplit: x is \(4,\), needs at least 2 axes"),
        (lambda x: tt.rot90(x, axes=(0, -2)), "rot90: axes .* are the same"),
        (lambda x: tt.fliplr(x[0]), "fliplr: there is no axis 1"),
        (lambda x: tt.hstack([]), "hstack: "),
        (lambda x: tt.hstack([x, x[:, :, None]]), "hstack: "),
        (lambda x: tt.cartesian_prod(x, x), "cartesian_prod: needs vectors, but array 0"),
        (lambda x: tt.combinations(x), "combinations: needs a vector"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, IndexError), match=f"^({message})"):
        call(tt.Tensor(X))


def test_masks_of_lanes(torch: Any) -> None:
    mask = np.array([[True, False, True], [False, False, False], [True, True, True]])
    source = np.arange(9.0).reshape(3, 3)

    def put_in(x: Any, mask: Any, source: Any) -> Any:
        return tt.masked_scatter(x, mask, source)

    found = vmap(put_in)(tt.zeros(3, 3, dtype="float64"), tt.Tensor(mask), tt.Tensor(source))
    expected = [
        torch.zeros(3, dtype=torch.float64)
        .masked_scatter(torch.tensor(m), torch.tensor(s))
        .tolist()
        for m, s in zip(mask, source, strict=True)
    ]
    assert found.tolist() == expected
    with pytest.raises(tt.ShapeError, match="masked_scatter: 3 places for the 2"):
        vmap(put_in)(tt.zeros(3, 3, dtype="float64"), tt.Tensor(mask), tt.Tensor(source[:, :2]))
    none = vmap(put_in)(tt.ones(3, 2), tt.zeros(3, 2, dtype=bool), tt.zeros(3, 0))
    assert none.tolist() == np.ones((3, 2)).tolist()


def test_views_stay_views() -> None:
    x = tt.tensor(X)
    views = [
        tt.narrow(x, 1, 1, 2), tt.select(x, 0, 1), tt.rot90(x), tt.rot90(x, 4), tt.fliplr(x),
        tt.chunk(x, 2)[0], tt.unflatten(x, 1, (2, 2)), tt.atleast_3d(x), tt.flipud(x),
    ]  # fmt: skip
    x += 1
    for view in views:
        assert np.shares_memory(view.numpy(), x.numpy())
        assert set(view.numpy().flat) <= set((X + 1).flat)


def test_a_row_that_stands_twice_gets_the_gradient_once() -> None:
    source = tt.tensor([[1.0], [2.0], [3.0]])
    put_in = lambda s: tt.index_copy(tt.zeros(2, 1), 0, [1, 1, 0], s).sum()  # noqa: E731
    assert grad(put_in)(source).tolist() == [[0.0], [1.0], [1.0]]


def test_scatter_in_the_words_of_pytorch(torch: Any) -> None:
    index = np.array([[0, 2], [1, 1]])
    for m, make in ((tt, tt.tensor), (torch, torch.tensor)):
        x, at = make(X[:2, :3]), make(index)
        found = [
            x.clone().scatter_(1, at, value=2.0),
            x.clone().scatter_(1, at, 2.0, reduce="multiply"),
            x.clone().scatter_(1, at, make(X), reduce="add"),
            m.scatter(x, dim=1, index=at, src=make(X)),
            m.scatter_add(x, 1, at, make(X)),
            m.scatter_reduce(x, 1, at, make(X), "amax"),
        ]
        if m is tt:
            ours = [one.tolist() for one in found]
    assert ours == [one.tolist() for one in found]
    source = tt.ones(3, 3, requires_grad=True)  # of which PyTorch has no gradient, as it is larger
    tt.scatter(tt.zeros(2, 3), 1, index, source).sum().backward()
    assert source.grad is not None
    assert source.grad.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_names_of_pytorch() -> None:
    x = tt.Tensor(X)
    for ours, theirs in (
        (tt.chunk(x, 2, 1), tt.chunk(x, chunks=2, dim=1)),
        (tt.unflatten(x, 1, (2, 2)), tt.unflatten(x, dim=1, sizes=(2, 2))),
        (tt.diag_embed(x, 1, 0, 1), tt.diag_embed(x, offset=1, dim1=0, dim2=1)),
        (tt.diag(x, 1), tt.diag(x, diagonal=1)),
        (tt.rot90(x, 1, (1, 0)), tt.rot90(x, dims=(1, 0))),
        (tt.index_copy(x, 0, [1], x[:1]), tt.index_copy(x, dim=0, index=[1], source=x[:1])),
        (tt.select_scatter(x, x[0], 0, 1), tt.select_scatter(x, src=x[0], dim=0, index=1)),
    ):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
