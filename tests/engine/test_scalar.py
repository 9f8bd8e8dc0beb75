"""Value: floats on the engine, against finite differences, and as an oracle for tensors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytensor as tt
from tinytensor.engine.grad import grad
from tinytensor.scalar import Value

UNARY: dict[str, Callable] = {
    "exp": lambda x: x.exp(),
    "log": lambda x: (x * x + 0.5).log(),
    "tanh": lambda x: x.tanh(),
    "relu": lambda x: (x + 0.013).relu(),
    "sigmoid": lambda x: x.sigmoid(),
    "neg": lambda x: -x,
    "cube": lambda x: x**3,
    "root": lambda x: (x * x + 1.0) ** 0.5,
    "power of 2": lambda x: 2.0**x,
    "inverse": lambda x: 1.0 / (x * x + 1.0),
}


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("at", [-1.7, -0.3, 0.4, 1.2])
def test_two_derivatives(name: str, at: float) -> None:
    f, eps = UNARY[name], 1e-5

    def first(number: float, create_graph: bool = False) -> tuple[Value, Value]:
        x = Value(number)
        return x, grad(f(x), x, create_graph=create_graph)[0]

    numeric = (f(Value(at + eps)).data - f(Value(at - eps)).data) / (2 * eps)
    assert first(at)[1].data == pytest.approx(numeric, rel=1e-7, abs=1e-8)
    numeric = (first(at + eps)[1].data - first(at - eps)[1].data) / (2 * eps)
    x, derivative = first(at, create_graph=True)
    second = grad(derivative, x, allow_unused=True)[0] if derivative.requires_grad else None
    assert (0.0 if second is None else second.data) == pytest.approx(numeric, rel=1e-7, abs=1e-8)


def test_both_derivatives_of_a_power() -> None:
    x, y = Value(1.5), Value(2.5)
    (x**y).backward()
    assert x.grad.data == pytest.approx(2.5 * 1.5**1.5)
    assert y.grad.data == pytest.approx(1.5**2.5 * math.log(1.5))


def test_powers_at_zero() -> None:
    x = Value(0.0)
    (x**2).backward()
    assert x.grad.data == 0.0
    x = Value(0.0)
    (x**1).backward()
    assert x.grad.data == 1.0
    with pytest.raises(ValueError, match=r"power.*negative number"):
        Value(-1.0) ** 0.5


def test_errors_name_the_op_and_its_arguments() -> None:
    # In Python's words: of 3.14 they are others.
    with pytest.raises(ValueError, match=r"^log\(-1.0\): (math domain error|expected a positive)"):
        Value(-1.0).log()
    with pytest.raises(ZeroDivisionError):
        Value(1.0) / 0.0
    with pytest.raises(TypeError, match="Value: data must be a number, not str"):
        Value("1")
    with pytest.raises(TypeError):
        Value(1.0) + "1"


def test_repr_comparison_float() -> None:
    x = Value(2.0)
    assert repr(x) == "Value(2)"
    y = x * 3
    assert repr(y) == "Value(6, op=multiply)"
    y.backward()
    assert repr(x) == "Value(2, grad=3)"
    x.zero_grad()
    assert x.grad is None
    assert x < y
    assert y >= 6.0
    assert x <= 2
    assert y > x
    assert float(y) == 6.0


def test_sigmoid_does_not_overflow() -> None:
    assert Value(1000.0).sigmoid().data == 1.0
    assert Value(-1000.0).sigmoid().data == 0.0


def test_a_neuron_learns() -> None:
    w, b = Value(0.0), Value(0.0)
    points = [(x / 5, 3 * x / 5 - 1) for x in range(-5, 6)]
    for _ in range(100):
        loss = sum((w * x + b - y) ** 2 for x, y in points) / len(points)
        w.zero_grad()
        b.zero_grad()
        loss.backward()
        for p in (w, b):
            p.data -= 0.5 * p.grad.data
    assert w.data == pytest.approx(3.0, abs=1e-3)
    assert b.data == pytest.approx(-1.0, abs=1e-3)


# --- An oracle for tensors -------------------------------------------------------------------

# An expression is drawn as a nested tuple over the variables 0, 1, 2; the same formula is then
# evaluated with Values and, for many points at once, with tensors.
BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (b * b + 1.0),
}
SMOOTH = {
    "exp": lambda x, m: m.exp(-(x * x)),
    "log": lambda x, m: m.log(x * x + 1.0),
    "tanh": lambda x, m: m.tanh(x),
    "sigmoid": lambda x, m: m.sigmoid(x),
    "square": lambda x, m: x**2,
    "root": lambda x, m: (x * x + 1.0) ** 0.5,
}


class OfValues:
    exp = staticmethod(Value.exp)
    log = staticmethod(Value.log)
    tanh = staticmethod(Value.tanh)
    sigmoid = staticmethod(Value.sigmoid)


leaves = st.integers(0, 2) | st.floats(-2, 2).map(lambda c: ("constant", round(c, 3)))
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(st.sampled_from(sorted(BINARY)), inner, inner)
        | st.tuples(st.sampled_from(sorted(SMOOTH)), inner)
    ),
    max_leaves=12,
)


def evaluated(expression, variables, of):
    if isinstance(expression, int):
        return variables[expression]
    if expression[0] == "constant":
        return variables[0] * 0.0 + expression[1]
    parts = [evaluated(part, variables, of) for part in expression[1:]]
    if expression[0] in BINARY:
        return BINARY[expression[0]](*parts)
    return SMOOTH[expression[0]](parts[0], of)


@settings(max_examples=60, deadline=None)
@given(expression=expressions, seed=st.integers(0, 2**16))
def test_tensors_agree_with_values(expression, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-2, 2, size=(3, 4))
    tensors = [tt.Tensor(row.copy(), requires_grad=True) for row in points]
    out = evaluated(expression, tensors, tt)
    out.sum().backward()
    for column in range(points.shape[1]):
        values = [Value(points[row, column]) for row in range(3)]
        expected = evaluated(expression, values, OfValues)
        expected.backward()
        np.testing.assert_allclose(out.data[column], expected.data, rtol=1e-9, atol=1e-12)
        for tensor, value in zip(tensors, values, strict=True):
            got = 0.0 if tensor.grad is None else tensor.grad.data[column]
            want = 0.0 if value.grad is None else value.grad.data
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:invalid value encountered in log")
@pytest.mark.parametrize(("a", "b"), [(0.0, 2.0), (0.0, 1.0), (0.0, 0.0), (-2.0, 2.0), (-2.0, 0.0)])
def test_powers_have_the_derivatives_of_tensors_at_hard_points(a: float, b: float) -> None:
    numbers = Value(a, requires_grad=True), Value(b, requires_grad=True)
    tensors = [tt.tensor(x, dtype=tt.float64, requires_grad=True) for x in (a, b)]
    (numbers[0] ** numbers[1]).backward()
    (tensors[0] ** tensors[1]).backward()
    for number, tensor in zip(numbers, tensors, strict=True):
        np.testing.assert_array_equal(float(number.grad), tensor.grad.item())
