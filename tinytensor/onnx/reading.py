"""Files of ONNX: models and their arrays, read without trust in what they say."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from .extras import needed

__all__ = ["array_of", "read_model"]

_WHO = "onnx.load"


def read_model(source: Any) -> tuple[Any, Path | None]:
    """A ModelProto from a path, bytes, a file or a ModelProto; and the folder where its arrays may
    lie in files of their own."""
    onnx = needed(_WHO)
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        data, base, name = path.read_bytes(), path.parent, str(path)
    elif isinstance(source, bytes | bytearray | memoryview):
        data, base, name = bytes(source), None, "the bytes"
    elif hasattr(source, "read"):
        data, base, name = source.read(), None, "the file"
    else:
        raise TypeError(
            f"{_WHO}: needs a path, bytes, a file or a ModelProto, not {type(source).__name__}"
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's own kind, which differs between its releases
        raise ValueError(f"{_WHO}: {name}: no ONNX model, or a truncated one: {error}") from error
    if not model.HasField("graph"):
        raise ValueError(f"{_WHO}: {name}: there is no graph in it; is it an ONNX model?")
    return model, base


def array_of(proto: Any, base: Path | None) -> np.ndarray:
    """The array of a TensorProto, writable, from the model or from a file in ``base``."""
    onnx = needed(_WHO)
    shape = tuple(proto.dims)
    if any(size < 0 for size in shape):
        raise ValueError(f"{_WHO}: {proto.name!r}: its shape is {shape}")
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        data = _outside(proto, base)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(proto.data_type)
        if dtype.isbuiltin == 1 and dtype.kind != "O":
            if data.size != math.prod(shape) * dtype.itemsize:
                raise ValueError(
                    f"{_WHO}: the array {proto.name!r} cannot be read: {data.size} bytes for"
                    f" {dtype} {shape}"
                )
            return data.view(dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)
        inside = onnx.TensorProto()
        inside.CopyFrom(proto)
        del inside.external_data[:]
        inside.data_location = onnx.TensorProto.DEFAULT
        inside.raw_data = data.tobytes()
        proto = inside
    try:
        array = onnx.numpy_helper.to_array(proto)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{_WHO}: the array {proto.name!r} cannot be read: {error}") from error
    return array if array.flags.writeable else array.copy()


def dense_of(proto: Any, base: Path | None) -> np.ndarray:
    """The array of a SparseTensorProto, with its zeros."""
    values, places = array_of(proto.values, base), array_of(proto.indices, base)
    dense = np.zeros(tuple(proto.dims), values.dtype)
    if places.ndim == 2:
        dense[tuple(places.T)] = values
    else:
        dense.reshape(-1)[places] = values
    return dense


def _outside(proto: Any, base: Path | None) -> np.ndarray:
    """The bytes of an array that lies in a file beside the model."""
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    what = f"{_WHO}: the array {proto.name!r} lies in {location!r}"
    if base is None:
        raise ValueError(f"{what}, beside a file: load the model by its path")
    folder = base.resolve()
    path = (folder / location).resolve()
    if not location or Path(location).is_absolute() or folder not in path.parents:
        raise ValueError(f"{what}, which is outside of the model's folder")
    if not path.is_file():
        raise FileNotFoundError(f"{what}, and there is no such file in {str(folder)!r}")
    total = path.stat().st_size
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else total - offset
    except ValueError as error:
        raise ValueError(f"{what}, at {entries}: {error}") from error
    if offset < 0 or length < 0 or offset + length > total:
        raise ValueError(
            f"{what}, bytes {offset} to {offset + length}, but the file has {total} bytes"
        )
    return np.fromfile(path, np.uint8, length, offset=offset)
