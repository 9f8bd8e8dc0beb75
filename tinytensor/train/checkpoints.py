"""Checkpoints: all that a training must know to go on to the same bits, in one file.

A checkpoint is a file of safetensors, whose tensors are those of the model ("model.conv1.weight"),
of the optimizer and of the generators; all else is JSON in its header. One file is renamed in one
step, so there is no moment at which a pair of files could disagree. A checksum of all of it tells
of damage that the format itself would not see.
"""

from __future__ import annotations

import functools
import os
import random
import types
import zlib
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import a_kind_of
from ..io import save
from ..io.files import StrPath
from ..io.loading import load_saved
from ..nn import Module
from ..random import default_generator
from ..tensors.tensor import Tensor

LAST, BEST = "last.safetensors", "best.safetensors"
VERSION = 1


def write_checkpoint(path: StrPath, state: Mapping[str, Any]) -> None:
    """Put ``state`` in the place of ``path``, whole or not at all, and on the disk on return."""
    tree = {**state, "version": VERSION}
    save(path, {**tree, "checksum": checksum(tree)})


def read_checkpoint(path: StrPath) -> dict[str, Any]:
    """The state in a checkpoint, or in the last one of a folder.

    ``["model"]`` is the model's ``state_dict``, ``["optimizer"]`` the optimizer's, and
    ``["history"]`` that of the `History`. Raises FileNotFoundError; ValueError, which names the
    file, if it is damaged or something else.
    """
    if os.path.isdir(path):
        path = Path(path) / LAST
    state = load_saved(path)
    name = repr(os.fspath(path))
    if not isinstance(state, dict) or "checksum" not in state or "version" not in state:
        raise ValueError(f"read_checkpoint: {name} is no checkpoint of train.fit")
    if state.pop("checksum") != checksum(state):
        raise ValueError(f"read_checkpoint: {name} is damaged: its checksum differs")
    if state["version"] != VERSION:
        raise ValueError(
            f"read_checkpoint: {name} has version {state['version']!r} of the format, not {VERSION}"
        )
    return state


def checksum(tree: Any) -> int:
    """Of names, values and arrays with their dtypes and shapes."""
    return _crc(tree, 0)


def _crc(tree: Any, crc: int) -> int:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            crc = _crc(value, zlib.crc32(repr(key).encode("utf-8", "backslashreplace"), crc))
        return zlib.crc32(b"}", crc)
    if isinstance(tree, list | tuple):
        for item in tree:
            crc = _crc(item, crc)
        return zlib.crc32(b"]", crc)
    if isinstance(tree, Tensor | np.ndarray | np.generic):
        array = np.ascontiguousarray(tree.value if isinstance(tree, Tensor) else tree)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        crc = zlib.crc32(f"{array.dtype.name}{np.shape(tree)}".encode(), crc)
        return zlib.crc32(array.reshape(-1).view(np.uint8).data, crc)
    return zlib.crc32(repr(tree).encode("utf-8", "backslashreplace"), crc)


# --- Random numbers --------------------------------------------------------------------------

_CLOSED = (str, bytes, int, float, complex, type, types.ModuleType, np.ndarray, np.generic, Tensor)
_MOST_ITEMS = 100  # of a list: samples hold no generators, transforms do


def random_sources(roots: Mapping[str, Any]) -> dict[str, Any]:
    """The generators that are reached from ``roots`` through attributes, containers and closures,
    by their paths: of a loader's shuffling, of a data set's transform, of a dropout …

    The default ones of tinytensor, NumPy and Python are there too; the last two only say so.
    """
    found: dict[str, Any] = {"default": default_generator(), "numpy": np.random, "python": random}
    seen = {id(default_generator())}
    waiting = [(name, root) for name, root in reversed([*roots.items()])]
    while waiting:
        path, item = waiting.pop()
        if item is None or isinstance(item, _CLOSED) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.random.Generator | np.random.RandomState | random.Random):
            found[path] = item
        else:
            waiting += reversed([(f"{path}.{name}", part) for name, part in _parts(item)])
    return found


def _parts(item: Any) -> list[tuple[Any, Any]]:
    if isinstance(item, dict):
        named = islice(enumerate(item.items()), _MOST_ITEMS)
        return [(key if isinstance(key, str | int) else f"#{i}", v) for i, (key, v) in named]
    if isinstance(item, list | tuple | set | frozenset):
        return list(enumerate(item))[:_MOST_ITEMS]
    parts = list(getattr(item, "__dict__", {}).items())
    if hasattr(item, "load_state_dict") and not isinstance(item, Module):
        # What is its own affair, such as a loader's workers, is in its own state.
        parts = [(name, part) for name, part in parts if not name.startswith("_")]
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        slots = (slots,) if isinstance(slots, str) else slots
        parts += [(name, getattr(item, name)) for name in slots if hasattr(item, name)]
    if isinstance(item, functools.partial):
        parts += [("func", item.func), ("args", item.args), ("keywords", item.keywords)]
    if isinstance(item, types.MethodType):
        parts += [("__self__", item.__self__)]
    for name, cell in zip(
        getattr(getattr(item, "__code__", None), "co_freevars", ()),
        getattr(item, "__closure__", None) or (),
        strict=False,
    ):
        try:
            parts.append((name, cell.cell_contents))
        except ValueError:  # not yet bound
            continue
    return parts


def random_states(sources: Mapping[str, Any]) -> dict[str, Any]:
    """The states of :func:`random_sources`, of what a file can hold."""
    return {path: _state(source) for path, source in sources.items()}


def set_random_states(sources: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Put the generators back to what :func:`random_states` gave."""
    if states.keys() != sources.keys():
        lost = ", ".join(sorted(states.keys() - sources.keys())) or "none"
        new = ", ".join(sorted(sources.keys() - states.keys())) or "none"
        raise ValueError(
            "fit: resume: model, data and callbacks have other random generators than the"
            f" checkpoint: without {lost}; beyond it {new}"
        )
    for path, source in sources.items():
        try:
            _set_state(source, _arrays(states[path]))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"fit: resume: the generator {path} is another: {error}") from error


def _state(source: Any) -> Any:
    if source is np.random:
        return np.random.get_state(legacy=False)  # noqa: NPY002 (users draw from it)
    if isinstance(source, np.random.Generator):
        return source.bit_generator.state
    if isinstance(source, np.random.RandomState):
        return source.get_state(legacy=False)
    version, numbers, normal = source.getstate()
    return {"version": version, "numbers": np.array(numbers, np.uint64), "normal": normal}


def _set_state(source: Any, state: dict[str, Any]) -> None:
    if source is np.random:
        np.random.set_state(state)  # noqa: NPY002
    elif isinstance(source, np.random.Generator):
        source.bit_generator.state = state
    elif isinstance(source, np.random.RandomState):
        source.set_state(state)
    else:
        source.setstate((state["version"], tuple(state["numbers"].tolist()), state["normal"]))


def _arrays(tree: Any) -> Any:
    """The tree with arrays, which NumPy takes, for tensors."""
    if isinstance(tree, dict):
        return {key: _arrays(value) for key, value in tree.items()}
    return np.array(tree.value) if isinstance(tree, Tensor) else tree


def states_by_kind(owners: list[Any]) -> list[list[Any]]:
    """The kind and the state of each that has one."""
    return [[type(o).__name__, o.state_dict()] for o in owners if hasattr(o, "state_dict")]


def load_states_by_kind(owners: list[Any], states: list[Any]) -> None:
    """Give states back, in order, to owners of their kinds. An owner that had none begins anew."""
    waiting = [o for o in owners if hasattr(o, "load_state_dict")]
    for kind, state in states:
        taker = next((o for o in waiting if type(o).__name__ == kind), None)
        if taker is None:
            raise ValueError(f"it has the state of {kind}, which callbacks lack")
        waiting.remove(taker)
        taker.load_state_dict(state)


def check_keys(owner: str, state: Any, keys: set[str]) -> None:
    """Raise ValueError unless ``state`` is a dict of these keys."""
    if not isinstance(state, Mapping) or set(state) != keys:
        what = sorted(map(str, state)) if isinstance(state, Mapping) else a_kind_of(state)
        raise ValueError(f"{owner}: a state of {what}, not of {sorted(keys)}")
