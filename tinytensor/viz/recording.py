"""record: a run of a graph as data: each call, each step of backward, and every number of them.

``recording.data()`` is a dict of what JSON knows. Indices are positions in the lists of the dict::

    {"version": 1, "title": text,
     "files": [{"name", "lines": {"12": "y = (x * x).sum()"}}],   # only lines that are referred to
     "modules": [{"name": "blocks.0.attention" (the model: ""), "kind": "Attention",
                  "parent": index or null}],
     "rules": [{"op": "multiply", "inputs": ["b"], "names": ["a"], "source": "b=lambda g, a: g * a",
                "file": index or null, "line": n, "formula": whether it is that of defined_by}],
     "values": [{"name": of a parameter or a variable, or null,
                 "kind": "leaf" | "constant" | "output" | "cotangent" (made in a backward pass),
                 "dtype", "shape", "tracked", "view_of": value or null, "version": n,
                 "level": of vmaps in which it was made, "made_by": call or null,
                 "whole": number, nested list or null,
                 "stats": {"min", "max", "mean", "std", "zeros", "nan", "inf"} or null,
                 "thumb": {"rows", "columns", "pixels": base64 of bytes, "low", "high"} or null}],
     "calls": [{"op", "level": how many vmaps ran, "order": 0, or that of the pass in which it ran,
                "module": index or null, "line": [file, n] or null,
                "inputs": [{"name", "value"} or {"name", "literal": text}],
                "static": {name: text}, "outputs": [value], "recorded", "depth": of its node or 0,
                "parents": [call or null], "view",
                "saved": [{"name", "value": value or null, "bytes", "why": [rule],
                           "owns": whether it counts: no leaf, and no storage that counts already}],
                "during": the step in which it ran (a pull; see below) or null, "seconds"}],
     "steps": [{"kind": "call", "call"},
               {"kind": "change", "value": what it was changed to, "by": text, "version", "line"},
               {"kind": "backward", "pass", "outputs": [value], "seeds": [cotangent], "line",
                "order": 1 for derivatives of a forward run, 2 for derivatives of these …,
                "within": the pull whose rule began this pass, or null},
               {"kind": "pull", "pass", "call": or null, "g": [value],
                "hooked": whether g is what hooks made of what had arrived,
                "rules": [{"rule", "input", "used": [{"name", "value" or "literal"}],
                           "cotangent": value or null}],
                "sent": [{"to": {"call"} or {"leaf": value}, "output": which one of the call,
                          "cotangent", "fitted": value or null, "added_to": value or null,
                          "total": value}],
                "freed": [{"name", "bytes"}], "calls": [call]},
               {"kind": "grad", "pass", "leaf": value, "gradient": value,
                "accumulated_on": value or null},
               {"kind": "passed", "pass"}],          # every step has "bytes", held after it, too
     "stopped": [{"step": how many steps there were, "op", "what": "call" | "rule" | "backward",
                  "line", "error": text or null}],
     "layout": what ``layout.grouped`` makes of all this}

JSON has no numbers that are not finite: in ``whole``, ``stats`` and ``thumb`` they are the texts
"nan", "inf" and "-inf". Complex numbers are texts as well.

A call that a rule makes, or that fits and adds up what the rule gave, has no step of its own: it is
among the ``calls`` of its pull, and ``during`` says which. A joint rule has an entry in ``rules``
for each input that it serves. The steps of a pass that a rule began stand behind its pull.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from types import FrameType
from typing import Any

import numpy as np

from ..debug.module_calls import around_calls, check_model
from ..debug.saved_memory import saved_memory, storages_of
from ..decorating import Decorating
from ..engine.core import ALL, Node, Variable
from ..engine.observers import Observer
from ..engine.operation import observing
from ..engine.user_line import Line, user_line
from ..tensors.batched import active
from .deliveries import Pull, plain
from .noted_calls import NotedCall, Saved, is_plain, kept, told
from .noted_passes import Pass, is_given_back
from .noted_places import NotedLines, NotedModules
from .noted_rules import NotedRules
from .noted_values import NotedValues
from .user_variables import frame_at, items_of, variables_of

VERSION = 1


class record(Observer, metaclass=Decorating):
    """A run, noted: ``with tt.viz.record(model) as recording:``, on this thread (or asyncio task).

    Of each call it has the op, the line of user code, the module of ``model`` in which it was made,
    shapes and values, and what the call saved for which gradient rules; of each step of a backward
    pass the cotangent that came in, the rule's source, the cotangents that went out, how they were
    fitted and summed, and what was freed; and the memory that the graph holds after each step.
    Values of up to ``whole`` elements are kept whole; of larger ones statistics and a thumbnail.

    ``print(recording)`` tells it as text, and ``recording.save("run.html")`` writes a page to step
    through, which a notebook shows by itself. ``recording.data()`` has all of it as JSON's types
    (the module's docstring says which). What was recorded before is no part of it, and so are
    changes that NumPy makes behind a tensor's back. Opened again, a recording goes on where it was.

    Everything is copied or summarised when it happens: a recording keeps no graph, no node and no
    tensor alive, but the ``model`` that it was given.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> with tt.viz.record() as recording:
    ...     (x * x).sum().backward()
    >>> data = recording.data()
    >>> [call["op"] for call in data["calls"] if call["during"] is None]
    ['multiply', 'sum']
    >>> [step["kind"] for step in data["steps"]]
    ['call', 'call', 'backward', 'pull', 'pull', 'grad', 'passed']
    >>> data["values"][data["steps"][5]["gradient"]]["whole"]
    [2.0, 4.0]
    """

    decorates_alone = False  # who would read it?

    def __init__(self, model: Any = None, *, title: str | None = None, whole: int = 64) -> None:
        if model is not None:
            check_model(model, "record")
        if title is not None and not isinstance(title, str):
            raise TypeError(f"record: title is a text, not {type(title).__name__}")
        if not isinstance(whole, int) or isinstance(whole, bool) or whole < 0:
            raise ValueError(f"record: whole is a number of elements from 0 on, not {whole!r}")
        self.model, self.title, self.whole = model, title, whole
        self._values = NotedValues(whole)
        self._rules = NotedRules()
        self._ledger = saved_memory()
        self._calls: list[NotedCall] = []
        self._steps: list[dict[str, Any]] = []
        self._stopped: list[dict[str, Any]] = []
        self._lines = NotedLines()
        self._modules = NotedModules()
        self._watch: observing | None = None
        self._stack = ExitStack()
        self._count = 0  # of backward passes
        self._started: list[tuple[Any, NotedCall]] = []  # calls that run, with their ops
        self._passes: list[Pass] = []  # backward passes that run
        self._refilled: weakref.WeakSet[Node] = weakref.WeakSet()  # by a checkpoint's second run
        self._changes: dict[int, tuple[Any, ...]] = {}  # in place, and not yet looked at

    def __enter__(self) -> record:
        if self._watch is not None:
            raise RuntimeError("record: this recording is open already; make another one")
        if self.model is not None:
            self._note_modules(self.model)
            self._stack.enter_context(
                around_calls(self, self.model, self._modules.begin, self._modules.end)
            )
        self._watch = observing(self)
        self._watch.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        assert self._watch is not None
        self._watch.__exit__(None)
        self._watch = None
        self._stack.close()
        self._look_at_changes()
        self._note_stops(error)
        self._name_after(sys._getframe(1))
        self._modules.forget_calls()
        self._started, self._passes = [], []

    # --- What it tells -----------------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """All that was noted, as dicts, lists, texts and numbers; the module says how."""
        from .layout import grouped  # late: seldom needed

        data = self._noted()
        data["layout"] = grouped(data)
        return data

    def _noted(self) -> dict[str, Any]:
        """``data()`` without the layout."""
        self._look_at_changes()
        data: dict[str, Any] = {
            "version": VERSION,
            "title": self._title(),
            "files": [],
            "modules": self._modules.as_json(),
            "rules": [rule.as_json(self._lines.of) for rule in self._rules.all],
            "values": [noted.as_json() for noted in self._values.all],
            "calls": [call.as_json() for call in self._calls],
            "steps": [{**step} for step in self._steps],
            "stopped": [{**stop} for stop in self._stopped],
        }
        data["files"] = self._lines.as_json()
        return data

    def text(self, most: int | None = 100) -> str:
        """The run as text: each call forward, then each step backward with what it was given, what
        it gave to whom, what was summed and freed. ``print(recording)`` prints it. A run that takes
        more lines than ``most`` is folded by modules; None lets it have all it takes."""
        if most is not None and (not isinstance(most, int) or most < 2):
            raise ValueError(f"record.text: most is a number of lines from 2 on, not {most!r}")
        from .recording_text import told

        return told(self._noted(), most)

    def __str__(self) -> str:
        return self.text()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one page of HTML, which needs no other file and no network: step through the run
        forward and backward, look at any number, search, fold modules."""
        from .explorer.page import page

        text = page(self.data())
        # Names of files may have what has no UTF-8.
        with open(os.fspath(path), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        from .explorer.page import frame

        return frame(self.data())

    def __getstate__(self) -> Any:
        raise TypeError("record: a recording is of this process; keep its data(), or save() it")

    def __repr__(self) -> str:
        return f"<recording, calls: {len(self._calls)}, backward passes: {self._count}>"

    # --- What an observer is told ------------------------------------------------------------

    def calling(self, op: Any, args: Any, static: Any) -> None:
        if self._changes:
            self._look_at_changes()
        call = NotedCall(op, None if self._passes else user_line(), len(self._steps))
        for arg in args:
            if isinstance(arg, Variable):
                call.inputs.append(self._values.of(arg))
                call.literals.append(None)
            elif isinstance(arg, np.ndarray):
                call.inputs.append(self._values.of_array(arg))
                call.literals.append(None)
            else:
                call.inputs.append(None)
                call.literals.append(kept(arg))
        if call.line is not None:
            self._name_inputs(args, call)
        self._started.append((op, call))
        call.start = perf_counter()

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        end = perf_counter()
        if self._changes:
            self._look_at_changes()
        while self._started and self._started[-1][0] is not op:
            self._stop_call(self._started.pop()[1])  # which raised an error
        if not self._started:  # the recording was opened in the midst of this call
            return
        call = self._started.pop()[1]
        call.seconds = end - call.start
        if static:
            call.static = {name: kept(value) for name, value in static.items()}
        values, number = self._values, len(self._calls)
        again = node is not None and values.of_outputs(node) is not None
        backward = self._passes[-1] if self._passes else None
        pull = None if backward is None else backward.pull
        kind = "output" if backward is None or again else "cotangent"
        call.level = len(active.get())
        for output in outputs:
            viewed = None
            if op.view and not output.unshared:
                call.view = True
                viewed = call.inputs[0] if call.inputs else None
            index = values.add(output, kind, number, viewed)
            values.all[index].level = call.level
            call.outputs.append(index)
        if backward is not None:
            call.order = backward.order
        own = None if pull is None or pull.call is None else self._calls[pull.call]
        if own is not None:
            call.module, call.line = own.module, own.line
        else:
            call.module = self._modules.innermost
        if node is not None:
            if again:
                self._refilled.add(node)
            else:
                values.made(node, call.outputs)
            call.recorded, call.depth = True, node.depth
            call.parents = [self._maker(parent) for parent in node.parents]
            call.reach = max(call.order, self._highest(call.parents))
            if node.where is None and type(call.line) is Line:
                node.where = call.line
            self._note_saved(call, node, number)
        if type(call.line) is Line:
            call.line = self._lines.of(call.line)
        self._calls.append(call)
        if pull is None:
            self._step("call", call=number)
        else:
            call.during = pull.number
            pull.step["calls"].append(number)
            if pull.cotangents is not None:
                pull.calls.append((args, outputs))

    def changed(self, variable: Any, by: str) -> str:
        version = variable.version
        if id(version) in self._changes:  # of the same storage: that is done
            self._look_at_changes()
        self._changes[id(version)] = variable, version.count, by, self._lines.of(user_line())
        return by

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        if self._changes:
            self._look_at_changes()
        values, backward = self._values, self._pass_of(work)
        if backward is None:
            backward = self._begin_pass(work, node, g)
        else:
            self._settle(backward, node, g)
        if not isinstance(g, tuple):
            arrived = [self._cotangent(g)]
        else:  # zeros in the place of those that have not arrived
            known = backward.arrived.pop(node, ())
            arrived = [
                self._cotangent(c) if i in known else values.of_zeros(c) for i, c in enumerate(g)
            ]
        made = values.of_outputs(node)
        call = None if made is None else values.all[made[0]].made_by
        step = self._step("pull", **{"pass": backward.number}, call=call, g=arrived)
        hooked = any(not isinstance(hook, weakref.ref) for hook in node.hooks or ())
        step |= {"hooked": hooked, "rules": [], "sent": [], "freed": [], "calls": []}
        if node in work.wanted and len(step["g"]) == 1:
            backward.totals[node] = step["g"][0]
        backward.pull = Pull(work, node, step, len(self._steps) - 1, call)
        self._ledger.pulling(work, node, g)

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        if self._changes:
            self._look_at_changes()
        backward = self._pass_of(work)
        if backward is None or backward.pull is None:
            return
        self._passes = self._passes[: self._passes.index(backward) + 1]
        pull = backward.pull
        saved = self._saved_by(node, pull.call)
        pull.step["rules"] = self._runs(node, cotangents, saved, work.useful)
        held = self._ledger.held_by(node)
        if held:
            pull.freed = [
                {"name": one.name, "bytes": sum([held.pop(key, 0) for key in one.keys])}
                for one in saved
                if one.keys
            ]
        self._ledger.pulled(work, node, g, cotangents)
        pull.begin(cotangents)
        for parent in node.parents:  # a hook behind the user's hears what becomes of the gradient
            if isinstance(parent, Variable) and (parent.hooks is not None or parent.rounded):
                backward.listen(parent, self._cotangent)

    def passed(self, work: Any) -> None:
        self._look_at_changes()
        backward = self._pass_of(work)
        if backward is None:
            leaves = [key for key in work.pending if isinstance(key, Variable)]
            if work.heap or not leaves or sys.exc_info()[1] is not None:
                return  # it ended before the first rule
            backward = self._begin_pass(work, None, None)
        error = sys.exc_info()[1]
        if error is backward.error:
            error = None
        backward.forget_hooks()
        if len(self._passes) == 1:
            self._ledger.passed(work)
        self._settle(backward)
        ran = backward.pull is None or backward.pull.cotangents is not None
        if ran and error is None and not work.heap:
            for leaf, value, gradient in self._gradients(backward):
                accumulated = None
                if not is_given_back() and leaf is not None and leaf.grad is not None:
                    accumulated = self._values.of(leaf.grad)
                self._step(
                    "grad",
                    **{"pass": backward.number, "leaf": value, "gradient": gradient},
                    accumulated_on=accumulated,
                )
            self._step("passed", **{"pass": backward.number})
        else:
            node = None if backward.pull is None else backward.pull.node
            name = None if node is None else node.op.__name__
            self._stop("backward" if ran else "rule", name, None, error)
        self._passes = self._passes[: self._passes.index(backward)]

    def freed(self) -> None:
        self._ledger.freed()

    # --- Calls -------------------------------------------------------------------------------

    def _note_saved(self, call: NotedCall, node: Node, number: int) -> None:
        """What the call has saved, of which rules want it, and what of it counts from now on."""
        self._ledger.pulling(None, None, None)
        items = saved_items(node)
        arrays: list[dict[int, np.ndarray]] = [
            {} if is_plain(item) else {id(array): array for array in storages_of(item)}
            for _, item in items
        ]
        new = self._ledger.add(node, {key: one for found in arrays for key, one in found.items()})
        if not items:
            return
        whys = self._rules.of(node.op, node.plan).why
        for (name, item), found, why in zip(items, arrays, whys, strict=True):
            if not found and is_plain(item):
                call.saved.append(Saved(name, None, item, 0, why, False, ()))
                continue
            value, others = self._item(node, name, item, number)
            size = sum([array.nbytes for array in found.values()])
            owns = not new.isdisjoint(found)
            new.difference_update(found)
            call.saved.append(Saved(name, value, others, size, why, owns, tuple(found)))

    def _saved_by(self, node: Node, call: int | None) -> list[Saved]:
        """What a node holds: as its call has noted it, unless it was not seen, or was run again."""
        noted = [] if call is None else self._calls[call].saved
        if noted and node.recompute is None and node not in self._refilled:
            return noted
        saved = []
        for name, item in saved_items(node):
            keys = tuple([id(array) for array in storages_of(item)])
            saved.append(Saved(name, *self._item(node, name, item), 0, [], False, keys))
        return saved

    def _item(self, node: Node, name: str, item: Any, call: int | None = None) -> tuple[Any, Any]:
        """Something saved: its value and None; or None, and several values or a literal."""
        if isinstance(item, Variable):
            return self._values.of(item), None
        if name == "out":
            made = self._values.of_outputs(node)
            return (made[0], None) if made and len(made) == 1 else (None, made)
        if isinstance(item, np.ndarray):
            return self._values.of_array(item, call), None
        return None, kept(item)

    def _maker(self, target: Any) -> int | None:
        """The call that made what cotangents at ``target`` belong to."""
        if target is None or isinstance(target, Variable):
            return None
        index = self._values.of_target(target)
        return None if index is None else self._values.all[index].made_by

    def _highest(self, calls: list[int | None]) -> int:
        """The highest order of what calls were made of."""
        return max([self._calls[call].reach for call in calls if call is not None], default=0)

    # --- Changes in place --------------------------------------------------------------------

    def _look_at_changes(self) -> None:
        """Note what changes in place, of which there was word before or after, have made."""
        if not self._changes:
            return
        changes, self._changes = self._changes, {}
        for variable, version, by, line in changes.values():
            value = self._values.changed(variable, version)
            self._step("change", value=value, by=by, version=version, line=line)

    # --- Backward passes ---------------------------------------------------------------------

    def _pass_of(self, work: Any) -> Pass | None:
        return next((p for p in reversed(self._passes) if p.work is work), None)

    def _begin_pass(self, work: Any, node: Any, g: Any) -> Pass:
        outer = self._passes[-1] if self._passes else None
        within = None
        if outer is not None and outer.pull is not None:
            within = outer.pull.number
        found: dict[int, Any] = {}  # the outputs, and the cotangents from which they start
        given: set[int] = set()
        values = self._values
        made = None if node is None else values.of_outputs(node)
        if isinstance(g, tuple):
            given = {i for i, c in enumerate(g) if np.any(plain(c).value)}
            found |= {made[i]: g[i] for i in sorted(given) if made}
        elif made:
            found[made[0]] = g
        for target, waiting in work.pending.items():
            if isinstance(waiting, list):
                made = values.of_outputs(target) or []
                found |= {o: c for o, c in zip(made, waiting, strict=False) if c is not None}
            elif (value := values.of_target(target)) is not None:
                found[value] = waiting
        makers = [self._values.all[value].made_by for value in found]
        order = 1 + self._highest(makers)
        backward = Pass(work, self._count, order, sys.exc_info()[1])
        backward.arrived[node] = given
        self._count += 1
        self._passes.append(backward)
        self._step(
            "backward",
            **{"pass": backward.number, "outputs": [*found]},
            seeds=[self._cotangent(seed) for seed in found.values()],
            line=self._lines.of(user_line()),
            order=order,
            within=within,
        )
        return backward

    def _cotangent(self, cotangent: Any) -> int:
        index = self._values.of(cotangent)
        noted = self._values.all[index]
        if noted.made_by is None and noted.kind == "constant":
            noted.kind = "cotangent"
        return index

    def _runs(
        self, node: Node, cotangents: Any, saved: list[Saved], useful: Any
    ) -> list[dict[str, Any]]:
        """What each rule of a node was given and gave."""
        plan, op = node.plan, node.op
        numbers = self._rules.of(op, plan).rules
        used = [{"name": one.name, **told(one.value, one.others)} for one in saved]
        runs = []
        for number, (slot, _, places) in zip(numbers, plan.rules, strict=True):
            for one in range(len(cotangents)) if slot == ALL else (slot,):
                if useful is not None and slot != ALL and node.parents[slot] not in useful:
                    continue
                given = cotangents[one]
                runs.append(
                    {
                        "rule": number,
                        "input": f"{op.names[0]}[{one}]" if op.variadic else plan.inputs[one],
                        "used": [used[place] for place in places],
                        "cotangent": (
                            self._cotangent(given) if isinstance(given, Variable) else None
                        ),
                    }
                )
        return runs

    def _settle(self, backward: Pass, turn: Any = None, g: Any = None) -> None:
        """Note what became of what the last rules gave."""
        pull = backward.pull
        if pull is None:
            return
        backward.pull = None if pull.cotangents is not None else pull
        values = self._values
        for sent in pull.sent(turn, g):
            target = sent.target
            is_leaf = isinstance(target, Variable)
            cotangent = self._cotangent(sent.cotangent)
            fitted = None if sent.fitted is None else values.of(sent.fitted)
            total = cotangent if fitted is None else fitted
            added_to = None if sent.added_to is None else self._cotangent(sent.added_to)
            if added_to is not None:
                total = values.of(sent.total)
            pull.step["sent"].append(
                {
                    "to": {"leaf": values.of(target)} if is_leaf else {"call": self._maker(target)},
                    "output": 0 if is_leaf else target.index,
                    "cotangent": cotangent,
                    "fitted": fitted,
                    "added_to": added_to,
                    "total": total,
                }
            )
            if target in pull.work.wanted:
                backward.totals[target] = total
            if not is_leaf and target.plan is None:
                backward.arrived.setdefault(target.parents[0], set()).add(target.index)
        if pull.node.saved is None:
            pull.step["freed"] = pull.freed
        self._ledger.pulling(pull.work, pull.node, None)
        pull.step["bytes"] = self._ledger.noted

    def _gradients(self, backward: Pass) -> Iterator[tuple[Any, int | None, int | None]]:
        """Each leaf, or variable that was asked for, the value that it is, and its gradient's."""
        work = backward.work
        targets = [*work.pending] if work.useful is None else [*work.wanted]
        for target in targets:
            if target in backward.heard:
                gradient: int | None = backward.heard[target]
            elif target in work.pending:
                gradient = self._cotangent(work.pending[target])
            elif target in backward.totals:
                gradient = backward.totals[target]
            else:
                continue
            leaf = target if isinstance(target, Variable) else None
            yield leaf, self._values.of_target(target), gradient

    # --- Steps, lines, names -----------------------------------------------------------------

    def _step(self, kind: str, **told: Any) -> dict[str, Any]:
        step = {"kind": kind, **told, "bytes": self._ledger.noted}
        self._steps.append(step)
        return step

    def _stop(
        self,
        what: str,
        op: str | None,
        line: Any,
        error: BaseException | None,
        step: int | None = None,
    ) -> None:
        """Note where the run, or a part of it, ended with an error."""
        told = None if error is None else f"{type(error).__name__}: {error}"
        self._stopped.append(
            {
                "step": len(self._steps) if step is None else step,
                "op": op,
                "what": what,
                "line": line,
                "error": told,
            }
        )

    def _stop_call(self, call: NotedCall, error: BaseException | None = None) -> None:
        line = self._lines.of(call.line) if type(call.line) is Line else call.line
        self._stop("call", call.op, line, error, call.step)

    def _note_stops(self, error: BaseException | None) -> None:
        """Note the calls that never ended, and an error that ends the run."""
        count = len(self._steps)
        known = {stop["step"] for stop in self._stopped}
        for _, call in self._started:
            self._stop_call(call, error if call.step == count else None)
            known.add(call.step)
        if error is not None and count not in known:
            self._stop("code", None, None, error)
        self._stopped.sort(key=lambda stop: stop["step"])

    def _note_modules(self, model: Any) -> None:
        for name, module in model.named_modules():
            self._modules.add(name, module)
            for own, variable in vars(module).items():  # parameters, buffers, other tensors
                if isinstance(variable, Variable):
                    self._values.named(variable, f"{name}.{own}" if name else own)

    def _name_inputs(self, args: Any, call: NotedCall) -> None:
        """Name what has no name yet as the variables are called on the line of the call."""
        values = self._values.all
        nameless = {
            id(arg): index
            for arg, index in zip(args, call.inputs, strict=True)
            if index is not None and values[index].name is None
        }
        if not nameless:
            return
        frame = frame_at(call.line)
        for name, variable in () if frame is None else variables_of(frame):
            index = nameless.get(id(variable))
            if index is not None:
                self._values.name(index, name)

    def _name_after(self, frame: FrameType) -> None:
        """Name values as the user's variables are called, unless they have names."""
        for name, value in variables_of(frame):
            for item, variable in items_of(name, value):
                if isinstance(variable, Variable):
                    self._values.named(variable, item)

    def _title(self) -> str:
        if self.title is not None:
            return self.title
        return "A run" if self.model is None else type(self.model).__name__


def saved_items(node: Node) -> list[tuple[str, Any]]:
    """What a node holds, by name; outputs, which are raw values there, as a list of them."""
    if not node.saved:
        return []
    at = node.plan.out_at
    if at < 0:
        return [*zip(node.plan.names, node.saved, strict=True)]
    return [
        (name, [raw for raw, _, _ in item] if place == at else item)
        for place, (name, item) in enumerate(zip(node.plan.names, node.saved, strict=True))
    ]
