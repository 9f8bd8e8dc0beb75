"""What several ops ask of their arguments."""

from __future__ import annotations

import math
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..dtypes import is_floating, is_real_floating
from ..errors import AxisError, DtypeError, RangeError, ShapeError
from .operands import keep_graph

NUMBERS = (int, float, np.integer, np.floating)


def fits_memory(op: str, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse what no memory holds at once, before any work goes into it."""
    few = max(shape, default=0) < 1 << 62 and math.prod(shape) * np.dtype(dtype).itemsize < 1 << 24
    if few:
        return
    try:
        np.empty(shape, dtype)  # which nobody touches
    except (MemoryError, ValueError, OverflowError) as error:
        raise MemoryError(f"{op}: there is no memory for {dtype} of the shape {shape}") from error


def shape_of(op: str, sizes: Any, dtype: Any) -> tuple[int, ...]:
    """Sizes, or one alone, as a shape of which there is memory for an array of ``dtype``."""
    try:
        shape = tuple(map(index, sizes if isinstance(sizes, tuple | list) else (sizes,)))
    except (TypeError, ValueError):
        shape = (-1,)
    if min(shape, default=0) < 0:
        raise ShapeError(f"{op}: sizes are integers of at least 0, not {sizes!r}")
    fits_memory(op, shape, dtype)
    return shape


def floating(op: str, name: str, x: Any) -> np.ndarray:
    """``x`` as an array of floats, or an error in the name of ``op``."""
    x = np.asarray(keep_graph(op, x))
    if not is_real_floating(x):
        raise DtypeError(f"{op}: {name} must be floating point, but is {x.dtype} of {x.shape}")
    return x


def real_floats(op: str, name: str, x: Any, or_complex: bool = False) -> None:
    """An error in the name of ``op`` unless ``x``, a tensor or an array, is of real floats."""
    if not (is_floating if or_complex else is_real_floating)(x):
        raise DtypeError(f"{op}: {name} must be floating point, but is {x.dtype} of {x.shape}")


def integers(op: str, name: str, x: Any) -> np.ndarray:
    """``x`` as a C-contiguous array of int64, or an error in the name of ``op``."""
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise DtypeError(
            f"{op}: {name} must be integers, but is {x.dtype} of {x.shape}; astype(np.int64) casts"
        )
    return np.asarray(x, np.int64, order="C")


def parameter(op: str, name: str, x: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """An argument that may be None, and otherwise has this very shape."""
    if x is None:
        return None
    x = np.asarray(keep_graph(op, x))
    if x.shape != shape:
        raise ShapeError(f"{op}: {name} must have the shape {shape}, but has {x.shape}")
    return x


def axis_index(op: str, axis: int, ndim: int, of_numbers: bool = True) -> int:
    """``axis`` counted from the front. Without dimensions it is 0, or an error if that has no
    meaning ``of_numbers``."""
    try:
        return normalize_axis_index(axis, ndim or int(of_numbers))
    except ValueError:
        raise AxisError(f"{op}: there is no axis {axis} in {ndim} dimensions") from None


def lined_up(op: str, x: Any, axis: int) -> tuple[Any, int]:
    """x, with one axis if it has none, and ``axis`` counted from the front."""
    return x if x.ndim else x.reshape((1,)), axis_index(op, axis, x.ndim)


def counts(op: str, name: str, value: Any) -> np.ndarray:
    """How often, as an int64 array of one number or a row of them, of any integer dtype."""
    found = np.asarray(value)
    found = found if found.size else found.astype(np.int64)
    if found.dtype == object and all(isinstance(n, int) for n in found.flat):
        raise RangeError(f"{op}: {name} {value!r} does not fit into int64")
    if found.dtype.kind not in "biu" or found.ndim > 1 or (found.size and found.min() < 0):
        raise (ShapeError if found.dtype.kind in "biu" else DtypeError)(
            f"{op}: {name} must be an integer of at least 0, or one for each, not {value!r}"
        )
    if found.size and found.max() > np.iinfo(np.int64).max:
        raise RangeError(f"{op}: {name} {value!r} does not fit into int64")
    return found.astype(np.int64)


def number(
    op: str, name: str, value: Any, least: float = -math.inf, most: float = math.inf
) -> float:
    """``value``, from ``least`` to ``most``, as a float, or an error in the name of ``op``."""
    if not isinstance(value, NUMBERS):
        raise DtypeError(f"{op}: {name} must be a number, not {value!r}")
    if not least <= value <= most:  # NaN is nowhere
        wanted = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{op}: {name} must be {wanted}, not {value!r}")
    return float(value)


def integer(op: str, name: str, value: Any) -> int:
    """An integer, of any kind that has one, or an error in the name of ``op``."""
    try:
        return index(value)
    except (TypeError, ValueError):
        raise DtypeError(f"{op}: {name} must be an integer, not {value!r}") from None


def whole(owner: str, least: int, **values: Any) -> None:
    """An error in the name of ``owner`` for what is no integer of at least ``least``."""
    for name, value in values.items():
        if not isinstance(value, int | np.integer):
            raise DtypeError(f"{owner}: {name} must be an integer, not {value!r}")
        if value < least:
            raise ShapeError(f"{owner}: {name} must be at least {least}, not {value}")


MOST = 2**31 - 1  # of a size, a stride or a padding: C adds up products of two in 64 bits


def sizes(op: str, what: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """A number for all ``axes``, also in a tuple, or one for each, the first axis first; at least
    ``least``."""
    each = (value,) * axes if isinstance(value, int | np.integer) else value
    if isinstance(each, tuple | list) and len(each) == 1:
        each = (each[0],) * axes
    if (
        not isinstance(each, tuple | list)
        or len(each) != axes
        or not all(isinstance(n, int | np.integer) and n >= least for n in each)
    ):
        wanted = "an integer" if axes == 1 else f"one or {('two', 'three')[axes - 2]} integers"
        raise ShapeError(f"{op}: {what} must be {wanted} ≥ {least}, is {value!r}")
    if max(each, default=0) > MOST:
        raise ShapeError(f"{op}: {what} must be at most {MOST}, is {value!r}")
    return tuple(map(int, each))
