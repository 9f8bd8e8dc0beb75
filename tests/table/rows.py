"""A row of the table says how to call an op on samples, and what PyTorch calls the same thing.

A float64 ndarray among a case's arguments is a differentiable input; everything else is passed as
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call: ``op(*args, **kwargs)``."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


def case(*args: Any, **kwargs: Any) -> Case:
    return Case(args, kwargs)


@dataclass(frozen=True)
class Row:
    """How one op is sampled and compared.

    ``cases`` draws the calls from a generator. ``torch(torch, *args, **kwargs)`` makes the same
    call with PyTorch (None: it has no such function, and ``why_no_torch`` says so).
    ``differentiable`` is False for ops without rules; the cases of the others lie away from kinks.
    ``elementwise`` ops also get the extremes (±300, inf, NaN) and broadcasting. ``hides``:
    arguments hide elements of others, through which a NaN need not go.
    ``float32_tolerance`` bounds fast against reference, relative to the largest value.
    """

    op: str
    cases: Callable[[np.random.Generator], Sequence[Case]]
    torch: Callable[..., Any] | None = None
    why_no_torch: str = ""
    differentiable: bool = True
    elementwise: bool = False
    hides: bool = False
    float32_tolerance: float = 1e-5


ROWS: dict[str, Row] = {}


def row(op: str, cases: Callable[[np.random.Generator], Sequence[Case]], **kwargs: Any) -> None:
    """Add the row of ``op`` to the table."""
    assert op not in ROWS, f"{op} has two rows"
    ROWS[op] = Row(op, cases, **kwargs)
