"""The format safetensors by its library, between bytes in memory: no file is ever mapped.

What is mapped changes, or is gone, when somebody else writes the file. Bytes that were read stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
import safetensors
from safetensors.numpy import save as as_bytes

from .. import dtypes
from ..errors import DtypeError
from .files import settled, short
from .stored import KINDS, Stored

__all__ = ["METADATA", "dtype_name", "from_bytes", "stored", "to_bytes", "write_stored"]

METADATA = "__metadata__"

DTYPES = {
    "BOOL": np.dtype(bool),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def dtype_name(dtype: np.dtype) -> str | None:
    """The format's name of a dtype, None where it has none."""
    if dtypes.is_narrow(dtype) and dtype.kind != "f":
        return "BF16"
    return _NAMES.get(dtype.newbyteorder("<"))


def to_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A file of these arrays, all of dtypes that have a name here."""
    in_c_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return as_bytes(in_c_order, dict(metadata) or None)


def from_bytes(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a file.

    Raises ValueError for any other or damaged file, DtypeError for a dtype that NumPy has not.
    """
    arrays = {}
    for name, entry in _entries(content):
        dtype = DTYPES.get(entry["dtype"])
        if dtype is None:
            dtype = _bfloat16(name) if entry["dtype"] == "BF16" else None
        if dtype is None:
            kind = entry["dtype"]
            raise DtypeError(f"{short(name)} is of {kind}, a dtype that NumPy does not have")
        arrays[name] = _array(name, entry, dtype)
    length = int.from_bytes(content[:8], "little")  # the library has checked it, and the header
    return arrays, json.loads(content[8 : 8 + length]).get(METADATA) or {}


def stored(content: bytes) -> dict[str, Stored]:
    """The tensors of a file as it has them, for which no dtype of NumPy's is needed.

    Raises ValueError for any other or damaged file, DtypeError for elements of other kinds.
    """
    found = {}
    for name, entry in _entries(content):
        kind = entry["dtype"].lower()
        if kind not in KINDS:
            raise DtypeError(f"{short(name)} is of {entry['dtype']}, which no parameter is of")
        array = _array(name, entry, KINDS[kind].newbyteorder("<"))
        found[name] = Stored(kind, array.shape, array)
    return found


def write_stored(
    file: BinaryIO, tensors: Mapping[str, Stored], metadata: Mapping[str, str]
) -> None:
    """Write a file of these tensors, none of which is of blocks.

    length of the header (8 bytes) | the header, JSON, filled up with spaces | the elements, of the
    largest kinds first, so that all are aligned
    """
    order = sorted(tensors, key=lambda name: (-KINDS[tensors[name].kind].itemsize, name))
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].data.nbytes
        kind, shape = tensors[name].kind.upper(), list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        kind = tensors[name].kind
        data = np.ascontiguousarray(tensors[name].data, KINDS[kind].newbyteorder("<"))
        file.write(data.reshape(-1).view(np.uint8).data)


def _entries(content: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
    try:
        return safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None


def _array(name: str, entry: dict[str, Any], dtype: np.dtype) -> np.ndarray:
    try:
        found = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
    except ValueError as error:
        raise ValueError(f"{short(name)}: {error}") from None
    return settled(found)


def _bfloat16(name: str) -> np.dtype:
    try:
        return dtypes.bfloat16
    except AttributeError as error:
        raise DtypeError(f"{short(name)} is of {error}") from None
