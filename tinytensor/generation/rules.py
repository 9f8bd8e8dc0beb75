"""What may come next: the rules by which logits are changed before a token is taken of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import DtypeError
from ..ops.checks import number, whole

__all__ = ["RULES", "Past", "Rule", "Rules"]


class Past(NamedTuple):
    """The tokens of N rows so far; of row i the first ``lengths[i]`` of ``tokens[i]``, of which the
    first ``prompts[i]`` were given."""

    tokens: np.ndarray
    lengths: np.ndarray
    prompts: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, prompt: int = 0) -> Past:
        """Rows (N, t) of one length."""
        size = len(tokens)
        return cls(tokens, np.full(size, tokens.shape[1]), np.full(size, prompt))

    def row(self, i: int) -> np.ndarray:
        return self.tokens[i, : self.lengths[i]]

    def written(self, i: int) -> np.ndarray:
        """What was not given of a row."""
        return self.tokens[i, self.prompts[i] : self.lengths[i]]


# --- Rules that look at what came before ---------------------------------------------------------


def _repetition_penalty(scores: np.ndarray, value: float, past: Past, rules: Rules) -> None:
    for i, row in enumerate(scores):
        seen = past.row(i)
        some = row[seen]
        row[seen] = np.where(some < 0, some * value, some / value)


def _frequency_penalty(scores: np.ndarray, value: float, past: Past, rules: Rules) -> None:
    for i, row in enumerate(scores):
        seen, counts = np.unique(past.written(i), return_counts=True)
        row[seen] -= value * counts


def _presence_penalty(scores: np.ndarray, value: float, past: Past, rules: Rules) -> None:
    for i, row in enumerate(scores):
        row[np.unique(past.written(i))] -= value


def _no_repeat_ngram(scores: np.ndarray, n: int, past: Past, rules: Rules) -> None:
    for i, row in enumerate(scores):
        tokens = past.row(i)
        if len(tokens) >= n:
            windows = np.lib.stride_tricks.sliding_window_view(tokens, n)
            last = tokens[len(tokens) - n + 1 :]
            row[windows[(windows[:, :-1] == last).all(1), -1]] = -np.inf


def _min_length(scores: np.ndarray, value: int, past: Past, rules: Rules) -> None:
    short = past.lengths - past.prompts < value
    for end in rules.ends:
        scores[short, end] = -np.inf


def _suppress(scores: np.ndarray, tokens: list[int], past: Past, rules: Rules) -> None:
    scores[:, tokens] = -np.inf


# --- Rules that look at the scores alone: logits divided by the temperature, the largest 0 --------


def _top_k(scores: np.ndarray, k: int) -> None:
    if k < scores.shape[1]:
        least = np.partition(scores, -k, axis=1)[:, -k, None]
        scores[scores < least] = -np.inf


def _top_p(scores: np.ndarray, p: float) -> None:
    chances = _softmax(scores)
    for row, chance in zip(scores, chances, strict=True):
        # Tokens below (1 − p) / V have together less than 1 − p: the others suffice.
        (some,) = np.nonzero(chance > (1 - p) / len(row))
        some = some[np.argsort(-chance[some], kind="stable")]
        before = np.cumsum(chance[some], dtype=np.float64) - chance[some]
        _only(row, some[before < p])


def _min_p(scores: np.ndarray, p: float) -> None:
    scores[scores < math.log(p)] = -np.inf


def _typical_p(scores: np.ndarray, p: float) -> None:
    chances = _softmax(scores)
    for row, chance in zip(scores, chances, strict=True):
        (some,) = np.nonzero(chance)
        chance = chance[some].astype(np.float64)
        surprise = -np.log(chance)
        order = np.argsort(np.abs(surprise - chance @ surprise), kind="stable")
        before = np.cumsum(chance[order]) - chance[order]
        _only(row, some[order[before < p]])


def _only(row: np.ndarray, kept: np.ndarray) -> None:
    if len(kept):  # a row of −∞ alone stays one
        some = row[kept]
        row[:] = -np.inf
        row[kept] = some


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Of rows whose largest score is 0, or −∞."""
    chances = np.exp(scores)
    total = chances.sum(1, keepdims=True)
    chances /= np.where(total > 0, total, 1)
    return chances


# --- The table -----------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A setting: the value that changes nothing, what is asked of one, and what it does."""

    off: Any
    check: Callable[[str, str, Any], Any]
    apply: Callable[..., None]  # in place
    of_past: bool = True


def _positive(most: float, least: float = 0.0) -> Callable[[str, str, Any], float]:
    def check(owner: str, name: str, value: Any) -> float:
        if not least < number(owner, name, value) <= most:
            wanted = f"above {least:g}" + (f" and at most {most:g}" if most < math.inf else "")
            raise ValueError(f"{owner}: {name} must be {wanted}, not {value}")
        return float(value)

    return check


def _share(owner: str, name: str, value: Any) -> float:
    return number(owner, name, value, 0, 1)


def _finite(owner: str, name: str, value: Any) -> float:
    return number(owner, name, value, -1e30, 1e30)


def _whole(least: int) -> Callable[[str, str, Any], int]:
    def check(owner: str, name: str, value: Any) -> int:
        whole(owner, least, **{name: value})
        return int(value)

    return check


def _tokens(owner: str, name: str, value: Any) -> list[int]:
    found = np.asarray(list(value) or np.empty(0, np.int64))
    if found.dtype.kind not in "iu" or found.ndim != 1:
        raise DtypeError(f"{owner}: {name} must be tokens, which are integers, not {value!r}")
    return found.tolist()


# In the order in which they act, which is that of transformers.
RULES = {
    "repetition_penalty": Rule(1.0, _positive(1e30), _repetition_penalty),
    "frequency_penalty": Rule(0.0, _finite, _frequency_penalty),
    "presence_penalty": Rule(0.0, _finite, _presence_penalty),
    "no_repeat_ngram": Rule(0, _whole(0), _no_repeat_ngram),
    "min_length": Rule(0, _whole(0), _min_length),
    "suppress": Rule([], _tokens, _suppress),
    "top_k": Rule(None, _whole(1), _top_k, False),
    "top_p": Rule(1.0, _positive(1.0), _top_p, False),
    "min_p": Rule(0.0, _share, _min_p, False),
    "typical_p": Rule(1.0, _positive(1.0), _typical_p, False),
}


class Rules:
    """The settings that are on, of the table above, for logits (N, V).

    ``ends`` are the tokens that end a sequence. Temperature 0 takes the likeliest token.
    """

    def __init__(
        self, owner: str, ends: Any = (), temperature: float = 1.0, **settings: Any
    ) -> None:
        if not isinstance(temperature, int | float | np.number) or not 0 <= temperature < np.inf:
            raise ValueError(
                f"{owner}: temperature must be at least 0, and finite, not {temperature}"
            )
        self.owner, self.temperature = owner, temperature
        self.ends = _tokens(owner, "end", ends)
        self.of_past: list[tuple[Rule, Any]] = []
        self.of_draw: list[tuple[Rule, Any]] = []
        for name, rule in RULES.items():
            value = settings.pop(name, None)
            value = rule.off if value is None else rule.check(owner, name, value)
            if value != rule.off:
                (self.of_past if rule.of_past else self.of_draw).append((rule, value))
            if name == "suppress":
                self.named = [*self.ends, *value]
        if settings:
            raise TypeError(f"{owner}: there is no setting {min(settings)!r}")
        self.size = -1

    def penalised(self, logits: np.ndarray, past: Past) -> np.ndarray:
        """The logits after the rules that look at the past; a copy if there are any."""
        if self.size != logits.shape[1]:
            self.size = logits.shape[1]
            for token in self.named:
                if not 0 <= token < self.size:
                    raise ValueError(f"{self.owner}: of {self.size} tokens none is {token}")
        if self.of_past:
            logits = np.array(_floats(logits))
            for rule, value in self.of_past:
                rule.apply(logits, value, past, self)
        return logits

    def chances(self, logits: np.ndarray) -> np.ndarray:
        """The probabilities (N, V) of tokens: all of one token if the temperature is 0."""
        if self.temperature == 0:
            chances = np.zeros(logits.shape, np.float32)
            chances[np.arange(len(logits)), self._likeliest(logits)] = 1
            return chances
        return _softmax(self._scores(logits))

    def draw(self, logits: np.ndarray, uniform: Callable[[], np.ndarray]) -> np.ndarray:
        """A token for each row, int64 (N,), by as many numbers from [0, 1) that ``uniform`` gives,
        which is asked only if they are needed."""
        if self.temperature == 0:
            return self._likeliest(logits)
        return drawn(np.exp(self._scores(logits)), uniform())

    def _likeliest(self, logits: np.ndarray) -> np.ndarray:
        best = logits.argmax(1)
        if not (logits[np.arange(len(logits)), best] < np.inf).all():  # NaN is the largest
            raise ValueError(f"{self.owner}: logits hold NaN or ∞")
        return best

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        scores = _floats(logits)
        highest = scores.max(1, keepdims=True)
        if not (highest < np.inf).all():
            raise ValueError(f"{self.owner}: logits hold NaN or ∞")
        scores = scores - np.where(highest > -np.inf, highest, 0)
        if self.temperature != 1:
            with np.errstate(over="ignore"):  # by a temperature that leaves the likeliest alone
                scores /= max(self.temperature, np.finfo(scores.dtype).tiny)
        for rule, value in self.of_draw:
            rule.apply(scores, value)
        return scores


def _floats(logits: np.ndarray) -> np.ndarray:
    return logits if logits.dtype in (np.float32, np.float64) else logits.astype(np.float32)


BLOCK = 512  # tokens


def drawn(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """For each row of ``weights`` (N, V) ≥ 0 the token at which their sums pass ``uniform`` (N,)
    times the whole.

    Whole blocks are passed first, as adding up one weight after another in float64 takes longer
    than all else.
    """
    size = weights.shape[1]
    if size <= 2 * BLOCK:
        sums = weights.cumsum(1, dtype=np.float64)
        return (sums > (uniform * sums[:, -1])[:, None]).argmax(1)
    found = np.empty(len(weights), np.int64)
    for i, row in enumerate(weights):
        even = row[: size // BLOCK * BLOCK].reshape(-1, BLOCK).sum(1, dtype=row.dtype)
        sums = np.append(even, row[even.size * BLOCK :].sum()).cumsum(dtype=np.float64)
        target = uniform[i] * sums[-1]
        block = int((sums > target).argmax())
        part = row[block * BLOCK : (block + 1) * BLOCK]
        passed = part.cumsum(dtype=np.float64) > target - (sums[block - 1] if block else 0)
        # By rounding none may be: then it is the last that has any chance.
        place = passed.argmax() if passed.any() else np.flatnonzero(part)[-1:].sum()
        found[i] = block * BLOCK + place
    return found
