"""Around the calls of a model's modules: so observers know in which one a call of an op is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.observers import Observer, current_observers


@contextmanager
def around_calls(
    observer: Observer, model: Any, begin: Callable[[str], None], end: Callable[[], None]
) -> Iterator[None]:
    """Within it, ``begin(name)`` is called before each call of a module of ``model``, and ``end()``
    after it, also if it raised an error; the model's own name is "". Calls that ``observer`` does
    not watch, such as another thread's of the same model, are passed over."""

    def beginning(name: str) -> Callable[[Any, Any], None]:
        return lambda module, args: begin(name) if observer in current_observers() else None

    def ending(*_: Any) -> None:
        if observer in current_observers():
            end()

    handles = []
    try:
        for name, module in model.named_modules():
            before = beginning(name)
            handles.append(module.register_forward_pre_hook(before, prepend=True))
            handles.append(module.register_forward_hook(ending, always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_model(model: Any, asked_by: str) -> None:
    """TypeError if it is no module."""
    if isinstance(model, type):
        raise TypeError(f"{asked_by}: model is a module, not the class {model.__name__}")
    if not hasattr(model, "named_modules"):
        raise TypeError(f"{asked_by}: model is a module, not {type(model).__name__}")
