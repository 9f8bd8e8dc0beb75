"""16-bit floats in what is made of several ops: float32 inside, and rounded once.

An op takes float16 and bfloat16 as float32 and rounds its output. A function of several ops would
round at each of them: ``once_rounded`` casts its arguments before, and what it returns behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np

from ..dtypes import common, float32, float64, is_narrow
from ..engine.core import Variable
from .batching import elementwise
from .declared import op

__all__ = ["cast"]

ARRAYS = (np.ndarray, np.generic)  # a tuple, which isinstance asks sooner than a union


@op
def cast(x, dtype):
    """x with floating-point elements of ``dtype``. Its gradient is cast back."""
    return np.asarray(x).astype(dtype)


cast.batched(elementwise).grad(x=lambda g: g)


def once_rounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, made of ops, that computes in float32 what it is given in 16 bits."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not has_narrow(args) and not (kwargs and has_narrow((*kwargs.values(),))):
            return function(*args, **kwargs)
        to = common(set(dtypes_among((*args, *kwargs.values()))))
        kwargs = {name: widened(value) for name, value in kwargs.items()}
        return narrowed(function(*widened(args), **kwargs), to)

    return call


def has_narrow(value: Any) -> bool:
    """Whether an argument is of 16-bit floats, or a sequence with such in it."""
    if isinstance(value, Variable):
        return value.rounded
    if type(value) in (list, tuple):
        return any(map(has_narrow, value))
    return isinstance(value, ARRAYS) and is_narrow(value)


def dtypes_among(value: Any) -> Iterator[np.dtype]:
    """The dtype of an argument, or those in a sequence."""
    if type(value) in (list, tuple):
        for item in value:
            yield from dtypes_among(item)
    elif isinstance(value, Variable | np.ndarray):
        tensor: Any = value
        yield tensor.dtype


def widened(value: Any) -> Any:
    """An argument with what has 16 bits as float32."""
    if type(value) in (list, tuple):
        return type(value)(map(widened, value))
    return cast(value, float32) if has_narrow(value) else value


def narrowed(value: Any, to: np.dtype | None) -> Any:
    """What was computed, rounded to ``to``; indices, counts and truths stay what they are."""
    if to is None or value is NotImplemented:
        return value
    if hasattr(value, "dtype"):
        return cast(value, to) if value.dtype in (float32, float64) else value
    made = (narrowed(one, to) for one in value)
    return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
