"""Around the calls of a model's modules: so observers know in which one a call of an op is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ..engine.observers import Observer, current_observers


def around_calls(
    observer: Observer, model: Any, begin: Callable[[str], None], end: Callable[[], None]
) -> ExitStack:
    """Call ``begin(name)`` before each call of a module of ``model``, and ``end()`` after it, also
    if it raised an error; the model's own name is "". Closing the stack ends that. Calls that
    ``observer`` does not watch, such as another thread's of the same model, are passed over."""

    def beginning(name: str) -> Callable[[Any, Any], None]:
        return lambda module, args: begin(name) if observer in current_observers() else None

    def ending(*_: Any) -> None:
        if observer in current_observers():
            end()

    stack = ExitStack()
    for name, module in model.named_modules():
        before = module.register_forward_pre_hook(beginning(name), prepend=True)
        after = module.register_forward_hook(ending, always_call=True)
        stack.callback(before.remove)
        stack.callback(after.remove)
    return stack


def check_model(model: Any, asked_by: str) -> None:
    """TypeError if it is no module."""
    if isinstance(model, type):
        raise TypeError(f"{asked_by}: model is a module, not the class {model.__name__}")
    if not hasattr(model, "named_modules"):
        raise TypeError(f"{asked_by}: model is a module, not {type(model).__name__}")
