"""Schedules of scheduled sampling: how often a decoder in training is given the target's token."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from ...ops.checks import number


def scheduled_sampling(
    decay: Literal["linear", "exponential", "inverse_sigmoid"], k: float, least: float = 0.0
) -> Callable[[int], float]:
    """The ``teacher_forcing`` of training step i, at least ``least``, as a function of i.

    It is ``1 − i / k`` for "linear", ``k^i`` with k < 1 for "exponential", and
    ``k / (k + e^{i/k})`` with k ≥ 1 for "inverse_sigmoid". (Bengio et al. 2015, "Scheduled
    sampling for sequence prediction with recurrent neural networks", section 2.4.)

    >>> schedule = scheduled_sampling("inverse_sigmoid", 100)
    >>> [round(schedule(i), 2) for i in (0, 400, 800)]
    [0.99, 0.65, 0.03]
    """
    number("scheduled_sampling", "least", least, 0, 1)
    if decay == "linear":
        number("scheduled_sampling", "k", k, 1)
        return lambda i: max(least, 1 - i / k)
    if decay == "exponential":
        number("scheduled_sampling", "k", k, 0, 1)
        return lambda i: max(least, k**i)
    if decay == "inverse_sigmoid":
        number("scheduled_sampling", "k", k, 1)
        return lambda i: max(least, 1 / (1 + math.exp(min(i / k, 700)) / k))
    raise ValueError(
        f"scheduled_sampling: decay is linear, exponential or inverse_sigmoid, not {decay!r}"
    )
