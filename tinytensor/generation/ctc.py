"""Labellings from the outputs of a network that CTC trained: the best path, and prefix beams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine.grad_mode import no_grad
from ..errors import ShapeError
from ..ops.checks import number, whole
from ..ops.packing import lengths_of
from ..tensors.tensor import Tensor
from .search import largest

__all__ = ["Labelling", "ctc_beam_search", "ctc_greedy"]

# The tokens so far → the logarithms of the probabilities (C,) of the next.
LanguageModel = Callable[[tuple[int, ...]], Any]


class Labelling(NamedTuple):
    """Tokens that a sequence of outputs was read as."""

    tokens: list[int]
    score: float  # the log-probability, of the best path or of all paths that were followed
    steps: list[int]  # at which step each token begins


def ctc_greedy(
    log_probs: Any, lengths: Any = None, blank: int = 0, allowed: Sequence[int] | None = None
) -> list[Labelling]:
    """The best path of each sequence, with equal neighbours made one and blanks left out.

    ``log_probs`` (T, B, C) are log-probabilities or logits, as of ``ctc_loss``; of each sequence
    ``lengths`` (B,) steps count, or all. Of the classes only ``blank`` and ``allowed`` are taken,
    or all. The score is the log-probability of the path. (Graves et al. 2006, "Connectionist
    temporal classification", section 3.2.)

    >>> import tinytensor as tt
    >>> outputs = tt.tensor([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    >>> tt.generation.ctc_greedy(tt.log(outputs)[:, None])[0].tokens
    [1, 2]
    """
    scores, ends = _scores("ctc_greedy", log_probs, lengths, blank, allowed)
    if not scores.size:
        return [Labelling([], 0.0, []) for _ in ends]
    highest = scores.max(2)
    best = np.where(highest > -np.inf, scores.argmax(2), blank)  # nothing may come: no token does
    present = np.arange(len(best))[:, None] < ends
    begins = present & (best != blank)
    begins[1:] &= best[1:] != best[:-1]
    totals = np.where(present, highest, 0.0).sum(0)
    found = []
    for path, begin, total in zip(best.T, begins.T, totals.tolist(), strict=True):
        steps = np.flatnonzero(begin)
        found.append(Labelling(path[steps].tolist(), total, steps.tolist()))
    return found


def ctc_beam_search(
    log_probs: Any,
    lengths: Any = None,
    blank: int = 0,
    beams: int = 10,
    n_best: int = 1,
    allowed: Sequence[int] | None = None,
    top: int | None = None,
    language_model: LanguageModel | None = None,
    weight: float = 1.0,
    bonus: float = 0.0,
) -> list[list[Labelling]]:
    """The ``n_best`` likeliest labellings of each sequence, best first, by search over prefixes.

    At each step the ``beams`` likeliest prefixes are kept, each with the probability of all paths
    that were followed to it, of those that end in a blank and of the others apart; the ``top``
    likeliest tokens of a step are tried, or all. With ``language_model``, which gives the
    logarithms of the probabilities (C,) of the next token for the tokens so far, each token adds
    its own times ``weight``, and ``bonus``. The other arguments are those of :func:`ctc_greedy`.
    (Graves 2012, "Supervised sequence labelling", section 7.5.3; Hannun et al. 2014, "First-pass
    large vocabulary continuous speech recognition using bi-directional recurrent DNNs".)

    >>> import tinytensor as tt
    >>> outputs = tt.log(tt.tensor([[[0.6, 0.4]], [[0.6, 0.4]]]))  # the best path is blank
    >>> (found,) = tt.generation.ctc_beam_search(outputs)
    >>> found[0].tokens, round(np.exp(found[0].score).item(), 4)  # 1 - 0.6²
    ([1], 0.64)
    """
    scores, ends = _scores("ctc_beam_search", log_probs, lengths, blank, allowed)
    classes = scores.shape[2]
    whole("ctc_beam_search", 1, beams=beams, n_best=n_best, top=classes if top is None else top)
    if n_best > beams:
        raise ValueError(f"ctc_beam_search: n_best {n_best} is above the number of beams, {beams}")
    number("ctc_beam_search", "weight", weight)
    number("ctc_beam_search", "bonus", bonus)
    found = []
    for i, end in enumerate(ends.tolist()):
        prefixes = _Prefixes(classes, blank, language_model, weight, bonus)
        for t in range(end):
            prefixes.advance(t, scores[t, i], beams, top)
        found.append(prefixes.best(n_best))
    return found


@no_grad()
def _scores(
    name: str, log_probs: Any, lengths: Any, blank: int, allowed: Sequence[int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (T, B, C) in float64, −∞ for what is not allowed, and the lengths."""
    log_probs = log_probs if isinstance(log_probs, Tensor) else Tensor(np.asarray(log_probs))
    if log_probs.ndim != 3 or not log_probs.shape[2]:
        raise ShapeError(
            f"{name}: log_probs must be (steps, batch, classes), but are {log_probs.shape}"
        )
    steps, batch, classes = log_probs.shape
    ends = np.full(batch, steps)
    if lengths is not None:
        ends = lengths_of(name, lengths, steps, batch)
    whole(name, 0, blank=blank)
    named = [blank, *(allowed or ())]
    if not all(0 <= token < classes for token in named):
        raise ValueError(f"{name}: of {classes} classes none is {max(named, key=abs)}")
    scores = ops.log_softmax(log_probs).numpy().astype(np.float64)
    present = np.arange(steps)[:, None] < ends
    if np.isnan(scores[present]).any():
        raise ValueError(f"{name}: log_probs hold NaN or ∞, or −∞ for all classes")
    if allowed is not None:
        hidden = np.ones(classes, bool)
        hidden[named] = False
        scores[:, :, hidden] = -np.inf
    return scores, ends


class _Prefixes:
    """The prefixes of one sequence: nodes of a tree, some of which are in the beam."""

    def __init__(
        self, classes: int, blank: int, language_model: LanguageModel | None, weight: float,
        bonus: float,
    ) -> None:  # fmt: skip
        self.classes, self.blank = classes, blank
        self.language_model, self.weight, self.bonus = language_model, weight, bonus
        # Of each node: its parent, its token, its children, what tokens added.
        self.parent, self.token = [-1], [-1]
        self.children: list[dict[int, int]] = [{}]
        self.added = [0.0]
        self.next: dict[int, np.ndarray] = {}  # what each next token would add
        # Of the beam: nodes, and the log-probabilities of paths that end in a blank, or do not.
        # And where the tokens begin, the last one first, as (step, (step before, …)): a prefix that
        # left the beam may grow again later than longer ones that are still in it.
        self.nodes = [0]
        self.begins: list[Any] = [()]
        self.blanks, self.others = np.zeros(1), np.full(1, -np.inf)

    def advance(self, t: int, scores: np.ndarray, beams: int, top: int | None) -> None:
        """One step: each prefix stays, by a blank or its last token, or grows by a token."""
        count = len(self.nodes)
        if not count:  # every labelling has the probability 0
            return
        each = np.arange(count)
        last = np.array([self.token[node] for node in self.nodes])
        known = np.array([self.added[node] for node in self.nodes])
        total = np.logaddexp(self.blanks, self.others)

        tried = scores.copy()
        tried[self.blank] = -np.inf
        if top is not None and top < len(tried):
            kept = largest(tried[None], top)[1][0]
            few = np.full(len(tried), -np.inf)
            few[kept] = tried[kept]
            tried = few
        grown = total[:, None] + tried
        repeats = last >= 0  # the same token once more is one more only behind a blank
        grown[each[repeats], last[repeats]] = self.blanks[repeats] + tried[last[repeats]]
        blanks = total + scores[self.blank]
        others = np.where(repeats, self.others + scores[last], -np.inf)

        # A prefix that grows into one that is in the beam, too, is that one.
        place = {node: i for i, node in enumerate(self.nodes)}
        for i, node in enumerate(self.nodes):
            j = place.get(self.parent[node])
            if j is not None:
                others[i] = np.logaddexp(others[i], grown[j, last[i]])
                grown[j, last[i]] = -np.inf

        ranks = grown + known[:, None]
        if self.language_model is not None or self.bonus:
            ranks += np.stack([self._next(node) for node in self.nodes])
        stays = np.logaddexp(blanks, others) + known
        values, places = largest(np.concatenate([stays, ranks.reshape(-1)])[None], beams)
        nodes, begins, chosen = [], [], places[0][values[0] > -np.inf].tolist()
        new_blanks, new_others = np.full(len(chosen), -np.inf), np.empty(len(chosen))
        for i, where in enumerate(chosen):
            if where < count:
                nodes.append(self.nodes[where])
                begins.append(self.begins[where])
                new_blanks[i], new_others[i] = blanks[where], others[where]
            else:
                row, token = divmod(where - count, self.classes)
                nodes.append(self._child(self.nodes[row], token))
                begins.append((t, self.begins[row]))
                new_others[i] = grown[row, token]
        self.nodes, self.begins = nodes, begins
        self.blanks, self.others = new_blanks, new_others

    def _child(self, node: int, token: int) -> int:
        child = self.children[node].get(token)
        if child is None:
            child = self.children[node][token] = len(self.parent)
            more = self._next(node)[token] if self.language_model or self.bonus else 0.0
            self.parent.append(node)
            self.token.append(token)
            self.children.append({})
            self.added.append(self.added[node] + float(more))
        return child

    def _next(self, node: int) -> np.ndarray:
        """What each token (C,) would add behind a prefix."""
        found = self.next.get(node)
        if found is None:
            found = np.full(self.classes, self.bonus)
            if self.language_model is not None:
                told = np.asarray(self.language_model(tuple(self._tokens(node))), np.float64)
                if told.shape != found.shape or np.isnan(told).any():
                    raise ShapeError(
                        f"ctc_beam_search: language_model must return ({self.classes},) numbers,"
                        f" not {told}"
                    )
                found += self.weight * told if self.weight else 0.0  # not 0 times −∞
            self.next[node] = found
        return found

    def _tokens(self, node: int) -> list[int]:
        """The tokens of a prefix."""
        tokens = []
        while node > 0:
            tokens.append(self.token[node])
            node = self.parent[node]
        return tokens[::-1]

    def best(self, count: int) -> list[Labelling]:
        totals = np.logaddexp(self.blanks, self.others) + [self.added[n] for n in self.nodes]
        found = []
        for i in np.argsort(-totals, kind="stable")[:count].tolist():
            steps, begins = [], self.begins[i]
            while begins:
                step, begins = begins
                steps.append(step)
            found.append(Labelling(self._tokens(self.nodes[i]), float(totals[i]), steps[::-1]))
        return found
