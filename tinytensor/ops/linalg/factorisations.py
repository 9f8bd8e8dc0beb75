"""Inverses, determinants, factorisations, eigenvalues and singular values.

Where a gradient depends on an arbitrary choice (the phases of complex singular vectors) there is an
error.
"""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from ...dtypes import is_complex
from ...engine.core import GraphError
from ...engine.operation import Op
from ...errors import LinAlgError, ShapeError
from ...kernels.reference.promotion import promoting
from ..annotations import ArrayLike, Tensor
from ..batching import over_matrices, padded, rank
from ..checks import integer
from ..complex_numbers import conj, imag, real
from ..composed import composed, computed
from ..declared import op
from ..elementary import atan2
from ..indexing import advanced_index
from ..logic import equal, less, logical_and, where
from ..matmul import matmul
from ..operands import operand
from ..shape import broadcast_to, clone, concat, expand_dims, tril, triu
from ..tensor_products import diagonal
from .matrices import (
    adjoint,
    as_matrices,
    finite_matrices,
    hermitian_part,
    of_gradients,
    per_matrix,
    put_on_diagonal,
)

__all__ = [
    "cholesky",
    "cholesky_ex",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "inv_ex",
    "logdet",
    "matrix_power",
    "matrix_rank",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
]


# --- Inverses and determinants ----------------------------------------------------------------


@op
@promoting(floating=True)
def _solve(a, b):
    return np.linalg.solve(as_matrices("solve", a, square=True), b)


def _transposed_solve(g, a, b):
    """Where b is a vector, g is one for each matrix."""
    return _solve(a.mT, g) if b.ndim > 1 else _solve(a.mT, expand_dims(g, -1))[..., 0]


def _solve_to_a(g, a, b, out):
    right = _transposed_solve(g, a, b)
    if b.ndim > 1:
        return -matmul(right, out.mT)
    return -(expand_dims(right, -1) * expand_dims(out, -2))


def _solve_lanes(op, args, mapped, static):
    (a, b), (of_a, of_b) = args, (rank(x, o) for x, o in zip(args, mapped, strict=True))
    if of_a < 2 or of_b < 1:
        return NotImplemented
    b = expand_dims(b, -1) if of_b == 1 else b
    ndim = builtins.max(of_a, of_b)
    out = _solve(padded(a, mapped[0], ndim), padded(b, mapped[1], ndim))
    return out[..., 0] if of_b == 1 else out


_solve.batched(_solve_lanes).grad(a=_solve_to_a, b=_transposed_solve)


@composed
def solve(a: ArrayLike, b: ArrayLike, left: bool = True) -> Tensor:
    """The x of a x = b, or of x a = b if not ``left``: a (…, n, n), b (n,) or (…, n, k), or
    (…, k, n). An error if a is singular."""
    if left:
        return _solve(a, b)
    b = operand("solve", b, a)
    if a.ndim < 2 or b.ndim < 2:
        raise ShapeError(f"solve: needs matrices if not left: a is {a.shape}, b {b.shape}")
    return _solve(a.mT, b.mT).mT


def raise_if(name: str, check_errors: bool, info: Any) -> None:
    """An error where ``info`` tells of a matrix that has no result, if that is asked for."""
    if check_errors and not info.level and info.value.any():
        raise LinAlgError(f"{name}: no result for some matrices: info is {info.value.tolist()}")


@op
def inv(x: ArrayLike) -> Tensor:
    """x⁻¹. An error if x is singular."""
    return np.linalg.inv(as_matrices("inv", x, square=True))


inv.grad(x=lambda g, out: -matmul(out.mT, matmul(g, out.mT)))


def _one_by_one(found, x, why):
    """``found(x)`` of a stack x, and 0 for each matrix; where that fails, of one matrix at a time:
    NaN and ``why(matrix)``, a number above 0, for those of which it has no result."""
    try:
        return found(x), np.zeros(x.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        if x.ndim == 2:
            return np.full_like(x, np.nan), np.asarray(why(x), np.int32)
    outputs = [_one_by_one(found, one, why) for one in x.reshape(-1, *x.shape[-2:])]
    made, failed = (np.stack(column) for column in zip(*outputs, strict=True))
    return made.reshape(x.shape), failed.reshape(x.shape[:-2])


class InvExResult(NamedTuple):
    inverse: Tensor
    info: Tensor


@op(outputs=2)
def _inv_ex(x):
    x = as_matrices("inv_ex", x, square=True)
    return _one_by_one(np.linalg.inv, x, lambda one: 1)


_inv_ex.grad(x=lambda g, out: -matmul(out[0].mT, matmul(g[0], out[0].mT)))


@composed
def inv_ex(x: ArrayLike, check_errors: bool = False) -> InvExResult:
    """x⁻¹ without an error: ``info`` is 0 for each matrix that has an inverse, and 1 where it has
    none, and NaN stands for it. With ``check_errors`` it is an error after all.

    >>> import tinytensor as tt
    >>> tt.linalg.inv_ex(tt.tensor([[[2.0]], [[0.0]]])).info
    tensor([0, 1], dtype=int32)
    """
    found = InvExResult(*_inv_ex(x))
    raise_if("inv_ex", check_errors, found.info)
    return found


@op
def det(x: ArrayLike) -> Tensor:
    """The determinant. The gradient, of cofactors, is right for singular matrices too; a higher
    derivative makes the n² minors of such."""
    return np.linalg.det(as_matrices("det", x, square=True))


def _all_but_one(n):
    """For each of n indices, the others."""
    return np.array([[j for j in range(n) if j != i] for i in range(n)], int).reshape(n, -1)


@op
def _cofactors(x):
    """The matrix of cofactors, det(x) x⁻ᵀ where there is an inverse, from singular values."""
    u, s, vh = np.linalg.svd(finite_matrices("det", x, square=True))
    products = s[..., _all_but_one(s.shape[-1])].prod(-1)
    factors = np.matmul(u * products[..., None, :], vh)
    return (np.linalg.det(u) * np.linalg.det(vh))[..., None, None] * np.conj(factors)


def _signed_minors(x):
    """The cofactors as what they are by definition: polynomials, which singular matrices and
    repeated singular values do not disturb."""
    kept = _all_but_one(x.shape[-1])
    minors = advanced_index(x, (..., kept[:, None, :, None], kept[None, :, None, :]))
    i = np.arange(x.shape[-1])
    return det(minors) * np.where((i[:, None] + i) % 2, -1, 1).astype(x.dtype)


_cofactors.defined_by(_signed_minors)


def _det_to_x(g, x, out):
    regular = np.all(np.asarray(out.value) != 0)
    return per_matrix(g) * (per_matrix(out) * inv(x).mT if regular else _cofactors(x))


det.grad(x=_det_to_x)


class SlogdetResult(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


@op(outputs=2)
def _slogdet(x):
    found = np.linalg.slogdet(as_matrices("slogdet", x, square=True))
    return found.sign, found.logabsdet


def _slogdet_to_x(g, x, out):
    of_sign, of_logarithm = g
    factor = of_logarithm
    if is_complex(x):
        factor = of_logarithm + 1j * imag(of_sign * out[0])
    return per_matrix(factor) * inv(x).mT


_slogdet.grad(x=_slogdet_to_x)


@composed
def slogdet(x: ArrayLike) -> SlogdetResult:
    """The determinant as its sign (or phase) and the logarithm of its absolute value."""
    return SlogdetResult(*_slogdet(x))


@computed
def logdet(x: ArrayLike) -> Tensor:
    """The logarithm of the determinant: NaN where a real one is negative, −∞ where it is 0; of
    complex numbers the principal one."""
    phase, logarithm = _slogdet(x)
    if is_complex(x):
        return logarithm + 1j * atan2(imag(phase), real(phase))
    return where(less(phase, 0), math.nan, logarithm)


def cut_off(name, x, rtol, atol=None, hermitian=False):
    """The parts of each matrix, its singular values, and up to where these count as 0: the larger
    of ``atol`` and ``rtol`` times the largest, each a number or one for each matrix."""
    for what, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not (np.asarray(value) >= 0).all():  # NaN, too
            raise ValueError(f"{name}: {what} must be at least 0, not {value!r}")
    if rtol is None:
        rtol = builtins.max(x.shape[-2:]) * np.finfo(x.dtype).eps
        rtol = rtol if atol is None else np.where(np.asarray(atol) > 0, 0, rtol)
    x = finite_matrices(name, x)
    parts = np.linalg.eigh(x) if hermitian else np.linalg.svd(x, full_matrices=False)
    s = np.abs(parts[0]) if hermitian else parts[1]
    least = np.asarray(rtol) * s.max(-1, initial=0)
    least = least if atol is None else np.maximum(least, atol)
    if least.shape != x.shape[:-2]:
        least = np.broadcast_to(least, x.shape[:-2])
    return parts, s, least.astype(s.dtype)[..., None]


def _of_rank(name, x, hermitian):
    """``x`` as matrices, square and their own Hermitian parts if that is said of them."""
    x = as_matrices(name, x, square=bool(hermitian))
    return hermitian_part(x) if hermitian else x


@op
def pinv(
    x: ArrayLike,
    rtol: ArrayLike | None = None,
    hermitian: bool = False,
    atol: ArrayLike | None = None,
) -> Tensor:
    """The pseudo-inverse. Singular values up to the larger of ``atol`` and ``rtol`` times the
    largest count as 0: numbers, or one for each matrix. Without both, ``rtol`` is the dtype's
    epsilon times the longer side; beside an ``atol`` above 0 it is 0.

    ``hermitian``: of x its Hermitian part is taken, and eigenvalues are as good as singular ones.
    The gradient is that among matrices of one rank (Golub and Pereyra, 1973).
    """
    x = _of_rank("pinv", x, hermitian)
    parts, s, least = cut_off("pinv", x, rtol, atol, hermitian)
    none = s <= least
    if hermitian:
        values, u = parts
        vh = np.conj(np.swapaxes(u, -1, -2))
    else:
        u, values, vh = parts
    inverse = np.where(none, 0, 1 / np.where(none, 1, values)).astype(values.dtype)
    left = np.conj(np.swapaxes(vh, -1, -2)) * inverse[..., None, :]
    return np.matmul(left, np.conj(np.swapaxes(u, -1, -2)))


@of_gradients
def _pinv_to_x(g, x, out, hermitian):
    x = 0.5 * (x + adjoint(x)) if hermitian else x
    whole = of_pseudo_inverse(g, x, out)
    return 0.5 * (whole + adjoint(whole)) if hermitian else whole


def of_pseudo_inverse(g, x, p):
    """The gradient of x from that of its pseudo-inverse p."""
    gh, ph = adjoint(g), adjoint(p)
    left = matmul(gh, matmul(p, ph))
    right = matmul(matmul(ph, p), gh)
    return (
        left
        - matmul(x, matmul(p, left))
        + right
        - matmul(matmul(right, p), x)
        - matmul(ph, matmul(g, ph))
    )


pinv.grad(x=_pinv_to_x)


@op
def matrix_rank(
    x: ArrayLike,
    rtol: ArrayLike | None = None,
    hermitian: bool = False,
    atol: ArrayLike | None = None,
) -> Tensor:
    """How many singular values are above the larger of ``atol`` and ``rtol`` times the largest;
    arguments as of :func:`pinv`."""
    x = _of_rank("matrix_rank", x, hermitian)
    _, s, least = cut_off("matrix_rank", x, rtol, atol, hermitian)
    return np.asarray(np.count_nonzero(s > least, axis=-1))


@computed
def matrix_power(x: ArrayLike, n: int) -> Tensor:
    """x multiplied by itself n times, by repeated squaring; for a negative n, x⁻¹."""
    as_matrices("matrix_power", np.broadcast_to(np.zeros((), x.dtype), x.shape), square=True)
    n = integer("matrix_power", "n", n)
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        return clone(broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape))
    out = None
    while n:
        if n % 2:
            out = x if out is None else matmul(out, x)
        n //= 2
        if n:
            x = matmul(x, x)
    return clone(out)


# --- Factorisations --------------------------------------------------------------------------


@op
def cholesky(x: ArrayLike, upper: bool = False) -> Tensor:
    """The lower triangular L of x = L Lᴴ, for a positive definite x; with ``upper``, Lᴴ.

    Of x its Hermitian part is taken, so the gradient is Hermitian.
    """
    return np.linalg.cholesky(hermitian_part(as_matrices("cholesky", x, square=True)), upper=upper)


@of_gradients
def _cholesky_to_x(g, out, upper):
    if upper:
        g, out = adjoint(g), adjoint(out)
    inverse = inv(out)
    middle = matmul(adjoint(out), tril(g))
    middle = tril(middle, -1) + put_on_diagonal(0.5 * real(diagonal(middle)))
    whole = matmul(adjoint(inverse), matmul(middle, inverse))
    return 0.5 * (whole + adjoint(whole))


cholesky.grad(x=_cholesky_to_x)


class CholeskyExResult(NamedTuple):
    L: Tensor
    info: Tensor


@op(outputs=2)
def _cholesky_ex(x, upper):
    x = hermitian_part(as_matrices("cholesky_ex", x, square=True))
    return _one_by_one(lambda x: np.linalg.cholesky(x, upper=upper), x, _first_indefinite)


def _first_indefinite(x):
    """The order of the first leading minor of x that is not positive definite."""
    for order in range(1, len(x) + 1):
        try:
            np.linalg.cholesky(x[:order, :order])
        except np.linalg.LinAlgError:
            break
    return order


_cholesky_ex.grad(x=lambda g, out, upper: _cholesky_to_x(g[0], out[0], upper))


@composed
def cholesky_ex(x: ArrayLike, upper: bool = False, check_errors: bool = False) -> CholeskyExResult:
    """:func:`cholesky` without an error: where a matrix is not positive definite, ``info`` is the
    order of its first leading minor that is not, and NaN stands for L; otherwise it is 0. With
    ``check_errors`` it is an error after all."""
    found = CholeskyExResult(*_cholesky_ex(x, bool(upper)))
    raise_if("cholesky_ex", check_errors, found.info)
    return found


class QRResult(NamedTuple):
    Q: Tensor
    R: Tensor


@op(outputs=2)
def _qr(x, complete):
    x = as_matrices("qr", x)
    return tuple(np.linalg.qr(x, "complete" if complete else "reduced"))


@of_gradients
def _qr_to_x(g, x, out, complete):
    (gq, gr), (q, r) = g, out
    rows, columns = x.shape[-2:]
    if complete and rows > columns:
        check_unused("qr", 'mode="reduced"', gq[..., columns:])
        gq, gr, q, r = (
            gq[..., :columns],
            gr[..., :columns, :],
            q[..., :columns],
            r[..., :columns, :],
        )
    if rows < columns:  # x = [A, B] with A = Q R₁ and R = [R₁, Qᴴ B]
        beyond = gr[..., rows:]
        gq = gq + matmul(x[..., rows:], adjoint(beyond))
        first = _qr_square(gq, gr[..., :rows], q, r[..., :rows])
        return concat([first, matmul(q, beyond)], -1)
    return _qr_square(gq, gr, q, r)


def _qr_square(gq, gr, q, r):
    middle = triu(matmul(triu(gr), adjoint(r)) - matmul(adjoint(q), gq))
    off = triu(middle, 1)
    middle = off + adjoint(off) + put_on_diagonal(real(diagonal(middle)))
    return adjoint(_solve(r, adjoint(gq + matmul(q, middle))))


_qr.grad(x=_qr_to_x)


@composed
def qr(x: ArrayLike, mode: str = "reduced") -> QRResult:
    """x = Q R, Q with orthonormal columns and R upper triangular.

    ``mode`` "reduced" gives Q (…, m, k) and R (…, k, n), k = min(m, n); "complete" a square Q,
    whose columns beyond the k first have no gradient: they are any basis of the rest; "r" the R of
    "reduced", and nothing (0,) for Q.
    """
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f'qr: mode must be "reduced", "complete" or "r", not {mode!r}')
    found = QRResult(*_qr(x, mode == "complete"))
    return QRResult(found.Q.reshape(-1)[:0], found.R) if mode == "r" else found


# --- Eigenvalues and singular values ----------------------------------------------------------


class EighResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


@op(outputs=2)
def _eigh(x):
    return tuple(np.linalg.eigh(hermitian_part(finite_matrices("eigh", x, square=True))))


def quotient(x: Any, by: Any) -> Any:
    """x / by, and 0 where 0 stands over 0: of vectors that do not matter."""
    none = logical_and(equal(by, 0), equal(x, 0))
    return where(none, 0.0, x / where(none, 1.0, by))


def over_gaps(x: Any, values: Any) -> Any:
    """x[…, i, j] / (values[j] − values[i]), 0 on the diagonal."""
    off_diagonal = where(np.eye(x.shape[-1], dtype=bool), 0.0, x)
    return quotient(off_diagonal, expand_dims(values, -2) - expand_dims(values, -1))


def check_unused(name: str, instead: str, *cotangents: Any) -> None:
    """An error if anything depends on vectors that are any basis of the rest of a space."""
    for cotangent in cotangents:
        while cotangent.level:  # of all lanes
            cotangent = cotangent.value
        if np.any(cotangent.value):
            raise GraphError(
                f"{name}: the vectors that complete a basis have no gradient; pass {instead}"
            )


def check_phases(name: str, x: Any, scale: Any) -> None:
    """An error if the gradient depends on the phases that LAPACK happened to give to vectors."""
    if not is_complex(x):
        return
    while x.level:  # of all lanes
        x = x.value
    while scale.level:
        scale = scale.value
    largest = np.abs(scale.value).max(initial=1)
    if np.abs(np.diagonal(x.value, 0, -2, -1).imag).max(initial=0) > 1e-3 * largest:
        raise GraphError(
            f"{name}: the gradient depends on the phases of the vectors, which are free"
        )


@of_gradients
def _eigh_to_x(g, out):
    (of_values, of_vectors), (values, vectors) = g, out
    turned = matmul(adjoint(vectors), of_vectors)
    check_phases("eigh", turned, of_vectors)
    middle = over_gaps(turned, values) + put_on_diagonal(of_values)
    whole = matmul(vectors, matmul(middle, adjoint(vectors)))
    return 0.5 * (whole + adjoint(whole))


_eigh.grad(x=_eigh_to_x)


def _of_triangle(name: str, x: Any, UPLO: str | None) -> Any:
    """x, or the Hermitian matrix that its lower or upper triangle tells."""
    if UPLO is None:
        return x
    if UPLO not in ("L", "U"):
        raise ValueError(f'{name}: UPLO must be "L", "U" or None, not {UPLO!r}')
    half = tril(x) if UPLO == "L" else triu(x)
    off = half - put_on_diagonal(diagonal(x))
    return off + adjoint(off) + put_on_diagonal(real(diagonal(x)))


@composed
def eigh(x: ArrayLike, UPLO: str | None = None) -> EighResult:
    """The eigenvalues, ascending, and eigenvectors (columns) of a symmetric or Hermitian x.

    Of x its Hermitian part is taken, so the gradient is Hermitian; or, where ``UPLO`` is "L" or
    "U", its lower or upper triangle alone, which then has the gradient.
    """
    return EighResult(*_eigh(_of_triangle("eigh", x, UPLO)))


@op
def _eigvalsh(x):
    return np.linalg.eigvalsh(hermitian_part(finite_matrices("eigvalsh", x, square=True)))


@composed
def eigvalsh(x: ArrayLike, UPLO: str | None = None) -> Tensor:
    """The eigenvalues, ascending, of a symmetric or Hermitian x; ``UPLO`` as in :func:`eigh`."""
    return _eigvalsh(_of_triangle("eigvalsh", x, UPLO))


@of_gradients
def _eigvalsh_to_x(g, x):
    vectors = _eigh(x)[1]
    return matmul(vectors * expand_dims(g, -2), adjoint(vectors))


_eigvalsh.grad(x=_eigvalsh_to_x)


class SVDResult(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor


@op(outputs=3)
def _svd(x, full_matrices):
    return tuple(np.linalg.svd(finite_matrices("svd", x), bool(full_matrices)))


@of_gradients
def _svd_to_x(g, x, out, full_matrices):
    (gu, gs, gvh), (u, s, vh) = g, out
    rows, columns = x.shape[-2:]
    v, gv = adjoint(vh), adjoint(gvh)
    if full_matrices and rows != columns:
        least = builtins.min(rows, columns)  # the further vectors may be any basis of the rest
        check_unused("svd", "full_matrices=False", gu[..., least:], gv[..., least:])
        u, gu, v, gv = (m[..., :least] for m in (u, gu, v, gv))
        vh = adjoint(v)
    left, right = matmul(adjoint(u), gu), matmul(adjoint(v), gv)
    check_phases("svd", left + right, gu)
    squares = s * s
    across, down = expand_dims(s, -2), expand_dims(s, -1)
    # Both parts over their gaps before they are joined: parts that cancel do matter.
    of_left, of_right = over_gaps(left, squares), over_gaps(right, squares)
    middle = (
        (of_left + adjoint(of_left)) * across
        + down * (of_right + adjoint(of_right))
        + put_on_diagonal(gs)
    )
    if is_complex(x):
        middle = middle + put_on_diagonal(1j * quotient(imag(diagonal(left)), s))
    whole = matmul(u, matmul(middle, vh))
    if rows > columns:
        whole = whole + matmul(quotient(gu - matmul(u, left), across), vh)
    elif rows < columns:
        whole = whole + matmul(u, quotient(adjoint(gv - matmul(v, right)), down))
    return whole


_svd.grad(x=_svd_to_x)


@composed
def svd(x: ArrayLike, full_matrices: bool = True) -> SVDResult:
    """x = U diag(S) Vh: orthonormal columns in U, rows in Vh, and singular values, descending.

    With ``full_matrices`` U and Vh are square. The vectors that the reduced ones lack are any basis
    of the rest of the space, and have no gradient.
    """
    return SVDResult(*_svd(x, full_matrices))


@op
def svdvals(x: ArrayLike) -> Tensor:
    """The singular values, descending."""
    return np.linalg.svd(finite_matrices("svdvals", x), compute_uv=False)


@of_gradients
def singular_to_x(g, x):
    u, _, vh = _svd(x, False)
    return matmul(u * expand_dims(g, -2), vh)


svdvals.grad(x=singular_to_x)


class EigResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


@op(outputs=2)
def _eig(x):
    return tuple(as_complex(found) for found in np.linalg.eig(as_matrices("eig", x, square=True)))


def as_complex(x: np.ndarray) -> np.ndarray:
    return x.astype(np.result_type(x.dtype, np.complex64), copy=False)


@of_gradients
def _eig_to_x(g, out):
    (of_values, of_vectors), (values, vectors) = g, out
    turned = matmul(adjoint(vectors), of_vectors)
    check_phases("eig", turned, of_vectors)
    # Vectors have length 1: what lengthens them is no matter.
    lengths = matmul(adjoint(vectors), vectors) * expand_dims(real(diagonal(turned)), -2)
    middle = over_gaps(turned - lengths, conj(values)) + put_on_diagonal(of_values)
    return _solve(adjoint(vectors), matmul(middle, adjoint(vectors)))


_eig.grad(x=_eig_to_x)


@composed
def eig(x: ArrayLike) -> EigResult:
    """The eigenvalues and eigenvectors (columns, of length 1) of any square x, complex numbers."""
    return EigResult(*_eig(x))


@op
def eigvals(x: ArrayLike) -> Tensor:
    """The eigenvalues of any square x, complex numbers."""
    return as_complex(np.linalg.eigvals(as_matrices("eigvals", x, square=True)))


@of_gradients
def _eigvals_to_x(g, x):
    vectors = _eig(x)[1]
    return _solve(adjoint(vectors), expand_dims(g, -1) * adjoint(vectors))


eigvals.grad(x=_eigvals_to_x)

# The named tuples are put around these ops by the functions of their names, which errors and reprs
# shall tell.
_op: Op
for _op in (_solve, _slogdet, _inv_ex, _cholesky_ex, _qr, _eigh, _eigvalsh, _svd, _eig):
    _op.__name__ = _op.__name__.lstrip("_")

for _op in (_slogdet, _inv_ex, _cholesky_ex, _qr, _eigh, _svd, _eig, inv, det, pinv):
    _op.batched(over_matrices)
for _op in (matrix_rank, cholesky, _eigvalsh, svdvals, eigvals):
    _op.batched(over_matrices)
