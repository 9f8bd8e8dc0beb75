"""What the engine promises, on tensors and on plain floats (``Value``)."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import ops
from tinytensor.engine import core as engine
from tinytensor.engine import grad as gradients
from tinytensor.engine.core import GraphError, Node
from tinytensor.engine.operation import op
from tinytensor.scalar import Value
from tinytensor.tensors.tensor import Tensor


def leaf(*values: float) -> Tensor:
    return tt.tensor(list(values), dtype=np.float64, requires_grad=True)


def saved_names(x: engine.Variable) -> tuple[str, ...]:
    return x.node.plan.names if x.node.saved is not None else ()


# --- Long chains -----------------------------------------------------------------------------

# Interpreted a tenth: what recurses fails there behind some thousands.
MILLION = 1_000_000 if tt.engine.compiled else 100_000


@pytest.mark.no_c
def test_a_chain_of_a_million_ops_on_floats() -> None:
    x = y = Value(1.0)
    for _ in range(MILLION):
        y = y + 1e-6
    y.backward()
    assert x.grad.data == 1.0
    del y


@pytest.mark.no_c
def test_a_chain_of_a_million_ops_on_tensors() -> None:
    x = y = leaf(1.0, -2.0)
    for _ in range(MILLION):
        y = -y
    y.backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])


def test_a_chain_that_saves_its_inputs_is_freed_at_once() -> None:
    x = y = Value(0.5)
    for _ in range(20_000):
        y = y * 1.0
        y = y * y**0.5 / y**0.5  # shared parents, saved inputs and outputs
    y.backward(retain_graph=True)
    del y
    assert x.grad.data > 0


def test_a_wide_and_deep_graph_visits_each_node_once() -> None:
    x = y = Value(1.0)
    for _ in range(60):
        y = y + y  # 2⁶⁰ paths
    y.backward()
    assert x.grad.data == 2.0**60


# --- What a node saves -----------------------------------------------------------------------


def test_a_node_saves_what_the_needed_rules_name() -> None:
    @op
    def product(a, b, scale=1.0):
        return a * b * scale

    product.grad(a=lambda g, b, scale: g * b * scale, b=lambda g, a, scale: g * a * scale)
    product.family = Value
    a, b, frozen = Value(2.0), Value(3.0), Value(5.0).detach()

    assert saved_names(product(a, b)) == ("b", "scale", "a")
    by_a = product(a, frozen, 7.0)
    assert saved_names(by_a) == ("b", "scale")
    held, scale = by_a.node.saved
    assert (held.value, scale) == (frozen.value, 7.0)
    assert by_a.node.parents == (a,)
    by_b = product(frozen, b)
    assert saved_names(by_b) == ("a", "scale")
    assert by_b.node.parents == (b,)
    assert product(frozen, frozen).node is None


def test_a_frozen_weight_saves_nothing() -> None:
    x, w = tt.ones((2, 3)), tt.ones((3, 4))
    x.requires_grad = True
    y = x @ w
    assert saved_names(y) == ("b",)  # for the gradient of x; x itself is not saved
    assert all(item is not x for item in y.node.saved)
    x.requires_grad, w.requires_grad = False, True
    assert "b" not in saved_names(x @ w)
    w.requires_grad = False
    assert (x @ w).node is None


def test_a_rule_can_name_out_and_residuals() -> None:
    @op(residuals=("half",))
    def f(x):
        return x * x, x / 2

    f.grad(x=lambda g, half, out: g * 4 * half + out * 0.0)
    f.family = Value
    x = Value(3.0)
    y = f(x)
    assert saved_names(y) == ("half", "out")
    assert y.node.saved == [1.5, [(9.0, y.version, False)]]
    y.backward()
    assert x.grad.data == 6.0


def test_a_rule_can_name_the_shape_of_an_input() -> None:
    @tt.op
    def swapped(x, other):
        return np.transpose(x)

    swapped.grad(x=lambda g, x_shape, other_shape: tt.reshape(g * other_shape[0], x_shape))
    x = tt.ones((2, 3), requires_grad=True)
    y = swapped(x, np.zeros((5, 1)))
    assert saved_names(y) == ("x_shape", "other_shape")
    assert y.node.saved == [(2, 3), (5, 1)]
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full((2, 3), 5.0))


def test_a_rule_that_names_something_unknown() -> None:
    @op
    def f(x):
        return x

    with pytest.raises(TypeError, match=r"f: .* names 'mask'; there are \['x'\]"):
        f.grad(x=lambda g, mask: g)
    with pytest.raises(TypeError, match="'y'"):
        f.grad(y=lambda g: g)


def test_an_argument_without_a_rule_must_be_detached() -> None:
    @op
    def f(x, y):
        return x * y

    f.grad(x=lambda g, y: g * y)
    f.family = Value
    with pytest.raises(GraphError, match="f: 'y' has no gradient; pass it detached"):
        f(Value(1.0), Value(2.0))
    assert f(Value(1.0), Value(2.0).detach()).node is not None


def test_a_derivative_declared_zero() -> None:
    @op
    def f(x, y):
        return x * float(round(y))

    f.grad(x=lambda g, y: g * float(y), y=None)
    f.family = Value
    x, y = Value(2.0), Value(3.0)
    f(x, y).backward()
    assert x.grad.data == 3.0
    assert y.grad.data == 0.0  # a zero, as the derivative of a constant is


# --- Freeing ---------------------------------------------------------------------------------


def test_a_second_backward_says_so() -> None:
    x = leaf(3.0)
    y = x * x
    y.backward()
    with pytest.raises(GraphError, match=r"multiply: a second backward pass.*retain_graph=True"):
        y.backward()
    with pytest.raises(GraphError, match="second backward"):
        tt.grad(y, x)


def test_retain_graph_allows_any_number() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    np.testing.assert_array_equal(x.grad, [4.0, 8.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, [6.0, 12.0])
    with pytest.raises(GraphError):
        y.backward()


def test_what_saved_nothing_can_be_passed_again() -> None:
    x = leaf(3.0)
    y = x + x
    y.backward()
    y.backward()
    np.testing.assert_array_equal(x.grad, [4.0])


def test_saved_arrays_are_freed_during_backward() -> None:
    alive_at_the_first_op = []

    @op
    def watch(x):
        return x + 0

    def rule(g):
        alive_at_the_first_op.append(big() is not None)
        return g

    watch.grad(x=rule)
    watch.family = Tensor
    x = leaf(1.0, 2.0)
    early = watch(x)
    late = early * 3.0
    big = weakref.ref(late.value)
    y = (late * late).sum()
    del late
    assert big() is not None  # the product saved it
    y.backward()
    assert alive_at_the_first_op == [False]


def test_reference_counting_frees_a_graph() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        outs = [ops.exp(x), x * x, ops.tanh(x)[0], tt.softmax(x, -1), ops.max(x), x.reshape(1, 2)]
        saved = weakref.ref(outs[1])
        references = [weakref.ref(out) for out in outs]
        total = sum(out.sum() for out in outs)
        total.backward(retain_graph=True)
        del outs, total
        assert saved() is None
        assert [r() for r in references] == [None] * len(references)
        (first,) = tt.grad((x * x * x).sum(), x, create_graph=True)
        gone = weakref.ref(first)
        first.sum().backward()
        del first
        assert gone() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_retain_grad_makes_no_cycle() -> None:
    gc.collect()
    x = leaf(1.0)
    y = x * 2.0
    y.retain_grad()
    gone = weakref.ref(y)
    del y
    assert gone() is None
    assert gc.collect() == 0


# --- Versions --------------------------------------------------------------------------------


def test_a_saved_input_changed_in_place() -> None:
    x, w = leaf(1.0, 2.0), tt.tensor([3.0, 4.0])
    y = (x * w).sum()
    w += 1.0
    with pytest.raises(GraphError, match=r"multiply: 'b', which its gradient needs, .* by \+="):
        y.backward()


def test_a_saved_output_changed_in_place() -> None:
    x = leaf(1.0, 2.0)
    y = tt.exp(x)
    with tt.no_grad():
        y.zero_()
    with pytest.raises(GraphError, match=r"exp: 'out', which its gradient needs, .* by zero_"):
        y.sum().backward()


def test_views_share_their_version() -> None:
    x, w = leaf(1.0, 2.0), tt.tensor([[3.0], [4.0]])
    row = w[:, 0]
    y = (x * row).sum()
    w.reshape(2).detach()[1:] = 9.0
    with pytest.raises(GraphError, match=r"multiply.*by x\[index\] = value"):
        y.backward()


def test_a_copy_has_a_version_of_its_own() -> None:
    x, w = leaf(1.0, 2.0), tt.tensor([3.0, 4.0])
    copy = w.clone()
    y = (x * copy).sum()
    w += 1.0
    y.backward()
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])


def test_what_was_not_saved_may_change() -> None:
    x, b = leaf(1.0, 2.0), tt.tensor([3.0, 4.0])
    y = (x + b).sum()
    b += 1.0
    y.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])


def test_an_assignment_to_data_is_a_change() -> None:
    x, w = Value(2.0), Value(3.0)
    y = x * w
    w.data = 5.0
    with pytest.raises(GraphError, match=r"multiply.* by an assignment to data"):
        y.backward()


def test_a_leaf_that_requires_a_gradient_is_changed_under_no_grad_only() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(GraphError, match=r"\+=: cannot change a tensor in place"):
        x += 1.0
    with tt.no_grad():
        x += 1.0
    np.testing.assert_array_equal(x.data, [2.0, 3.0])


# --- Cotangents: shapes, dtypes, storage -----------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), ()), ((3,), (2, 3)), ((2, 1), (1, 3)), ((4, 1, 2), (3, 1)), ((0, 3), (1, 3))],
)
def test_broadcasting_is_undone(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    x, y = tt.ones(a, requires_grad=True), tt.ones(b, requires_grad=True)
    out = x * y
    out.sum().backward()
    assert x.grad.shape == a
    assert y.grad.shape == b
    if x.size and y.size:
        np.testing.assert_array_equal(x.grad, np.full(a, out.size / x.size, np.float32))
        np.testing.assert_array_equal(y.grad, np.full(b, out.size / y.size, np.float32))


def test_a_cotangent_has_its_parents_dtype() -> None:
    x = tt.tensor([1.0, 2.0], dtype=np.float32, requires_grad=True)
    y = tt.tensor([1.0, 2.0], dtype=np.float64, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def shares(*tensors: Tensor) -> bool:
    pairs = [(a, b) for i, a in enumerate(tensors) for b in tensors[:i]]
    return any(np.shares_memory(np.asarray(a), np.asarray(b)) for a, b in pairs)


def test_gradients_share_memory_with_nobody() -> None:
    x, y, z = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    given = tt.tensor([1.0, 1.0], dtype=np.float64)
    (x + y + z).backward(given)
    assert not shares(x.grad, y.grad, z.grad, given)
    x.grad += 10.0
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])
    (x + y).backward(given)
    np.testing.assert_array_equal(given, [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [12.0, 12.0])
    np.testing.assert_array_equal(y.grad, [2.0, 2.0])


def test_gradients_through_views_share_memory_with_nobody() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = np.ones((2, 1))
    (x.reshape(2, 1) + y.reshape(2, 1)).backward(given)
    assert not shares(x.grad, y.grad, tt.Tensor(given))
    x.grad += 5.0
    np.testing.assert_array_equal(given, np.ones((2, 1)))
    np.testing.assert_array_equal(y.grad, [1.0, 1.0])


def test_what_grad_returns_can_change_nothing_else() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = tt.tensor([1.0, 1.0], dtype=np.float64)
    for inputs in ((x, y), (x, x)):
        for gradient in tt.grad(x + y, inputs, given):  # the cotangent itself: read-only
            with pytest.raises(ValueError, match="read-only"):
                gradient *= 2.0
    gx, gy = tt.grad(2.0 * (x + y), (x, y), given)
    assert not shares(gx, gy, given)
    gx, again = tt.grad(2.0 * (x + y), (x, x), given)
    assert not shares(gx, again, given)
    np.testing.assert_array_equal(given, [1.0, 1.0])


def test_a_gradient_that_is_the_cotangent_notices_its_change() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = tt.tensor([1.0, 1.0], dtype=np.float64)
    (gx,) = tt.grad(x + 1.0, (x,), given)
    out = (gx * w).sum()
    given *= 5.0
    with pytest.raises(tt.GraphError, match="changed in place"):
        out.backward()


def test_the_same_gradient_for_a_leaf_and_an_inner_node() -> None:
    x = leaf(1.0, 2.0)
    y = x + 0.0
    y.retain_grad()
    (y + 0.0).backward(np.ones(2))
    assert not shares(x.grad, y.grad)


def test_a_hook_that_keeps_a_gradient_keeps_its_numbers() -> None:
    x = leaf(1.0, 2.0)
    kept: list[Tensor] = []
    x.register_hook(kept.append)
    (x * 2.0).sum().backward()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(kept[0], [2.0, 2.0])
    np.testing.assert_array_equal(x.grad, [5.0, 5.0])


def test_a_fan_out_adds_every_cotangent() -> None:
    x = leaf(1.0, 2.0)
    parts = [x * float(i) for i in range(1, 6)]
    sum(parts).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [15.0, 150.0])


# --- backward and grad -----------------------------------------------------------------------


def test_the_gradient_to_start_from() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match=r"backward: the output has shape \(2,\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"backward: gradient is \(3,\), but the output is \(2,\)"):
        (x * x).backward(np.ones(3))
    (x * x).backward(gradient=[1.0, 0.5])
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_nothing_to_differentiate() -> None:
    with pytest.raises(GraphError, match="backward: nothing"):
        tt.ones((2,)).sum().backward()


def test_gradients_accumulate() -> None:
    x = leaf(1.0)
    for _ in range(3):
        (x * 2.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [6.0])


def test_backward_to_some_inputs_only() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    z = x * y
    (z * z).sum().backward(inputs=[x])
    assert y.grad is None
    np.testing.assert_array_equal(x.grad, [18.0, 64.0])
    z = x * y
    (z * 2.0).sum().backward(inputs=z)
    np.testing.assert_array_equal(z.grad, [2.0, 2.0])


def test_backward_to_some_inputs_runs_only_useful_rules() -> None:
    ran = []

    @op
    def pair(a, b):
        return a * b

    def rule_a(g, b):
        ran.append("a")
        return g * b

    def rule_b(g, a):
        ran.append("b")
        return g * a

    pair.grad(a=rule_a, b=rule_b)
    pair.family = Value
    a, b = Value(2.0), Value(3.0)
    pair(a, b).backward(inputs=[b])
    assert ran == ["b"]
    assert (a.grad, b.grad.data) == (None, 2.0)


def test_grad_of_inputs() -> None:
    x, y, unused = leaf(2.0), leaf(3.0), leaf(4.0)
    z = x * y
    w = z * z
    gx, gz, none = tt.grad(w, (x, z, unused), allow_unused=True, retain_graph=True)
    np.testing.assert_array_equal(gx, [36.0])
    np.testing.assert_array_equal(gz, [12.0])
    assert none is None
    assert x.grad is None
    with pytest.raises(GraphError, match=r"grad: inputs\[1\] was not used"):
        tt.grad(w, (x, unused), retain_graph=True)
    (same,) = tt.grad(w, w, retain_graph=True)
    np.testing.assert_array_equal(same, [1.0])
    with pytest.raises(ValueError, match="2 outputs but 1 grad_outputs"):
        tt.grad((w, z), x, (tt.ones((1,)),))


def test_grad_of_several_outputs() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    (g,) = tt.grad((y.sum(), (y * x).sum()), x)
    np.testing.assert_array_equal(g, [2 + 3, 4 + 12])


def test_third_order() -> None:
    x = Value(0.7)
    y = x.tanh() * x**3
    derivatives = []
    for _ in range(3):
        (y,) = gradients.grad(y, x, create_graph=True)
        derivatives.append(y.data)
    t = np.tanh(0.7)
    s = 1 - t * t
    first = s * 0.7**3 + t * 3 * 0.7**2
    second = -2 * t * s * 0.7**3 + 2 * s * 3 * 0.7**2 + t * 6 * 0.7
    third = (
        (-2 * s * s + 4 * t * t * s) * 0.7**3
        + 3 * (-2 * t * s) * 3 * 0.7**2
        + 3 * s * 6 * 0.7
        + t * 6
    )
    np.testing.assert_allclose(derivatives, [first, second, third], rtol=1e-12)


def test_backward_with_create_graph_records_the_gradient() -> None:
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = tt.grad(x.grad.sum(), x)
    np.testing.assert_allclose(second, [12.0])


def test_a_backward_of_one_graph_inside_a_rule_of_another() -> None:
    @op
    def f(x):
        return x**3

    def rule(g, x):
        with tt.enable_grad():
            inner = Value(x.data)
            cube = inner**3
        cube.backward()
        return g * inner.grad

    f.grad(x=rule)
    f.family = Value
    x = Value(2.0)
    f(x).backward()
    assert x.grad.data == pytest.approx(12.0)


def test_an_error_in_a_rule_names_the_op() -> None:
    @op
    def f(x):
        return x

    def rule(g):
        raise ZeroDivisionError("in the rule")

    f.grad(x=rule)
    f.family = Value
    with pytest.raises(ZeroDivisionError) as caught:
        f(Value(1.0)).backward()
    assert caught.value.__notes__ == ["(in the backward pass of f)"]
    assert tt.is_grad_enabled()


# --- Ops of other forms ----------------------------------------------------------------------


def test_joint_rules_know_what_is_needed() -> None:
    asked = []

    @op
    def f(a, b, c):
        return a * b * c

    def rule(g, a, b, c, needs):
        asked.append(needs)
        return g * b * c, g * a * c, g * a * b

    f.grad_all(("a", "b", "c"), rule)
    f.family = Value
    a, b, c = Value(2.0), Value(3.0), Value(5.0)
    f(a, b.detach(), c).backward()
    assert asked == [(True, False, True)]
    assert (a.grad.data, b.grad, c.grad.data) == (15.0, None, 6.0)


def test_several_outputs() -> None:
    @op(outputs=2, residuals=("twice",))
    def both(x):
        return x * x, x * 3, 2 * x

    both.grad(x=lambda g, twice: g[0] * twice + g[1] * 3)
    both.family = Tensor
    x = leaf(1.0, 2.0)
    square, triple = both(x)
    (square.sum() + 10.0 * triple.sum()).backward()
    np.testing.assert_array_equal(x.grad, [32.0, 34.0])
    _, triple = both(x)
    (g,) = tt.grad(triple.sum(), x)  # the other output's cotangent is zero
    np.testing.assert_array_equal(g, [3.0, 3.0])
    square, triple = both(x)
    hooked = []
    triple.register_hook(hooked.append)
    (g, at_square) = tt.grad((square.sum(), triple.sum()), (x, square))
    np.testing.assert_array_equal(g, [5.0, 7.0])
    np.testing.assert_array_equal(at_square, [1.0, 1.0])
    np.testing.assert_array_equal(hooked[0], [1.0, 1.0])


def test_an_integer_output_beside_a_floating_one_is_constant() -> None:
    @op(outputs=2)
    def value_and_place(x):
        return x * 2, np.arange(x.size)

    value_and_place.grad(x=lambda g: g[0] * 2)
    value_and_place.family = Tensor
    x = leaf(1.0, 2.0)
    value, place = value_and_place(x)
    assert value.requires_grad
    assert not place.requires_grad
    value.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_any_number_of_arguments() -> None:
    @op(variadic=True)
    def total(xs, scale=1.0):
        return sum(xs) * scale

    total.grad(xs=lambda g, xs, scale: [g * scale for _ in xs])
    total.family = Value
    a, b, constant = Value(1.0), Value(2.0), Value(9.0).detach()
    out = total([a, constant, b, 4.0], scale=2.0)
    assert out.data == 32.0
    out.backward()
    assert (a.grad.data, b.grad.data, constant.grad) == (2.0, 2.0, None)


def test_arguments_by_name_and_by_default() -> None:
    @op
    def f(x, y=2.0, *, shift=0.0):
        return x * y + shift

    f.grad(x=lambda g, y: g * y, y=lambda g, x: g * x)
    f.family = Value
    x = Value(3.0)
    assert f(x).data == 6.0
    assert f(y=x, x=5.0).data == 15.0
    out = f(x, shift=1.0)
    out.backward()
    assert (out.data, x.grad.data) == (7.0, 2.0)
    for bad in (lambda: f(), lambda: f(x, 1.0, 2.0), lambda: f(x, z=1), lambda: f(x, x=x)):
        with pytest.raises(TypeError, match=r"^f: "):
            bad()


def test_defined_by_a_formula_to_third_order() -> None:
    @op
    def fused(x, y, power=3):
        return x**power * y

    fused.defined_by(lambda x, y, power: x**power * y)
    fused.family = Value
    x, y = Value(1.5), Value(2.0)
    fx, fy = gradients.grad(fused(x, y), (x, y), create_graph=True)
    assert (fx.data, fy.data) == pytest.approx((3 * 1.5**2 * 2, 1.5**3))
    fxx, fxy = gradients.grad(fx, (x, y), create_graph=True)
    assert (fxx.data, fxy.data) == pytest.approx((6 * 1.5 * 2, 3 * 1.5**2))
    fxxx, fxxy = gradients.grad(fxx, (x, y))
    assert (fxxx.data, fxxy.data) == pytest.approx((12.0, 9.0))


def test_defined_by_a_formula_with_a_constant_argument() -> None:
    @op
    def fused(x, y):
        return x * x * y

    fused.defined_by(lambda x, y: x * x * y)
    fused.family = Value
    x, y = Value(3.0), Value(2.0)
    fused(x, y.detach()).backward()
    assert (x.grad.data, y.grad) == (12.0, None)


def test_an_op_without_rules_returns_constants() -> None:
    x = leaf(1.0, 2.0)
    assert not (x > 1.5).requires_grad
    assert not x.argmax().requires_grad


# --- Hooks, retain_grad, detach --------------------------------------------------------------


def test_hooks_see_and_replace_gradients() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2.0
    seen: list[np.ndarray] = []
    y.register_hook(lambda g: seen.append(np.array(g)))
    remove = y.register_hook(lambda g: g * 10.0)
    y.sum().backward(retain_graph=True)
    np.testing.assert_array_equal(seen[0], [1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [20.0, 20.0])
    remove()
    x.grad = None
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])
    with pytest.raises(GraphError, match="register_hook"):
        tt.ones(()).register_hook(print)


def test_a_hook_runs_once_with_the_whole_gradient() -> None:
    x = leaf(1.0)
    seen: list[float] = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 2.0 + x * 3.0).sum().backward()
    assert seen == [5.0]


def test_retain_grad() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3.0
    y.retain_grad()
    (y * y).sum().backward()
    np.testing.assert_array_equal(y.grad, [6.0, 12.0])
    x.retain_grad()  # of a leaf it means nothing


def test_retain_grad_keeps_the_gradient_once_and_as_the_hooks_leave_it() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3.0
    y.retain_grad()
    y.retain_grad()
    y.register_hook(lambda g: 10.0 * g)
    y.sum().backward(retain_graph=True)
    np.testing.assert_array_equal(y.grad, [10.0, 10.0])
    y.grad = None
    y.sum().backward(inputs=[y])
    np.testing.assert_array_equal(y.grad, [10.0, 10.0])


def test_an_input_that_is_named_twice_is_added_to_once() -> None:
    x = leaf(1.0, 2.0)
    (x * 3.0).sum().backward(inputs=[x, x])
    np.testing.assert_array_equal(x.grad, [3.0, 3.0])


@pytest.mark.parametrize("inputs", [[None], ["x"], [np.ones(2)]])
def test_inputs_that_are_no_variables(inputs) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(TypeError, match="must be variables"):
        (x * 3.0).sum().backward(inputs=inputs)
    with pytest.raises(TypeError, match="must be variables"):
        tt.grad((x * 3.0).sum(), inputs)


def test_a_hook_must_return_what_fits() -> None:
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: tt.ones(3))
    with pytest.raises(tt.ShapeError, match=r"\(3,\)"):
        (x * 3.0).sum().backward()


def test_outputs_that_rules_restore_add_to_the_gradients_of_the_originals() -> None:
    @tt.op(outputs=2)
    def exp_and_sin(x):
        return np.exp(x), np.sin(x)

    exp_and_sin.grad(x=lambda g, out, x: g[0] * out[0] + g[1] * tt.cos(x))
    x = leaf(0.3, 0.7)
    y = exp_and_sin(x)[0]
    (g,) = tt.grad((y * y).sum(), x, create_graph=True)  # 2 exp(2x)
    (h,) = tt.grad((g * y).sum(), x)  # of 2 exp(3x)
    np.testing.assert_allclose(h, 6 * np.exp(3 * x.value))


def test_an_output_changed_in_place_before_a_second_derivative() -> None:
    x = leaf(0.3)
    y = tt.exp(x)
    (g,) = tt.grad(y, x, create_graph=True)
    g2 = g * 1.0
    with tt.no_grad():
        y *= 2.0
    with pytest.raises(GraphError, match="changed in place"):
        tt.grad(g2, x)


def test_a_tensor_of_a_tensor_shares_its_version() -> None:
    x = leaf(1.0, 2.0)
    constant = tt.tensor([3.0, 4.0])
    y = x * constant
    tt.Tensor(constant).fill_(0.0)
    with pytest.raises(GraphError, match="changed in place"):
        y.sum().backward()


@pytest.mark.parametrize("join", [ops.stack, ops.concat])
def test_gradients_of_joined_arrays_share_no_memory(join) -> None:
    a, b = leaf(1.0, 1.0), leaf(1.0, 1.0)
    joined = join([a, b])
    joined.retain_grad()
    (joined * 2.0).sum().backward()
    (a * 3.0).sum().backward()
    np.testing.assert_array_equal(a.grad, [5.0, 5.0])
    np.testing.assert_array_equal(joined.grad, np.full(joined.shape, 2.0))


def test_detach() -> None:
    x = leaf(1.0, 2.0)
    d = (x * 2.0).detach()
    assert d.node is None
    assert not d.requires_grad
    (x * d).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    view = x.detach()
    assert np.shares_memory(np.asarray(view), np.asarray(x))


def test_requires_grad() -> None:
    x = leaf(1.0)
    y = x * 2.0
    with pytest.raises(GraphError, match=r"use detach\(\)"):
        y.requires_grad = False
    x.requires_grad = False
    assert (x * 2.0).node is None
    with pytest.raises(TypeError, match="requires_grad"):
        tt.tensor([1, 2], requires_grad=True)
    assert y.requires_grad


# --- Grad mode -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def recording_again() -> Iterator[None]:
    yield
    assert tt.is_grad_enabled()


def test_no_grad_and_enable_grad() -> None:
    x = leaf(1.0)
    with tt.no_grad():
        assert not (x * 2.0).requires_grad
        with tt.enable_grad():
            assert (x * 2.0).requires_grad
        assert not tt.is_grad_enabled()
    assert (x * 2.0).requires_grad


def test_modes_as_decorators() -> None:
    x = leaf(1.0)

    @tt.no_grad()
    def frozen(depth: int) -> bool:
        recorded = (x * 2.0).requires_grad
        return recorded or (depth > 0 and frozen(depth - 1))

    assert not frozen(3)
    assert tt.is_grad_enabled()

    @tt.enable_grad()
    def recorded() -> bool:
        return (x * 2.0).requires_grad

    with tt.no_grad():
        assert recorded()

    @tt.set_grad_enabled(False)
    def switched() -> bool:
        return (x * 2.0).requires_grad

    assert tt.is_grad_enabled()
    assert not switched()


def test_one_mode_entered_twice() -> None:
    mode = tt.no_grad()
    with mode, mode:
        assert not tt.is_grad_enabled()
    assert tt.is_grad_enabled()


def test_set_grad_enabled() -> None:
    tt.set_grad_enabled(False)
    assert not tt.is_grad_enabled()
    tt.set_grad_enabled(True)
    with tt.set_grad_enabled(False):
        assert not tt.is_grad_enabled()
    assert tt.is_grad_enabled()


def test_an_error_leaves_the_mode_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), tt.no_grad():
        raise ZeroDivisionError
    assert tt.is_grad_enabled()


def test_the_mode_is_each_threads_own() -> None:
    seen = []
    with tt.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tt.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_two_threads_at_once() -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(2)

    def work(scale: float) -> None:
        try:
            barrier.wait()
            for i in range(300):
                x = leaf(1.0, 2.0, 3.0)
                mode = tt.no_grad() if i % 3 == 0 else tt.enable_grad()
                with mode:
                    recorded = (x * scale).requires_grad
                assert recorded == (i % 3 != 0)
                y = x
                for _ in range(20):
                    y = y * scale
                y.sum().backward()
                np.testing.assert_allclose(x.grad, np.full(3, scale**20))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (1.1, 0.9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


# --- The engine is agnostic of values --------------------------------------------------------


def test_a_family_of_its_own() -> None:
    """Polynomials as values: the engine needs ``+`` and a seed, and nothing else."""

    class Poly(engine.Variable):
        __slots__ = ()

        def seed(self, cotangent):
            return Poly((1,))

        def __add__(self, other):
            return Poly(tuple(a + b for a, b in zip(self.value, other.value, strict=True)))

    Poly.family = Poly

    @op
    def double(x):
        return tuple(2 * c for c in x)

    double.grad(x=lambda g: double(g))
    x = Poly((1, 2), requires_grad=True)
    y = double(double(x))
    assert (y.value, type(y)) == ((4, 8), Poly)
    y.backward()
    assert x.grad.value == (4,)


def test_a_node_never_holds_its_output() -> None:
    x = leaf(1.0, 2.0)
    y = tt.exp(x)
    assert isinstance(y.node, Node)
    assert all(item is not y for item in y.node.saved)
    assert y.node not in gc.get_referrers(y)
