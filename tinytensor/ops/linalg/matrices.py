"""What the functions of matrices share: their checks, transposes and diagonals."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ...dtypes import get_default_dtype, is_floating
from ...errors import LinAlgError, ShapeError
from ..complex_numbers import conjugate_if_complex
from ..shape import expand_dims


def adjoint(x: Any) -> Any:
    """xᴴ, the conjugate transpose."""
    return conjugate_if_complex(x.mT)


def of_gradients(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that is written for gradients, dL/dx + i dL/dy, as the literature has them, as one for
    cotangents, which are their conjugates."""

    def conjugated(g: Any) -> Any:
        return (
            tuple(conjugated(one) for one in g) if isinstance(g, tuple) else conjugate_if_complex(g)
        )

    @wraps(rule)
    def of_cotangents(g: Any, *args: Any) -> Any:
        return conjugated(rule(conjugated(g), *args))

    return of_cotangents


def as_matrices(name: str, x: Any, square: bool = False) -> np.ndarray:
    """``x`` as a stack of matrices of floating point numbers."""
    x = np.asarray(x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(f"{name}: needs {'square ' * square}matrices, but is given {x.shape}")
    return x if is_floating(x) else x.astype(get_default_dtype())


def finite_matrices(name: str, x: Any, square: bool = False) -> np.ndarray:
    """The same of finite numbers. LAPACK's iterations need not end where there are others."""
    x = as_matrices(name, x, square)
    if not np.isfinite(x).all():
        raise LinAlgError(f"{name}: would not converge: x, {x.shape}, is not finite")
    return x


def hermitian_part(x: Any) -> Any:
    """(x + xᴴ) / 2: x itself, if it is symmetric or Hermitian, as it has to be."""
    return 0.5 * x + 0.5 * np.conj(np.swapaxes(x, -1, -2))


def put_on_diagonal(x: Any) -> Any:
    """Matrices with the elements of x on their diagonals and 0 elsewhere."""
    return expand_dims(x, -1) * np.eye(x.shape[-1], dtype=bool)


def per_matrix(x: Any) -> Any:
    """A number for each matrix of a stack, in the shape that multiplies matrices."""
    return expand_dims(expand_dims(x, -1), -1)
