"""vmap: its arguments and results, nesting, derivatives within and around, randomness, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.func import (
    VmapError,
    checkpoint,
    functional_call,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    stop_gradient,
    tree_leaves,
    value_and_grad,
    vjp,
    vmap,
)

pytestmark = pytest.mark.no_c


def numbers(*shape: int, seed: int = 0) -> tt.Tensor:
    return tt.Tensor(np.random.default_rng(seed).normal(size=shape))


def same(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), tolerance, tolerance)


# --- Arguments and results -------------------------------------------------------------------


def test_in_axes_for_each_argument() -> None:
    a, b = numbers(3, 4), numbers(2, 3, seed=1)
    got = vmap(lambda x, y, z: (x * z).sum() + y, in_axes=(0, 1, None))(a, b, 2.0)
    same(got, np.asarray(a).sum(1)[:, None] * 2 + np.asarray(b).T)
    same(vmap(lambda x: x + 1, in_axes=-1, out_axes=-1)(b), np.asarray(b) + 1)


def test_out_axes_for_each_result() -> None:
    x = numbers(3, 4, 5)
    moved, kept, constant = vmap(lambda x: (x, {"sum": x.sum()}, 7.0), out_axes=(1, 0, None))(x)
    same(moved, np.asarray(x).transpose(1, 0, 2))
    same(kept["sum"], np.asarray(x).sum((1, 2)))
    assert constant.shape == ()
    same(vmap(lambda x: tt.tensor([1.0, 2.0]))(x), np.tile([1.0, 2.0], (3, 1)))
    same(vmap(lambda x: x, out_axes=-1)(x), np.moveaxis(np.asarray(x), 0, -1))


@dataclass
class Point:
    x: Any
    y: Any


def test_trees() -> None:
    p = {"w": numbers(3, 2), "rest": [numbers(3), Point(numbers(2, 3), 1.5)]}
    axes = ({"w": 0, "rest": [0, Point(1, None)]},)
    got = vmap(lambda p: {"s": p["w"].sum() + p["rest"][0] + p["rest"][1].x * p["rest"][1].y}, axes)
    w, (b, point) = p["w"], p["rest"]
    expected = np.asarray(w).sum(1)[:, None] + np.asarray(b)[:, None]
    same(got(p), {"s": expected + 1.5 * np.asarray(point.x).T})


def test_an_argument_without_lanes_is_passed_as_it_is() -> None:
    model, seen = nn.Linear(3, 2), []
    vmap(lambda m, x: seen.append(m) or m(x), in_axes=(None, 0))(model, tt.ones((4, 3)))
    assert seen[0] is model


def test_arguments_by_name_have_their_lanes_in_front() -> None:
    same(vmap(lambda x, k: x * k)(numbers(3), k=numbers(3)), np.asarray(numbers(3)) ** 2)


def test_axis_size_without_lanes() -> None:
    got = vmap(lambda: tt.ones(2), axis_size=3)()
    same(got, np.ones((3, 2)))


def test_numpy_arrays_and_integers() -> None:
    got = vmap(lambda x, i: x[i])(np.arange(6.0).reshape(2, 3), np.array([2, 0]))
    same(got, np.array([2.0, 3.0]))


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 10])
def test_chunks(chunk: int) -> None:
    x = numbers(4, 3)
    f = lambda x: (x.sum(), x * 2, 3.0)  # noqa: E731
    got = vmap(f, out_axes=(0, 1, None), chunk_size=chunk)(x)
    same(got, vmap(f, out_axes=(0, 1, None))(x))


def test_no_lanes_at_all() -> None:
    assert vmap(lambda x: tt.exp(x) @ tt.ones(3))(tt.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vmap(tt.sin)(1.0), "no axis 0"),
        (lambda: vmap(tt.sin, in_axes=2)(tt.ones((2, 3))), "no axis 2"),
        (lambda: vmap(tt.add)(tt.ones(2), tt.ones(3)), "numbers of lanes differ: 2 of"),
        (lambda: vmap(tt.add, in_axes=(0,))(tt.ones(2), tt.ones(2)), "in_axes has 1"),
        (lambda: vmap(tt.add, in_axes=(None, None))(1.0, 2.0), "axis_size must say"),
        (lambda: vmap(tt.sin, in_axes=({"a": 0},))(tt.ones(2)), "in_axes of argument"),
        (lambda: vmap(lambda x: x, out_axes=None)(tt.ones(2)), "differs from lane to lane"),
        (lambda: vmap(lambda x: x, out_axes=1)(tt.ones(2)), "no out axis 1"),
        (lambda: vmap(lambda x: "text")(tt.ones(2)), "must be a tensor or a number"),
        (lambda: vmap(tt.sin, randomness="no"), "randomness is"),
        (lambda: vmap(tt.sin, chunk_size=0), "chunk_size must be"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# --- What a lane sees, and what it cannot do ---------------------------------------------------


def test_a_lane_sees_its_own_shape() -> None:
    def f(x: tt.Tensor) -> tt.Tensor:
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 4), 2, 8, 2, np.float64)
        assert x.T.shape == (4, 2)
        assert "one of 3 lanes" in repr(x)
        assert "shape=(2, 4)" in f"{x}"
        first, second = x
        return first * second

    x = numbers(3, 2, 4)
    same(vmap(f)(x), np.asarray(x)[:, 0] * np.asarray(x)[:, 1])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (float, "float: under vmap"),
        (lambda x: x if x > 0 else -x, r"bool: under vmap.*tt\.where"),
        (lambda x: x.item(), "item: under vmap"),
        (lambda x: x.tolist(), "tolist: under vmap"),
        (lambda x: x.numpy(), "numpy: under vmap"),
        (np.asarray, "np.asarray: under vmap"),
        (lambda x: tt.tensor(x), "under vmap"),
        (lambda x: tt.arange(3 * x), "arange: takes numbers"),
        (lambda x: tt.exp([x, 1.0]), r"exp: .* tt\.stack makes a tensor"),
        (lambda x: range(x), "index: under vmap"),
        (lambda x: tt.arange(3.0)[x > 0], r"x\[mask\]: under vmap"),
        (lambda x: tt.nonzero(x[None]), "nonzero: the shape of its result"),
        (lambda x: x.fill_(1.0), r"fill_: .*x\.at"),
    ],
)
def test_what_a_lane_cannot_do(f: Callable[..., Any], message: str) -> None:
    with pytest.raises((VmapError, tt.GraphError), match=message):
        vmap(f)(tt.tensor([1.0, -1.0]))


def test_lists_of_lanes_are_stacked() -> None:
    found = vmap(lambda x: tt.tensor([x, 1.0]) + tt.asarray([[0.0, x]])[0])(tt.tensor([2.0, 3.0]))
    assert found.tolist() == [[2, 3], [3, 4]]


def test_changes_in_place_are_errors() -> None:
    def assigned(x: tt.Tensor) -> tt.Tensor:
        x[0] = 1.0
        return x

    def added(x: tt.Tensor) -> tt.Tensor:
        x += 1.0
        return x

    for f in (assigned, added):
        with pytest.raises(VmapError, match=r"x\.at"):
            vmap(f)(tt.ones((2, 3)))
    with pytest.raises(VmapError, match="fill_: under vmap"):  # what would be changed has no lanes
        vmap(lambda x: tt.zeros(3).fill_(x))(tt.ones(2))


def test_gradients_by_backward_are_errors() -> None:
    for f in (lambda x: x.requires_grad_(), lambda x: x.backward(), lambda x: x.retain_grad()):
        with pytest.raises(tt.GraphError):
            vmap(f)(tt.ones(2))
    with pytest.raises(tt.GraphError, match="within a vmap, derivatives are taken by"):
        vmap(lambda x: tt.grad(x * x, x)[0])(tt.ones(2).requires_grad_())


def test_a_lane_that_outlives_its_vmap() -> None:
    kept = []
    vmap(lambda x: kept.append(x) or x)(tt.ones(2))
    with pytest.raises(VmapError, match="has ended"):
        kept[0] + 1
    with pytest.raises(VmapError, match="has ended"):
        vmap(lambda x: x + kept[0])(tt.ones(3))


def test_errors_of_ops_are_the_ops() -> None:
    with pytest.raises(IndexError, match="embedding: an index is outside of the 4 rows"):
        vmap(lambda w: tt.embedding(tt.tensor([5]), w))(tt.ones((2, 4, 3)))
    with pytest.raises(tt.ShapeError, match="reshape: cannot reshape") as caught:
        vmap(lambda x: x.reshape(5))(tt.ones((2, 6)))
    assert "in a vmap of 2 lanes" in caught.value.__notes__[0]
    with pytest.raises(tt.ShapeError, match="matmul: inner sizes differ"):
        vmap(lambda x: x @ tt.ones(4))(tt.ones((2, 3)))
    with pytest.raises(tt.ShapeError, match="sum: there is no axis 1 in 1 dim"):
        vmap(lambda x: x.sum(1))(tt.ones((2, 3)))
    with pytest.raises(tt.ShapeError, match="matrix_transpose: x is"):
        vmap(lambda x: x.mT)(tt.ones((2, 3)))


# --- Indexing by lanes -----------------------------------------------------------------------

INDICES = np.array([[2, 0], [1, 1], [0, 2]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: x[i],
        lambda x, i: x[i[0]],
        lambda x, i: x[i, i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, :, i],
        lambda x, i: x[..., i, None],
        lambda x, i: x[0, :, i],
        lambda x, i: x[None, i[:, None], i],
        lambda x, i: x[1:, i[:, None], np.array([[0, 1, 2]])],
        lambda x, i: x[[0, 1], :, i],
        lambda x, i: x[np.array([True, False, True]), i],
        lambda x, i: tt.take(x, i, 1),
        lambda x, i: tt.gather(x[:2, :, 0], 1, i[:, None]),
        lambda x, i: x.at[i].set(0.0),
        lambda x, i: tt.zeros(3, np.float64).at[1].set(x[0, 0, 0]) * i[0],
        lambda x, i: x.at[i, 0].set(x[0, :2]),
        lambda x, i: x.at[:, i].add(x[:, i] * 2),
        lambda x, i: x.at[i[0], i[1]].multiply(3.0),
        lambda x, i: x.at[i, :, i].max(x[0, 0, 0]),
        lambda x, i: tt.index_add(x, 0, i, x[:2]),
        lambda x, i: tt.sort(x, 1).sum() * x[i].sum(),
        lambda x, i: tt.topk(x, 2, 0).values,
        lambda x, i: nn.functional.one_hot(i, 3),
    ],
)
def test_indices_of_lanes(f: Callable[..., Any]) -> None:
    x = numbers(3, 3, 3, 3)
    plain = [f(x[k], tt.Tensor(INDICES[k])) for k in range(3)]
    same(vmap(f)(x, INDICES), np.stack([np.asarray(p) for p in plain]))
    shared = [f(x[0], tt.Tensor(INDICES[k])) for k in range(3)]
    same(vmap(f, (None, 0))(x[0], INDICES), np.stack([np.asarray(p) for p in shared]))
    one = [f(x[k], tt.Tensor(INDICES[0])) for k in range(3)]
    same(vmap(f, (0, None))(x, tt.Tensor(INDICES[0])), np.stack([np.asarray(p) for p in one]))
    nested = vmap(vmap(f, (0, None)), (None, 0))(x, INDICES)  # lanes of x within those of indices
    same(nested[1, 2], f(x[2], tt.Tensor(INDICES[1])))
    swapped = vmap(vmap(f, (None, 0)), (0, None))(x, INDICES)
    same(swapped[2, 1], f(x[2], tt.Tensor(INDICES[1])))
    if plain[0].dtype.kind == "f":
        by_lanes = vmap(grad(lambda x, i: (f(x, i) ** 2).sum()))(x, INDICES)
        for k in range(3):
            by_one = grad(lambda x, k=k: (f(x, tt.Tensor(INDICES[k])) ** 2).sum())(x[k])
            same(by_lanes[k], by_one)


# --- Nesting, and derivatives ----------------------------------------------------------------


def f(x: tt.Tensor, y: tt.Tensor) -> tt.Tensor:
    return (tt.sin(x) @ y).sum() + (x**3).mean() * tt.exp(y).sum()


X, Y = numbers(4, 2, 3), numbers(5, 3, 2, seed=1)


def test_vmap_of_vmap() -> None:
    got = vmap(vmap(f, (None, 0)), (0, None))(X, Y)
    assert got.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            same(got[i, j], f(X[i], Y[j]))
    same(vmap(vmap(f, (0, None), 0), (None, 0), 1)(X, Y), got)


def test_a_lane_meets_a_lane_of_the_outer_vmap() -> None:
    got = vmap(lambda x: vmap(lambda y: (x * y, x + 1, y.sum()))(Y[:, 0]))(X[:, 0, :2])
    same(got[0], np.asarray(X)[:, None, 0, :2] * np.asarray(Y)[None, :, 0])
    same(got[1], np.broadcast_to(np.asarray(X)[:, None, 0, :2] + 1, (4, 5, 2)))


DERIVATIVES: dict[str, Callable[..., Any]] = {
    "grad": lambda x, y: grad(f)(x, y),
    "by both": lambda x, y: grad(f, (0, 1))(x, y),
    "value_and_grad": lambda x, y: value_and_grad(f)(x, y),
    "vjp": lambda x, y: vjp(lambda x: tt.tanh(x) @ y, x)[1](tt.ones((2, 2), np.float64)),
    "jvp": lambda x, y: jvp(lambda x: tt.tanh(x) @ y, (x,), (x * 2,)),
    "linearize": lambda x, y: linearize(lambda x: tt.tanh(x) @ y, x)[1](x + 1),
    "jacrev": lambda x, y: jacrev(lambda x: tt.tanh(x) @ y)(x),
    "jacfwd": lambda x, y: jacfwd(lambda x: tt.tanh(x) @ y)(x),
    "hessian": lambda x, y: hessian(f)(x, y),
    "hvp": lambda x, y: hvp(lambda x: f(x, y), (x,), (x + 1,)),
    "grad of grad": lambda x, y: grad(lambda y: (grad(f)(x, y) ** 2).sum())(y),
    "stopped": lambda x, y: grad(lambda x: f(x, stop_gradient(x.mT)))(x),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_within_a_vmap(name: str) -> None:
    d = DERIVATIVES[name]
    for axes in ((0, 0), (0, None), (None, 0)):
        x, y = (v[:4] if axis == 0 else v[0] for v, axis in zip((X, Y), axes, strict=True))
        got = vmap(d, axes)(x, y)
        for i in range(4):
            a, b = (v[i] if axis == 0 else v for v, axis in zip((x, y), axes, strict=True))
            same([leaf[i] for leaf in tree_leaves(got)], tree_leaves(d(a, b)), 1e-10)


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_within_two_vmaps(name: str) -> None:
    d = DERIVATIVES[name]
    got = vmap(vmap(d, (None, 0)), (0, None))(X, Y)
    same([leaf[2, 3] for leaf in tree_leaves(got)], tree_leaves(d(X[2], Y[3])), 1e-10)


@pytest.mark.parametrize("name", ["grad", "jvp", "jacfwd", "hvp"])
def test_derivatives_of_derivatives_within_a_vmap(name: str) -> None:
    def size(x: Any, y: Any, d: Callable[..., Any]) -> Any:
        return sum((leaf**2).sum() for leaf in tree_leaves(d(x, y)))

    d = DERIVATIVES[name]
    got = grad(lambda x: size(x, Y[:4], vmap(d)))(X)
    expected = [grad(lambda x, i=i: size(x, Y[i], d))(X[i]) for i in range(4)]
    same(got, np.stack([np.asarray(e) for e in expected]), 1e-9)


def test_grad_of_vmap_reaches_shared_arguments() -> None:
    w = numbers(3, 2)
    got = grad(lambda w: vmap(lambda x: tt.tanh(x @ w).sum())(X).sum())(w)
    same(got, grad(lambda w: tt.tanh(X @ w).sum())(w))


def test_graphs_go_through_a_vmap() -> None:
    x, w = X.clone().requires_grad_(), numbers(3, 2).requires_grad_()
    vmap(lambda x: (tt.sin(x) @ w).sum())(x).sum().backward()
    y, v = X.clone().requires_grad_(), numbers(3, 2).requires_grad_()
    (tt.sin(y) @ v).sum().backward()
    same([x.grad, w.grad], [y.grad, v.grad])


def test_a_pullback_is_mapped_over_cotangents() -> None:
    x = X[0].clone().requires_grad_()
    y = tt.tanh(x) @ Y[0]
    basis = tt.eye(4, dtype=np.float64).reshape(4, 2, 2)
    rows = vmap(lambda v: tt.grad(y, x, v, retain_graph=True)[0])(basis)
    same(rows.reshape(2, 2, 2, 3), jacrev(lambda x: tt.tanh(x) @ Y[0])(X[0]))
    _, pull = vjp(lambda x: tt.tanh(x) @ Y[0], X[0])
    same(vmap(pull)(basis)[0], rows)


def test_a_pullback_of_lanes_is_mapped_over_cotangents() -> None:
    def rows(x: tt.Tensor) -> tt.Tensor:
        _, pull = vjp(lambda x: tt.tanh(x) @ Y[0], x)
        return vmap(lambda v: vmap(pull)(v)[0])(tt.eye(4, dtype=np.float64).reshape(2, 2, 2, 2))

    got = vmap(rows)(X)
    for i in range(4):
        expected = jacrev(lambda x: tt.tanh(x) @ Y[0])(X[i]).reshape(2, 2, 2, 3)
        same(got[i], expected)


def test_hooks_see_the_lanes_of_a_pullback() -> None:
    x = numbers(3).requires_grad_()
    middle = tt.sin(x)
    seen = []
    middle.register_hook(lambda g: seen.append(g.shape) or 2 * g)
    y = middle * 3.0
    rows = vmap(lambda v: tt.grad(y, x, v, retain_graph=True)[0])(tt.eye(3, dtype=np.float64))
    same(rows, np.diag(6 * np.cos(np.asarray(x))))
    assert seen == [(3,)]


def test_a_checkpoint_runs_again_in_its_own_vmaps() -> None:
    def g(x: tt.Tensor) -> tt.Tensor:
        return tt.tanh(tt.exp(tt.sin(x) @ Y[0]))

    def kept(x: tt.Tensor) -> tt.Tensor:
        return checkpoint(g, x)

    same(vmap(grad(lambda x: kept(x).sum()))(X), vmap(grad(lambda x: g(x).sum()))(X))
    same(grad(lambda x: vmap(kept)(x).sum())(X), grad(lambda x: vmap(g)(x).sum())(X))
    same(jacrev(lambda x: vmap(kept)(x))(X), jacrev(lambda x: vmap(g)(x))(X))
    same(vmap(jacrev(kept))(X), vmap(jacrev(g))(X))
    same(vmap(jacfwd(kept))(X), vmap(jacfwd(g))(X))


def test_a_jacobian_through_changes_in_place() -> None:
    def changed(x: tt.Tensor) -> tt.Tensor:
        y = x * 2.0
        y[0] = x[1] ** 2
        rest = y[1:]
        rest *= x[0]
        return y

    a, b, c = np.asarray(numbers(3))
    same(
        jacrev(changed)(numbers(3)), np.array([[0, 2 * b, 0], [2 * b, 2 * a, 0], [2 * c, 0, 2 * a]])
    )


def test_jacobians_in_chunks() -> None:
    same(jacrev(tt.sin, chunk_size=2)(X[0]), jacrev(tt.sin)(X[0]))


def test_a_jacobian_through_a_rule_that_looks_at_its_cotangent() -> None:
    class Square(tt.Function):
        @staticmethod
        def forward(ctx: Any, x: tt.Tensor) -> tt.Tensor:
            ctx.x = x.numpy()
            return tt.Tensor(x.numpy() ** 2)

        @staticmethod
        def backward(ctx: Any, g: tt.Tensor) -> tt.Tensor:
            return tt.Tensor(2 * ctx.x * g.numpy())

    x = numbers(3)
    same(jacrev(Square.apply)(x), np.diag(2 * np.asarray(x)))


def test_a_function_is_called_for_each_lane() -> None:
    class Cube(tt.Function):
        @staticmethod
        def forward(ctx: Any, x: tt.Tensor, times: float) -> tt.Tensor:
            ctx.save_for_backward(x)
            ctx.times = times
            return tt.Tensor(times * x.numpy() ** 3)

        @staticmethod
        def backward(ctx: Any, g: tt.Tensor) -> tuple[Any, None]:
            (x,) = ctx.saved_tensors
            return 3 * ctx.times * x**2 * g, None

    x = numbers(4, 3)
    same(vmap(lambda x: Cube.apply(x, 2.0))(x), 2 * np.asarray(x) ** 3)
    same(vmap(grad(lambda x: Cube.apply(x, 2.0).sum()))(x), 6 * np.asarray(x) ** 2)
    same(grad(lambda x: vmap(lambda x: Cube.apply(x, 2.0))(x).sum())(x), 6 * np.asarray(x) ** 2)


def test_an_op_without_a_rule_is_called_for_each_lane() -> None:
    calls = []

    @tt.op
    def both(x, y):
        calls.append(x.shape)
        return x * y

    both.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)
    x, y = numbers(4, 3), numbers(3, seed=1)
    same(vmap(both, (0, None))(x, y), np.asarray(x) * np.asarray(y))
    assert calls == [(3,)] * 4
    same(vmap(grad(lambda x: both(x, y).sum()))(x), np.tile(np.asarray(y), (4, 1)))
    both.batched(lambda op, args, mapped, static: op(*args))
    calls.clear()
    same(vmap(both, (0, None))(x, y), np.asarray(x) * np.asarray(y))
    assert calls == [(4, 3)]


def test_lanes_of_different_shapes_are_an_error() -> None:
    @tt.op
    def positive(x):
        return x[x > 0]

    with pytest.raises(VmapError, match=r"positive: .* same shapes"):
        vmap(positive)(tt.tensor([[1.0, 1.0], [1.0, -1.0]]))


def test_nothing_is_recorded_without_need() -> None:
    seen = vmap(lambda x: tt.exp(x))(numbers(2, 3))
    assert seen.is_leaf
    assert vmap(grad(lambda x: tt.exp(x).sum()))(numbers(2, 3)).is_leaf
    with tt.no_grad():
        x = numbers(2, 3).requires_grad_()
        assert vmap(tt.exp)(x).is_leaf


# --- Randomness ------------------------------------------------------------------------------


def test_randomness() -> None:
    x = tt.ones((4, 1000))
    drop = lambda x: tt.dropout(x, 0.5)  # noqa: E731
    with pytest.raises(RuntimeError, match="random draw within vmap"):
        vmap(drop)(x)
    with pytest.raises(RuntimeError, match="random draw within vmap"):
        vmap(lambda x: x + tt.randn(3))(tt.ones(2))
    tt.manual_seed(0)
    one = np.asarray(vmap(drop, randomness="same")(x))
    assert (one == one[0]).all()
    assert 0.4 < (one[0] == 0).mean() < 0.6
    infinite = np.asarray(vmap(drop, randomness="same")(x * np.inf))
    assert set(np.unique(infinite)) == {0.0, np.inf}
    own = np.asarray(vmap(drop, randomness="different")(x))
    assert all((own[i] != own[0]).any() for i in range(1, 4))
    shared = np.asarray(vmap(lambda x: x + tt.randn(3), randomness="same")(tt.ones(2)))
    assert (shared[0] == shared[1]).all()
    noise = np.asarray(vmap(lambda x: x + tt.randn(3), randomness="different")(tt.ones(4)))
    assert len(np.unique(noise)) == 12
    dice = vmap(lambda x: tt.randint(0, 1000, 5), randomness="different")(tt.ones(4))
    assert (dice.shape, dice.dtype) == ((4, 5), np.int64)
    with pytest.raises(RuntimeError, match="of what has no lanes"):
        vmap(lambda x: x + tt.dropout(tt.ones(3)), randomness="different")(tt.ones(2))
    assert np.asarray(vmap(lambda x: tt.dropout(x, 0.5, training=False))(x)).all()
    tt.dropout(tt.ones(3))  # after all, draws are free again


def test_randomness_of_nested_vmaps() -> None:
    x = tt.ones((2, 3, 100))
    rows = vmap(vmap(lambda x: tt.dropout(x, 0.5), randomness="same"), randomness="different")(x)
    rows = np.asarray(rows)
    draw = vmap(lambda x: tt.rand(7), axis_size=3, randomness="different")
    drawn = vmap(lambda x: draw(x), randomness="same")(tt.ones((2, 3)))
    assert (drawn[0] == drawn[1]).all()
    assert not (drawn[0, 0] == drawn[0, 1]).any()
    assert (rows[:, 0] == rows[:, 1]).all()
    assert (rows[0] != rows[1]).any()


def test_dropout_of_attention() -> None:
    q = numbers(3, 2, 5, 4)
    attend = lambda q: tt.scaled_dot_product_attention(q, q, q, dropout_p=0.5)  # noqa: E731
    alike = tt.Tensor(np.stack([np.asarray(q)[0]] * 3))
    same_draws = np.asarray(vmap(attend, randomness="same")(alike))
    np.testing.assert_allclose(same_draws[0], same_draws[1])
    own = np.asarray(vmap(attend, randomness="different")(alike))
    assert np.abs(own[0] - own[1]).max() > 1e-3


def test_gradients_drop_what_the_forward_dropped() -> None:
    g = vmap(grad(lambda x: tt.dropout(x, 0.5).sum()), randomness="different")(tt.ones((3, 50)))
    assert set(np.unique(np.asarray(g))) == {0.0, 2.0}


# --- Models ----------------------------------------------------------------------------------

MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tt.Tensor]]] = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 2)),
        lambda: numbers(5, 4),
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.SiLU(),
            nn.Conv2d(4, 4, 3, groups=2),
            nn.MaxPool2d(2),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4, 2),
        ),
        lambda: numbers(5, 2, 6, 6),
    ),
    "lstm": (
        lambda: nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True),
        lambda: numbers(2, 5, 3),
    ),
    "gru": (lambda: nn.GRU(3, 4), lambda: numbers(5, 2, 3)),
    "rnn": (lambda: nn.RNN(3, 4), lambda: numbers(5, 2, 3)),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        lambda: numbers(2, 5, 8),
    ),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(7, 4, padding_idx=1), nn.RMSNorm(4), nn.Linear(4, 2)),
        lambda: tt.Tensor(np.random.default_rng(0).integers(0, 7, (3, 5))),
    ),
}


def outputs_of(model: nn.Module, state: Any, x: tt.Tensor) -> tt.Tensor:
    return tree_leaves(functional_call(model, state, (x,)))[0]


def own_state(model: nn.Module) -> dict[str, tt.Tensor]:
    return {name: p.detach() for name, p in model.named_parameters()}


def loss(state: Any, model: nn.Module, x: tt.Tensor) -> tt.Tensor:
    return (outputs_of(model, state, x) ** 2).sum()


@pytest.mark.parametrize("name", MODELS)
def test_an_ensemble(name: str) -> None:
    make, draw = MODELS[name]
    tt.manual_seed(1)
    models, x = [make().double().eval() for _ in range(3)], draw()
    parameters, buffers = stack_module_state(models)
    parameters = {k: p.detach() for k, p in parameters.items()}
    state = {**parameters, **buffers}
    got = vmap(lambda s, x: outputs_of(models[0], s, x), in_axes=(0, None))(state, x)
    slopes = vmap(lambda p, b: grad(lambda p: loss({**p, **b}, models[0], x))(p))(
        parameters, buffers
    )
    for i, model in enumerate(models):
        same(got[i], outputs_of(model, {}, x), 1e-9)
        expected = grad(loss)(own_state(model), model, x)
        assert slopes.keys() == expected.keys()
        for key, slope in expected.items():
            assert np.abs(np.asarray(slope)).max() > 0
            same(slopes[key][i], slope, 1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_each_example(name: str) -> None:
    make, draw = MODELS[name]
    tt.manual_seed(1)
    model, x = make().double().eval(), draw()
    batch_axis = 1 if name in ("gru", "rnn") else 0
    x = x.reshape(5, 1, 2, 6, 6) if name == "cnn" else x
    got = vmap(grad(loss), in_axes=(None, None, batch_axis))(own_state(model), model, x)
    for i in range(x.shape[batch_axis]):
        one = x[(slice(None),) * batch_axis + (i,)]
        expected = grad(loss)(own_state(model), model, one)
        for key, slope in expected.items():
            same(got[key][i], slope, 1e-9)


def test_batch_norm_in_training() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(VmapError, match=r"batch_norm: .*running statistics"):
        vmap(norm)(tt.ones((2, 5, 3)))
    x = numbers(2, 5, 3)
    free = nn.BatchNorm1d(3, track_running_stats=False).double()
    same(vmap(free)(x), np.stack([np.asarray(free(x[i])) for i in range(2)]))


# --- PyTorch's answers -----------------------------------------------------------------------


def test_against_pytorch(torch: Any) -> None:
    weights, xs, ys = numbers(4, 3), numbers(6, 4, seed=2), numbers(6, 3, seed=3)

    def model(w: Any, x: Any, y: Any) -> Any:
        return (((x @ w) - y) ** 2).mean()

    def as_torch(x: Any) -> Any:
        return torch.from_numpy(np.asarray(x))

    for axes, out in [((None, 0, 0), 0), ((None, 0, None), 1), ((None, None, 0), -1)]:
        args = [weights, xs if axes[1] == 0 else xs[0], ys if axes[2] == 0 else ys[0]]
        for ours, theirs in [(grad, torch.func.grad), (hessian, torch.func.hessian)]:
            got = vmap(ours(model), axes, out)(*args)
            expected = torch.func.vmap(theirs(model), axes, out)(*map(as_torch, args))
            same(got, expected.numpy(), 1e-10)
