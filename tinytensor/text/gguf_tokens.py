"""The tokenisers in GGUF files, by Hugging Face's tokenizers: byte pairs, SentencePiece, WordPiece.

The names of the models and of how text is cut before them are those of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..io.files import short

__all__ = ["SPECIALS_OF", "UnknownTokeniser", "backend_of_gguf"]


class UnknownTokeniser(ValueError):
    """The tokeniser of a file is of a kind that is not read."""


# The kinds of tokens, of tokenizer.ggml.token_type.
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

SPECIALS_OF = {  # our names, and the keys of the metadata
    "pad": "padding_token_id",
    "unknown": "unknown_token_id",
    "bos": "bos_token_id",
    "eos": "eos_token_id",
}

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
# How text is cut into words: regular expressions, one after the other; None: as GPT-2 does it.
CUTS: dict[str, tuple[str | None, ...]] = {
    "gpt-2": (None,),
    "smollm": (r"\p{N}", None),
    "llama-bpe": (rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}{{1,3}}|{_WORDS}",),
    "qwen2": (rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}|{_WORDS}",),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", None, r"\p{N}+", r"[0-9][0-9][0-9]"),
}
ALSO = {
    "gpt2": "gpt-2", "llama3": "llama-bpe", "llama-v3": "llama-bpe", "llama-bpe": "llama-bpe",
    "deepseek-r1-qwen": "qwen2",
}  # fmt: skip


def backend_of_gguf(tk: Any, metadata: Mapping[str, Any]) -> Any:
    """A ``tokenizers.Tokenizer``, of the package ``tk``, by the metadata of a GGUF file.

    Raises ValueError for what is damaged or of a kind that is not known.
    """
    kind = metadata.get("tokenizer.ggml.model")
    if kind not in _MAKERS:
        known = ", ".join(_MAKERS)
        raise UnknownTokeniser(f"tokenizer.ggml.model is {short(kind)}; known are {known}")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens or not all(type(t) is str for t in tokens):
        raise ValueError("tokenizer.ggml.tokens is no list of strings")
    kinds = _numbers(metadata, "token_type", len(tokens), "iu")
    if kind == "bert":
        tokens = _as_word_pieces(metadata, tokens, kinds)
    backend = _MAKERS[kind](tk, metadata, tokens, kinds)
    if kinds is not None:
        special = [tk.AddedToken(tokens[i], normalized=False, special=True)
                   for i in np.flatnonzero(kinds == CONTROL) if tokens[i]]  # fmt: skip
        if special:
            backend.add_special_tokens(special)
        users = [tk.AddedToken(tokens[i], normalized=False)
                 for i in np.flatnonzero(kinds == USER_DEFINED) if tokens[i]]  # fmt: skip
        if users:
            backend.add_tokens(users)
    if backend.get_vocab_size() > len(tokens):
        raise ValueError("its special tokens are none of its tokens")
    return backend


def _numbers(metadata: Mapping[str, Any], name: str, count: int, kinds: str) -> np.ndarray | None:
    key = f"tokenizer.ggml.{name}"
    if key not in metadata:
        return None
    found = metadata[key]
    if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds or found.size != count:
        raise ValueError(f"{key} is not a number for each of {count} tokens")
    return found


def _unknown(metadata: Mapping[str, Any], tokens: list[str]) -> str | None:
    number = metadata.get("tokenizer.ggml.unknown_token_id")
    if number is None:
        return None
    if type(number) is not int or not 0 <= number < len(tokens):
        raise ValueError(f"tokenizer.ggml.unknown_token_id is {short(number)}")
    return tokens[number]


def _distinct(tokens: list[str]) -> dict[str, int]:
    vocabulary = {token: i for i, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        raise ValueError(f"{len(tokens) - len(vocabulary)} tokens are there twice")
    return vocabulary


def _byte_pairs(tk: Any, metadata: Mapping[str, Any], tokens: list[str], kinds: Any) -> Any:
    """GPT-2's byte pairs, and those that cut text into other words."""
    name = metadata.get("tokenizer.ggml.pre", "default")
    cuts = CUTS.get(ALSO.get(name, name)) if isinstance(name, str) else None
    if cuts is None:
        known = ", ".join(CUTS)
        raise UnknownTokeniser(f"tokenizer.ggml.pre is {short(name)}; known are {known}")
    merges = metadata.get("tokenizer.ggml.merges")
    if not isinstance(merges, list) or not all(type(m) is str for m in merges):
        raise ValueError("tokenizer.ggml.merges is no list of strings")
    vocabulary = _distinct(tokens)
    pairs = [tuple(merge.split(" ")) for merge in merges]
    for pair, merge in zip(pairs, merges, strict=True):
        if len(pair) != 2:
            raise ValueError(f"tokenizer.ggml.merges has {short(merge)}, which is no pair")
    whole = ALSO.get(name, name) == "llama-bpe"
    backend = tk.Tokenizer(
        _made(tk.models.BPE, vocabulary, pairs, ignore_merges=whole, fuse_unk=False)
    )
    steps = [
        tk.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        if cut is None
        else tk.pre_tokenizers.Split(tk.Regex(cut), "isolated")
        for cut in cuts
    ]
    if None not in cuts:
        steps.append(tk.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    backend.pre_tokenizer = tk.pre_tokenizers.Sequence(steps)
    backend.decoder = tk.decoders.ByteLevel()
    return backend


def _sentence_pieces(tk: Any, metadata: Mapping[str, Any], tokens: list[str], kinds: Any) -> Any:
    """SentencePiece's byte pairs: of two neighbours whose join is a token, those with the highest
    score are joined first. Here as merges, in the order of the scores."""
    vocabulary = _distinct(tokens)
    scores = _numbers(metadata, "scores", len(tokens), "f")
    if scores is None or np.isnan(scores).any():
        raise ValueError("tokenizer.ggml.scores is missing, or has what is no number")
    plain = (
        np.ones(len(tokens), bool) if kinds is None else (kinds == NORMAL) | (kinds == USER_DEFINED)
    )
    merges = []
    for number in np.argsort(-scores, kind="stable"):
        token = tokens[number]
        if plain[number] and 1 < len(token) <= LONGEST:
            parts = [(token[:i], token[i:]) for i in range(1, len(token))]
            known = [(a, b) for a, b in parts if a in vocabulary and b in vocabulary]
            merges += sorted(known, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
    bytes_known = "<0x00>" in vocabulary
    unknown = _unknown(metadata, tokens)
    backend = tk.Tokenizer(
        _made(
            tk.models.BPE,
            vocabulary,
            merges,
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=bytes_known,
        )
    )
    prefix = metadata.get("tokenizer.ggml.add_space_prefix", True) is True
    steps = [tk.normalizers.Prepend("▁")] if prefix else []
    backend.normalizer = tk.normalizers.Sequence([*steps, tk.normalizers.Replace(" ", "▁")])
    backend.decoder = tk.decoders.Sequence(
        [
            tk.decoders.Replace("▁", " "),
            tk.decoders.ByteFallback(),
            tk.decoders.Fuse(),
            *([tk.decoders.Strip(" ", 1, 0)] if prefix else []),
        ]
    )
    return backend


LONGEST = 256  # characters of a token: each is cut at every place


def _as_word_pieces(metadata: Mapping[str, Any], tokens: list[str], kinds: Any) -> list[str]:
    """BERT's tokens: GGUF marks those that begin a word by "▁", WordPiece the others by "##"."""
    numbers = [] if kinds is None else np.flatnonzero(kinds == CONTROL).tolist()
    special = {*numbers, metadata.get("tokenizer.ggml.unknown_token_id")}
    return [
        token
        if i in special or (token[:1] == "[" and token[-1:] == "]")
        else token[1:]
        if token.startswith("▁")
        else f"##{token}"
        for i, token in enumerate(tokens)
    ]


def _word_pieces(tk: Any, metadata: Mapping[str, Any], tokens: list[str], kinds: Any) -> Any:
    """The longest pieces of words that are tokens, as BERT has them, without accents."""
    unknown = _unknown(metadata, tokens) or "[UNK]"
    backend = tk.Tokenizer(_made(tk.models.WordPiece, _distinct(tokens), unk_token=unknown))
    backend.normalizer = tk.normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = tk.pre_tokenizers.BertPreTokenizer()
    backend.decoder = tk.decoders.WordPiece()
    return backend


_MAKERS: dict[Any, Callable[..., Any]] = {
    "gpt2": _byte_pairs,
    "llama": _sentence_pieces,
    "bert": _word_pieces,
}


def _made(model: Any, *args: Any, **settings: Any) -> Any:
    """A model of the package, which raises nothing but Exception."""
    try:
        return model(*args, **settings)
    except Exception as error:
        raise ValueError(f"its tokens do not fit one another: {error}") from error
