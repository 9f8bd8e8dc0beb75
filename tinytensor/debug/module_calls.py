"""Around the calls of a model's modules: so observers know in which one a call of an op is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any


def around_calls(model: Any, begin: Callable[[str], None], end: Callable[[], None]) -> ExitStack:
    """Call ``begin(name)`` before each call of a module of ``model``, and ``end()`` after it, also
    if it raised an error; the model's own name is "". Closing the stack ends that."""
    stack = ExitStack()
    for name, module in model.named_modules():
        before = module.register_forward_pre_hook(_beginning(begin, name), prepend=True)
        after = module.register_forward_hook(lambda *_: end(), always_call=True)
        stack.callback(before.remove)
        stack.callback(after.remove)
    return stack


def check_model(model: Any, asked_by: str) -> None:
    """TypeError if it is no module."""
    if not hasattr(model, "named_modules"):
        raise TypeError(f"{asked_by}: model is a module, not {type(model).__name__}")


def _beginning(begin: Callable[[str], None], name: str) -> Callable[[Any, Any], None]:
    return lambda module, args: begin(name)
