"""Function: operations as classes with forward and backward."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import check_grad, grad, jvp

pytestmark = pytest.mark.no_c


class Cube(tt.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


class Exp(tt.Function):
    """Its backward needs its output."""

    @staticmethod
    def forward(ctx, x):
        out = tt.exp(x)
        ctx.save_for_backward(None, out)
        return out

    @staticmethod
    def backward(ctx, g):
        nothing, out = ctx.saved_tensors
        assert nothing is None
        return g * out


class SumAndProduct(tt.Function):
    """Several outputs, one of them no tensor; an argument that is none; attributes of ctx."""

    @staticmethod
    def forward(ctx, a, name, b):
        ctx.save_for_backward(a, b)
        ctx.name = name
        return a + b, name, a * b

    @staticmethod
    def backward(ctx, g_sum, g_name, g_product):
        assert g_name is None
        assert ctx.name == "both"
        a, b = ctx.saved_tensors
        return g_sum + g_product * b, None, g_sum + g_product * a


@pytest.mark.parametrize("order", [1, 2, 3])
def test_backward_made_of_ops_is_differentiable_again(order) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    check_grad(Cube.apply, x, order=order)
    check_grad(Exp.apply, x, order=order)
    check_grad(lambda a, b: SumAndProduct.apply(a, "both", b)[2], x, y, order=order)
    check_grad(lambda a, b: SumAndProduct.apply(a, "both", b)[::2], x, y, order=order)


def test_the_transforms_go_through_it() -> None:
    out, tangent = jvp(Exp.apply, (tt.tensor([0.0, 1.0]),), (tt.tensor([1.0, 2.0]),))
    np.testing.assert_allclose(out.numpy(), np.exp([0, 1]), rtol=1e-6)
    np.testing.assert_allclose(tangent.numpy(), [1, 2 * np.e], rtol=1e-6)
    assert grad(grad(Cube.apply))(tt.tensor(2.0)).item() == 12


def test_what_is_recorded() -> None:
    a, b = tt.tensor([1.0, 2.0], requires_grad=True), tt.tensor([3.0, 4.0])
    total, name, product = SumAndProduct.apply(a, "both", b)
    assert name == "both"
    assert (total.node.op.__name__, total.requires_grad) == ("SumAndProduct", True)
    (total + product).sum().backward()
    assert a.grad.tolist() == [4, 5]
    assert b.grad is None
    with tt.no_grad():
        assert not SumAndProduct.apply(a, "both", b)[0].requires_grad
    assert not SumAndProduct.apply(b, "both", b)[0].requires_grad


def test_needs_input_grad() -> None:
    seen = []

    class Notes(tt.Function):
        @staticmethod
        def forward(ctx, *args):
            seen.append(ctx.needs_input_grad)
            return args[0] * 1

        @staticmethod
        def backward(ctx, g):
            return g, None, g

    x = tt.ones(2, requires_grad=True)
    Notes.apply(x, 3, tt.ones(2))
    with tt.no_grad():
        Notes.apply(x, 3, x)
    assert seen == [(True, False, False), (False, False, False)]


def test_setup_context_beside_a_forward_without_ctx() -> None:
    class Square(tt.Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs, output)

        @staticmethod
        def backward(ctx, g):
            x, out = ctx.saved_tensors
            np.testing.assert_array_equal(out.numpy(), x.numpy() ** 2)
            return 2 * x * g

    check_grad(Square.apply, np.array([1.0, 2.0]), order=2)


def test_outputs_that_are_marked_have_no_gradient() -> None:
    class WithIndex(tt.Function):
        @staticmethod
        def forward(ctx, x):
            scaled, half = x * 2, x * 0.5
            ctx.mark_non_differentiable(half)
            return scaled, half, tt.argmax(x)

        @staticmethod
        def backward(ctx, g, g_half, g_index):
            assert g_half.tolist() == [0, 0]
            assert g_index.item() == 0
            return g * 2

    x = tt.tensor([1.0, 2.0], requires_grad=True)
    scaled, half, index = WithIndex.apply(x)
    assert not half.requires_grad
    assert not index.requires_grad
    scaled.sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("materialize", [True, False])
def test_gradients_that_never_arrive(materialize) -> None:
    seen = []

    class Pair(tt.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            seen.append((g, h))
            return None if h is None else h * 3

    x = tt.ones(2, requires_grad=True)
    two, three = Pair.apply(x)
    three.sum().backward(retain_graph=True)
    two.sum().backward(retain_graph=True)
    (two + three).sum().backward()
    missing = [[g is None for g in pair] for pair in seen]
    assert missing == (
        [[False, False]] * 3 if materialize else [[True, False], [False, True], [False, False]]
    )
    if materialize:
        assert seen[0][0].tolist() == [0, 0]
    assert x.grad.tolist() == [6, 6]


def test_a_change_of_what_was_saved_is_noticed() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = Cube.apply(x)
    with tt.no_grad():
        x += 1
    with pytest.raises(tt.GraphError, match=r"Cube: a saved tensor \(2,\) was changed .* by \+="):
        y.sum().backward()
    y = Exp.apply(x)
    with tt.no_grad():
        y *= 2
    with pytest.raises(tt.GraphError, match=r"Exp: a saved tensor \(2,\) was changed .* by \*="):
        y.sum().backward()


def test_a_second_backward_pass_says_so() -> None:
    y = Cube.apply(tt.ones(2, requires_grad=True))
    y.sum().backward()
    with pytest.raises(tt.GraphError, match="Cube: a second backward pass"):
        y.sum().backward()


def test_what_backward_returns_must_fit() -> None:
    def returning(*gradients):
        class Bad(tt.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + b

            @staticmethod
            def backward(ctx, g):
                return gradients

        x = tt.ones(2, requires_grad=True)
        Bad.apply(x, x).sum().backward()
        return x.grad

    with pytest.raises(ValueError, match="Bad: backward returned 1 gradients for the 2 arguments"):
        returning(tt.ones(2))
    with pytest.raises(
        tt.ShapeError, match=r"Bad: backward returned a gradient \(3,\) for argument 1, which is"
    ):
        returning(tt.ones(2), tt.ones(3))
    with pytest.raises(TypeError):
        returning(tt.ones(2), "x")
    assert returning(tt.ones((3, 2)), np.ones(2)).tolist() == [4, 4]  # summed where it is wider
    assert returning(None, tt.ones(2)).tolist() == [1, 1]


def test_what_cannot_be() -> None:
    class Bad(tt.Function):
        @staticmethod
        def forward(ctx, x, how):
            getattr(ctx, how)(x if how == "mark_dirty" else 3.0)

    with pytest.raises(NotImplementedError, match=r"Bad: mark_dirty: .* in place"):
        Bad.apply(tt.ones(2), "mark_dirty")
    with pytest.raises(TypeError, match="Bad: save_for_backward takes tensors, not a float"):
        Bad.apply(tt.ones(2), "save_for_backward")
    with pytest.raises(NotImplementedError, match="static method forward"):
        tt.Function.apply(tt.ones(2))


def test_an_input_handed_on_keeps_its_storage_and_version() -> None:
    class Same(tt.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return -g  # reversed gradients

    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = Same.apply(x)
    assert y is not x
    assert np.shares_memory(y.numpy(), x.numpy())
    (y * y).sum().backward()
    assert x.grad.tolist() == [-2, -4]
    z = (y * x).sum()
    with tt.no_grad():
        y.zero_()
    with pytest.raises(tt.GraphError, match="changed in place"):
        z.backward()
    with tt.no_grad():
        assert not Same.apply(x).requires_grad


def test_changes_in_place_of_what_it_returned() -> None:
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    y = Cube.apply(x)  # new memory: recorded
    y *= 2
    y.sum().backward()
    assert x.grad.tolist() == [6, 24]

    class First(tt.Function):
        @staticmethod
        def forward(ctx, x):
            return x[:1]

        @staticmethod
        def backward(ctx, g):
            return tt.concat([g, tt.zeros(1)])

    for change in (lambda x, y: y.add_(1.0), lambda x, y: (x.add_(1.0), y.sum().backward())):
        z = tt.tensor([1.0, 2.0], requires_grad=True) * 1
        y = First.apply(z)
        with pytest.raises(tt.GraphError, match="First"):
            change(z, y)
    y = First.apply(x)
    y.sum().backward()
    assert x.grad.tolist() == [7, 24]


def test_complex_gradients_are_as_in_pytorch() -> None:
    class SquaredSize(tt.Function):
        """|z|², of which the gradient dL/dx + i dL/dy is 2 z."""

        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return tt.real(z * tt.conj(z))

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return 2 * g * z

    z = tt.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    SquaredSize.apply(z).sum().backward()
    assert z.grad.tolist() == [2 + 4j, 6 - 2j]


def test_once_differentiable() -> None:
    class Once(tt.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        @tt.once_differentiable
        def backward(ctx, g):
            assert not tt.is_grad_enabled()
            x, y = ctx.saved_tensors
            return g.numpy() * y.numpy(), g * x

    x, y = (tt.tensor([v], requires_grad=True) for v in (2.0, 3.0))
    by_x, by_y = tt.grad(Once.apply(x, y), (x, y))
    assert (by_x.item(), by_y.item()) == (3, 2)
    (by_x,) = tt.grad(Once.apply(x, y), x, create_graph=True)
    assert by_x.item() == 3
    with pytest.raises(tt.GraphError, match="Once: its backward is once_differentiable"):
        by_x.backward()
    with pytest.raises(tt.GraphError, match="Once: its backward is once_differentiable"):
        jvp(Once.apply, (x, y), (x, y))


@pytest.mark.parametrize("function", [Cube, Exp])
def test_a_graph_is_freed_without_the_collector(function) -> None:
    kept = []

    class Traced(function):
        @staticmethod
        def forward(ctx, x):
            kept.append(weakref.ref(ctx))
            return function.forward(ctx, x)

    gc.disable()
    try:
        y = Traced.apply(tt.ones(2, requires_grad=True))
        assert kept[0]() is not None
        del y
        assert kept[0]() is None
        y = Traced.apply(tt.ones(2, requires_grad=True))
        y.sum().backward()  # frees what was saved
        assert kept[1]() is None
    finally:
        gc.enable()
