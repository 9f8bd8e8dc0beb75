"""Data types: their names, their limits, the default one, and how they promote (Array API, "Data
types").

The rule of promotion stands here once, in :func:`promoted`: within a kind the larger dtype, between
kinds the floating one, and numbers that are no arrays have a kind but no dtype. So nothing becomes
float64 unless an array or an argument says float64. ``kernels/reference/promotion.py`` makes the
ops obey.
"""

from __future__ import annotations

import builtins
from array import array
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .engine.core import Variable
from .errors import AxisError, DtypeError, RangeError

__all__ = [
    "bool",
    "can_cast",
    "complex64",
    "complex128",
    "finfo",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "isdtype",
    "result_type",
    "set_default_dtype",
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

COMPLEX_OF: dict[Any, np.dtype] = {float32: complex64, float64: complex128}
REAL_OF: dict[Any, np.dtype] = {complex64: float32, complex128: float64}
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


def is_narrow(value: Any) -> builtins.bool:
    """Whether an array or a dtype is of 16-bit floats."""
    dtype = getattr(value, "dtype", value)
    if not isinstance(dtype, np.dtype) or dtype.itemsize != 2:
        return False
    return dtype.kind == "f" or dtype.name == "bfloat16"


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


# --- The default dtype ------------------------------------------------------------------------

_default: np.dtype = float32


def meant(by: str, dtype: Any) -> np.dtype:
    """The dtype that is named, or an error in the name of ``by``. None is no dtype: NumPy takes it
    for float64."""
    try:
        if dtype is not None:
            return np.dtype(dtype)
    except TypeError:
        pass
    raise DtypeError(f"{by}: {dtype!r} is no dtype")


def get_default_dtype() -> np.dtype:
    """The dtype of floating-point numbers that have none: of Python's floats, of what creation
    functions and random draws make, of layers' parameters, and of the quotient of two integers."""
    return _default


class set_default_dtype:
    """Set the default dtype, to float32 or float64: as a statement, or from ``with`` to its end.

    The complex default follows it. All threads and tasks share it, as they share what a program's
    data look like: a loader's threads would otherwise go on making float32. So ``with`` is for a
    program that does one thing at a time.

    >>> import tinytensor as tt
    >>> with tt.set_default_dtype(tt.float64):
    ...     tt.zeros(2).dtype, (tt.tensor(1) / 2).dtype
    (dtype('float64'), dtype('float64'))
    >>> tt.get_default_dtype()
    dtype('float32')
    """

    def __init__(self, dtype: Any) -> None:
        global _default
        wanted = meant("set_default_dtype", dtype)
        if wanted not in COMPLEX_OF:
            raise DtypeError(f"set_default_dtype: needs float32 or float64, not {wanted}")
        self.before, _default = _default, wanted

    def __enter__(self) -> set_default_dtype:  # the constructor has set it already
        return self

    def __exit__(self, *error: object) -> None:
        global _default
        _default = self.before


def defaults() -> dict[str, np.dtype]:
    """The default dtypes by the standard's names of kinds."""
    return {
        "real floating": _default,
        "complex floating": COMPLEX_OF[_default],
        "integral": int64,
        "indexing": int64,
    }


# --- Promotion --------------------------------------------------------------------------------

# How far a Python number reaches: 1 among truths, 2 to integers, 3 to floats, 4 to complex ones.
FLOAT, COMPLEX = 3, 4
REACH = {builtins.bool: 1, int: 2, builtins.float: FLOAT, complex: COMPLEX}


def promoted(
    dtypes: Iterable[np.dtype], reach: int = 0, floating: builtins.bool = False
) -> np.dtype:
    """The dtype of a calculation with arrays of these dtypes and Python numbers up to ``reach``; of
    a ``floating`` one, such as a quotient or an exponential, also where all are integers.

    Among floating dtypes the larger, and integers beside them do not count. Integers, beside a
    number with a fraction or where the result has one, are of the default dtype. An imaginary
    number makes complex numbers of that precision.
    """
    return _promoted(frozenset(dtypes), reach, floating, _default)


@cache
def _promoted(
    dtypes: frozenset[np.dtype], reach: int, floating: builtins.bool, default: np.dtype
) -> np.dtype:
    floats = {dtype for dtype in dtypes if is_floating(dtype)}
    if floats:
        narrow = common(floats)
        if narrow is not None and reach < COMPLEX:
            return narrow
        found = np.result_type(*(float32 if is_narrow(dtype) else dtype for dtype in floats))
    else:
        numbers = ((), (True,), (0,), (0,), (0,))[reach]
        found = np.result_type(*dtypes, *numbers)
        if floating or reach >= FLOAT or found.kind == "f":  # uint64 with int64, says NumPy
            found = default
    return COMPLEX_OF.get(found, found) if reach == COMPLEX else found


class Size(int):
    """How many elements there are. Called, the sizes along the axes, or along one of them: what
    PyTorch's ``x.size()`` and ``x.size(0)`` are, while ``x.size`` is the standard's number."""

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        if dim is None:
            return self.shape
        if not -len(self.shape) <= dim < len(self.shape):
            raise AxisError(f"size: there is no axis {dim} in {len(self.shape)} dimensions")
        return self.shape[dim]

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)


SCALARS = (np.generic, Size)


def number_of(x: Any) -> Any:
    """A scalar of NumPy's, or a size, as Python's number; anything else as it is."""
    if isinstance(x, np.generic):
        return x.item()
    return int(x) if type(x) is Size else x


def as_array(data: Any, dtype: Any = None, beside: Iterable[Any] = ()) -> np.ndarray:
    """An ndarray of ``data``, without a copy where that can be. Arrays, and what has the memory of
    one, keep their dtype. Floating-point numbers alone or in sequences have that of a number beside
    the arrays among ``beside``, but float32 beside 16-bit ones."""
    if dtype is not None:
        return np.asarray(data, dtype) if is_array(data) else fitting(data, np.dtype(dtype))
    found = np.asarray(data)
    if not is_floating(found.dtype) or is_array(data):
        return found
    values: Any = [x for x in beside if isinstance(x, Variable | np.ndarray)]
    dtypes = {float32 if is_narrow(x.dtype) else x.dtype for x in values if is_floating(x.dtype)}
    kind = promoted(dtypes, COMPLEX if is_complex(found) else FLOAT)
    return found if found.dtype == kind else found.astype(kind)


def fitting(numbers: Any, dtype: np.dtype) -> np.ndarray:
    """Numbers as an array of ``dtype``: into integers go whole ones in their range, and no others.
    A bool is the truth of a number."""
    found = np.asarray(numbers)
    if is_complex(found) and not (is_complex(dtype) or dtype == bool):
        raise DtypeError(f"complex numbers do not fit into {dtype}; tt.real(x) would")
    if dtype.kind in "iu" and (found.dtype.kind in "iuO" or is_real_floating(found)):
        limits, found = np.iinfo(dtype), wide(found)
        cut = (found != np.trunc(found)) & np.isfinite(found) if found.dtype.kind == "f" else False
        if found.dtype.kind == "f" and (np.abs(found) >= 2**53).any():
            found = np.asarray(numbers, object)  # as NumPy makes floats of integers of two dtypes
        fits = (found >= limits.min) & (found < limits.max + 1)  # a power of two, as a float is
        if not np.all(fits):
            wrong = np.extract(~np.asarray(fits, bool), found)[0]
            raise RangeError(
                f"{wrong} does not fit into {dtype}, which holds {limits.min} to {limits.max}; a"
                " wider dtype, or none, takes more"
            )
        if np.any(cut):
            wrong = np.extract(cut, found)[0]
            raise RangeError(
                f"{wrong} does not fit into {dtype}, which holds whole numbers; tt.trunc cuts"
            )
    return np.asarray(numbers, dtype)


def storable(value: Any, dtype: np.dtype) -> Any:
    """A value that goes into an array of ``dtype``, as an array or a tensor. Numbers must fit
    (:func:`fitting`); arrays must be of its kind and, into integers, in its range."""
    if not isinstance(value, Variable):
        if dtype.kind in "iub" and not is_array(value):
            return fitting(value, dtype)
        value = np.asarray(value)
    whole = dtype.kind in "iu" and value.dtype.kind in "iu"
    if not whole and not same_kind(value.dtype, dtype):
        raise DtypeError(f"{value.dtype} does not fit into {dtype}; astype casts")
    if whole and not np.can_cast(value.dtype, dtype):
        fitting(getattr(value, "value", value), dtype)
    return value


def is_array(data: Any) -> builtins.bool:
    """Whether numbers have a dtype: those of an array, or of a sequence that holds one."""
    if isinstance(data, list | tuple):
        kinds = set(map(type, data)) - set(REACH)  # in a loop of C: lists may be long
        return any(not issubclass(kind, np.generic) for kind in kinds) and any(map(is_array, data))
    if isinstance(data, np.ndarray | array | memoryview):
        return True
    return hasattr(data, "__array__") and not isinstance(data, np.generic)


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


def _dtype(of: Any) -> np.dtype:
    """The dtype that is meant, or that of an array."""
    while isinstance(of, Variable):  # of a lane, whose value is a tensor
        of = of.value
    return of.dtype if isinstance(of, np.ndarray | np.generic) else meant("dtype", of)


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


def isdtype(dtype: npt.DTypeLike, kind: Any) -> builtins.bool:
    """Whether ``dtype`` is another dtype, of a kind ("bool", "signed integer", "unsigned integer",
    "integral", "real floating", "complex floating", "numeric"), or one of a tuple of these."""
    dtype = meant("isdtype", dtype)
    if not is_narrow(dtype):
        return builtins.bool(np.isdtype(dtype, kind))
    # as float32, which is of the same kinds
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return any(dtype == k if isinstance(k, np.dtype) else np.isdtype(float32, k) for k in kinds)


def can_cast(from_: Any, to: npt.DTypeLike) -> builtins.bool:
    """Whether promotion can lead from a dtype (or an array's) to the dtype ``to``.

    >>> import tinytensor as tt
    >>> tt.can_cast(tt.int64, tt.float32), tt.can_cast(tt.float64, tt.float32)
    (True, False)
    """
    dtype, to = _dtype(from_), _dtype(to)
    return builtins.bool(promoted((dtype, to)) == to)


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """The dtype of a calculation with these arrays, dtypes and numbers together.

    Python's numbers and NumPy's scalars have a kind but no dtype; arrays of no axes have one.

    >>> import numpy as np, tinytensor as tt
    >>> tt.result_type(tt.int64, tt.float32), tt.result_type(tt.ones(2), np.float64(0.5))
    (dtype('float32'), dtype('float32'))
    """
    given = [number_of(x) for x in arrays_and_dtypes]
    reach = max((REACH[type(x)] for x in given if type(x) in REACH), default=0)
    return promoted((_dtype(x) for x in given if type(x) not in REACH), reach)


if TYPE_CHECKING:
    bfloat16: np.dtype
else:

    def __getattr__(name):
        if name == "bfloat16":  # of a package that need not be there
            return _bfloat16()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
