"""Linear algebra: solving, factorising, eigenvalues, norms and products (Array API, ``linalg``).

LAPACK does the work, through NumPy. All functions take stacks of matrices in the last two axes.
The gradients are those of Giles, "Collected matrix derivative results", 2008, and of PyTorch for
complex matrices. Where they depend on an arbitrary choice (the phases of complex singular vectors)
there is an error.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..dtypes import get_default_dtype, is_complex, is_floating, is_real_floating
from ..engine.core import GraphError
from ..engine.operation import Op
from ..errors import ShapeError
from ..kernels.reference.checks import own_axis
from ..kernels.reference.promotion import promoting
from ..kernels.reference.scaling import leaves_range, power_of_two
from .annotations import ArrayLike, Tensor
from .arithmetic import _no_slope, abs, sign
from .batching import over_matrices, padded, rank
from .batching import reduction as over_lanes
from .complex_numbers import conj, conjugate_if_complex, imag, real
from .composed import composed, computed
from .declared import op
from .elementary import pow
from .indexing import advanced_index
from .logic import equal, logical_and, logical_or, where
from .matmul import matmul
from .reduction import expand, max, min, sum
from .searching import count_nonzero
from .shape import astype, broadcast_to, clone, concat, expand_dims, matrix_transpose, tril, triu
from .tensor_products import cross, diagonal, outer, tensordot, trace, vecdot

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


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


def hermitian_part(x: Any) -> Any:
    """(x + xᴴ) / 2: x itself, if it is symmetric or Hermitian, as it has to be."""
    return 0.5 * x + 0.5 * np.conj(np.swapaxes(x, -1, -2))


def put_on_diagonal(x: Any) -> Any:
    """Matrices with the elements of x on their diagonals and 0 elsewhere."""
    return expand_dims(x, -1) * np.eye(x.shape[-1], dtype=bool)


# --- Inverses and determinants ----------------------------------------------------------------


@op
@promoting(floating=True)
def solve(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The x of a x = b: a (…, n, n), b (n,) or (…, n, k). Errors if a is singular."""
    return np.linalg.solve(as_matrices("solve", a, square=True), b)


def _transposed_solve(g, a, b):
    """Where b is a vector, g is one for each matrix."""
    return solve(a.mT, g) if b.ndim > 1 else solve(a.mT, expand_dims(g, -1))[..., 0]


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
    out = solve(padded(a, mapped[0], ndim), padded(b, mapped[1], ndim))
    return out[..., 0] if of_b == 1 else out


solve.batched(_solve_lanes).grad(a=_solve_to_a, b=_transposed_solve)


@op
def inv(x: ArrayLike) -> Tensor:
    """x⁻¹. An error if x is singular."""
    return np.linalg.inv(as_matrices("inv", x, square=True))


inv.grad(x=lambda g, out: -matmul(out.mT, matmul(g, out.mT)))


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
    u, s, vh = np.linalg.svd(as_matrices("det", x, square=True))
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
    return _each(g) * (_each(out) * inv(x).mT if regular else _cofactors(x))


def _each(x):
    """A number for each matrix of a stack, in the shape that multiplies matrices."""
    return expand_dims(expand_dims(x, -1), -1)


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
    return _each(factor) * inv(x).mT


_slogdet.grad(x=_slogdet_to_x)


@composed
def slogdet(x: ArrayLike) -> SlogdetResult:
    """The determinant as its sign (or phase) and the logarithm of its absolute value."""
    return SlogdetResult(*_slogdet(x))


@op
def pinv(x: ArrayLike, rtol: ArrayLike | None = None) -> Tensor:
    """The pseudo-inverse. Singular values up to ``rtol`` times the largest count as 0.

    The gradient is that among matrices of one rank (Golub and Pereyra, 1973).
    """
    cutoff: Any = rtol  # NumPy's annotation lacks None
    return np.linalg.pinv(as_matrices("pinv", x), rtol=cutoff)


@of_gradients
def _pinv_to_x(g, x, out):
    p, gh = out, adjoint(g)
    ph = adjoint(p)
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
def matrix_rank(x: ArrayLike, rtol: ArrayLike | None = None) -> Tensor:
    """How many singular values are above ``rtol`` times the largest."""
    return np.asarray(np.linalg.matrix_rank(as_matrices("matrix_rank", x), rtol=rtol))


@computed
def matrix_power(x: ArrayLike, n: int) -> Tensor:
    """x multiplied by itself n times, by repeated squaring; for a negative n, x⁻¹."""
    as_matrices("matrix_power", np.broadcast_to(np.zeros((), x.dtype), x.shape), square=True)
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
    return adjoint(solve(r, adjoint(gq + matmul(q, middle))))


_qr.grad(x=_qr_to_x)


@composed
def qr(x: ArrayLike, mode: str = "reduced") -> QRResult:
    """x = Q R, Q with orthonormal columns and R upper triangular.

    ``mode`` "reduced" gives Q (…, m, k) and R (…, k, n), k = min(m, n); "complete" a square Q,
    whose columns beyond the k first have no gradient: they are any basis of the rest.
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: mode must be "reduced" or "complete", not {mode!r}')
    return QRResult(*_qr(x, mode == "complete"))


# --- Eigenvalues and singular values ----------------------------------------------------------


class EighResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


@op(outputs=2)
def _eigh(x):
    return tuple(np.linalg.eigh(hermitian_part(as_matrices("eigh", x, square=True))))


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


@composed
def eigh(x: ArrayLike) -> EighResult:
    """The eigenvalues, ascending, and eigenvectors (columns) of a symmetric or Hermitian x.

    Of x its Hermitian part is taken, so the gradient is Hermitian.
    """
    return EighResult(*_eigh(x))


@op
def eigvalsh(x: ArrayLike) -> Tensor:
    """The eigenvalues, ascending, of a symmetric or Hermitian x."""
    return np.linalg.eigvalsh(hermitian_part(as_matrices("eigvalsh", x, square=True)))


@of_gradients
def _eigvalsh_to_x(g, x):
    vectors = _eigh(x)[1]
    return matmul(vectors * expand_dims(g, -2), adjoint(vectors))


eigvalsh.grad(x=_eigvalsh_to_x)


class SVDResult(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor


@op(outputs=3)
def _svd(x, full_matrices):
    return tuple(np.linalg.svd(as_matrices("svd", x), bool(full_matrices)))


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
    return np.linalg.svd(as_matrices("svdvals", x), compute_uv=False)


@of_gradients
def _svdvals_to_x(g, x):
    u, _, vh = _svd(x, False)
    return matmul(u * expand_dims(g, -2), vh)


svdvals.grad(x=_svdvals_to_x)


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
    return solve(adjoint(vectors), matmul(middle, adjoint(vectors)))


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
    return solve(adjoint(vectors), expand_dims(g, -1) * adjoint(vectors))


eigvals.grad(x=_eigvals_to_x)

# The named tuples are put around these ops by the functions of their names, which errors and reprs
# shall tell.
_op: Op
for _op in (_slogdet, _qr, _eigh, _svd, _eig):
    _op.__name__ = _op.__name__.lstrip("_")

for _op in (_slogdet, _qr, _eigh, _svd, _eig, inv, det, pinv, matrix_rank, cholesky):
    _op.batched(over_matrices)
for _op in (eigvalsh, svdvals, eigvals):
    _op.batched(over_matrices)

# --- Norms -----------------------------------------------------------------------------------


@op
@promoting(floating=True)
@own_axis
def _p_norm(x, axis, keepdims, ord):
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        powers = np.asarray(_powers(x, axis, keepdims, ord))
        if kernels.in_range(powers) or x.size == 0:
            return _root(powers, ord)
        bad = leaves_range(powers)
        if axis is not None and not keepdims:
            bad = np.expand_dims(bad, axis)
        scale = power_of_two(x, axis, bad)
        out = _root(_powers(x / scale, axis, keepdims, ord), ord)
        return out * (scale if keepdims else np.squeeze(scale, axis))


def _powers(x, axis, keepdims, ord):
    """Σ |x|ᵖ, where p is ``ord``."""
    if ord == 2 and is_real_floating(x):
        return kernels.reduce_sum(kernels.square(x), axis, keepdims)
    return np.sum(np.abs(x) ** ord, axis=axis, keepdims=keepdims)


def _root(powers, ord):
    return kernels.sqrt(powers) if ord == 2 else powers ** (1 / ord)


def _p_norm_to_x(g, x, out, axis, keepdims, ord):
    """g |y|ᵖ⁻² ȳ, where y = x / norm."""
    g, out = (expand(t, x.shape, axis, keepdims) for t in (g, out))
    none = equal(out, 0)
    y = x / where(none, 1.0, out)
    across = conjugate_if_complex(y)
    if ord > 0 and ord % 2 == 0:  # a polynomial, whose higher derivatives are not 0 where x is
        if ord > 2:
            across = across * pow(real(y * across), ord / 2 - 1)
        return g * where(none, 0.0, across)
    gone = logical_or(none, equal(y, 0))
    share = pow(where(gone, 1.0, abs(y)), ord - 1)
    return g * (where(gone, 0.0, share) * conjugate_if_complex(sign(y)))


_p_norm.batched(over_lanes).grad(x=_p_norm_to_x)


@computed
def vector_norm(
    x: ArrayLike, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: float = 2
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over the axes of ``axis``, p = ``ord``; for ∞ the largest |x|, for −∞ the
    smallest, for 0 how many are not 0. Where x or the norm is 0, so is the gradient."""
    if ord in (math.inf, -math.inf):
        return _extreme(abs(x), axis, keepdims, ord > 0)
    if ord == 0:
        count = count_nonzero(x, axis, keepdims)
        if x.dtype.kind in "biu":
            return count
        found = astype(count, np.empty(0, x.dtype).real.dtype)
        return found + sum(_no_slope(abs(x)), axis, keepdims)  # 0, and a gradient of zeros
    if ord == 1:
        return sum(abs(x), axis, keepdims)
    return _p_norm(x, axis, keepdims, ord)


def _extreme(x: Any, axis: Any, keepdims: bool, largest: bool) -> Any:
    """The largest or smallest element; the largest of none is 0, as for a norm it should."""
    if not largest:
        return min(x, axis, keepdims)
    return max(x, axis, keepdims) if x.size else sum(x, axis, keepdims)


@computed
def matrix_norm(x: ArrayLike, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """The norm of each matrix. ``ord`` is "fro" (or None) for √Σ|x|², "nuc" for the sum of the
    singular values, 2 and −2 for the largest and smallest, 1 and −1 for the largest and smallest
    column sum of |x|, inf and -inf for those of the rows."""
    if x.ndim < 2:
        raise ShapeError(f"matrix_norm: needs matrices, but is given {x.shape}")
    if ord in ("fro", None):
        return vector_norm(x, (-2, -1), keepdims)
    if ord not in ("nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise ValueError(f"matrix_norm: there is no ord {ord!r}")
    if ord == "nuc":
        out = sum(svdvals(x), -1)
    else:
        lengths = svdvals(x) if ord in (2, -2) else sum(abs(x), -2 if ord in (1, -1) else -1)
        out = _extreme(lengths, -1, False, float(ord or 0) > 0)
    return _each(out) if keepdims else out
