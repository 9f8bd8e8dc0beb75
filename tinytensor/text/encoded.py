"""Texts as a dataset of numbers, in padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.dataset import Dataset, within
from ..data.samplers import check_count
from ..errors import ShapeError, a_kind_of
from .batches import Collate
from .tokenisers import Tokeniser


class Encoded(Dataset):
    """Texts, or pairs of texts, encoded: sample i is a list of numbers, or a tuple of such.

    ``tokenisers`` is one for all fields, or a sequence of one for each; ``bos`` and ``eos`` say
    whether each text stands between these tokens, of all fields or by a sequence for each. Of a
    text of more tokens than ``max_length``, begin and end included, the last ones are left out
    before its end.

    A batch is (array (B, T), lengths (B,)) of each field, padded by the tokeniser's own number.
    ``lengths`` (N,) are the longest of each sample, for `LengthBuckets`.

    >>> from tinytensor.text import Words
    >>> pairs = [("a cat", "eine Katze"), ("a", "ein"), ("cats", "Katzen")]
    >>> words = [Words.of(texts) for texts in zip(*pairs, strict=True)]
    >>> dataset = Encoded(pairs, words, eos=(False, True))
    >>> dataset[0]
    ([4, 5], [7, 4, 3])
    >>> (source, _), (target, lengths) = dataset.batch([0, 1])
    >>> target
    tensor([[7, 4, 3],
            [6, 3, 0]])
    >>> lengths
    tensor([3, 2])
    """

    def __init__(
        self,
        texts: Sequence[str] | Sequence[Sequence[str]],
        tokenisers: Tokeniser | Sequence[Tokeniser],
        bos: bool | Sequence[bool] = False,
        eos: bool | Sequence[bool] = False,
        max_length: int | None = None,
    ) -> None:
        samples: list[Any] = list(texts)
        self.of_fields = bool(samples) and not isinstance(samples[0], str)
        rows = samples if self.of_fields else [(sample,) for sample in samples]
        for i, row in enumerate(rows):
            if isinstance(row, str) or not hasattr(row, "__len__"):
                what = f"a text, and {i} is {a_kind_of(row)}"
                raise TypeError(f"Encoded: each sample must be {what}, unlike the first")
            if len(row) != len(rows[0]):
                what = f"{len(row)} fields, and the first {len(rows[0])}"
                raise ShapeError(f"Encoded: sample {i} has {what}")
        fields = len(rows[0]) if rows else 1
        self.tokenisers = _of_each("tokenisers", tokenisers, fields, Tokeniser)
        begins = _of_each("bos", bos, fields, bool)
        ends = _of_each("eos", eos, fields, bool)
        how = list(zip(self.tokenisers, begins, ends, strict=True))
        if max_length is not None:
            check_count("Encoded", "max_length", max_length)

        def encoded(text: str, tokeniser: Tokeniser, begin: bool, end: bool) -> list[int]:
            numbers = tokeniser.encode(text, bos=begin, eos=end)
            if max_length is None or len(numbers) <= max_length:
                return numbers
            return numbers[: max_length - end] + (numbers[-1:] if end else [])

        self.samples = [
            tuple(encoded(text, *each) for text, each in zip(row, how, strict=True)) for row in rows
        ]
        self.lengths = np.array([max(map(len, row)) for row in self.samples], np.int64)
        self._collate = Collate(tuple(tokeniser.pad or 0 for tokeniser in self.tokenisers))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        found = self.samples[within("Encoded", index, len(self))]
        return found if self.of_fields else found[0]

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        fields = self._collate([self.samples[int(i)] for i in indices])
        return fields if self.of_fields else fields[0]


def _of_each(name: str, given: Any, fields: int, kind: type) -> list[Any]:
    """One thing for all fields, or a sequence of one for each."""
    each = [given] * fields if isinstance(given, kind) else given
    if not isinstance(each, list | tuple) or not all(isinstance(one, kind) for one in each):
        one = f"{'bools' if kind is bool else 'tokenisers'}, one or one for each field"
        raise TypeError(f"Encoded: {name} must be {one}, not {given!r}")
    if len(each) != fields:
        raise ShapeError(f"Encoded: {len(each)} {name} for {fields} fields")
    return list(each)
