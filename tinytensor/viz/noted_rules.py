"""The gradient rules that calls of a recording have: each once, with the source that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.core import ALL
from ..engine.operation import zero
from ..engine.user_line import Line
from .rule_sources import Source, code_of, source_of


class NotedRule:
    """A rule of an op, for these inputs, and the names of what it wants beside the cotangent."""

    def __init__(self, op: Any, inputs: list[str], names: list[str], source: Any) -> None:
        self.op, self.inputs, self.names = op.__name__, inputs, names
        self.source = source  # or the code that has it: a function might keep a graph alive
        self.formula = False

    def as_json(self, line: Callable[[Line | None], list[int] | None]) -> dict[str, Any]:
        source = self.source if isinstance(self.source, Source) else source_of(self.source)
        place = line(Line(source.file, source.line) if source.file else None)
        return {
            "op": self.op,
            "inputs": self.inputs,
            "names": self.names,
            "source": source.text,
            "file": None if place is None else place[0],
            "line": source.line,
            "formula": self.formula,
        }


class NotedRules:
    """All rules of a recording, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.all: list[NotedRule] = []
        self._known: dict[Any, int] = {}

    def of(self, op: Any, plan: Any, slot: int, rule: Any, places: tuple[int, ...]) -> int:
        """The number of a rule, which has ``slot`` and ``places`` in a plan of ``op``."""
        formula = getattr(rule, "__name__", "") == "pull_through_formula"
        function = op.formula if formula else rule
        code = None if rule is zero else code_of(function)
        key = (id(op), code or rule, slot if slot == ALL else plan.inputs[slot])
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.all)
            if op.joint is not None:
                inputs = list(op.joint[2])
            else:
                inputs = [plan.inputs[0 if slot == ALL else slot]]
            source = Source(f"{inputs[0]}=None", "", 0) if rule is zero else source_of(function)
            noted = NotedRule(op, inputs, [plan.names[place] for place in places], code or source)
            noted.formula = formula
            self.all.append(noted)
        return number
