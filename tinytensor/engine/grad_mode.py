"""Grad mode: whether calls of ops are recorded. Each thread, and each asyncio task, has its own."""

from __future__ import annotations

from contextvars import ContextVar

from ..decorating import Decorated, Decorating, decorated

grad_enabled = ContextVar("grad_enabled", default=True)


def is_grad_enabled() -> bool:
    """Whether ops called on this thread are recorded."""
    return grad_enabled.get()


class _GradMode(metaclass=Decorating):
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

    def __call__(self, function: Decorated) -> Decorated:
        return decorated(function, lambda: _GradMode(self.enabled))


class set_grad_enabled(_GradMode):
    """Switch recording on or off for this thread: as a statement, a context, or a decorator."""

    def __init__(self, enabled: bool) -> None:
        super().__init__(bool(enabled))
        grad_enabled.set(self.enabled)

    def __enter__(self) -> _GradMode:  # the constructor has switched already
        return self

    def __call__(self, function: Decorated) -> Decorated:  # acts in calls, not where it stands
        grad_enabled.set(self.before[0])
        return super().__call__(function)


class no_grad(_GradMode):
    """Record nothing inside: ``with no_grad():``, ``@no_grad()`` or ``@no_grad``.

    A decorated generator or coroutine has the mode while it runs, and its caller has its own.
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_GradMode):
    """Record inside, whatever the mode outside: ``with enable_grad():`` or as a decorator."""

    def __init__(self) -> None:
        super().__init__(True)
