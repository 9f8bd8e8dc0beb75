"""Axis 0 of a tensor without axes: its one element, as PyTorch has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.nn import functional as F

X = 3.0  # the element; each op's value of it, and its first and second derivative
AXES = [0, -1]
SEVERAL = [(0,), (-1,)]


def start(x: Any) -> np.ndarray:
    """The index of the one element, of the shape of x."""
    return np.zeros(x.shape, np.int64)


def reductions(name: str, *derived: Any) -> dict[str, tuple[Any, ...]]:
    """A reduction with its options, along one axis and along a tuple of one."""
    op = getattr(tt, name)
    return {
        name: (lambda x, axis: op(x, axis=axis), *derived),
        f"{name} keepdims": (lambda x, axis: op(x, axis=axis, keepdims=True), *derived),
    }


SINGLE: dict[str, tuple[Any, ...]] = {  # ops that take no tuple
    **reductions("argmax", 0, 0, 0),
    **reductions("argmin", 0, 0, 0),
    "cumsum": (tt.cumsum, X, 1, 0),
    "cumsum reverse": (lambda x, axis: tt.cumsum(x, axis, True), X, 1, 0),
    "cumprod": (tt.cumprod, X, 1, 0),
    "cumulative_sum": (lambda x, axis: tt.cumulative_sum(x, axis=axis), X, 1, 0),
    "cumulative_prod": (lambda x, axis: tt.cumulative_prod(x, axis=axis), X, 1, 0),
    "sort": (tt.sort, X, 1, 0),
    "sort descending": (lambda x, axis: tt.sort(x, axis, descending=True), X, 1, 0),
    "argsort": (tt.argsort, 0, 0, 0),
    "argsort descending": (lambda x, axis: tt.argsort(x, axis, descending=True), 0, 0, 0),
    "topk values": (lambda x, axis: tt.topk(x, 1, axis).values, X, 1, 0),
    "topk indices": (lambda x, axis: tt.topk(x, 1, axis, sorted=False).indices, 0, 0, 0),
    "softmax": (tt.softmax, 1, 0, 0),
    "log_softmax": (tt.log_softmax, 0, 0, 0),
    "softmin": (lambda x, axis: F.softmax(-x, dim=axis), 1, 0, 0),
    "take": (lambda x, axis: tt.take(x, start(x), axis), X, 1, 0),
    "take_along_axis": (lambda x, axis: tt.take_along_axis(x, start(x), axis), X, 1, 0),
    "gather": (lambda x, axis: tt.gather(x, axis, start(x)), X, 1, 0),
    "scatter": (lambda x, axis: tt.scatter(x, axis, start(x), x + x), 2 * X, 2, 0),
    "scatter sum": (lambda x, axis: tt.scatter(x, axis, start(x), x, "sum"), 2 * X, 2, 0),
    "scatter prod": (lambda x, axis: tt.scatter(x, axis, start(x), x, "prod"), X * X, 2 * X, 2),
    "index_add": (lambda x, axis: tt.index_add(x, axis, start(x), x), 2 * X, 2, 0),
    "index_select": (lambda x, axis: tt.index_select(x, axis, start(x)), X, 1, 0),
    "index_copy": (lambda x, axis: tt.index_copy(x, axis, start(x), x + x), 2 * X, 2, 0),
    "index_fill": (lambda x, axis: tt.index_fill(x, axis, start(x), 2), 2, 0, 0),
    "index_reduce": (
        lambda x, axis: tt.index_reduce(x, axis, start(x), x, "prod"),
        X * X,
        2 * X,
        2,
    ),
    "scatter_add": (lambda x, axis: tt.scatter_add(x, axis, start(x), x), 2 * X, 2, 0),
    "take_along_dim": (lambda x, axis: tt.take_along_dim(x, start(x), axis), X, 1, 0),
}
ALL: dict[str, tuple[Any, ...]] = {
    **SINGLE,
    **reductions("sum", X, 1, 0),
    **reductions("mean", X, 1, 0),
    **reductions("prod", X, 1, 0),
    **reductions("max", X, 1, 0),
    **reductions("min", X, 1, 0),
    **reductions("any", True, 0, 0),
    **reductions("all", True, 0, 0),
    **reductions("var", 0, 0, 0),
    **reductions("std", 0, 0, 0),
    **reductions("logsumexp", X, 1, 0),
    **reductions("count_nonzero", 1, 0, 0),
    "vector_norm": (lambda x, axis: tt.linalg.vector_norm(x, axis=axis), X, 1, 0),
    "vector_norm 3": (lambda x, axis: tt.linalg.vector_norm(x, axis=axis, ord=3), X, 1, 0),
    "flip": (tt.flip, X, 1, 0),
    "roll": (lambda x, axis: tt.roll(x, 2, axis), X, 1, 0),
    "squeeze": (tt.squeeze, X, 1, 0),
}
ALONG = [(name, axis) for name in ALL for axis in AXES + SEVERAL * (name not in SINGLE)]


def floats(*dtypes: str) -> Any:
    return pytest.mark.parametrize("dtype", dtypes or ("float32", "float64"))


def same(got: Any, expected: Any, shape: tuple[int, ...] = ()) -> None:
    assert got.shape == shape
    np.testing.assert_allclose(got.numpy(), np.full(shape, expected), 1e-6, 1e-6)


@floats("float32", "float64", "int64", "uint8")
@pytest.mark.parametrize(("name", "axis"), ALONG)
def test_values(name: str, axis: Any, dtype: str, isa: str) -> None:
    op, value, *_ = ALL[name]
    x = np.array(X, dtype)
    if name in ("softmax", "log_softmax", "softmin") and x.dtype.kind != "f":
        with pytest.raises(tt.errors.DtypeError):
            op(tt.Tensor(x), axis)
        return
    if name in ("scatter prod", "index_reduce") and dtype == "uint8":
        value = np.uint8(value)
    got, beside = op(tt.Tensor(x), axis), op(tt.Tensor(x.reshape(1)), axis)
    same(got, value)
    assert got.dtype == beside.dtype


@floats()
@pytest.mark.parametrize(("name", "axis"), ALONG)
def test_derivatives(name: str, axis: Any, dtype: str) -> None:
    op, value, first, second = ALL[name]
    x = tt.Tensor(np.array(X, dtype))

    def squared(x: Any) -> Any:  # so that all have a second derivative
        return op(x, axis) ** 2

    same(tt.func.grad(lambda x: op(x, axis).astype(dtype))(x), first)
    twice = tt.func.grad(tt.func.grad(lambda x: squared(x).astype(dtype)))(x)
    same(twice, 2 * (first * first + value * second))
    tangent = tt.func.jvp(lambda x: op(x, axis).astype(dtype), (x,), (tt.ones_like(x),))[1]
    same(tangent, first)


@floats()
@pytest.mark.parametrize(("name", "axis"), ALONG)
def test_lanes(name: str, axis: Any, dtype: str) -> None:
    op, value, first, second = ALL[name]
    x = tt.Tensor(np.full(2, X, dtype))
    same(tt.func.vmap(lambda x: op(x, axis))(x), value, (2,))
    of_all = tt.func.grad(lambda x: tt.func.vmap(lambda y: op(y, axis))(x).astype(dtype).sum())
    same(of_all(x), first, (2,))
    of_each = tt.func.grad(lambda x: op(x, axis).astype(dtype) ** 2)
    same(tt.func.vmap(of_each)(x), 2 * value * first, (2,))
    twice = tt.func.grad(of_each)
    same(tt.func.vmap(twice)(x), 2 * (first * first + value * second), (2,))
    lanes = tt.func.vmap(tt.func.vmap(lambda x: op(x, axis)))(x.reshape(1, 2))
    same(lanes, value, (1, 2))


@pytest.mark.parametrize("axis", [1, -2, (1,), (-2,), (0, 0), (0, -1)])
@pytest.mark.parametrize("name", ALL)
def test_there_is_no_other_axis(name: str, axis: Any) -> None:
    op = ALL[name][0]
    if isinstance(axis, tuple) and name in SINGLE:
        return
    if name == "roll" and axis in ((0, 0), (0, -1)):  # may be twice along one axis
        same(op(tt.tensor(X), axis), X)
        return
    wanted = (ValueError, IndexError) if axis in ((0, 0), (0, -1)) else tt.errors.AxisError
    x = tt.tensor(X)
    with pytest.raises(wanted):
        op(x, axis)
    with pytest.raises(wanted):
        tt.func.vmap(lambda x: op(x, axis))(tt.tensor([X, X]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a variance of one less one is 0/0
def test_what_makes_an_axis() -> None:
    x = tt.tensor(X)
    assert tt.repeat(x, 2, 0).tolist() == [X, X]
    assert tt.take(x, np.array([0, 0]), 0).tolist() == [X, X]
    assert tt.gather(x, 0, np.array([0, 0])).tolist() == [X, X]
    assert tt.cumulative_sum(x, axis=0, include_initial=True).tolist() == [0, X]
    assert tt.cumulative_prod(x, axis=0, include_initial=True).tolist() == [1, X]
    assert tt.topk(x, 0, 0).values.shape == (0,)
    assert math.isnan(tt.var(x, 0, correction=1).item())


@pytest.mark.parametrize("name", ["flip", "squeeze"])
def test_a_view_stays_one(name: str) -> None:
    x = tt.tensor(X)
    view = getattr(tt, name)(x, 0)
    x += 1
    assert view.item() == X + 1


@pytest.mark.parametrize(
    "op",
    [
        tt.diff,
        lambda x: tt.diff(x, n=0, axis=0),
        lambda x: tt.split(x, 1),
        tt.unstack,
        lambda x: tt.concat([x, x]),
        lambda x: tt.permute_dims(x, (0,)),
        lambda x: tt.vecdot(x, x),
        lambda x: tt.cross(x, x),
        lambda x: tt.tensordot(x, x, ([0], [0])),
        tt.fft.fft,
        lambda x: tt.fft.fftn(x, axes=(0,)),
        lambda x: tt.fft.fftshift(x, 0),
    ],
)
def test_what_needs_an_axis(op: Any) -> None:
    with pytest.raises(tt.errors.ShapeError, match=r"ax|zero-dim"):
        op(tt.tensor(X))
    with pytest.raises(tt.errors.ShapeError, match=r"ax|zero-dim"):
        tt.func.vmap(op)(tt.tensor([X, X]))


IN_TORCH: dict[str, Any] = {
    "sum": lambda torch, x: torch.sum(x, 0),
    "sum keepdims": lambda torch, x: torch.sum(x, 0, keepdim=True),
    "mean": lambda torch, x: torch.mean(x, 0),
    "prod": lambda torch, x: torch.prod(x, 0),
    "max": lambda torch, x: torch.amax(x, 0),
    "min": lambda torch, x: torch.amin(x, 0),
    "var": lambda torch, x: torch.var(x, 0, correction=0),
    "std keepdims": lambda torch, x: torch.std(x, 0, correction=0, keepdim=True),
    "logsumexp": lambda torch, x: torch.logsumexp(x, 0),
    "argmax": lambda torch, x: torch.argmax(x, 0),
    "argmin keepdims": lambda torch, x: torch.argmin(x, 0, keepdim=True),
    "any": lambda torch, x: torch.any(x, 0),
    "all": lambda torch, x: torch.all(x, 0),
    "count_nonzero": lambda torch, x: torch.count_nonzero(x, 0),
    "cumsum": lambda torch, x: torch.cumsum(x, 0),
    "cumprod": lambda torch, x: torch.cumprod(x, 0),
    "sort": lambda torch, x: torch.sort(x, 0).values,
    "argsort": lambda torch, x: torch.argsort(x, 0),
    "topk values": lambda torch, x: torch.topk(x, 1, 0).values,
    "topk indices": lambda torch, x: torch.topk(x, 1, 0).indices,
    "flip": lambda torch, x: torch.flip(x, [0]),
    "squeeze": lambda torch, x: torch.squeeze(x, 0),
    "softmax": lambda torch, x: torch.softmax(x, 0),
    "log_softmax": lambda torch, x: torch.log_softmax(x, 0),
    "take": lambda torch, x: torch.index_select(x, 0, torch.tensor(0)),
    "gather": lambda torch, x: torch.gather(x, 0, torch.tensor(0)),
    "scatter": lambda torch, x: torch.scatter(x, 0, torch.tensor(0), x + x),
    "index_add": lambda torch, x: torch.index_add(x, 0, torch.tensor(0), x),
    "vector_norm": lambda torch, x: torch.linalg.vector_norm(x, dim=0),
}


@pytest.mark.parametrize("name", IN_TORCH)
def test_as_torch(name: str, torch: Any) -> None:
    x = torch.tensor(X, requires_grad=True)
    out = IN_TORCH[name](torch, x)
    op, value, first, _ = ALL[name]
    assert tuple(out.shape) == () == op(tt.tensor(X), 0).shape
    assert out.item() == value
    if out.requires_grad:
        out.backward()
        assert x.grad.item() == first
