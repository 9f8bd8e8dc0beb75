"""Stored: a tensor as a file has it, in elements or blocks that NumPy need not know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["KINDS", "NAMES", "Stored", "of_array", "of_bfloat16", "to_bfloat16"]

# The kinds of elements, by NumPy's dtypes; bfloat16 is held as the uint16 of its bits.
KINDS = {
    "bool": np.dtype(bool),
    "u8": np.dtype("u1"),
    "i8": np.dtype("i1"),
    "u16": np.dtype("u2"),
    "i16": np.dtype("i2"),
    "u32": np.dtype("u4"),
    "i32": np.dtype("i4"),
    "u64": np.dtype("u8"),
    "i64": np.dtype("i8"),
    "f16": np.dtype("f2"),
    "bf16": np.dtype("u2"),
    "f32": np.dtype("f4"),
    "f64": np.dtype("f8"),
}
NAMES = {dtype: kind for kind, dtype in KINDS.items() if kind != "bf16"}
_FLOATS = ("f16", "bf16", "f32", "f64")


class Stored(NamedTuple):
    """A tensor of a file: ``data`` are its elements in their shape, those of bfloat16 as uint16; of
    GGUF's blocks the bytes of each row, (rows, bytes of a row)."""

    kind: str
    shape: tuple[int, ...]
    data: np.ndarray

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point numbers, plain or in blocks."""
        return self.kind not in KINDS or self.kind in _FLOATS

    @property
    def blocks(self) -> bool:
        """Whether ``data`` are blocks, of some elements each."""
        return self.kind not in KINDS

    def array(self) -> np.ndarray:
        """The numbers, 16-bit ones in float32."""
        if self.kind == "bf16":
            return of_bfloat16(self.data)
        return self.data.astype(np.float32) if self.kind == "f16" else self.data


def of_array(array: np.ndarray) -> Stored:
    """An array as what a file has. Raises ValueError for elements that files have not."""
    if array.dtype.name == "bfloat16":
        return Stored("bf16", array.shape, array.view(np.uint16))
    kind = NAMES.get(array.dtype.newbyteorder("="))
    if kind is None:
        raise ValueError(f"no parameter is of {array.dtype}")
    return Stored(kind, array.shape, array)


def of_bfloat16(bits: np.ndarray) -> np.ndarray:
    """float32 of the bits (uint16) of bfloat16: their upper half."""
    wide = bits.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)


def to_bfloat16(array: np.ndarray) -> np.ndarray:
    """The bits of the nearest bfloat16 to each float32, of two the even one."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(array), np.uint16(0x7FC0), rounded.astype(np.uint16))
