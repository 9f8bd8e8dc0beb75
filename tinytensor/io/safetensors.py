"""The format safetensors by its library, between bytes in memory: no file is ever mapped.

What is mapped changes, or is gone, when somebody else writes the file. Bytes that were read stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import safetensors
from safetensors.numpy import save as as_bytes

from .. import dtypes
from ..errors import DtypeError
from .files import settled, short

__all__ = ["METADATA", "dtype_name", "from_bytes", "to_bytes"]

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
    try:
        entries = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    arrays = {}
    for name, entry in entries:
        dtype = DTYPES.get(entry["dtype"])
        if dtype is None:
            dtype = _bfloat16(name) if entry["dtype"] == "BF16" else None
        if dtype is None:
            kind = entry["dtype"]
            raise DtypeError(f"{short(name)} is of {kind}, a dtype that NumPy does not have")
        try:
            found = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
        except ValueError as error:
            raise ValueError(f"{short(name)}: {error}") from None
        arrays[name] = settled(found)
    length = int.from_bytes(content[:8], "little")  # the library has checked it, and the header
    return arrays, json.loads(content[8 : 8 + length]).get(METADATA) or {}


def _bfloat16(name: str) -> np.dtype:
    try:
        return dtypes.bfloat16
    except AttributeError as error:
        raise DtypeError(f"{short(name)} is of {error}") from None
