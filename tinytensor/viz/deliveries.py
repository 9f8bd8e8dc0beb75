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

    def sent(self) -> Iterator[Sent]:
        """What was delivered; to be asked for when the next node has its turn, or none is left."""
        calls = iter(self.calls)
        call = next(calls, None)
        for target, cotangent in zip(self.node.parents, self.cotangents or (), strict=False):
            if target is None or not isinstance(cotangent, Variable):
                continue
            fitted = cotangent
            spec = _spec_of(target)
            while call is not None and not _fits(fitted, spec) and call[0][0] is fitted:
                fitted = call[1][0]
                call = next(calls, None)
            before = self.waiting.get(target)
            total = fitted
            if before is not None:
                while call is not None and not (
                    len(call[0]) > 1 and call[0][0] is before and call[0][1] is fitted
                ):
                    call = next(calls, None)
                if call is None:  # the pass ended here, with an error
                    return
                total = call[1][0]
                call = next(calls, None)
            self.waiting[target] = total
            yield Sent(target, cotangent, None if fitted is cotangent else fitted, before, total)


def _spec_of(target: Any) -> Any:
    if isinstance(target, Node):
        return target.spec
    return None if target.spec is None else target.spec(target.value)


def _fits(cotangent: Any, spec: Any) -> bool:
    return spec is None or (not cotangent.level and cotangent.has_spec(cotangent.value, spec))
