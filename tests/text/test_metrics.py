"""BLEU as sacrebleu says it, edits beside the plain table, and how well text is foretold."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import text, train
from tinytensor.errors import DtypeError, ShapeError

pytestmark = pytest.mark.no_c


def by_table(a, b) -> int:
    """Levenshtein's distance, by the whole table."""
    table = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1))
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i, j] = min(
                table[i - 1, j - 1] + (x != y), table[i - 1, j] + 1, table[i, j - 1] + 1
            )
    return int(table[-1, -1])


def test_edits_are_those_of_the_table(rng):
    for letters in (2, 4, 30):
        for _ in range(60):
            a, b = (rng.integers(0, letters, rng.integers(0, 14)).tolist() for _ in range(2))
            assert text.edit_distance(a, b) == by_table(a, b)
    long = rng.integers(0, 3, 150)
    other = np.delete(long, [3, 70])
    other[50] = 9
    assert text.edit_distance(long, other) == by_table(long, other) == 3
    assert text.edit_distance("", "abc") == text.edit_distance(["a", "b", "c"], []) == 3
    assert text.normalised_edit_distance("", "") == 0
    assert text.normalised_edit_distance("abcd", "") == 1


def test_error_rates():
    predicted, references = ["the cat", "sat"], ["a cat", "sat down"]
    edits = by_table(predicted[0], references[0]) + 5
    assert text.character_error_rate(predicted, references) == edits / 13
    assert text.word_error_rate(predicted, references) == 2 / 4
    assert text.character_error_rate("abc", "abd") == 1 / 3
    assert text.word_error_rate("a b c d", "x") == 4
    for arguments, error, message in (
        ((["a"], []), ShapeError, "1 texts predicted and 0 references"),
        (([""], [""]), ValueError, "the references are empty"),
        (("a", ["a"]), TypeError, "predicted are a str"),
        (([1], ["a"]), TypeError, "one of predicted is an int"),
    ):
        with pytest.raises(error, match=f"_error_rate: {message}"):
            text.character_error_rate(*arguments)
        with pytest.raises(error, match=f"_error_rate: {message}"):
            text.word_error_rate(*arguments)
    with pytest.raises(TypeError, match="an int is neither text"):
        text.edit_distance(1, "a")
    with pytest.raises(TypeError, match="edit_distance: items must be texts or numbers"):
        text.edit_distance([[1]], [[2]])


def test_bleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    hypotheses = ["the cat sat on the mat", "there is a cat here"]
    references = [
        ["the cat is on the mat", "a cat sat on the mat"],
        ["there is a cat", "a cat is here"],
    ]
    streams = [list(stream) for stream in zip(*references, strict=True)]
    result = text.bleu(hypotheses, references)
    theirs = sacrebleu.corpus_bleu(hypotheses, streams)
    assert float(result) == theirs.score
    assert result.details["precisions"] == theirs.precisions
    assert "nrefs:2" in result.signature
    assert "tok:13a" in result.signature
    assert "BLEU" in str(result)
    assert (
        text.bleu(["A b c d"], ["a b c d"]).score
        < text.bleu(["A b c d"], ["a b c d"], lowercase=True).score
    )
    assert text.bleu(hypotheses, hypotheses).score == pytest.approx(100)
    assert (
        text.chrf(hypotheses, references).score == sacrebleu.corpus_chrf(hypotheses, streams).score
    )
    assert text.chrf(hypotheses, references, word_order=2).name == "chrF++"


def test_bad_corpora(monkeypatch):
    for score in (text.bleu, text.chrf):
        for arguments, error, message in (
            (("a", ["a"]), TypeError, "hypotheses are a str"),
            ((["a"], "a"), TypeError, "references are a str"),
            ((["a"], ["a", "b"]), ShapeError, "1 hypotheses and 2 references"),
            ((["a", "b"], [["a"], ["b", "c"]]), ShapeError, "one number of references"),
            ((["a"], [[]]), ShapeError, "one number of references"),
            (([], []), ValueError, "there are no texts"),
            ((["a"], [[1]]), TypeError, "one of references is an int"),
        ):
            with pytest.raises(error, match=f"{score.__name__}: .*{message}"):
                score(*arguments)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ImportError, match=r"needs sacrebleu: pip install tinytensor\[text\]"):
        text.bleu(["a"], ["a"])


def test_foretelling():
    assert text.perplexity(np.float32(0), 5) == 1
    assert text.perplexity(1e9, 1) == math.inf
    assert text.bits_per_character(tt.tensor(math.log(2)), 2) == pytest.approx(0.5)
    for function in (text.perplexity, text.bits_per_character):
        with pytest.raises(ValueError, match="of 0 there is no mean"):
            function(1.0, 0)
        with pytest.raises(TypeError, match="needs two numbers, not a str and an int"):
            function("x", 1)


def test_metrics_over_batches(rng):
    logits, targets = rng.normal(size=(6, 5, 7)) * 9, rng.integers(0, 7, (6, 5))
    of_all = tt.nn.functional.cross_entropy(
        tt.tensor(logits).reshape(-1, 7), tt.tensor(targets).reshape(-1), ignore_index=3
    ).item()
    metric = train.Perplexity(ignore_index=3)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        metric.update(tt.tensor(logits[part]), tt.tensor(targets[part]))
    assert metric.compute() == pytest.approx(math.exp(of_all), rel=1e-12)
    bits = train.BitsPerCharacter(ignore_index=3, axis=1)(logits.swapaxes(1, 2), targets)
    assert bits == pytest.approx(of_all / math.log(2), rel=1e-12)
    with pytest.raises(ValueError, match="there were no samples"):
        train.Perplexity(0)(np.zeros((2, 3)), np.zeros(2, int))
    with pytest.raises(ShapeError, match=r"logits are \(2, 3\) and targets \(3,\)"):
        train.Perplexity()(np.zeros((2, 3)), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"not in \[0, 3\)"):
        train.Perplexity()(np.zeros((1, 3)), np.array([3]))
    with pytest.raises(DtypeError, match="labels must be integers"):
        train.Perplexity()(np.zeros((1, 3)), np.zeros(1))
    for metric, function in (
        (train.CharacterErrorRate(), text.character_error_rate),
        (train.WordErrorRate(), text.word_error_rate),
    ):
        predicted, references = ["a b", "c", "d e f"], ["a c", "c", "d"]
        for i in range(3):
            metric.update(predicted[i : i + 1], references[i : i + 1])
        assert metric.compute() == function(predicted, references)
        state = metric.state_dict()
        metric.reset()
        metric.load_state_dict(state)
        assert metric.compute() == function(predicted, references)
