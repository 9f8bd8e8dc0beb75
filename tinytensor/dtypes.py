"""Data types: their names, their limits, and how they promote (Array API, "Data types")."""

from __future__ import annotations

import builtins
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .engine.core import Variable
from .kernels.reference.spec import is_narrow

__all__ = [
    "bool",
    "can_cast",
    "complex64",
    "complex128",
    "finfo",
    "float16",
    "float32",
    "float64",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "isdtype",
    "result_type",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

bool = np.dtype(np.bool_)
int8, int16, int32, int64 = (np.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{bits}") for bits in (16, 32, 64))
complex64, complex128 = np.dtype(np.complex64), np.dtype(np.complex128)

DEFAULTS = {
    "real floating": float32,
    "complex floating": complex64,
    "integral": int64,
    "indexing": int64,
}
KINDS = {
    "bool": (bool,),
    "signed integer": (int8, int16, int32, int64),
    "unsigned integer": (uint8, uint16, uint32, uint64),
    "real floating": (float32, float64),
    "complex floating": (complex64, complex128),
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["numeric"] = KINDS["integral"] + KINDS["real floating"] + KINDS["complex floating"]


# --- 16-bit floats: stored so, computed in float32 ---------------------------------------------


@cache
def _bfloat16() -> np.dtype:
    """The dtype bfloat16: float32 without its 16 last bits."""
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise AttributeError(
            "bfloat16 is the dtype of the package ml_dtypes: pip install tinytensor[bfloat16]"
        ) from None
    return np.dtype(bfloat16)


def is_real_floating(value: Any) -> builtins.bool:
    """Whether an array or a dtype is of real floating-point numbers, those of 16 bits among them.

    NumPy's kind of bfloat16 is "V", so whoever asks for the kind "f" leaves it out.
    """
    dtype = getattr(value, "dtype", value)
    return dtype.kind == "f" or is_narrow(dtype)


def is_complex(value: Any) -> builtins.bool:
    """Whether an array or a dtype is of complex numbers."""
    return getattr(value, "dtype", value).kind == "c"


def is_floating(value: Any) -> builtins.bool:
    """Whether an array or a dtype is of real or complex floating-point numbers."""
    dtype = getattr(value, "dtype", value)
    return dtype.kind in "fc" or is_narrow(dtype)


def is_number(value: Any) -> builtins.bool:
    """Whether an array or a dtype is of numbers that ops take, bools among them."""
    dtype = getattr(value, "dtype", value)
    return dtype.kind in "biufc" or is_narrow(dtype)


def same_kind(dtype: np.dtype, to: np.dtype) -> builtins.bool:
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


# --- What the standard asks -----------------------------------------------------------------


class finfo_object(NamedTuple):
    """The limits of a floating-point dtype: see :func:`finfo`."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype


class iinfo_object(NamedTuple):
    """The limits of an integer dtype: see :func:`iinfo`."""

    bits: int
    max: int
    min: int
    dtype: np.dtype


def _raw(of: Any) -> Any:
    return of.value if isinstance(of, Variable) else of


def _dtype(of: Any) -> np.dtype:
    """The dtype that is meant, or that of an array."""
    of = _raw(of)
    return of.dtype if isinstance(of, np.ndarray | np.generic) else np.dtype(of)


def finfo(type: Any) -> finfo_object:
    """The limits of a floating-point dtype (of its parts, if it is complex) or of an array's.

    >>> import tinytensor as tt
    >>> tt.finfo(tt.float32).bits
    32
    """
    dtype = _dtype(type)
    if dtype.kind == "V" and is_narrow(dtype):
        import ml_dtypes

        found: Any = ml_dtypes.finfo(dtype)
    else:
        found = np.finfo(dtype)
    return finfo_object(
        int(found.bits),
        float(found.eps),
        float(found.max),
        float(found.min),
        float(found.smallest_normal),
        np.dtype(found.dtype),
    )


def iinfo(type: Any) -> iinfo_object:
    """The limits of an integer dtype or of an array's.

    >>> import tinytensor as tt
    >>> tt.iinfo(tt.int8).max
    127
    """
    found = np.iinfo(_dtype(type))
    return iinfo_object(int(found.bits), int(found.max), int(found.min), np.dtype(found.dtype))


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether ``dtype`` is another dtype, of a kind ("bool", "signed integer", "unsigned integer",
    "integral", "real floating", "complex floating", "numeric"), or one of a tuple of these."""
    dtype = np.dtype(dtype)
    if not is_narrow(dtype):
        return np.isdtype(dtype, kind)
    # as float32, which is of the same kinds
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return any(dtype == k if isinstance(k, np.dtype) else np.isdtype(float32, k) for k in kinds)


def can_cast(from_: Any, to: Any) -> Any:
    """Whether values of a dtype (or array) are all values of the dtype ``to`` as well."""
    return np.can_cast(_dtype(from_), _dtype(to))


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """The dtype of a calculation with these arrays, dtypes and Python numbers together."""
    given = [_raw(x) for x in arrays_and_dtypes]
    numbers = [x for x in given if isinstance(x, int | float | complex)]
    dtypes = {_dtype(x) for x in given if not isinstance(x, int | float | complex)}
    found = np.result_type(*numbers, *(float32 if is_narrow(dtype) else dtype for dtype in dtypes))
    narrow = common(dtypes)
    return narrow if narrow is not None and found == float32 else found


if TYPE_CHECKING:
    bfloat16: np.dtype
else:

    def __getattr__(name):
        if name == "bfloat16":  # of a package that need not be there
            return _bfloat16()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
