"""NumPy's names for what is ours: which op answers ``np.exp(tensor)`` or ``np.sum(tensor)``."""

from __future__ import annotations

import sys
from functools import cache
from inspect import signature
from typing import Any

import numpy as np

from .. import ops

# Where an op has another name than NumPy's ufunc.
NAMES_OF_UFUNCS = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}


# NumPy's functions that are ours as well, by name; then those of another name here.
# fmt: off
_SHARED_FUNCTIONS = {
    "all", "any", "argmax", "argmin", "broadcast_arrays", "broadcast_to", "clip",
    "count_nonzero", "einsum", "expand_dims", "flip", "isin", "kron", "max", "mean", "meshgrid",
    "min", "moveaxis", "nonzero", "outer", "pad", "prod", "repeat", "reshape", "roll",
    "searchsorted", "squeeze", "stack", "sum", "swapaxes", "take", "take_along_axis",
    "tensordot", "tile", "tril", "triu", "where",
}
# fmt: on
_NAMES_OF_FUNCTIONS = {"concatenate": "concat", "transpose": "permute_dims"}
# What stands behind the positional arguments that both have, in NumPy's signatures.
_BEYOND = {"out", "dtype", "keepdims", "subok", "order", "assume_unique", "mode", "sorter"}


@cache
def function_of(function: Any) -> tuple[Any, int, int, frozenset[str]] | None:
    """Our version of a function of NumPy, how many arguments it needs, how many positional ones
    mean the same in both, and the keywords that it knows; None if there is none."""
    name = getattr(function, "__name__", "")
    if not hasattr(np, name) or getattr(np, name) is not function:
        return None
    if name not in _SHARED_FUNCTIONS and name not in _NAMES_OF_FUNCTIONS:
        return None
    own: Any = getattr(ops, _NAMES_OF_FUNCTIONS.get(name, name))
    most = 0
    for parameter in signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = sys.maxsize
        if parameter.name in _BEYOND or parameter.kind is parameter.KEYWORD_ONLY:
            break
        most += 1
    taken = signature(own).parameters
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in taken.values())
    return own, least, most, frozenset(taken)
