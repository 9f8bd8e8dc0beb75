"""Exercises of lesson 4, bilinear maps: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_04

Arrays are NumPy's here. ``g`` is always dL/d(output), in the output's shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def matmul_gradients(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1. The output was a @ b, all matrices. (dL/da, dL/db).

    Hint: Φ = Σ g[i, j] a[i, k] b[k, j]. Leave a out: which indices remain, and which is summed?
    """
    raise NotImplementedError(
        "By a[i, k] there remains Σ_j g[i, j] b[k, j]. In a matrix product the summed index stands"
        " inside, so one of the two must be transposed: which?"
    )


def is_adjoint(
    forward: Callable[[np.ndarray], np.ndarray],
    backward: Callable[[np.ndarray], np.ndarray],
    x_shape: tuple[int, ...],
    rng: np.random.Generator,
) -> bool:
    """2. Whether ``backward`` is the adjoint of the linear map ``forward``, as far as a random x of
    ``x_shape`` and a random g can tell.

    Hint: g has the shape of forward(x). Floats are rounded, so compare with np.isclose.
    """
    raise NotImplementedError(
        "Draw x = rng.normal(size=x_shape), and g of the shape of forward(x). Two numbers must"
        " agree: the inner product of g with forward(x), and that of backward(g) with x."
    )


def conv1d_gradients(g: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """3. The output was out[y] = Σ_r x[y + r] · w[r], all of one axis. (dL/dx, dL/dw).

    Hint: two loops, over y and over r, in which three numbers meet, serve both gradients.
    """
    raise NotImplementedError(
        "Begin with zeros for both. For each y and r the output had the term x[y + r] · w[r], and"
        " it counts g[y] times. What does that term add to dL/dx[y + r], and what to dL/dw[r]?"
    )


def patches(x: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(Given.) All patches of an image (H, W), of shape (H - rows + 1, W - columns + 1, rows,
    columns)."""
    return np.lib.stride_tricks.sliding_window_view(x, (rows, columns))


def patches_adjoint(g: np.ndarray) -> np.ndarray:
    """4. The adjoint of ``patches``: from g of the shape (Y, X, R, S) an image of the shape
    (Y + R - 1, X + S - 1).

    Hint: patches copies. Pixel (y + r, x + s) went to place (y, x, r, s), for many of these. A loop
    over r and s is enough; over y and x slices do it.
    """
    raise NotImplementedError(
        "Each pixel was copied into several patches, and the adjoint of copying is … For fixed (r,"
        " s) the numbers g[:, :, r, s] belong to the pixels [r : r + Y, s : s + X]."
    )


def einsum_gradients(
    subscripts: str, g: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """5. The output was np.einsum(subscripts, a, b), say of "ik,kj->ij". (dL/da, dL/db).

    No letter stands twice in one operand. But one may stand in a alone, as i in "ij,jk->k": it was
    summed up, and the gradient is the same along it.
    Hint: leave one out; a letter that the others lack needs an array of ones with that letter.
    """
    raise NotImplementedError(
        'Split "ik,kj->ij" into its three groups of letters. dL/da is an einsum again, from the'
        " output's letters and b's to a's. First do it for letters that the others have; then hand"
        " in np.ones of the sizes of the lonely ones as a third operand."
    )
