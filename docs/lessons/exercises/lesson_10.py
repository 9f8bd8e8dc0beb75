"""Exercises of lesson 10, vanishing gradients: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_10
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinytensor as tt


def product_of_slopes(w: float, h0: float, steps: int) -> float:
    """1. The derivative of the last state by h0 of h_t = tanh(w · h_{t−1}), after so many steps.

    With floats and math.tanh alone: run forward, and multiply the slopes as you go.

    Hint: the slope of tanh(z) is 1 − tanh²(z). At which state does it stand, the old or the new?
    """
    raise NotImplementedError(
        "Keep two numbers, the state and the product so far. A step makes the new state h, then"
        " multiplies the product by w · (1 − h²)."
    )


def horizon(radius: float, rest: float) -> float:
    """2. The smallest number of steps k for which radiusᵏ < rest (0 < rest < 1); math.inf if there
    is none.

    Hint: take logarithms. Both are negative; what happens to < when one divides by such a number?
    """
    raise NotImplementedError(
        "k · log(radius) < log(rest). Mind the radius that is 1 or more, and the whole number that"
        " is asked for: 0.5 and 0.25 give 3, since 0.5² is not below 0.25."
    )


def clipped(gradients: list[np.ndarray], max_norm: float) -> list[np.ndarray]:
    """3. The gradients, all multiplied by one factor, so that their norm together is at most
    ``max_norm``. If it is not more, they stay as they are. The arrays that were given are not
    changed.

    Hint: the norm of all together is the root of the sum of all squares.
    """
    raise NotImplementedError(
        "One norm of all: np.sqrt(sum((g**2).sum() for g in gradients)). Then one factor, never"
        " above 1, for each."
    )


def scale_for(act: Callable[[tt.Tensor], tt.Tensor]) -> float:
    """4. The scale s for weights of standard deviation s/√n that keeps the length of a gradient on
    its way back through act(h @ w), if what act gets is normal, N(0, 1).

    The way back multiplies by act'(z) and then by wᵀ: the mean square of the gradient by
    s² · E[act'(z)²]. For a ReLU it gives √2, for the identity 1. Within 2 %.

    Hint: tt.grad of a sum gives act'(z) at many points at once. E is a mean over normal z, such as
    ``np.random.default_rng(0).normal(size=200_000)``.
    """
    raise NotImplementedError(
        "Draw many normal z, take the derivative of act(z).sum() by z, and from the mean of its"
        " squares the s for which s² times it is 1."
    )


def deep(x: tt.Tensor, weights: list[tt.Tensor]) -> tt.Tensor:
    """5. As many layers as there are weights (n, n), each of which adds something of tanh(h @ w) to
    h, so that for 100 layers of weights N(0, 1/n) the output and the gradient at x stay within a
    factor of 3 of what they are at one layer.

    Hint: a hundred additions of independent terms of size 1 make a sum of size √100. By what
    must each be divided? (GPT-2 begins with its residual weights divided so.)
    """
    raise NotImplementedError(
        "Loop over the weights: h = h + factor * tt.tanh(h @ w). Which factor, for L of them, keeps"
        " the sum of L variances at 1?"
    )
