"""The bar that a training shows, in a terminal or a notebook."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

SECONDS_BETWEEN = 0.1  # a bar that is drawn more often costs time and tells nothing more
SECONDS_BETWEEN_LINES = 10  # in a file each drawing stays


class Progress:
    """tqdm's bar, drawn ten times a second at most, rarely into a file; without one, nothing."""

    def __init__(self, show: bool | str, steps: int | None, done: int) -> None:
        self._bar: Any = None
        self._title = f"{show}: " if isinstance(show, str) else ""
        self._waiting, self._last, self._between = 0, -math.inf, SECONDS_BETWEEN
        if show:
            from tqdm.auto import tqdm  # late: it takes longer than all of this package

            self._bar = tqdm(total=steps, initial=done, unit="step", dynamic_ncols=True)
            if not hasattr(self._bar, "container") and not self._bar.fp.isatty():  # nor a notebook
                self._between = self._bar.mininterval = SECONDS_BETWEEN_LINES

    def due(self) -> bool:
        """Count a step; whether it is time to show something."""
        if self._bar is None:
            return False
        self._waiting += 1
        return time.monotonic() - self._last >= self._between

    def show(self, where: str, numbers: Mapping[str, Any], rate: float) -> None:
        """Bring the bar to where the training is."""
        if self._bar is not None:
            self._last = time.monotonic()
            self._bar.set_description_str(self._title + where, refresh=False)
            self._bar.set_postfix_str(f"{_line(numbers)}, {rate:.0f} samples/s", refresh=False)
            self._bar.update(self._waiting)
            self._waiting = 0

    def write(self, start: str, numbers: Mapping[str, Any]) -> None:
        """A line that stays, above the bar."""
        if self._bar is not None:
            self._bar.write(f"{start}   {_line(numbers)}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.update(self._waiting)
            self._bar.close()


def _line(numbers: Mapping[str, Any]) -> str:
    return "   ".join(f"{name} {v:.4g}" for name, v in numbers.items() if not np.ndim(v))
