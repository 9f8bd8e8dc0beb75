"""What a recording notes of one call of an op, and how that is told."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..engine.user_line import Line

SHOWN = 80  # so many characters of an argument that is no variable
_PLAIN = frozenset((type(None), bool, int, float, complex, str))


class Saved(NamedTuple):
    """Something that a call saved: a value, several (of outputs), or something else, as text."""

    name: str
    value: int | None
    others: Any  # None, a list of values, or a literal
    bytes: int
    why: list[int]
    owns: bool
    keys: tuple[int, ...]  # the ids of its storages, as of the call

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **told(self.value, self.others),
            "bytes": self.bytes,
            "why": self.why,
            "owns": self.owns,
        }


class NotedCall:
    """A call: made when it begins, and completed when it ends. It holds no variable."""

    __slots__ = (
        "depth", "during", "inputs", "level", "line", "literals", "module", "names", "op",
        "order", "outputs", "parents", "reach", "recorded", "saved", "seconds", "start",
        "static", "step", "variadic", "view",
    )  # fmt: skip

    def __init__(self, op: Any, line: Line | None, step: int) -> None:
        self.op, self.names, self.variadic = op.__name__, op.names, op.variadic
        self.line: Any = line  # a Line, until the call has ended
        self.step = step
        self.inputs: list[int | None] = []  # of each argument the value; None: a literal
        self.literals: list[Any] = []
        self.static: dict[str, Any] = {}
        self.outputs: list[int] = []
        self.parents: list[int | None] = []
        self.saved: list[Saved] = []
        self.level = self.order = self.depth = 0
        self.reach = 0  # the highest order of what it was made of
        self.recorded = self.view = False
        self.module: int | None = None
        self.during: int | None = None
        self.seconds = 0.0
        self.start = 0.0

    def as_json(self) -> dict[str, Any]:
        names = names_of(self.names, self.variadic, len(self.inputs))
        inputs: list[dict[str, Any]] = [
            {"name": name, "value": value} if value is not None else
            {"name": name, "literal": literal(text)}
            for name, value, text in zip(names, self.inputs, self.literals, strict=True)
        ]  # fmt: skip
        return {
            "op": self.op,
            "level": self.level,
            "order": self.order,
            "module": self.module,
            "line": self.line,
            "inputs": inputs,
            "static": {name: literal(text) for name, text in self.static.items()},
            "outputs": self.outputs,
            "recorded": self.recorded,
            "depth": self.depth,
            "parents": self.parents,
            "view": self.view,
            "saved": [saved.as_json() for saved in self.saved],
            "during": self.during,
            "seconds": round(self.seconds, 9),
        }


def told(value: int | None, others: Any) -> dict[str, Any]:
    """A value, several, or a literal, as they stand in the data."""
    if value is not None:
        return {"value": value}
    if isinstance(others, list):
        return {"value": None, "values": others}
    return {"value": None, "literal": literal(others)}


def names_of(names: list[str], variadic: bool, count: int) -> list[str]:
    """What the arguments of a call are called: of a variadic op ``arrays[0]``, ``arrays[1]`` …"""
    if variadic:
        return [f"{names[0]}[{i}]" for i in range(count)]
    return [*names[:count], *(f"{names[-1]}[{i}]" for i in range(count - len(names)))]


class Text(str):
    """What is told of something already."""

    __slots__ = ()


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a text or None, or a tuple of these."""
    kind = type(value)
    if kind is not tuple:
        return kind in _PLAIN
    for item in value:
        if type(item) not in _PLAIN:
            return False
    return len(value) < SHOWN


def kept(value: Any) -> Any:
    """An argument that is no variable, as it may be kept: a number or a text, or what is told."""
    return value if is_plain(value) else literal(value)


def literal(value: Any) -> str:
    """An argument that is no variable, as text of at most ``SHOWN`` characters."""
    kind = type(value)
    if kind is Text:
        return value
    if kind in _PLAIN:
        text = repr(value)
    elif kind is tuple or kind is list:
        items = ", ".join([literal(item) for item in value[:SHOWN]])
        comma = "," if kind is tuple and len(value) == 1 else ""
        text = f"({items}{comma})" if kind is tuple else f"[{items}]"
    elif isinstance(value, np.ndarray):
        text = f"array {value.dtype} {value.shape}"
    elif isinstance(value, slice | range | type(...)):
        text = repr(value)
    elif isinstance(value, np.generic | np.dtype):
        text = str(value)
    else:
        name = getattr(value, "__name__", None)
        text = name if isinstance(name, str) and name else f"<{kind.__name__}>"
    return Text(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
