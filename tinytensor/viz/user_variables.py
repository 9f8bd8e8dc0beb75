"""The user's variables, by name, as a frame has them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any

from ..engine.user_line import Line

MANY = 200  # of a list or tuple so many items are looked at
_COPIES = sys.version_info < (3, 13)  # f_locals of a function: a copy that stays with the frame


def frame_at(line: Line) -> FrameType | None:
    """The innermost frame that stands on ``line``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_lineno != line.number or frame.f_code.co_filename != line.file
    ):
        frame = frame.f_back
    return frame


def variables_of(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """What the frame's variables are called, but for those that begin with ``_``."""
    names = frame.f_locals
    found = [(name, value) for name, value in names.items() if name[0] != "_"]
    if _COPIES and frame.f_code.co_flags & CO_OPTIMIZED:
        names.clear()  # otherwise a variable that the function deletes would live on in the copy
    return iter(found)


def items_of(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A variable, or the items of a list or tuple, with their names."""
    if type(value) in (list, tuple):
        yield from ((f"{name}[{i}]", item) for i, item in enumerate(value[:MANY]))
    else:
        yield name, value
