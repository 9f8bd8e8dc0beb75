"""What parameters and values may be: sets of numbers, vectors and matrices, that can be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Check = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Constraint:
    """A set: ``check(array)`` says of each element, vector or matrix in it (the last ``event_dim``
    axes) whether it is in the set."""

    name: str
    check: Check
    event_dim: int = 0
    is_discrete: bool = False

    def __str__(self) -> str:
        return self.name


def _whole(x: np.ndarray) -> np.ndarray:
    return x == np.floor(x)


real = Constraint("real", lambda x: x == x)
real_vector = Constraint("real vectors", lambda x: (x == x).all(-1), 1)
positive = Constraint("positive", lambda x: x > 0)
nonnegative = Constraint("at least 0", lambda x: x >= 0)
unit_interval = Constraint("within [0, 1]", lambda x: (x >= 0) & (x <= 1))
boolean = Constraint("0 or 1", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint(
    "whole and at least 0", lambda x: (x >= 0) & _whole(x), is_discrete=True
)
simplex = Constraint(
    "at least 0 and of sum 1",
    lambda x: (x >= 0).all(-1) & (np.abs(x.sum(-1) - 1) < 1e-5),
    1,
)
one_hot = Constraint(
    "0 but for one 1",
    lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1),
    1,
    is_discrete=True,
)
lower_cholesky = Constraint(
    "lower triangular with a positive diagonal",
    lambda x: (np.tril(x) == x).all((-2, -1)) & (np.diagonal(x, 0, -2, -1) > 0).all(-1),
    2,
)


def _definite(x: np.ndarray) -> np.ndarray:
    least = np.linalg.eigvalsh(np.where(np.isfinite(x), x, -1.0))[..., 0]
    close = np.isclose(x, np.swapaxes(x, -1, -2), rtol=1e-5, atol=1e-6).all((-2, -1))
    return close & (least > 0)


positive_definite = Constraint("symmetric and positive definite", _definite, 2)


def interval(low: Any, high: Any) -> Constraint:
    """From ``low`` to ``high``, arrays that broadcast beside what is asked of."""
    return Constraint("within its bounds", lambda x: (x >= low) & (x <= high))


def integer_interval(low: Any, high: Any) -> Constraint:
    return Constraint(
        f"whole and within [{low}, {high}]",
        lambda x: (x >= low) & (x <= high) & _whole(x),
        is_discrete=True,
    )


def independent(base: Constraint, axes: int) -> Constraint:
    """``base`` of all along the last ``axes`` axes, which are one event."""

    def check(x: np.ndarray) -> Any:
        found = base.check(x)
        return np.all(found, tuple(range(-axes, 0))) if axes else found

    return Constraint(base.name, check, base.event_dim + axes, base.is_discrete)
