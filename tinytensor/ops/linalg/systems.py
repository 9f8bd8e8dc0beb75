"""Systems of equations: triangular ones, the LU factorisation, least squares, and what uses them.

What NumPy offers of LAPACK has no triangular solver and no LU factorisation. Both are done here in
blocks of columns, so that nearly all of the work is matrix products.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...dtypes import is_complex
from ...errors import DtypeError, ShapeError
from ...kernels.reference.promotion import promoting
from ..annotations import ArrayLike, Tensor
from ..arithmetic import abs, square
from ..batching import lanes_of, over_matrices, padded, rank
from ..checks import axis_index
from ..complex_numbers import conjugate_if_complex
from ..composed import composed, computed
from ..declared import op
from ..logic import equal, where
from ..matmul import matmul
from ..operands import operand
from ..reduction import sum
from ..shape import (
    astype,
    broadcast_to,
    concat,
    expand_dims,
    permute_dims,
    reshape,
    tril,
    triu,
)
from ..tensor_products import diagonal
from .factorisations import (
    cut_off,
    inv,
    of_pseudo_inverse,
    pinv,
    raise_if,
    singular_to_x,
    solve,
)
from .matrices import adjoint, as_matrices, of_gradients, put_on_diagonal

__all__ = [
    "cholesky_inverse",
    "cholesky_solve",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "lu_unpack",
    "solve_triangular",
    "tensorinv",
    "tensorsolve",
]

BLOCK = 64  # columns at a time: wide enough for products, narrow beside the matrices that wait


def check_pair(name: str, a: Any, b: Any, of_b: int = -2, square: bool = True) -> None:
    """An error unless b has matrices with a row (``of_b`` −2) for each row of those of a."""
    if a.ndim < 2 or b.ndim < 2 or (square and a.shape[-1] != a.shape[-2]):
        square_ones = "square matrices" if square else "matrices"
        raise ShapeError(f"{name}: needs {square_ones} and matrices: a is {a.shape}, b {b.shape}")
    if b.shape[of_b] != a.shape[-2]:
        raise ShapeError(f"{name}: sizes differ: a is {a.shape}, b {b.shape}")


def _over_pairs(op, args, mapped, static):
    """Two stacks of matrices, which broadcast: the lanes are one more axis of each stack."""
    ranks = [rank(x, o) for x, o in zip(args[:2], mapped, strict=False)]
    if any(mapped[2:]) or builtins.min(ranks) < 2:
        return NotImplemented
    ndim = builtins.max(ranks)
    pair = [padded(x, o, ndim) for x, o in zip(args[:2], mapped, strict=False)]
    return op(*pair, *args[2:], **static)


# --- Triangular systems ------------------------------------------------------------------------


def substituted(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """The x of a x = b by substitution, where a is triangular; ``unit``: with ones on its diagonal,
    whatever stands there."""
    n = a.shape[-1]
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.array(np.broadcast_to(b, (*stack, *b.shape[-2:])))
    starts = range(0, n, BLOCK)
    for start in reversed(starts) if upper else starts:
        rows = slice(start, start + BLOCK)
        known = slice(start + BLOCK, None) if upper else slice(0, start)
        if out[..., known, :].shape[-2]:
            out[..., rows, :] -= np.matmul(a[..., rows, known], out[..., known, :])
        block, right = a[..., rows, rows], out[..., rows, :]
        block = np.triu(block) if upper else np.tril(block)
        if unit:
            block[..., range(block.shape[-1]), range(block.shape[-1])] = 1
        if upper:  # of which elimination leaves nothing but substitution
            out[..., rows, :] = np.linalg.solve(block, right)
        else:  # an upper one from its other corner
            turned = np.linalg.solve(block[..., ::-1, ::-1], right[..., ::-1, :])
            out[..., rows, :] = turned[..., ::-1, :]
    return out


@op
@promoting(floating=True)
def _solve_triangular(a, b, upper, unitriangular):
    a = as_matrices("solve_triangular", a, square=True)
    check_pair("solve_triangular", a, b)
    return substituted(a, np.asarray(b, np.result_type(a, b)), upper, unitriangular)


def _triangular_to_a(g, a, b, out, upper, unitriangular):
    whole = -matmul(_solve_triangular(a.mT, g, not upper, unitriangular), out.mT)
    off = int(unitriangular)
    return triu(whole, off) if upper else tril(whole, -off)


_solve_triangular.batched(_over_pairs).grad(
    a=_triangular_to_a,
    b=lambda g, a, upper, unitriangular: _solve_triangular(a.mT, g, not upper, unitriangular),
)


@composed
def solve_triangular(
    a: ArrayLike, b: ArrayLike, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """The x of a x = b, or of x a = b if not ``left``, where a (…, n, n) is triangular; b is
    (…, n, k), or (…, k, n).

    Of a the upper triangle is read, or the lower; with ``unitriangular`` its diagonal counts as
    ones. An error if an element of the diagonal is 0. The gradient is triangular as a is.
    """
    b = operand("solve_triangular", b, a)
    check_pair("solve_triangular", a, b, -2 if left else -1)
    if left:
        return _solve_triangular(a, b, bool(upper), bool(unitriangular))
    return _solve_triangular(a.mT, b.mT, not upper, bool(unitriangular)).mT


@computed
def cholesky_solve(b: ArrayLike, factor: ArrayLike, upper: bool = False) -> Tensor:
    """The x of a x = b, where ``factor`` is the lower triangular L of a = L Lᴴ, or with ``upper``
    Lᴴ. The right sides b (…, n, k) come first, as in PyTorch."""
    factor = operand("cholesky_solve", factor, b)
    check_pair("cholesky_solve", factor, b)
    return _by_factor(b, factor, upper)


def _by_factor(b: Any, factor: Any, upper: bool) -> Any:
    lower = adjoint(factor) if upper else factor
    half = _solve_triangular(lower, b, False, False)
    return _solve_triangular(adjoint(lower), half, True, False)


@computed
def cholesky_inverse(factor: ArrayLike, upper: bool = False) -> Tensor:
    """The inverse of a = L Lᴴ from its Cholesky factor L, or with ``upper`` from Lᴴ."""
    check_pair("cholesky_inverse", factor, factor)
    return _by_factor(np.eye(factor.shape[-1], dtype=factor.dtype), factor, upper)


# --- LU ----------------------------------------------------------------------------------------


class LUFactorResult(NamedTuple):
    LU: Tensor
    pivots: Tensor


class LUFactorExResult(NamedTuple):
    LU: Tensor
    pivots: Tensor
    info: Tensor


class LUResult(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor


def _eliminated(x: np.ndarray, pivot: bool) -> tuple[np.ndarray, np.ndarray]:
    """L below the diagonal and U above of the stack x (b, m, n), and the exchanges of rows."""
    x, least = x.copy(), builtins.min(x.shape[-2:])
    every = np.arange(len(x))
    pivots = np.tile(np.arange(least), (len(x), 1))
    for start in range(0, least, BLOCK):
        stop = builtins.min(start + BLOCK, least)
        for j in range(start, stop):
            column = x[:, j:, j]
            if pivot:  # as LAPACK measures complex numbers
                sizes = np.abs(column.real) + np.abs(column.imag) if is_complex(x) else abs(column)
                pivots[:, j] = chosen = j + sizes.argmax(-1)
                x[every, chosen], x[:, j] = x[:, j].copy(), x[every, chosen]
            top = x[:, j, j, None]
            if pivot:  # what stands below 0 is 0 too
                top = np.where(top == 0, 1, top)
            x[:, j + 1 :, j] /= top
            x[:, j + 1 :, j + 1 : stop] -= x[:, j + 1 :, j, None] * x[:, j, None, j + 1 : stop]
        panel, rest = slice(start, stop), slice(stop, None)
        if stop < x.shape[-1]:
            x[:, panel, rest] = substituted(x[:, panel, panel], x[:, panel, rest], False, True)
            x[:, rest, rest] -= np.matmul(x[:, rest, panel], x[:, panel, rest])
    return x, pivots


@op(outputs=2)
def _lu_factor(x, pivot):
    x = as_matrices("lu_factor", x)
    with np.errstate(divide="ignore", invalid="ignore"):
        factors, pivots = _eliminated(x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:]), pivot)
    pivots = pivots.reshape(*x.shape[:-2], pivots.shape[-1])
    return factors.reshape(x.shape), (pivots + 1).astype(np.int32)


@op
def _permutation(pivots, size):
    """The matrix P of x = P L U, of truths, from the exchanges of rows."""
    stack = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    rows, every = np.tile(np.arange(size), (len(stack), 1)), np.arange(len(stack))
    for j, chosen in enumerate(stack.T - 1):
        rows[every, chosen], rows[:, j] = rows[:, j].copy(), rows[every, chosen]
    return rows.reshape(*pivots.shape[:-1], 1, size) == np.arange(size)[:, None]


def _over_rows(op, args, mapped, static):
    return op(*args)


def _parts(factors: Any) -> tuple[Any, Any]:
    """L and U of the one matrix that holds both."""
    rows, columns = factors.shape[-2:]
    least = builtins.min(rows, columns)
    lower = tril(factors[..., :, :least], -1) + np.eye(rows, least, dtype=factors.dtype)
    return lower, triu(factors[..., :least, :])


@of_gradients
def _lu_to_x(g, x, out, pivot):
    of_factors, (factors, pivots) = g[0], out
    rows, columns = x.shape[-2:]
    least = builtins.min(rows, columns)
    (lower, upper), of_upper = _parts(factors), triu(of_factors[..., :least, :])
    of_lower = tril(of_factors[..., :, :least], -1)
    square_l, square_u = lower[..., :least, :], upper[..., :, :least]
    # Where U is singular the derivative has no value, and says so.
    pivoted = diagonal(square_u)
    square_u = square_u + put_on_diagonal(where(equal(pivoted, 0), np.nan, 0 * pivoted))
    below = matmul(adjoint(square_l), of_lower[..., :least, :])
    above = matmul(of_upper[..., :, :least], adjoint(square_u))
    beside, under = of_upper[..., :, least:], of_lower[..., least:, :]
    # The columns and rows beyond the square are L⁻¹ Pᵀ x and x U⁻¹, so they depend on L and U too.
    if columns > least:
        below = below - matmul(beside, adjoint(upper[..., :, least:]))
    if rows > least:
        above = above - matmul(adjoint(lower[..., least:, :]), under)
    middle = _by_upper(tril(below, -1) + triu(above), square_u)
    whole = _by_lower(square_l, middle)
    if columns > least:
        whole = concat([whole, _by_lower(square_l, beside)], -1)
    if rows > least:
        whole = concat([whole, _by_upper(under, square_u)], -2)
    return matmul(astype(_permutation(pivots, rows), x.dtype), whole)


def _by_lower(lower, x):
    """L⁻ᴴ x."""
    return _solve_triangular(adjoint(lower), x, True, True)


def _by_upper(x, upper):
    """x U⁻ᴴ, for U Yᴴ = xᴴ."""
    return adjoint(_solve_triangular(upper, adjoint(x), True, False))


_lu_factor.grad(x=_lu_to_x).batched(over_matrices)
_lu_factor.__name__ = "lu_factor"
_permutation.batched(_over_rows)
_solve_triangular.__name__ = "solve_triangular"


@composed
def lu_factor(x: ArrayLike, pivot: bool = True) -> LUFactorResult:
    """The LU factorisation in the form that :func:`lu_solve` takes: L without its ones, and U, in
    one matrix; ``pivots`` (…, k) says with which row, counted from 1, each row was exchanged."""
    return LUFactorResult(*_lu_factor(x, bool(pivot)))


@composed
def lu_factor_ex(x: ArrayLike, pivot: bool = True, check_errors: bool = False) -> LUFactorExResult:
    """:func:`lu_factor`, and in ``info`` which element of U's diagonal, counted from 1, is the
    first that is 0; 0 if none is. With ``check_errors`` it is an error."""
    factors, pivots = _lu_factor(x, bool(pivot))
    info = _first_zero(diagonal(factors.detach()))
    raise_if("lu_factor_ex", check_errors, info)
    return LUFactorExResult(factors, pivots, info)


@op
def _first_zero(x):
    zeros = np.concatenate([x == 0, np.zeros((*x.shape[:-1], 1), bool)], -1)
    return np.asarray(np.where(zeros.any(-1), zeros.argmax(-1) + 1, 0), np.int32)


_first_zero.batched(_over_rows)


@composed
def lu(x: ArrayLike, pivot: bool = True) -> LUResult:
    """x = P L U: L (…, m, k) lower triangular with ones on its diagonal, U (…, k, n) upper
    triangular, k = min(m, n), and a permutation P (…, m, m), the unit matrix if not ``pivot``.

    >>> import tinytensor as tt
    >>> P, L, U = tt.linalg.lu(tt.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> P.tolist(), L.tolist(), U.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.25, 1.0]], [[4.0, 4.0], [0.0, 1.0]])
    """
    factors, pivots = _lu_factor(x, bool(pivot))
    return LUResult(astype(_permutation(pivots, x.shape[-2]), factors.dtype), *_parts(factors))


@composed
def lu_unpack(LU: ArrayLike, pivots: ArrayLike) -> LUResult:
    """P, L and U, as :func:`lu` gives them, from what :func:`lu_factor` gives."""
    pivots = operand("lu_unpack", pivots)
    least = builtins.min(LU.shape[-2:]) if LU.ndim > 1 else -1
    if pivots.dtype.kind not in "iu" or pivots.shape != (*LU.shape[:-2], least):
        shown = f"pivots {pivots.dtype} {pivots.shape}"
        raise ShapeError(f"lu_unpack: {shown} do not fit an LU of {LU.shape}")
    return LUResult(astype(_permutation(pivots, LU.shape[-2]), LU.dtype), *_parts(LU))


@computed
def lu_solve(
    LU: ArrayLike, pivots: ArrayLike, b: ArrayLike, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """The x of a x = b, or of x a = b if not ``left``, from :func:`lu_factor` of a; with
    ``adjoint``, of aᴴ x = b or x aᴴ = b. An error if a is singular."""
    b, pivots = operand("lu_solve", b, LU), operand("lu_solve", pivots)
    check_pair("lu_solve", LU, b, -2 if left else -1)
    if pivots.dtype.kind not in "iu" or pivots.shape != LU.shape[:-1]:
        wanted = f"integers of {LU.shape[:-1]}, not {pivots.dtype} of {pivots.shape}"
        raise DtypeError(f"lu_solve: pivots must be {wanted}")
    check_pair("lu_solve", LU, LU)
    (lower, upper), swapped = _parts(LU), astype(_permutation(pivots, LU.shape[-1]), LU.dtype)
    # x a = b is aᵀ xᵀ = bᵀ, and aᴴ x = b is aᵀ x̄ = b̄.
    b = b if left else b.mT
    b = conjugate_if_complex(b) if adjoint else b
    if bool(left) == bool(adjoint):
        half = _solve_triangular(upper.mT, b, False, False)
        out = matmul(swapped, _solve_triangular(lower.mT, half, True, True))
    else:
        half = _solve_triangular(lower, matmul(swapped.mT, b), False, True)
        out = _solve_triangular(upper, half, True, False)
    out = conjugate_if_complex(out) if adjoint else out
    return out if left else out.mT


# --- Least squares -----------------------------------------------------------------------------


class LstsqResult(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@op(outputs=3)
@promoting(floating=True)
def _lstsq(a, b, rcond):
    a = as_matrices("lstsq", a)
    (u, s, vh), _, least = cut_off("lstsq", a, rcond)
    kept = s > least
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(s.dtype)
    part = np.matmul(np.conj(np.swapaxes(u, -1, -2)), b)
    solution = np.matmul(np.conj(np.swapaxes(vh, -1, -2)), inverse[..., None] * part)
    return solution, np.asarray(np.count_nonzero(kept, axis=-1)), s


def _lstsq_to_a(g, a, b, rcond):
    of_solution, _, of_values = g
    inverse = pinv(a, rcond)
    whole = of_gradients(of_pseudo_inverse)(matmul(of_solution, b.mT), a, inverse)
    # A stack of a that b stretched has one set of singular values for all, and adds to them once.
    kept = (1,) * (whole.ndim - a.ndim) + tuple(a.shape)
    stretched = tuple(i for i, size in enumerate(whole.shape) if size != kept[i])
    whole = sum(whole, stretched, True) if stretched else whole
    return whole + singular_to_x(of_values, a)


def _lstsq_lanes(op, args, mapped, static):
    out = _over_pairs(op, args, mapped, static)
    if out is NotImplemented:
        return out
    solution, count, values = out  # what a alone decides has the axes of a alone
    a, lanes = args[0], lanes_of(args, mapped)
    stack = a.shape[:-2] if mapped[0] else (lanes, *a.shape[:-2])
    count, values = (
        x.reshape((*stack, *last)) if mapped[0] else broadcast_to(x, (*stack, *last))
        for x, last in ((count, ()), (values, values.shape[-1:]))
    )
    return solution, count, values


_lstsq.batched(_lstsq_lanes).grad(
    a=_lstsq_to_a, b=lambda g, a, rcond: matmul(pinv(a, rcond).mT, g[0])
)
_lstsq.__name__ = "lstsq"


@computed
def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, driver: str | None = None
) -> LstsqResult:
    """The x for which ‖a x − b‖ is least, and among several the shortest: a (…, m, n), b (m,) or
    (…, m, k).

    Also the ``residuals`` (…, k), Σ|a x − b|² of each column, where m > n (otherwise none: shape
    (0,)), and the rank and the singular values of a, of which those up to ``rcond`` times the
    largest (the dtype's epsilon times the longer side, if None) count as 0. It is solved by
    singular values; where one of LAPACK's drivers is named, no more is returned than it gives
    ("gels" no rank, and like "gelsy" no singular values). The gradient is that among matrices of
    one rank.
    """
    b = operand("lstsq", b, a)
    if driver not in (None, "gelsd", "gelss", "gelsy", "gels"):
        raise ValueError(f"lstsq: there is no driver {driver!r}")
    columns = expand_dims(b, -1) if b.ndim == 1 else b
    check_pair("lstsq", a, columns, square=False)
    solution, count, values = _lstsq(a, columns, rcond)
    residuals: Any = sum(square(abs(matmul(a, solution) - columns)), -2)
    if a.shape[-2] <= a.shape[-1]:
        residuals = residuals.reshape(-1)[:0]
    elif b.ndim == 1:
        residuals = residuals[..., 0]
    if driver in ("gels", "gelsy"):
        values = values.reshape(-1)[:0]
    if driver == "gels":
        count = count.reshape(-1)[:0]
    return LstsqResult(solution[..., 0] if b.ndim == 1 else solution, residuals, count, values)


# --- Systems of tensors ------------------------------------------------------------------------


@computed
def tensorinv(x: ArrayLike, ind: int = 2) -> Tensor:
    """The inverse of x as a matrix, whose rows are the axes before ``ind`` and whose columns are
    the others: ``tensordot(tensorinv(x, ind), b, ind)`` solves ``tensordot(x, y, y.ndim) = b``."""
    if not isinstance(ind, int) or ind < 1:
        raise ValueError(f"tensorinv: ind must be an integer of at least 1, not {ind!r}")
    rows, columns = tuple(x.shape[:ind]), tuple(x.shape[ind:])
    size = math.prod(rows)
    if size != math.prod(columns):
        raise ShapeError(f"tensorinv: {rows} and {columns}, the axes of {x.shape}, differ in size")
    return reshape(inv(reshape(x, (size, size))), columns + rows)


@computed
def tensorsolve(a: ArrayLike, b: ArrayLike, axes: int | Sequence[int] | None = None) -> Tensor:
    """The x of ``tensordot(a, x, x.ndim) = b``: a has the axes of b, and then those of x. The axes
    of a in ``axes`` are moved to its end before."""
    b = operand("tensorsolve", b, a)
    if axes is not None:
        last = [axis_index("tensorsolve", axis, a.ndim) for axis in np.atleast_1d(axes)]
        a = permute_dims(a, (*(i for i in range(a.ndim) if i not in last), *last))
    of_x = tuple(a.shape[b.ndim :])
    if math.prod(of_x) != b.size or math.prod(a.shape[: b.ndim]) != b.size:
        raise ShapeError(f"tensorsolve: a {a.shape} is no square matrix beside b {b.shape}")
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), of_x)
