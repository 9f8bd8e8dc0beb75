"""Exercises of lesson 12, a kernel: fill in what raises NotImplementedError. All in NumPy.

pytest docs/lessons/exercises -k lesson_12
"""

from __future__ import annotations

from typing import Protocol

import numpy as np


def bound(
    operations: float, bytes_moved: float, flops: float, bandwidth: float
) -> tuple[float, str]:
    """1. The least seconds that so many operations and bytes can take on a machine of ``flops``
    operations and ``bandwidth`` bytes a second, and what it waits for: "memory" or "arithmetic".

    Hint: both go on at the same time. Who is through last?
    """
    raise NotImplementedError(
        "Two times: operations / flops, and bytes / bandwidth. They overlap, so they do not add"
        " up; which of them counts?"
    )


def lane_max(row: np.ndarray, lanes: int) -> float:
    """2. The largest of a float32 row of at least one element, ``lanes`` at a time: one vector
    goes along the row, and its lanes are compared with each other once, at the end. Loops over
    single elements, and calls of max on more than ``lanes`` elements, are not allowed.

    Hint: the row's length may be no multiple of ``lanes``. What fills the last vector up?
    """
    raise NotImplementedError(
        "best = np.full(lanes, -np.inf, np.float32); for each vector of the row np.maximum(best,"
        " vector); for the last, short one, fill up with what no maximum cares for."
    )


def lane_sum(row: np.ndarray, lanes: int, chains: int) -> np.float32:
    """3. The sum of a float32 row in float32, by ``chains`` vectors of ``lanes``: vector number i
    of the row is added to chain i mod ``chains``; at the end the chains are added up, and then the
    lanes.

    Hint: a tail is filled up with 0. np.float32 throughout: no float64 anywhere.
    """
    raise NotImplementedError(
        "parts = np.zeros((chains, lanes), np.float32); parts[i % chains] += vector i. Then"
        " parts.sum(0) and the sum of that."
    )


def exp32(x: np.ndarray) -> np.ndarray:
    """4. exp of float32, in float32 operations: within 2 units in the last place on [−80, 80], and
    exp(±inf), exp(NaN), exp(200), exp(−200) as they should be. Without np.exp and its relatives.

    Hint: the lesson's, with an eye on the ends. 2ⁿ by an exponent field reaches to n = 127, and
    e⁸⁸·⁷ is still finite: n = 128. np.ldexp(q, n) does it for any n, like the C's vf_scale.
    """
    raise NotImplementedError(
        "n = round(x / log 2), r = x − n log 2 in two parts, the polynomial, then times 2ⁿ. Clip x"
        " first, so that n stays small; NaN must pass through the clip and the integer."
    )


class Row(Protocol):
    """A row in memory: what the test hands to ``softmax_in_two``, and counts the loads of."""

    def __len__(self) -> int: ...
    def load(self, c: int, lanes: int, rest: float) -> np.ndarray:
        """``lanes`` floats from c on; those behind the end are ``rest``."""


def softmax_in_two(row: Row, lanes: int) -> np.ndarray:
    """5. The softmax of a row, float32, loading each element twice at most: one walk finds, for
    each lane by itself, the largest x so far and the sum of exp(x − it); then the lanes are made
    one; a second walk writes exp(x − top) / total.

    Hint: lesson 11. When a lane's largest grows, its sum is multiplied by exp(old − new). A lane
    that has seen nothing has −inf: mind −inf − (−inf).
    """
    raise NotImplementedError(
        "top = np.full(lanes, -inf), total = np.zeros(lanes). A step: new = np.maximum(top, v);"
        " total = total * exp(top − new) + exp(v − new). At the end repair all lanes to the"
        " largest top."
    )
