"""Which of a recording's values a variable stands for, and what is noted of each.

A value is one state of one variable: a change in place makes another value of it. A variable is
known by itself; what nodes have saved of it, and hand to rules as other variables, by the node that
made it or by its array. All of these are held weakly.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..engine.core import Node, Variable
from .deliveries import plain
from .summaries import Summary, summary_of, zeros_of


class Noted:
    """What is known of one value; ``of`` are its sources, see the contract in ``recording``."""

    __slots__ = (
        "before", "dtype", "kind", "level", "made_by", "name", "shape", "summary", "tracked",
        "version", "view_of",
    )  # fmt: skip

    def __init__(self, kind: str, value: Any, tracked: bool, summary: Summary) -> None:
        self.kind, self.tracked, self.summary = kind, tracked, summary
        self.dtype = getattr(value, "dtype", None) or type(value)
        self.shape = getattr(value, "shape", ())
        self.name: str | None = None
        self.before: int | None = None  # a change in place
        self.view_of: int | None = None
        self.made_by: int | None = None
        self.version = self.level = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "dtype": getattr(self.dtype, "name", None) or self.dtype.__name__,
            "shape": list(self.shape),
            "tracked": self.tracked,
            "view_of": self.view_of,
            "version": self.version,
            "level": self.level,
            "made_by": self.made_by,
            "whole": self.summary.whole_as_json(),
            "stats": self.summary.stats_as_json(),
            "thumb": self.summary.thumb(),
        }


class NotedValues:
    """All values of a recording, in the order in which they were first seen."""

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self.all: list[Noted] = []
        self._by_variable: dict[int, tuple[weakref.ref[Variable], int]] = {}
        self._by_array: dict[int, tuple[weakref.ref[np.ndarray], int]] = {}
        self._by_version: dict[int, tuple[Any, int]] = {}  # of numbers, which have no views
        self._names: dict[int, tuple[weakref.ref[Variable], str]] = {}
        self._by_node: dict[int, tuple[weakref.ref[Node], list[int]]] = {}

    def of(self, variable: Variable) -> int:
        """The value that ``variable`` stands for: a new one, if it is seen for the first time."""
        while variable.level:  # a lane stands for all
            variable = variable.value
        found = self._by_variable.get(id(variable))
        if found is not None and found[0]() is variable:
            version = variable.version
            if (0 if version is None else version.count) == self.all[found[1]].version:
                return found[1]
            return self.changed(variable)
        known = self._known(variable)
        if known is not None:
            return known
        is_leaf = variable.tracked and variable.node is None
        index = self.add(variable, "leaf" if is_leaf else "constant")
        named = self._names.get(id(variable))
        if named is not None and named[0]() is variable:
            self.all[index].name = named[1]
        return index

    def of_array(self, array: np.ndarray, made_by: int | None = None) -> int:
        """The value that a raw array is, such as a residual of a call."""
        found = self._by_array.get(id(array))
        if found is not None and found[0]() is array:
            return found[1]
        noted = Noted("constant", array, False, summary_of(array, self.whole))
        noted.made_by = made_by
        return self._append(noted, array)

    def add(
        self,
        variable: Variable,
        kind: str,
        made_by: int | None = None,
        view_of: int | None = None,
        summary: Summary | None = None,
    ) -> int:
        """Note the present state of ``variable`` as a new value; its summary may be known."""
        raw, count = variable.value, _count(variable)
        like = None
        if view_of is None and made_by is None:  # a twin on the same array
            found = self._by_array.get(id(raw))
            if found is not None and found[0]() is raw and self.all[found[1]].version == count:
                view_of = found[1]
        if view_of is not None and isinstance(raw, np.ndarray):
            source = self.all[view_of]
            if source.version == count and _size(source) == raw.size:
                like = source.summary if source.dtype == raw.dtype else None
        if summary is None:
            summary = summary_of(raw, self.whole, like)
        noted = Noted(kind, raw, variable.tracked, summary)
        noted.made_by, noted.view_of, noted.version = made_by, view_of, count
        index = self._append(noted, raw)
        self._bind(variable, index)
        if not isinstance(raw, np.ndarray) and variable.version is not None:
            self._by_version[id(variable.version)] = variable.version, index
        return index

    def of_zeros(self, variable: Variable) -> int:
        """The value of a cotangent that is zeros, which nobody has looked at."""
        variable = plain(variable)
        raw = variable.value
        zeros = zeros_of(raw, self.whole) if isinstance(raw, np.ndarray) else None
        return self.add(variable, "cotangent", summary=zeros)

    def changed(self, variable: Variable, version: int | None = None) -> int:
        """Note what a change in place has made of ``variable``. ``version`` is which one it made,
        where the next change is announced already."""
        known = self._by_variable.get(id(variable))
        if known is None or known[0]() is not variable:
            index = self.of(variable)
            noted = self.all[index]
            if version is not None and noted.version > version:
                noted.version = version
            return index
        before = self.all[known[1]]
        index = self.add(variable, before.kind, before.made_by, before.view_of)
        noted = self.all[index]
        if version is not None:
            noted.version = version
        noted.name, noted.level, noted.before = before.name, before.level, known[1]
        return index

    def named(self, variable: Variable, name: str) -> None:
        """Call what ``variable`` stands for, now or later, by a name, unless it has one."""
        found = self._by_variable.get(id(variable))
        if found is None or found[0]() is not variable:
            named = self._names.get(id(variable))
            if named is None or named[0]() is not variable:
                self._names[id(variable)] = weakref.ref(variable), name
            return
        self.name(found[1], name)

    def name(self, index: int | None, name: str) -> None:
        """Name a value, and what it was before changes in place, unless they have names."""
        while index is not None and self.all[index].name is None:
            self.all[index].name = name
            index = self.all[index].before

    def made(self, node: Node, outputs: list[int]) -> None:
        """Note that these values are the outputs of the call of ``node``."""
        self._by_node[id(node)] = weakref.ref(node), outputs

    def of_outputs(self, node: Node) -> list[int] | None:
        """The values that the call of ``node`` made, if it was seen."""
        found = self._by_node.get(id(node))
        return found[1] if found is not None and found[0]() is node else None

    def of_target(self, target: Any) -> int | None:
        """The value whose cotangents arrive at ``target``: a leaf, or a node of one output."""
        if isinstance(target, Variable):
            return self.of(target)
        call, place = (target, 0) if target.plan is not None else (target.parents[0], target.index)
        outputs = self.of_outputs(call)
        return None if outputs is None else outputs[place]

    # --- How they are known -------------------------------------------------------------------

    def _known(self, variable: Variable) -> int | None:
        """The value of a variable that is new, if it stands for one that is known."""
        raw, count = variable.value, _count(variable)
        if variable.node is not None:
            index = self.of_target(variable.node)
            if index is not None and self.all[index].version == count:
                self._bind(variable, index)
                return index
        elif variable.tracked:
            return None  # a leaf is nobody's twin
        if isinstance(raw, np.ndarray):
            of_array = self._by_array.get(id(raw))
            if of_array is None or of_array[0]() is not raw:
                return None
            index = of_array[1]
        elif id(variable.version) in self._by_version:
            index = self._by_version[id(variable.version)][1]
        else:
            return None
        noted = self.all[index]
        if noted.version != count or noted.tracked != variable.tracked:
            return None
        self._bind(variable, index)
        return index

    def _append(self, noted: Noted, raw: Any) -> int:
        index = len(self.all)
        self.all.append(noted)
        if isinstance(raw, np.ndarray):
            self._by_array[id(raw)] = weakref.ref(raw), index
        return index

    def _bind(self, variable: Variable, index: int) -> None:
        self._by_variable[id(variable)] = weakref.ref(variable), index


def _count(variable: Variable) -> int:
    version = variable.version
    return 0 if version is None else version.count


def _size(noted: Noted) -> int:
    size = 1
    for length in noted.shape:
        size *= length
    return size
