"""Vocabularies and tokenisers: what is encoded is decoded, and what files hold is checked."""

from __future__ import annotations

import json
import pickle
from collections import Counter

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import text
from tinytensor.errors import DtypeError, ShapeError

pytestmark = pytest.mark.no_c

TEXTS = ["The cat sat.", "A naïve cat – don't ask!", "Straße 12,5 km, हिन्दी 你好 👍🏽", ""]


def test_a_vocabulary_numbers_the_frequent_tokens_first():
    vocabulary = text.Vocabulary.of(Counter("bbaaccd"), min_frequency=2)
    assert vocabulary.tokens == ("<pad>", "<unk>", "<bos>", "<eos>", "a", "b", "c")
    assert [vocabulary.pad, vocabulary.unknown, vocabulary.bos, vocabulary.eos] == [0, 1, 2, 3]
    assert vocabulary["b"] == 5
    assert vocabulary["z"] == 1
    assert "z" not in vocabulary
    assert vocabulary.decode(np.array([5, 0, 3])) == ["b", "<pad>", "<eos>"]
    assert vocabulary.decode(tt.tensor([2, 5, 0, 3]), skip=True) == ["b"]
    assert text.Vocabulary.of("bbaaccd", max_size=5).tokens[4:] == ("a",)
    assert text.Vocabulary.of([["<eos>", "x"], ("y",), "z"]).tokens[4:] == ("x", "y", "z")
    bare = text.Vocabulary("ab", pad=None, unknown=None, bos=None, eos=None)
    assert bare.encode("ba") == [1, 0]
    assert bare.pad is None
    with pytest.raises(KeyError, match="'z' is not there"):
        bare.encode("az")


def test_bad_vocabularies_and_numbers():
    vocabulary = text.Vocabulary("ab")
    for numbers, error in (
        ([6], IndexError),
        ([-1], IndexError),
        ([0.5], DtypeError),
        (np.zeros((1, 1), int), ShapeError),
        (3, ShapeError),
    ):
        with pytest.raises(error, match=r"Vocabulary\.decode"):
            vocabulary.decode(numbers)
    for tokens, error in (
        (["a", "a"], ValueError),
        (["<pad>"], ValueError),
        ([1], TypeError),
        (1, TypeError),
    ):
        with pytest.raises(error, match="Vocabulary: "):
            text.Vocabulary(tokens)
    for arguments, error in (
        (({"a": -1},), ValueError),
        ((5,), TypeError),
        (([5],), TypeError),
        (("ab", 0), ValueError),
        (("ab", 1, 3), ValueError),
    ):
        with pytest.raises(error, match=r"Vocabulary\.of"):
            text.Vocabulary.of(*arguments)


@pytest.mark.parametrize(
    "tokeniser",
    [
        text.Characters.of(TEXTS, normalise="NFC"),
        text.Words.of(TEXTS, lower=True),
        text.Words.of(TEXTS, pattern=r"\S+", normalise=None),
        text.Characters.of(TEXTS, bos=None, eos=None),
    ],
    ids=repr,
)
def test_tokenisers_are_written_and_read(tokeniser, tmp_path):
    tokeniser.save(tmp_path / "tokens.json")
    again = type(tokeniser).load(tmp_path / "tokens.json")
    assert again.vocabulary == tokeniser.vocabulary
    assert pickle.loads(pickle.dumps(tokeniser)).encode(TEXTS[0]) == tokeniser.encode(TEXTS[0])
    for content in TEXTS:
        assert again.encode(content) == tokeniser.encode(content)
    vocabulary = tokeniser.vocabulary
    vocabulary.save(tmp_path / "vocabulary.json")
    assert text.Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary
    with pytest.raises(ValueError, match="no state of a vocabulary"):
        text.Vocabulary.load(tmp_path / "tokens.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[" * 100_000, b"[]", b'{"kind": "Words"}', b'{"kind": "Characters"}'],
)
def test_damaged_files_of_tokenisers(content, tmp_path):
    path = tmp_path / "damaged.json"
    path.write_bytes(content)
    for load in (text.Vocabulary.load, text.Characters.load, text.Words.load, text.Subwords.load):
        with pytest.raises(ValueError, match=r"load: .*damaged\.json"):
            load(path)


def test_bad_texts():
    vocabulary = text.Vocabulary("ab")
    for tokens in (1, [["a"]]):
        with pytest.raises(TypeError, match=r"Vocabulary\.encode: tokens must be a list of texts"):
            vocabulary.encode(tokens)
    for of in (text.Characters.of, text.Words.of, text.Subwords.train):
        with pytest.raises(TypeError, match="texts are an int, not a list"):
            of(1)
        with pytest.raises(TypeError, match="text is an int, not a str"):
            of([1])


def test_damaged_states():
    good = text.Vocabulary("ab").state_dict()
    for bad in (
        good | {"tokens": "ab"},
        good | {"tokens": ["a", 1]},
        good | {"tokens": ["a", "a"]},
        good | {"specials": []},
        good | {"specials": {"begin": "x"}},
        good | {"specials": {"pad": 1}},
        good | {"more": 1},
        None,
    ):
        with pytest.raises(ValueError, match="Vocabulary: "):
            text.Vocabulary.from_state_dict(json.loads(json.dumps(bad)))


def test_characters():
    composed, apart = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    plain, normal = text.Characters.of([composed]), text.Characters.of([composed], normalise="NFC")
    assert normal.encode(apart) == normal.encode(composed) == plain.encode(composed)
    assert plain.decode(plain.encode(apart)) == "caf\ufffd\ufffd"
    assert normal.decode([*normal.encode(apart, bos=True, eos=True), 0, 0]) == composed
    with pytest.raises(ValueError, match="there is no token eos"):
        text.Characters.of("ab", eos=None).encode("a", eos=True)
    with pytest.raises(TypeError, match="text is a bytes"):
        plain.encode(b"cafe")
    with pytest.raises(ValueError, match="normalise must be one of"):
        text.Characters.of("ab", normalise="nfc")
    with pytest.raises(TypeError, match=r"Characters\.of\(texts\) makes one"):
        text.Characters("ab")


def test_bytes():
    tokens = text.Bytes()
    for content in (*TEXTS, "<pad>\0"):
        assert tokens.decode(tokens.encode(content, bos=True, eos=True)) == content
    assert tokens.encode("\ud800") == tokens.encode("?")
    assert tokens.decode([ord("a") + 3, 0xFF + 3, ord("b") + 3]) == "a\N{REPLACEMENT CHARACTER}b"
    assert len(tokens) == max(*tokens.encode("\xff\U0010ffff"), 258) + 1
    with pytest.raises(IndexError, match="to 259"):
        tokens.decode([259])


def test_words():
    words = text.Words(text.Vocabulary())
    assert words.split("हिन्दी में, 你好 l'été 1,000.50 e.g. x-y 👍🏽") == [
        *("हिन्दी", "में", ",", "你好", "l'été", "1,000.50", "e", ".", "g", ".", "x-y"),
        *("👍", "🏽"),
    ]
    for content in (
        'He said: "so what" (again), at 50%; then: fine!',
        "«Bon», dit-il… [sic]",
        "Don't pay $5 or 1,000.50 for 'this' now.",
        "¿Qué? ¡No!",
    ):
        assert words.join(words.split(content)) == content
    with pytest.raises(ValueError, match=r"pattern '\('"):
        text.Words(text.Vocabulary(), pattern="(")
    spelled = text.Words.of(["a b"], pattern=r"\S+")  # no text writes a special token
    assert spelled.encode("a <pad> <bos> <unk> <eos> b", eos=True) == [4, 1, 1, 1, 1, 5, 3]
    assert text.Characters.of("a_b", pad="_", unknown=None).encode("a_b") == [3, 4]
    assert text.Words(text.Vocabulary(), pattern="a*").split("baab") == ["aa"]


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece"])
def test_subwords(kind, tmp_path):
    corpus = [f"{a} {b}, don't" for a in ("low", "lower", "new") for b in ("cat", "cats")] * 3
    tokens = text.Subwords.train(corpus, 300, kind, lower=True)
    assert (tokens.pad, tokens.unknown, tokens.bos, tokens.eos) == (0, 1, 2, 3)
    assert len(tokens) <= 300
    numbers = tokens.encode("Lower cats, new cat", bos=True, eos=True)
    assert (numbers[0], numbers[-1]) == (2, 3)
    assert len(numbers) < 14
    assert tokens.decode(numbers) == "lower cats, new cat"
    assert tokens.eos not in tokens.encode("<eos>")
    assert tokens.encode_batch(["low", "new"]) == [tokens.encode("low"), tokens.encode("new")]
    assert pickle.loads(pickle.dumps(tokens)).encode("<eos> x") == tokens.encode("<eos> x")
    tokens.save(tmp_path / "tokenizer.json")
    again = text.Subwords.load(tmp_path / "tokenizer.json")
    assert again.encode("Lower cats") == tokens.encode("Lower cats")
    assert (again.pad, again.eos) == (0, 3)
    assert text.Subwords.load(tmp_path / "tokenizer.json", eos="").eos is None
    assert tokens.split("low\ud800") == tokens.split("low?")
    assert (
        tokens.encode("low\ud800") == tokens.encode_batch(["low\ud800"])[0] == tokens.encode("low?")
    )
    assert text.Subwords.train(["\ud800 x"], 300, kind).encode("x")
    if kind == "bpe":
        other = "naïve 你好\n\t <pad>  x"
        assert tokens.decode(tokens.encode(other)) == other
        assert text.Subwords.train(corpus, 300, lower=True).backend.to_str() == (
            tokens.backend.to_str()
        )


def test_bad_subwords(monkeypatch):
    with pytest.raises(ValueError, match="kind must be one of"):
        text.Subwords.train(["a"], kind="words")
    with pytest.raises(TypeError, match="a text is an int"):
        text.Subwords.train(["a", 1])
    with pytest.raises(TypeError, match="backend is a str"):
        text.Subwords("tokenizer.json")
    tokens = text.Subwords.train(["ab"], 300)
    with pytest.raises(ValueError, match="no token '</s>', which is to be eos"):
        text.Subwords(tokens.backend, eos="</s>")
    with pytest.raises(IndexError, match=r"Subwords\.decode"):
        tokens.decode([len(tokens)])
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"needs tokenizers: pip install tinytensor\[text\]"):
        text.Subwords.train(["a"])
