"""The gradient rules that calls of a recording have: each once, with the source that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..engine.core import ALL
from ..engine.operation import zero
from ..engine.user_line import Line
from .rule_sources import Source, code_of, source_of


class NotedRule:
    """A rule of an op, for these inputs, and the names of what it wants beside the cotangent."""

    def __init__(
        self, op: Any, inputs: list[str], names: list[str], source: Any, formula: bool
    ) -> None:
        self.op, self.inputs, self.names, self.formula = op.__name__, inputs, names, formula
        self.source = source  # or the code that has it: a function might keep a graph alive

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


class RulesOfPlan(NamedTuple):
    """The numbers of a plan's rules, and for each thing that it saves those that name it."""

    inputs: list[str]  # the plan's own list, by which it is known again
    rules: list[int]
    why: list[list[int]]


class NotedRules:
    """All rules of a recording, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.all: list[NotedRule] = []
        self._known: dict[Any, int] = {}
        self._plans: dict[int, RulesOfPlan] = {}

    def of(self, op: Any, plan: Any) -> RulesOfPlan:
        """The rules of a plan of ``op``."""
        found = self._plans.get(id(plan))
        if found is None or found.inputs is not plan.inputs:
            rules = [self._number(op, plan, *rule) for rule in plan.rules]
            why = [
                [number for number, rule in zip(rules, plan.rules, strict=True) if place in rule[2]]
                for place in range(len(plan.names))
            ]
            found = self._plans[id(plan)] = RulesOfPlan(plan.inputs, rules, why)
        return found

    def _number(self, op: Any, plan: Any, slot: int, rule: Any, places: tuple[int, ...]) -> int:
        formula = getattr(rule, "__name__", "") == "pull_through_formula"
        function = op.formula if formula else rule
        code = None if rule is zero else code_of(function)
        named = Source(getattr(function, "__name__", type(function).__name__), "", 0)
        if op.joint is not None:
            inputs = list(op.joint[2])
        else:
            inputs = [plan.inputs[0 if slot == ALL else slot]]
        if rule is zero:
            named = Source(f"{inputs[0]}=None", "", 0)
        key = (op.__name__, op.__module__, code or named, tuple(inputs))
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.all)
            names = [plan.names[place] for place in places]
            self.all.append(NotedRule(op, inputs, names, code or named, formula))
        return number
