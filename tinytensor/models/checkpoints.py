"""Checkpoints: what a folder of Hugging Face's or a GGUF file holds, before it is a model."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, a_kind_of
from ..io import load, safetensors
from ..io.files import open_file, read_file, replaced, short
from ..io.gguf import GGUF, read_gguf
from ..io.stored import Stored, of_array
from ..tensors.tensor import Tensor

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

StrPath = str | os.PathLike[str]
MOST_JSON = 64 << 20  # bytes of a config.json or an index


@dataclass
class Checkpoint:
    """Settings, tensors and texts of one model, as the files have them."""

    path: str
    settings: dict[str, Any]
    tensors: Mapping[str, Stored]
    gguf: GGUF | None = None

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors within tell of which files."""
        with told(self.path):
            yield

    def tokenizer(self) -> Any:
        """The tokeniser that the files have, or None; also None, with a warning, where it is of a
        kind that is not known, or its package is not installed."""
        from ..text.subwords import Subwords, UnknownTokeniser

        try:
            if self.gguf is not None:
                known = "tokenizer.ggml.model" in self.gguf.metadata
                return Subwords.of_gguf(self.gguf.metadata) if known else None
            files = self._texts()
            return Subwords.of_files(files) if "tokenizer.json" in files else None
        except (ImportError, UnknownTokeniser) as error:
            warnings.warn(f"from_pretrained: no tokeniser: {error}", stacklevel=4)
            return None

    def _texts(self) -> dict[str, bytes]:
        """The contents of the files that describe a tokeniser."""
        content = {}
        for name in TEXTS:
            path = os.path.join(self.path, name)
            if os.path.exists(path):
                with open_file(path, "from_pretrained") as file:
                    content[name] = file.read(MOST_JSON + 1)
                if len(content[name]) > MOST_JSON:
                    raise ValueError(f"{name} is larger than {MOST_JSON} bytes")
        return content


TEXTS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
)


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
            return _of_gguf(name)
        raise ValueError("it is neither a folder with config.json nor a GGUF file")


# --- GGUF ------------------------------------------------------------------------------------


def _of_gguf(path: str) -> Checkpoint:
    """What GGUF says, its settings without the name of the architecture before each."""
    file = read_gguf(path)
    kind = file.metadata.get("general.architecture")
    if not isinstance(kind, str):
        raise ValueError(f"its general.architecture is {short(kind)}")
    tensors = {name: file.stored(name) for name in file.tensors}
    before = f"{kind}."
    settings = {
        key.removeprefix(before): value
        for key, value in file.metadata.items()
        if key.startswith(before)
    }
    table = tensors.get("token_embd.weight")
    if table is not None and len(table.shape) == 2:
        settings["vocab_size"] = table.shape[0]
    settings |= {"model_type": kind, "tie_word_embeddings": "output.weight" not in tensors}
    for key, value in settings.items():
        if type(value) is float:  # the shortest number of those that are this float32
            settings[key] = float(str(np.float32(value)))
    return Checkpoint(path, settings, tensors, file)


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
    try:
        state = load(path)
    except (ValueError, DtypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ValueError(f"{name} holds {a_kind_of(state)}, not tensors by name")
    size = os.path.getsize(path)
    return {key: _stored(name, size, key, value) for key, value in state.items()}


def _stored(file: str, size: int, key: Any, value: Any) -> Stored:
    if not isinstance(key, str) or not isinstance(value, Tensor):
        raise ValueError(f"{file}: {short(key)} is {a_kind_of(value)}, not a tensor by its name")
    array = np.asarray(value.value)
    if array.nbytes > size:  # by strides of 0
        raise ValueError(f"{file}: {short(key)} is {array.shape}, more than the file holds")
    try:
        return of_array(array)
    except ValueError as error:
        raise ValueError(f"{file}: {short(key)}: {error}") from None


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


UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def bytes_of(size: int | str) -> int:
    """A number of bytes, of "300MB" too."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]I?B)?", str(size).upper())
    if match is None or isinstance(size, bool) or float(match[1]) <= 0:
        raise ValueError(f"save_pretrained: max_shard_size is {size!r}, not bytes such as '2GB'")
    return int(float(match[1]) * UNITS[match[2] or ""])


def write_checkpoint(
    folder: StrPath,
    settings: Mapping[str, Any],
    tensors: Mapping[str, Stored],
    max_shard_size: int | str,
) -> None:
    """Write a folder as Hugging Face's: weights, their index if they are several files, and, last,
    config.json. Files of weights that an earlier call has left are removed."""
    most, base = bytes_of(max_shard_size), os.fsdecode(folder)
    shards: list[list[str]] = [[]]
    size = 0
    for name, stored in tensors.items():
        if shards[-1] and size + stored.data.nbytes > most:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += stored.data.nbytes
    os.makedirs(base, exist_ok=True)
    count = len(shards)
    files = [WEIGHTS[0]] if count == 1 else [SHARD.format(i + 1, count) for i in range(count)]
    for file, names in zip(files, shards, strict=True):
        with replaced(os.path.join(base, file), "save_pretrained") as out:
            chosen = {name: tensors[name] for name in names}
            safetensors.write_stored(out, chosen, {"format": "pt"})
    if count > 1:
        total = sum(stored.data.nbytes for stored in tensors.values())
        places = {name: file for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": total}, "weight_map": places}
        write_object(base, f"{WEIGHTS[0]}.index.json", index)
        files.append(f"{WEIGHTS[0]}.index.json")
    for old in os.listdir(base):
        if OURS.fullmatch(old) and old not in files:
            os.unlink(os.path.join(base, old))
    write_object(base, "config.json", settings)


SHARD = "model-{:05}-of-{:05}.safetensors"
OURS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?")


def write_object(folder: str, name: str, content: Mapping[str, Any]) -> None:
    """Write a file of JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replaced(os.path.join(folder, name), "save_pretrained") as file:
        file.write(text.encode())
