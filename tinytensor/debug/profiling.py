"""profile: what takes the time of a program, by op, module and line, beside what could be."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike, fspath, getpid
from time import perf_counter
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ..decorating import Decorating
from ..engine.core import Node, Variable
from ..engine.observers import Observer
from ..engine.operation import observing
from ..engine.user_line import user_line
from .costs import multiply_adds
from .limits import Limits, measured_limits
from .module_calls import around_calls, check_model

By = Literal["op", "module", "line"]
OUTSIDE = "(outside of ops)"
BACKWARD = " (backward)"
HEAD = ("", "calls", "ms", "% of time", "GFLOP/s", "GB/s", "% of limit")


@dataclass
class Row:
    """What the calls of one name have cost, all together."""

    name: str
    calls: int = 0
    seconds: float = 0.0
    flops: int = 0  # two for each product that is added up
    bytes: int = 0  # of the arguments and the outputs, each once; none of a view

    def share_of(self, limits: Limits) -> float:
        """The least time that the machine could take, over the time taken."""
        least = max(self.flops / limits.flops, self.bytes / limits.bytes)
        return least / self.seconds if self.seconds else 0.0


class Call(NamedTuple):
    """One call of an op, or of a module."""

    name: str
    start: float  # seconds since the context was opened
    seconds: float
    flops: int
    bytes: int
    module: str
    line: str
    backward: bool
    shapes: str


class profile(Observer, metaclass=Decorating):
    """What takes the time inside a ``with``: calls, time, GFLOP/s and GB/s of each op.

    As ``with profile() as timing:``, on this thread (or asyncio task) alone. ``print(timing)``
    shows the table of ops, most time first; ``timing.rows("module")`` and ``timing.table("line")``
    group the same calls by the module of ``model`` in which they were made, or by the line of user
    code. A backward pass counts for the modules whose calls it goes through, apart from the
    forward one. ``trace(path)`` writes a file for Chrome's ``about:tracing`` or Perfetto.

    The time of a call is that of its forward function, without the engine's. What no op does
    (Python between calls, optimizers, data) is in the row "(outside of ops)". Operations are
    counted for products of matrices, convolutions, attention and recurrence, two for each
    multiply-add; bytes are those of all arguments and outputs. The last column holds the least
    time that this machine could take, by its rates of multiply-adds and of memory, beside the
    time taken: it passes 100 % where a cache holds the data. It is missing where NumPy computes.

    Source of that bound: Williams, Waterman and Patterson, "Roofline", 2009.

    >>> import tinytensor as tt
    >>> model = tt.nn.Sequential(tt.nn.Linear(8, 16), tt.nn.ReLU(), tt.nn.Linear(16, 1))
    >>> with tt.profile(model) as timing:
    ...     model(tt.ones(4, 8)).sum().backward()
    >>> {row.name: row.flops for row in timing.rows("module") if row.flops}["Sequential"]
    1152
    """

    decorates_alone = False  # who would read it?

    def __init__(self, model: Any = None) -> None:
        if model is not None:
            check_model(model, "profile")
        self.model = model
        self.calls: list[Call] = []
        self.spans: list[Call] = []  # calls of modules
        self.seconds = 0.0  # inside the context, all together
        self._watch = observing(self)
        self._stack = ExitStack()
        self._opened = self._began = 0.0
        self._started: list[tuple[Any, float]] = []  # calls of ops under way, the outermost first
        self._inside: list[tuple[str, float]] = []  # calls of modules under way
        self._owners: weakref.WeakKeyDictionary[Node, tuple[str, str]] = weakref.WeakKeyDictionary()
        self._pulling: list[tuple[str, str]] = []  # whose rules are running: their module and line

    def __enter__(self) -> profile:
        if self.model is not None:
            self._stack.enter_context(around_calls(self, self.model, self._begin, self._end))
        self._watch.__enter__()
        self._began = perf_counter()
        if not self.seconds:
            self._opened = self._began
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds += perf_counter() - self._began
        self._watch.__exit__(*error)
        self._stack.close()
        self._started, self._inside, self._pulling = [], [], []

    # --- What it tells -----------------------------------------------------------------------

    def rows(self, by: By = "op") -> list[Row]:
        """What the calls cost by ``op``, by ``module`` (with all that is inside of it) or by
        ``line``, most time first."""
        if by not in get_args(By):
            raise ValueError(f"profile: by is one of {get_args(By)}, not {by!r}")
        rows: dict[str, Row] = {}
        for call in self.calls:
            for name in _names(call, by):
                row = rows.setdefault(name, Row(name))
                row.calls += 1
                row.seconds += call.seconds
                row.flops += call.flops
                row.bytes += call.bytes
        rest = self.seconds - sum(call.seconds for call in self.calls)
        rows[OUTSIDE] = Row(OUTSIDE, 0, max(rest, 0.0))
        return sorted(rows.values(), key=lambda row: -row.seconds)

    def table(self, by: By = "op", most: int = 30, limits: Limits | None = None) -> str:
        """The first ``most`` rows as text; beside ``limits``, which are measured where None."""
        limits = limits or measured_limits()
        lines = [[by, *HEAD[1:]]]
        rows = self.rows(by)
        for row in rows[:most]:
            seconds = row.seconds or float("inf")
            lines.append(
                [
                    row.name,
                    f"{row.calls:,}" if row.calls else "",
                    f"{1e3 * row.seconds:.3f}",
                    f"{100 * row.seconds / (self.seconds or 1):.1f}",
                    f"{row.flops / seconds / 1e9:.1f}" if row.flops else "",
                    f"{row.bytes / seconds / 1e9:.1f}" if row.bytes else "",
                    f"{100 * row.share_of(limits):.0f}" if limits and row.bytes else "",
                ]
            )
        if len(rows) > most:
            lines.append([f"({len(rows) - most} more)"] + [""] * 6)
        lines.append(["in all", f"{len(self.calls):,}", f"{1e3 * self.seconds:.3f}"] + [""] * 4)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def __str__(self) -> str:
        return self.table()

    def trace(self, path: str | PathLike[str]) -> None:
        """Write all calls in the Trace Event Format, for Chrome's about:tracing or Perfetto."""
        process, thread = getpid(), threading.get_ident()
        events = [
            {
                "name": call.name,
                "cat": "backward" if call.backward else kind,
                "ph": "X",
                "ts": round(1e6 * call.start, 3),
                "dur": round(1e6 * call.seconds, 3),
                "pid": process,
                "tid": thread,
                "args": {
                    "module": call.module,
                    "line": call.line,
                    "shapes": call.shapes,
                    "flops": call.flops,
                    "bytes": call.bytes,
                },
            }
            for kind, calls in (("module", self.spans), ("op", self.calls))
            for call in calls
        ]
        with open(fspath(path), "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)

    # --- What an observer and the hooks of modules are told ----------------------------------

    def calling(self, op: Any, args: Any, static: Any) -> None:
        self._started.append((op, perf_counter()))

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        end = perf_counter()
        while self._started and self._started[-1][0] is not op:
            self._started.pop()  # which raised an error
        start = self._started.pop()[1] if self._started else end
        if self._pulling:
            module, line = self._pulling[-1]
        else:
            module = self._inside[-1][0] if self._inside else ""
            line = str(user_line() or "")
        if node is not None:
            self._owners[node] = module, line
        arrays = [*_arrays(args)]
        made = [] if op.view else [*_arrays(outputs)]
        self.calls.append(
            Call(
                op.__name__,
                start - self._opened,
                end - start,
                2 * multiply_adds(op, args, outputs),
                0 if op.view else sum(array.nbytes for array in (*arrays, *made)),
                module,
                line,
                bool(self._pulling),
                ", ".join(str(array.shape) for array in arrays),
            )
        )

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        self._pulling.append(self._owners.get(node, ("", "")))

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        if self._pulling:
            self._pulling.pop()

    def passed(self, work: Any) -> None:
        self._pulling.clear()  # of rules that raised an error

    def _begin(self, name: str) -> None:
        path = ".".join(filter(None, (type(self.model).__name__, name)))
        self._inside.append((path, perf_counter()))

    def _end(self) -> None:
        if self._inside:
            path, start = self._inside.pop()
            since = start - self._opened
            self.spans.append(Call(path, since, perf_counter() - start, 0, 0, path, "", False, ""))


def _names(call: Call, by: By) -> list[str]:
    """The rows in which a call counts."""
    if by == "op":
        return [call.name]
    if by == "line":
        return [call.line or "(line unknown)"]
    parts = (call.module or "(no module)").split(".")
    paths = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return [path + BACKWARD if call.backward else path for path in paths]


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, Variable):
        value = value.value
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _arrays(item)
