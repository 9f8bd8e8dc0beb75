"""Vocabularies: numbers for tokens, the special ones first."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any

import numpy as np

from ..data.samplers import check_count
from ..errors import DtypeError, ShapeError, a_kind_of
from ..io.files import read_file, replaced, short

Path = str | os.PathLike[str]

SPECIALS = ("pad", "unknown", "bos", "eos")


class Vocabulary:
    """Numbers for tokens: the special ones first, then ``tokens`` in their order.

    The special tokens are ``pad``, ``unknown``, ``bos`` and ``eos`` (the begin and the end of a
    sequence), numbered in this order; None leaves one out. The attributes of these names are their
    numbers, or None. So the padding is 0, unless it is left out.

    Raises ValueError for a token that comes twice, TypeError for what is no text.

    >>> vocabulary = Vocabulary(["a", "cat", "sat"], bos=None, eos=None)
    >>> vocabulary.encode(["a", "cat", "ran"])
    [2, 3, 1]
    >>> vocabulary.decode([2, 3, 1])
    ['a', 'cat', '<unk>']
    >>> len(vocabulary), vocabulary.pad, vocabulary.eos
    (5, 0, None)
    """

    pad: int | None
    unknown: int | None
    bos: int | None
    eos: int | None

    def __init__(
        self,
        tokens: Iterable[str] = (),
        *,
        pad: str | None = "<pad>",
        unknown: str | None = "<unk>",
        bos: str | None = "<bos>",
        eos: str | None = "<eos>",
    ) -> None:
        if not isinstance(tokens, Iterable):
            raise TypeError(f"Vocabulary: tokens are {a_kind_of(tokens)}, not a list of texts")
        specials = dict(zip(SPECIALS, (pad, unknown, bos, eos), strict=True))
        self.specials = {name: token for name, token in specials.items() if token is not None}
        self.tokens = (*self.specials.values(), *tokens)
        for token in self.tokens:
            if not isinstance(token, str):
                raise TypeError(f"Vocabulary: a token is {a_kind_of(token)}, not text")
        self._numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(self._numbers) < len(self.tokens):
            double = next(t for i, t in enumerate(self.tokens) if self._numbers[t] != i)
            raise ValueError(f"Vocabulary: the token {double!r} comes twice")
        for name in SPECIALS:
            special = specials[name]
            setattr(self, name, None if special is None else self._numbers[special])

    @classmethod
    def of(
        cls,
        tokens: Mapping[str, int] | Iterable[Any],
        min_frequency: int = 1,
        max_size: int | None = None,
        *,
        pad: str | None = "<pad>",
        unknown: str | None = "<unk>",
        bos: str | None = "<bos>",
        eos: str | None = "<eos>",
    ) -> Vocabulary:
        """The tokens that come at least ``min_frequency`` times, the frequent ones first.

        ``tokens`` are counts by token, or tokens to count, or sequences of such. Of those that are
        equally frequent the first by text comes first. ``max_size`` is the largest length of the
        vocabulary, special tokens included.

        >>> Vocabulary.of([["a", "b"], ["c", "b"]], max_size=6).tokens
        ('<pad>', '<unk>', '<bos>', '<eos>', 'b', 'a')
        """
        check_count("Vocabulary.of", "min_frequency", min_frequency)
        counts = _counted(tokens)
        specials = {"pad": pad, "unknown": unknown, "bos": bos, "eos": eos}
        of_specials = {token for token in specials.values() if token is not None}
        kept = (t for t, n in counts.items() if n >= min_frequency and t not in of_specials)
        order = sorted(kept, key=lambda token: (-counts[token], token))
        if max_size is not None:
            check_count("Vocabulary.of", "max_size", max_size, least=max(len(of_specials), 1))
            order = order[: max_size - len(of_specials)]
        return cls(order, **specials)

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._numbers

    def __getitem__(self, token: str) -> int:
        """The number of a token: that of the unknown one if it is not there.

        Raises KeyError where there is no unknown one.
        """
        return self.encode([token])[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.tokens, self.specials) == (other.tokens, other.specials)

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self)} tokens"

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The numbers of tokens. Raises KeyError for one that is not there, if none is unknown."""
        numbers, unknown = self._numbers, self.unknown
        try:
            if unknown is None:
                return [numbers[token] for token in tokens]
            return [numbers.get(token, unknown) for token in tokens]
        except KeyError as error:
            what = f"Vocabulary.encode: {error.args[0]!r} is not there, and no token is unknown"
            raise KeyError(what) from None
        except TypeError as error:  # no sequence, or of what cannot be a key
            raise TypeError(f"Vocabulary.encode: tokens must be a list of texts: {error}") from None

    def decode(self, numbers: Any, skip: bool = False) -> list[str]:
        """The tokens of numbers; with ``skip`` without padding, begin and end.

        Raises IndexError for a number outside of the vocabulary.
        """
        found = whole_numbers("Vocabulary.decode", numbers, len(self))
        if skip:
            left_out = {self.pad, self.bos, self.eos}
            found = [number for number in found if number not in left_out]
        return [self.tokens[number] for number in found]

    # --- Files -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The vocabulary as plain data, which JSON can hold."""
        return {"tokens": [*self.tokens[len(self.specials) :]], "specials": dict(self.specials)}

    @classmethod
    def from_state_dict(cls, state: Any) -> Vocabulary:
        """The vocabulary of a :meth:`state_dict`. Raises ValueError for what is none."""
        if not isinstance(state, dict) or set(state) != {"tokens", "specials"}:
            raise ValueError(f"Vocabulary: {short(state)} is no state of a vocabulary")
        tokens, specials = state["tokens"], state["specials"]
        if not isinstance(tokens, list) or not isinstance(specials, dict):
            raise ValueError("Vocabulary: tokens must be a list, and specials a dict")
        if unknown := set(specials) - set(SPECIALS):
            raise ValueError(f"Vocabulary: there is no special token {short(min(unknown))}")
        try:
            return cls(tokens, **{name: specials.get(name) for name in SPECIALS})
        except TypeError as error:
            raise ValueError(str(error)) from None

    def save(self, path: Path) -> None:
        """Write the vocabulary to a file, as JSON."""
        write_json(path, self.state_dict(), "Vocabulary.save")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what :meth:`save` has written. Raises ValueError for another file."""
        state = read_json(path, "Vocabulary.load")
        try:
            return cls.from_state_dict(state)
        except ValueError as error:
            raise ValueError(f"Vocabulary.load: {os.fspath(path)}: {error}") from None


def _counted(tokens: Mapping[str, int] | Iterable[Any]) -> Mapping[str, int]:
    if isinstance(tokens, Mapping):
        for token, count in tokens.items():
            if not isinstance(count, int | np.integer) or count < 0:
                raise ValueError(f"Vocabulary.of: the count of {token!r} is {count!r}")
        return tokens
    if not isinstance(tokens, Iterable):
        raise TypeError(f"Vocabulary.of: tokens are {a_kind_of(tokens)}, not counts or tokens")
    counts: Counter[str] = Counter()
    for item in tokens:
        if isinstance(item, str):
            counts[item] += 1
        elif isinstance(item, Iterable):
            counts.update(item)
        else:
            raise TypeError(f"Vocabulary.of: a token is {a_kind_of(item)}, not text")
    return counts


def whole_numbers(caller: str, numbers: Any, size: int) -> list[int]:
    """The numbers of a sequence as a list, each in [0, size).

    Raises IndexError for others, ShapeError unless there is one axis, DtypeError for fractions.
    """
    if isinstance(numbers, list | tuple):
        try:
            found = [index(number) for number in numbers]
        except TypeError:
            found = whole_numbers(caller, np.asarray(numbers), size)
    else:
        array = np.asarray(getattr(numbers, "value", numbers))
        if array.ndim != 1:
            raise ShapeError(f"{caller}: numbers must be (T,), not {array.shape}")
        if array.size and array.dtype.kind not in "iu":
            raise DtypeError(f"{caller}: numbers must be integers, not {array.dtype}")
        found = array.tolist()
    if found and not 0 <= min(found) <= max(found) < size:
        raise IndexError(
            f"{caller}: numbers are from {min(found)} to {max(found)}, not in [0, {size})"
        )
    return found


def write_json(path: Path, state: Any, caller: str) -> None:
    """Write plain data to a file, whole or not at all."""
    content = json.dumps(state, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    with replaced(path, caller) as file:
        file.write(content + b"\n")


def read_json(path: Path, caller: str) -> Any:
    """The data of a JSON file. Raises ValueError, which names the file, if it is none."""
    try:
        return json.loads(read_file(path, caller).decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{caller}: {os.fspath(path)} is no JSON: {error}") from None
