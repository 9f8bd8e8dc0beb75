"""The files of ``torch.save``, read without PyTorch and without running what they say.

A file is a pickle (:mod:`.pickled_tensors`) and the bytes of its storages. There are three layouts:

    zip       NAME/data.pkl, NAME/byteorder, NAME/data/KEY for each storage (since 1.6)
    stream    pickles: magic number, version, system, the object, the storages' keys; then for each
              key the number of elements (8 bytes) and the elements
    tar       storages, tensors, pickle: three files of the kind of the stream (before 0.1.12)

Source: the documentation of torch.save, "Serialization semantics", and files that it wrote.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import a_kind_of
from .archives import Archive
from .files import short
from .pickled_tensors import (
    NAMES,
    Absent,
    Kind,
    Part,
    PickledTensor,
    Storage,
    data_of,
    storage_id,
)
from .unpickler import Unpickler

__all__ = ["from_stream", "from_tar", "from_zip"]

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
VERSION = 1001
ADVICE = (
    "Tensors and plain data are read, and nothing is run: where PyTorch is, save"
    " model.state_dict(), not the model"
)


def _unpickled(machine: Unpickler) -> Any:
    try:
        return machine.load()
    except ValueError as error:
        raise ValueError(f"{error}. {ADVICE}" if machine.asked else str(error)) from error


# --- The zip archive -------------------------------------------------------------------------


def from_zip(archive: Archive, pickle: str) -> Any:
    """The object whose pickle is the member ``pickle`` of an archive: NAME/data.pkl."""
    folder = pickle.removesuffix("data.pkl")
    if f"{folder}constants.pkl" in archive.members or f"{folder}code/" in archive.members:
        raise ValueError(f"it is a program of TorchScript, not data. {ADVICE}")
    order = b"little"
    if f"{folder}byteorder" in archive.members:
        order = archive.read(f"{folder}byteorder")[:8].tobytes()
    if order not in (b"little", b"big"):
        raise ValueError(f"its byte order is {short(order)}")
    storages: dict[Any, Storage] = {}

    def stored(name: str) -> Callable[[int], np.ndarray]:
        def read(size: int) -> np.ndarray:
            if name not in archive.members:
                raise ValueError(f"there is no {short(name)} in the zip archive")
            if archive.members[name].size != size:
                held = archive.members[name].size
                raise ValueError(f"{short(name)} of the zip archive has {held} bytes, not {size}")
            return archive.read(name)

        return read

    def persistent(key: Any) -> Storage:
        kind, name, _, size = storage_id(key, 5)
        if name not in storages:
            swap = order.decode() != sys.byteorder
            storages[name] = Storage(kind, size, stored(f"{folder}data/{name}"), swap)
        return storages[name]

    machine = Unpickler(archive.read(pickle).tobytes(), NAMES, persistent, "utf-8")
    try:
        found = _unpickled(machine)
    except ValueError as error:
        raise ValueError(f"{pickle}: {error}") from error
    return data_of(found, {})


# --- The stream of pickles -------------------------------------------------------------------


def from_stream(content: bytes) -> Any:
    """The object of a file in the older layout."""
    storages: dict[Any, Storage] = {}
    places: dict[Any, int] = {}

    def stored(name: Any) -> Callable[[int], np.ndarray]:
        def read(size: int) -> np.ndarray:
            if name not in places:
                raise ValueError(f"there is no content of storage {short(name)}")
            return np.frombuffer(content, np.uint8, size, places[name]).copy()

        return read

    def persistent(key: Any) -> Any:
        kind, name, _, size, view = storage_id(key, 6)
        if name not in storages:
            storages[name] = Storage(kind, size, stored(name), SWAPPED)
        if view is None:
            return storages[name]
        if type(view) is not tuple or len(view) != 3:
            raise ValueError(f"a part of a storage is {short(view)}")
        return Part(storages[name], *view[1:])

    machine = Unpickler(content, NAMES, persistent, "utf-8")
    try:
        magic: Any = machine.load()
    except ValueError as error:
        raise ValueError(f"{ANY_PICKLE}: {error}") from error
    if magic != MAGIC_NUMBER:
        raise ValueError(ANY_PICKLE)
    if (version := _unpickled(machine)) != VERSION:
        raise ValueError(f"it is of version {short(version)} of torch.save")
    _unpickled(machine)  # of the writer's machine
    found = _unpickled(machine)
    keys = _unpickled(machine)
    if not isinstance(keys, list) or len(keys) != len(storages):
        raise ValueError(f"its storages' keys are {short(keys)}, and it has {len(storages)}")
    at = machine.position
    for key in keys:
        if type(key) not in (str, bytes, int) or key not in storages or key in places:
            raise ValueError(f"a storage's key is {short(key)}")
        at = places[key] = _counted(content, at, storages[key])
        at += _bytes_of(storages[key])
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes follow it")
    return data_of(found, {})


ANY_PICKLE = (
    "it is a pickle, not a file of torch.save. tt.save writes a model's state_dict; pickle.load"
    " reads a whole model, by the version that wrote it, as modules move between versions"
)
SWAPPED = sys.byteorder == "big"  # these layouts are little-endian on every machine
ITEMSIZES = {"bfloat16": 2, "complex32": 4, "qint32": 4}


def _bytes_of(storage: Storage) -> int:
    if isinstance(storage.dtype, Absent):
        return storage.size * ITEMSIZES.get(storage.dtype.name, 1)
    return storage.size * (1 if storage.dtype is None else storage.dtype.itemsize)


def _counted(content: bytes, at: int, storage: Storage) -> int:
    """Where the elements of a storage begin, whose number stands at ``at``."""
    count = int.from_bytes(content[at : at + 8], "little")
    size = _bytes_of(storage)
    if count != storage.size:
        raise ValueError(f"at byte {at}: a storage of {storage.size} elements has {count}")
    if at + 8 + size > len(content):
        raise ValueError(f"it is truncated: {size} bytes of a storage should follow byte {at + 8}")
    return at + 8


# --- The tar archive -------------------------------------------------------------------------


def from_tar(content: bytes) -> Any:
    """The object of a file in the oldest layout."""
    files = _tar_files(content)
    objects: dict[Any, Any] = {}
    _tar_storages(files, objects)
    _tar_tensors(files, objects)

    def persistent(key: Any) -> Any:
        name = int(key) if isinstance(key, str) else key
        if type(name) is not int or name not in objects:
            raise ValueError(f"there is no tensor or storage {short(key)}")
        return objects[name]

    machine = Unpickler(files["pickle"], NAMES, persistent, "utf-8")
    try:
        found = _unpickled(machine)
    except ValueError as error:
        raise ValueError(f"pickle: {error}") from error
    return data_of(found, {})


def _tar_storages(files: dict[str, bytes], objects: dict[Any, Any]) -> None:
    content = files["storages"]
    machine = Unpickler(content, NAMES, None, "utf-8")

    def stored(at: int) -> Callable[[int], np.ndarray]:
        return lambda size: np.frombuffer(content, np.uint8, size, at).copy()

    try:
        for _ in range(_whole(_unpickled(machine))):
            key, _, kind = _triple(_unpickled(machine))
            if not isinstance(kind, Kind) or kind.dtype is None:
                raise ValueError(f"a storage is {a_kind_of(kind)}")
            at = machine.position
            count = int.from_bytes(content[at : at + 8], "little")
            storage = Storage(kind, count, stored(at + 8), SWAPPED)
            machine.position = _counted(content, at, storage) + _bytes_of(storage)
            objects[_whole(key)] = storage
        views = _unpickled(machine)
        if not isinstance(views, list):
            raise ValueError(f"its parts of storages are {short(views)}")
        for view in views:
            root = view[1] if type(view) is tuple and len(view) == 4 else None
            if type(objects.get(_whole(root))) is not Storage:
                raise ValueError(f"a part of a storage is {short(view)}")
            objects[_whole(view[0])] = Part(objects[root], *view[2:])
    except (ValueError, TypeError) as error:
        raise ValueError(f"storages: {error}") from error


def _tar_tensors(files: dict[str, bytes], objects: dict[Any, Any]) -> None:
    content = files["tensors"]
    machine = Unpickler(content, NAMES, None, "utf-8")
    try:
        for _ in range(_whole(_unpickled(machine))):
            key, storage, _ = _triple(_unpickled(machine))
            (axes,) = struct.unpack("<ixxxx", machine.take(8))
            numbers = machine.take(16 * axes)
            sizes = struct.unpack(f"<{2 * axes}q", numbers)
            (offset,) = struct.unpack("<q", machine.take(8))
            made = PickledTensor(objects.get(_whole(storage)), offset, sizes[:axes], sizes[axes:])
            objects[_whole(key)] = made
    except ValueError as error:
        raise ValueError(f"tensors: {error}") from error


def _whole(number: Any) -> int:
    if type(number) is not int:
        raise ValueError(f"{short(number)} is no whole number")
    return number


def _triple(items: Any) -> tuple[Any, Any, Any]:
    if type(items) is not tuple or len(items) != 3:
        raise ValueError(f"{short(items)} are not three items")
    return items


def _tar_files(content: bytes) -> dict[str, bytes]:
    """The plain files of a tar archive that the layout has.

    name (100 bytes) | … | size in octal digits (at 124, 12 bytes) | … | type (at 156) | … 512
    """
    found = {}
    at = 0
    while at + 512 <= len(content) and content[at]:
        header, at = content[at : at + 512], at + 512
        try:
            size = int(header[124:136].strip(b" \0"), 8)
        except ValueError:
            raise ValueError(f"a size in the tar archive is {short(header[124:136])}") from None
        if not 0 <= size <= len(content) - at:
            raise ValueError(f"the tar archive is truncated: {size} bytes should follow byte {at}")
        name = header[:100].rstrip(b"\0").removeprefix(b"./")
        if header[156] in b"0\0" and name in (b"storages", b"tensors", b"pickle"):
            found[name.decode()] = content[at : at + size]
        at += -(-size // 512) * 512
    for wanted in ("storages", "tensors", "pickle"):
        if wanted not in found:
            raise ValueError(f"a tar archive without {wanted!r}, which torch.save does not write")
    return found
