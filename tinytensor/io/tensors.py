"""Saving and loading of tensors in safetensors files, which hold no code.

A flat dict of tensors, such as a module's ``state_dict``, becomes a file that any reader of
safetensors understands. For a nested one, such as an optimizer's, the tensors are stored under
their paths, ``"optimizer.state.0.exp_avg"``, and the rest as JSON in the file's metadata:

    {"dict": [[key, tree], …]} | {"list": [tree, …]} | {"tuple": […]} | {"tensor": path}
    | {"value": number, string, bool or None}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DtypeError
from ..narrow import is_narrow
from ..tensor import Tensor

__all__ = ["load", "save"]

TREE = "tinytensor"  # the key of the metadata that holds the tree

StrPath = str | os.PathLike[str]


def save(
    path: StrPath, state: Mapping[Any, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a ``state_dict``, or nested dicts and lists of tensors, numbers and strings.

    ``metadata`` (strings) goes into the file's header. The file appears whole or not at all.

    >>> import tempfile, os, tinytensor as tt
    >>> model = tt.nn.Linear(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     tt.save(path, model.state_dict())
    ...     model.load_state_dict(tt.load(path))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    from safetensors.numpy import save as to_bytes

    if not isinstance(state, Mapping):
        raise TypeError(f"save: state is a {type(state).__name__}, not a dict of tensors")
    arrays: dict[str, np.ndarray] = {}
    tree = _flatten(state, "", arrays)
    header = dict(metadata or {})
    if not all(isinstance(item, str) for pair in header.items() for item in pair):
        raise TypeError("save: metadata are strings by strings")
    if any(key != arrays_key for key, arrays_key in _flat_names(tree)):
        header[TREE] = json.dumps(tree)
    data = to_bytes(arrays, header or None)
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: StrPath) -> dict[Any, Any]:
    """Read what :func:`save` wrote; of another safetensors file, its tensors by name.

    Raises FileNotFoundError, or ValueError if the file is not in the format.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"load: there is no file {os.fspath(path)!r}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            tensors = {name: Tensor(file.get_tensor(name)) for name in names}
    except SafetensorError as error:
        raise ValueError(f"load: {os.fspath(path)!r} is not a safetensors file: {error}") from error
    except (TypeError, AttributeError) as error:  # a dtype that NumPy does not have
        raise DtypeError(f"load: {os.fspath(path)!r}: {error}") from error
    if TREE not in metadata:
        return tensors
    try:
        return _unflatten(json.loads(metadata[TREE]), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"load: {os.fspath(path)!r} has a damaged tree: {error!r}") from error


def _flatten(item: Any, path: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The tree of ``item``; its tensors are put into ``arrays``."""
    if isinstance(item, Mapping):
        pairs = []
        for key, value in item.items():
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise TypeError(f"save: a key of {path or 'state'} is {key!r}, not a string or int")
            pairs.append([key, _flatten(value, f"{path}.{key}" if path else str(key), arrays)])
        return {"dict": pairs}
    if isinstance(item, list | tuple):
        items = [_flatten(value, f"{path}.{i}", arrays) for i, value in enumerate(item)]
        return {"tuple" if isinstance(item, tuple) else "list": items}
    if isinstance(item, Tensor | np.ndarray | np.generic):
        array = np.asarray(item.value if isinstance(item, Tensor) else item, order="C")
        if array.dtype.kind not in "fiub" and not is_narrow(array):
            raise DtypeError(f"save: {path} is {array.dtype}, which safetensors cannot hold")
        while path in arrays:  # "a.b" may be one key, or a key in a dict
            path += "_"
        arrays[path] = array
        return {"tensor": path}
    if item is None or isinstance(item, str | bool | int | float):
        return {"value": item}
    raise TypeError(f"save: {path} is a {type(item).__name__}, not a tensor, number or string")


def _flat_names(tree: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Each key of the outermost dict beside the name of its tensor, None where it is none."""
    return [(key, branch.get("tensor")) for key, branch in tree["dict"]]


def _unflatten(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    ((kind, content),) = tree.items()
    if kind == "dict":
        return {key: _unflatten(branch, tensors) for key, branch in content}
    if kind in ("list", "tuple"):
        items = [_unflatten(branch, tensors) for branch in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "tensor":
        return tensors[content]
    if kind == "value":
        return content
    raise ValueError(f"unknown kind {kind!r}")
