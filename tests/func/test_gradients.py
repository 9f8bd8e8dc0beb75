"""Derivatives of functions, and the checker that the other tests lean on."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import GradientMismatch, check_grad, grad, value_and_grad

pytestmark = pytest.mark.no_c


def test_grad_by_one_argument_and_by_several() -> None:
    def f(x: tt.Tensor, y: tt.Tensor) -> tt.Tensor:
        return (x * x * y).sum()

    x, y = tt.tensor([1.0, 2.0]), tt.tensor([3.0, 4.0])
    assert grad(f)(x, y).tolist() == [6.0, 16.0]
    by_x, by_y = grad(f, argnums=(0, 1))(x, y)
    assert (by_x.tolist(), by_y.tolist()) == ([6.0, 16.0], [1.0, 4.0])
    value, slope = value_and_grad(f, argnums=1)(x, y)
    assert (value.item(), slope.tolist()) == (19.0, [1.0, 4.0])
    assert not value.requires_grad
    assert not slope.requires_grad


def test_grad_of_grad() -> None:
    third = grad(grad(grad(lambda x: x**4)))
    assert third(tt.tensor(2.0)).item() == pytest.approx(48.0)


def test_grad_of_what_does_not_depend_is_zero() -> None:
    by_y = grad(lambda x, y: (x * x).sum(), argnums=1)
    assert by_y(tt.ones((2,)), tt.ones((3,))).tolist() == [0.0, 0.0, 0.0]


def test_grad_goes_on_into_the_outer_graph() -> None:
    x = tt.tensor(3.0, requires_grad=True)
    grad(lambda y: y**3)(x).backward()
    assert x.grad.item() == pytest.approx(18.0)


def test_grad_of_what_an_inner_function_closes_over() -> None:
    def slope_at_3(w):
        return tt.func.grad(lambda x: w * x**2)(tt.tensor(3.0))

    assert tt.func.grad(slope_at_3)(tt.tensor(2.0)).item() == 6.0  # d/dw of 2 w x
    w = tt.tensor(2.0, requires_grad=True)
    slope_at_3(w).backward()
    assert w.grad is not None
    assert w.grad.item() == 6.0
    with tt.no_grad():
        assert not slope_at_3(w).requires_grad


def test_grad_wants_a_function_that_returns_a_tensor() -> None:
    with pytest.raises(TypeError, match="must return a tensor"):
        tt.func.grad(lambda x: 3.0)(tt.tensor(1.0))


def test_check_grad_passes_right_rules() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3))
    for order in (1, 2, 3, 4):
        check_grad(tt.tanh, x, order=order)
        check_grad(tt.matmul, x, x.T.copy(), order=order)


def test_check_grad_names_op_argument_index_and_both_values() -> None:
    @tt.op
    def cube(base):
        return base**3

    cube.grad(base=lambda g, base: g * base**2)  # a factor of 3 is missing
    with pytest.raises(
        GradientMismatch, match=r"cube: the gradient by 'base' at index \(0,\) is .*say .*"
    ):
        check_grad(cube, np.array([2.0, 1.0]))


def test_check_grad_tries_the_second_order_by_itself() -> None:
    @tt.op
    def square(x):
        return x * x

    square.grad(x=lambda g, x: g * 2 * x.detach())  # right, but its own derivative is lost
    check_grad(square, np.array([2.0]))
    with pytest.raises(GradientMismatch, match="square: the second derivative by 'x'"):
        check_grad(square, np.array([2.0]), order=2)


def test_check_grad_wants_float64_and_an_order() -> None:
    with pytest.raises(TypeError, match="check_grad: no argument is a float64"):
        check_grad(tt.tanh, np.ones(2, np.float32))
    with pytest.raises(ValueError, match="check_grad: order must be 1, 2, 3 or more, not 0"):
        check_grad(tt.tanh, np.ones(2), order=0)
