"""Rows of tables: looked up as PyTorch does with all of its arguments, and reduced bag by bag."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops.checks import integers, number
from ..ops.embedding import with_shares
from ..tensors.tensor import Tensor

__all__ = ["embedding", "embedding_bag"]


def check_mode(name: str, mode: str, scale_grad_by_freq: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{name}: mode is 'sum', 'mean' or 'max', not {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError(f"{name}: scale_grad_by_freq is for the modes 'sum' and 'mean'")


def _shorten(
    name: str, indices: np.ndarray, weight: Tensor, max_norm: float, norm_type: float
) -> None:
    """Scale the rows at ``indices`` that are longer than ``max_norm`` down to it, in the table."""
    max_norm = number(name, "max_norm", max_norm, 0)
    rows = np.unique(indices)
    table = weight.value
    if rows.size and not 0 <= rows[0] <= rows[-1] < len(table):
        return  # an error of the look-up
    lengths = np.linalg.norm(table[rows].astype(np.float64), norm_type, axis=1)
    long = lengths > max_norm
    if long.any():
        # PyTorch adds the same 10⁻⁷, which keeps what is rounded from being above.
        scales = max_norm / (lengths[long] + 1e-7)
        table[rows[long]] *= scales[:, None].astype(table.dtype)
        weight.changed(name)


def embedding(
    input: Tensor | np.ndarray,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of weight (rows, width) at the integers of ``input`` (…): (…, width).

    The row ``padding_idx`` gets no gradient. Rows whose ``norm_type``-norm is above ``max_norm``
    are first scaled down to it, in ``weight``. ``scale_grad_by_freq`` divides the gradient of a row
    by how often it is in ``input``. ``sparse`` is taken as PyTorch's, and does nothing.
    """
    if max_norm is None and not scale_grad_by_freq:
        return ops.embedding(input, weight, padding_idx)
    indices = integers("embedding", "input", input)
    if max_norm is not None:
        _shorten("embedding", indices, weight, max_norm, norm_type)
    rows = ops.embedding(indices, weight, padding_idx)
    return with_shares(rows, _shares(indices, rows.dtype)) if scale_grad_by_freq else rows


def _shares(indices: np.ndarray, dtype: Any) -> np.ndarray:
    """1 over how often each index is among them: (…, 1)."""
    _, places, counts = np.unique(indices, return_inverse=True, return_counts=True)
    return (1 / counts[places.reshape(-1)]).astype(dtype).reshape(*indices.shape, 1)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The "sum", "mean" or "max" of the rows of ``weight`` at each bag of integers: (B, width).

    ``input`` is (B, n), a bag a row, or has one axis, with ``offsets`` (B,) where bags begin, and
    the end of the last with ``include_last_offset``. "sum" can weigh each row by
    ``per_sample_weights`` of the shape of input. Rows ``padding_idx`` do not count. A bag of none
    is 0. The other arguments are those of :func:`embedding`.

    >>> import tinytensor as tt
    >>> table = tt.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> indices = tt.tensor([0, 1, 2])
    >>> tt.nn.functional.embedding_bag(indices, table, tt.tensor([0, 2]), mode="sum")
    tensor([[4., 6.],
            [5., 6.]])
    """
    name = "embedding_bag"
    check_mode(name, mode, scale_grad_by_freq)
    indices = integers(name, "input", input)
    if weight.ndim != 2:
        raise ShapeError(f"{name}: weight must be (rows, width), but is {weight.shape}")
    if per_sample_weights is not None:
        if mode != "sum":
            raise ValueError(f"{name}: per_sample_weights are for the mode 'sum', not {mode!r}")
        if per_sample_weights.shape != indices.shape:
            raise ShapeError(
                f"{name}: per_sample_weights are {per_sample_weights.shape}, input is"
                f" {indices.shape}"
            )
        per_sample_weights = ops.reshape(per_sample_weights, (-1, 1))
    starts = _starts(name, indices, offsets, include_last_offset)
    indices = indices.reshape(-1)
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise IndexError(f"{name}: padding_idx is {padding_idx} of {len(weight)} rows")
        padding_idx %= len(weight)
    rows = embedding(indices, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights
    bags = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    kept = np.ones(len(indices), bool) if padding_idx is None else indices != padding_idx
    counts = np.bincount(bags[kept], minlength=len(starts) - 1)
    if mode == "max":
        return _largest(rows, bags[kept], np.flatnonzero(kept), counts)
    if not kept.all():
        rows, bags = ops.take(rows, np.flatnonzero(kept), 0), bags[kept]
    nothing = Tensor(np.zeros((len(counts), weight.shape[1]), rows.dtype))
    sums = ops.index_add(nothing, 0, bags, rows)
    if mode == "sum":
        return sums
    return sums / np.maximum(counts, 1).astype(rows.dtype)[:, None]


def _starts(name: str, indices: np.ndarray, offsets: Any, include_last_offset: bool) -> np.ndarray:
    """Where each bag begins in the flattened indices, and where the last one ends."""
    if indices.ndim == 2:
        if offsets is not None:
            raise ValueError(f"{name}: the rows of input {indices.shape} are bags: no offsets")
        return np.arange(len(indices) + 1) * indices.shape[1]
    if indices.ndim != 1 or offsets is None:
        raise ShapeError(
            f"{name}: input must be (B, n), or have one axis and offsets, but is {indices.shape}"
        )
    starts = integers(name, "offsets", offsets)
    if starts.ndim != 1 or (include_last_offset and not starts.size):
        raise ShapeError(f"{name}: offsets must have one axis, but are {starts.shape}")
    if not include_last_offset:
        starts = np.append(starts, len(indices))
    if (
        (starts.size > 1 and starts[0] != 0)
        or starts[-1] > len(indices)
        or np.any(np.diff(starts) < 0)
    ):
        raise ValueError(
            f"{name}: offsets must rise from 0 to at most {len(indices)}, but are"
            f" {np.asarray(offsets).tolist()}"
        )
    return starts


def _largest(rows: Tensor, bags: np.ndarray, places: np.ndarray, counts: np.ndarray) -> Tensor:
    """The largest of each bag; the first of equal ones gets the gradient."""
    width = rows.shape[1]
    most = int(counts.max(initial=0))
    if not most or not width:
        nothing = Tensor(np.zeros((len(counts), width), rows.dtype))
        return ops.index_add(nothing, 0, bags, ops.take(rows, places, 0))
    place_in_bag = np.arange(len(bags)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((len(counts), most), np.int64)
    table[bags, place_in_bag] = places
    inside = (np.arange(most) < counts[:, None])[..., None]
    values = ops.where(inside, ops.take(rows, table, 0), -np.inf)
    best = ops.argmax(values.detach(), 1)
    found = ops.squeeze(ops.take_along_axis(values, ops.expand_dims(best, 1), 1), 1)
    return ops.where((counts > 0)[:, None], found, 0.0)
