"""Cast: from one dtype to another, those among them that no tensor has."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ... import ops
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, dtype_of, dtype_of_code, is_number, value


def cast(x: Any, dtype: np.dtype, saturate: bool = True, round_mode: str = "up") -> Any:
    """The elements as another dtype. Where floats of 8 bits and less have no such number,
    ``saturate`` gives the largest that they have."""
    if isinstance(x, Tensor) and is_number(dtype):
        if x.dtype == dtype:
            return x
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of what the dtype cannot hold
            return ops.astype(x, dtype)
    data = array(x)
    with np.errstate(all="ignore"):
        return value(_cast(data, dtype, saturate, round_mode))


def _cast(data: np.ndarray, dtype: np.dtype, saturate: bool, round_mode: str) -> np.ndarray:
    if data.dtype.kind in "OUS":
        return _from_text(data, dtype)
    if dtype.kind == "O":
        return _texts(data)
    if is_number(data.dtype) and is_number(dtype):
        return data.astype(dtype)
    if not is_number(data.dtype):  # of few bits: float32 holds them all
        data = data.astype(np.float32)
    if is_number(dtype):
        return data.astype(dtype)
    if "int" in dtype.name:
        bits = int(dtype.name.removeprefix("u")[3:])
        low = 0 if dtype.name[0] == "u" else -(1 << bits - 1)
        whole = np.trunc(data).astype(np.int64)
        return ((whole - low & (1 << bits) - 1) + low).astype(np.int8).astype(dtype)
    if dtype.name == "float8_e8m0fnu":
        return _power_of_two(data.astype(np.float32), dtype, saturate, round_mode)
    data = data.astype(np.float32)
    made = data.astype(dtype)
    if not saturate:
        return made
    from ml_dtypes import finfo

    most = np.float32(finfo(dtype).max)
    return np.where(np.isnan(data), data, np.clip(data, -most, most)).astype(dtype)


def _power_of_two(data: np.ndarray, dtype: np.dtype, saturate: bool, round_mode: str) -> np.ndarray:
    """Floats that are exponents alone: 2^(n − 127), and 255 is NaN."""
    bits = np.abs(data).view(np.uint32)
    exponent, fraction = (bits >> 23).astype(np.int64), bits & 0x7FFFFF
    above = fraction != 0
    if round_mode == "nearest":
        above = fraction >= 0x400000
    elif round_mode == "down":
        above = np.zeros_like(above)
    exponent = exponent + above
    if saturate:
        exponent = np.where(np.isinf(data), 254, np.minimum(exponent, 254))
    exponent = np.where(np.isnan(data), 255, np.minimum(exponent, 255))
    return exponent.astype(np.uint8).view(dtype)


_WORDS = {"inf": np.inf, "+inf": np.inf, "-inf": -np.inf, "nan": np.nan}


def _from_text(data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "O":
        return data
    texts = [t.decode() if isinstance(t, bytes) else str(t) for t in data.reshape(-1)]
    if is_number(dtype) and dtype.kind in "iub":
        numbers = np.array([int(text) for text in texts])
    else:
        numbers = np.array([_WORDS.get(t.lower()) or float(t) for t in texts])
    return numbers.reshape(data.shape).astype(dtype)


def _texts(data: np.ndarray) -> np.ndarray:
    """Numbers as the shortest texts that mean them."""
    if not is_number(data.dtype) or data.dtype.name == "bfloat16":
        data = data.astype(np.float32)
    texts = {"inf": "INF", "-inf": "-INF", "nan": "NaN"}
    words = [texts.get(word, word) for word in data.astype(str).reshape(-1).tolist()]
    out = np.empty(data.size, object)
    out[:] = words
    return out.reshape(data.shape)


@operator("Cast", since=6)
def cast_to(x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast(x, dtype_of_code(to), bool(saturate), round_mode)


@operator("CastLike", since=15)
def cast_like(x: Any, like: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast(x, dtype_of(like), bool(saturate), round_mode)


@operator("BitCast", since=26)
def bit_cast(x: Any, *, to: int) -> Any:
    dtype = dtype_of_code(to)
    if dtype.itemsize != dtype_of(x).itemsize or dtype.kind == "O":
        raise ValueError(f"BitCast: elements of {dtype_of(x)} are no {dtype}")
    return value(array(x).view(dtype))
