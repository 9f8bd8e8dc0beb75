"""The cache that large outputs come from: how full it is, and how to empty it.

Memory that the system gives for the first time costs more than the arithmetic that fills it. So the
buffer of an array that has died waits here for the next output of about its size.

>>> import tinytensor as tt
>>> sorted(tt.memory.stats())
['cached', 'hits', 'in_use', 'limit', 'misses', 'peak']
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_CORE = "tinytensor.kernels._core"
_core: Any = import_module(_CORE) if find_spec(_CORE) else None


def stats() -> dict[str, int]:
    """Bytes ``in_use`` (and their ``peak``), ``cached``, and the ``limit`` of the latter; how many
    outputs the cache served (``hits``) and how many the system (``misses``).

    All 0 where the fast kernels are not built: then NumPy's memory is all there is.
    """
    if _core is None:
        return dict.fromkeys(("in_use", "peak", "cached", "limit", "hits", "misses"), 0)
    return _core.memory_stats()


def trim(keep: int = 0) -> None:
    """Give cached memory back to the system, the longest unused first, but for ``keep`` bytes."""
    _check("trim", "keep", keep)
    if _core is not None:
        _core.memory_trim(keep)


def set_limit(bytes: int) -> None:
    """Cache at most ``bytes`` (at first a quarter of the machine's memory); 0 caches nothing."""
    _check("set_limit", "bytes", bytes)
    if _core is not None:
        _core.memory_set_limit(bytes)


def _check(function: str, name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{function}: {name} must be at least 0, got {value}")
