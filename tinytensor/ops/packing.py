"""Sequences of several lengths without their padding: their steps packed into rows, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError
from .checks import integers
from .declared import op
from .indexing import take
from .shape import moveaxis

__all__ = ["Packing", "batch_sizes_of", "lengths_of", "packed_rows", "packing", "padded_rows"]


class Packing(NamedTuple):
    """Where the steps of sequences lie, longest first: of step t in ``sizes[t]`` rows.

    ``rows`` are their places among those of (T, B, …), ``order`` is which sequence comes first,
    and ``back`` leads back from that order; all three are None of what came packed.
    """

    sizes: np.ndarray
    rows: np.ndarray | None = None
    order: np.ndarray | None = None
    back: np.ndarray | None = None


def lengths_of(name: str, given: Any, steps: int, batch: int) -> np.ndarray:
    """A length from 0 to ``steps`` for each sequence, or an error in the name of ``name``."""
    if isinstance(given, list | tuple) and not given:
        given = np.zeros(0, np.int64)
    lengths = integers(name, "lengths", given)
    if lengths.shape != (batch,):
        raise ShapeError(
            f"{name}: lengths must have the shape ({batch},), one for each sequence, but have"
            f" {lengths.shape}"
        )
    if batch and (lengths.min() < 0 or lengths.max() > steps):
        raise ValueError(
            f"{name}: lengths must be from 0 to {steps}, the number of steps, but are from"
            f" {lengths.min()} to {lengths.max()}"
        )
    return lengths


def batch_sizes_of(name: str, given: Any, rows: int) -> np.ndarray:
    """How many of ``rows`` packed rows are of each step, or an error in the name of ``name``."""
    sizes = integers(name, "batch_sizes", given)
    wrong = sizes.ndim != 1 or (sizes < 0).any() or (sizes > rows).any()  # their sum may overflow
    if wrong or (np.diff(sizes) > 0).any() or sizes.sum() != rows:
        raise ShapeError(
            f"{name}: batch_sizes must say of each step how many of the {rows} rows of x are of"
            f" it, never more than of the step before, but are {sizes.tolist()}"
        )
    return sizes.copy()  # backward needs them as they are now


def packing(lengths: np.ndarray) -> Packing:
    """The order in which sequences (T, B, …) of these lengths are packed."""
    order = np.argsort(-lengths, kind="stable")
    present = np.arange(lengths.max(initial=0))[:, None] < lengths[order]
    rows = (np.arange(len(present))[:, None] * len(lengths) + order)[present]
    return Packing(present.sum(1), rows, order, np.argsort(order))


@op
def packed_rows(x, rows):
    """The rows (n, …) of x (T, B, …) that are no padding."""
    return np.take(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), rows, 0)


@op
def padded_rows(x, rows, shape):
    """x (T, B, …) whose rows these are, and 0 elsewhere; ``shape`` is (T, B)."""
    out = np.zeros((shape[0] * shape[1], *x.shape[1:]), x.dtype)
    out[rows] = x
    return out.reshape(*shape, *x.shape[1:])


packed_rows.grad(x=lambda g, rows, x_shape: padded_rows(g, rows, x_shape[:2]))
padded_rows.grad(x=lambda g, rows: packed_rows(g, rows))


def _lanes_behind(axes: int, axes_out: int) -> Any:
    """For what moves the first ``axes`` axes of x about: behind them the lanes go along."""

    def rule(op: Any, args: Any, mapped: Any, static: Any) -> Any:
        if any(mapped[1:]):
            return NotImplemented
        return moveaxis(op(moveaxis(args[0], 0, axes), *args[1:]), axes_out, 0)

    return rule


packed_rows.batched(_lanes_behind(2, 1))
padded_rows.batched(_lanes_behind(1, 2))


def sorted_states(states: Any, found: Packing | None) -> tuple[Any, ...]:
    """States (B, …), or None, in the order of the packed sequences."""
    if found is None or found.order is None:
        return tuple(states)
    return tuple(state if state is None else take(state, found.order, 0) for state in states)


def unsorted_states(states: Any, found: Packing | None) -> tuple[Any, ...]:
    """The same in the order of the sequences as they came."""
    if found is None or found.back is None:
        return tuple(states)
    return tuple(state if state is None else take(state, found.back, 0) for state in states)
