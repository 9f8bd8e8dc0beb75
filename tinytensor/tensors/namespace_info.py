"""What this array namespace can do (Array API, "Inspection")."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import KINDS, defaults
from ..engine.core import Variable

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
    if device not in (None, "cpu", "cpu:0"):
        raise ValueError(f"device: there is only 'cpu', not {device!r}")


class device(str):
    """A device, of which there is one: the string "cpu", with the attributes of PyTorch's.

    >>> import tinytensor as tt
    >>> tt.device("cpu") == "cpu", tt.zeros(2).device.type
    (True, 'cpu')
    """

    __slots__ = ()
    type = "cpu"
    index = None  # type: ignore[assignment]

    def __new__(cls, type: Any = "cpu", index: int | None = None) -> device:
        check_device(type)
        return str.__new__(cls, "cpu")


CPU = device()


def target(name: str, args: tuple[Any, ...], dtype: Any, on: Any) -> np.dtype | None:
    """The dtype that ``x.to(…)`` asks for, by itself or as that of a tensor; None for that of x.
    An error if a device is another than the CPU, or an argument is none of these."""
    check_device(on)
    for arg in args:
        if isinstance(arg, Variable):
            dtype = arg.dtype  # type: ignore[attr-defined]
        elif isinstance(arg, str) and not _is_dtype(arg):
            check_device(arg)
        elif arg is not None and not isinstance(arg, bool):  # a bool is non_blocking
            dtype = arg
    try:
        return None if dtype is None else np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{name}: takes a dtype, a tensor or 'cpu', not {dtype!r}") from None


def _is_dtype(name: str) -> bool:
    try:
        np.dtype(name)
    except TypeError:
        return False
    return True
