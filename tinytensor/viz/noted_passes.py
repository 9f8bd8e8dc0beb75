"""A backward pass that a recording sees: what has arrived where, and what becomes of gradients."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..engine.grad import derivatives
from ..engine.user_line import user_line
from .deliveries import Pull

_CORE = os.path.join(os.path.dirname(user_line.__code__.co_filename), "core.")


class Pass:
    """A backward pass that runs: its latest pull, and what has arrived where."""

    def __init__(self, work: Any, number: int, order: int, error: BaseException | None) -> None:
        self.work, self.number, self.order, self.error = work, number, order, error
        self.pull: Pull | None = None
        self.totals: dict[Any, int] = {}  # the last sum of what somebody asked for
        self.arrived: dict[Any, set[int]] = {}  # of calls that wait: for which outputs
        self.heard: dict[Any, int] = {}  # gradients, behind the hooks of leaves
        self.hooked: dict[Any, Any] = {}

    def listen(self, leaf: Any, note: Any) -> None:
        """Hear the gradient of a leaf as it is handed out: its hooks may replace it, and that of
        complex or 16-bit numbers is another one than rules pass on."""

        if leaf in self.hooked:
            return

        def hear(gradient: Any) -> None:
            self.heard[leaf] = note(gradient)

        self.hooked[leaf] = hear, leaf.hooks is None
        leaf.hooks = leaf.hooks or []
        leaf.hooks.append(hear)

    def forget_hooks(self) -> None:
        for leaf, (hook, was_none) in self.hooked.items():
            if hook in leaf.hooks:
                leaf.hooks.remove(hook)
            if was_none and not leaf.hooks:
                leaf.hooks = None
        self.hooked = {}


def is_given_back() -> bool:
    """Whether the pass that ends gives gradients back, instead of adding them to ``grad``."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_CORE):
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and frame.f_code is derivatives.__code__
