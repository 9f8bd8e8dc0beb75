"""Comparisons, truths, and bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, value
from .arithmetic import aligned


def _pair(function: Any) -> Any:
    def called(a: Any, b: Any) -> Any:
        return function(a, b)

    return called


def _aligned_pair(function: Any) -> Any:
    def called(a: Any, b: Any, *, axis: int | None = None, broadcast: int = 0) -> Any:
        return function(a, aligned(a, b, axis))

    return called


for _name, _function in {
    "And": ops.logical_and, "Or": ops.logical_or, "Xor": ops.logical_xor,
    "Greater": ops.greater, "Less": ops.less,
}.items():  # fmt: skip
    operator(_name)(_aligned_pair(_function))
    operator(_name, since=7)(_pair(_function))
for _name, _function in {
    "GreaterOrEqual": ops.greater_equal,
    "LessOrEqual": ops.less_equal,
}.items():
    operator(_name, since=12)(_pair(_function))
for _name, _function in {
    "BitwiseAnd": ops.bitwise_and, "BitwiseOr": ops.bitwise_or, "BitwiseXor": ops.bitwise_xor,
}.items():  # fmt: skip
    operator(_name, since=18)(_pair(_function))


@operator("Equal", since=7)
def equal(a: Any, b: Any) -> Any:
    return ops.equal(a, b) if isinstance(a, Tensor) else value(array(a) == array(b))


@operator("Not")
def negation(x: Any) -> Any:
    return ops.logical_not(x)


@operator("BitwiseNot", since=18)
def bitwise_not(x: Any) -> Any:
    return ops.bitwise_invert(x)


@operator("BitShift", since=11)
def shift(x: Any, by: Any, *, direction: str) -> Any:
    shifted = {"LEFT": ops.bitwise_left_shift, "RIGHT": ops.bitwise_right_shift}
    if direction not in shifted:
        raise ValueError(f"BitShift: direction is LEFT or RIGHT, not {direction!r}")
    return shifted[direction](x, by)


@operator("IsNaN", since=9)
def is_nan(x: Any) -> Any:
    return ops.isnan(x) if isinstance(x, Tensor) else value(np.isnan(x))


@operator("IsInf", since=10)
def is_inf(x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    if not isinstance(x, Tensor):
        x = value(x.astype(np.float32))
    found = ops.isinf(x)
    if not detect_negative:
        found = ops.logical_and(found, ops.greater(x, 0))
    if not detect_positive:
        found = ops.logical_and(found, ops.less(x, 0))
    return found


@operator("Where", since=9)
def where(condition: Any, a: Any, b: Any) -> Any:
    if isinstance(a, Tensor):
        return ops.where(condition, a, b)
    return value(np.where(array(condition), array(a), array(b)))
