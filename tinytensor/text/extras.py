"""What text needs of packages that need not be there."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(package: str, caller: str, distribution: str = "") -> Any:
    """A package of the extra ``text``. Raises ImportError, which says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{caller}: needs {distribution or package}: pip install tinytensor[text]"
        ) from error
