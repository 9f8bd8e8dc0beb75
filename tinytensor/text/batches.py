"""Sequences of different lengths in batches: padded, and such of near lengths together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import collate as collate_stacked
from ..data.samplers import Generator, Sampler, check_count
from ..dtypes import get_default_dtype, is_array
from ..errors import DtypeError, ShapeError, a_kind_of
from ..random import resolve
from ..tensors.tensor import Tensor, as_array


def padded(
    sequences: Sequence[Any],
    pad: float = 0,
    side: str = "right",
    dtype: npt.DTypeLike | None = None,
    length: int | None = None,
    multiple: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences in one array (B, T, …) with ``pad`` behind (or before) each, and lengths (B,).

    ``sequences`` are lists of numbers, or arrays (Tᵢ, …) alike behind the first axis. T is the
    longest length, or ``length``, rounded up to a ``multiple``. The dtype is int64 for integers,
    otherwise that of the sequences, or ``dtype``. Lengths are int64.

    Raises ShapeError for sequences that are longer than ``length``, or shaped otherwise, DtypeError
    for numbers, or ``pad``, that integers of the dtype cannot hold.

    >>> array, lengths = padded([[5, 6, 7], [8]])
    >>> array
    array([[5, 6, 7],
           [8, 0, 0]])
    >>> lengths
    array([3, 1])
    >>> padded([[5, 6, 7], [8]], side="left")[0]
    array([[5, 6, 7],
           [0, 0, 8]])
    """
    if side not in ("right", "left"):
        raise ValueError(f"padded: side must be 'right' or 'left', not {side!r}")
    check_count("padded", "multiple", multiple)
    arrays, flat = _flat(sequences)
    if dtype is None:
        dtype = np.int64 if flat.dtype.kind in "iu" or not flat.size else flat.dtype
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    longest = int(lengths.max(initial=0))
    if length is not None:
        check_count("padded", "length", length, least=0)
        if longest > length:
            raise ShapeError(f"padded: a sequence of {longest} does not fit into length {length}")
        longest = length
    longest += -longest % multiple
    out = np.full((len(arrays), longest, *flat.shape[1:]), _cast(np.asarray(pad), dtype), dtype)
    places = np.arange(longest)
    filled = places < lengths[:, None]
    out[filled if side == "right" else filled[:, ::-1]] = _cast(flat, dtype)
    return out, lengths


def _cast(numbers: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """Numbers as a dtype, of which integers hold not all."""
    with np.errstate(invalid="ignore"):  # NaN and ∞ become some integer
        cast = numbers.astype(dtype, copy=False)
    if cast.dtype.kind in "iu" and cast.dtype != numbers.dtype and (cast != numbers).any():
        lost = numbers[cast != numbers].flat[0]
        raise DtypeError(f"padded: {cast.dtype} cannot hold {lost}")
    return cast


def _flat(sequences: Any) -> tuple[list[Any], np.ndarray]:
    """The sequences, and what is in them one behind the other."""
    if isinstance(sequences, str | bytes) or not hasattr(sequences, "__iter__"):
        raise TypeError(f"padded: sequences are {a_kind_of(sequences)}, not a list of such")
    found = list(sequences)
    for i, sequence in enumerate(found):
        if isinstance(sequence, str | bytes) or not hasattr(sequence, "__len__"):
            kind = a_kind_of(sequence)
            raise TypeError(f"padded: sequence {i} is {kind}, not a list or an array of numbers")
    if all(isinstance(sequence, list | tuple) for sequence in found):
        try:
            flat = np.array([*chain.from_iterable(found)])
        except ValueError:  # rows of different lengths within
            flat = np.array([object()])
        if flat.dtype.kind in "iub":
            return found, flat
        if flat.dtype.kind == "f":
            return found, flat.astype(get_default_dtype())
        if not flat.size:
            return found, np.zeros(0, np.int64)
    try:
        found = [as_array(sequence) if len(sequence) else sequence for sequence in found]
    except TypeError as error:
        raise DtypeError(f"padded: sequences must be of numbers: {error}") from None
    filled = [array for array in found if len(array)]
    shapes = {np.shape(array)[1:] for array in filled}
    if len(shapes) > 1:
        raise ShapeError(f"padded: sequences have different shapes behind axis 0: {sorted(shapes)}")
    if filled:
        return found, np.concatenate(filled)
    empty = [as_array(array) for array in found if is_array(array)]
    return found, empty[0] if empty else np.zeros(0, np.int64)


class LengthBuckets(Sampler):
    """Batches of samples of near lengths, so that little is padded: a ``batch_sampler``.

    Each index comes once in an epoch. A batch has ``batch_size`` samples at most, and times its
    longest length at most ``max_tokens``; one of the two, or both. With ``shuffle`` the batches
    come in random order, and which of equally long samples meet is random too; without, from short
    to long. ``drop_last`` leaves out what fills no batch of ``batch_size``: samples drawn at random
    if shuffled, otherwise the longest.

    All samples are sorted together, which pads the least; only samples of nearly one length then
    ever meet. With ``pool``, so many batches of ``batch_size`` are, drawn at random if shuffled:
    a batch is of more mixed company, other in each epoch.

    ``generator`` is a generator or a seed; without, the default one draws, or a `DataLoader`'s.

    >>> batches = LengthBuckets([3, 9, 3, 8, 2], batch_size=2, shuffle=False)
    >>> list(batches)
    [[4, 0], [2, 3], [1]]
    >>> list(LengthBuckets([3, 9, 3, 8, 2], max_tokens=9, shuffle=False))
    [[4, 0, 2], [3], [1]]
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        batch_size: int | None = None,
        max_tokens: int | None = None,
        shuffle: bool = True,
        generator: Generator = None,
        drop_last: bool = False,
        pool: int | None = None,
    ) -> None:
        super().__init__(generator=generator)
        owner = "LengthBuckets"
        self.lengths = as_array(lengths)
        if self.lengths.ndim != 1:
            raise ShapeError(f"{owner}: lengths must be (N,), not {self.lengths.shape}")
        if self.lengths.size and self.lengths.dtype.kind not in "iu":
            raise DtypeError(f"{owner}: lengths must be integers, not {self.lengths.dtype}")
        self.lengths = self.lengths.astype(np.int64)
        if self.lengths.min(initial=0) < 0:
            raise ValueError(f"{owner}: a length is {self.lengths.min()}")
        if batch_size is None and max_tokens is None:
            raise ValueError(f"{owner}: needs batch_size or max_tokens")
        if batch_size is not None:
            check_count(owner, "batch_size", batch_size)
        if max_tokens is not None:
            check_count(owner, "max_tokens", max_tokens)
            if self.lengths.max(initial=0) > max_tokens:
                i = int(self.lengths.argmax())
                raise ValueError(
                    f"{owner}: sample {i} has length {self.lengths[i]}, above max_tokens"
                    f" {max_tokens}"
                )
        for name, value in (("shuffle", shuffle), ("drop_last", drop_last)):
            if not isinstance(value, bool):
                raise TypeError(f"{owner}: {name} must be a bool, not {value!r}")
        if drop_last and (batch_size is None or max_tokens is not None):
            raise ValueError(f"{owner}: drop_last is for batches of batch_size, without max_tokens")
        if pool is not None:
            check_count(owner, "pool", pool)
            if batch_size is None or max_tokens is not None:
                raise ValueError(f"{owner}: pool is for batches of batch_size, without max_tokens")
        self.pool = pool
        self.batch_size, self.max_tokens = batch_size, max_tokens
        self.shuffle, self.drop_last = shuffle, drop_last
        total = len(self.lengths)
        self._kept = total - total % batch_size if drop_last and batch_size else total
        self._ends = self._cuts()

    def _cuts(self) -> list[int]:
        """Where batches end among the samples by length: these places are the same in each epoch,
        unless samples are dropped at random, and then all batches are full."""
        if self.max_tokens is None:
            assert self.batch_size is not None
            ends = range(self.batch_size, self._kept, self.batch_size)
            return [*ends, *([self._kept] if self._kept else ())]
        ends_, begin = [], 0
        most = self.batch_size or len(self.lengths)
        for i, length in enumerate(np.sort(self.lengths).tolist()):
            if i - begin == most or (i - begin + 1) * length > self.max_tokens:
                ends_.append(i)
                begin = i
        return [*ends_, *([len(self.lengths)] if len(self.lengths) else ())]

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[list[int]]:
        if self.shuffle:
            draw = resolve(self.generator)
            order = draw.permutation(len(self.lengths))[: self._kept]
        else:
            order = np.arange(len(self.lengths))
        together = (self.pool or 0) * (self.batch_size or 0) or max(len(order), 1)
        pools = np.arange(len(order)) // together
        order = order[np.lexsort((self.lengths[order], pools))][: self._kept]
        begins = [0, *self._ends[:-1]]
        which = draw.permutation(len(self)) if self.shuffle else range(len(self))
        for i in which:
            yield order[begins[i] : self._ends[i]].tolist()


class Collate:
    """A ``collate`` for `DataLoader` that pads sequences: (array (B, T), lengths (B,)) of each.

    A sample is a sequence (a list or an array of numbers), or a tuple or dict of fields, such as a
    pair of sequences. Fields that are numbers or strings are batched as `tinytensor.data.collate`
    does. ``pad`` is one number, or a tuple of one for each field. What else there is, `padded`
    takes.

    >>> collate = Collate(pad=0)
    >>> (source, lengths), (target, _) = collate([([5, 6], [7]), ([8], [9, 9])])
    >>> source
    tensor([[5, 6],
            [8, 0]])
    >>> lengths
    tensor([2, 1])
    """

    def __init__(self, pad: float | tuple[float, ...] = 0, side: str = "right", **how: Any) -> None:
        self.pad, self.how = pad, {"side": side, **how}
        padded([], **self.how)

    def __call__(self, samples: Sequence[Any]) -> Any:
        samples = list(samples)
        if not samples:
            raise ValueError("Collate: there are no samples")
        first = samples[0]
        if any(type(sample) is not type(first) for sample in samples):
            kinds = sorted({type(sample).__name__ for sample in samples})
            raise TypeError(f"Collate: samples are of different types: {' and '.join(kinds)}")
        if isinstance(first, Mapping):
            if any(sample.keys() != first.keys() for sample in samples):
                raise ValueError("Collate: samples have different keys")
            columns: Any = [[sample[key] for sample in samples] for key in first]
        elif isinstance(first, tuple):
            if len(sizes := {len(sample) for sample in samples}) > 1:
                raise ShapeError(f"Collate: samples have {sorted(sizes)} fields")
            columns = [list(column) for column in zip(*samples, strict=True)]
        else:
            if isinstance(self.pad, tuple):
                raise ValueError("Collate: pad is a tuple, and samples have no fields")
            return self._field(samples, self.pad)
        pads = self.pad if isinstance(self.pad, tuple) else (self.pad,) * len(columns)
        if len(pads) != len(columns):
            raise ValueError(f"Collate: {len(pads)} numbers pad, and samples have {len(columns)}")
        fields = [self._field(column, pad) for column, pad in zip(columns, pads, strict=True)]
        if isinstance(first, Mapping):
            return dict(zip(first, fields, strict=True))
        return type(first)(*fields) if hasattr(first, "_fields") else tuple(fields)

    def _field(self, column: list[Any], pad: float) -> Any:
        first = column[0]
        if isinstance(first, list) or (is_array(first) and np.ndim(first)):
            array, lengths = padded(column, pad, **self.how)
            return Tensor(array), Tensor(lengths)
        return collate_stacked(column)
