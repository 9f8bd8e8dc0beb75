"""Arithmetic, element by element."""

from __future__ import annotations

from typing import Any

from ... import ops
from ..registry import operator


@operator("Add")
def add(a: Any, b: Any) -> Any:
    return ops.add(a, b)
