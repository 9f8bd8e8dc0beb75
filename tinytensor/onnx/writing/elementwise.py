"""Ops of single elements: arithmetic, comparisons, functions, activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tracing import Value
from .writer import Unwritable, Writer, writes

BOOL = np.dtype(bool)


def out_dtype(g: Writer, place: int = 0) -> np.dtype:
    return g.call.outputs[place].dtype


def common(*given: Any) -> np.dtype:
    """The dtype in which operands meet; Python's numbers are weak."""
    return np.result_type(*[x.dtype if isinstance(x, Value) else x for x in given])


def number(g: Writer, value: Any, dtype: Any) -> str:
    return g.constant(np.asarray(value, dtype))


# --- Of one operand ----------------------------------------------------------------------------

UNARY = {
    "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "cos": "Cos", "cosh": "Cosh", "erf": "Erf", "exp": "Exp", "log": "Log",
    "negative": "Neg", "abs": "Abs", "reciprocal": "Reciprocal", "sigmoid": "Sigmoid",
    "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "tan": "Tan", "tanh": "Tanh",
    "relu": "Relu", "positive": "Identity", "clone": "Identity", "alias": "Identity",
}  # fmt: skip
WHOLE = {"ceil": "Ceil", "floor": "Floor", "round": "Round"}  # of integers they are nothing
# Of doubles onnxruntime has none of these: they are computed as what is made of others.


def _unary(kind: str) -> Any:
    def write(g: Writer, x: Any) -> Any:
        return g(kind, g.cast(x, out_dtype(g)))

    return write


for _name, _kind in UNARY.items():
    writes(_name)(_unary(_kind))


@writes("ceil", "floor", "round", "trunc")
def whole(g: Writer, x: Value, decimals: int = 0) -> Any:
    name = g.call.name
    if x.dtype.kind in "iub":
        return g("Identity", g.cast(x, out_dtype(g)))
    if name == "trunc":
        return g("Mul", g("Sign", x), g("Floor", g("Abs", x)))
    if decimals:
        scale = number(g, 10.0**decimals, x.dtype)
        return g("Div", g("Round", g("Mul", x, scale)), scale)
    return g(WHOLE[name], x)


@writes("conj", "real", "imag", "isreal")
def of_real(g: Writer, x: Value) -> Any:
    if x.dtype.kind == "c":
        raise Unwritable("complex numbers")
    if g.call.name == "isreal":
        return g("Not", nowhere(g, x))
    return g("Sub", x, x) if g.call.name == "imag" else g.value(x)


@writes("sinc")
def sinc(g: Writer, x: Any) -> Any:
    dtype = out_dtype(g)
    angle = g("Mul", g.cast(x, dtype), number(g, math.pi, dtype))
    here, one = g("Equal", angle, number(g, 0, dtype)), number(g, 1, dtype)
    safe = g("Where", here, one, angle)
    return g("Where", here, one, g("Div", g("Sin", safe), safe))


@writes("entr")
def entr(g: Writer, x: Any) -> Any:
    dtype = out_dtype(g)
    x, zero = g.cast(x, dtype), number(g, 0, dtype)
    found = g("Neg", g("Mul", x, g("Log", x)))
    found = g("Where", g("Equal", x, zero), zero, found)
    return g("Where", g("Less", x, zero), number(g, -math.inf, dtype), found)


@writes("square")
def square(g: Writer, x: Any) -> Any:
    x = g.cast(x, out_dtype(g))
    return g("Mul", x, x)


@writes("rsqrt")
def rsqrt(g: Writer, x: Any) -> Any:
    return g("Reciprocal", g("Sqrt", g.cast(x, out_dtype(g))))


@writes("expm1", "log1p", "log2", "log10", "exp2")
def by_another(g: Writer, x: Any) -> Any:
    dtype, name = out_dtype(g), g.call.name
    x, one = g.cast(x, dtype), number(g, 1, dtype)
    if name == "expm1":  # 2 sinh(x / 2) eˣᐟ² loses nothing near 0
        half = g("Mul", x, number(g, 0.5, dtype))
        return g("Mul", g("Mul", g("Sinh", half), g("Exp", half)), number(g, 2, dtype))
    if name == "log1p":  # 2 artanh(x / (2 + x)) near 0
        near = g("Div", x, g("Add", x, number(g, 2, dtype)))
        small = g("Less", g("Abs", x), number(g, 0.5, dtype))
        close = g("Mul", g("Atanh", g("Where", small, near, number(g, 0, dtype))),
                  number(g, 2, dtype))  # fmt: skip
        return g("Where", small, close, g("Log", g("Add", x, one)))
    if name == "exp2":
        return g("Pow", number(g, 2, dtype), x)
    return g("Mul", g("Log", x), number(g, 1 / math.log(2 if name == "log2" else 10), dtype))


@writes("erfc")
def erfc(g: Writer, x: Any) -> Any:
    dtype = out_dtype(g)
    return g("Sub", number(g, 1, dtype), g("Erf", g.cast(x, dtype)))


@writes("logit")
def logit(g: Writer, x: Any, eps: float | None = None) -> Any:
    dtype = out_dtype(g)
    x = g.cast(x, dtype)
    if eps is not None:
        x = g("Clip", x, number(g, eps, dtype), number(g, 1 - eps, dtype))
    return g("Sub", g("Log", x), g("Log", g("Sub", number(g, 1, dtype), x)))


@writes("isnan")
def isnan(g: Writer, x: Value) -> Any:
    return g("IsNaN", x) if x.dtype.kind == "f" else nowhere(g, x)


@writes("isinf", "isposinf", "isneginf")
def isinf(g: Writer, x: Value) -> Any:
    if x.dtype.kind != "f":
        return nowhere(g, x)
    name = g.call.name
    positive, negative = (int(name != "isneginf"), int(name != "isposinf"))
    return g("IsInf", x, detect_positive=positive, detect_negative=negative)


@writes("isfinite")
def isfinite(g: Writer, x: Value) -> Any:
    if x.dtype.kind != "f":
        return g("Not", nowhere(g, x))
    return g("Not", g("Or", g("IsNaN", x), g("IsInf", x)))


def nowhere(g: Writer, x: Value) -> Any:
    return g("Not", g("Equal", x, x))


@writes("cast", "astype")
def cast(g: Writer, x: Any, dtype: Any) -> Any:
    return g.cast(x, out_dtype(g))


# --- Of two ------------------------------------------------------------------------------------


def _binary(kind: str) -> Any:
    def write(g: Writer, a: Any, b: Any) -> Any:
        dtype = out_dtype(g)
        return g(kind, g.cast(a, dtype), g.cast(b, dtype))

    return write


for _name, _kind in {"multiply": "Mul", "pow": "Pow"}.items():
    writes(_name)(_binary(_kind))


@writes("add", "subtract")
def added(g: Writer, a: Any, b: Any, alpha: Any = 1) -> Any:
    dtype = out_dtype(g)
    b = g.cast(b, dtype)
    if alpha != 1:
        b = g("Mul", b, g.cast(alpha, dtype))
    if dtype == BOOL:
        return g("Or", g.cast(a, dtype), b)
    return g("Add" if g.call.name == "add" else "Sub", g.cast(a, dtype), b)


@writes("divide")
def divide(g: Writer, a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    if rounding_mode is None:
        return g("Div", a, b)
    if dtype.kind != "f":
        if rounding_mode == "trunc":
            return g("Div", a, b)
        return g("Div", g("Sub", a, g("Mod", a, b)), b)
    quotient = g("Div", a, b)
    if rounding_mode == "floor":
        return g("Floor", quotient)
    return g("Mul", g("Sign", quotient), g("Floor", g("Abs", quotient)))


@writes("floor_divide")
def floor_divide(g: Writer, a: Any, b: Any) -> Any:
    return divide(g, a, b, "floor")


@writes("remainder")
def remainder(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    if dtype.kind != "f":
        return g("Mod", a, b)
    return g("Sub", a, g("Mul", b, g("Floor", g("Div", a, b))))


@writes("fmod")
def fmod(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    return g("Mod", g.cast(a, dtype), g.cast(b, dtype), fmod=1)


@writes("maximum", "minimum", "fmax", "fmin")
def extreme(g: Writer, a: Any, b: Any) -> Any:
    dtype, name = out_dtype(g), g.call.name
    if dtype == BOOL:
        return g("Or" if name.endswith("x") or name == "maximum" else "And", a, b)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    found = g("Max" if "max" in name else "Min", a, b)
    if name.startswith("f") and dtype.kind == "f":  # a number rather than NaN
        found = g("Where", g("IsNaN", a), b, g("Where", g("IsNaN", b), a, found))
    return found


@writes("hypot")
def hypot(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    return g("Sqrt", g("Add", g("Mul", a, a), g("Mul", b, b)))


@writes("logaddexp", "logaddexp2")
def logaddexp(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    apart, two = g("Neg", g("Abs", g("Sub", a, b))), g.call.name == "logaddexp2"
    if two:
        apart = g("Mul", apart, number(g, math.log(2), dtype))
    more = g("Softplus", apart)
    if two:
        more = g("Div", more, number(g, math.log(2), dtype))
    return g("Add", g("Max", a, b), more)


@writes("atan2")
def atan2(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    zero, pi = number(g, 0, dtype), number(g, math.pi, dtype)
    turned = g("Where", g("Less", a, zero), g("Neg", pi), pi)
    near = g("Add", g("Atan", g("Div", a, b)), g("Where", g("Less", b, zero), turned, zero))
    upright = g("Mul", g("Sign", a), number(g, math.pi / 2, dtype))
    return g("Where", g("Equal", b, zero), upright, near)


@writes("xlogy", "xlog1py")
def xlogy(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    if g.call.name == "xlog1py":
        b = g("Add", b, number(g, 1, dtype))
    zero = number(g, 0, dtype)
    return g("Where", g("Equal", a, zero), zero, g("Mul", a, g("Log", b)))


@writes("lerp")
def lerp(g: Writer, a: Any, b: Any, weight: Any) -> Any:
    dtype = out_dtype(g)
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    return g("Add", a, g("Mul", g.cast(weight, dtype), g("Sub", b, a)))


@writes("heaviside")
def heaviside(g: Writer, x: Any, values: Any) -> Any:
    dtype = out_dtype(g)
    x, zero = g.cast(x, dtype), number(g, 0, dtype)
    step = g.cast(g("Greater", x, zero), dtype, BOOL)
    return g("Where", g("Equal", x, zero), g.cast(values, dtype), step)


@writes("copysign")
def copysign(g: Writer, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    size = g("Abs", g.cast(a, dtype))
    return g("Where", signbit(g, b), g("Neg", size), size)


@writes("signbit")
def signbit(g: Writer, x: Any) -> Any:
    """Also of −0, whose reciprocal is −∞."""
    dtype = x.dtype if isinstance(x, Value) and x.dtype.kind == "f" else np.dtype(np.float32)
    if isinstance(x, Value) and x.dtype.kind == "u":
        return nowhere(g, x)
    x, zero = g.cast(x, dtype), number(g, 0, dtype)
    negative_zero = g("And", g("Equal", x, zero), g("Less", g("Reciprocal", x), zero))
    return g("Or", g("Less", x, zero), negative_zero)


@writes("clip")
def clip(g: Writer, x: Any, min: Any = None, max: Any = None) -> Any:
    dtype = out_dtype(g)
    x = g.cast(x, dtype)
    if any(isinstance(end, Value) and end.ndim for end in (min, max)):
        x = x if min is None else g("Max", x, g.cast(min, dtype))
        return x if max is None else g("Min", x, g.cast(max, dtype))
    return g("Clip", x, *(None if end is None else g.cast(end, dtype) for end in (min, max)))


# --- Comparisons and logic -----------------------------------------------------------------------


@writes("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
def compare(g: Writer, a: Any, b: Any) -> Any:
    kinds = {
        "equal": "Equal", "not_equal": "Equal", "less": "Less", "less_equal": "LessOrEqual",
        "greater": "Greater", "greater_equal": "GreaterOrEqual",
    }  # fmt: skip
    dtype = common(a, b)
    if dtype == BOOL and g.call.name not in ("equal", "not_equal"):
        dtype = np.dtype(np.int32)
    found = g(kinds[g.call.name], g.cast(a, dtype), g.cast(b, dtype))
    return g("Not", found) if g.call.name == "not_equal" else found


@writes("logical_and", "logical_or", "logical_xor")
def logical(g: Writer, a: Any, b: Any) -> Any:
    kind = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}[g.call.name]
    return g(kind, g.cast(a, BOOL), g.cast(b, BOOL))


@writes("logical_not")
def logical_not(g: Writer, x: Any) -> Any:
    return g("Not", g.cast(x, BOOL))


@writes("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise(g: Writer, a: Any, b: Any) -> Any:
    end = g.call.name.removeprefix("bitwise_").capitalize()
    dtype = out_dtype(g)
    kind = end if dtype == BOOL else f"Bitwise{end}"
    return g(kind, g.cast(a, dtype), g.cast(b, dtype))


@writes("bitwise_invert")
def bitwise_invert(g: Writer, x: Any) -> Any:
    dtype = out_dtype(g)
    return g("Not" if dtype == BOOL else "BitwiseNot", g.cast(x, dtype))


@writes("where")
def where(g: Writer, condition: Any, a: Any, b: Any) -> Any:
    dtype = out_dtype(g)
    return g("Where", g.cast(condition, BOOL), g.cast(a, dtype), g.cast(b, dtype))


@writes("isclose")
def isclose(
    g: Writer, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False
) -> Any:
    dtype = common(a, b, 1.0)
    if isinstance(rtol, Value) or isinstance(atol, Value):
        raise Unwritable("tolerances that are tensors")
    a, b = g.cast(a, dtype), g.cast(b, dtype)
    apart = g("Abs", g("Sub", a, b))
    most = g("Add", g("Mul", g("Abs", b), number(g, rtol, dtype)), number(g, atol, dtype))
    finite = g("Not", g("Or", g("IsInf", b), g("IsNaN", b)))
    near = g("Or", g("And", g("LessOrEqual", apart, most), finite), g("Equal", a, b))
    return g("Or", near, g("And", g("IsNaN", a), g("IsNaN", b))) if equal_nan else near


# --- Activations ---------------------------------------------------------------------------------


@writes("gelu")
def gelu(g: Writer, x: Any, approximate: str = "none") -> Any:
    return gelu_of(g, g.cast(x, out_dtype(g)), out_dtype(g), approximate)


def gelu_of(g: Writer, x: str, dtype: np.dtype, approximate: str) -> Any:
    if g.opset >= 20 and dtype != np.float64:  # which onnxruntime has of floats alone
        return g("Gelu", x, approximate=None if approximate == "none" else approximate)
    half, one = number(g, 0.5, dtype), number(g, 1, dtype)
    if approximate == "none":
        inner = g("Erf", g("Mul", x, number(g, math.sqrt(0.5), dtype)))
    else:
        cube = g("Mul", g("Mul", x, x), x)
        sum_ = g("Add", x, g("Mul", cube, number(g, 0.044715, dtype)))
        inner = g("Tanh", g("Mul", sum_, number(g, math.sqrt(2 / math.pi), dtype)))
    return g("Mul", g("Mul", x, half), g("Add", inner, one))


@writes("silu")
def silu(g: Writer, x: Any) -> Any:
    x = g.cast(x, out_dtype(g))
    return g("Mul", x, g("Sigmoid", x))


@writes("elu")
def elu(g: Writer, x: Any, alpha: float = 1.0) -> Any:
    return g("Elu", g.cast(x, out_dtype(g)), alpha=float(alpha))


@writes("leaky_relu")
def leaky_relu(g: Writer, x: Any, negative_slope: float = 0.01) -> Any:
    return g("LeakyRelu", g.cast(x, out_dtype(g)), alpha=float(negative_slope))


@writes("hardtanh")
def hardtanh(g: Writer, x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    dtype = out_dtype(g)
    return g("Clip", g.cast(x, dtype), number(g, min_val, dtype), number(g, max_val, dtype))


@writes("softplus")
def softplus(g: Writer, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Beyond the threshold the two differ by less than e⁻²⁰."""
    dtype = out_dtype(g)
    x = g.cast(x, dtype)
    if beta == 1:
        found = g("Softplus", x)
        scaled = x
    else:
        scaled = g("Mul", x, number(g, beta, dtype))
        found = g("Div", g("Softplus", scaled), number(g, beta, dtype))
    if threshold == 20.0:
        return found
    return g("Where", g("Greater", scaled, number(g, threshold, dtype)), x, found)


@writes("gated")
def gated(g: Writer, gate: Any, up: Any, activation: str = "silu") -> Any:
    dtype = out_dtype(g)
    gate, up = g.cast(gate, dtype), g.cast(up, dtype)
    if activation in ("gelu", "gelu_tanh"):
        opened = gelu_of(g, gate, dtype, "tanh" if activation == "gelu_tanh" else "none")
    elif activation == "silu":
        opened = g("Mul", gate, g("Sigmoid", gate))
    else:
        opened = g({"relu": "Relu", "sigmoid": "Sigmoid"}[activation], gate)
    return g("Mul", opened, up)


@writes("dropout", "keyed_dropout")
def dropout(
    g: Writer, x: Any, p: float = 0.5, training: bool = True, generator: Any = None, key: Any = None
) -> Any:
    if not training or p == 0 or not g.training:
        return g.value(x)
    ratio = number(g, p, np.float32)
    return g("Dropout", x, ratio, np.array(True), outputs=1)


@writes("with_shares", "_note")
def unchanged(g: Writer, x: Any, **rest: Any) -> Any:
    return g.value(x)


@writes("powers_near")
def powers_near(g: Writer, sizes: Value) -> Any:
    """1 for what is in the range of its dtype."""
    return g("Expand", number(g, 1, sizes.dtype), g.ints(sizes.sizes))


@writes("_finite")
def finite(g: Writer, x: Value, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    dtype = out_dtype(g)
    if dtype.kind != "f":
        return g.value(x)
    most = np.finfo(dtype)
    ends = {1: most.max if posinf is None else posinf, 0: most.min if neginf is None else neginf}
    found = g("Where", g("IsNaN", x), number(g, nan, dtype), x)
    for positive, end in ends.items():
        inf = g("IsInf", x, detect_positive=positive, detect_negative=1 - positive)
        found = g("Where", inf, number(g, end, dtype), found)
    return found
