"""16-bit floats: dtypes to store numbers in. Ops compute on them through float32.

An op takes float16 and bfloat16 as float32, computes, and rounds its output once, to the dtype
that its 16-bit inputs have in common. With an input of another floating dtype, or with both 16-bit
dtypes, the output stays what was computed: float32, or wider. So sums and means add up in float32.
bfloat16 is the dtype of the package ml_dtypes, and there only where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .operation import Op

__all__ = ["bfloat16", "is_narrow", "widened"]

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)


@cache
def bfloat16() -> np.dtype:
    """The dtype bfloat16: float32 without its 16 last bits."""
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise AttributeError(
            "bfloat16 is the dtype of the package ml_dtypes: pip install tinytensor[bfloat16]"
        ) from None
    return np.dtype(bfloat16)


def is_narrow(value: Any) -> bool:
    """Whether an array or a dtype is of 16-bit floats."""
    dtype = getattr(value, "dtype", value)
    if not isinstance(dtype, np.dtype) or dtype.itemsize != 2:
        return False
    return dtype.kind == "f" or dtype.name == "bfloat16"


def is_floating(dtype: np.dtype) -> bool:
    """Whether a dtype is of real or complex floating-point numbers."""
    return dtype.kind in "fc" or is_narrow(dtype)


def same_kind(dtype: np.dtype, to: np.dtype) -> bool:
    """Whether numbers may be stored as ``to``: what has more digits is rounded, but nothing loses
    its imaginary part, its fraction or its sign."""
    dtype, to = (float32 if is_narrow(each) else each for each in (dtype, to))
    return np.can_cast(dtype, to, "same_kind")


def wide(value: Any) -> Any:
    """An argument with its 16-bit arrays as float32."""
    if isinstance(value, np.ndarray | np.generic):
        return value.astype(float32) if is_narrow(value) else value
    return type(value)(map(wide, value)) if type(value) in (list, tuple) else value


def common(dtypes: set[np.dtype]) -> np.dtype | None:
    """The one floating dtype among these, if that is a 16-bit one."""
    floating = [dtype for dtype in dtypes if is_floating(dtype)]
    return floating[0] if len(floating) == 1 and is_narrow(floating[0]) else None


@cache
def widened(op: Op) -> Callable[..., Any]:
    """The forward function of an op for arguments some of which are, or may be, 16-bit arrays."""
    if op.view and not getattr(op, "computes", False):  # memory is to be shared
        return op.forward
    changed = [op.position(name) for name in getattr(op, "overwrites", ())]

    def forward(*values: Any, **static: Any) -> Any:
        inputs = values[0] if op.variadic else values
        dtypes = {x.dtype for x in inputs if isinstance(x, np.ndarray | np.generic)}
        to = common(dtypes)
        taken = [wide(value) for value in values]
        if op.dtype_at >= 0 and values[op.dtype_at] is not None:
            to = np.dtype(values[op.dtype_at])
            if is_narrow(to):
                taken[op.dtype_at] = float64 if float64 in dtypes else float32
        got = op.forward(*taken, **static)
        for place in changed:
            if taken[place] is not values[place]:
                values[place][...] = taken[place]
        if to is None or not is_narrow(to):
            return got
        if op.outputs == 1 and not op.residuals:
            return rounded(got, to)
        outputs = op.outputs or len(got)
        return (*[rounded(out, to) for out in got[:outputs]], *got[outputs:])

    return forward


def rounded(value: Any, dtype: np.dtype) -> Any:
    """A computed output as ``dtype``; indices, counts and truths stay what they are."""
    return value.astype(dtype) if value.dtype in (float32, float64) else value
