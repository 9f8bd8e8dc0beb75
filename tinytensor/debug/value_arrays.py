"""Arrays of Values: what tensors do, done number by number on the engine of `scalar`.

An ndarray of objects is one already, whose +, @, sums, views and broadcasting are NumPy's. Here are
the methods of tensors on it, and the ops of tensors by name, each as a formula of the eleven that
Values have. What has none here cannot be done with Values, and says so.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.operation import Op
from ..scalar import Number, Value
from ..tensors.tensor import Tensor
from .translating import Translation, by_us, is_ours


class NotOfValues(TypeError):
    """An op was called that Values do not have."""


class ArrayOfValues(np.ndarray):
    """An ndarray of Values. A single one is an array, too."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        named = OPS.get({"absolute": "abs"}.get(ufunc.__name__, ufunc.__name__))
        if named is not None and method == "__call__" and not kwargs and ufunc not in _NATIVE:
            return named(*inputs)
        if "out" in kwargs:
            kwargs["out"] = tuple(map(_plain, kwargs["out"]))
        return _of(getattr(ufunc, method)(*map(_plain, inputs), **kwargs))

    def __array_function__(self, *args: Any) -> Any:
        return _of(super().__array_function__(*args))

    def __getitem__(self, index: Any) -> Any:
        return _of(_plain(self)[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        _plain(self)[index] = _plain(array_of(value))

    # Numbers that leave the graph, as those of tensors do.
    # fmt: off
    def item(self, *index: Any) -> Any: return floats(self).item(*index)
    def tolist(self) -> Any: return floats(self).tolist()
    def numpy(self) -> np.ndarray: return floats(self)
    def __float__(self) -> float: return float(floats(self))
    def __int__(self) -> int: return int(floats(self))
    def __bool__(self) -> bool: return bool(floats(self))
    # fmt: on

    def backward(self, *args: Any, **kwargs: Any) -> None:
        raise NotOfValues("backward is called by levels, not by the function")

    requires_grad = True

    def detach(self) -> ArrayOfValues:
        return array_of(floats(self))

    @property
    def data(self) -> Any:
        return self.detach()

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Values stay what they are as float32 and float64; whole numbers and bools leave them."""
        to = np.dtype(dtype)
        if to.kind in "iub":
            return floats(self).astype(to)
        if to not in (np.float32, np.float64):
            raise NotOfValues(f"Values are not of {to}")
        return self

    def __repr__(self) -> str:
        return f"ArrayOfValues({floats(self)!r})"


# What the loops of NumPy do with objects, by their operators.
_NATIVE = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.power, np.matmul}


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, ArrayOfValues) else x


def _of(got: Any) -> Any:
    """What NumPy gave: an array of Values, a Value that it took out of the array, or neither."""
    if isinstance(got, Value) or (isinstance(got, np.ndarray) and got.dtype == object):
        if isinstance(got, np.ndarray):
            return got.view(ArrayOfValues)
        one = np.empty((), object)
        one[()] = got
        return one.view(ArrayOfValues)
    return got


def array_of(x: Any, requires_grad: bool = False) -> ArrayOfValues:
    """Numbers, or a nested list of numbers and Values, as an array of Values: constants, or leaves
    that want a gradient."""
    if isinstance(x, ArrayOfValues):
        return x
    given = np.asarray(_plain(x) if not isinstance(x, Value) else _of(x), dtype=object)
    made = np.empty(given.shape, object)
    for index, one in enumerate(given.flat):
        one = one.item() if isinstance(one, np.ndarray | np.generic) else one
        made.flat[index] = one if isinstance(one, Value) else Value(one, requires_grad)
    return made.view(ArrayOfValues)


def floats(x: Any) -> np.ndarray:
    """The numbers in an array of Values."""
    x = array_of(x)
    return np.array([one.value for one in x.flat], np.float64).reshape(x.shape)


def gradients(x: ArrayOfValues) -> np.ndarray:
    """What ``backward`` left in the Values, zeros where it did not come by."""
    found = [0.0 if one.grad is None else one.grad.value for one in x.flat]
    return np.array(found, np.float64).reshape(x.shape)


# --- Ops by name -------------------------------------------------------------------------------

OPS: dict[str, Callable[..., Any]] = {}


def _named(*names: str) -> Callable[[Any], Any]:
    def note(function: Any) -> Any:
        for name in names:
            OPS[name] = function
            if not hasattr(np.ndarray, name) or name in _OVER:
                setattr(ArrayOfValues, name, function)
        return function

    return note


_OVER = {"clip", "dot", "flatten", "max", "mean", "min", "prod", "reshape", "squeeze", "std", "sum",
         "transpose", "var"}  # fmt: skip


def _each(function: Callable[[Value], Value]) -> Any:
    def over(x: Any) -> Any:
        x = array_of(x)
        made = np.empty(x.shape, object)
        for index, one in enumerate(x.flat):
            made.flat[index] = function(one)
        return made.view(ArrayOfValues)

    return over


def _axes(function: Callable[..., Any]) -> Any:
    """With PyTorch's spellings of ``axis`` and ``keepdims``."""

    def called(x: Any, axis: Any = None, keepdims: bool = False, **kwargs: Any) -> Any:
        axis, keepdims = kwargs.pop("dim", axis), kwargs.pop("keepdim", keepdims)
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        if isinstance(axis, list):
            axis = tuple(axis)
        return function(array_of(x), axis, keepdims, **kwargs)

    return called


for _name, _function in {
    "exp": Value.exp,
    "log": Value.log,
    "tanh": Value.tanh,
    "relu": Value.relu,
    "sigmoid": Value.sigmoid,
    "sqrt": lambda x: x**0.5,
    "rsqrt": lambda x: x**-0.5,
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x * x,
    "abs": lambda x: x.relu() + (-x).relu(),
    "exp2": lambda x: 2.0**x,
    "log1p": lambda x: (1 + x).log(),
    "expm1": lambda x: x.exp() - 1,
    "silu": lambda x: x * x.sigmoid(),
    "relu6": lambda x: x.relu() - (x - 6).relu(),
    "logsigmoid": lambda x: -((-x).relu() + (1 + (-(x.relu() + (-x).relu())).exp()).log()),
    "positive": lambda x: x,
    "negative": lambda x: -x,
    "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2,
}.items():
    _named(_name)(_each(_function))


@_named("leaky_relu")
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    return _each(lambda one: one.relu() - negative_slope * (-one).relu())(x)


@_named("softplus")
def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    def one(x: Value) -> Value:
        x = beta * x
        return (x.relu() + (1 + (-(x.relu() + (-x).relu())).exp()).log()) / beta

    return _each(lambda each: each if beta * float(each) > threshold else one(each))(x)


@_named("gelu")
def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate != "tanh":
        raise NotOfValues("Values have no erf, and so no gelu but the approximate one")
    x = array_of(x)
    return 0.5 * x * (1 + OPS["tanh"]((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def _operator(function: Callable[[Any, Any], Any]) -> Any:
    return lambda a, b: _of(function(array_of(a), array_of(b)))


for _name, _ufunc in {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "matmul": np.matmul,
}.items():  # fmt: skip
    _named(_name)(_operator(_ufunc))
OPS |= {"sub": OPS["subtract"], "mul": OPS["multiply"], "div": OPS["divide"], "mm": OPS["matmul"]}


@_named("power", "pow")
def power(a: Any, b: Any) -> Any:
    return _of(np.power(array_of(a), b if isinstance(b, Number) else array_of(b)))


@_named("maximum")
def maximum(a: Any, b: Any) -> Any:
    """The greater; where both are equal the gradient goes to each by half, as of tensors."""
    return _chosen(a, b, 1.0)


@_named("minimum")
def minimum(a: Any, b: Any) -> Any:
    return _chosen(a, b, -1.0)


def _chosen(a: Any, b: Any, sign: float) -> Any:
    a, b = array_of(a), array_of(b)
    share = (1 + sign * np.sign(floats(a) - floats(b))) / 2
    return a * share + b * (1 - share)


@_named("clip", "clamp")
def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    x = array_of(x)
    inside = np.ones(x.shape)
    for end, beyond in ((min, np.less), (max, np.greater)):
        if end is not None:
            outside = beyond(floats(x), floats(end))
            inside, x = inside * ~outside, where(outside, end, x)
    return x


@_named("where")
def where(condition: Any, a: Any, b: Any) -> Any:
    chosen = np.asarray(condition, bool)
    a, b = np.broadcast_arrays(_plain(array_of(a)), _plain(array_of(b)))
    return _of(np.where(chosen, a, b))


@_named("sum")
@_axes
def sum_(x: Any, axis: Any, keepdims: bool) -> Any:
    nothing = {} if x.size else {"initial": Value(0.0, False)}
    return _folded(np.add, x, axis, keepdims, **nothing)


def _folded(ufunc: Any, x: Any, axis: Any, keepdims: bool, **initial: Any) -> Any:
    axis = tuple(range(x.ndim)) if axis is None else axis
    return _of(ufunc.reduce(_plain(x), axis=axis, keepdims=keepdims, **initial))


@_named("prod")
@_axes
def prod(x: Any, axis: Any, keepdims: bool) -> Any:
    return _folded(np.multiply, x, axis, keepdims)


@_named("mean")
@_axes
def mean(x: Any, axis: Any, keepdims: bool) -> Any:
    total = sum_(x, axis, keepdims)
    return total / (x.size / max(total.size, 1))


@_named("var")
def var(x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    x = array_of(x)
    apart = x - mean(x, axis, True)
    total = sum_(apart * apart, axis, keepdims)
    return total / (x.size / max(total.size, 1) - correction)


@_named("std")
def std(x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    return var(x, axis, correction, keepdims) ** 0.5


@_named("max", "amax")
@_axes
def max_(x: Any, axis: Any, keepdims: bool) -> Any:
    """The gradient goes in equal parts to all that are greatest, as of tensors."""
    numbers = floats(x)
    greatest = numbers == numbers.max(axis=axis, keepdims=True)
    share = greatest / greatest.sum(axis=axis, keepdims=True)
    return sum_(x * share, axis, keepdims)


@_named("min", "amin")
@_axes
def min_(x: Any, axis: Any, keepdims: bool) -> Any:
    return -max_(-x, axis, keepdims)


@_named("logsumexp")
@_axes
def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    shift = floats(x).max(axis=axis, keepdims=True)
    total = OPS["log"](sum_(OPS["exp"](x - shift), axis, True)) + shift
    return total if keepdims else sum_(total, axis)


@_named("log_softmax")
def log_softmax(x: Any, axis: int = -1, dtype: None = None, dim: int | None = None) -> Any:
    x = array_of(x)
    return x - logsumexp(x, axis if dim is None else dim, True)


@_named("softmax")
def softmax(x: Any, axis: int = -1, dtype: None = None, dim: int | None = None) -> Any:
    return OPS["exp"](log_softmax(x, axis, dtype, dim))


@_named("linear")
def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    weight = array_of(weight)
    out = OPS["matmul"](x, weight.T)
    return out if bias is None else out + array_of(bias)


@_named("dot", "inner", "vdot")
def dot(a: Any, b: Any) -> Any:
    return sum_(array_of(a) * array_of(b))


@_named("outer")
def outer(a: Any, b: Any) -> Any:
    return array_of(a)[:, None] * array_of(b)[None, :]


@_named("einsum")
def einsum(subscripts: str, *operands: Any) -> Any:
    return _of(np.einsum(subscripts, *[_plain(array_of(each)) for each in operands]))


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return {"mean": mean, "sum": sum_}[reduction](losses)


@_named("mse_loss")
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    apart = array_of(input) - array_of(target)
    return _reduced(apart * apart, reduction)


@_named("cross_entropy")
def cross_entropy(input: Any, target: Any, reduction: str = "mean") -> Any:
    target, scores = np.asarray(target), log_softmax(input, -1)
    if scores.ndim > 2 or target.ndim != scores.ndim - 1 or target.dtype.kind not in "iu":
        raise NotOfValues("Values have cross_entropy of (N, C) or (C,) and classes alone")
    rows = scores.reshape(-1, scores.shape[-1])
    losses = -rows[np.arange(len(rows)), target.reshape(-1)]
    return _reduced(losses.reshape(target.shape), reduction)


@_named("reshape", "view")
def reshape(x: Any, *shape: Any) -> Any:
    shape = shape[0] if len(shape) == 1 else shape
    return _of(_plain(array_of(x)).reshape(shape))


@_named("permute_dims", "permute")
def permute_dims(x: Any, *axes: Any) -> Any:
    return _of(_plain(array_of(x)).transpose(*axes))


@_named("transpose", "swapaxes")
def transpose(x: Any, axis1: int, axis2: int) -> Any:
    return _of(_plain(array_of(x)).swapaxes(axis1, axis2))


@_named("matrix_transpose")
def matrix_transpose(x: Any) -> Any:
    return transpose(x, -1, -2)


@_named("flatten")
def flatten(x: Any, start_axis: int = 0, end_axis: int = -1) -> Any:
    x = array_of(x)
    shape = x.shape or (1,)
    end = end_axis % len(shape) + 1
    return reshape(x, (*shape[: start_axis % len(shape)], -1, *shape[end:]))


@_named("squeeze")
def squeeze(x: Any, axis: Any = None, dim: Any = None) -> Any:
    return _of(_plain(array_of(x)).squeeze(axis if dim is None else dim))


@_named("expand_dims", "unsqueeze")
def expand_dims(x: Any, axis: Any = 0, dim: Any = None) -> Any:
    return _of(np.expand_dims(_plain(array_of(x)), axis if dim is None else dim))


@_named("broadcast_to")
def broadcast_to(x: Any, shape: Any) -> Any:
    return _of(np.broadcast_to(_plain(array_of(x)), shape))


@_named("concat", "concatenate", "cat")
def concat(arrays: Any, axis: int = 0, dim: int | None = None) -> Any:
    parts = [_plain(array_of(each)) for each in arrays]
    return _of(np.concatenate(parts, axis if dim is None else dim))


@_named("stack")
def stack(arrays: Any, axis: int = 0, dim: int | None = None) -> Any:
    parts = [_plain(array_of(each)) for each in arrays]
    return _of(np.stack(parts, axis if dim is None else dim))


@_named("detach")
def detach(x: Any) -> Any:
    return array_of(floats(x))


def constant(x: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    """What ``tt.tensor`` makes: constants; whole numbers and bools stay an ndarray of them."""
    if isinstance(x, ArrayOfValues | Value):
        return array_of(x)
    if isinstance(x, list | tuple):
        x = np.array(x, object) if _has_values(x) else np.asarray(x)
    x = np.asarray(x)
    return x if x.dtype.kind in "iub" else array_of(x)


def _has_values(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_has_values, x))
    return isinstance(x, Value | ArrayOfValues)


OPS |= {"tensor": constant, "asarray": constant, "as_tensor": constant}


def _creation(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **kwargs: Any) -> Any:
        given = [floats(x) if isinstance(x, ArrayOfValues) else x for x in args]
        return constant(make(*given, **kwargs))

    return made


for _name in ("zeros", "ones", "full", "eye", "arange", "linspace", "zeros_like", "ones_like"):
    OPS[_name] = _creation(getattr(np, _name))


# --- Functions of tensors, of Values -----------------------------------------------------------


class OfValues(Translation):
    """Leads to Values: an op by its name here, or by the formula that defines it; a user's op by
    its forward function, so that its derivative is that of what it computes, not of its rules."""

    def ours(self, thing: Any, module: str, name: str) -> Any:
        if thing is Tensor:
            return ArrayOfValues
        if isinstance(thing, type) and issubclass(thing, Value | BaseException):
            return thing
        own = getattr(thing, "__name__", name)
        if module.partition(".")[2] in ("scalar", "engine.grad_mode"):
            return thing
        if (
            own in OPS
            and (isinstance(thing, Op) or callable(thing))
            and not isinstance(thing, type)
        ):
            return OPS[own]
        if isinstance(thing, Op) and thing.formula is not None:
            return self.again(thing.formula, self.names(thing.formula.__globals__))
        if isinstance(thing, Op) or callable(thing):
            return _Missing(own)
        return thing  # a number, a dtype

    def module(self, module: types.ModuleType) -> Any:
        return _Names(module, self)

    def variable(self, variable: Any) -> Any:
        return variable if isinstance(variable, Value) else constant(np.asarray(variable.value))

    def function(self, function: Any) -> Any:
        if by_us(function):
            return _Missing(function.__name__)
        return super().function(function)

    def op(self, op: Any) -> Any:
        forward = self(op.__wrapped__)

        def called(*args: Any, **kwargs: Any) -> Any:
            got = forward(*args, **kwargs)
            outputs = got if isinstance(got, tuple) else (got,)
            outputs = outputs if op.outputs < 1 else outputs[: op.outputs]
            if any(isinstance(arg, ArrayOfValues) for arg in args):
                for out in outputs:
                    if not isinstance(_of(out), ArrayOfValues):
                        raise NotOfValues(f"the forward function of {op.__name__} leaves Values")
            return _of(outputs[0]) if op.outputs == 1 else tuple(map(_of, outputs))

        return called

    def kind(self, kind: Any) -> Any:
        made = super().kind(kind) if not any(map(self._is_missing, kind.__mro__)) else None
        return _Missing(kind.__name__) if made is None else made

    def _is_missing(self, kind: type) -> bool:
        return is_ours(kind.__module__) and kind is not Tensor

    def instance(self, thing: Any) -> Any:
        if self._is_missing(type(thing)) or isinstance(self(type(thing)), _Missing):
            return _Missing(type(thing).__name__)
        return super().instance(thing)


class _Names(types.ModuleType):
    """A module of tensors, of which each name is translated when it is asked for."""

    def __init__(self, module: types.ModuleType, translation: Translation) -> None:
        super().__init__(module.__name__)
        vars(self)["__getattr__"] = lambda name: translation(getattr(module, name))


class _Missing:
    """What Values do not have: it says so when it is used."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotOfValues(f"Values have no {self.__name__}")

    def __getattr__(self, name: str) -> Any:
        raise NotOfValues(f"Values have no {self.__name__}")
