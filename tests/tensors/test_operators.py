"""Operators of Python's data model: either order, beside NumPy's, and in subclasses."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.engine import core as engine
from tinytensor.tensors.operators import Operators

FLOATS = ["add", "sub", "mul", "truediv", "pow", "floordiv", "mod"]
BITS = ["and", "or", "xor"]
COMPARISONS = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def operands(name: str) -> tuple[tt.Tensor, Any]:
    if name in BITS:
        return tt.tensor([5, 6, 12]), 3
    return tt.tensor([0.5, 2.0, 3.0]), 2


def function(name: str) -> Any:
    return getattr(operator, f"{name}_" if name in ("and", "or") else name)


@pytest.mark.parametrize("name", FLOATS + BITS)
def test_either_order_with_numbers_and_arrays(name: str) -> None:
    x, number = operands(name)
    f, array = function(name), np.full_like(x.numpy(), number)
    for other in (number, array, array[0], tt.tensor(array)):
        raw = other.numpy() if isinstance(other, tt.Tensor) else other
        for found, wanted in [(f(x, other), f(x.numpy(), raw)), (f(other, x), f(raw, x.numpy()))]:
            assert type(found) is tt.Tensor
            assert found.dtype == wanted.dtype
            np.testing.assert_allclose(found.numpy(), wanted, 1e-6)


@pytest.mark.parametrize("name", FLOATS + BITS)
def test_the_methods_called_by_name(name: str) -> None:
    x, number = operands(name)
    f = function(name)
    for kind in (tt.Tensor, Operators):
        forward, reflected = getattr(kind, f"__{name}__"), getattr(kind, f"__r{name}__")
        np.testing.assert_array_equal(forward(x, number).numpy(), f(x, number).numpy())
        np.testing.assert_array_equal(reflected(x, number).numpy(), f(number, x).numpy())
    with pytest.raises(TypeError):
        getattr(x, f"__{name}__")()


def test_matmul_in_either_order() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y = np.arange(12, dtype=np.float32).reshape(3, 4)
    for product in (tt.tensor(x) @ tt.tensor(y), tt.tensor(x) @ y, x @ tt.tensor(y)):
        assert type(product) is tt.Tensor
        np.testing.assert_array_equal(product.numpy(), x @ y)
    np.testing.assert_array_equal(tt.tensor(y).__rmatmul__(x).numpy(), x @ y)


class Logged(tt.Tensor):
    """Overrides both orders of some operators, and counts the calls."""

    __slots__ = ()
    calls: list[str] = []

    def __add__(self, other: Any) -> Any:
        self.calls.append("add")
        return super().__add__(other)

    def __radd__(self, other: Any) -> Any:
        self.calls.append("radd")
        return super().__radd__(other)

    def __rsub__(self, other: Any) -> Any:
        self.calls.append("rsub")
        return super().__rsub__(other)

    def __mul__(self, other: Any) -> Any:
        self.calls.append("mul")
        return super().__mul__(other)

    def __lt__(self, other: Any) -> Any:
        self.calls.append("lt")
        return super().__lt__(other)

    def __neg__(self) -> Any:
        self.calls.append("neg")
        return super().__neg__()

    def __getitem__(self, index: Any) -> Any:
        self.calls.append("getitem")
        return super().__getitem__(index)


@pytest.mark.parametrize(
    ("expression", "calls", "wanted"),
    [
        (lambda s, x: s + x, ["add"], [11, 22]),
        (lambda s, x: x + s, ["radd"], [11, 22]),
        (lambda s, x: s + s, ["add"], [2, 4]),
        (lambda s, x: 1 + s, ["radd"], [2, 3]),
        (lambda s, x: s - x, [], [-9, -18]),
        (lambda s, x: x - s, ["rsub"], [9, 18]),
        (lambda s, x: s * x, ["mul"], [10, 40]),
        (lambda s, x: x * s, [], [10, 40]),
        (lambda s, x: 3 * s, [], [3, 6]),
        (lambda s, x: s < x, ["lt"], [True, True]),
        (lambda s, x: x > s, ["lt"], [True, True]),  # a subclass's reflected method comes first
        (lambda s, x: -s, ["neg"], [-1, -2]),
        (lambda s, x: s[1:], ["getitem"], [2]),
        (lambda s, x: s / x, [], [0.1, 0.1]),
    ],
)
def test_a_subclass_overrides_operators(expression: Any, calls: list[str], wanted: Any) -> None:
    s, x = Logged(np.array([1.0, 2.0], np.float32)), tt.tensor([10.0, 20.0])
    Logged.calls.clear()
    found = expression(s, x)
    assert Logged.calls == calls
    np.testing.assert_allclose(found.numpy(), wanted, 1e-6)


def test_operators_assigned_to_a_class_and_taken_back() -> None:
    class Mine(tt.Tensor):
        __slots__ = ()

    x = Mine(np.ones(2, np.float32))
    Mine.__add__ = lambda self, other: "mine"  # type: ignore[method-assign,assignment]
    assert x + 1 == "mine"
    assert (tt.ones(2) + x).tolist() == [2, 2]
    del Mine.__add__
    assert (x + 1).tolist() == [2, 2]


def test_an_operand_that_is_no_number_is_refused_by_the_op() -> None:
    x = tt.ones(2)
    with pytest.raises(TypeError, match="add"):
        x + object()
    with pytest.raises(TypeError, match="add"):
        object() + x


def test_a_power_with_a_modulus_is_refused() -> None:
    with pytest.raises(TypeError):
        pow(tt.tensor([2, 3]), 2, 3)
    with pytest.raises(TypeError):
        pow(2, tt.tensor([2, 3]), 3)


@pytest.mark.skipif(not engine.compiled, reason="of the compiled operators")
@pytest.mark.parametrize("name", [*FLOATS, *BITS, "matmul"])
def test_a_subclass_inherits_the_slots_themselves(name: str) -> None:
    """Not so for methods: Python would look the name up at every call."""
    wrapper = type(object.__init__)
    for method in (f"__{name}__", f"__r{name}__", f"__i{name}__"):
        assert type(vars(Operators)[method]) is wrapper
        assert getattr(tt.Tensor, method) is vars(Operators)[method]
