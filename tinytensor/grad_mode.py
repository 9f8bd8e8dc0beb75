"""Grad mode: whether calls of ops are recorded. Each thread, and each asyncio task, has its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any

grad_enabled = ContextVar("grad_enabled", default=True)


def is_grad_enabled() -> bool:
    """Whether ops called on this thread are recorded."""
    return grad_enabled.get()


class _GradMode(ContextDecorator):
    """Switches the mode from enter to exit. A decorated function gets a switch for each call."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.before = [grad_enabled.get()]

    def __enter__(self) -> _GradMode:
        self.before.append(grad_enabled.get())
        grad_enabled.set(self.enabled)
        return self

    def __exit__(self, *error: object) -> None:
        grad_enabled.set(self.before.pop())

    def _recreate_cm(self) -> _GradMode:
        return _GradMode(self.enabled)


class set_grad_enabled(_GradMode):
    """Switch recording on or off for this thread: as a statement, a context, or a decorator."""

    def __init__(self, enabled: bool) -> None:
        super().__init__(bool(enabled))
        grad_enabled.set(self.enabled)

    def __enter__(self) -> _GradMode:  # the constructor has switched already
        return self

    def __call__(self, function: Any) -> Any:  # a decorator acts in the calls, not where it stands
        grad_enabled.set(self.before[0])
        return super().__call__(function)


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record nothing inside: ``with no_grad():``, ``@no_grad()`` or ``@no_grad``."""
    return _GradMode(False) if function is None else _GradMode(False)(function)


def enable_grad(function: Callable[..., Any] | None = None) -> Any:
    """Record inside, whatever the mode outside: ``with enable_grad():`` or as a decorator."""
    return _GradMode(True) if function is None else _GradMode(True)(function)
