"""How twins and ops take numbers of several kinds: by the rule of dtypes.promoted. No kernels.

The fast kernels cover arrays of float32 and Python's numbers, which need no rule, and hand all else
to their twins. So the rule costs nothing where all is of one dtype.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

import numpy as np

from ...dtypes import COMPLEX, FLOAT, REACH, REAL_OF, is_array, is_floating, promoted

__all__ = ["alike", "mixing", "promoting"]

F = TypeVar("F", bound=Callable[..., Any])
_ARRAY = (np.ndarray, np.generic)


def _fitted(x: Any, to: np.dtype) -> Any:
    """Integers as the floating dtype ``to``, or that of its parts; anything else as it is."""
    if isinstance(x, _ARRAY) and x.dtype.kind in "biu":
        return x.astype(REAL_OF.get(to, to))
    return x


def alike(arrays: Sequence[Any], floating: bool = False) -> Sequence[Any]:
    """Arrays with the integers among them as floats, where the rule says that they are floats."""
    dtypes = {x.dtype for x in arrays if isinstance(x, _ARRAY)}
    if len(dtypes) == 1 and not floating:
        return arrays
    to = promoted(dtypes, 0, floating) if dtypes else None
    return arrays if to is None or not is_floating(to) else [_fitted(x, to) for x in arrays]


def mixing(function: Callable[..., Any], floating: bool = False, first: int = 0) -> Any:
    """An element-wise function, of which all arguments from the ``first`` on are operands: arrays,
    sequences of numbers and single ones. A ``floating`` one has floats of integers too."""

    @wraps(function)
    def mixed(*args: Any, **settings: Any) -> Any:
        operands, reach, dtypes, lists = list(args[first:]), 0, set(), []
        for i, x in enumerate(operands):
            if isinstance(x, (list, tuple)):
                operands[i] = array = np.asarray(x)
                if is_floating(array.dtype) and not is_array(x):
                    lists.append(i)
                    reach = max(reach, COMPLEX if array.dtype.kind == "c" else FLOAT)
                else:
                    dtypes.add(array.dtype)
            elif isinstance(x, _ARRAY):
                dtypes.add(x.dtype)
            else:
                reach = max(reach, REACH.get(type(x), 0))
        if len(dtypes) == 1 and not lists and is_floating(next(iter(dtypes))):
            return function(*args[:first], *operands, **settings)
        to = promoted(dtypes, reach, floating) if dtypes or reach else None
        if to is not None and is_floating(to):
            operands = [
                np.asarray(x, to)
                if i in lists or (not dtypes and type(x) in REACH)
                else _fitted(x, to)
                for i, x in enumerate(operands)
            ]
        return function(*args[:first], *operands, **settings)

    return mixed


def promoting(floating: bool = False, but: tuple[str, ...] = ()) -> Callable[[F], F]:
    """A decorator of functions of arrays of numbers and of settings. These have no part in the
    rule, nor has what is named in ``but``: indices, counts, memory to write into."""

    def decorated(function: F) -> F:
        names = list(signature(function).parameters) if but else []
        left = {names.index(name) for name in but}

        @wraps(function)
        def call(*args: Any, **settings: Any) -> Any:
            dtypes = {
                x.dtype for i, x in enumerate(args) if isinstance(x, _ARRAY) and i not in left
            }
            if not dtypes or (len(dtypes) == 1 and is_floating(next(iter(dtypes)))):
                return function(*args, **settings)
            to = promoted(dtypes, 0, floating)
            if is_floating(to):
                args = tuple([x if i in left else _fitted(x, to) for i, x in enumerate(args)])
            return function(*args, **settings)

        return cast(F, call)

    return decorated
