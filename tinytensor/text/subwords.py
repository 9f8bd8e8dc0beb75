"""Subwords: tokenisers that are trained on texts, by Hugging Face's tokenizers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..data.samplers import check_count
from ..errors import a_kind_of
from ..io.files import read_file, replaced
from .extras import needed
from .tokenisers import Tokeniser, several
from .vocabulary import SPECIALS, Path

KINDS = ("bpe", "unigram", "wordpiece")

# What models call their special tokens.
_USUAL = {
    "pad": ("<pad>", "[PAD]", "<|pad|>"),
    "unknown": ("<unk>", "[UNK]"),
    "bos": ("<bos>", "<s>", "[CLS]", "<|startoftext|>", "<|begin_of_text|>", "<|endoftext|>"),
    "eos": ("<eos>", "</s>", "[SEP]", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>"),
}


class Subwords(Tokeniser):
    """Pieces of words, the frequent ones longer: trained, or read from a ``tokenizer.json``.

    ``backend`` is a ``tokenizers.Tokenizer``. The special tokens are found by their usual names
    ("<pad>", "[PAD]" …), or named here; "" is none. Needs the package tokenizers (extra ``text``).

    A special token's own spelling within a text is text like any other (or unknown), unless
    ``specials_in_text``.

    >>> words = Subwords.train(["low lower lowest", "new newer newest"], size=300)
    >>> words.decode(words.encode("newest, lowest", bos=True))
    'newest, lowest'
    """

    def __init__(
        self,
        backend: Any,
        *,
        pad: str | None = None,
        unknown: str | None = None,
        bos: str | None = None,
        eos: str | None = None,
        specials_in_text: bool = False,
    ) -> None:
        tokenizers = needed("tokenizers", "Subwords")
        if not isinstance(backend, tokenizers.Tokenizer):
            raise TypeError(
                f"Subwords: backend is {a_kind_of(backend)}, not a tokenizers.Tokenizer"
            )
        self.backend, self.specials_in_text = backend, specials_in_text
        backend.encode_special_tokens = not specials_in_text
        self._size = 1 + max(backend.get_vocab().values(), default=-1)
        backend.no_padding()
        backend.no_truncation()
        for name, token in zip(SPECIALS, (pad, unknown, bos, eos), strict=True):
            setattr(self, name, self._number(name, token))

    def _number(self, name: str, token: str | None) -> int | None:
        if token is None:
            numbers = map(self.backend.token_to_id, _USUAL[name])
            return next((number for number in numbers if number is not None), None)
        number = self.backend.token_to_id(token) if token else None
        if token and number is None:
            raise ValueError(f"Subwords: there is no token {token!r}, which is to be {name}")
        return number

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        size: int = 8000,
        kind: str = "bpe",
        min_frequency: int = 2,
        lower: bool = False,
        normalise: str | None = "NFC",
        *,
        pad: str = "<pad>",
        unknown: str = "<unk>",
        bos: str = "<bos>",
        eos: str = "<eos>",
        **settings: Any,
    ) -> Subwords:
        """A tokeniser of ``size`` tokens at most, the special ones 0 to 3, trained on ``texts``.

        ``kind`` "bpe" joins bytes, the most frequent pair first: no text is unknown, and what is
        encoded is decoded to the same (normalised) text. "unigram" chooses the pieces that make the
        texts likeliest, "wordpiece" is BERT's. A "bpe" of the same texts is the same again; of the
        others the package does not promise it. ``settings`` are those of its trainers.

        Source: R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units",
        2016; T. Kudo, "Subword Regularization", 2018.
        """
        tk = needed("tokenizers", "Subwords.train")
        check_count("Subwords.train", "size", size, least=5)
        check_count("Subwords.train", "min_frequency", min_frequency, least=0)
        if kind not in KINDS:
            raise ValueError(f"Subwords.train: kind must be one of {KINDS}, not {kind!r}")
        if normalise not in (None, "NFC", "NFD", "NFKC", "NFKD"):
            raise ValueError(f"Subwords.train: normalise is no form of Unicode: {normalise!r}")
        specials = [pad, unknown, bos, eos]
        common = {"vocab_size": size, "special_tokens": specials, "show_progress": False}
        common |= settings
        if kind == "bpe":
            backend = tk.Tokenizer(tk.models.BPE())
            backend.pre_tokenizer = tk.pre_tokenizers.ByteLevel(add_prefix_space=False)
            backend.decoder = tk.decoders.ByteLevel()
            alphabet = sorted(tk.pre_tokenizers.ByteLevel.alphabet())
            common = {"initial_alphabet": alphabet, "min_frequency": min_frequency} | common
            trainer = tk.trainers.BpeTrainer(**common)
        elif kind == "unigram":
            backend = tk.Tokenizer(tk.models.Unigram())
            backend.pre_tokenizer = tk.pre_tokenizers.Metaspace()
            backend.decoder = tk.decoders.Metaspace()
            trainer = tk.trainers.UnigramTrainer(unk_token=unknown, **common)
        else:
            backend = tk.Tokenizer(tk.models.WordPiece(unk_token=unknown))
            backend.pre_tokenizer = tk.pre_tokenizers.BertPreTokenizer()
            backend.decoder = tk.decoders.WordPiece()
            trainer = tk.trainers.WordPieceTrainer(min_frequency=min_frequency, **common)
        steps = [getattr(tk.normalizers, normalise)()] if normalise else []
        if lower:
            steps.append(tk.normalizers.Lowercase())
        if steps:
            backend.normalizer = tk.normalizers.Sequence(steps)
        backend.train_from_iterator(_checked(several(texts, "Subwords.train")), trainer)
        return cls(backend, pad=pad, unknown=unknown, bos=bos, eos=eos)

    @classmethod
    def load(cls, path: Path, **specials: Any) -> Subwords:
        """Read a ``tokenizer.json``, ours or another's. Raises ValueError for what is none."""
        tokenizers = needed("tokenizers", "Subwords.load")
        content = read_file(path, "Subwords.load")
        try:
            backend = tokenizers.Tokenizer.from_str(content.decode())
        except Exception as error:  # the package raises no other
            raise ValueError(f"Subwords.load: {os.fspath(path)}: {error}") from error
        return cls(backend, **specials)

    def save(self, path: Path) -> None:
        """Write a ``tokenizer.json``."""
        with replaced(path, "Subwords.save") as file:
            file.write(self.backend.to_str().encode())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.backend.encode_special_tokens = not self.specials_in_text  # no part of its state

    def __len__(self) -> int:
        """1 + the largest number: some files leave out numbers in between."""
        return self._size

    def __repr__(self) -> str:
        return f"Subwords of {len(self)} tokens"

    def split(self, text: str) -> list[str]:
        """``text`` cut into tokens, as the vocabulary spells them."""
        return list(self.backend.encode(_sound(text), add_special_tokens=False).tokens)

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """The numbers of several texts, on all cores."""
        found = self.backend.encode_batch([*_checked(texts)], add_special_tokens=False)
        return [self._of_text(encoding.ids) for encoding in found]

    def _encoded(self, text: str) -> list[int]:
        return list(self.backend.encode(_sound(text), add_special_tokens=False).ids)

    def _of_text(self, numbers: list[int]) -> list[int]:
        # To a model of unigrams special tokens are pieces like others.
        return numbers if self.specials_in_text else super()._of_text(numbers)

    def _decoded(self, numbers: list[int]) -> str:
        return str(self.backend.decode(numbers, skip_special_tokens=False))


def _checked(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"Subwords: a text is {a_kind_of(text)}, not a str")
        yield _sound(text)


def _sound(text: str) -> str:
    """Text in which halves of surrogate pairs, which UTF-8 has not, are "?", as in `Bytes`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
