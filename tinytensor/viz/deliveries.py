"""Where cotangents go: worked out from what an observer sees around them.

A backward pass tells its observers of each node before and after its rules run, and not of what it
then does with the cotangents that they gave. It does this: each is fitted to the parent it is for,
by ops, and added by an op to what waits there. So the calls that are seen before the next node's
turn are those ops in that order, and each says by its arguments what it was for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..engine.core import Node, Variable


class Sent(NamedTuple):
    """A cotangent on its way to a leaf or a node: as the rule gave it, as it was fitted (None: it
    fits), what had arrived there before (None: nothing), and what waits there now."""

    target: Any
    cotangent: Any
    fitted: Any
    added_to: Any
    total: Any


class Pull:
    """The turn of one node: from the run of its rules until what they gave is delivered."""

    def __init__(
        self, work: Any, node: Node, step: dict[str, Any], number: int, call: int | None
    ) -> None:
        self.work, self.node, self.step, self.number, self.call = work, node, step, number, call
        self.cotangents: Any = None  # until the rules have run
        self.waiting: dict[Any, Any] = {}
        self.calls: list[tuple[Any, Any]] = []  # arguments and outputs, since then
        self.freed: list[dict[str, Any]] = []  # what goes if the node lets go of what it saved

    def begin(self, cotangents: Any) -> None:
        """The rules have given ``cotangents``, none of which is delivered yet."""
        self.cotangents = cotangents
        pending = self.work.pending
        self.waiting = {
            parent: pending[parent] for parent in self.node.parents if parent in pending
        }

    def sent(self, turn: Any = None, g: Any = None) -> Iterator[Sent]:
        """What was delivered; to be asked for when the next node has its ``turn``, with the
        cotangents ``g`` that waited there, or when none is left."""
        calls = iter(self.calls)
        call = next(calls, None)
        for target, cotangent in zip(self.node.parents, self.cotangents or (), strict=False):
            if target is None or not isinstance(cotangent, Variable):
                continue
            spec, lanes = _spec_of(target), _lanes_of(cotangent)
            fitted = cotangent
            before = self.waiting.get(target)
            total = None
            new, old = {id(plain(cotangent))}, {id(plain(before))}  # and what is made of them
            while call is not None:
                arguments = {id(argument) for argument in call[0]}
                of_new, of_old = not new.isdisjoint(arguments), not old.isdisjoint(arguments)
                fits = _fits(fitted, spec, lanes)
                if fits and before is None:
                    break
                if fits and of_new and of_old:
                    total = call[1][0]
                elif of_new:
                    new.add(id(call[1][0]))
                    fitted = fitted if fits else call[1][0]
                elif of_old:
                    old.add(id(call[1][0]))
                elif before is None:
                    break
                call = next(calls, None)
                if total is not None:
                    break
            if before is None:
                total = fitted
            elif total is None:  # no call says it: it is what waits there now
                total = self._waits_at(target, turn, g)
                if total is None:  # the pass ended here, with an error
                    return
            self.waiting[target] = total
            yield Sent(target, cotangent, None if fitted is cotangent else fitted, before, total)

    def _waits_at(self, target: Any, turn: Any, g: Any) -> Any:
        """What has arrived at ``target`` by now."""
        place = None
        if isinstance(target, Node) and target.plan is None:
            target, place = target.parents[0], target.index
        arrived = g if target is turn else self.work.pending.get(target)
        return arrived[place] if place is not None and arrived is not None else arrived


def plain(variable: Any) -> Any:
    """The variable itself; in a vmap, that of all lanes, of which alone calls tell."""
    while variable is not None and variable.level:
        variable = variable.value
    return variable


def _spec_of(target: Any) -> Any:
    if isinstance(target, Node):
        return target.spec
    return None if target.spec is None else target.spec(target.value)


def _lanes_of(variable: Any) -> int:
    """How many axes the lanes take."""
    count = 0
    while variable.level:
        variable, count = variable.value, count + 1
    return count


def _fits(cotangent: Any, spec: Any, lanes: int) -> bool:
    if spec is None:
        return True
    if not lanes:
        return bool(cotangent.has_spec(cotangent.value, spec))
    array = plain(cotangent).value
    return (array.shape[lanes:], array.dtype) == tuple(spec[:2])
