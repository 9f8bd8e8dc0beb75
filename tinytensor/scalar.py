"""Scalar autograd: ``Value``, a Python float on the same engine that tensors use.

The learner's first door: every op below is its formula and its derivative, in two lines.

>>> from tinytensor.scalar import Value
>>> x, y = Value(2.0), Value(-3.0)
>>> z = x * y + x.tanh()
>>> z.backward()
>>> round(x.grad.data, 6)  # dz/dx = y + 1 - tanh(x)²
-2.929349
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .engine.core import Variable
from .engine.operation import Op, op

Number = int | float


class Value(Variable):
    """A float that remembers how it was computed.

    ``grad`` holds dL/dself after ``L.backward()``, a Value itself. Every Value that is made by hand
    is a leaf that wants a gradient; ``detach()`` gives a constant.
    """

    __slots__ = ()
    identity: ClassVar[Any]
    data: Any = Variable.storage  # the float; assigning another one counts as a change in place

    def __init__(self, data: Number, requires_grad: bool = True) -> None:
        if not isinstance(data, Number):
            raise TypeError(f"Value: data must be a number, not {type(data).__name__}")
        super().__init__(float(data), requires_grad)

    def __repr__(self) -> str:
        grad = "" if self.grad is None else f", grad={self.grad.value:g}"
        made_by = "" if self.node is None else f", op={self.node.op.__name__}"
        return f"Value({self.value:g}{grad}{made_by})"

    def seed(self, cotangent: Value | Number | None) -> Value:
        if cotangent is None:
            return Value(1.0, requires_grad=False)
        return cotangent if isinstance(cotangent, Value) else Value(cotangent, False)

    @classmethod
    def zeros(cls, spec: Any) -> Value:
        return Value(0.0, requires_grad=False)

    @classmethod
    def explained(cls, op: Op, error: Exception, values: list[float]) -> Exception:
        return type(error)(f"{op.__name__}({', '.join(map(repr, values))}): {error}")

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def __float__(self) -> float:
        return self.value

    # fmt: off
    def __add__(self, other): return _binary(add, self, other)
    def __radd__(self, other): return _binary(add, other, self)
    def __sub__(self, other): return _binary(subtract, self, other)
    def __rsub__(self, other): return _binary(subtract, other, self)
    def __mul__(self, other): return _binary(multiply, self, other)
    def __rmul__(self, other): return _binary(multiply, other, self)
    def __truediv__(self, other): return _binary(divide, self, other)
    def __rtruediv__(self, other): return _binary(divide, other, self)
    def __pow__(self, other): return _binary(power, self, other)
    def __rpow__(self, other): return _binary(power, other, self)
    def __neg__(self): return negative(self)
    def exp(self): return exp(self)
    def log(self): return log(self)
    def tanh(self): return tanh(self)
    def relu(self): return relu(self)
    def sigmoid(self): return sigmoid(self)
    def __lt__(self, other): return self.value < float(other)
    def __le__(self, other): return self.value <= float(other)
    def __gt__(self, other): return self.value > float(other)
    def __ge__(self, other): return self.value >= float(other)
    # fmt: on


Value.family = Value


def _binary(operation: Op, a: Any, b: Any) -> Any:
    if isinstance(a, Value | Number) and isinstance(b, Value | Number):
        return operation(a, b)
    return NotImplemented


# Each op: its formula, then dL/d(input) from g = dL/d(output).


@op
def add(a: float, b: float) -> float:
    return a + b


add.grad(a=lambda g: g, b=lambda g: g)


@op
def subtract(a: float, b: float) -> float:
    return a - b


subtract.grad(a=lambda g: g, b=lambda g: -g)


@op
def multiply(a: float, b: float) -> float:
    return a * b


multiply.grad(a=lambda g, b: g * b, b=lambda g, a: g * a)


@op
def divide(a: float, b: float) -> float:
    return a / b


divide.grad(a=lambda g, b: g / b, b=lambda g, b, out: -g * out / b)


@op
def power(a: float, b: float) -> float:
    if a < 0 and b != int(b):
        raise ValueError("a negative number has no real power with a fractional exponent")
    return float(a**b)


power.grad(
    a=lambda g, a, b: g * b * a ** (b - 1) if float(b) != 0 else g * 0.0,
    b=lambda g, a, out: g * out * log(a) if a > 0 else g * (0.0 if a >= 0 else math.nan),
)


@op
def negative(x: float) -> float:
    return -x


negative.grad(x=lambda g: -g)


@op
def exp(x: float) -> float:
    return math.exp(x)


exp.grad(x=lambda g, out: g * out)


@op
def log(x: float) -> float:
    return math.log(x)


log.grad(x=lambda g, x: g / x)


@op
def tanh(x: float) -> float:
    return math.tanh(x)


tanh.grad(x=lambda g, out: g * (1 - out * out))


@op
def relu(x: float) -> float:
    return max(x, 0.0)


relu.grad(x=lambda g, out: g * float(out > 0))


@op
def sigmoid(x: float) -> float:
    e = math.exp(-abs(x))  # of a negative number only, so that it cannot overflow
    return (1 if x >= 0 else e) / (1 + e)


sigmoid.grad(x=lambda g, out: g * out * (1 - out))


def identity(x: float, variable: float | None = None) -> float:
    return x


Value.identity = Op(identity, view=True, family=Value).grad(x=lambda g: g, variable=None)

for _operation in (add, subtract, multiply, divide, power, negative, exp, log, tanh, relu, sigmoid):
    _operation.family = Value
