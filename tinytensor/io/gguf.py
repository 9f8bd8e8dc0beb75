"""GGUF, the format of ggml's models: one file of metadata, a tokeniser and tensors, mapped.

    "GGUF" | version (4 bytes) | tensors (8) | pairs (8)
    each pair      key | kind (4) | value
    each tensor    name | axes (4) | sizes (8 each, the innermost first) | kind (4) | offset (8)
    up to a multiple of general.alignment, then the tensors' bytes, each at its offset from there

A string is its length (8) and UTF-8, an array the kind of its elements (4), their number (8) and
they. All is little-endian, or all big-endian, which the version tells.

Source: the format's description in ggml, docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import sys
from typing import Any, NamedTuple

import numpy as np

from .files import StrPath, byte_count, open_file, settled, short
from .stored import KINDS, Stored

__all__ = ["GGUF", "read_gguf"]

DEEPEST = 4  # arrays in one another
MOST_AXES = 4
MOST_ALIGNED = 1 << 20

STRING, ARRAY, BOOL = 8, 9, 7
NUMBERS = {
    0: "u1", 1: "i1", 2: "u2", 3: "i2", 4: "u4", 5: "i4", 6: "f4", 7: "?", 10: "u8", 11: "i8",
    12: "f8",
}  # fmt: skip
CODES = {"u1": "B", "i1": "b", "u2": "H", "i2": "h", "u4": "I", "i4": "i", "f4": "f", "?": "B",
         "u8": "Q", "i8": "q", "f8": "d"}  # fmt: skip


class Kind(NamedTuple):
    """How the elements of a tensor are stored: in blocks of so many, in so many bytes."""

    name: str
    elements: int
    bytes: int


TYPES = {
    0: Kind("f32", 1, 4),
    1: Kind("f16", 1, 2),
    2: Kind("q4_0", 32, 18),
    3: Kind("q4_1", 32, 20),
    8: Kind("q8_0", 32, 34),
    12: Kind("q4_K", 256, 144),
    14: Kind("q6_K", 256, 210),
    24: Kind("i8", 1, 1),
    25: Kind("i16", 1, 2),
    26: Kind("i32", 1, 4),
    27: Kind("i64", 1, 8),
    28: Kind("f64", 1, 8),
    30: Kind("bf16", 1, 2),
}
# Known, and not read: to be named in errors.
OTHERS = {
    6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
    29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip


class Placed(NamedTuple):
    """A tensor of a mapped file: its kind, its shape with the innermost axis last, its bytes."""

    kind: Kind
    shape: tuple[int, ...]
    bytes: np.ndarray


class GGUF:
    """A GGUF file: ``metadata`` by key, ``tensors`` by name;
    :meth:`stored` gives the numbers of one.

    Numbers and strings of the metadata are Python's, arrays of strings lists, other arrays NumPy's.
    The file stays mapped as long as this object lives: whoever shortens it in place meanwhile ends
    the process at the next look at what is gone.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = os.fsdecode(path)
        with open_file(path, "read_gguf") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise ValueError("it is empty")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        reader = _Reader(self._map)
        self.version, self.big_endian = reader.version, reader.order == ">"
        tensors, pairs = reader.number("Q"), reader.number("Q")
        self.metadata = reader.pairs(pairs)
        self.tensors = reader.tensors(tensors, self.metadata)

    def stored(self, name: str) -> Stored:
        """A tensor in the machine's byte order, or in blocks. Its data may lie in the file's map,
        which is read only: a copy of it does not need the file."""
        kind, shape, raw = self.tensors[name]
        if kind.elements > 1:
            if self.big_endian:
                raise ValueError(f"{short(name)} is of {kind.name.upper()} in a big-endian file")
            rows = math.prod(shape[:-1])
            row_bytes = shape[-1] // kind.elements * kind.bytes
            return Stored(kind.name, shape, raw.reshape(rows, row_bytes))
        dtype = KINDS[kind.name].newbyteorder(">" if self.big_endian else "<")
        return Stored(kind.name, shape, settled(raw.view(dtype).reshape(shape)))


def read_gguf(path: StrPath) -> GGUF:
    """Open a GGUF file of version 2 or 3; all that it says of itself is checked.

    Raises FileNotFoundError; ValueError, which names the file, for another or damaged file, and for
    tensors of kinds that are not read.
    """
    try:
        return GGUF(path)
    except ValueError as error:
        if str(error).startswith("read_gguf: "):
            raise
        raise ValueError(f"read_gguf: {os.fsdecode(path)!r}: {error}") from error


class _Reader:
    """What stands in the file one after the other, from the version on."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content, self.size = content, len(content)
        if content[:4] != b"GGUF":
            raise ValueError("it is not a GGUF file")
        self.at = 4
        self.order = "<"
        version = self.number("I")
        if version & 0xFFFF == 0:
            self.order, self.at = ">", 4
            version = self.number("I")
        if version not in (2, 3):
            raise ValueError(f"it is of version {version} of GGUF; 2 and 3 are read")
        self.version = version

    def number(self, code: str) -> Any:
        """The next number, by struct's code of it."""
        start, self.at = self.at, self.at + struct.calcsize(code)
        if self.at > self.size:
            raise ValueError(f"it is truncated at byte {self.size}")
        return struct.unpack_from(self.order + code, self.content, start)[0]

    def string(self) -> str:
        """The next string."""
        return self.strings(1)[0]

    def strings(self, count: int) -> list[str]:
        """The next strings, of which there may be a hundred thousand."""
        self._room(count, 8)
        content, size, at = self.content, self.size, self.at
        length_at = struct.Struct(self.order + "Q").unpack_from
        found = []
        try:
            for _ in range(count):
                start = at + 8
                at = start + length_at(content, start - 8)[0]
                if at > size:
                    raise ValueError(f"a string at byte {start} ends behind the file")
                found.append(content[start:at].decode())
        except struct.error:
            raise ValueError(f"it is truncated at byte {size}") from None
        except UnicodeDecodeError as error:
            raise ValueError(f"a string at byte {start} is not UTF-8: {error}") from None
        self.at = at
        return found

    def _room(self, count: int, size: int) -> None:
        """Refuse a number of things for which the file has not the bytes."""
        if count * size > self.size - self.at:
            raise ValueError(f"{count} items of {size} bytes cannot follow byte {self.at}")

    def value(self, kind: int, deeper: int = DEEPEST) -> Any:
        """The next value of the metadata."""
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            if not deeper:
                raise ValueError(f"arrays are nested more than {DEEPEST} deep")
            inner, count = self.number("I"), self.number("Q")
            if inner == STRING:
                return self.strings(count)
            if inner == ARRAY:
                self._room(count, 12)
                return [self.value(inner, deeper - 1) for _ in range(count)]
            dtype = np.dtype(self.order + self._of_numbers(inner))
            self._room(count, dtype.itemsize)
            start, self.at = self.at, self.at + count * dtype.itemsize
            found = np.frombuffer(self.content[start : self.at], dtype)
            return settled(found)
        code = self._of_numbers(kind)
        found = self.number(CODES[code])
        if kind == BOOL:
            if found not in (0, 1):
                raise ValueError(f"a bool is {found}")
            return bool(found)
        return found

    def _of_numbers(self, kind: int) -> str:
        if kind not in NUMBERS:
            raise ValueError(f"a value is of the unknown kind {kind}")
        return NUMBERS[kind]

    def pairs(self, count: int) -> dict[str, Any]:
        """The metadata."""
        self._room(count, 13)
        found: dict[str, Any] = {}
        for _ in range(count):
            key = self.string()
            if key in found:
                raise ValueError(f"the key {short(key)} is there twice")
            kind = self.number("I")
            try:
                found[key] = self.value(kind)
            except ValueError as error:
                raise ValueError(f"{short(key)}: {error}") from error
        return found

    def tensors(self, count: int, metadata: dict[str, Any]) -> dict[str, Placed]:
        """The tensors, in the file's order, none of which overlap or end behind the file."""
        self._room(count, 24)
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= MOST_ALIGNED:
            raise ValueError(f"its alignment is {short(alignment)}")
        if alignment & (alignment - 1):
            raise ValueError(f"its alignment {alignment} is no power of 2")
        told: dict[str, tuple[Kind, tuple[int, ...], int, int]] = {}
        for _ in range(count):
            name = self.string()
            if name in told:
                raise ValueError(f"the tensor {short(name)} is there twice")
            told[name] = self._tensor(name, alignment)
        begin = self.at + -self.at % alignment
        last, before = 0, ""
        for name, (_, _, offset, size) in sorted(told.items(), key=lambda item: item[1][2:]):
            if offset < last and size:
                raise ValueError(f"the tensors {short(before)} and {short(name)} overlap")
            if offset + size > self.size - begin and size:
                raise ValueError(
                    f"the tensor {short(name)} ends at byte {begin + offset + size}, and the file"
                    f" at {self.size}"
                )
            last, before = max(last, offset + size), name
        whole = np.frombuffer(self.content, np.uint8)
        return {
            name: Placed(kind, shape, whole[begin + offset : begin + offset + size])
            for name, (kind, shape, offset, size) in told.items()
        }

    def _tensor(self, name: str, alignment: int) -> tuple[Kind, tuple[int, ...], int, int]:
        """Kind, shape, offset and bytes of the next tensor."""
        axes = self.number("I")
        if axes > MOST_AXES:
            raise ValueError(f"the tensor {short(name)} has {axes} axes; {MOST_AXES} are the most")
        sizes = [self.number("Q") for _ in range(axes)]
        number, offset = self.number("I"), self.number("Q")
        kind = TYPES.get(number)
        if kind is None:
            told = OTHERS.get(number, f"the unknown type {number}")
            known = ", ".join(k.name.upper() for k in TYPES.values())
            raise ValueError(f"the tensor {short(name)} is of {told}; read are {known}")
        if any(size > sys.maxsize for size in sizes):
            raise ValueError(f"the tensor {short(name)} has sizes {short(sizes)}")
        if kind.elements > 1 and (not sizes or sizes[0] % kind.elements):
            raise ValueError(
                f"the tensor {short(name)} has rows of {sizes[:1]} elements, not of whole blocks of"
                f" {kind.elements}, as {kind.name.upper()} has them"
            )
        if offset % alignment:
            raise ValueError(f"the tensor {short(name)} is not at a multiple of {alignment} bytes")
        try:
            elements = byte_count(sizes, 1)
            byte_count(sizes, kind.bytes)
        except ValueError as error:
            raise ValueError(f"the tensor {short(name)}: {error}") from None
        return kind, tuple(reversed(sizes)), offset, elements // kind.elements * kind.bytes
