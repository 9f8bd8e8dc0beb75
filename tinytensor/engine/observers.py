"""Observers: what is told of each call of an op, of changes in place and of backward passes.

Each thread, and each asyncio task, has its own. ``operation.observing`` adds one for a while.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

observers: ContextVar[tuple[Any, ...]] = ContextVar("observers", default=())
current_observers = observers.get


class Observer:
    """Hears of everything and does nothing: what a kind of observer overrides."""

    def calling(self, op: Any, args: Any, static: Any) -> None:
        """The forward function of ``op`` is about to be called."""

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        """``op`` was called and gave ``outputs``; ``node`` is None if that was not recorded."""

    def changed(self, variable: Any, by: str) -> str:
        """``by`` changed ``variable`` in place. Returns how an error message calls the change."""
        return by

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        """The backward pass ``work`` is about to run the rules of ``node`` on ``g``."""

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        """The rules gave ``cotangents``."""

    def passed(self, work: Any) -> None:
        """The backward pass is over, done or not."""

    def freed(self) -> None:
        """Something that nodes had saved was let go outside a backward pass."""


def tell_changed(variable: Any, by: str) -> str:
    """Tell of a change in place; how the observers want it to be called."""
    for observer in observers.get():
        by = observer.changed(variable, by)
    return by


def pull_observed(work: Any, node: Any, g: Any) -> Any:
    """Run the rules of a node, with a word to the observers before and after."""
    for observer in work.observers:
        observer.pulling(work, node, g)
    cotangents = node.pull(g, work.useful)
    for observer in work.observers:
        observer.pulled(work, node, g, cotangents)
    return cotangents
