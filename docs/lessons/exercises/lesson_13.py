"""Exercises of lesson 13, a GPT: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_13
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import tinytensor as tt


def windows(data: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """1. Questions and answers (len(starts), length) out of a text of numbers: row i of the
    questions begins at starts[i], and each answer is the number that follows its question.

    Hint: one window of length + 1 has both. ``starts[:, None] + np.arange(...)`` are its places.
    """
    raise NotImplementedError(
        "Take length + 1 numbers from each start. All but the last are the questions, all but the"
        " first the answers."
    )


def bits(logits: np.ndarray, targets: np.ndarray) -> float:
    """2. The mean surprise, in bits per character: logits (n, size), targets (n,). Logits may be
    1000.

    Hint: −log₂ softmax(logits)[target]. Lesson 9 had the same, with another logarithm.
    """
    raise NotImplementedError(
        "Take each row's largest off; log Σ exp minus the target's logit is the surprise in nats."
        " How many nats are a bit?"
    )


def sample(logits: np.ndarray, temperature: float, top_k: int | None, u: float) -> int:
    """3. The number that is drawn from one row of logits by u, which is uniform in [0, 1): the
    first one at which the sum of the probabilities up to it exceeds u.

    Temperature 0 takes the largest. With ``top_k`` only the k largest logits can be drawn.

    Hint: np.cumsum and np.argmax. In which order do temperature, softmax and top-k come?
    """
    raise NotImplementedError(
        "Divide the logits by the temperature (0 apart), put −inf where a logit is below the"
        " k-th largest, softmax, then the first place at which cumsum > u."
    )


def pair_bits(
    read: Sequence[int], unread: Sequence[int], size: int, smoothing: float = 0.1
) -> float:
    """4. Bits per character on ``unread`` (its first one apart) of a model that has counted pairs
    in ``read``: p(b after a) = (count of ab + smoothing) / (count of a as a first + smoothing ·
    size).

    Hint: without smoothing, one pair that was never read costs infinitely many bits.
    """
    raise NotImplementedError(
        "counts = np.full((size, size), smoothing); add 1 at (a, b) for each pair; divide each row"
        " by its sum; then −log2 at the pairs of unread, and the mean."
    )


def peeps(model: Callable[[tt.Tensor], tt.Tensor], size: int, length: int) -> bool:
    """5. Whether a model of tokens (1, length) → logits (1, length, size) lets any position see
    what comes after it.

    It may look one place ahead, or only at the end, and it may not care for every character.

    Hint: change one token, and look at the outputs before it. Which tokens must be changed to be
    sure?
    """
    raise NotImplementedError(
        "For each place t from 1 on: run the model on a text, and on the same text with another"
        " token at t. The logits before t must be the same. Try more than one other token."
    )
