"""Tokenisers: text as numbers, by characters, bytes or words, and back."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any, Self

from ..errors import a_kind_of
from ..io.files import short
from .vocabulary import Path, Vocabulary, read_json, whole_numbers, write_json

FORMS = (None, "NFC", "NFD", "NFKC", "NFKD")


def several(texts: Any, caller: str) -> Iterable[str]:
    """The texts of a list of them, or of one alone."""
    if isinstance(texts, str):
        return [texts]
    if not isinstance(texts, Iterable):
        raise TypeError(f"{caller}: texts are {a_kind_of(texts)}, not a list of them")
    return texts


class Tokeniser:
    """Text as numbers, and back: what all tokenisers have.

    ``pad``, ``unknown``, ``bos`` and ``eos`` are the numbers of the special tokens, or None.
    """

    pad: int | None = None
    unknown: int | None = None
    bos: int | None = None
    eos: int | None = None

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> list[int]:
        """The numbers of ``text``, between those of the begin and the end if asked for.

        A special token's own spelling within ``text`` is text like any other, or unknown: no text
        can end a sequence.
        """
        if not isinstance(text, str):
            raise TypeError(f"{type(self).__name__}: text is {a_kind_of(text)}, not a str")
        numbers = self._of_text(self._encoded(text))
        for wanted, name, number in ((bos, "bos", self.bos), (eos, "eos", self.eos)):
            if wanted and number is None:
                raise ValueError(f"{type(self).__name__}: there is no token {name}")
        before = [self.bos] if bos and self.bos is not None else []
        after = [self.eos] if eos and self.eos is not None else []
        return [*before, *numbers, *after]

    def decode(self, numbers: Any) -> str:
        """The text of numbers, a list or an array (T,), without padding, begin and end.

        Raises IndexError for a number that no token has.
        """
        found = whole_numbers(f"{type(self).__name__}.decode", numbers, len(self))
        left_out = {self.pad, self.bos, self.eos}
        return self._decoded([number for number in found if number not in left_out])

    def _encoded(self, text: str) -> list[int]:
        raise NotImplementedError

    def _of_text(self, numbers: list[int]) -> list[int]:
        """Numbers without special ones, which stand for none of a text: unknown ones instead."""
        specials = {self.pad, self.bos, self.eos} - {None}
        if specials.isdisjoint(numbers):
            return numbers
        left = [] if self.unknown is None else [self.unknown]
        return [n for number in numbers for n in ([number], left)[number in specials]]

    def _decoded(self, numbers: list[int]) -> str:
        raise NotImplementedError


class _OfVocabulary(Tokeniser):
    """A tokeniser that cuts text into tokens of a vocabulary: subclasses cut and join."""

    options: tuple[str, ...] = ("normalise",)

    def __init__(self, vocabulary: Vocabulary, normalise: str | None = None) -> None:
        if not isinstance(vocabulary, Vocabulary):
            raise TypeError(
                f"{type(self).__name__}: vocabulary is {a_kind_of(vocabulary)}, not a Vocabulary;"
                f" {type(self).__name__}.of(texts) makes one of texts"
            )
        if normalise not in FORMS:
            raise ValueError(
                f"{type(self).__name__}: normalise must be one of {FORMS}, not {normalise!r}"
            )
        self.vocabulary, self.normalise = vocabulary, normalise
        self.pad, self.unknown = vocabulary.pad, vocabulary.unknown
        self.bos, self.eos = vocabulary.bos, vocabulary.eos

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        min_frequency: int = 1,
        max_size: int | None = None,
        *,
        pad: str | None = "<pad>",
        unknown: str | None = "<unk>",
        bos: str | None = "<bos>",
        eos: str | None = "<eos>",
        **options: Any,
    ) -> Self:
        """The tokeniser of the tokens of ``texts``, as `Vocabulary.of` chooses them."""
        cutting = cls(Vocabulary(), **options)
        vocabulary = Vocabulary.of(
            map(cutting.split, several(texts, f"{cls.__name__}.of")),
            min_frequency,
            max_size,
            pad=pad,
            unknown=unknown,
            bos=bos,
            eos=eos,
        )
        return cls(vocabulary, **options)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)} tokens"

    def split(self, text: str) -> list[str]:
        """``text`` cut into tokens."""
        if not isinstance(text, str):
            raise TypeError(f"{type(self).__name__}: text is {a_kind_of(text)}, not a str")
        return self._split(self._normalised(text))

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens."""
        raise NotImplementedError

    def _split(self, text: str) -> list[str]:
        raise NotImplementedError

    def _normalised(self, text: str) -> str:
        return text if self.normalise is None else unicodedata.normalize(self.normalise, text)  # type: ignore[arg-type]

    def _encoded(self, text: str) -> list[int]:
        return self.vocabulary.encode(self.split(text))

    def _decoded(self, numbers: list[int]) -> str:
        return self.join(self.vocabulary.tokens[number] for number in numbers)

    # --- Files -------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the tokeniser to a file, as JSON."""
        state = {name: getattr(self, name) for name in self.options}
        kind = type(self).__name__
        content = {"kind": kind, "options": state, "vocabulary": self.vocabulary.state_dict()}
        write_json(path, content, f"{kind}.save")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` has written. Raises ValueError for another file."""
        caller = f"{cls.__name__}.load"
        state = read_json(path, caller)
        try:
            if not isinstance(state, dict) or state.get("kind") != cls.__name__:
                raise ValueError(f"{short(state)} is no state of {cls.__name__}")
            options = state.get("options")
            if not isinstance(options, dict) or set(options) != set(cls.options):
                raise ValueError(f"its options are {short(options)}, not {', '.join(cls.options)}")
            return cls(Vocabulary.from_state_dict(state.get("vocabulary")), **options)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{caller}: {os.fspath(path)}: {error}") from None


class Characters(_OfVocabulary):
    """A token for each character (code point) of a vocabulary; others are the unknown one.

    ``normalise`` "NFC" composes first what is one character to readers ("e" and its accent).
    The unknown character is decoded as U+FFFD, �.

    >>> characters = Characters.of(["abba"])
    >>> characters.encode("bad", bos=True, eos=True)
    [2, 5, 4, 1, 3]
    >>> characters.decode([2, 5, 4, 1, 3, 0])
    'ba�'
    """

    def _split(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: Iterable[str]) -> str:
        """The text of characters."""
        return "".join(tokens)

    def _decoded(self, numbers: list[int]) -> str:
        tokens = self.vocabulary.tokens
        return "".join(
            "\N{REPLACEMENT CHARACTER}" if number == self.unknown else tokens[number]
            for number in numbers
        )


class Bytes(Tokeniser):
    """A token for each byte of UTF-8: 0 is padding, 1 the begin, 2 the end, 3 + b the byte b.

    No text is unknown. Bytes that are no UTF-8 are decoded as U+FFFD, �.

    >>> text = Bytes()
    >>> text.encode("aé", eos=True)
    [100, 198, 172, 2]
    >>> text.decode([100, 198, 172, 2])
    'aé'
    >>> len(text)
    259
    """

    pad, bos, eos = 0, 1, 2

    def __len__(self) -> int:
        return 259

    def __repr__(self) -> str:
        return "Bytes()"

    def _encoded(self, text: str) -> list[int]:
        return [byte + 3 for byte in text.encode("utf-8", "replace")]

    def _decoded(self, numbers: list[int]) -> str:
        return bytes(number - 3 for number in numbers).decode("utf-8", "replace")


class Words(_OfVocabulary):
    """A token for each word, number or mark of punctuation.

    A word is letters, digits and marks, with apostrophes, hyphens, and between digits points and
    commas inside; all else but white space is a token by itself. ``lower`` writes all in small
    letters; ``pattern`` is a regular expression of what tokens are instead.

    What is decoded has one space between words, and none where punctuation clings to a word.

    >>> words = Words.of(["The cat (a 2.5 kg one) isn't well-fed!"], lower=True)
    >>> words.split("The cat (a 2.5 kg one) isn't well-fed!")
    ['the', 'cat', '(', 'a', '2.5', 'kg', 'one', ')', "isn't", 'well-fed', '!']
    >>> words.decode(words.encode("The cat (a 3 kg one) isn't well-fed!"))
    "the cat (a <unk> kg one) isn't well-fed!"
    """

    options = ("normalise", "lower", "pattern")

    def __init__(
        self,
        vocabulary: Vocabulary,
        normalise: str | None = "NFC",
        lower: bool = False,
        pattern: str | None = None,
    ) -> None:
        super().__init__(vocabulary, normalise)
        if not isinstance(lower, bool):
            raise TypeError(f"Words: lower must be a bool, not {lower!r}")
        self.lower, self.pattern = lower, pattern
        if pattern is None:
            self._pattern = _words()
        elif isinstance(pattern, str):
            try:
                self._pattern = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"Words: pattern {pattern!r}: {error}") from None
        else:
            raise TypeError(f"Words: pattern is {a_kind_of(pattern)}, not a str")

    def _split(self, text: str) -> list[str]:
        found = self._pattern.finditer(text.lower() if self.lower else text)
        return [token for match in found if (token := match[0])]

    def join(self, tokens: Iterable[str]) -> str:
        """The text of words and punctuation.

        >>> Words(Vocabulary()).join(['"', "So", '"', ",", "he", "said", ",", "50", "%"])
        '"So", he said, 50%'
        """
        parts: list[str] = []
        clings = True  # what comes next clings to what is before
        opened: set[str] = set()
        for token in tokens:
            quote = token in QUOTES
            closes = token in CLOSING or (quote and token in opened)
            parts.append(token if clings or closes else f" {token}")
            clings = token in OPENING or (quote and not closes)
            if quote:
                opened ^= {token}
        return "".join(parts)


CLOSING = frozenset(".,;:!?…%‰)]}»”’›。，、！？：；）」』")
OPENING = frozenset("([{«“„‚‹¿¡（「『#@$£€")
QUOTES = frozenset("\"'`")


@cache
def _words() -> re.Pattern[str]:
    """What a token is. Python's letters, ``\\w``, lack the marks that Indian scripts are written
    with, and the joiners between letters; they are looked for in Unicode's table."""
    ranges: list[list[int]] = []
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0), 0x200C, 0x200D):
        if code in (0x200C, 0x200D) or unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    marks = "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
    letter = rf"[\w{marks}]"
    return re.compile(
        rf"{letter}+(?:['’‐-]{letter}+|(?<=\d)[.,:](?=\d){letter}+)*|[^\w\s][{marks}]*"
    )
