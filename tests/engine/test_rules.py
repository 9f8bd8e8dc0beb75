"""What a gradient rule returns is checked where it is fitted; constant gradients are functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.nn import functional as F
from tinytensor.scalar import Value


def backward_of(op: Any, *args: Any) -> None:
    op(*args).sum().backward()


def leaves() -> tuple[tt.Tensor, tt.Tensor]:
    return tt.ones((2, 3), requires_grad=True), tt.ones((2, 3), requires_grad=True)


@pytest.mark.parametrize("shape", [(), (3,), (5,), (1, 3), (2, 1), (3, 2)])
def test_a_cotangent_that_cannot_be_fitted(shape: tuple[int, ...]) -> None:
    @tt.op
    def doubled(x: Any) -> Any:
        return 2 * x

    doubled.grad(x=lambda g: tt.ones(shape))
    message = f"doubled: its gradient rule for 'x' returned a cotangent {shape} for a value (2, 3)"
    with pytest.raises(tt.ShapeError) as caught:
        backward_of(doubled, leaves()[0])
    assert str(caught.value) == message


def test_a_cotangent_of_more_axes_is_summed() -> None:
    @tt.op
    def doubled(x: Any) -> Any:
        return 2 * x

    doubled.grad(x=lambda g: tt.ones((4, 2, 3)))
    x = leaves()[0]
    backward_of(doubled, x)
    assert x.grad is not None
    assert x.grad.tolist() == [[4.0] * 3] * 2


def test_a_rule_that_is_declared_again_takes_the_place_of_the_first() -> None:
    @tt.op
    def doubled(x: Any) -> Any:
        return 2 * x

    x = leaves()[0]
    doubled.grad(x=lambda g: 3 * g)
    backward_of(doubled, x)
    doubled.grad(x=lambda g: 2 * g)
    backward_of(doubled, x)
    assert x.grad is not None
    assert x.grad.tolist() == [[5.0] * 3] * 2


@pytest.mark.parametrize("wrong", [1.0, np.ones((2, 3)), "g"])
def test_a_cotangent_that_is_no_variable(wrong: Any) -> None:
    @tt.op
    def added(a: Any, b: Any) -> Any:
        return a + b

    added.grad(a=lambda g: g, b=lambda g: wrong)
    with pytest.raises(TypeError, match=f"added: .* for 'b' returned {type(wrong).__name__}, not"):
        backward_of(added, *leaves())
    with pytest.raises(TypeError, match="for 'b' returned"):
        backward_of(added, leaves()[0].detach(), leaves()[1])


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        (lambda g: (g,), "1"),
        (lambda g: (g, g, g), "3"),
        (lambda g: g, "one Tensor"),
        (lambda g: None, "one NoneType"),
    ],
)
def test_the_wrong_number_of_cotangents(rule: Any, given: str) -> None:
    @tt.op
    def added(a: Any, b: Any) -> Any:
        return a + b

    @tt.op(variadic=True)
    def summed(tensors: Any) -> Any:
        return sum(tensors)

    message = f"its gradient rule must return 2 cotangents, not {given}"
    with pytest.raises(ValueError, match=f"added: {message}"):
        backward_of(added.grad_all(("a", "b"), rule), *leaves())
    with pytest.raises(ValueError, match=f"added: {message}"):  # though only one is of use
        backward_of(added, leaves()[0], 1.0)
    with pytest.raises(ValueError, match=f"summed: {message}"):
        backward_of(summed.grad(tensors=rule), leaves())


def test_a_wrong_one_of_several() -> None:
    @tt.op(variadic=True)
    def summed(tensors: Any) -> Any:
        return sum(tensors)

    summed.grad(tensors=lambda g: [g, tt.ones(7)])
    with pytest.raises(tt.ShapeError, match=r"summed: .* for 'tensors\[1\]' returned .* \(7,\)"):
        backward_of(summed, leaves())

    @tt.op
    def added(a: Any, b: Any) -> Any:
        return a + b

    added.grad_all(("a", "b"), lambda g: (g, tt.ones(7)))
    with pytest.raises(tt.ShapeError, match=r"added: .* for 'b' returned .* \(7,\)"):
        backward_of(added, *leaves())


# --- Gradients that are constant -------------------------------------------------------------

CONSTANT: dict[str, Callable[[tt.Tensor], tt.Tensor]] = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "negative": lambda x: -x,
    "reshape": lambda x: x.reshape(3, 2),
    "index": lambda x: x[0],
    "concat": lambda x: tt.concat([x, x]),
    "pad": lambda x: F.pad(x, (1, 1)),
    "clip": lambda x: tt.clip(x, 1.0, 3.0),
    "clip to nothing": lambda x: tt.clip(x, 10.0, 11.0),
    "max": lambda x: x.max(axis=1),
    "sort": lambda x: tt.sort(x),
    "topk": lambda x: tt.topk(x, 2)[0],
    "maximum": lambda x: tt.maximum(x, 2.0),
    "abs": lambda x: abs(x),
    "relu": lambda x: tt.relu(x),
    "max_pool2d": lambda x: F.max_pool2d(x.reshape(1, 1, 2, 3), (2, 1)),
    "avg_pool2d": lambda x: F.avg_pool2d(x.reshape(1, 1, 2, 3), (2, 1)),
    "interpolate": lambda x: F.interpolate(x.reshape(1, 2, 3), scale_factor=2),
    "matmul": lambda x: x @ tt.ones((3, 2)),
    "pow 0": lambda x: x**0,
    "pow 0.0": lambda x: x**0.0,
    "pow of a tensor 0": lambda x: x ** tt.zeros(3),
    "pow 1": lambda x: x**1,
    "times 0": lambda x: x * 0,
    "sign": lambda x: tt.sign(x),
    "floor": lambda x: tt.floor(x) + tt.ceil(x) + tt.round(x) + tt.trunc(x),
    "floor_divide": lambda x: x // 2 + 7 // x,
    "copysign": lambda x: tt.copysign(2.0, x),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", CONSTANT)
def test_the_derivative_of_a_constant_derivative_is_zero(name: str, dtype: str) -> None:
    x = tt.asarray(np.arange(6.0).reshape(2, 3) + 0.5, dtype=getattr(tt, dtype))
    x.requires_grad = True
    f = CONSTANT[name]
    (first,) = tt.grad(f(x).sum(), x, create_graph=True)
    (second,) = tt.grad(first.sum(), x, create_graph=True)
    (third,) = tt.grad(second.sum(), x)
    assert second.dtype == third.dtype == x.dtype
    assert not np.any(second.numpy())
    assert not np.any(third.numpy())

    f(x).sum().backward(create_graph=True)
    assert x.grad is not None
    assert np.array_equal(x.grad.numpy(), first.numpy())
    first, x.grad = x.grad, None
    first.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    assert not np.any(x.grad.numpy())

    by_func = tt.func.grad(lambda x: tt.func.grad(lambda x: f(x).sum())(x).sum())(x)
    assert by_func.dtype == x.dtype
    assert not np.any(by_func.numpy())


@pytest.mark.parametrize("f", [lambda x: x // 2.0, lambda x: 7.0 // x, lambda x: x**0, tt.sign])
def test_what_does_not_depend_on_x_has_zeros(f: Any) -> None:
    x = tt.tensor([-1.5, 2.5], requires_grad=True)
    f(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0]


def test_the_next_number_moves_with_x() -> None:
    a = tt.tensor([[1.0], [-2.0]], requires_grad=True)
    b = tt.tensor([2.0, 1.0, np.inf], requires_grad=True)
    found = tt.grad(tt.nextafter(a, b).sum(), (a, b))
    assert [g.tolist() for g in found] == [[[2.0], [3.0]], [0.0] * 3]


def test_roots_by_a_power_have_the_derivatives_of_roots() -> None:
    """x ** 0.5 of the number is √x: NaN below 0, at −∞ too, and −0 at −0."""
    x = tt.tensor([-np.inf, -1.0, -0.0, 0.0, 4.0, np.inf], requires_grad=True)
    with np.errstate(all="ignore"):
        for order in (1, 2):
            y, z = x**0.5, tt.sqrt(x)
            for _ in range(order):
                np.testing.assert_array_equal(y.detach().numpy(), z.detach().numpy())
                (y,) = tt.grad(y.sum(), x, create_graph=True)
                (z,) = tt.grad(z.sum(), x, create_graph=True)
            if order == 1:
                want = [np.nan, np.nan, -np.inf, np.inf, 0.25, 0.0]
                np.testing.assert_array_equal(y.detach().numpy(), want)
            np.testing.assert_array_equal(y.detach().numpy()[4:], z.detach().numpy()[4:])


def test_floor_divide_has_zeros_by_both() -> None:
    a = tt.tensor([[7.0], [-7.0]], requires_grad=True)
    b = tt.tensor([2.0, 0.0, 3.0], requires_grad=True)
    with np.errstate(all="ignore"):
        found = tt.grad((a // b).sum(), (a, b))
    assert [g.tolist() for g in found] == [[[0.0], [0.0]], [0.0, 0.0, 0.0]]


def test_counts_and_comparisons_have_zeros() -> None:
    """They have no graph, so it is the transforms, which know of what a derivative is, that say."""
    x = tt.tensor([1.0, 2.0])
    for f in (
        lambda x: tt.count_nonzero(x) * 1.0,
        lambda x: (x > 1).mean(),
        lambda x: tt.argmax(x),
        lambda x: (x == 2).astype(tt.float32).sum(),
    ):
        assert tt.func.grad(f)(x).tolist() == [0.0, 0.0]
    x.requires_grad = True
    assert tt.grad((x > 1).sum(), x, allow_unused=True) == (None,)
    with pytest.raises(tt.GraphError, match="nothing that the output depends on"):
        tt.grad((x > 1).sum(), x)


def test_constant_gradients_are_as_free_as_others() -> None:
    a, b = (tt.ones(3, requires_grad=True) for _ in range(2))
    (a + b).sum().backward(create_graph=True)
    assert a.grad is not None
    assert b.grad is not None
    a.grad *= 2.0  # in storage of its own
    with tt.no_grad():
        a.grad += 1.0
    assert (a.grad.tolist(), b.grad.tolist()) == ([3.0] * 3, [1.0] * 3)
    (a + b).sum().backward(create_graph=True)
    assert a.grad.tolist() == [4.0] * 3
    (g,) = tt.grad(a.sum(), a)
    assert not g.requires_grad  # without create_graph it is a constant

    y = a * 2
    y.retain_grad()
    y.sum().backward(create_graph=True)
    assert y.grad is not None
    assert tt.grad(y.grad.sum(), a)[0].tolist() == [0.0] * 3


def test_a_gradient_that_was_given_stays_read_only() -> None:
    x, v = tt.ones(3, requires_grad=True), tt.tensor([1.0, 2.0, 3.0])
    (g,) = tt.grad(x + 0, x, grad_outputs=v, create_graph=True)
    with pytest.raises(ValueError, match="read-only"):
        g.data[0] = 5.0
    w = tt.ones(3, requires_grad=True)
    y = (g * w).sum()
    v[0] = 5.0
    with pytest.raises(tt.GraphError, match="changed in place"):
        y.backward()


def test_constant_gradients_of_scalars() -> None:
    x = Value(3.0)
    (first,) = tt.grad(2 * x, x, create_graph=True)
    assert first.value == 2.0
    assert tt.grad(first, x)[0].value == 0.0


def test_sign_of_real_numbers_saves_nothing() -> None:
    x = tt.ones(1000, requires_grad=True)
    y = tt.sign(x)
    x.data[:] = 3.0
    x.changed("a write")  # nothing is held, so nothing is missed
    y.sum().backward()
    assert x.grad is not None
    assert not x.grad.numpy().any()

    z = tt.tensor([3 + 4j], requires_grad=True)
    y = tt.sign(z)
    z.data[0] = 1
    z.changed("a write")
    with pytest.raises(tt.GraphError, match="changed in place by a write"):
        abs(y.sum()).backward()
