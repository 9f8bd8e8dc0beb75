"""NumPy's names for what is ours: which op answers ``np.exp(tensor)`` or ``np.sum(tensor)``."""

from __future__ import annotations

import sys
from functools import cache
from inspect import signature
from typing import Any

import numpy as np

from .. import ops
from ..ops import fft, linalg

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


# NumPy's functions that are ours as well, by name, in numpy ("") and its modules; then those of
# another name here.
# fmt: off
_SHARED_FUNCTIONS = {
    "": {
        "all", "allclose", "angle", "any", "argmax", "argmin", "argsort", "astype", "atleast_1d",
        "atleast_2d", "atleast_3d", "bincount", "broadcast_arrays", "broadcast_to", "clip",
        "column_stack", "concatenate", "count_nonzero", "cumulative_prod", "cumulative_sum", "diag",
        "diagflat", "diff", "dsplit", "dstack", "einsum", "expand_dims", "flip", "fliplr", "flipud",
        "hsplit", "hstack", "i0", "imag", "isclose", "isin", "isneginf", "isposinf", "isreal",
        "kron", "matrix_transpose", "max", "mean", "meshgrid", "min", "moveaxis",
        "nanmean", "nanquantile", "nansum", "nonzero", "outer", "pad", "prod", "quantile", "real",
        "repeat", "reshape", "roll", "rot90", "round", "searchsorted", "sinc", "sort", "split",
        "squeeze", "stack", "std", "sum", "swapaxes", "take", "take_along_axis", "tensordot",
        "tile", "transpose", "trapezoid", "tril", "triu", "unstack", "var", "vsplit", "vstack",
        "where",
    },
    "linalg": {
        "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
        "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_transpose", "multi_dot",
        "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
        "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
    },
    "fft": {
        "fft", "fft2", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft",
        "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftn",
    },
}
_NAMES_OF_FUNCTIONS = {
    "amax": "max", "amin": "min", "around": "round", "concatenate": "concat",
    "transpose": "permute_dims",
}
# What stands behind the positional arguments that both have, in NumPy's signatures.
_BEYOND = {
    "out", "dtype", "keepdims", "subok", "order", "assume_unique", "mode", "sorter", "kind",
    "compute_uv", "UPLO", "decimals", "casting",
}
# fmt: on
# Whose results depend on the shape of x alone.
OF_SHAPES = (np.zeros_like, np.ones_like, np.empty_like, np.full_like)
# Which return nothing, but change their first argument.
WRITING = (np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask)


def _along_all(running: Any) -> Any:
    """A running sum or product, of all elements in a row where no axis is given."""

    def call(a: Any, axis: int | None = None) -> Any:
        return running(ops.reshape(a, (-1,)), 0) if axis is None else running(a, axis)

    call.__name__ = running.__name__
    return call


def _dot(a: Any, b: Any) -> Any:
    if 0 in (np.ndim(a), np.ndim(b)):
        return ops.multiply(a, b)
    return ops.tensordot(a, b, ((-1,), (-2 if np.ndim(b) > 1 else -1,)))


def _inner(a: Any, b: Any) -> Any:
    if 0 in (np.ndim(a), np.ndim(b)):
        return ops.multiply(a, b)
    return ops.tensordot(a, b, ((-1,), (-1,)))


# Functions of NumPy that are a few of our ops.
_COMPOSED_FUNCTIONS: dict[str, Any] = {
    "copy": lambda a: ops.clone(a),
    "cross": lambda a, b: ops.cross(a, b),
    "cumprod": _along_all(ops.cumprod),
    "cumsum": _along_all(ops.cumsum),
    "dot": _dot,
    "inner": _inner,
    "ravel": lambda a: ops.reshape(a, (-1,)),
}


@cache
def function_of(function: Any) -> tuple[Any, int, int, frozenset[str]] | None:
    """Our version of a function of NumPy, how many arguments it needs, how many positional ones
    mean the same in both, and the keywords that it knows; None if there is none."""
    name = getattr(function, "__name__", "")
    places = {"": (np, ops), "linalg": (np.linalg, linalg), "fft": (np.fft, fft)}
    place = next((p for p, (its, _) in places.items() if getattr(its, name, 0) is function), None)
    own_name = _NAMES_OF_FUNCTIONS.get(name, name)
    own: Any = _COMPOSED_FUNCTIONS.get(name) if place == "" else None
    if own is None:
        if place is None or not {name, own_name} & _SHARED_FUNCTIONS[place]:
            return None
        own = getattr(places[place][1], own_name)
    most = 0
    for parameter in signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = sys.maxsize
        if parameter.name in _BEYOND or parameter.kind is parameter.KEYWORD_ONLY:
            break
        most += 1
    taken = signature(own).parameters
    if not any(p.kind is p.VAR_POSITIONAL for p in taken.values()):
        most = min(most, len(taken))
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in taken.values())
    return own, least, most, frozenset(taken)


def written_by(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments that a call of a function of NumPy has written into."""
    first = args[0] if args else next(iter(kwargs.values()), None)
    copies = kwargs.get("copy", True) is not False or function is not np.nan_to_num
    own = function in WRITING or kwargs.get("overwrite_input") or not copies
    out = kwargs.get("out")
    return [*([first] if own else []), *(out if isinstance(out, tuple) else (out,))]


def name_of(function: Any) -> str:
    """A function's name as users write it: "np.linalg.norm"."""
    return f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
