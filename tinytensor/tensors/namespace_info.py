"""What this array namespace can do (Array API, "Inspection")."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import KINDS, defaults

__all__ = ["__array_namespace_info__"]

ARRAY_API_VERSION = "2025.12"


class Info:
    """What :func:`__array_namespace_info__` returns. The only device is "cpu"."""

    def capabilities(self) -> dict[str, Any]:
        """What the standard leaves open."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def default_dtypes(self, *, device: str | None = None) -> dict[str, np.dtype]:
        """What results have where no dtype is given and none is among the arguments."""
        check_device(device)
        return defaults()

    def dtypes(
        self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, np.dtype]:
        """The dtypes of the standard by name: all, or those of a kind or of several."""
        check_device(device)
        kinds = ("bool", "numeric") if kind is None else kind
        wanted = (kinds,) if isinstance(kinds, str) else kinds
        unknown = [name for name in wanted if name not in KINDS]
        if unknown:
            raise ValueError(f"dtypes: there is no kind {unknown[0]!r}, but {', '.join(KINDS)}")
        return {dtype.name: dtype for name in wanted for dtype in KINDS[name]}


def __array_namespace_info__() -> Info:
    """What this namespace can do: its devices, dtypes, defaults and capabilities.

    >>> import tinytensor as tt
    >>> tt.__array_namespace_info__().default_dtypes()["real floating"]
    dtype('float32')
    """
    return Info()


def check_device(device: Any) -> None:
    """An error for any device but the CPU."""
    if device not in (None, "cpu"):
        raise ValueError(f"device: there is only 'cpu', not {device!r}")
