"""Functions of matrices that factorise nothing: exponentials, chains of products, reflections."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import ShapeError
from ..annotations import ArrayLike, Tensor
from ..batching import over_matrices
from ..complex_numbers import conjugate_if_complex
from ..composed import composed, computed, in_own_name
from ..declared import op
from ..elementary import pow
from ..matmul import matmul
from ..operands import operand
from ..precision import once_rounded
from ..shape import concat, expand_dims, tril, triu
from .matrices import adjoint, as_matrices
from .systems import solve_triangular

__all__ = [
    "geqrf",
    "householder_product",
    "matrix_exp",
    "multi_dot",
    "ormqr",
    "vander",
]

# Padé approximants of the exponential (Higham, 2005) by the bytes of a number: up to which 1-norm
# one is exact to rounding, and its coefficients (2m − j)! m! / ((2m)! j! (m − j)!), whole numbers.
# fmt: off
_PADE = {
    4: (3.925724783138660, (
        17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1)),
    8: (5.371920351148152, (
        64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
        10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)),
}
# fmt: on


@op
def matrix_exp(x: ArrayLike) -> Tensor:
    """eˣ = Σ xᵏ / k! of each square matrix, by scaling and squaring (Higham, 2005). NaN for a
    matrix that is not finite.

    The gradient is a block of the exponential of a matrix of twice the size (Mathias, 1996).
    """
    x = as_matrices("matrix_exp", x, square=True)
    reach, coefficients = _PADE[x.dtype.itemsize // (2 if x.dtype.kind == "c" else 1)]
    size = np.abs(x).sum(-2).max(-1, initial=0)[..., None, None]
    finite = np.isfinite(size)
    halvings = np.ceil(np.log2(np.where(finite & (size > reach), size / reach, 1))).astype(int)
    x = np.where(finite, x, 0) * np.exp2(-halvings).astype(size.dtype)
    squared, power = np.matmul(x, x), np.eye(x.shape[-1], dtype=x.dtype)
    odd = even = np.zeros_like(x)
    for i in range(0, len(coefficients), 2):
        even = even + coefficients[i] / coefficients[0] * power
        odd = odd + coefficients[i + 1] / coefficients[0] * power
        power = np.matmul(power, squared) if i else squared
    odd = np.matmul(x, odd)
    out = np.linalg.solve(even - odd, even + odd)
    with np.errstate(over="ignore", invalid="ignore"):
        for turn in range(halvings.max(initial=0)):
            out = np.where(turn < halvings, np.matmul(out, out), out)
    return np.where(finite, out, np.nan)


def _matrix_exp_to_x(g, x):
    n = x.shape[-1]
    above = concat([x.mT, g], -1)
    below = concat([np.zeros(x.shape, x.dtype), x.mT], -1)
    return matrix_exp(concat([above, below], -2))[..., :n, n:]


matrix_exp.batched(over_matrices).grad(x=_matrix_exp_to_x)


@once_rounded
@in_own_name
def multi_dot(arrays: Sequence[ArrayLike]) -> Tensor:
    """The product of two or more matrices, in the order that takes the fewest multiplications. The
    first may be a vector, which is a row, and the last one, which is a column.

    >>> import tinytensor as tt
    >>> tt.linalg.multi_dot([tt.ones((9, 2)), tt.ones((2, 9)), tt.ones(9)]).shape
    (9,)
    """
    try:
        chain = [operand("multi_dot", x, *arrays) for x in arrays]
    except ValueError as error:
        raise ShapeError(f"multi_dot: an operand is no array: {error}") from error
    shapes = [tuple(x.shape) for x in chain]
    ends = (0, len(chain) - 1)
    if len(chain) < 2 or any(
        len(shape) != 2 and not (len(shape) == 1 and i in ends) for i, shape in enumerate(shapes)
    ):
        raise ShapeError(f"multi_dot: needs matrices, or vectors at the ends, not {shapes}")
    first, last = chain[0].ndim == 1, chain[-1].ndim == 1
    chain[0] = expand_dims(chain[0], 0) if first else chain[0]
    chain[-1] = expand_dims(chain[-1], 1) if last else chain[-1]
    sizes = [x.shape[0] for x in chain] + [chain[-1].shape[1]]
    if any(x.shape[1] != size for x, size in zip(chain, sizes[1:], strict=True)):
        raise ShapeError(f"multi_dot: inner sizes differ: {shapes}")
    out = _product(chain, _best_cuts(sizes), 0, len(chain) - 1)
    out = out[0] if first else out
    return out[..., 0] if last else out


def _best_cuts(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Behind which factor the product of the factors i to j is best cut in two."""
    count = len(sizes) - 1
    cost, cuts = {(i, i): 0 for i in range(count)}, {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], cuts[i, j] = builtins.min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return cuts


def _product(chain: list[Any], cuts: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return chain[i]
    cut = cuts[i, j]
    return matmul(_product(chain, cuts, i, cut), _product(chain, cuts, cut + 1, j))


@computed
def vander(x: ArrayLike, N: int | None = None) -> Tensor:
    """out[…, j] = xʲ for j below N (the length of x's last axis, if None): powers ascend, as
    in PyTorch's ``linalg.vander``.

    >>> import tinytensor as tt
    >>> tt.linalg.vander(tt.tensor([2, 3]), 3)
    tensor([[1, 2, 4],
            [1, 3, 9]])
    """
    x = x if x.ndim else x.reshape(1)
    count = N if N is not None else x.shape[-1]
    if N is not None and N < 1:
        raise ShapeError(f"vander: N must be at least 1, not {N}, for an x of {x.shape}")
    return pow(expand_dims(x, -1), np.arange(count, dtype=np.int64))


class GeqrfResult(NamedTuple):
    a: Tensor
    tau: Tensor


@op(outputs=2)
def _geqrf(x):
    found, tau = np.linalg.qr(as_matrices("geqrf", x), "raw")
    return np.ascontiguousarray(np.swapaxes(found, -1, -2)), tau


_geqrf.__name__ = "geqrf"
_geqrf.batched(over_matrices)


@composed
def geqrf(x: ArrayLike) -> GeqrfResult:
    """The factorisation x = Q R as LAPACK has it: R on and above the diagonal of ``a``, and below
    it, with ``tau``, what :func:`householder_product` and :func:`ormqr` make Q of. It has no
    gradient; :func:`qr` has."""
    return GeqrfResult(*_geqrf(x))


def _reflected(v: Any, tau: Any, x: Any, adjoined: bool) -> Any:
    """H₁ H₂ … H_k x, or its adjoint times x, for H_i = 1 − tau_i v_i v_iᴴ: it is 1 − V T Vᴴ for one
    triangular T (Schreiber and Van Loan, 1989), T = D (1 + S)⁻¹, where D has tau on its diagonal
    and S what is above that of Vᴴ V D."""
    vh, scales = adjoint(v), expand_dims(tau, -1)
    between = triu(matmul(vh, v), 1) * expand_dims(tau, -2)
    part = matmul(vh, x)
    if adjoined:
        part = conjugate_if_complex(scales) * part
        part = solve_triangular(adjoint(between), part, upper=False, unitriangular=True)
    else:
        part = scales * solve_triangular(between, part, upper=True, unitriangular=True)
    return x - matmul(v, part)


def _reflections(name: str, x: Any, tau: Any) -> Any:
    """The vectors v_i as columns, from what stands below the diagonal of x."""
    if x.ndim < 2 or (name == "householder_product" and x.shape[-2] < x.shape[-1]):
        raise ShapeError(f"{name}: x needs as many rows as columns, not {x.shape}")
    most = builtins.min(x.shape[-2:])
    if tau.shape[:-1] != x.shape[:-2] or tau.ndim < 1 or tau.shape[-1] > most:
        raise ShapeError(f"{name}: tau {tau.shape} does not fit an x of {x.shape}")
    count = tau.shape[-1]
    return tril(x[..., :count], -1) + np.eye(x.shape[-2], count, dtype=x.dtype)


@computed
def householder_product(x: ArrayLike, tau: ArrayLike) -> Tensor:
    """The first n columns of H₁ H₂ … H_k, where H_i = 1 − tau_i v_i v_iᴴ: x (…, m, n), m ≥ n, holds
    below its diagonal what stands below the 1 of v_i; tau (…, k), k ≤ n. So :func:`geqrf` tells
    the Q of Q R."""
    tau = operand("householder_product", tau, x)
    v = _reflections("householder_product", x, tau)
    return _reflected(v, tau, np.eye(*x.shape[-2:], dtype=x.dtype), False)


@computed
def ormqr(
    x: ArrayLike, tau: ArrayLike, other: ArrayLike, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q ``other``, or ``other`` Q if not ``left``, with Qᴴ for Q if ``transpose``; Q (m, m) is the
    product of reflections that :func:`householder_product` makes of x and tau. Q is not formed."""
    tau, other = operand("ormqr", tau, x), operand("ormqr", other, x)
    v = _reflections("ormqr", x, tau)
    if other.ndim < 2 or other.shape[-2 if left else -1] != x.shape[-2]:
        raise ShapeError(f"ormqr: other {other.shape} does not fit an x of {x.shape}")
    if left:
        return _reflected(v, tau, other, bool(transpose))
    return adjoint(_reflected(v, tau, adjoint(other), not transpose))
