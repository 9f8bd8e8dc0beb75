"""Complex numbers: conjugate, real and imaginary part.

A cotangent is here dL/dx − i dL/dy, for z = x + iy, the conjugate of the gradient that users see:
so the rule of every op that is a complex-differentiable function is the same as for real numbers,
and only functions of |z|, z̄, Re z and Im z say more. The engine turns one into the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .annotations import ArrayLike, Tensor
from .batching import elementwise
from .declared import op

__all__ = [
    "conj",
    "imag",
    "real",
]


@op
def conj(x: ArrayLike) -> Tensor:
    """The complex conjugate; of real numbers, themselves."""
    return np.conjugate(x)


@op
def real(x: ArrayLike) -> Tensor:
    """The real part."""
    return np.array(np.real(x))


@op
def imag(x: ArrayLike) -> Tensor:
    """The imaginary part; of real numbers, 0."""
    return np.array(np.imag(x))


conj.grad(x=lambda g: conj(g))
real.grad(x=lambda g: g)
imag.grad(x=lambda g: -1j * g)

for _op in (conj, real, imag):
    _op.batched(elementwise)


def conjugate_if_complex(x: Any) -> Any:
    """x̄, but for real numbers x itself, without a call."""
    return conj(x) if x.dtype.kind == "c" else x
