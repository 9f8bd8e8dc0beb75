"""Observers that help to find faults: where a NaN was born, and what the graph keeps in memory;
and the doctor, who looks at the installation, the machine and models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import doctor as doctor
else:

    def __getattr__(name: str) -> Any:
        if name == "doctor":  # late: seldom needed
            return import_module(f"{__name__}.doctor")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
