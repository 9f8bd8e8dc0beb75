"""Exercises of lesson 1, one number and its derivative: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_01
"""

from __future__ import annotations

from collections.abc import Callable

from tinytensor.engine import op
from tinytensor.scalar import Value


def slopes_by_hand(a: float, b: float, c: float) -> tuple[float, float, float]:
    """1. The slopes of f(a, b, c) = (a·b + c)² by a, by b and by c. With floats only.

    Hint: p = a·b, s = p + c, f = s². Write df/ds first, then what s owes to each input.
    """
    raise NotImplementedError(
        "Take paper. f = s² with s = a·b + c. How much does f change if s changes by 1? How much"
        " does s change if a does? The slope by a is the product of the two."
    )


def central_difference(f: Callable[[float], float], x: float, h: float) -> float:
    """2. The slope of f at x, from the values of f at x + h and at x - h.

    Hint: how far apart are the two points?
    """
    raise NotImplementedError(
        "Draw the curve, and the chord through its points above x - h and x + h. Its slope is its"
        " rise divided by its run."
    )


def best_step(f: Callable[[float], float], x: float, slope: float) -> float:
    """3. Which h of 10⁻¹, 10⁻², …, 10⁻¹⁵ gives the central difference nearest to ``slope``?

    Hint: ``min`` takes a ``key``.
    """
    raise NotImplementedError(
        "Try all fifteen. For each h there is an error, |central_difference(f, x, h) - slope|;"
        " return the h of the smallest one."
    )


def value_and_slopes(f: Callable[..., Value], *numbers: float) -> tuple[float, list[float]]:
    """4. f of the numbers, and its slope by each of them, from one run of f and one backward.

    f takes Values and returns a Value. What you return are plain floats. An input on which f does
    not depend has the slope 0.0; no cotangent arrives there, so its ``grad`` is None.
    Hint: keep the list of the Values that you made, for their ``grad``.
    """
    raise NotImplementedError(
        "Make a Value of each number, call f with them, and call backward() of what comes out,"
        " once. Then each of your Values has a grad, a Value itself; its float is grad.data."
    )


@op
def softplus(x: float) -> float:
    """5. An op of your own: softplus(x) = log(1 + eˣ), a relu without the kink.

    The forward function gets a float and returns one (``import math``). It must survive
    x = 1000, where eˣ is more than a float can hold. Then declare its rule below it:
    ``softplus.grad(x=lambda g, x: …)``, in which g and x are Values; its slope is
    1 / (1 + e⁻ˣ), and tests ask for the second derivative, too.
    Hint: log(1 + eˣ) = max(x, 0) + log(1 + e^(-|x|)).
    """
    raise NotImplementedError(
        "First the value: for x = 1000 the formula as it stands overflows, so take the larger of x"
        " and 0 out of the logarithm. Then the rule, softplus.grad(x=lambda g, x: …)."
    )


softplus.family = Value  # whose floats these are, also if all arguments are plain numbers
