"""Tokens drawn from a language model's logits, one and many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..nn.evaluating import evaluating
from ..nn.module import Module
from ..random import seeded
from ..tensors.tensor import Tensor

# Tokens (B, T), int64, and the state (None at first) → logits (B, ≥ 1, V), and the next state.
Step = Callable[[np.ndarray, Any], tuple[Tensor, Any]]


def generate(
    model: Module,
    step: Step,
    tokens: Any,
    count: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: np.random.Generator | int | None = None,
    top_p: float | None = None,
) -> np.ndarray:
    """``tokens`` (B, T) continued by ``count`` drawn ones: (B, T + count), int64.

    ``model`` is in evaluation mode meanwhile. ``step(tokens, state)`` is given all tokens so far,
    and the state that it returned beside the logits the last time; of the logits (B, ≥ 1, V) the
    last ones count. Each token is drawn by :func:`draw`.
    """
    generator = seeded(generator)
    tokens, state = np.asarray(tokens, np.int64), None
    if tokens.ndim != 2:
        raise ShapeError(f"generate: tokens must be (batch, steps), but are {tokens.shape}")
    with evaluating(model):
        for _ in range(count):
            logits, state = step(tokens, state)
            new = draw(logits.numpy()[:, -1], temperature, top_k, generator, top_p)
            tokens = np.concatenate([tokens, new[:, None]], axis=1)
    return tokens


def draw(
    logits: np.ndarray,
    temperature: float,
    top_k: int | None,
    generator: np.random.Generator,
    top_p: float | None = None,
) -> np.ndarray:
    """One token for each row of logits (B, V), with probabilities softmax(logits / temperature).

    Temperature 0 takes the largest. Only the ``top_k`` largest take part, if it is given, and of
    those only the fewest, the likeliest first, that have together a probability of at least
    ``top_p`` (Holtzman et al. 2020, "The curious case of neural text degeneration"). → (B,).
    Raises ValueError for logits that are NaN or ∞; −∞ is never drawn beside others.

    >>> draw(np.array([[0.0, 3.0, 1.0]]), 0.0, None, np.random.default_rng(0))
    array([1])
    """
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be at least 0, and finite, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    highest = logits.max(1, keepdims=True)
    if not (highest < np.inf).all():
        raise ValueError("draw: logits hold NaN or ∞")
    if temperature == 0:
        return logits.argmax(1)
    with np.errstate(over="ignore"):  # by a temperature that leaves the likeliest alone
        scores = logits.astype(np.float64) - np.where(highest > -np.inf, highest, 0.0)
        scores /= temperature
    if top_k is not None and top_k < scores.shape[1]:
        smallest = np.partition(scores, -top_k, axis=1)[:, -top_k, None]
        scores = np.where(scores < smallest, -np.inf, scores)
    if top_p is not None:
        order = np.argsort(-scores, axis=1, kind="stable")
        sorted_ = np.take_along_axis(scores, order, 1)
        with np.errstate(invalid="ignore"):  # a row of −∞ alone stays one
            chances = np.exp(sorted_ - sorted_[:, :1])
        chances /= chances.sum(1, keepdims=True)
        # Out goes what stands behind enough of the others.
        sorted_[chances.cumsum(1) - chances >= top_p] = -np.inf
        np.put_along_axis(scores, order, sorted_, 1)
    # The largest of score + Gumbel noise is a draw from the softmax of the scores.
    return (scores + generator.gumbel(size=scores.shape)).argmax(1)
