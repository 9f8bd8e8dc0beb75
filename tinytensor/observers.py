"""Observers: what is told of each call of an op, of changes in place and of backward passes.

Each thread, and each asyncio task, has its own. ``operation.observing`` adds one for a while.
"""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

observers: ContextVar[tuple[Any, ...]] = ContextVar("observers", default=())
present = observers.get


class Observer:
    """Hears of everything and does nothing: what a kind of observer overrides."""

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


def noted(variable: Any, by: str) -> str:
    """Tell of a change in place; how the observers want it to be called."""
    for observer in observers.get():
        by = observer.changed(variable, by)
    return by


def watched(work: Any, node: Any, g: Any) -> Any:
    """Run the rules of a node, with a word to the observers before and after."""
    for observer in work.observers:
        observer.pulling(work, node, g)
    cotangents = node.pull(g, work.useful)
    for observer in work.observers:
        observer.pulled(work, node, g, cotangents)
    return cotangents


# --- Lines of user code ----------------------------------------------------------------------


class Line(NamedTuple):
    """A line of user code. ``str`` gives the file, the number and the source."""

    file: str
    number: int

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.number).strip()
        return f"{self.file}:{self.number}" + (f" ({source})" if source else "")


_PACKAGE = str(Path(__file__).parent) + os.sep
# Models are written as a user writes them: their lines say more than the line that called them.
_MODELS = _PACKAGE + "models" + os.sep
# What calls for others: decorators of the standard library too.
_NOT_THE_USER = (
    _PACKAGE,
    str(Path(np.__file__).parent) + os.sep,
    contextlib.__file__,
    functools.__file__,
)


def user_line() -> Line | None:
    """Where the innermost frame stands that is neither this package's nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USER) or file.startswith(_MODELS):
            return Line(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
