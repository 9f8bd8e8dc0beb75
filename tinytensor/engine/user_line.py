"""Which line of the stack is the user's: for messages that say where a call stands."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import sys
from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """A line of user code. ``str`` gives the file, the number and the source."""

    file: str
    number: int

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.number).strip()
        return f"{self.file}:{self.number}" + (f" ({source})" if source else "")


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# Models are written as a user writes them: their lines say more than the line that called them.
_MODELS = _PACKAGE + "models" + os.sep
# What calls for others: decorators of the standard library too.
_NOT_THE_USER = (_PACKAGE, os.path.dirname(np.__file__) + os.sep, contextlib.__file__,
                 functools.__file__)  # fmt: skip


def user_line() -> Line | None:
    """Where the innermost frame stands that is neither this package's nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USER) or file.startswith(_MODELS):
            return Line(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
