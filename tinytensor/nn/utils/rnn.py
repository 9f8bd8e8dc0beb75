"""Sequences of different lengths in one array: packed without padding, and padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...ops.checks import integers
from ...ops.shape import pad_constant
from ...tensors.tensor import Tensor

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """The steps of sequences that get no longer: first all first steps, then all second ones, ….

    ``batch_sizes[t]`` is how many sequences have a step t, and so how many rows of ``data``
    (Σ lengths, …) are of it. ``sorted_indices[i]`` is where sequence i came from, and
    ``unsorted_indices`` leads back; both are None if the sequences were in order.
    """

    data: Tensor
    batch_sizes: np.ndarray
    sorted_indices: np.ndarray | None = None
    unsorted_indices: np.ndarray | None = None


class Packing(NamedTuple):
    """How the steps of padded sequences (T, B) lie without their padding, the longest first."""

    rows: np.ndarray  # of all T · B, in the order of :class:`PackedSequence`
    order: np.ndarray  # which sequence is the longest, and so on
    sizes: np.ndarray  # how many sequences have a step 0, 1, … T - 1
    places: np.ndarray  # (T, B): where each step went; behind all others, if it is padding


def packing(lengths: np.ndarray, steps: int) -> Packing:
    """The packing of sequences of these lengths (B,), which are at most ``steps``."""
    order = np.argsort(-lengths, kind="stable")
    present = np.arange(steps)[:, None] < lengths[order]
    rows = (np.arange(steps)[:, None] * len(lengths) + order)[present]
    places = np.full((steps, len(lengths)), len(rows))
    places.reshape(-1)[rows] = np.arange(len(rows))
    return Packing(rows, order, present.sum(1), places)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack the sequences of ``input`` (T, B, …), or (B, T, …) if ``batch_first``.

    ``lengths`` (B,) are at least 1 and at most T, and no longer than those before them unless
    ``enforce_sorted`` is False.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[1, 2], [3, 4], [5, 0]])  # (T, B): the second sequence has two steps
    >>> tt.nn.utils.rnn.pack_padded_sequence(x, [3, 2]).data
    tensor([1, 2, 3, 4, 5])
    """
    if input.ndim < 2:
        raise ShapeError(
            f"pack_padded_sequence: needs axes of steps and of the batch: input is {input.shape}"
        )
    x = ops.swapaxes(input, 0, 1) if batch_first else input
    steps, batch = x.shape[:2]
    sizes = integers("pack_padded_sequence", "lengths", lengths)
    if sizes.shape != (batch,):
        raise ShapeError(
            f"pack_padded_sequence: needs a length for each of {batch} sequences, not {lengths}"
        )
    if batch == 0 or sizes.min() < 1 or sizes.max() > steps:
        raise ValueError(f"pack_padded_sequence: lengths must be in 1 … {steps}, not {lengths}")
    in_order = bool((np.diff(sizes) <= 0).all())
    if enforce_sorted and not in_order:
        raise ValueError(
            "pack_padded_sequence: lengths must not grow, or enforce_sorted be False: they are"
            f" {lengths}"
        )
    rows, order, batch_sizes, _ = packing(sizes, sizes.max())
    data = ops.take(ops.reshape(x, (steps * batch, *x.shape[2:])), rows, 0)
    return PackedSequence(
        data, batch_sizes, *((None, None) if enforce_sorted else (order, np.argsort(order)))
    )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, np.ndarray]:
    """The sequences as (T, B, …), or (B, T, …) if ``batch_first``, and their lengths (B,).

    T is the longest length, or ``total_length``; behind its end a sequence is ``padding_value``.

    >>> import tinytensor as tt
    >>> from tinytensor.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
    >>> x = tt.tensor([[1, 2], [3, 4], [5, 0]])
    >>> pad_packed_sequence(pack_padded_sequence(x, [3, 2]), padding_value=-1)
    (tensor([[ 1,  2],
            [ 3,  4],
            [ 5, -1]]), array([3, 2]))
    """
    data, batch_sizes, _, back = sequence
    steps, batch = len(batch_sizes), int(batch_sizes[0])
    if total_length is not None and total_length < steps:
        raise ValueError(
            f"pad_packed_sequence: total_length is {total_length}, but a sequence has {steps} steps"
        )
    present = np.arange(batch) < batch_sizes[:, None]
    rows = np.full((total_length or steps, batch), len(data))  # of the padding, behind the data
    rows[:steps][present] = np.arange(len(data))
    lengths = present.sum(0)
    if back is not None:
        rows, lengths = rows[:, back], lengths[back]
    padding = Tensor(np.full((1, *data.shape[1:]), padding_value, data.dtype))
    padded = ops.take(ops.concat([data, padding]), rows.T if batch_first else rows, 0)
    return padded, lengths


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: Literal["right", "left"] = "right",
) -> Tensor:
    """Sequences (L, …) beside each other: (T, B, …), or (B, T, …) if ``batch_first``.

    T is the longest L; behind its end a sequence is ``padding_value``, or before its beginning
    with ``padding_side="left"``.

    >>> import tinytensor as tt
    >>> tt.nn.utils.rnn.pad_sequence([tt.tensor([1, 2, 3]), tt.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side is {padding_side!r}, not 'right' or 'left'")
    kinds = {(x.ndim > 0, *x.shape[1:]) for x in sequences}
    if len(kinds) != 1 or not kinds.pop()[0]:
        raise ShapeError(
            "pad_sequence: needs sequences (L, …) that differ in L alone: they are"
            f" {[x.shape for x in sequences]}"
        )
    longest = max(len(x) for x in sequences)
    rest = [(0, 0)] * (sequences[0].ndim - 1)
    left = padding_side == "left"
    padded = [
        pad_constant(x, [(n, 0) if left else (0, n), *rest], padding_value)
        for x, n in ((x, longest - len(x)) for x in sequences)
    ]
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of ``padded_sequences`` (T, B, …), or (B, T, …) if ``batch_first``, each up to
    its length: what :func:`pad_sequence` was given.

    >>> import tinytensor as tt
    >>> tt.nn.utils.rnn.unpad_sequence(tt.tensor([[1, 4], [2, 0]]), [2, 1])
    [tensor([1, 2]), tensor([4])]
    """
    if padded_sequences.ndim < 2:
        shape = padded_sequences.shape
        raise ShapeError(f"unpad_sequence: needs axes of steps and of the batch: it is {shape}")
    x = padded_sequences if batch_first else ops.swapaxes(padded_sequences, 0, 1)
    sizes = integers("unpad_sequence", "lengths", lengths)
    if sizes.shape != x.shape[:1]:
        raise ShapeError(
            f"unpad_sequence: needs a length for each of {len(x)} sequences, not {lengths}"
        )
    if sizes.size and (sizes.min() < 0 or sizes.max() > x.shape[1]):
        raise ValueError(f"unpad_sequence: lengths must be in 0 … {x.shape[1]}, not {lengths}")
    return [x[i, :n] for i, n in enumerate(sizes.tolist())]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (L, …), no longer than those before them unless ``enforce_sorted`` is False.

    >>> import tinytensor as tt
    >>> tt.nn.utils.rnn.pack_sequence([tt.tensor([1, 3, 5]), tt.tensor([2, 4])]).data
    tensor([1, 2, 3, 4, 5])
    """
    lengths = [len(x) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that :func:`pack_sequence` was given."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
