"""Sequences of different lengths in one array, packed without padding, and padded; long ones in
windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...func.gradients import stop_gradient
from ...ops.checks import integers, whole
from ...ops.packing import batch_sizes_of, lengths_of, packed_rows, packing
from ...ops.shape import pad_constant
from ...tensors.tensor import Tensor

__all__ = [
    "PackedSequence",
    "Window",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "truncated",
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
    found = packing(sizes)
    data = packed_rows(x, found.rows)
    places = (None, None) if enforce_sorted else (found.order, found.back)
    return PackedSequence(data, found.sizes, *places)


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
    data, given, _, back = sequence
    batch_sizes = batch_sizes_of("pad_packed_sequence", given, len(data))
    steps, batch = len(batch_sizes), int(batch_sizes.max(initial=0))
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


class Window(NamedTuple):
    """What :func:`truncated` gives: the output of some steps, the state behind them, and which
    steps these are, as a slice."""

    output: Any
    state: Any
    steps: slice


def truncated(
    model: Callable[..., Any],
    input: Tensor,
    steps: int,
    state: Any = None,
    lengths: Any = None,
    batch_first: bool | None = None,
) -> Iterator[Window]:
    """Backpropagation through time, truncated: a :class:`Window` for every ``steps`` steps of
    ``input`` (T, B, …), or (B, T, …), the last one maybe shorter, with the state carried on.

    ``model`` is called with a window and the state (None at first, unless ``state`` is given), and
    gives an output and the next state: a tensor, or a tree of them. Each window begins with that
    state as a constant, so that its graph ends there: take the loss of a window, its gradients and
    a step of the optimizer before the next. The state of the last window may be given to the next
    call, for what comes behind. ``batch_first`` is that of ``model``, if it has one, otherwise
    False. With ``lengths`` (B,), from 0 to T, the model gets those of the window. (Williams and
    Peng 1990, with k₁ = k₂ = ``steps``.)

    >>> import tinytensor as tt
    >>> rnn, x = tt.nn.GRU(2, 3), tt.ones((5, 1, 2))
    >>> for output, state, steps in tt.nn.utils.rnn.truncated(rnn, x, 2):
    ...     (output**2).mean().backward()
    ...     print(steps, output.shape, state.shape)
    slice(0, 2, None) (2, 1, 3) (1, 1, 3)
    slice(2, 4, None) (2, 1, 3) (1, 1, 3)
    slice(4, 5, None) (1, 1, 3) (1, 1, 3)
    """
    whole("truncated", 1, steps=steps)
    if batch_first is None:
        batch_first = getattr(model, "batch_first", False)
    axis = int(batch_first and input.ndim > 2)
    if input.ndim <= axis:
        raise ShapeError(f"truncated: needs an axis of steps: input is {input.shape}")
    rest = lengths
    if lengths is not None:
        if input.ndim < 2:
            raise ShapeError(f"truncated: lengths are for a batch: input is {input.shape}")
        rest = lengths_of("truncated", lengths, input.shape[axis], input.shape[1 - axis])
    return _windows(model, input, steps, state, rest, axis)


def _windows(
    model: Callable[..., Any], input: Tensor, size: int, state: Any, rest: Any, axis: int
) -> Iterator[Window]:
    total = input.shape[axis]
    for first in range(0, total, size):
        steps = slice(first, min(first + size, total))
        further = {} if rest is None else {"lengths": np.clip(rest - first, 0, steps.stop - first)}
        part = input[(slice(None),) * axis + (steps,)]
        output, state = model(part, None if state is None else stop_gradient(state), **further)
        yield Window(output, state, steps)
