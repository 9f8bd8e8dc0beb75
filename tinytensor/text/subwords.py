"""Subwords: tokenisers that are trained on texts, by Hugging Face's tokenizers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..data.samplers import check_count
from ..errors import a_kind_of
from ..io.files import read_file, replaced, short
from .chat_templates import ChatText, chat_text
from .extras import needed
from .gguf_tokens import SPECIALS_OF as SPECIALS_OF
from .gguf_tokens import UnknownTokeniser as UnknownTokeniser
from .gguf_tokens import backend_of_gguf as backend_of_gguf
from .tokenisers import Tokeniser, several
from .vocabulary import SPECIALS, Path, write_json

KINDS = ("bpe", "unigram", "wordpiece")

# What models call their special tokens.
_USUAL = {
    "pad": ("<pad>", "[PAD]", "<|pad|>"),
    "unknown": ("<unk>", "[UNK]"),
    "bos": ("<bos>", "<s>", "[CLS]", "<|startoftext|>", "<|begin_of_text|>", "<|endoftext|>"),
    "eos": ("<eos>", "</s>", "[SEP]", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>"),
}


# The tokens that end an answer, in models that chat.
ENDS = ("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "<|end|>")


class Subwords(Tokeniser):
    """Pieces of words, the frequent ones longer: trained, or read from a ``tokenizer.json``.

    ``backend`` is a ``tokenizers.Tokenizer``. The special tokens are found by their usual names
    ("<pad>", "[PAD]" …), or named here; "" is none. Needs the package tokenizers (extra ``text``).

    A special token's own spelling within a text is text like any other (or unknown), unless
    ``specials_in_text``. In the text that :meth:`chat` makes, what the template wrote is special.

    ``ends`` are the numbers of the tokens that end an answer; ``adds`` tells whether the makers
    want begin and end around a text; ``chat_template`` is the Jinja template of a conversation.

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
        added = backend.get_added_tokens_decoder()
        self.special_tokens = {t.content: i for i, t in added.items() if t.special}
        self.ends = {self.special_tokens[end] for end in ENDS if end in self.special_tokens}
        self.ends |= {self.eos} - {None}

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

    @classmethod
    def of_files(cls, files: Mapping[str, bytes], caller: str = "Subwords.of_files") -> Subwords:
        """The tokeniser of a model's folder, by the contents of its files: "tokenizer.json",
        and where they are "tokenizer_config.json", "special_tokens_map.json",
        "generation_config.json", "chat_template.jinja".

        Raises ValueError for what is damaged.
        """
        tokenizers = needed("tokenizers", caller)
        try:
            backend = tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode())
        except Exception as error:  # the package raises no other
            raise ValueError(f"tokenizer.json: {error}") from error
        config = _object(files, "special_tokens_map.json")
        config |= _object(files, "tokenizer_config.json")
        names: dict[str, Any] = {name: _named(config, keys) for name, keys in KEYS.items()}
        made = cls(backend, **names)
        made.chat_template = _template(config.get("chat_template"))
        if "chat_template.jinja" in files:
            made.chat_template = _text_of(files, "chat_template.jinja")
        ends = _object(files, "generation_config.json").get("eos_token_id")
        for end in ends if isinstance(ends, list) else [] if ends is None else [ends]:
            if type(end) is not int or not 0 <= end < len(made):
                raise ValueError(f"generation_config.json: eos_token_id is {short(ends)}")
            made.ends.add(end)
        try:
            around = backend.encode("", add_special_tokens=True).ids
        except Exception as error:
            raise ValueError(f"tokenizer.json: {error}") from error
        made.adds = (around[:1] == [made.bos], around[-1:] == [made.eos] and len(around) > 1)
        return made

    @classmethod
    def of_gguf(cls, metadata: Mapping[str, Any], caller: str = "Subwords.of_gguf") -> Subwords:
        """The tokeniser in a GGUF file, by its metadata: byte pairs, SentencePiece or WordPiece.

        Raises ValueError for what is damaged, or of a kind that is not known.
        """
        backend = backend_of_gguf(needed("tokenizers", caller), metadata)
        made = cls(backend, pad="", unknown="", bos="", eos="")
        for name, key in SPECIALS_OF.items():
            setattr(made, name, _token(metadata, key, len(made)))
        others = (_token(metadata, key, len(made)) for key in ("eot_token_id", "eom_token_id"))
        made.ends |= {made.eos, *others} - {None}
        bert = metadata.get("tokenizer.ggml.model") == "bert"
        if bert:
            made.bos = made.bos if made.bos is not None else backend.token_to_id("[CLS]")
            made.eos = _token(metadata, "seperator_token_id", len(made), made.eos)
            made.eos = made.eos if made.eos is not None else backend.token_to_id("[SEP]")
        spm = metadata.get("tokenizer.ggml.model") == "llama"
        before = metadata.get("tokenizer.ggml.add_bos_token", spm or bert) is True
        after = metadata.get("tokenizer.ggml.add_eos_token", bert) is True
        made.adds = (before and made.bos is not None, after and made.eos is not None)
        made.chat_template = _template(metadata.get("tokenizer.chat_template"))
        return made

    chat_template: str | None = None
    adds: tuple[bool, bool] = (False, False)

    def chat(
        self, messages: Iterable[Mapping[str, Any]], add_generation_prompt: bool = True, **more: Any
    ) -> ChatText:
        """The text of a conversation by the model's template, for :meth:`encode`.

        ``messages`` are dicts with "role" ("system", "user", "assistant") and "content". ``more``
        are further variables of the template, such as ``tools``. What messages say stays text: the
        spelling of a special token in them does not become one. Needs jinja2 (extra ``chat``).

        Raises ValueError where there is no template, or where it refuses the messages.
        """
        if self.chat_template is None:
            raise ValueError("Subwords.chat: these files have no chat template")
        spelled = {
            f"{name}_token": "" if number is None else self.backend.id_to_token(number)
            for name, number in (("bos", self.bos), ("eos", self.eos))
        }
        return chat_text(
            self.chat_template,
            messages,
            self.special_tokens,
            "Subwords.chat",
            add_generation_prompt=add_generation_prompt,
            **spelled,
            **more,
        )

    def save(self, path: Path) -> None:
        """Write a ``tokenizer.json``."""
        with replaced(path, "Subwords.save") as file:
            file.write(self.backend.to_str().encode())

    def save_pretrained(self, folder: Path) -> None:
        """Write the files that transformers and :meth:`of_files` read into a folder."""
        base = os.fsdecode(folder)
        self.save(os.path.join(base, "tokenizer.json"))
        config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
        for name, keys in KEYS.items():
            number = getattr(self, name)
            config[keys[0]] = None if number is None else self.backend.id_to_token(number)
        if self.chat_template is not None:
            config["chat_template"] = self.chat_template
        files = {"tokenizer_config.json": config}
        if self.ends:
            files["generation_config.json"] = {"eos_token_id": sorted(self.ends)}
        for name, content in files.items():
            write_json(os.path.join(base, name), content, "save_pretrained")

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

    def encode(self, text: str, bos: bool = False, eos: bool = False) -> list[int]:
        """The numbers of ``text``, between those of the begin and the end if asked for.

        The special tokens that a template wrote into the text of a :meth:`chat` become these; any
        other spelling of one is text.
        """
        if not isinstance(text, ChatText) or not text.specials:
            return super().encode(text, bos, eos)
        if self._all_of_template(text):  # cut as the backend cuts it
            numbers = self._with_specials(text)
        else:
            numbers = []
            for piece, special in text.pieces():
                numbers += [self.special_tokens[piece]] if special else super().encode(piece)
        return [*super().encode("", bos=bos), *numbers, *super().encode("", eos=eos)]

    def _all_of_template(self, text: ChatText) -> bool:
        """Whether each spelling of a special token in a text was written by its template."""
        found = re.compile("|".join(map(re.escape, sorted(self.special_tokens, key=len)[::-1])))
        return len(text.specials) == len(found.findall(text))

    def _with_specials(self, text: str) -> list[int]:
        self.backend.encode_special_tokens = False
        try:
            return list(self.backend.encode(_sound(text), add_special_tokens=False).ids)
        finally:
            self.backend.encode_special_tokens = not self.specials_in_text

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


# --- Files of models ---------------------------------------------------------------------------

KEYS = {
    "pad": ("pad_token",),
    "unknown": ("unk_token",),
    "bos": ("bos_token", "cls_token"),
    "eos": ("eos_token", "sep_token"),
}


def _text_of(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: {error}") from None


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """What a file of JSON holds; {} where there is none."""
    if name not in files:
        return {}
    try:
        found = json.loads(_text_of(files, name))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is {short(found)}, not an object")
    return found


def _named(config: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """A special token's spelling: "" where the files say that there is none, None where they do
    not say."""
    said = False
    for key in keys:
        said |= key in config
        token = config.get(key)
        token = token.get("content") if isinstance(token, dict) else token
        if token is not None:
            if not isinstance(token, str):
                raise ValueError(f"{key} is {short(token)}, not a string")
            return token
    return "" if said else None


def _token(metadata: Mapping[str, Any], name: str, count: int, default: Any = None) -> int | None:
    key = f"tokenizer.ggml.{name}"
    if key not in metadata:
        return default
    number = metadata[key]
    if type(number) is not int or not 0 <= number < count:
        raise ValueError(f"{key} is {short(number)}, and there are {count} tokens")
    return number


def _template(found: Any) -> str | None:
    """A chat template out of files: a text, or several with names, of which "default" is taken."""
    if isinstance(found, list):
        if not all(isinstance(each, dict) for each in found):
            raise ValueError(f"chat_template is {short(found)}, not templates with names")
        found = next((e.get("template") for e in found if e.get("name") == "default"), None)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"chat_template is {short(found)}, not a string")
    return found
