"""What mkdocstrings is told that the sources alone do not say: a griffe extension.

Griffe reads sources and runs nothing. What a module's ``__all__`` names, but a loop or a call
makes, is taken from the module as it runs. Docstrings, which are prose with Sphinx's roles and
doctests, become Markdown.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # griffe loads this file alone

from tools.website.prose import markdown

KINDS = {kind: griffe.ParameterKind(kind.description) for kind in inspect._ParameterKind}


class NamesAtRunTime(griffe.Extension):
    """Completes a package when griffe has loaded it."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        if pkg.path == "tinytensor":
            complete(pkg)
            rewrite(pkg)


def complete(module: griffe.Module) -> None:
    """Add to a module, and to those within, what they make of names: of ``__all__``, and classes
    that are made when somebody asks for them."""
    try:
        running = import_module(module.path)
    except ModuleNotFoundError:  # of stubs alone
        return
    listed = getattr(running, "__all__", ())
    for name in {*listed, *module.members}:
        found = module.members.get(name)
        if found is None or (not found.is_alias and found.is_attribute):
            value = getattr(running, name, None)
            if name in listed or getattr(value, "__module__", None) == module.path:
                module.set_member(name, made(name, value, module))
    for inner in list(module.members.values()):
        if isinstance(inner, griffe.Module) and inner.name != "__main__":
            complete(inner)


def made(name: str, value: Any, module: griffe.Module) -> griffe.Object:
    """A function or a class as it runs: its signature and its docstring."""
    text, own = inspect.getdoc(value) or "", getattr(value, "__name__", name)
    if own != name:
        text = f"The same as ``{own}``: {text}"
    docstring = griffe.Docstring(text) if text else None
    if inspect.isclass(value):
        return griffe.Class(name, parent=module, docstring=docstring)
    if not callable(value):
        return griffe.Attribute(name, value=repr(value), parent=module)
    parameters = [
        griffe.Parameter(
            p.name,
            annotation=None if p.annotation is p.empty else shown(p.annotation),
            kind=KINDS[p.kind],
            default=None if p.default is p.empty else repr(p.default),
        )
        for p in inspect.signature(value).parameters.values()
    ]
    return griffe.Function(
        name, parameters=griffe.Parameters(*parameters), parent=module, docstring=docstring
    )


def shown(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def rewrite(within: griffe.Object) -> None:
    """Make Markdown of the docstrings of an object, and of all within."""
    if within.docstring:
        within.docstring.value = markdown(
            within.docstring.value, lambda name: path_of(name, within)
        )
    for inner in within.members.values():
        if isinstance(inner, griffe.Object):
            rewrite(inner)
            if within.is_class and not inner.docstring and not is_told(inner):
                inner.public = False


def is_told(member: griffe.Object) -> bool:
    """Whether what a class has without a word about it says something: signatures do."""
    dunder = member.name.startswith("__") and member.name not in ("__init__", "__call__")
    return member.is_function and not dunder


def path_of(name: str, of: griffe.Object) -> str:
    """Of what a docstring's role names."""
    try:
        return of.resolve(name)
    except griffe.NameResolutionError:
        return name if name.startswith("tinytensor.") else f"tinytensor.{name.removeprefix('tt.')}"
