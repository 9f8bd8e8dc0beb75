"""Arithmetic and functions of numbers, element by element."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_floating
from ..registry import operator
from ..values import array, value

_ONE: dict[str, Any] = {
    "Abs": ops.abs, "Acos": ops.acos, "Acosh": ops.acosh, "Asin": ops.asin, "Asinh": ops.asinh,
    "Atan": ops.atan, "Atanh": ops.atanh, "Ceil": ops.ceil, "Cos": ops.cos, "Cosh": ops.cosh,
    "Erf": ops.erf, "Exp": ops.exp, "Floor": ops.floor, "Log": ops.log, "Neg": ops.negative,
    "Reciprocal": ops.reciprocal, "Round": ops.round, "Sign": ops.sign, "Sin": ops.sin,
    "Sinh": ops.sinh, "Sqrt": ops.sqrt, "Tan": ops.tan, "Tanh": ops.tanh,
    "Sigmoid": ops.sigmoid,
}  # fmt: skip
_TWO: dict[str, Any] = {"Add": ops.add, "Sub": ops.subtract, "Mul": ops.multiply}


def _of_one(function: Any) -> Any:
    def called(x: Any) -> Any:
        return function(x)

    return called


def _of_two(function: Any) -> Any:
    def called(a: Any, b: Any) -> Any:
        return function(a, b)

    return called


for _name, _function in _ONE.items():
    operator(_name)(_of_one(_function))
for _name, _function in _TWO.items():
    operator(_name, since=7)(_of_two(_function))


def aligned(x: Any, b: Any, axis: int | None) -> Any:
    """b as what is broadcast to x: before opset 7 an attribute told where its axes begin."""
    if axis is None:
        return b
    behind = x.ndim - b.ndim - (axis + x.ndim if axis < 0 else axis)
    return ops.reshape(b, (*b.shape, *(1,) * behind))


def _of_two_aligned(function: Any) -> Any:
    def called(
        a: Any,
        b: Any,
        *,
        axis: int | None = None,
        broadcast: int = 0,
        consumed_inputs: tuple[int, ...] | None = None,
    ) -> Any:
        return function(a, aligned(a, b, axis))

    return called


@operator("Div", since=7)
def divide(a: Any, b: Any) -> Any:
    if is_floating(a.dtype):
        return ops.divide(a, b)
    a, b = array(a), array(b)
    with np.errstate(divide="ignore", over="ignore"):
        down = a // b
        # ONNX cuts off the fraction, which for quotients below 0 is to round up.
        return value((down + ((a % b != 0) & ((a < 0) != (b < 0)))).astype(a.dtype))


@operator("Mod", since=10)
def modulo(a: Any, b: Any, *, fmod: int = 0) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return ops.fmod(a, b) if fmod else ops.remainder(a, b)


@operator("Pow", since=7)
def power(a: Any, b: Any) -> Any:
    if a.dtype == b.dtype and is_floating(a.dtype):
        return ops.pow(a, b)
    if is_floating(a.dtype):
        return ops.pow(a, ops.astype(b, a.dtype))
    with np.errstate(all="ignore"):  # of an integer base the power is cut to an integer
        return value(np.power(array(a), array(b)).astype(a.dtype))


for _name, _function in {**_TWO, "Div": divide, "Pow": power}.items():
    operator(_name)(_of_two_aligned(_function))


def _folded(function: Any) -> Any:
    """An operator of any number of inputs, taken two by two."""

    def called(*inputs: Any) -> Any:
        return reduce(function, inputs)

    return called


_MANY: dict[str, Any] = {"Sum": ops.add, "Max": ops.maximum, "Min": ops.minimum}
for _name, _function in _MANY.items():
    operator(_name, since=6)(_folded(_function))


@operator("Mean", since=6)
def mean(*inputs: Any) -> Any:
    return reduce(ops.add, inputs) / len(inputs)


@operator("Clip", since=6)
def clip_6(x: Any, *, min: float | None = None, max: float | None = None) -> Any:
    return x if min is None and max is None else ops.clip(x, min, max)


@operator("Clip", since=11, settings=(1, 2))
def clip(x: Any, least: Any = None, most: Any = None) -> Any:
    x = x if least is None else ops.maximum(x, least)
    return x if most is None else ops.minimum(x, most)


def _running(function: Any, start: int) -> Any:
    def called(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
        along = int(array(axis).reshape(()))
        x = ops.flip(x, along) if reverse else x
        out = function(x, along)
        if exclusive:
            first = [(0, 0)] * x.ndim
            first[along] = (1, 0)
            out = ops.pad(out, first, constant_values=start)
            inside = [slice(None)] * x.ndim
            inside[along] = slice(0, -1)
            out = out[tuple(inside)]
        return ops.flip(out, along) if reverse else out

    return called


operator("CumSum", since=11)(_running(lambda x, axis: ops.cumsum(x, axis, dtype=x.dtype), 0))
operator("CumProd", since=26)(_running(lambda x, axis: ops.cumprod(x, axis, dtype=x.dtype), 1))
