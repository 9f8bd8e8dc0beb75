"""The methods that a loop makes of the ops, their forms in place, and names that tell the way."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.ops.ways import MISSING, WAYS
from tinytensor.tensors.methods import IN_PLACE, METHODS, Way

X = np.array([[0.3, 0.6], [0.9, 0.2]])
# The others are in test_filling.py: they want places, or other shapes. (igamma has no gradient by
# its first argument.)
ELSEWHERE = {
    "addmv",
    "addr",
    "baddbmm",
    "igamma",
    "igammac",
    "index_put",
    "index_reduce",
    "put",
    "scatter",
    "scatter_add",
    "scatter_reduce",
}
PLAIN = [name for name in IN_PLACE if hasattr(tt, name) and name not in ELSEWHERE]


@pytest.mark.parametrize("name", [name for name in METHODS if hasattr(tt, name)])
def test_a_method_is_the_function_of_its_name(name):
    method = getattr(tt.Tensor, name)
    assert method.__name__ == name
    assert method.__doc__
    one = {"exp", "amax", "floor", "isnan", "ravel", "t", "cumsum", "is_complex", "unsqueeze"}
    if name in one:
        more = (0,) if name in ("cumsum", "unsqueeze") else ()
        got, wanted = method(tt.tensor(X), *more), getattr(tt, name)(tt.tensor(X), *more)
        np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted))


def arguments(name):
    function = getattr(tt, name)
    index, mask = np.array([1, 0]), X > 0.5
    of_places = ((0, index, X), (0, index, 0.5), (mask, X))
    products = ((X, X[0]), (X[0], X[1]), (X[None], X[None]))
    others = (*of_places, *products, (2, 0, 1.0))
    for more in ((), (X.T,), (0,), (1,), (X.T, 0.5), (X.T, X), (0, 1), *others):
        try:
            function(tt.tensor(X), *more)
        except (TypeError, ValueError, IndexError):
            continue
        return more
    for more in ((), (3,), (np.array([[1, 2], [3, 4]]),)):
        try:
            function(tt.tensor([[1, 2], [3, 4]]), *more)
        except (TypeError, ValueError, IndexError):
            continue
        return None
    raise AssertionError(f"no arguments for {name}")


@pytest.mark.parametrize("name", PLAIN)
def test_in_place_is_the_op_recorded_or_not(name):
    more = arguments(name)
    if more is None:  # of integers alone
        x = tt.tensor([[1, 2], [3, 4]])
        other = () if name == "bitwise_not" else (1,)
        wanted = getattr(tt, name)(x, *other).tolist()
        assert getattr(x, f"{name}_")(*other) is x
        assert x.tolist() == wanted
        return
    wanted = getattr(tt, name)(tt.tensor(X), *more).numpy()
    for shape in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        x = tt.Tensor(shape.copy(order="K"))
        if wanted.shape != X.shape:
            continue
        assert getattr(x, f"{name}_")(*more) is x
        np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-12)
    leaf = tt.tensor(X, requires_grad=True)
    x = leaf * 1
    getattr(x, f"{name}_")(*more)
    np.testing.assert_allclose(x.numpy(), wanted, rtol=1e-12)
    if wanted.dtype == bool or not getattr(tt, name)(leaf * 1, *more).requires_grad:
        return
    x.sum().backward()
    other = tt.tensor(X, requires_grad=True)
    getattr(tt, name)(other * 1, *more).sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), other.grad.numpy(), rtol=1e-12)


def test_in_place_keeps_the_dtype():
    x = tt.tensor([1, 2])
    with pytest.raises(TypeError, match="exp_"):
        x.exp_()
    half = tt.tensor([0.5], dtype=tt.float16)
    assert half.exp_().dtype == tt.float16
    assert half.fix_().item() == 1


@pytest.mark.parametrize("name", sorted({*WAYS["Tensor"], *MISSING}))
def test_what_is_not_there_tells_the_way(name):
    if isinstance(tt.Tensor.__dict__.get(name), Way):
        assert not hasattr(tt.tensor(X), name)
        with pytest.raises(AttributeError, match=name):
            getattr(tt.tensor(X), name)


def test_a_name_that_nobody_has_stays_an_error():
    with pytest.raises(AttributeError, match="no attribute 'nobodys'"):
        tt.tensor(X).nobodys  # noqa: B018


def test_sizes_are_a_number_and_a_method():
    x = tt.zeros(2, 3)
    assert x.size == 6 == x.numel()
    assert isinstance(x.size, int)
    assert json.dumps(x.size) == "6"
    assert x.size() == (2, 3)
    assert x.size(0) == 2
    assert x.size(dim=-1) == 3
    assert x.dim() == 2
    assert pickle.loads(pickle.dumps(x.size)) == 6
    with pytest.raises(IndexError, match="size: there is no axis 2 in 2 dimensions"):
        x.size(2)
    one = tt.ones(2, 3)
    for made in (one / x.size, x.size * one, tt.maximum(one, x.size), one + x.size()[0]):
        assert made.dtype == tt.float32
    assert (one / x.size).tolist() == [[np.float32(1 / 6)] * 3] * 2
    assert tt.tensor(x.size).dtype == tt.int64
    assert tt.full((), x.size).dtype == tt.int64
    assert tt.func.vmap(lambda row: row * row.size(0))(one).tolist() == [[3.0] * 3] * 2
    assert tt.func.vmap(lambda row: row / row.size)(one).dtype == tt.float32


def test_to():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    assert x.to("cpu") is x is x.cpu() is x.to(tt.float32) is x.to(tt.device("cpu"), tt.float32)
    assert x.to(x.device) is x
    assert x.to(device="cpu", dtype=tt.float64).dtype == tt.float64
    assert x.to(tt.tensor([1])).dtype == tt.int64 == x.type_as(tt.tensor(1)).dtype
    assert x.to(tt.float64).requires_grad
    assert x.to("cpu", copy=True) is not x
    assert x.to("cpu", True) is x
    assert x.to("float64").dtype == x.type(tt.double).dtype == tt.float64
    for name in ["half", "float", "double", "int", "long", "short", "bool"]:
        assert getattr(x, name)().dtype == getattr(tt, name)
    for bad in ("cuda", "cuda:0", "meta"):
        with pytest.raises(ValueError, match=f"there is only 'cpu', not '{bad}'"):
            x.to(bad)
        with pytest.raises(ValueError, match="there is only 'cpu'"):
            x.to(device=bad)
    with pytest.raises(TypeError, match="to: takes a dtype, a tensor or 'cpu'"):
        x.to(3.5)


def test_new_ones_have_the_dtype_of_the_old():
    x = tt.zeros(2, dtype=tt.float64)
    for made in (x.new_zeros(3), x.new_ones((3,)), x.new_full((3,), 2), x.new_tensor([1, 2, 3])):
        assert made.dtype == tt.float64
        assert made.shape == (3,)
    assert x.new_empty(2, 3, dtype=tt.int64).dtype == tt.int64
    assert x.new_zeros(2, 3, device="cpu").shape == (2, 3)


def test_methods_in_the_words_of_pytorch():
    x = tt.arange(6.0).reshape(2, 3)
    assert x.sum(dim=1, keepdim=True).shape == x.mean(dim=1, keepdim=True).shape == (2, 1)
    assert x.sum(dim=1, dtype="float64").dtype == x.sum(dtype=tt.float64).dtype == tt.float64
    assert x.sum(keepdim=True).shape == x.sum(keepdims=True).shape == (1, 1)
    assert x.argmax(dim=1).tolist() == [2, 2]
    assert x.all(dim=0).tolist() == [False, True, True]
    assert x.softmax(dim=0).shape == (2, 3)
    assert x.cumsum(dim=0)[1].tolist() == [3, 5, 7]
    assert x.expand(2, -1, -1).shape == (2, 2, 3)
    assert x.flip(0).tolist() == x.flip(dims=(0,)).tolist()
    assert x.flip(0, 1).tolist() == x.flip().tolist() == [[5, 4, 3], [2, 1, 0]]
    assert x.transpose(0, 1).shape == x.transpose(dim0=0, dim1=1).shape == x.t().shape == (3, 2)
    assert x.unsqueeze(0).shape == x.unsqueeze(dim=0).shape == (1, 2, 3)
    assert x.permute(dims=(1, 0)).shape == x.permute(1, 0).shape == (3, 2)
    assert x.select(1, 0).tolist() == [0, 3]
    assert x.masked_select(x > 3).tolist() == [4, 5]
    assert x.index_select(1, tt.tensor([0, 2])).tolist() == [[0, 2], [3, 5]]
    assert x.narrow(1, 1, 2).tolist() == tt.narrow(x, 1, 1, 2).tolist() == [[1, 2], [4, 5]]
    assert x.diagonal().tolist() == [0, 4]
    assert x.where(x > 2, -1.0)[0].tolist() == [-1] * 3
    assert x.repeat(2, axis=0).shape == (4, 3) == x.repeat_interleave(2, dim=0).shape
    for call, way in (
        (lambda: x.sum(axis=1, dim=1), "given twice"),
        (lambda: x.max(dim=1), r"here they are max\(axis=\) and argmax\(axis=\)"),
        (lambda: x.std(dim=1), "divides by n - 1"),
        (lambda: x.repeat(2, 1), r"x.tile\(2, 1\)"),
        (lambda: x.split(2, dim=1), "pieces of that size"),
        (lambda: x.squeeze(dim=1), r"squeeze\(axis=\) raises"),
    ):
        with pytest.raises(TypeError, match=way):
            call()
