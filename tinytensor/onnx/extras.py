"""The package ``onnx``, which reads and writes the format and need not be there."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(caller: str, module: str = "onnx") -> Any:
    """A module of the extra ``onnx``. Raises ImportError, which says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'{caller}: needs onnx: pip install "tinytensor[onnx]"') from error
