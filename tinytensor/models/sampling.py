"""Drawing the next token from a language model's logits."""

from __future__ import annotations

import numpy as np


def draw(
    logits: np.ndarray, temperature: float, top_k: int | None, generator: np.random.Generator
) -> np.ndarray:
    """One token for each row of logits (B, V), with probabilities softmax(logits / temperature).

    Only the ``top_k`` largest take part, if it is given; temperature 0 takes the largest. → (B,).

    >>> draw(np.array([[0.0, 3.0, 1.0]]), 0.0, None, np.random.default_rng(0))
    array([1])
    """
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, not {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    if temperature == 0:
        return logits.argmax(1)
    scores = logits.astype(np.float64) / temperature
    if top_k is not None and top_k < scores.shape[1]:
        smallest = np.partition(scores, -top_k, axis=1)[:, -top_k, None]
        scores = np.where(scores < smallest, -np.inf, scores)
    # The largest of score + Gumbel noise is a draw from the softmax of the scores.
    return (scores + generator.gumbel(size=scores.shape)).argmax(1)
