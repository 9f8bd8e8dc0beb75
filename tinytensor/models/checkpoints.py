"""Checkpoints: what a folder of Hugging Face's or a GGUF file holds, before it is a model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import DtypeError, ShapeError
from ..io import safetensors
from ..io.files import open_file, read_file, short
from ..io.stored import Stored

__all__ = ["Checkpoint", "read_checkpoint"]

StrPath = str | os.PathLike[str]
MOST_JSON = 64 << 20  # bytes of a config.json or an index


@dataclass
class Checkpoint:
    """Settings, tensors and texts of one model, as the files have them."""

    path: str
    settings: dict[str, Any]
    tensors: Mapping[str, Stored]
    gguf: Any = None
    files: dict[str, bytes] = field(default_factory=dict)  # of the tokeniser, in a folder

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors within tell of which files."""
        with told(self.path):
            yield


@contextmanager
def told(path: str) -> Iterator[None]:
    """Errors within are ValueErrors that name the path."""
    try:
        yield
    except (ShapeError, DtypeError, ValueError, MemoryError, OverflowError) as error:
        text = str(error)
        if text.startswith("from_pretrained: "):
            raise
        raise ValueError(f"from_pretrained: {path!r}: {text}") from error


def read_checkpoint(path: StrPath) -> Checkpoint:
    """The checkpoint at a path: a folder of Hugging Face's, or a GGUF file."""
    name = os.fsdecode(path)
    with told(name):
        if os.path.isdir(name):
            return _of_folder(name)
        with open_file(name, "from_pretrained") as file:
            magic = file.read(4)
        if magic == b"GGUF":
            raise ValueError("GGUF files are not read yet")
        raise ValueError("it is neither a folder with config.json nor a GGUF file")


# --- Folders of Hugging Face's ----------------------------------------------------------------

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def _of_folder(folder: str) -> Checkpoint:
    settings = read_object(folder, "config.json")
    for name in WEIGHTS:
        if os.path.lexists(os.path.join(folder, name)):
            tensors = _tensors_in(folder, name)
            break
        if os.path.lexists(os.path.join(folder, f"{name}.index.json")):
            tensors = _tensors_of_index(folder, f"{name}.index.json")
            break
    else:
        raise ValueError(f"there are no weights: neither {' nor '.join(WEIGHTS)}, nor their index")
    return Checkpoint(folder, settings, tensors)


def read_object(folder: str, name: str) -> dict[str, Any]:
    """The object in a file of JSON."""
    path = os.path.join(folder, name)
    with open_file(path, "from_pretrained") as file:
        content = file.read(MOST_JSON + 1)
    return json_object(content, name)


def json_object(content: bytes, name: str) -> dict[str, Any]:
    """The object that a text in JSON is."""
    if len(content) > MOST_JSON:
        raise ValueError(f"{name} is larger than {MOST_JSON} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is {short(found)}, not an object")
    return found


def _tensors_in(folder: str, name: str) -> dict[str, Stored]:
    """The tensors in a file of weights."""
    path = os.path.join(folder, name)
    if name.endswith(".safetensors"):
        try:
            return safetensors.stored(read_file(path, "from_pretrained"))
        except (ValueError, DtypeError) as error:
            raise ValueError(f"{name}: {error}") from error
    raise ValueError(f"{name}: not yet")


def _tensors_of_index(folder: str, name: str) -> dict[str, Stored]:
    """The tensors in several files, which an index names."""
    index = read_object(folder, name)
    places = index.get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise ValueError(f"{name} has no weight_map of file names")
    tensors: dict[str, Stored] = {}
    for shard in sorted(set(places.values())):
        if not re.fullmatch(r"[\w-][\w.-]*\.(safetensors|bin)", shard, re.ASCII):
            raise ValueError(f"{name} names the file {short(shard)}, which is none of its folder")
        if not os.path.exists(os.path.join(folder, shard)):
            raise ValueError(f"{shard}, which {name} names, is missing")
        found = _tensors_in(folder, shard)
        expected = {tensor for tensor, place in places.items() if place == shard}
        if found.keys() != expected:
            lacks, has = sorted(expected - found.keys()), sorted(found.keys() - expected)
            raise ValueError(f"{shard} lacks {short(lacks)} and has {short(has)} against {name}")
        tensors.update(found)
    return tensors
