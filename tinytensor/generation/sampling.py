"""A token drawn from logits."""

from __future__ import annotations

import numpy as np

from .rules import Rules


def draw(
    logits: np.ndarray,
    temperature: float,
    top_k: int | None,
    generator: np.random.Generator,
    top_p: float | None = None,
    min_p: float | None = None,
    typical_p: float | None = None,
) -> np.ndarray:
    """One token for each row of logits (B, V), with probabilities softmax(logits / temperature).

    Temperature 0 takes the largest. Only the ``top_k`` largest take part, if it is given; of those
    only the fewest, the likeliest first, that have together a probability of at least ``top_p``
    (Holtzman et al. 2020, "The curious case of neural text degeneration"); of those only what has
    at least ``min_p`` of the likeliest one's probability (Nguyen et al. 2024); and of those only
    the fewest that have together ``typical_p``, the ones first whose surprise is nearest to the
    entropy (Meister et al. 2022). → (B,). Raises ValueError for logits that are NaN or ∞; −∞ is
    never drawn beside others.

    >>> draw(np.array([[0.0, 3.0, 1.0]]), 0.0, None, np.random.default_rng(0))
    array([1])
    """
    rules = Rules(
        "draw", temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        typical_p=typical_p,
    )  # fmt: skip
    return rules.draw(logits, lambda: generator.random(len(logits)))
