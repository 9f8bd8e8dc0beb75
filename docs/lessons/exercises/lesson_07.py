"""Exercises of lesson 7, Jacobians: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_07
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinytensor as tt

Function = Callable[[tt.Tensor], tt.Tensor]


def jacobian_by_hand(x: float, y: float) -> np.ndarray:
    """1. The Jacobian of f(x, y) = (x·y, sin x, y²), as an ndarray of three rows and two columns.

    Hint: a row is the gradient of one output.
    """
    raise NotImplementedError(
        "Three outputs, three rows. The first is the gradient of x·y, which is (y, x). np.array of"
        " the three rows."
    )


def jacobian_by_rows(f: Function, x: tt.Tensor) -> np.ndarray:
    """2. The Jacobian of f, from a vector of n numbers to one of m, at x: an ndarray (m, n).

    By tt.func.vjp, of which one call is enough; f runs once.
    Hint: pullback(v)[0] is Jᵀv. Which v picks row i?
    """
    raise NotImplementedError(
        "out, pullback = tt.func.vjp(f, x). With v = (0, …, 1, …, 0) the pullback is a single row."
        " np.eye(m) has all these v for its rows. Stack what comes back."
    )


def forward(f: Function, x: tt.Tensor, t: tt.Tensor) -> tt.Tensor:
    """3. J t, the change of f along t, at x: by two calls of tt.grad, and nothing of tt.func.

    Hint: x.detach().requires_grad_() is a leaf to start from. The dummy v has the shape and the
    dtype of f's output.
    """
    raise NotImplementedError(
        "First p = Jᵀv for a dummy v that wants a gradient, with create_graph=True, so that p is"
        " recorded. Then pull t back through p: by which variable?"
    )


def hessian_times(f: Function, x: tt.Tensor, t: tt.Tensor) -> tt.Tensor:
    """4. H t, for f with one output: by two calls of tt.grad, and nothing of tt.func.

    Hint: H is the Jacobian of the gradient, and symmetric.
    """
    raise NotImplementedError(
        "The first call gives the gradient, recorded (create_graph=True). The second one pulls t"
        " back through it, by x."
    )


def sharpest(f: Function, x: tt.Tensor, steps: int, rng: np.random.Generator) -> float:
    """5. The eigenvalue of the Hessian of f at x that is largest in size, with its sign, by the
    power method with tt.func.hvp.

    Hint: the length of H t, for t of length 1, tells the size. What tells the sign, too?
    """
    raise NotImplementedError(
        "Begin with a random t of length 1. Again and again t = H t, divided by its length. At the"
        " end t is an eigenvector, H t = λ t: how do you get λ from t and H t?"
    )
