"""array-api-strict as the oracle of the namespace: the same call in both libraries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

strict: Any = pytest.importorskip("array_api_strict")
strict.set_array_api_strict_flags(api_version="2025.12")

BOOLS, SIGNED = ["bool"], ["int8", "int16", "int32", "int64"]
UNSIGNED, FLOATS = ["uint8", "uint16", "uint32", "uint64"], ["float32", "float64"]
COMPLEX = ["complex64", "complex128"]
DTYPES = [*BOOLS, *SIGNED, *UNSIGNED, *FLOATS, *COMPLEX]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 2.5, 1.7, math.inf, -math.inf, math.nan]


def draw(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Numbers of a dtype; among floats the special ones."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.kind in "iu":
        return rng.integers(-5 if kind.kind == "i" else 0, 7, shape).astype(kind)
    if kind.kind == "f":
        return rng.choice(np.array(SPECIAL), shape).astype(kind)
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(kind)


def usual(name: str, x: Any) -> Any:
    """x, without infinities where strict answers as NumPy and not as the standard: in ``//``."""
    if not name.lstrip("i").startswith("floor") or np.asarray(x).dtype.kind != "f":
        return x
    return np.where(np.isinf(x), x.dtype.type(3), x)


def into(library: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return library.asarray(value)
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [library.asarray(v) for v in value]
    return value


def raw(value: Any) -> np.ndarray:
    return np.asarray(value.data if isinstance(value, tt.Tensor) else value._array)


def look_up(library: Any, name: str) -> Any:
    for part in name.split("."):
        library = getattr(library, part)
    return library


def as_promoted(expected: np.ndarray, args: Any) -> np.ndarray:
    """What NumPy promoted, in the dtype of our rule: they differ for arrays of two kinds, which the
    standard does not promote."""
    given = [x for arg in args for x in (arg if isinstance(arg, list) else [arg])]
    dtypes = {x.dtype for x in given if isinstance(x, np.ndarray)}
    if len(dtypes) > 1 and expected.dtype == np.result_type(*dtypes):
        return expected.astype(tt.result_type(*dtypes))
    return expected


def compare(name: str, *args: Any, **kwargs: Any) -> None:
    """The same call in both libraries, where array-api-strict allows it."""
    args = tuple(usual(name, a) if isinstance(a, np.ndarray) else a for a in args)
    what = f"{name}(*{args}, **{kwargs})"

    def called(library: Any) -> Any:
        options = {key: into(library, value) for key, value in kwargs.items()}
        return look_up(library, name)(*(into(library, a) for a in args), **options)

    with np.errstate(all="ignore"):
        try:
            wanted = called(strict)
        except Exception:
            return
        got = called(tt)
    many = isinstance(wanted, tuple | list)
    assert isinstance(got, tuple | list) == many, what
    for theirs, ours in zip(wanted, got, strict=True) if many else [(wanted, got)]:
        assert isinstance(ours, tt.Tensor), what
        expected, found = as_promoted(raw(theirs), args), raw(ours)
        assert found.dtype == expected.dtype, f"{what}: {found.dtype}, not {expected.dtype}"
        assert found.shape == expected.shape, f"{what}: {found.shape}, not {expected.shape}"
        if expected.dtype.kind in "fc":
            near = 2e-5 if np.finfo(expected.dtype).bits == 32 else 1e-12
            np.testing.assert_allclose(found, expected, near, near, err_msg=what)
        else:
            np.testing.assert_array_equal(found, expected, what)
