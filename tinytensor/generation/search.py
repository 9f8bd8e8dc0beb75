"""Greedy and beam search: the likeliest sequences of a model of the next token.

A *step* is the model: ``step(tokens, state) -> (logits, state)``. It is given the last token of
each of N rows, int64 (N,), and a state, a tree of tensors whose first axis is N. It returns logits
or log-probabilities (N, V), and the next state. With K beams the first K rows are those of the
first source, the next K those of the second, and so on, at every step: what all rows of a source
share need not be in the state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import ops
from ..engine.grad_mode import no_grad
from ..errors import ShapeError
from ..func.trees import tree_leaves, tree_map
from ..ops.checks import integers, number, whole
from ..random import seeded
from ..tensors.tensor import Tensor
from .sampling import draw

__all__ = ["Hypothesis", "beam_search", "greedy", "penalty_of_length", "sample"]

Penalty = Literal["wu", "length"]
Step = Callable[[np.ndarray, Any], tuple[Tensor, Any]]


class Hypothesis(NamedTuple):
    """A sequence that a search found."""

    tokens: list[int]  # without the start and the end
    score: float  # the log-probability, divided by the penalty of its length
    log_probability: float  # of all tokens, and of the end
    ended: bool  # by the token for it, not by max_length


def penalty_of_length(length: Any, power: float, penalty: Penalty = "wu") -> np.ndarray:
    """What the log-probability of ``length`` tokens is divided by.

    It is ``((5 + length) / 6)^power`` for "wu" (Wu et al. 2016, "Google's neural machine
    translation system", equation 14), and ``length^power`` for "length", which makes a score the
    mean of the tokens' if the power is 1.

    >>> [penalty_of_length([1, 7], 1.0, kind).tolist() for kind in ("wu", "length")]
    [[1.0, 2.0], [1.0, 7.0]]
    """
    if penalty not in ("wu", "length"):
        raise ValueError(f"penalty_of_length: penalty is 'wu' or 'length', not {penalty!r}")
    lengths = np.asarray(length, np.float64)
    return ((5 + lengths) / 6 if penalty == "wu" else lengths) ** power


# --- What the searches share -------------------------------------------------------------------


class _Rules:
    """What may come next: the log-probabilities of tokens, −∞ for those that may not."""

    def __init__(
        self, name: str, end: int | None, max_length: int, min_length: int,
        suppress: Sequence[int], no_repeat_ngram: int,
    ) -> None:  # fmt: skip
        whole(name, 1, max_length=max_length)
        whole(name, 0, min_length=min_length, no_repeat_ngram=no_repeat_ngram)
        if min_length > max_length:
            raise ValueError(f"{name}: min_length {min_length} is above max_length {max_length}")
        self.name, self.end, self.min_length, self.ngram = name, end, min_length, no_repeat_ngram
        self.suppress = [int(token) for token in suppress]

    def log_probabilities(self, logits: Tensor, before: np.ndarray) -> np.ndarray:
        """(N, V) for rows that have taken the tokens ``before`` (N, t)."""
        rows, taken = before.shape
        if logits.ndim != 2 or logits.shape[0] != rows:
            raise ShapeError(
                f"{self.name}: step must return logits ({rows}, V), not {logits.shape}"
            )
        size = logits.shape[1]
        named = [*self.suppress, *([] if self.end is None else [self.end])]
        if not all(0 <= token < size for token in named):
            raise ValueError(f"{self.name}: of {size} tokens none is {max(named, key=abs)}")
        exact = logits.astype("float32") if logits.dtype.itemsize < 4 else logits
        found = np.array(ops.log_softmax(exact).numpy())
        unknown = np.isnan(found)
        if unknown.any():
            if not (logits.numpy()[unknown] == -np.inf).all():
                raise ValueError(f"{self.name}: step returned logits that are NaN or ∞")
            found[unknown] = -np.inf  # a row of −∞ alone: nothing may come
        found[:, self.suppress] = -np.inf
        if self.end is not None and taken < self.min_length:
            found[:, self.end] = -np.inf
        if 0 < self.ngram <= taken:
            for row, tokens in enumerate(before):
                found[row, _closing(tokens, self.ngram)] = -np.inf
        return found


def _closing(tokens: np.ndarray, n: int) -> np.ndarray:
    """Which next tokens would make the last n tokens a stretch that was there before."""
    windows = np.lib.stride_tricks.sliding_window_view(tokens, n)
    return windows[(windows[:, :-1] == tokens[len(tokens) - n + 1 :]).all(1), -1]


def _starts(name: str, start: Any, state: Any) -> np.ndarray:
    """The first token of each source."""
    starts = integers(name, "start", start)
    if starts.ndim == 1:
        return starts
    sizes = {leaf.shape[0] if leaf.ndim else -1 for leaf in tree_leaves(state)}
    if starts.ndim or len(sizes) != 1 or -1 in sizes:
        raise ShapeError(
            f"{name}: start must be (sources,), or one token for all where the state says how many"
            f" sources there are: it is {starts.shape}, and the state's sizes are {sizes}"
        )
    return np.full(sizes.pop(), int(starts))


def _rows(state: Any, index: np.ndarray) -> Any:
    """The rows ``index`` of all tensors of a state."""

    def of(leaf: Any) -> Any:
        return ops.take(leaf, index, 0) if isinstance(leaf, Tensor) else leaf[index]

    return tree_map(of, state)


# --- One sequence a source -----------------------------------------------------------------------


def greedy(
    step: Step,
    state: Any,
    start: Any,
    end: int | None,
    max_length: int,
    min_length: int = 0,
    suppress: Sequence[int] = (),
    no_repeat_ngram: int = 0,
) -> list[Hypothesis]:
    """The likeliest token at each step, for each source: B :class:`Hypothesis`, of score = log-
    probability.

    ``start`` is the first token, one for all or (B,); ``state`` the first one, of B rows. A
    sequence ends by the token ``end``, or behind ``max_length`` tokens, ``end`` counted. It has at
    least ``min_length`` tokens before its end. The tokens ``suppress`` are never taken, nor any
    that would repeat a stretch of ``no_repeat_ngram`` tokens (0: all may repeat).

    >>> import tinytensor as tt
    >>> chain = tt.tensor([[0.0, 2.0, 1.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]])  # what follows
    >>> def step(tokens, state):
    ...     return chain[tokens], state
    >>> [found.tokens for found in tt.generation.greedy(step, None, [0, 1], 2, 5)]
    [[1], []]
    """
    return _one_a_source(
        "greedy", step, state, start, end, max_length,
        (min_length, suppress, no_repeat_ngram), lambda scores: scores.argmax(1),
    )  # fmt: skip


def sample(
    step: Step,
    state: Any,
    start: Any,
    end: int | None,
    max_length: int,
    min_length: int = 0,
    suppress: Sequence[int] = (),
    no_repeat_ngram: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: np.random.Generator | int | None = None,
) -> list[Hypothesis]:
    """Tokens drawn from the softmax of the logits / ``temperature``, by :func:`draw` with ``top_k``
    and ``top_p``; otherwise as :func:`greedy`. Log-probabilities are those at temperature 1."""
    rng = seeded(generator)
    return _one_a_source(
        "sample", step, state, start, end, max_length, (min_length, suppress, no_repeat_ngram),
        lambda scores: draw(scores, temperature, top_k, rng, top_p),
    )  # fmt: skip


@no_grad()
def _one_a_source(
    name: str,
    step: Step,
    state: Any,
    start: Any,
    end: int | None,
    max_length: int,
    limits: tuple[int, Sequence[int], int],
    choose: Callable[[np.ndarray], np.ndarray],
) -> list[Hypothesis]:
    rules = _Rules(name, end, max_length, *limits)
    tokens = _starts(name, start, state)
    batch = len(tokens)
    taken = np.empty((batch, 0), np.int64)
    total, lengths = np.zeros(batch), np.zeros(batch, np.int64)
    going, ended = np.ones(batch, bool), np.zeros(batch, bool)
    while going.any() and taken.shape[1] < max_length:
        logits, state = step(tokens, state)
        scores = rules.log_probabilities(logits, taken)
        tokens = choose(scores)
        of_tokens = scores[np.arange(batch), tokens]
        going &= of_tokens > -np.inf  # otherwise nothing may come
        total[going] += of_tokens[going]
        if end is not None:
            ended |= going & (tokens == end)
            going &= ~ended
        lengths[going] += 1
        taken = np.concatenate([taken, tokens[:, None]], 1)
    return [
        Hypothesis(row[:length].tolist(), float(score), float(score), bool(done))
        for row, length, score, done in zip(taken, lengths, total, ended, strict=True)
    ]


# --- Beams ---------------------------------------------------------------------------------------


@no_grad()
def beam_search(
    step: Step,
    state: Any,
    start: Any,
    end: int | None,
    max_length: int,
    beams: int = 4,
    n_best: int = 1,
    length_penalty: float = 0.6,
    penalty: Penalty = "wu",
    min_length: int = 0,
    suppress: Sequence[int] = (),
    no_repeat_ngram: int = 0,
    early_stopping: bool = True,
) -> list[list[Hypothesis]]:
    """For each source the ``n_best`` sequences of the highest score that were found, best first.

    At each step the ``beams`` likeliest sequences of a source that have not ended go on, and those
    that end among the ``beams`` likeliest continuations are found. A score is the log-probability
    over :func:`penalty_of_length` of the tokens, the end counted, with the power ``length_penalty``
    and the formula ``penalty``; with the power 0 it is the log-probability.

    A source is done when none of its sequences can get a score above those found, and with
    ``early_stopping`` also when ``beams`` are found. Of sequences that did not end within
    ``max_length`` tokens as many are returned as are missing, behind the others. No sequence is
    returned twice, nor one of probability 0: there can be fewer than ``n_best``. With one beam this
    is :func:`greedy`, whose arguments the others are.

    >>> import tinytensor as tt
    >>> after = tt.log(tt.tensor([[0.0, 0.6, 0.4], [0.4, 0.3, 0.3], [0.05, 0.05, 0.9]]))
    >>> def step(tokens, state):
    ...     return after[tokens], state
    >>> (found,) = tt.generation.beam_search(step, None, [0], 0, 3, beams=3, n_best=2)
    >>> [(x.tokens, round(x.score, 2), x.ended) for x in found]
    [([1], -1.3, True), ([1, 1], -2.21, True)]
    """
    rules = _Rules("beam_search", end, max_length, min_length, suppress, no_repeat_ngram)
    whole("beam_search", 1, beams=beams, n_best=n_best)
    if n_best > beams:
        raise ValueError(f"beam_search: n_best {n_best} is above the number of beams, {beams}")
    number("beam_search", "length_penalty", length_penalty)
    lengths = np.arange(1, max_length + 1)
    divisors = penalty_of_length(lengths, length_penalty, penalty).tolist()
    starts = _starts("beam_search", start, state)
    batch = len(starts)
    index = np.repeat(np.arange(batch), beams)
    state, tokens = _rows(state, index), starts[index]
    first_rows = np.arange(batch)[:, None] * beams
    taken = np.empty((batch * beams, 0), np.int64)
    totals = np.full((batch, beams), -np.inf)  # of those that go on; −∞: nobody does
    totals[:, 0] = 0.0  # the others are the same sequence
    found: list[list[Hypothesis]] = [[] for _ in range(batch)]

    for divisor in divisors:
        if not (totals > -np.inf).any():
            break
        logits, state = step(tokens, state)
        scores = rules.log_probabilities(logits, taken)
        # Of the 2 K best continuations K at least do not end: each sequence has one end.
        best, of_row = largest(scores, 2 * beams)
        sums, places = largest((totals.reshape(-1, 1) + best).reshape(batch, -1), 2 * beams)
        rows = first_rows + places // best.shape[1]
        tokens = np.take_along_axis(of_row.reshape(batch, -1), places, 1)

        ends = np.zeros(tokens.shape, bool) if end is None else tokens == end
        for source, rank in np.argwhere(ends[:, :beams] & (sums[:, :beams] > -np.inf)):
            sum_, row = float(sums[source, rank]), taken[rows[source, rank]]
            found[source].append(Hypothesis(row.tolist(), sum_ / divisor, sum_, True))

        going = np.argsort(ends, axis=1, kind="stable")[:, :beams]
        sums[ends] = -np.inf
        totals, rows, tokens = (np.take_along_axis(x, going, 1) for x in (sums, rows, tokens))
        index, tokens = rows.reshape(-1), tokens.reshape(-1)
        taken = np.concatenate([taken[index], tokens[:, None]], 1)
        if (index != np.arange(len(index))).any():
            state = _rows(state, index)

        # A sum can only fall, so its best score is this one over the largest divisor to come.
        most = max(divisors[taken.shape[1] :], default=divisor)
        for source, (known, reached) in enumerate(zip(found, totals[:, 0], strict=True)):
            known.sort(key=lambda hypothesis: -hypothesis.score)
            enough = early_stopping and len(known) >= beams
            if enough or (len(known) >= n_best and known[n_best - 1].score >= reached / most):
                totals[source] = -np.inf

    for row, total in enumerate(totals.reshape(-1).tolist()):
        known = found[row // beams]
        if total > -np.inf and len(known) < n_best:
            known.append(Hypothesis(taken[row].tolist(), total / divisors[-1], total, False))
    return [known[:n_best] for known in found]


def largest(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest of each row, largest first, and where they stand: of equal ones the
    first, as argmax has it."""
    count = min(count, x.shape[1])
    least = np.partition(x, -count, axis=1)[:, -count, None]
    chosen = x >= least
    if np.count_nonzero(chosen) == len(x) * count:
        places = (np.flatnonzero(chosen) % x.shape[1]).reshape(-1, count)
        places = np.take_along_axis(places, _descending(np.take_along_axis(x, places, 1)), 1)
    else:  # several are the least
        places = _descending(x)[:, :count]
    return np.take_along_axis(x, places, 1), places


def _descending(x: np.ndarray) -> np.ndarray:
    return np.argsort(-x, axis=1, kind="stable")
