"""Trees of tensors in safetensors files, which hold no code.

A flat dict of tensors, such as a module's ``state_dict``, becomes a file that any reader of
safetensors understands. For a nested one, such as an optimizer's, the tensors are stored under
their paths, ``"optimizer.state.0.exp_avg"``, and the rest as JSON in the file's metadata:

    {"dict": [[key, tree], …]} | {"list": [tree, …]} | {"tuple": […]} | {"tensor": name}
    | {"value": number, string, bool or None}

A name that is taken, be it a tensor's or the metadata's that holds the tree, gets one more
underscore.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dtypes import is_complex
from ..errors import DtypeError, a_kind_of
from ..tensors.tensor import Tensor
from . import safetensors
from .files import StrPath, replaced, short

__all__ = ["from_safetensors", "save"]

TREE = "tinytensor"  # the metadata that holds the tree, with the most underscores behind it
DEEPEST = 100  # dicts and lists in one another: far below Python's limit of recursion


def save(
    path: StrPath | Mapping[Any, Any],
    state: Mapping[Any, Any] | StrPath,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a ``state_dict``, or nested dicts and lists of tensors, numbers and strings.

    ``save(state, path)``, PyTorch's order, is understood by the types.

    Keys are strings, numbers, bools or None. ``metadata`` (strings) goes into the file's header.

    The file appears whole or not at all, also where several threads or processes save to one path
    at once and others load from it: the last one stays. It is on the disk when ``save`` returns.
    A symlink stays, and its target is written; an existing file's mode is kept.

    Raises TypeError or DtypeError for what cannot be saved, ValueError for what is nested more than
    100 deep or in itself; the file is then as it was.

    >>> import tempfile, os, tinytensor as tt
    >>> model = tt.nn.Linear(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     tt.save(path, model.state_dict())
    ...     model.load_state_dict(tt.load(path))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    if isinstance(state, str | bytes | os.PathLike) and not isinstance(path, str | bytes):
        path, state = state, path
    if not isinstance(state, Mapping):
        raise TypeError(f"save: state is {a_kind_of(state)}, not a dict of tensors")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise TypeError(f"save: metadata is {a_kind_of(metadata)}, not a dict of strings")
    header = dict(metadata or {})
    if not all(isinstance(item, str) for pair in header.items() for item in pair):
        raise TypeError("save: metadata are strings by strings")
    for text in (*header, *header.values()):
        _check_unicode(text)
    arrays: dict[str, np.ndarray] = {}
    tree = _flatten(state, (), arrays, {})
    taken = [key for key in header if key.rstrip("_") == TREE]
    name = max(taken, key=len) + "_" if taken else TREE
    if taken or any(key != branch.get("tensor") for key, branch in tree["dict"]):
        header[name] = json.dumps(tree)
    content = safetensors.to_bytes(arrays, header)
    with replaced(path, "save") as file:  # type: ignore[arg-type]
        file.write(content)


def from_safetensors(content: bytes) -> dict[Any, Any]:
    """What :func:`save` wrote; of another safetensors file, its tensors by name.

    Raises ValueError, or DtypeError for a dtype that NumPy does not have.
    """
    try:
        arrays, metadata = safetensors.from_bytes(content)
    except ValueError as error:
        raise ValueError(f"is not a safetensors file: {error}") from error
    trees = [key for key in metadata if key.rstrip("_") == TREE]
    tensors = {name: Tensor(array) for name, array in arrays.items()}
    if not trees:
        return tensors
    try:
        tree = json.loads(metadata[max(trees, key=len)])
        state = _unflatten(tree, tensors, DEEPEST)
        if not isinstance(state, dict):
            raise ValueError(f"it is {a_kind_of(state)}, not a dict")
        return state
    except (ValueError, RecursionError) as error:
        raise ValueError(f"has a damaged tree: {error}") from error


def _flatten(
    item: Any, path: tuple[Any, ...], arrays: dict[str, np.ndarray], around: dict[int, Any]
) -> dict[str, Any]:
    """The tree of ``item``, which is ``around`` by id; its tensors are put into ``arrays``."""
    if isinstance(item, Mapping | list | tuple):
        if id(item) in around:
            raise ValueError(f"save: {_dotted(path)} contains itself")
        if len(around) == DEEPEST:
            raise ValueError(f"save: {_dotted(path[:3])}… is nested more than {DEEPEST} deep")
        inside = {**around, id(item): item}
        if isinstance(item, Mapping):
            pairs = []
            for key, value in item.items():
                if not _is_scalar(key):
                    raise TypeError(
                        f"save: a key of {_dotted(path)} is {short(key)}, not a string or int"
                    )
                pairs.append([key, _flatten(value, (*path, key), arrays, inside)])
            return {"dict": pairs}
        kind = "tuple" if isinstance(item, tuple) else "list"
        return {kind: [_flatten(v, (*path, i), arrays, inside) for i, v in enumerate(item)]}
    if isinstance(item, str):
        return {"value": str(item)}
    if isinstance(item, Tensor | np.ndarray | np.generic):
        array = np.asarray(item.value if isinstance(item, Tensor) else item)
        if safetensors.dtype_name(array.dtype) is None:
            way_out = ": save its real and imag" * (is_complex(array))
            raise DtypeError(
                f"save: {_dotted(path)} is {array.dtype}, which safetensors cannot hold{way_out}"
            )
        # Half a surrogate pair is a character to Python, and none to JSON's other readers.
        name = _dotted(path).encode("utf-8", "backslashreplace").decode()
        while name in arrays or name == safetensors.METADATA:  # "a.b", or "b" in "a"
            name += "_"
        arrays[name] = array
        return {"tensor": name}
    if _is_scalar(item):
        return {"value": item}
    raise TypeError(f"save: {_dotted(path)} is {a_kind_of(item)}, not a tensor, number or string")


def _is_scalar(item: Any) -> bool:
    return item is None or (
        isinstance(item, str | bool | int | float) and not isinstance(item, np.generic)
    )


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) if path else "state"


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"save: metadata {short(text)} is no Unicode text: {error}") from None


def _unflatten(tree: Any, tensors: dict[str, Tensor], deeper: int) -> Any:
    """What a tree stands for, at most ``deeper`` dicts and lists in one another."""
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ValueError(f"{short(tree)} is no tree")
    ((kind, content),) = tree.items()
    if kind in ("dict", "list", "tuple"):
        if not deeper:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        if not isinstance(content, list):
            raise ValueError(f"a {kind} is {short(content)}")
        if kind != "dict":
            items = [_unflatten(branch, tensors, deeper - 1) for branch in content]
            return tuple(items) if kind == "tuple" else items
        found = {}
        for pair in content:
            if not isinstance(pair, list) or len(pair) != 2 or not _is_scalar(pair[0]):
                raise ValueError(f"an item of a dict is {short(pair)}")
            found[pair[0]] = _unflatten(pair[1], tensors, deeper - 1)
        if len(found) < len(content):
            raise ValueError("a dict has a key twice")
        return found
    if kind == "tensor":
        if not isinstance(content, str) or content not in tensors:
            raise ValueError(f"there is no tensor {short(content)}")
        return tensors[content]
    if kind == "value" and _is_scalar(content):
        return content
    raise ValueError(f"unknown kind {short(tree)}")
