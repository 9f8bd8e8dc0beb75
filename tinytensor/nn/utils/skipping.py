"""skip_init: a layer whose values are yet to be loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import random
from ..module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: Callable[..., M], *args: Any, **kwargs: Any) -> M:
    """``module_cls(*args, **kwargs)`` with undefined values; nothing is drawn from the generator.

    >>> import tinytensor as tt
    >>> tt.nn.utils.skip_init(tt.nn.Linear, 3, 2).weight.shape
    (2, 3)
    """
    if not isinstance(module_cls, type) or not issubclass(module_cls, Module):
        raise TypeError(f"skip_init: needs a class of modules, not {module_cls!r}")
    state = random.get_rng_state()
    try:
        made: M = module_cls(*args, **kwargs).to_empty()  # type: ignore[assignment]
        return made
    finally:
        random.set_rng_state(state)
