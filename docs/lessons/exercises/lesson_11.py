"""Exercises of lesson 11, attention: fill in what raises NotImplementedError. All in NumPy.

pytest docs/lessons/exercises -k lesson_11
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Walk(NamedTuple):
    """What a walk over some of the keys keeps of each query."""

    top: np.ndarray  # (queries,): the largest score; −inf if no key was seen
    total: np.ndarray  # (queries,): Σ exp(s − top); 0 if no key was seen
    out: np.ndarray  # (queries, depth of values): Σ exp(s − top) v, not divided by the total


def weights(q: np.ndarray, k: np.ndarray, causal: bool = False) -> np.ndarray:
    """1. softmax(q kᵀ / √depth) over the keys, (queries, keys). q is (queries, depth), k (keys,
    depth). With ``causal`` query i sees the keys up to i, itself too. Scores may be 1000.

    Hint: np.triu(…, 1) is what lies above the diagonal. Whose axis is summed to 1?
    """
    raise NotImplementedError(
        "Scores first, then −inf where a query may not look, then take each row's largest off,"
        " exp, and divide by each row's sum."
    )


def merged(one: Walk, other: Walk) -> Walk:
    """2. Two walks, over two parts of the keys, as one walk over all of them.

    A query may have seen no key in one of them, or in both: then no NaN, and no warning, must
    come of it.

    Hint: the new top is the larger. By which factor is each old sum repaired? And where both tops
    are −inf, take off any finite number instead: exp(−inf − 0) is 0.
    """
    raise NotImplementedError(
        "top = np.maximum(...); then each part's total and out times exp(its top − top), and the"
        " sum of both. What is −inf − (−inf)?"
    )


def visited(queries: int, keys: int, size: int) -> int:
    """3. How many pairs of a block of queries and a block of keys a causal walk visits, both in
    blocks of ``size`` (the last may be shorter): those in which some query sees some key.

    Hint: the last query of a block sees most.
    """
    raise NotImplementedError(
        "Go over the first key of each block and the last query of each block. Is the one at most"
        " the other?"
    )


def step(
    cache: tuple[np.ndarray, np.ndarray], q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """4. One token with a cache (keys (t, depth), values (t, depth of values)): the output
    (depth of values,) for its q, k (depth,) and v, and the cache with the token in it. The first
    token finds a cache of 0 rows. The arrays of the cache that was given are not changed.

    Hint: a token sees itself.
    """
    raise NotImplementedError(
        "First put k and v behind the cache's rows, then let q look at all of them, by the weights"
        " of exercise 1."
    )


def gradients(
    g: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    top: np.ndarray,
    total: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """5. The cotangents of q, k and v in causal attention, from that of the output, g, and what
    the forward pass left: out, and of each query top and total. Blocks of ``size`` keys.

    Hint: in a block of the lesson's backward, which queries see its keys at all? Those before its
    first key get nothing from it.
    """
    raise NotImplementedError(
        "Begin with the lesson's gradients_in_blocks. The weights of hidden pairs must be 0:"
        " put −inf into the scores before exp. D is (g * out).sum(1), before the walk."
    )
