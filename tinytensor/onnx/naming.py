"""Names of a file as paths of modules: "/layer1/layer1.0/conv/Conv" is layer1.0.conv.Conv."""

from __future__ import annotations

import re

from ..nn.module import Module
from .graph_module import Scope

__all__ = ["placed"]


def path_of(name: str) -> list[str]:
    """The parts of a name. PyTorch writes a module's whole path as one part, after its parent's."""
    parts: list[str] = []
    before = ""
    for part in filter(None, name.split("/")):
        inner = part.removeprefix(before + ".") if before else part
        parts.extend(filter(None, inner.split(".")))
        before = part
    return parts or ["_"]


def placed(root: Module, name: str) -> tuple[str, Module, str]:
    """The path of the module that a name's last part belongs to, that module, which is made if need
    be, and that part; it gets a number or "_" where the name is taken."""
    *way, last = path_of(name)
    module, path = root, []
    for part in way:
        child = vars(module).get(part)
        while (child is not None and type(child) is not Scope) or _taken(module, part):
            part += "_"
            child = vars(module).get(part)
        if child is None:
            child = Scope()
            module.add_module(part, child)
        module = child
        path.append(part)
    return ".".join(path), module, _unused(module, last)


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
