"""Complex numbers: conjugate, real and imaginary part.

A cotangent is here dL/dx − i dL/dy, for z = x + iy, the conjugate of the gradient that users see:
so the rule of every op that is a complex-differentiable function is the same as for real numbers,
and only functions of |z|, z̄, Re z and Im z say more. The engine turns one into the other.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..dtypes import COMPLEX_OF
from ..kernels.reference.checks import of_real_numbers
from ..kernels.reference.promotion import mixing
from .annotations import ArrayLike, Tensor
from .batching import elementwise
from .declared import op

__all__ = [
    "complex",
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


@op
def complex(real: ArrayLike, imag: ArrayLike) -> Tensor:
    """real + i imag, of two real tensors that broadcast, of the dtype that holds both. Gradient:
    the real part of g, and the imaginary part.

    >>> import tinytensor as tt
    >>> tt.complex(tt.tensor([1.0, 2.0]), tt.tensor([0.0, -1.0]))
    tensor([1.+0.j, 2.-1.j], dtype=complex64)
    """
    return _complex(real, imag)


@partial(mixing, floating=True)
@of_real_numbers
def _complex(real, imag):
    dtype = COMPLEX_OF.get(np.result_type(real, imag), np.dtype(np.complex64))
    out = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), dtype)
    out.real, out.imag = real, imag
    return out


conj.grad(x=lambda g: conj(g))
real.grad(x=lambda g: g)
imag.grad(x=lambda g: -1j * g)
complex.grad(real=lambda g: real(g), imag=lambda g: -imag(g))

for _op in (complex, conj, real, imag):
    _op.batched(elementwise)


def conjugate_if_complex(x: Any) -> Any:
    """x̄, but for real numbers x itself, without a call."""
    return conj(x) if x.dtype.kind == "c" else x
