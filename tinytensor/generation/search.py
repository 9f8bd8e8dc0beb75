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

from .. import kernels, ops
from ..engine.grad_mode import no_grad
from ..errors import ShapeError
from ..func.trees import tree_leaves, tree_map
from ..ops.checks import integers, number, whole
from ..random import seeded
from ..tensors.tensor import Tensor
from .rules import Past, Rules

__all__ = ["Hypothesis", "beam_search", "greedy", "penalty_of_length", "sample"]

Penalty = Literal["wu", "length"]
Step = Callable[[np.ndarray, Any], tuple[Tensor, Any]]


class Hypothesis(NamedTuple):
    """A sequence that a search found."""

    tokens: list[int]  # without the start and the end
    score: float  # the log-probability, divided by the penalty of its length
    log_probability: float  # of all tokens, and of the end
    ended: bool  # by the token for it, not by max_length
    end: int | None = None  # that token


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


def _rules(name: str, end: int | None, max_length: int, **settings: Any) -> Rules:
    whole(name, 1, max_length=max_length)
    rules = Rules(name, () if end is None else (end,), **settings)
    if settings["min_length"] > max_length:
        raise ValueError(
            f"{name}: min_length {settings['min_length']} is above max_length {max_length}"
        )
    return rules


def _logits_of(name: str, logits: Tensor, rows: int) -> np.ndarray:
    if logits.ndim != 2 or logits.shape[0] != rows:
        raise ShapeError(f"{name}: step must return logits ({rows}, V), not {logits.shape}")
    found = logits.numpy()
    if not (found.max(1, initial=-np.inf) < np.inf).all():
        raise ValueError(f"{name}: step returned logits that are NaN or ∞")
    return found


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Of tokens (N, V); a row of −∞ alone, after which nothing may come, stays one."""
    exact = logits.astype(np.float32) if logits.dtype.itemsize < 4 else logits
    found = np.array(kernels.log_softmax(exact, 1))
    found[np.isnan(found)] = -np.inf
    return found


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
    """The rows ``index`` of all tensors of a state; a cache is changed in place."""

    def of(leaf: Any) -> Any:
        if hasattr(leaf, "reorder"):  # a cache
            leaf.reorder(index)
            return leaf
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
    **rules: Any,
) -> list[Hypothesis]:
    """The likeliest token at each step, for each source: B :class:`Hypothesis`, of score = log-
    probability.

    ``start`` is the first token, one for all or (B,); ``state`` the first one, of B rows. A
    sequence ends by the token ``end``, or behind ``max_length`` tokens, ``end`` counted. It has at
    least ``min_length`` tokens before its end. The tokens ``suppress`` are never taken, nor any
    that would repeat a stretch of ``no_repeat_ngram`` tokens (0: all may repeat). Further
    ``rules`` are the ``repetition_penalty``, ``frequency_penalty`` and ``presence_penalty`` of
    :meth:`Causal.generate`, by which tokens are chosen, but not scored.

    >>> import tinytensor as tt
    >>> chain = tt.tensor([[0.0, 2.0, 1.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]])  # what follows
    >>> def step(tokens, state):
    ...     return chain[tokens], state
    >>> [found.tokens for found in tt.generation.greedy(step, None, [0, 1], 2, 5)]
    [[1], []]
    """
    found = _rules(
        "greedy", end, max_length, min_length=min_length, suppress=suppress,
        no_repeat_ngram=no_repeat_ngram, temperature=0.0, **rules,
    )  # fmt: skip
    return _one_a_source(found, step, state, start, max_length, None)


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
    **rules: Any,
) -> list[Hypothesis]:
    """Tokens drawn from the softmax of the logits / ``temperature``, by :func:`draw` with
    ``top_k``, ``top_p`` and, of the ``rules``, ``min_p`` and ``typical_p``; otherwise as
    :func:`greedy`. Log-probabilities are those at temperature 1."""
    found = _rules(
        "sample", end, max_length, min_length=min_length, suppress=suppress,
        no_repeat_ngram=no_repeat_ngram, temperature=temperature, top_k=top_k, top_p=top_p,
        **rules,
    )  # fmt: skip
    return _one_a_source(found, step, state, start, max_length, seeded(generator))


@no_grad()
def _one_a_source(
    rules: Rules, step: Step, state: Any, start: Any, max_length: int,
    rng: np.random.Generator | None,
) -> list[Hypothesis]:  # fmt: skip
    name = rules.owner
    tokens = _starts(name, start, state)
    batch = len(tokens)
    each = np.arange(batch)
    taken = np.empty((batch, 0), np.int64)
    total, lengths = np.zeros(batch), np.zeros(batch, np.int64)
    going, ended = np.ones(batch, bool), np.zeros(batch, bool)
    while going.any() and taken.shape[1] < max_length:
        logits, state = step(tokens, state)
        raw = _logits_of(name, logits, batch)
        scores = rules.penalised(raw, Past.of(taken))
        tokens = rules.draw(scores, lambda: rng.random(batch))  # type: ignore[union-attr]
        going &= scores[each, tokens] > -np.inf  # otherwise nothing may come
        total[going] += _log_probabilities(raw)[each, tokens][going]
        done = going & np.isin(tokens, rules.ends)
        ended |= done
        going &= ~done
        lengths[going] += 1
        taken = np.concatenate([taken, tokens[:, None]], 1)
    return [
        Hypothesis(
            row[:length].tolist(), float(score), float(score), bool(done),
            int(row[length]) if done else None,
        )
        for row, length, score, done in zip(taken, lengths, total, ended, strict=True)
    ]  # fmt: skip


# --- Beams ---------------------------------------------------------------------------------------


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
    **rules: Any,
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
    is :func:`greedy`, whose arguments the others are; further ``rules`` change log-probabilities
    here, and so scores.

    >>> import tinytensor as tt
    >>> after = tt.log(tt.tensor([[0.0, 0.6, 0.4], [0.4, 0.3, 0.3], [0.05, 0.05, 0.9]]))
    >>> def step(tokens, state):
    ...     return after[tokens], state
    >>> (found,) = tt.generation.beam_search(step, None, [0], 0, 3, beams=3, n_best=2)
    >>> [(x.tokens, round(x.score, 2), x.ended) for x in found]
    [([1], -1.3, True), ([1, 1], -2.21, True)]
    """
    found = _rules(
        "beam_search", end, max_length, min_length=min_length, suppress=suppress,
        no_repeat_ngram=no_repeat_ngram, **rules,
    )  # fmt: skip
    return beams_of(
        found, step, state, start, max_length, beams, n_best, length_penalty, penalty,
        early_stopping,
    )  # fmt: skip


@no_grad()
def beams_of(
    rules: Rules,
    step: Step,
    state: Any,
    start: Any,
    max_length: int,
    beams: int,
    n_best: int = 1,
    length_penalty: float = 0.0,
    penalty: Penalty = "wu",
    early_stopping: bool = False,
    past: Past | None = None,
) -> list[list[Hypothesis]]:
    """:func:`beam_search` by ``rules``, which also see the ``past`` of each source."""
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
    if past is not None:
        past = Past(past.tokens[index], past.lengths[index], past.lengths[index])
    first_rows = np.arange(batch)[:, None] * beams
    taken = np.empty((batch * beams, 0), np.int64)
    totals = np.full((batch, beams), -np.inf)  # of those that go on; −∞: nobody does
    totals[:, 0] = 0.0  # the others are the same sequence
    found: list[list[Hypothesis]] = [[] for _ in range(batch)]

    for divisor in divisors:
        if not (totals > -np.inf).any():
            break
        logits, state = step(tokens, state)
        scores = _log_probabilities(_logits_of("beam_search", logits, len(taken)))
        scores = rules.penalised(scores, _behind(past, taken))
        # K at least of these continuations do not end: each sequence has so many ends.
        count = max(2, 1 + len(rules.ends)) * beams
        best, of_row = largest(scores, count)
        sums, places = largest((totals.reshape(-1, 1) + best).reshape(batch, -1), count)
        rows = first_rows + places // best.shape[1]
        tokens = np.take_along_axis(of_row.reshape(batch, -1), places, 1)

        ends = np.isin(tokens, rules.ends)
        for source, rank in np.argwhere(ends[:, :beams] & (sums[:, :beams] > -np.inf)):
            sum_, row = float(sums[source, rank]), taken[rows[source, rank]]
            last = int(tokens[source, rank])
            found[source].append(Hypothesis(row.tolist(), sum_ / divisor, sum_, True, last))

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


def _behind(past: Past | None, taken: np.ndarray) -> Past:
    """What rows have after what was given."""
    if past is None:
        return Past.of(taken)
    size = taken.shape[1]
    tokens = np.zeros((len(taken), past.tokens.shape[1] + size), np.int64)
    tokens[:, : past.tokens.shape[1]] = past.tokens
    tokens[np.arange(len(taken))[:, None], past.lengths[:, None] + np.arange(size)] = taken
    return Past(tokens, past.lengths + size, past.prompts)


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
