"""Numbers to judge text by: BLEU, edits, and how well it was foretold."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ShapeError, a_kind_of
from .extras import needed

# --- Translations ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """A ``score`` from 0 to 100, how it was made (``signature``), and its ``details``."""

    name: str
    score: float
    signature: str
    details: dict[str, Any] = field(default_factory=dict)

    def __float__(self) -> float:
        return self.score

    def __str__(self) -> str:
        return f"{self.name} {self.score:.2f} ({self.signature})"


References = Sequence[str] | Sequence[Sequence[str]]


def bleu(
    hypotheses: Sequence[str],
    references: References,
    tokenize: str = "13a",
    lowercase: bool = False,
    **settings: Any,
) -> Score:
    """BLEU of a corpus, by sacrebleu: whole texts against one reference each, or a list of some.

    exp(min(0, 1 − r/h)) · (p₁ p₂ p₃ p₄)^¼, with h and r the lengths of all hypotheses and of their
    references, and pₙ the share of the n-grams that are in the reference. ``settings`` are
    sacrebleu's (``smooth_method``, ``max_ngram_order``, ``effective_order`` …). The details are the
    precisions, the brevity penalty and the lengths.

    Raises ShapeError for lists of other lengths, ImportError without sacrebleu (extra ``text``).

    Source: K. Papineni et al., "BLEU", 2002; M. Post, "A Call for Clarity in Reporting BLEU
    Scores", 2018.

    >>> result = bleu(["the cat sat on the mat"], ["the cat sat on a mat"])
    >>> round(result.score, 2), [round(p, 1) for p in result.details["precisions"]]
    (53.73, [83.3, 60.0, 50.0, 33.3])
    """
    sacrebleu = needed("sacrebleu", "bleu")
    streams = _streams("bleu", hypotheses, references)
    metric = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase, **settings)
    found = metric.corpus_score([*hypotheses], streams)
    details = {
        "precisions": list(found.precisions),
        "brevity_penalty": found.bp,
        "length": found.sys_len,
        "reference_length": found.ref_len,
    }
    return Score("BLEU", float(found.score), str(metric.get_signature()), details)


def chrf(hypotheses: Sequence[str], references: References, **settings: Any) -> Score:
    """chrF of a corpus, by sacrebleu: the F-score (β = 2) of n-grams of 1 to 6 characters.

    ``word_order=2`` makes it chrF++. Arguments and errors are those of `bleu`.

    Source: M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015.

    >>> round(chrf(["the cat sat on the mat"], ["the cat sat on a mat"]).score, 1)
    72.1
    """
    sacrebleu = needed("sacrebleu", "chrf")
    streams = _streams("chrf", hypotheses, references)
    metric = sacrebleu.CHRF(**settings)
    found = metric.corpus_score([*hypotheses], streams)
    name = "chrF++" if settings.get("word_order") else "chrF"
    return Score(name, float(found.score), str(metric.get_signature()))


def _texts(caller: str, what: str, texts: Any) -> list[str]:
    if isinstance(texts, str) or not hasattr(texts, "__iter__"):
        raise TypeError(f"{caller}: {what} are {a_kind_of(texts)}, not a list of texts")
    found = list(texts)
    for text in found:
        if not isinstance(text, str):
            raise TypeError(f"{caller}: one of {what} is {a_kind_of(text)}, not a str")
    return found


def _streams(caller: str, hypotheses: Any, references: Any) -> list[list[str]]:
    """References as sacrebleu takes them: a list of all first ones, one of all second ones …"""
    texts = _texts(caller, "hypotheses", hypotheses)
    if isinstance(references, str) or not hasattr(references, "__iter__"):
        raise TypeError(f"{caller}: references are {a_kind_of(references)}, not a list of texts")
    of_each = [[r] if isinstance(r, str) else _texts(caller, "references", r) for r in references]
    if len(of_each) != len(texts):
        raise ShapeError(f"{caller}: {len(texts)} hypotheses and {len(of_each)} references")
    if not texts:
        raise ValueError(f"{caller}: there are no texts")
    counts = {len(each) for each in of_each}
    if len(counts) > 1 or 0 in counts:
        raise ShapeError(f"{caller}: texts must have one number of references, not {counts}")
    return [list(stream) for stream in zip(*of_each, strict=True)]


# --- Edits -----------------------------------------------------------------------------------


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """How many insertions, deletions and replacements make ``b`` of ``a``: Levenshtein's distance.

    Texts, or lists of words or numbers. A column of the table is two numbers of a bit for each item
    of the longer one, so an item of the shorter one takes a few operations on long integers.

    Source: G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999; H. Hyyrö,
    "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", 2003.

    >>> edit_distance("kitten", "sitting"), edit_distance(["a", "b"], ["b"])
    (3, 1)
    """
    a, b = _items(a), _items(b)
    if len(a) < len(b):
        a, b = b, a
    begin, end = 0, len(b)
    while begin < end and a[begin] == b[begin]:
        begin += 1
    while end > begin and a[end - len(b) - 1] == b[end - 1]:
        end -= 1
    a, b = a[begin : len(a) - len(b) + end], b[begin:end]
    if not b:
        return len(a)
    places: dict[Hashable, int] = {}
    try:
        for i, item in enumerate(a):
            places[item] = places.get(item, 0) | 1 << i
    except TypeError as error:
        raise TypeError(f"edit_distance: items must be texts or numbers: {error}") from None
    last = 1 << len(a) - 1
    full = 2 * last - 1
    # Bit i: the table's column grows (up) or falls (down) from row i to row i + 1.
    up, down, distance = full, 0, len(a)
    for item in b:
        equal = places.get(item, 0)
        vertical = equal | down
        diagonal = (((equal & up) + up) ^ up) | equal
        right = down | ~(diagonal | up) & full  # the row grows from this column to the next
        left = up & diagonal
        if right & last:
            distance += 1
        elif left & last:
            distance -= 1
        right = right << 1 | 1
        up = (left << 1 | ~(vertical | right)) & full
        down = right & vertical & full
    return distance


def _items(items: Any) -> Any:
    if hasattr(items, "tolist"):
        items = items.tolist()
    if not isinstance(items, str | list | tuple | bytes):
        raise TypeError(f"edit_distance: {a_kind_of(items)} is neither text nor a list")
    return items


def normalised_edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """`edit_distance` over the length of the longer one: from 0, equal, to 1. Of nothing it is 0.

    >>> normalised_edit_distance("abcd", "abce")
    0.25
    """
    return edit_distance(a, b) / (max(len(a), len(b)) or 1)


def character_error_rate(predicted: str | Sequence[str], references: str | Sequence[str]) -> float:
    """Edits by characters that make the references of what was read, over the references' length.

    Of one text or of a corpus, where both sums are taken over all texts: long ones count more. It
    may be above 1. Raises ValueError where the references are empty.

    >>> character_error_rate(["hallo", "welt"], ["hello", "world"])
    0.4
    """
    return _error_rate("character_error_rate", predicted, references, list)


def word_error_rate(predicted: str | Sequence[str], references: str | Sequence[str]) -> float:
    """As `character_error_rate`, by words: what white space is between.

    >>> word_error_rate("the cat sat", "a cat sat here")
    0.5
    """
    return _error_rate("word_error_rate", predicted, references, str.split)


def edits(caller: str, predicted: Any, references: Any, cut: Any) -> tuple[int, int]:
    """Edits of one text or several, and the length of the references, in what ``cut`` makes."""
    if isinstance(predicted, str) and isinstance(references, str):
        predicted, references = [predicted], [references]
    texts = _texts(caller, "predicted", predicted)
    right = _texts(caller, "references", references)
    if len(texts) != len(right):
        raise ShapeError(f"{caller}: {len(texts)} texts predicted and {len(right)} references")
    pairs = [(cut(a), cut(b)) for a, b in zip(texts, right, strict=True)]
    return sum(edit_distance(a, b) for a, b in pairs), sum(len(b) for _, b in pairs)


def _error_rate(caller: str, predicted: Any, references: Any, cut: Any) -> float:
    count, length = edits(caller, predicted, references, cut)
    if not length:
        raise ValueError(f"{caller}: the references are empty")
    return count / length


# --- Foretelling -----------------------------------------------------------------------------


def perplexity(loss: float, tokens: int) -> float:
    """exp(loss / tokens), of the sum of −log p (in nats) over so many tokens.

    >>> round(perplexity(3 * math.log(8), tokens=3), 6)
    8.0
    """
    mean = _mean("perplexity", loss, tokens)
    try:
        return math.exp(mean)
    except OverflowError:
        return math.inf


def bits_per_character(loss: float, characters: int) -> float:
    """loss / (characters · ln 2), of the sum of −log p (in nats) of a text of so many characters.

    Whatever the tokens are, it is comparable: they may be bytes or subwords.

    >>> round(bits_per_character(3 * math.log(8), characters=3), 6)
    3.0
    """
    return _mean("bits_per_character", loss, characters) / math.log(2)


def _mean(caller: str, loss: Any, count: Any) -> float:
    try:
        total, number = float(loss), float(count)
    except (TypeError, ValueError) as error:
        kinds = f"{a_kind_of(loss)} and {a_kind_of(count)}"
        raise TypeError(f"{caller}: needs two numbers, not {kinds}") from error
    if not number > 0:
        raise ValueError(f"{caller}: of {count} there is no mean")
    return total / number
