"""Names of a file as paths of modules: "/layer1/layer1.0/conv/Conv" is layer1.0.conv.Conv."""

from __future__ import annotations

import re
from typing import Any

from ..nn.module import Module

__all__ = ["Scope", "place", "placed"]


class Scope(Module):
    """A module that only holds others: a part of the names of a graph."""


def path_of(name: str) -> list[str]:
    """The parts of a name. PyTorch writes a module's whole path as one part, after its parent's."""
    parts: list[str] = []
    before = ""
    for part in filter(None, name.split("/")):
        inner = part.removeprefix(before + ".") if before else part
        parts.extend(filter(None, inner.split(".")))
        before = part
    return parts or ["_"]


def placed(root: Module, name: str) -> tuple[Module, str]:
    """The module that a name's last part belongs to, which is made if need be, and that part; it
    gets a number or "_" where the name is taken."""
    *way, last = path_of(name)
    module = root
    for part in way:
        child = vars(module).get(part)
        while (child is not None and type(child) is not Scope) or _taken(module, part):
            part += "_"
            child = vars(module).get(part)
        if child is None:
            child = Scope()
            module.add_module(part, child)
        module = child
    return module, _unused(module, last)


def place(root: Module, name: str, part: Any) -> None:
    """Put a module at a name, or at one like it."""
    owner, last = placed(root, name)
    owner.add_module(last, part)


def _taken(module: Module, name: str) -> bool:
    """Whether a name means something else: an attribute of every module."""
    return hasattr(type(module), name) or (
        name in vars(module) and not isinstance(vars(module)[name], Module)
    )


def _unused(module: Module, name: str) -> str:
    if hasattr(type(module), name):
        name += "_"
    if name not in vars(module):
        return name
    stem, number = re.sub(r"_\d+$", "", name), 1
    while f"{stem}_{number}" in vars(module):
        number += 1
    return f"{stem}_{number}"
