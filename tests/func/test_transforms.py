"""The transforms of tt.func: what each returns, how they nest, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import cos, sin
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
)

pytestmark = pytest.mark.no_c

Scalar = Callable[[Any], Any]


def by_backward(f: Scalar) -> Scalar:
    """By the engine itself, at whatever variable it is called."""

    def derivative(x):
        x = x if isinstance(x, tt.Tensor) and x.requires_grad else tt.tensor(x, requires_grad=True)
        return tt.grad(f(x), x, create_graph=True)[0]

    return derivative


# Each makes of a function from a number to a number the function of its derivative.
DERIVATIVES: dict[str, Callable[[Scalar], Scalar]] = {
    "grad": grad,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "vjp": lambda f: lambda x: vjp(f, x)[1](1.0)[0],
    "jvp": lambda f: lambda x: jvp(f, (x,), (1.0,))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](1.0),
    "jacrev": jacrev,
    "jacfwd": jacfwd,
}
SECOND: dict[str, Callable[[Scalar], Scalar]] = {
    "hessian": hessian,
    "hvp": lambda f: lambda x: hvp(f, (x,), (1.0,)),
}
X = np.float64(0.7)


# --- Nesting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outer", DERIVATIVES)
def test_every_transform_nests_with_every_other_to_the_third_order(outer: str) -> None:
    for middle, inner in product(DERIVATIVES, DERIVATIVES):
        third = DERIVATIVES[outer](DERIVATIVES[middle](DERIVATIVES[inner](tt.sin)))
        assert third(X).item() == pytest.approx(-cos(X)), (middle, inner)
        assert not third(X).requires_grad
    for second in SECOND.values():
        assert DERIVATIVES[outer](second(tt.sin))(X).item() == pytest.approx(-cos(X))
        assert second(DERIVATIVES[outer](tt.sin))(X).item() == pytest.approx(-cos(X))
        for other in SECOND.values():
            assert second(other(tt.sin))(X).item() == pytest.approx(sin(X))


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_what_a_function_closes_over(outer: str, inner: str) -> None:
    d_outer, d_inner = DERIVATIVES[outer], DERIVATIVES[inner]

    def slope(w):  # d/dx of w² x³
        return d_inner(lambda x: w * w * x**3)(X)

    assert d_outer(slope)(2.0).item() == pytest.approx(2 * 2 * 3 * X**2)
    # Each derivative is by its own variable, though both are called alike and meet in a sum.
    assert d_outer(lambda x: x * d_inner(lambda y: x + y)(1.0))(X).item() == pytest.approx(1.0)
    assert d_outer(lambda x: x * d_inner(lambda y: x * y)(x))(X).item() == pytest.approx(2 * X)
    w = tt.tensor(2.0, requires_grad=True)
    slope(w).backward()
    assert w.grad.item() == pytest.approx(2 * 2 * 3 * X**2)
    with tt.no_grad():
        assert not slope(w).requires_grad
        assert slope(w).item() == pytest.approx(4 * 3 * X**2)


def test_by_a_tensor_that_wants_a_gradient_already() -> None:
    for derivative in DERIVATIVES.values():
        x = tt.tensor(X, requires_grad=True)
        derivative(tt.sin)(x).backward()
        assert x.grad.item() == pytest.approx(-sin(X))
        y = x * 2
        (by_x,) = tt.grad(derivative(tt.sin)(y), x)
        assert by_x.item() == pytest.approx(-2 * sin(2 * X))


def test_a_hessian_in_a_loss_that_is_trained() -> None:
    w = tt.tensor([0.5, -1.0], requires_grad=True)

    def curvature():  # of w₀ x² + w₁ x⁴ at 1
        return hessian(lambda x: w[0] * x**2 + w[1] * x**4)(1.0)

    for _ in range(50):
        loss = (curvature() - 3.0) ** 2
        w.grad = None
        loss.backward()
        with tt.no_grad():
            w -= 0.001 * w.grad
    assert curvature().item() == pytest.approx(3.0, abs=1e-3)


def test_a_derivative_by_its_direction() -> None:
    x = tt.tensor([1.0, 2.0])

    def along(t):
        return jvp(lambda x: x**2, (x,), (t,))[1].sum()

    assert grad(along)(tt.ones(2)).tolist() == [2, 4]
    _, pushforward = linearize(lambda x: x**2, x)
    assert jacrev(pushforward)(tt.ones(2)).tolist() == [[2, 0], [0, 4]]
    _, pullback = vjp(lambda x: x**2, x)
    assert jacfwd(lambda v: pullback(v)[0])(tt.ones(2)).tolist() == [[2, 0], [0, 4]]


def test_what_is_closed_over_keeps_its_graph() -> None:
    w = tt.tensor([1.0, 2.0, 4.0], requires_grad=True)
    h = w * w
    with tt.no_grad():  # layer_norm has one rule for all inputs, so h gets a cotangent too
        grad(lambda x: tt.layer_norm(x, (3,), h).sum())(tt.tensor([1.0, 0.0, 2.0]))
    h.sum().backward()
    assert w.grad.tolist() == [2, 4, 8]


# --- What each returns -----------------------------------------------------------------------


def test_vjp_pulls_back_as_often_as_asked() -> None:
    a, b = tt.tensor([[1.0, 2.0], [3.0, 4.0]]), tt.tensor([1.0, -1.0])
    out, pullback = vjp(lambda a, b: {"product": a @ b, "sum": a.sum()}, a, b)
    assert (out["product"].tolist(), out["sum"].item()) == ([-1, -1], 10)
    for v in (1.0, 2.0):
        by_a, by_b = pullback({"product": tt.tensor([v, 0.0]), "sum": 1.0})
        assert by_a.tolist() == [[v + 1, 1 - v], [1, 1]]
        assert by_b.tolist() == [v, 2 * v]
        assert not by_a.requires_grad


def test_linearize_calls_the_function_once() -> None:
    calls = []

    def f(x, y):
        calls.append(1)
        return tt.exp(x) * y, tt.argmax(x)

    x, y = tt.tensor([0.0, 1.0]), tt.tensor([2.0, 3.0])
    (out, index), pushforward = linearize(f, x, y)
    np.testing.assert_allclose(out.numpy(), np.exp(x.numpy()) * y.numpy(), rtol=1e-6)
    for t in ([1.0, 0.0], [0.0, 1.0]):
        tangent, no_tangent = pushforward(tt.tensor(t), tt.zeros(2))
        np.testing.assert_allclose(tangent.numpy(), np.exp(x.numpy()) * y.numpy() * t, rtol=1e-6)
        assert (no_tangent.item(), no_tangent.dtype) == (0, index.dtype)
    assert len(calls) == 1


def test_shapes_of_jacobians() -> None:
    def f(x, y):
        return {"a": tt.outer(x, y), "b": y.sum()}

    x, y = tt.ones(2), tt.ones(3)
    for jac in (jacrev, jacfwd, jacobian):
        assert jac(f)(x, y)["a"].shape == (2, 3, 2)
        by_x, by_y = jac(f, argnums=(0, 1))(x, y)["a"]
        assert (by_x.shape, by_y.shape) == ((2, 3, 2), (2, 3, 3))
        by_y, by_x = jac(f, argnums=(-1, 0))(x, y)["b"]
        assert (by_x.tolist(), by_y.tolist()) == ([0, 0], [1, 1, 1])
        assert jac(lambda x: x * 2)(tt.ones((0,))).shape == (0, 0)
        assert jac(lambda x: x.sum())(tt.ones((2, 0))).shape == (2, 0)
        assert jac(lambda x: x[:0])(tt.ones(3)).shape == (0, 3)
    blocks = hessian(lambda x, y: (x.sum() * y**2).sum(), argnums=(0, 1))(x, y)
    assert [[b.shape for b in row] for row in blocks] == [[(2, 2), (2, 3)], [(3, 2), (3, 3)]]
    assert blocks[0][1].tolist() == [[2, 2, 2], [2, 2, 2]]
    assert hessian(lambda x: x**3)(tt.tensor([1.0, 2.0]))[1].tolist() == [[0, 0], [0, 12]]


def test_hvp_by_several_arguments() -> None:
    def f(x, y):
        return (x**2 * y).sum()

    x, y = tt.tensor([1.0, 2.0]), tt.tensor([3.0, 4.0])
    by_x, by_y = hvp(f, (x, y), (tt.tensor([1.0, 0.0]), tt.tensor([0.0, 1.0])))
    assert (by_x.tolist(), by_y.tolist()) == ([6, 4], [2, 0])


def test_auxiliary_results() -> None:
    def f(x):
        return (x**2).sum(), {"note": "kept", "twice": x * 2}

    x, t = tt.tensor([1.0, 2.0]), tt.ones(2)
    results = {
        "grad": grad(f, has_aux=True)(x)[1],
        "value_and_grad": value_and_grad(f, has_aux=True)(x)[0][1],
        "vjp": vjp(f, x, has_aux=True)[2],
        "jvp": jvp(f, (x,), (t,), has_aux=True)[2],
        "linearize": linearize(f, x, has_aux=True)[2],
        "jacrev": jacrev(f, has_aux=True)(x)[1],
        "jacfwd": jacfwd(f, has_aux=True)(x)[1],
        "hessian": hessian(f, has_aux=True)(x)[1],
    }
    for name, aux in results.items():
        assert aux["note"] == "kept", name
        assert aux["twice"].tolist() == [2, 4]
        assert not aux["twice"].requires_grad, name
    assert grad(f, has_aux=True)(x)[0].tolist() == [2, 4]
    assert hessian(f, has_aux=True)(x)[0].tolist() == [[2, 0], [0, 2]]
    (value, _), slope = value_and_grad(f, has_aux=True)(x)
    assert (value.item(), slope.tolist()) == (5, [2, 4])
    with pytest.raises(TypeError, match=r"jacrev: with has_aux, f2 must return \(output, aux\)"):
        jacrev(lambda_named("f2", lambda x: x), has_aux=True)(x)


def lambda_named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = name
    return function


def test_keyword_arguments_are_handed_on() -> None:
    def f(x, *, power):
        return (x**power).sum()

    x = tt.tensor([1.0, 2.0])
    assert grad(f)(x, power=3).tolist() == [3, 12]
    assert jacfwd(f)(x, power=3).tolist() == [3, 12]
    assert hessian(f)(x, power=2).tolist() == [[2, 0], [0, 2]]


def test_zeros_where_nothing_depends() -> None:
    x, constant = tt.tensor([1.0, 2.0]), tt.ones(2)
    _, pullback = vjp(lambda x, y: (x, constant, tt.argmax(y)), x, tt.ones(3))
    by_x, by_y = pullback((tt.ones(2), tt.ones(2), 0))
    assert (by_x.tolist(), by_y.tolist()) == ([1, 1], [0, 0, 0])
    assert jvp(lambda x: constant, (x,), (x,))[1].tolist() == [0, 0]
    for jac in (jacrev, jacfwd):
        assert jac(lambda x: constant)(x).tolist() == [[0, 0], [0, 0]]
    assert hessian(lambda x: 3 * x.sum())(x).tolist() == [[0, 0], [0, 0]]
    assert hvp(lambda x: 3 * x.sum(), (x,), (x,)).tolist() == [0, 0]
    assert grad(lambda x: tt.argmax(x))(x).tolist() == [0, 0]


def test_inputs_that_are_outputs() -> None:
    x, t = tt.tensor([1.0, 2.0]), tt.tensor([3.0, 5.0])
    for wanted in (False, True):
        x = x.detach().requires_grad_(wanted)
        out, tangent = jvp(lambda x: (x, x, x * x), (x,), (t,))
        assert [o.tolist() for o in out] == [[1, 2], [1, 2], [1, 4]]
        assert [o.tolist() for o in tangent] == [[3, 5], [3, 5], [6, 20]]
        _, pullback = vjp(lambda x: (x, x), x)
        assert pullback((t, t))[0].tolist() == [6, 10]
        assert (
            jacrev(lambda x: x)(x).tolist() == jacfwd(lambda x: x)(x).tolist() == [[1, 0], [0, 1]]
        )


def test_the_same_input_twice() -> None:
    x = tt.tensor([2.0, 3.0])
    for wanted in (False, True):
        x = x.detach().requires_grad_(wanted)
        by_first, by_second = grad(lambda a, b: (a**2 * b).sum(), argnums=(0, 1))(x, x)
        assert (by_first.tolist(), by_second.tolist()) == ([8, 18], [4, 9])
        assert jvp(lambda a, b: a * b, (x, x), (tt.ones(2), tt.zeros(2)))[1].tolist() == [2, 3]
        tree = grad(lambda p: (p["a"] * p["b"]).sum())({"a": x, "b": x})
        assert (tree["a"].tolist(), tree["b"].tolist()) == ([2, 3], [2, 3])


def test_numbers_and_arrays_as_inputs() -> None:
    assert grad(lambda x: x**2)(3.0).dtype == np.float32
    assert grad(lambda x: x**2)(np.float64(3.0)).dtype == np.float32  # a number, as 3.0 is
    assert grad(lambda x: x**2)(np.array(3.0)).dtype == np.float64
    assert jvp(lambda x: x**2, (np.ones(2),), (np.ones(2, np.float32),))[1].dtype == np.float64
    assert jacfwd(lambda x: x.float())(np.ones(2)).dtype == np.float32


def test_grad_mode_is_as_before() -> None:
    def fails(x):
        assert tt.is_grad_enabled()
        raise ZeroDivisionError

    for mode in (True, False):
        with tt.set_grad_enabled(mode):
            with pytest.raises(ZeroDivisionError):
                grad(fails)(1.0)
            assert hessian(tt.sin)(X).item() == pytest.approx(-sin(X))
            assert jvp(tt.sin, (X,), (1.0,))[1].item() == pytest.approx(cos(X))
            assert tt.is_grad_enabled() is mode
    x = tt.tensor(X, requires_grad=True)
    with tt.no_grad():
        out, pullback = vjp(tt.sin, x)
        assert not out.requires_grad
    assert pullback(1.0)[0].requires_grad  # asked for where gradients are recorded


def test_a_change_in_place_is_noticed() -> None:
    x = tt.tensor([1.0, 2.0])
    _, pullback = vjp(lambda x: x * x, x)
    _, pushforward = linearize(lambda x: x * x, x)
    x += 1
    with pytest.raises(tt.GraphError, match="changed in place"):
        pullback(tt.ones(2))
    with pytest.raises(tt.GraphError, match="changed in place"):
        pushforward(tt.ones(2))


def test_an_argument_that_the_function_changes_in_place() -> None:
    def doubles(x):
        x *= 2
        return (x * x).sum()

    leaf = tt.tensor([1.0, 2.0], requires_grad=True)
    for x in (tt.tensor([1.0, 2.0]), leaf, leaf * 1):
        with pytest.raises(tt.GraphError, match="in place"):
            grad(doubles)(x)


def test_a_function_that_changes_tensors_of_its_own_in_place() -> None:
    def changing(x):
        z = x * x
        z[0] *= 3
        tail = z[1:]
        tail += x[0]
        return (z * z).sum()

    def pure(x):
        return 9 * x[0] ** 4 + ((x[1:] ** 2 + x[0]) ** 2).sum()

    x, t = np.array([1.0, 2.0, -0.5]), np.array([1.0, -1.0, 2.0])
    for transform in (
        lambda f: grad(f)(x),
        lambda f: jvp(f, (x,), (t,))[1],
        lambda f: jacfwd(f)(x),
        lambda f: hessian(f)(x),
        lambda f: jacfwd(jacfwd(f))(x),
        lambda f: hvp(f, (x,), (t,)),
    ):
        np.testing.assert_allclose(transform(changing).numpy(), transform(pure).numpy())


def test_stop_gradient() -> None:
    assert grad(lambda x: x * stop_gradient(x))(3.0).item() == 3
    assert jvp(lambda x: stop_gradient({"x": x})["x"] * x, (3.0,), (1.0,))[1].item() == 3
    assert hessian(lambda x: stop_gradient(x) * x**2)(3.0).item() == 6
    assert stop_gradient(("kept", None)) == ("kept", None)


# --- Complex numbers -------------------------------------------------------------------------


def test_complex_numbers() -> None:
    rng = np.random.default_rng(0)
    z, t = (tt.Tensor(rng.normal(size=3) + 1j * rng.normal(size=3)) for _ in range(2))

    def f(z):  # not holomorphic
        return tt.conj(z) * z * z

    _, tangent = jvp(f, (z,), (t,))
    expected = 2 * tt.conj(z) * z * t + z * z * tt.conj(t)
    np.testing.assert_allclose(tangent.numpy(), expected.numpy())
    # The pullback is the adjoint: Re⟨J t, v⟩ = Re⟨t, Jᵀv⟩.
    v = tt.Tensor(rng.normal(size=3) + 1j * rng.normal(size=3))
    pulled = vjp(f, z)[1](v)[0].numpy()
    assert np.vdot(v.numpy(), tangent.numpy()).real == pytest.approx(
        np.vdot(pulled, t.numpy()).real
    )
    size = grad(lambda z: tt.real(z * tt.conj(z)).sum())(z)
    np.testing.assert_allclose(size.numpy(), 2 * z.numpy())
    np.testing.assert_allclose(
        jvp(lambda x: tt.exp(1j * x), (X,), (1.0,))[1].numpy(), 1j * np.exp(1j * X)
    )


def test_complex_jacobians() -> None:
    z = tt.tensor([1 + 2j, 3 - 1j])
    for jac in (jacrev, jacfwd):
        found = jac(lambda z: z**2, holomorphic=True)(z)
        np.testing.assert_allclose(found.numpy(), np.diag(2 * z.numpy()))
        with pytest.raises(TypeError, match="holomorphic"):
            jac(lambda z: z**2)(z)
        with pytest.raises(TypeError, match="a holomorphic function is of complex numbers only"):
            jac(lambda z: tt.real(z), holomorphic=True)(z)
    np.testing.assert_allclose(jacfwd(lambda x: 1j * x)(tt.ones(1)).numpy(), [[1j]])
    np.testing.assert_allclose(
        jacrev(lambda z: tt.real(z * tt.conj(z)))(z).numpy(), np.diag(2 * z.numpy())
    )


# --- What they refuse ------------------------------------------------------------------------


def loss(x, y=None):
    return (x * x).sum()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: grad(loss)(3), TypeError, r"grad: argument 'x' of loss is int64 \(\)"),
        (lambda: jacfwd(loss)(np.arange(3)), TypeError, r"jacfwd: argument 'x' of loss is int64"),
        (
            lambda: vjp(loss, {"a": [1.0, tt.arange(2)]}),
            TypeError,
            r"vjp: argument 'x'\['a'\]\[1\] of loss is int64 \(2,\)",
        ),
        (lambda: grad(loss)("x"), TypeError, "grad: argument 'x' of loss is 'x'"),
        (lambda: grad(loss, 1)(1.0, True), TypeError, r"argument 'y' of loss is bool \(\)"),
        (
            lambda: grad(loss, 1)(1.0),
            ValueError,
            "grad: argnums=1, but loss is called with 1 positional",
        ),
        (lambda: grad(loss, (0, -1))(1.0), ValueError, "names an argument twice"),
        (lambda: grad(lambda x, *rest, y: x, 1)(1.0, 2, y=3), TypeError, "grad: argument 1 of"),
        (lambda: grad(loss, "x")(1.0), ValueError, "grad: argnums='x', but loss"),
        (
            lambda: grad(lambda_named("f", lambda x: x))(tt.ones(2)),
            TypeError,
            r"grad: f must return a tensor of one real number, not float32 \(2,\)",
        ),
        (
            lambda: value_and_grad(lambda_named("f", lambda x: (x, x)))(1.0),
            TypeError,
            "value_and_grad: f must return a tensor of one real number, not tuple",
        ),
        (lambda: grad(lambda x: x * 1j)(1.0), TypeError, "of one real number, not complex64"),
        (lambda: jvp(lambda x: "no", (1.0,), (1.0,)), TypeError, "must return a tensor, or a tree"),
        (lambda: jvp(loss, 1.0, (1.0,)), TypeError, "jvp: primals must be a tuple"),
        (lambda: jvp(loss, (1.0,), 1.0), TypeError, "jvp: tangents must be a tuple"),
        (lambda: hvp(loss, (1.0,), ()), ValueError, "hvp: 1 primals, but 0 tangents"),
        (
            lambda: jvp(loss, (tt.ones(2),), (tt.ones(3),)),
            tt.ShapeError,
            r"jvp: tangent 0 is float32 \(3,\), and must have the shape \(2,\)",
        ),
        (
            lambda: linearize(lambda p: p["a"], {"a": 1.0})[1]({"b": 1.0}),
            ValueError,
            r"linearize: tangent 0 has the keys \['b'\], the other tree \['a'\]",
        ),
        (lambda: linearize(loss, 1.0)[1](), ValueError, "linearize: 0 tangents for 1 arguments"),
        (lambda: jvp(loss, (1.0,), (1j,)), TypeError, "tangent 0 is complex"),
        (
            lambda: vjp(lambda x: (x, x), 1.0)[1](1.0),
            ValueError,
            "vjp: the cotangent is a float, the other tree has a tuple",
        ),
        (
            lambda: vjp(lambda x: [x], tt.ones(2))[1]([tt.ones(())]),
            tt.ShapeError,
            r"vjp: the cotangent\[0\] is float32 \(\), and must have the shape \(2,\)",
        ),
    ],
)
def test_bad_input(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
