"""Functions made of ops: they take what ops take, and their errors begin with their own names."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..engine import Variable
from ..errors import AxisError, DtypeError, RangeError, ShapeError
from ..operation import BAD_INPUT


def composed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the first argument be whatever makes an array, and put the name before any error."""
    name = function.__name__

    @wraps(function)
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(x if isinstance(x, Variable) else np.asarray(x), *args, **kwargs)
        except BAD_INPUT as error:
            if str(error).startswith(f"{name}: "):
                raise
            kind: type[Exception] = DtypeError
            if isinstance(error, IndexError):
                kind = AxisError if isinstance(error, ValueError) else IndexError
            elif isinstance(error, ValueError):
                kind = ShapeError
            elif isinstance(error, OverflowError):
                kind = RangeError
            raise kind(f"{name}: {error}") from error

    return call
