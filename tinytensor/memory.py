"""The cache that large outputs come from: how full it is, and how to empty it.

Memory that the system gives for the first time costs more than the arithmetic that fills it. So the
buffer of an array that has died waits here for the next output of about its size. All buffers
together are kept to 5/4 of the most that was lately in use (or to 8 MB, if that is more).

>>> import tinytensor as tt
>>> sorted(tt.memory.stats())
['cached', 'held', 'hits', 'in_use', 'limit', 'misses', 'peak']
"""

from __future__ import annotations

from . import built

_NAMES = ("in_use", "peak", "held", "cached", "limit", "hits", "misses")
_core = built.module("tinytensor.kernels._core")


def stats() -> dict[str, int]:
    """What the cache has given and what it keeps, in bytes, and how often it helped.

    ``in_use`` is what living arrays asked for, and ``peak`` the most that it has been. ``held`` is
    the size of all buffers, whole, and ``cached`` of those that wait; the cache keeps the latter
    to ``limit``. ``hits`` counts the outputs that the cache served, ``misses`` those for which the
    system was asked.

    Arrays below 32 KB and those of the reference kernels take NumPy's memory, which is not counted.
    All 0 where the fast kernels are not built: then NumPy's memory is all there is.
    """
    if _core is None:
        return dict.fromkeys(_NAMES, 0)
    return _core.memory_stats()


def trim(keep: int = 0) -> None:
    """Give cached memory back to the system, the longest unused first, but for ``keep`` bytes."""
    _check("trim", "keep", keep)
    if _core is not None:
        _core.memory_trim(keep)


def reset_peak() -> None:
    """Forget what has been in use: ``peak`` is of what comes, and the cache shrinks to fit it.

    >>> import tinytensor as tt
    >>> tt.memory.reset_peak()
    >>> tt.memory.stats()["peak"] == tt.memory.stats()["in_use"]
    True
    """
    if _core is not None:
        _core.memory_reset_peak()


def set_limit(bytes: int) -> None:
    """Cache at most ``bytes`` (at first a quarter of the machine's memory); 0 caches nothing."""
    _check("set_limit", "bytes", bytes)
    if _core is not None:
        _core.memory_set_limit(bytes)


def _check(function: str, name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{function}: {name} must be at least 0, got {value}")
