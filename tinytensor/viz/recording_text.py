"""A recording as text for a terminal: forward call by call, then each step backward.

A long run is folded: calls that follow each other in one module are one line, in modules as deep
down as the lines allow; where that is not enough, steps in the middle are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

ELEMENTS = 6  # so many of a value are shown
COLUMNS = 100
FEW = 4  # so many gradients, or changes in place, stand one below the other in a folded text


class Step(NamedTuple):
    """A step: its lines, the modules around it from the outermost, and what a fold adds up."""

    kind: str
    lines: list[str]
    path: tuple[int, ...]
    bytes: int  # saved by it, or freed
    group: int  # only steps of the same group are folded together


def told(data: dict[str, Any], most: int | None) -> str:
    """The text, of about ``most`` lines at most if that is a number."""
    telling = _Telling(data)
    steps = [*telling.steps()]
    if most is None or sum([len(step.lines) for step in steps]) <= most:
        body = [line for step in steps for line in step.lines]
    else:
        body = telling.folded(steps, most)
    return "\n".join([telling.head(), *body, *telling.stops()])


class _Telling:
    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.values, self.calls, self.modules = data["values"], data["calls"], data["modules"]

    def head(self) -> str:
        steps = self.data["steps"]
        passes = sum([step["kind"] == "backward" for step in steps])
        counts = [_count(len(self.calls), "call"), _count(passes, "backward pass", "es")]
        held = max([step["bytes"] for step in steps], default=0)
        if held:
            counts.append(f"at most {_size(held)} held")
        return f"{self.data['title']}: {', '.join(counts)}"

    def steps(self) -> Iterator[Step]:
        group = 0
        for step in self.data["steps"]:
            kind = step["kind"]
            call = step.get("call")
            path: tuple[int, ...] = ()
            count = 0
            if call is not None:
                path = self.path(self.calls[call]["module"])
            if kind == "call":
                count = sum(s["bytes"] for s in self.calls[call]["saved"] if s["owns"])
            elif kind == "pull":
                count = sum(freed["bytes"] for freed in step["freed"])
            if kind in ("backward", "passed"):
                group += 1
            yield Step(kind, [*getattr(self, f"of_{kind}")(step)], path, count, group)

    def path(self, module: int | None) -> tuple[int, ...]:
        found: list[int] = []
        while module is not None:
            found.append(module)
            module = self.modules[module]["parent"]
        return tuple(found[::-1])

    # --- Each kind of step --------------------------------------------------------------------

    def of_call(self, step: dict[str, Any]) -> Iterator[str]:
        call = self.calls[step["call"]]
        given = [
            self.named(one["name"], one["value"])
            if "value" in one
            else f"{one['name']}={one['literal']}"
            for one in call["inputs"]
            if one.get("literal") != "None"
        ]
        given += [f"{name}={text}" for name, text in call["static"].items()]
        line = f"{self.call(step['call'])}: {', '.join(given)} → {self.shown(call['outputs'])}"
        yield _cut(line + self.source(call["line"]))
        saved = [
            f"{one['name']}" + (f" ({_size(one['bytes'])})" if one["owns"] else "")
            for one in call["saved"]
        ]
        if saved:
            yield f"    saves {', '.join(saved)}"

    def of_change(self, step: dict[str, Any]) -> Iterator[str]:
        value = step["value"]
        line = f"{step['by']} changes {self.value(value)}, to version {step['version']}"
        yield _cut(line + self.source(step["line"]))

    def of_backward(self, step: dict[str, Any]) -> Iterator[str]:
        order = "" if step["order"] == 1 else f", of order {step['order']}"
        within = "" if step["within"] is None else ", begun by a rule"
        yield _cut(
            f"backward from {self.shown(step['outputs'])}{order}{within}{self.source(step['line'])}"
        )

    def of_pull(self, step: dict[str, Any]) -> Iterator[str]:
        name = "a call before" if step["call"] is None else self.call(step["call"])
        hooked = ", as hooks left it" if step["hooked"] else ""
        yield _cut(f"back through {name}: g = {self.shown(step['g'])}{hooked}")
        last = None
        for run in step["rules"]:
            if run["rule"] != last:
                rule = self.data["rules"][run["rule"]]
                source = " ".join(rule["source"].split())
                used = [
                    self.named(one["name"], one["value"])
                    for one in run["used"]
                    if one["value"] is not None
                ]
                yield _cut(f"    {source}" + (f"   with {', '.join(used)}" if used else ""))
            last = run["rule"]
        for sent in step["sent"]:
            to = sent["to"]
            target = self.name(to["leaf"]) if "leaf" in to else self.call(to["call"])
            line = f"    → {target}: {self.value(sent['cotangent'])}"
            if sent["fitted"] is not None:
                line += f", summed to {self.value(sent['fitted'])}"
            if sent["added_to"] is not None:
                line += f", added to {self.value(sent['added_to'])}: {self.value(sent['total'])}"
            yield _cut(line)
        freed = [f"{one['name']} ({_size(one['bytes'])})" for one in step["freed"] if one["bytes"]]
        if freed:
            yield f"    frees {', '.join(freed)}; {_size(step['bytes'])} held"

    def of_grad(self, step: dict[str, Any]) -> Iterator[str]:
        line = f"gradient of {self.name(step['leaf'])}: {self.value(step['gradient'])}"
        if step["accumulated_on"] is not None:
            line += f", added to {self.value(step['accumulated_on'])}"
        yield _cut(line)

    def of_passed(self, step: dict[str, Any]) -> Iterator[str]:
        yield from ()

    def stops(self) -> Iterator[str]:
        for stop in self.data["stopped"]:
            what = {"call": "in a call of", "rule": "in the rule of"}.get(stop["what"], "after")
            where = f" {what} {stop['op']}" if stop["op"] else ""
            error = f": {stop['error']}" if stop["error"] else ""
            yield _cut(f"stopped at step {stop['step']}{where}{error}{self.source(stop['line'])}")

    # --- Its parts ----------------------------------------------------------------------------

    def call(self, number: int | None) -> str:
        if number is None:
            return "a call before the recording"
        call = self.calls[number]
        module = "" if call["module"] is None else self.modules[call["module"]]["name"]
        return f"{call['op']} #{number}" + (f" in {module}" if module else "")

    def name(self, value: int | None) -> str:
        if value is None:
            return "what was made before"
        name: str | None = self.values[value]["name"]
        return name or f"a {self.values[value]['kind']} {_shape(self.values[value])}"

    def named(self, name: str, value: int) -> str:
        """A value as an op or a rule calls it, which may be how the user does."""
        shown = self.value(value)
        return f"{name}={shown.removeprefix(name + ' ')}"

    def value(self, value: int | None) -> str:
        """A value by its name and its numbers: all of a few, otherwise the shape and the spread."""
        if value is None:
            return "?"
        noted = self.values[value]
        name = f"{noted['name']} " if noted["name"] else ""
        size = int(np.prod(noted["shape"]))
        if noted["whole"] is not None and size <= ELEMENTS:
            return name + _numbers(noted["whole"])
        stats = noted["stats"]
        if stats is None:
            return name + _shape(noted) + _spread(noted["whole"])
        odd = [f"{stats[kind]} {kind}" for kind in ("nan", "inf") if stats[kind]]
        spread = f"{float(stats['mean']):.3g} ± {float(stats['std']):.3g}"
        return f"{name}{_shape(noted)} {', '.join([spread, *odd])}"

    def shown(self, values: list[int]) -> str:
        return ", ".join([self.value(value) for value in values])

    def source(self, line: list[int] | None) -> str:
        if line is None:
            return ""
        text = self.data["files"][line[0]]["lines"].get(str(line[1]), "").strip()
        return f"   | {text}" if text else ""

    # --- Folding -------------------------------------------------------------------------------

    def folded(self, steps: list[Step], most: int) -> list[str]:
        """The steps in about ``most`` lines."""
        deepest = max([len(step.path) for step in steps])
        for depth in range(deepest, 0, -1):
            lines = [*self.runs(steps, depth)]
            if len(lines) <= most:
                return [*lines, "(folded by modules: text(most=None) tells all)"]
        lines = (
            [*self.runs(steps, 1)] if deepest else [step.lines[0] for step in steps if step.lines]
        )
        if len(lines) <= most:
            return [*lines, "(one line a step: text(most=None) tells all)"]
        first = most // 2
        left_out = len(lines) - 2 * first
        between = f"… {left_out:,} lines left out: text(most=None) tells all"
        return [*lines[:first], between, *lines[-first:]]

    def runs(self, steps: list[Step], depth: int) -> Iterator[str]:
        """A line for each run of steps in one module ``depth`` deep; the others' first lines."""

        def key(step: Step) -> Any:
            inside = step.path[:depth] if step.kind in ("call", "pull") else ()
            return step.kind, inside, step.group

        for (kind, path, _), group in groupby(steps, key):
            run = [step for step in group if step.lines]
            if kind in ("grad", "change") and len(run) > FEW:
                yield run[0].lines[0]
                yield f"… and {len(run) - 2:,} more"
                yield run[-1].lines[0]
                continue
            if not path or len(run) == 1:
                yield from (step.lines[0] for step in run)
                continue
            module = self.modules[path[-1]]
            name = f"{module['name']} ({module['kind']})" if module["name"] else module["kind"]
            what = _count(len(run), "call" if kind == "call" else "step")
            size = sum([step.bytes for step in run])
            verb = "saves" if kind == "call" else "frees"
            back = "" if kind == "call" else "back through "
            yield f"{back}{name}: {what}" + (f", {verb} {_size(size)}" if size else "")


def _numbers(whole: Any) -> str:
    if isinstance(whole, list):
        return f"[{', '.join(map(_numbers, whole))}]"
    return f"{whole:.6g}" if isinstance(whole, float) else str(whole)


def _spread(whole: Any) -> str:
    array = np.array(whole)
    if array.dtype.kind not in "iuf" or not array.size:
        return ""
    return f" {array.mean():.3g} ± {array.std():.3g}"


def _shape(noted: dict[str, Any]) -> str:
    dtype = "" if noted["dtype"] == "float32" else f"{noted['dtype']} "
    return f"{dtype}({', '.join(map(str, noted['shape']))}{',' * (len(noted['shape']) == 1)})"


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def _count(count: int, name: str, plural: str = "s") -> str:
    return f"{count:,} {name}{plural if count != 1 else ''}"


def _cut(line: str) -> str:
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"
