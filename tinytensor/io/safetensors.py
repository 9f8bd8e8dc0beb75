"""The format safetensors: arrays by name, and strings by name.

A file is

    the header's length, 8 bytes, little-endian | the header, JSON, padded by spaces | the arrays

and the header

    {"__metadata__": {string: string, …}, name: {"dtype": …, "shape": […], "data_offsets":
    [begin, end]}, …}

with offsets from the header's end. The arrays are little-endian, in C order, and fill the rest of
the file without gaps; the larger dtypes come first, so that each array is aligned.

Source: https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from .. import dtypes
from ..errors import DtypeError
from .files import byte_count, short

__all__ = ["DTYPES", "METADATA", "dtype_name", "read", "write"]

METADATA = "__metadata__"
LONGEST_HEADER = 100_000_000  # the format's own limit
ALIGNMENT = 8

DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("u2"),
    "I16": np.dtype("i2"),
    "F16": np.dtype("f2"),
    "U32": np.dtype("u4"),
    "I32": np.dtype("i4"),
    "F32": np.dtype("f4"),
    "U64": np.dtype("u8"),
    "I64": np.dtype("i8"),
    "F64": np.dtype("f8"),
    "C64": np.dtype("c8"),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# The format has these as well, and NumPy has not.
_FOREIGN = {
    "F4",
    "F6_E2M3",
    "F6_E3M2",
    "F8_E5M2",
    "F8_E4M3",
    "F8_E8M0",
    "F8_E4M3FNUZ",
    "F8_E5M2FNUZ",
}


def dtype_name(dtype: np.dtype) -> str | None:
    """The format's name of a dtype, None where it has none."""
    if dtypes.is_narrow(dtype) and dtype.kind != "f":
        return "BF16"
    return _NAMES.get(dtype.newbyteorder("="))


def write(file: BinaryIO, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write a file of these arrays, all of dtypes that have a name here."""
    entries: dict[str, dict[str, Any]] = {}
    by_size = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    end = 0
    for name in by_size:
        array = arrays[name]
        begin, end = end, end + array.nbytes
        entries[name] = {
            "dtype": dtype_name(array.dtype),
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    header.update((name, entries[name]) for name in arrays)
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % ALIGNMENT)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"save: names and metadata take {len(text)} bytes of {LONGEST_HEADER}")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in by_size:
        if arrays[name].size:
            little = np.ascontiguousarray(_little_endian(arrays[name]))
            file.write(little.reshape(-1).view(np.uint8).data)


def _little_endian(array: np.ndarray) -> np.ndarray:
    swapped = array.dtype.byteorder == ">" or (
        array.dtype.byteorder == "=" and sys.byteorder == "big"
    )
    return array.byteswap() if swapped else array


def read(file: BinaryIO) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata, copied: nothing that happens to the file later changes them.

    Memory is taken only for what the file holds. Raises ValueError for any other or damaged file,
    DtypeError for a dtype that NumPy does not have.
    """
    total = os.fstat(file.fileno()).st_size
    length = int.from_bytes(_exactly(file, 8), "little")
    if length > min(total - 8, LONGEST_HEADER):
        raise ValueError(f"its header would take {length} bytes")
    try:
        header = json.loads(str(_exactly(file, length), "utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError(f"its header is a {type(header).__name__}")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are not strings")
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    held = total - 8 - length
    last = 0
    by_place = sorted(entries, key=lambda name: entries[name][2:])
    for name in by_place:
        _, _, begin, end = entries[name]
        if begin != last:
            raise ValueError(f"{short(name)} begins at {begin}, the array before it ends at {last}")
        last = end
    if last != held:
        raise ValueError(f"its arrays take {last} bytes, it holds {held}")
    arrays = {name: np.empty(shape, dtype) for name, (dtype, shape, _, _) in entries.items()}
    for name in by_place:
        _fill(file, arrays[name])
        if sys.byteorder == "big":
            arrays[name].byteswap(inplace=True)
    return arrays, metadata


def _entry(name: str, entry: Any) -> tuple[np.dtype, tuple[int, ...], int, int]:
    """The dtype, the shape, and where the array begins and ends."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{short(name)} is described by {short(entry)}")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if kind == "BF16":
        try:
            dtype = dtypes.bfloat16
        except AttributeError as error:
            raise DtypeError(f"{short(name)} is of {error}") from None
    elif isinstance(kind, str) and kind in _FOREIGN:
        raise DtypeError(f"{short(name)} is of {kind}, a dtype that NumPy does not have")
    elif isinstance(kind, str) and kind in DTYPES:
        dtype = DTYPES[kind]
    else:
        raise ValueError(f"{short(name)} is of dtype {short(kind)}")
    try:
        size = byte_count(shape, dtype.itemsize)
    except ValueError as error:
        raise ValueError(f"{short(name)}: {error}") from None
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(n) is int for n in offsets)
        or offsets[0] < 0
        or offsets[1] - offsets[0] != size
    ):
        raise ValueError(f"{short(name)} takes {size} bytes, its offsets are {short(offsets)}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError(f"it is truncated: {len(content)} of {size} bytes" if content else "empty")
    return content


def _fill(file: BinaryIO, array: np.ndarray) -> None:
    """Read the bytes of a new array."""
    if not array.size:
        return
    rest = memoryview(array.reshape(-1).view(np.uint8).data)
    while rest:
        read = file.readinto(rest)  # type: ignore[attr-defined]
        if not read:
            raise ValueError("it was truncated while it was read")
        rest = rest[read:]
