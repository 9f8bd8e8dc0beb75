# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinytensor.ops.annotations import Dtype
from tinytensor.tensors.made import ArrayLike
from tinytensor.tensors.tensor import Tensor

class CholeskyExResult(NamedTuple):
    L: Tensor
    info: Tensor

class EigResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class EighResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class GeqrfResult(NamedTuple):
    a: Tensor
    tau: Tensor

class InvExResult(NamedTuple):
    inverse: Tensor
    info: Tensor

class LstsqResult(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

class LUResult(NamedTuple):
    P: Tensor
    L: Tensor
    U: Tensor

class LUFactorResult(NamedTuple):
    LU: Tensor
    pivots: Tensor

class LUFactorExResult(NamedTuple):
    LU: Tensor
    pivots: Tensor
    info: Tensor

class QRResult(NamedTuple):
    Q: Tensor
    R: Tensor

class SlogdetResult(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class SVDResult(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor

__all__ = [
    "cholesky",
    "cholesky_ex",
    "cholesky_inverse",
    "cholesky_solve",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "geqrf",
    "householder_product",
    "inv",
    "inv_ex",
    "logdet",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "lu_unpack",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "ormqr",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vander",
    "vecdot",
    "vector_norm",
]

def cholesky(x: ArrayLike, upper: bool = False) -> Tensor: ...
def cholesky_ex(
    x: ArrayLike, upper: bool = False, check_errors: bool = False
) -> CholeskyExResult: ...
def cholesky_inverse(factor: ArrayLike, upper: bool = False) -> Tensor: ...
def cholesky_solve(b: ArrayLike, factor: ArrayLike, upper: bool = False) -> Tensor: ...
def cond(x: ArrayLike, p: float | str | None = None) -> Tensor: ...
def cross(a: ArrayLike, b: ArrayLike, axis: int = -1, *, dim: int = -1) -> Tensor: ...
def det(x: ArrayLike) -> Tensor: ...
def diagonal(
    x: ArrayLike,
    offset: int = 0,
    axis1: int = -2,
    axis2: int = -1,
    *,
    dim0: int = -2,
    dim1: int = -2,
    diagonal: int = 0,
    dim2: int = -1,
) -> Tensor: ...
def eig(x: ArrayLike) -> EigResult: ...
def eigh(x: ArrayLike, UPLO: str | None = None) -> EighResult: ...
def eigvals(x: ArrayLike) -> Tensor: ...
def eigvalsh(x: ArrayLike, UPLO: str | None = None) -> Tensor: ...
def geqrf(x: ArrayLike) -> GeqrfResult: ...
def householder_product(x: ArrayLike, tau: ArrayLike) -> Tensor: ...
def inv(x: ArrayLike) -> Tensor: ...
def inv_ex(x: ArrayLike, check_errors: bool = False) -> InvExResult: ...
def logdet(x: ArrayLike) -> Tensor: ...
def lstsq(
    a: ArrayLike, b: ArrayLike, rcond: float | None = None, driver: str | None = None
) -> LstsqResult: ...
def lu(x: ArrayLike, pivot: bool = True) -> LUResult: ...
def lu_factor(x: ArrayLike, pivot: bool = True) -> LUFactorResult: ...
def lu_factor_ex(
    x: ArrayLike, pivot: bool = True, check_errors: bool = False
) -> LUFactorExResult: ...
def lu_solve(
    LU: ArrayLike, pivots: ArrayLike, b: ArrayLike, *, left: bool = True, adjoint: bool = False
) -> Tensor: ...
def lu_unpack(LU: ArrayLike, pivots: ArrayLike) -> LUResult: ...
def matmul(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def matrix_exp(x: ArrayLike) -> Tensor: ...
def matrix_norm(
    x: ArrayLike,
    ord: float | str | None = "fro",
    axis: tuple[int, int] = (-2, -1),
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: tuple[int, int] = (-2, -1),
    keepdim: bool = False,
) -> Tensor: ...
def matrix_power(x: ArrayLike, n: int) -> Tensor: ...
def matrix_rank(
    x: ArrayLike,
    rtol: ArrayLike | None = None,
    hermitian: bool = False,
    atol: ArrayLike | None = None,
) -> Tensor: ...
def matrix_transpose(x: ArrayLike) -> Tensor: ...
def multi_dot(arrays: Sequence[ArrayLike]) -> Tensor: ...
def norm(
    x: ArrayLike,
    ord: float | str | None = None,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    dtype: Dtype = None,
    *,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
) -> Tensor: ...
def ormqr(
    x: ArrayLike, tau: ArrayLike, other: ArrayLike, left: bool = True, transpose: bool = False
) -> Tensor: ...
def outer(a: ArrayLike, b: ArrayLike) -> Tensor: ...
def pinv(
    x: ArrayLike,
    rtol: ArrayLike | None = None,
    hermitian: bool = False,
    atol: ArrayLike | None = None,
) -> Tensor: ...
def qr(x: ArrayLike, mode: str = "reduced") -> QRResult: ...
def slogdet(x: ArrayLike) -> SlogdetResult: ...
def solve(a: ArrayLike, b: ArrayLike, left: bool = True) -> Tensor: ...
def solve_triangular(
    a: ArrayLike, b: ArrayLike, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor: ...
def svd(x: ArrayLike, full_matrices: bool = True) -> SVDResult: ...
def svdvals(x: ArrayLike) -> Tensor: ...
def tensordot(
    a: ArrayLike, b: ArrayLike, axes: int | tuple[Any, Any] = 2, *, dims: int | tuple[Any, Any] = 2
) -> Tensor: ...
def tensorinv(x: ArrayLike, ind: int = 2) -> Tensor: ...
def tensorsolve(
    a: ArrayLike,
    b: ArrayLike,
    axes: int | Sequence[int] | None = None,
    *,
    dim: int | Sequence[int] | None = None,
) -> Tensor: ...
def trace(x: ArrayLike, offset: int = 0, dtype: Dtype = None, *, diagonal: int = 0) -> Tensor: ...
def vander(x: ArrayLike, N: int | None = None) -> Tensor: ...
def vecdot(a: ArrayLike, b: ArrayLike, axis: int = -1, *, dim: int = -1) -> Tensor: ...
def vector_norm(
    x: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    ord: float = 2,
    dtype: Dtype = None,
    *,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
) -> Tensor: ...
