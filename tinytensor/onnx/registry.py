"""Which function computes an operator of ONNX: by domain, name and opset."""

from __future__ import annotations

import inspect
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

__all__ = ["NEWEST", "Operator", "find", "operator", "operators"]

F = TypeVar("F", bound=Callable[..., Any])

# The newest opset of each domain whose operators mean what was read when these files were written.
NEWEST = {
    "": 28,
    "ai.onnx.ml": 5,
    "ai.onnx.preview": 1,
    "ai.onnx.preview.training": 1,
    "com.microsoft": 1,
}


@dataclass(frozen=True)
class Operator:
    """One meaning of an operator: a function of inputs and attributes, and how it may be called.

    ``settings`` are the places of inputs that are never learned: an initializer there is a buffer.
    ``constant`` says whether equal inputs give equal outputs, so that a call of constants is made
    once, at import.
    """

    domain: str
    name: str
    since: int
    function: Callable[..., Any] = field(repr=False)
    settings: tuple[int, ...] = ()
    constant: bool = True
    attributes: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    least: int = 0
    most: int | None = None  # None: any number of inputs
    wants_node: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return find, (self.domain, self.name, self.since)


_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def operator(
    name: str,
    since: int = 1,
    *,
    domain: str = "",
    settings: tuple[int, ...] = (),
    constant: bool = True,
    attributes_of: Callable[..., Any] | None = None,
) -> Callable[[F], F]:
    """Declare what an operator of ONNX means, from an opset to the next that is declared.

    The function takes the inputs by position: a tensor each, an ndarray where tinytensor has no
    such dtype (strings, floats of 8 bits), a list for a sequence, None for what was left out or
    for an empty optional. It takes attributes by keyword, with their defaults: numbers, strings,
    tuples of them, tensors, and for a graph a :class:`~tinytensor.onnx.graph_module.Body`, a
    function of the body's inputs that returns a tuple of its outputs. One that has a keyword
    ``node`` is given the :class:`~tinytensor.onnx.graph_module.Node` too, with its ``name``,
    ``opset``, names of ``outputs`` and ``training``. The keywords of ``attributes_of``, another
    function, are attributes as well; it is given those by ``**``.

    It returns a value, or a tuple of several: as many as it has, whatever the node asks for.
    """

    def declare(function: F) -> F:
        parameters = inspect.signature(function).parameters.values()
        inputs = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        more = inspect.signature(attributes_of).parameters.values() if attributes_of else ()
        keywords = [
            p for p in (*parameters, *more) if p.kind is p.KEYWORD_ONLY and p.name != "node"
        ]
        found = Operator(
            domain=domain,
            name=name,
            since=since,
            function=function,
            settings=settings,
            constant=constant,
            attributes=frozenset(p.name for p in keywords),
            required=frozenset(p.name for p in keywords if p.default is p.empty),
            least=sum(p.default is p.empty for p in inputs),
            most=None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(inputs),
            wants_node=any(p.name == "node" for p in parameters),
        )
        versions = _OPERATORS.setdefault((domain, name), [])
        if any(other.since == since for other in versions):
            raise ValueError(f"operator: {domain}:{name} since {since} is declared twice")
        versions.append(found)
        versions.sort(key=lambda version: version.since)
        return function

    return declare


@cache
def _read_all() -> None:
    """Import every file of operators, each of which declares some."""
    package = import_module(f"{__package__}.operators")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")


def find(domain: str, name: str, opset: int) -> Operator | None:
    """The operator's meaning at an opset; None where there is none."""
    _read_all()
    versions = _OPERATORS.get(("" if domain == "ai.onnx" else domain, name), [])
    place = bisect_right([version.since for version in versions], opset)
    return versions[place - 1] if place else None


def operators() -> dict[tuple[str, str], tuple[int, ...]]:
    """All operators by domain and name, each with the opsets at which its meaning changes here."""
    _read_all()
    return {key: tuple(v.since for v in versions) for key, versions in sorted(_OPERATORS.items())}
