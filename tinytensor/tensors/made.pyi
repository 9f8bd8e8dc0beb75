# Made from the signatures in the sources by `python -m tools.stubs`: edit those.

import builtins
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np

from tinytensor.ops.annotations import Axes, Axis, Dtype, Interpolation, Shape
from tinytensor.tensors.operators import Operators
from tinytensor.tensors.tensor import Tensor

ArrayLike: TypeAlias = Tensor | np.ndarray | np.generic | complex | list[Any] | tuple[Any, ...]

class Extremes(NamedTuple):
    min: Tensor
    max: Tensor

class Picked(NamedTuple):
    values: Tensor
    indices: Tensor

class EigResult(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class MantissaExponent(NamedTuple):
    mantissa: Tensor
    exponent: Tensor

class Histogram(NamedTuple):
    hist: Tensor
    bin_edges: Tensor

class LstsqResult(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

class QRResult(NamedTuple):
    Q: Tensor
    R: Tensor

class SlogdetResult(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class TopK(NamedTuple):
    values: Tensor
    indices: Tensor

class Made(Operators):
    def abs(self) -> Tensor:
        """|x|; the gradient at 0 is 0."""
    def abs_(self) -> Tensor:
        """In place: |x|; the gradient at 0 is 0."""
    def absolute(self) -> Tensor:
        """|x|; the gradient at 0 is 0."""
    def absolute_(self) -> Tensor:
        """In place: |x|; the gradient at 0 is 0."""
    def acos(self) -> Tensor:
        """The inverse cosine; NaN outside [−1, 1]."""
    def acos_(self) -> Tensor:
        """In place: The inverse cosine; NaN outside [−1, 1]."""
    def acosh(self) -> Tensor:
        """The inverse hyperbolic cosine; NaN below 1."""
    def acosh_(self) -> Tensor:
        """In place: The inverse hyperbolic cosine; NaN below 1."""
    def add(self, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor:
        """a + b, or a + alpha · b."""
    def addbmm(
        self,
        batch1: ArrayLike,
        batch2: ArrayLike,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """β input + α Σ batch1[i] batch2[i], of stacks of matrices; see :func:`addmm`."""
    def addbmm_(
        self,
        batch1: ArrayLike,
        batch2: ArrayLike,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """In place: β input + α Σ batch1[i] batch2[i], of stacks of matrices; see :func:`addmm`."""
    def addcdiv(self, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
        """x + value · tensor1 / tensor2, element by element."""
    def addcdiv_(self, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
        """In place: x + value · tensor1 / tensor2, element by element."""
    def addcmul(self, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
        """x + value · tensor1 · tensor2, element by element."""
    def addcmul_(self, tensor1: ArrayLike, tensor2: ArrayLike, value: ArrayLike = 1) -> Tensor:
        """In place: x + value · tensor1 · tensor2, element by element."""
    def addmm(
        self, mat1: ArrayLike, mat2: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """β input + α mat1 mat2, of matrices; input broadcasts, and ``beta`` 0 leaves it out."""
    def addmm_(
        self, mat1: ArrayLike, mat2: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """In place: β input + α mat1 mat2, of matrices; input broadcasts, and ``beta`` 0 leaves
        it out."""
    def addmv(
        self, mat: ArrayLike, vec: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """β input + α mat vec, of a matrix and a vector; see :func:`addmm`."""
    def addmv_(
        self, mat: ArrayLike, vec: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """In place: β input + α mat vec, of a matrix and a vector; see :func:`addmm`."""
    def addr(
        self, vec1: ArrayLike, vec2: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """β input + α vec1 vec2ᵀ, of vectors; see :func:`addmm`."""
    def addr_(
        self, vec1: ArrayLike, vec2: ArrayLike, beta: builtins.float = 1, alpha: builtins.float = 1
    ) -> Tensor:
        """In place: β input + α vec1 vec2ᵀ, of vectors; see :func:`addmm`."""
    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and conjugated: ``x.mH``."""
    def all(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Whether all elements are true (not 0)."""
    def allclose(
        self,
        b: ArrayLike,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> builtins.bool:
        """Whether :func:`isclose` is true of all elements, as True or False of Python."""
    def amax(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The largest element; NaN if one is NaN. Equal largest elements share the gradient."""
    def amin(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The smallest element; NaN if one is NaN. Equal smallest elements share the gradient."""
    def aminmax(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Extremes:
        """The smallest and the largest element; gradients as of :func:`min` and :func:`max`."""
    def angle(self) -> Tensor:
        """The angle of a complex number in (−π, π], in radians; of a real one, 0 or π. The
        gradient at 0 is 0."""
    def any(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Whether one element is true (not 0)."""
    def arccos(self) -> Tensor:
        """The inverse cosine; NaN outside [−1, 1]."""
    def arccos_(self) -> Tensor:
        """In place: The inverse cosine; NaN outside [−1, 1]."""
    def arccosh(self) -> Tensor:
        """The inverse hyperbolic cosine; NaN below 1."""
    def arccosh_(self) -> Tensor:
        """In place: The inverse hyperbolic cosine; NaN below 1."""
    def arcsin(self) -> Tensor:
        """The inverse sine; NaN outside [−1, 1]."""
    def arcsin_(self) -> Tensor:
        """In place: The inverse sine; NaN outside [−1, 1]."""
    def arcsinh(self) -> Tensor:
        """The inverse hyperbolic sine."""
    def arcsinh_(self) -> Tensor:
        """In place: The inverse hyperbolic sine."""
    def arctan(self) -> Tensor:
        """The inverse tangent."""
    def arctan2(self, b: ArrayLike) -> Tensor:
        """The angle in (−π, π] of the point with ordinate a and abscissa b; the gradient at 0 is
        0."""
    def arctan2_(self, b: ArrayLike) -> Tensor:
        """In place: The angle in (−π, π] of the point with ordinate a and abscissa b; the
        gradient at 0 is 0."""
    def arctan_(self) -> Tensor:
        """In place: The inverse tangent."""
    def arctanh(self) -> Tensor:
        """The inverse hyperbolic tangent; NaN outside [−1, 1]."""
    def arctanh_(self) -> Tensor:
        """In place: The inverse hyperbolic tangent; NaN outside [−1, 1]."""
    def argmax(
        self,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        *,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The index of the first largest element (of all elements in a row where axis is None)."""
    def argmin(
        self,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        *,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The index of the first smallest element (of all elements in a row where axis is None)."""
    def argsort(
        self,
        axis: builtins.int = -1,
        descending: builtins.bool = False,
        stable: builtins.bool = True,
        *,
        dim: builtins.int = -1,
    ) -> Tensor:
        """The indices that sort x along ``axis``; equal elements keep their order."""
    def argwhere(self) -> Tensor:
        """The indices of the elements that are not 0, a row for each, in C order."""
    def asin(self) -> Tensor:
        """The inverse sine; NaN outside [−1, 1]."""
    def asin_(self) -> Tensor:
        """In place: The inverse sine; NaN outside [−1, 1]."""
    def asinh(self) -> Tensor:
        """The inverse hyperbolic sine."""
    def asinh_(self) -> Tensor:
        """In place: The inverse hyperbolic sine."""
    def atan(self) -> Tensor:
        """The inverse tangent."""
    def atan2(self, b: ArrayLike) -> Tensor:
        """The angle in (−π, π] of the point with ordinate a and abscissa b; the gradient at 0 is
        0."""
    def atan2_(self, b: ArrayLike) -> Tensor:
        """In place: The angle in (−π, π] of the point with ordinate a and abscissa b; the
        gradient at 0 is 0."""
    def atan_(self) -> Tensor:
        """In place: The inverse tangent."""
    def atanh(self) -> Tensor:
        """The inverse hyperbolic tangent; NaN outside [−1, 1]."""
    def atanh_(self) -> Tensor:
        """In place: The inverse hyperbolic tangent; NaN outside [−1, 1]."""
    def baddbmm(
        self,
        batch1: ArrayLike,
        batch2: ArrayLike,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """β input + α batch1 batch2, of stacks of matrices, one by one; see :func:`addmm`."""
    def baddbmm_(
        self,
        batch1: ArrayLike,
        batch2: ArrayLike,
        beta: builtins.float = 1,
        alpha: builtins.float = 1,
    ) -> Tensor:
        """In place: β input + α batch1 batch2, of stacks of matrices, one by one; see
        :func:`addmm`."""
    def bernoulli(
        self, p: builtins.float | None = None, *, generator: np.random.Generator | None = None
    ) -> Tensor:
        """1 with the probability that x says, element by element, and otherwise 0, in its dtype;
        with one probability ``p``, for all elements alike. It has no gradient."""
    def bernoulli_(self, p: Any = 0.5, generator: np.random.Generator | None = None) -> Tensor:
        """Overwrite the elements by 1 with the chance ``p``, a number or an array that
        broadcasts to the tensor, and otherwise by 0."""
    def bincount(self, weights: ArrayLike | None = None, minlength: builtins.int = 0) -> Tensor:
        """How often each of the integers 0, 1, … is in x, which has one axis; with ``weights``
        the sum of these. Gradient: by the weights, g at x."""
    def bitwise_and(self, b: ArrayLike) -> Tensor:
        """The bits that both integers have; of bools, whether both are true."""
    def bitwise_and_(self, b: ArrayLike) -> Tensor:
        """In place: The bits that both integers have; of bools, whether both are true."""
    def bitwise_left_shift(self, b: ArrayLike) -> Tensor:
        """The bits of the integer a moved b places to the left: a · 2ᵇ."""
    def bitwise_left_shift_(self, b: ArrayLike) -> Tensor:
        """In place: The bits of the integer a moved b places to the left: a · 2ᵇ."""
    def bitwise_not(self) -> Tensor:
        """The bits that an integer has not; of bools, whether x is false."""
    def bitwise_not_(self) -> Tensor:
        """In place: The bits that an integer has not; of bools, whether x is false."""
    def bitwise_or(self, b: ArrayLike) -> Tensor:
        """The bits that one of two integers has; of bools, whether one is true."""
    def bitwise_or_(self, b: ArrayLike) -> Tensor:
        """In place: The bits that one of two integers has; of bools, whether one is true."""
    def bitwise_right_shift(self, b: ArrayLike) -> Tensor:
        """The bits of the integer a moved b places to the right: ⌊a / 2ᵇ⌋."""
    def bitwise_right_shift_(self, b: ArrayLike) -> Tensor:
        """In place: The bits of the integer a moved b places to the right: ⌊a / 2ᵇ⌋."""
    def bitwise_xor(self, b: ArrayLike) -> Tensor:
        """The bits that exactly one of two integers has; of bools, whether exactly one is true."""
    def bitwise_xor_(self, b: ArrayLike) -> Tensor:
        """In place: The bits that exactly one of two integers has; of bools, whether exactly one
        is true."""
    def bmm(self, b: ArrayLike) -> Tensor:
        """``matmul`` of arrays of 3 and 3 axes alone."""
    def bool(self) -> Tensor:
        """The elements as bool."""
    def bucketize(
        self, boundaries: ArrayLike, right: builtins.bool = False, out_int32: builtins.bool = False
    ) -> Tensor:
        """The number of the interval that each element of x is in, where ``boundaries``, sorted,
        cut them: that is ``searchsorted(boundaries, x)``. An element at a boundary is before
        it, or behind it if ``right``."""
    def byte(self) -> Tensor:
        """The elements as uint8."""
    def cauchy_(
        self,
        median: builtins.float = 0.0,
        sigma: builtins.float = 1.0,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """Overwrite the elements by numbers of a Cauchy distribution."""
    def cdouble(self) -> Tensor:
        """The elements as complex128."""
    def ceil(self) -> Tensor:
        """The smallest whole number ≥ x. The gradient is 0."""
    def ceil_(self) -> Tensor:
        """In place: The smallest whole number ≥ x. The gradient is 0."""
    def cfloat(self) -> Tensor:
        """The elements as complex64."""
    def char(self) -> Tensor:
        """The elements as int8."""
    def cholesky(self, upper: builtins.bool = False) -> Tensor:
        """The lower triangular L of x = L Lᴴ, for a positive definite x; with ``upper``, Lᴴ."""
    def cholesky_inverse(self, upper: builtins.bool = False) -> Tensor:
        """The inverse of a = L Lᴴ from its Cholesky factor L, or with ``upper`` from Lᴴ."""
    def cholesky_solve(self, factor: ArrayLike, upper: builtins.bool = False) -> Tensor:
        """The x of a x = b, where ``factor`` is the lower triangular L of a = L Lᴴ, or with
        ``upper`` Lᴴ. The right sides b (…, n, k) come first, as in PyTorch."""
    def chunk(
        self, chunks: builtins.int, axis: builtins.int = 0, *, dim: builtins.int = 0
    ) -> tuple[Tensor, ...]:
        """Views of x along ``axis``: at most ``chunks`` pieces of ⌈n / chunks⌉, the last maybe
        shorter."""
    def clamp(self, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
        """x into [min, max], None being no bound; max where min is above max."""
    def clamp_(self, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
        """In place: x into [min, max], None being no bound; max where min is above max."""
    def clamp_max(self, max: ArrayLike) -> Tensor:
        """No element above ``max``."""
    def clamp_max_(self, max: ArrayLike) -> Tensor:
        """In place: No element above ``max``."""
    def clamp_min(self, min: ArrayLike) -> Tensor:
        """No element below ``min``."""
    def clamp_min_(self, min: ArrayLike) -> Tensor:
        """In place: No element below ``min``."""
    def clip(self, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
        """x into [min, max], None being no bound; max where min is above max."""
    def clip_(self, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
        """In place: x into [min, max], None being no bound; max where min is above max."""
    def cond(self, p: builtins.float | str | None = None) -> Tensor:
        """The condition number ‖x‖ ‖x⁻¹‖ of each matrix, in the :func:`matrix_norm` of order p."""
    def conj(self) -> Tensor:
        """The complex conjugate; of real numbers, themselves."""
    def copysign(self, b: ArrayLike) -> Tensor:
        """|a| with the sign of b. By a the gradient is 0 at 0; by b it is 0."""
    def copysign_(self, b: ArrayLike) -> Tensor:
        """In place: |a| with the sign of b. By a the gradient is 0 at 0; by b it is 0."""
    def corrcoef(self) -> Tensor:
        """The correlations of the rows of x, which are variables: ``cov`` divided by the
        standard deviations, and within [−1, 1]."""
    def cos(self) -> Tensor:
        """The cosine."""
    def cos_(self) -> Tensor:
        """In place: The cosine."""
    def cosh(self) -> Tensor:
        """(eˣ + e⁻ˣ) / 2."""
    def cosh_(self) -> Tensor:
        """In place: (eˣ + e⁻ˣ) / 2."""
    def count_nonzero(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """How many elements are not 0."""
    def cov(
        self,
        correction: builtins.float = 1,
        fweights: ArrayLike | None = None,
        aweights: ArrayLike | None = None,
    ) -> Tensor:
        """The covariances of the rows of x, which are variables; its columns are observations.
        One row may come as a vector, and gives one number."""
    def cross(self, b: ArrayLike, axis: builtins.int = -1, *, dim: builtins.int = -1) -> Tensor:
        """The cross product of vectors of 3 along ``axis``; the other axes broadcast."""
    @overload
    def cummax(self, axis: builtins.int) -> Picked: ...
    @overload
    def cummax(self, *, dim: builtins.int) -> Picked:
        """The largest element up to each along ``axis``, and its index, the last of equals; NaN
        from the first NaN on. The gradient goes to the elements at the indices."""
    @overload
    def cummin(self, axis: builtins.int) -> Picked: ...
    @overload
    def cummin(self, *, dim: builtins.int) -> Picked:
        """The smallest element up to each along ``axis``, and its index, as :func:`cummax`."""
    @overload
    def cumprod(self, axis: builtins.int, dtype: Dtype = None) -> Tensor: ...
    @overload
    def cumprod(self, *, dim: builtins.int, dtype: Dtype = None) -> Tensor:
        """The product of the elements up to each, along one axis, of the elements as ``dtype``
        if one is given."""
    @overload
    def cumprod_(self, axis: builtins.int, dtype: Dtype = None) -> Tensor: ...
    @overload
    def cumprod_(self, *, dim: builtins.int, dtype: Dtype = None) -> Tensor:
        """In place: The product of the elements up to each, along one axis, of the elements as
        ``dtype`` if one is given."""
    def cumsum(
        self,
        axis: builtins.int | None = None,
        reverse: builtins.bool = False,
        dtype: Dtype = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """The sum of the elements up to each, along one axis; with ``reverse`` from each to the
        end. They are added up as ``dtype``, if one is given."""
    def cumsum_(
        self,
        axis: builtins.int | None = None,
        reverse: builtins.bool = False,
        dtype: Dtype = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """In place: The sum of the elements up to each, along one axis; with ``reverse`` from
        each to the end. They are added up as ``dtype``, if one is given."""
    def deg2rad(self) -> Tensor:
        """x π / 180: degrees in radians."""
    def deg2rad_(self) -> Tensor:
        """In place: x π / 180: degrees in radians."""
    def det(self) -> Tensor:
        """The determinant. The gradient, of cofactors, is right for singular matrices too; a
        higher derivative makes the n² minors of such."""
    def diag(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """A matrix with the vector x on its diagonal ``k`` and 0 elsewhere; of a matrix x, its
        diagonal ``k``, a copy."""
    def diag_embed(
        self,
        offset: builtins.int = 0,
        axis1: builtins.int = -2,
        axis2: builtins.int = -1,
        *,
        dim0: builtins.int = -2,
        dim1: builtins.int = -2,
        diagonal: builtins.int = 0,
        dim2: builtins.int = -1,
    ) -> Tensor:
        """Matrices in the axes ``axis1`` and ``axis2`` of the result, with the last axis of x on
        their diagonals ``offset`` and 0 elsewhere. Gradient: g's diagonals."""
    def diagflat(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """A matrix with all elements of x, in C order, on its diagonal ``k`` and 0 elsewhere."""
    @overload
    def diagonal_scatter(
        self,
        source: ArrayLike,
        offset: builtins.int = 0,
        axis1: builtins.int = 0,
        axis2: builtins.int = 1,
        *,
        dim0: builtins.int = 0,
        dim1: builtins.int = 0,
        diagonal: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor: ...
    @overload
    def diagonal_scatter(
        self,
        *,
        src: ArrayLike,
        offset: builtins.int = 0,
        axis1: builtins.int = 0,
        axis2: builtins.int = 1,
        dim0: builtins.int = 0,
        dim1: builtins.int = 0,
        diagonal: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor:
        """A copy of x with ``source`` on the diagonals ``offset`` of the matrices in two axes:
        what ``diagonal`` with these arguments then gives, and other shapes that broadcast to
        it."""
    def diff(
        self,
        n: builtins.int = 1,
        axis: builtins.int = -1,
        prepend: ArrayLike | None = None,
        append: ArrayLike | None = None,
        *,
        dim: builtins.int = -1,
    ) -> Tensor:
        """The differences of neighbours along ``axis``, taken n times; ``prepend`` and
        ``append`` are put before and behind x first."""
    def digamma(self) -> Tensor:
        """ψ(x) = Γ′(x) / Γ(x); NaN at the negative whole numbers. Gradient: g ψ′(x)."""
    def digamma_(self) -> Tensor:
        """In place: ψ(x) = Γ′(x) / Γ(x); NaN at the negative whole numbers. Gradient: g ψ′(x)."""
    def dist(self, b: ArrayLike, p: builtins.float = 2.0) -> Tensor:
        """The p-norm of a − b, which broadcast, over all elements."""
    def div(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc" rounded
        towards 0, both of the dtype of a and b and with a gradient of 0."""
    def div_(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """In place: a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc"
        rounded towards 0, both of the dtype of a and b and with a gradient of 0."""
    def divide(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc" rounded
        towards 0, both of the dtype of a and b and with a gradient of 0."""
    def divide_(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """In place: a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc"
        rounded towards 0, both of the dtype of a and b and with a gradient of 0."""
    def dot(self, b: ArrayLike) -> Tensor:
        """``matmul`` of arrays of 1 and 1 axes alone."""
    def double(self) -> Tensor:
        """The elements as float64."""
    def dsplit(
        self, indices_or_sections: builtins.int | Sequence[builtins.int]
    ) -> tuple[Tensor, ...]:
        """``split`` along the third axis."""
    def eig(self) -> EigResult:
        """The eigenvalues and eigenvectors (columns, of length 1) of any square x, complex
        numbers."""
    def eq(self, b: ArrayLike) -> Tensor:
        """a = b, as a tensor of bool."""
    def eq_(self, b: ArrayLike) -> Tensor:
        """In place: a = b, as a tensor of bool."""
    def erf(self) -> Tensor:
        """The error function, 2/√π ∫₀ˣ exp(−t²) dt."""
    def erf_(self) -> Tensor:
        """In place: The error function, 2/√π ∫₀ˣ exp(−t²) dt."""
    def erfc(self) -> Tensor:
        """1 − erf x, with all digits where that is small. Gradient: −2/√π g exp(−x²)."""
    def erfc_(self) -> Tensor:
        """In place: 1 − erf x, with all digits where that is small. Gradient: −2/√π g exp(−x²)."""
    def erfinv(self) -> Tensor:
        """The inverse of erf: ±∞ at ±1, NaN beyond. Gradient: √π/2 g exp(y²), y the result."""
    def erfinv_(self) -> Tensor:
        """In place: The inverse of erf: ±∞ at ±1, NaN beyond. Gradient: √π/2 g exp(y²), y the
        result."""
    def exp(self) -> Tensor:
        """eˣ."""
    def exp2(self) -> Tensor:
        """2ˣ. Gradient: g 2ˣ log 2."""
    def exp2_(self) -> Tensor:
        """In place: 2ˣ. Gradient: g 2ˣ log 2."""
    def exp_(self) -> Tensor:
        """In place: eˣ."""
    def expand_dims(self, axis: Axis = 0, *, dim: Axis = 0) -> Tensor:
        """x with an axis of size 1 put in at ``axis``, or at each of several."""
    def expm1(self) -> Tensor:
        """eˣ − 1, exact also near 0."""
    def expm1_(self) -> Tensor:
        """In place: eˣ − 1, exact also near 0."""
    def exponential_(
        self, lambd: builtins.float = 1.0, generator: np.random.Generator | None = None
    ) -> Tensor:
        """Overwrite the elements by exponential numbers of rate ``lambd``: of mean 1 / lambd."""
    def fill_diagonal_(self, value: Any, wrap: builtins.bool = False) -> Tensor:
        """Overwrite the elements [i, i, …] by ``value``. Those of more than two axes have equal
        sizes; with ``wrap`` the diagonal of a tall matrix begins anew after each gap of one
        row."""
    def fix(self) -> Tensor:
        """The nearest whole number towards 0. The gradient is 0."""
    def fix_(self) -> Tensor:
        """In place: The nearest whole number towards 0. The gradient is 0."""
    def flatten(
        self,
        start_axis: builtins.int = 0,
        end_axis: builtins.int = -1,
        *,
        start_dim: builtins.int = 0,
        end_dim: builtins.int = -1,
    ) -> Tensor:
        """The axes from ``start_axis`` to ``end_axis`` (included) made into one."""
    def fliplr(self) -> Tensor:
        """x with its second axis reversed: a view."""
    def flipud(self) -> Tensor:
        """x with its first axis reversed: a view."""
    def float(self) -> Tensor:
        """The elements as float32."""
    def float_power(self, b: ArrayLike) -> Tensor:
        """aᵇ in double precision, whatever the dtypes are. Gradients as of :func:`pow`."""
    def float_power_(self, b: ArrayLike) -> Tensor:
        """In place: aᵇ in double precision, whatever the dtypes are. Gradients as of
        :func:`pow`."""
    def floor(self) -> Tensor:
        """The largest whole number ≤ x. The gradient is 0."""
    def floor_(self) -> Tensor:
        """In place: The largest whole number ≤ x. The gradient is 0."""
    def floor_divide(self, b: ArrayLike) -> Tensor:
        """The largest whole number ≤ a / b, at infinities too. The gradient is 0."""
    def floor_divide_(self, b: ArrayLike) -> Tensor:
        """In place: The largest whole number ≤ a / b, at infinities too. The gradient is 0."""
    def fmax(self, b: ArrayLike) -> Tensor:
        """The larger of a and b; where one is NaN, the other. Equal operands get half the
        gradient each."""
    def fmin(self, b: ArrayLike) -> Tensor:
        """The smaller of a and b; where one is NaN, the other. Equal operands get half the
        gradient each."""
    def fmod(self, b: ArrayLike) -> Tensor:
        """a − b trunc(a / b), which has the sign of a."""
    def fmod_(self, b: ArrayLike) -> Tensor:
        """In place: a − b trunc(a / b), which has the sign of a."""
    def frac(self) -> Tensor:
        """What is behind the point, x − trunc x, which has the sign of x. Its gradient is g."""
    def frac_(self) -> Tensor:
        """In place: What is behind the point, x − trunc x, which has the sign of x. Its gradient
        is g."""
    def frexp(self) -> MantissaExponent:
        """x as m · 2ᵉ, 0.5 ≤ |m| < 1 or m = x, and e an integer. Gradient: by m, g 2⁻ᵉ."""
    @overload
    def gather(self, axis: builtins.int, index: ArrayLike) -> Tensor: ...
    @overload
    def gather(self, *, dim: builtins.int, index: ArrayLike) -> Tensor:
        """Element [i, j, …] is x[index[i, j, …], j, …], for ``axis`` 0."""
    def gcd(self, b: ArrayLike) -> Tensor:
        """The greatest common divisor of integers, ≥ 0."""
    def gcd_(self, b: ArrayLike) -> Tensor:
        """In place: The greatest common divisor of integers, ≥ 0."""
    def ge(self, b: ArrayLike) -> Tensor:
        """a ≥ b, as a tensor of bool."""
    def ge_(self, b: ArrayLike) -> Tensor:
        """In place: a ≥ b, as a tensor of bool."""
    def geometric_(self, p: builtins.float, generator: np.random.Generator | None = None) -> Tensor:
        """Overwrite the elements by how many trials it takes to succeed once, each with the
        chance ``p``: 1 or more."""
    def ger(self, b: ArrayLike) -> Tensor:
        """out[i, j] = a[i] b[j], for two vectors."""
    def greater(self, b: ArrayLike) -> Tensor:
        """a > b, as a tensor of bool."""
    def greater_(self, b: ArrayLike) -> Tensor:
        """In place: a > b, as a tensor of bool."""
    def greater_equal(self, b: ArrayLike) -> Tensor:
        """a ≥ b, as a tensor of bool."""
    def greater_equal_(self, b: ArrayLike) -> Tensor:
        """In place: a ≥ b, as a tensor of bool."""
    def gt(self, b: ArrayLike) -> Tensor:
        """a > b, as a tensor of bool."""
    def gt_(self, b: ArrayLike) -> Tensor:
        """In place: a > b, as a tensor of bool."""
    def half(self) -> Tensor:
        """The elements as float16."""
    def hardshrink(self, lambd: builtins.float = 0.5) -> Tensor:
        """x where |x| is above ``lambd``, otherwise 0."""
    def heaviside(self, values: ArrayLike) -> Tensor:
        """0 where x is negative, 1 where it is positive, and otherwise ``values``. By x the
        gradient is 0."""
    def heaviside_(self, values: ArrayLike) -> Tensor:
        """In place: 0 where x is negative, 1 where it is positive, and otherwise ``values``. By
        x the gradient is 0."""
    def histc(
        self, bins: builtins.int = 100, min: builtins.float = 0, max: builtins.float = 0
    ) -> Tensor:
        """How many elements are in each of ``bins`` equal parts of [min, max], in the dtype of
        x; between the smallest and the largest where both bounds are 0. It has no gradient."""
    def histogram(
        self,
        bins: ArrayLike = 10,
        range: tuple[builtins.float, builtins.float] | None = None,
        weight: ArrayLike | None = None,
        density: builtins.bool = False,
    ) -> Histogram:
        """How many elements, or how much of ``weight``, is in each of ``bins`` equal parts of
        ``range``, or between edges that are given, in the dtype of x; with ``density`` so
        that the integral is 1. Also the edges. It has no gradient."""
    def hsplit(
        self, indices_or_sections: builtins.int | Sequence[builtins.int]
    ) -> tuple[Tensor, ...]:
        """``split`` along the second axis, of a vector along its only one."""
    def hypot(self, b: ArrayLike) -> Tensor:
        """√(a² + b²), without overflow; the gradient at 0 is 0."""
    def hypot_(self, b: ArrayLike) -> Tensor:
        """In place: √(a² + b²), without overflow; the gradient at 0 is 0."""
    def i0(self) -> Tensor:
        """The modified Bessel function of the first kind, of order 0. Gradient: g I₁(x)."""
    def i0_(self) -> Tensor:
        """In place: The modified Bessel function of the first kind, of order 0. Gradient: g
        I₁(x)."""
    def igamma(self, x: ArrayLike) -> Tensor:
        """The share of Γ(a) = ∫ tᵃ⁻¹ e⁻ᵗ dt that is below x: the cumulative distribution of
        Gamma(a). Gradient: by x, g xᵃ⁻¹ e⁻ˣ / Γ(a); by a there is none."""
    def igamma_(self, x: ArrayLike) -> Tensor:
        """In place: The share of Γ(a) = ∫ tᵃ⁻¹ e⁻ᵗ dt that is below x: the cumulative
        distribution of Gamma(a). Gradient: by x, g xᵃ⁻¹ e⁻ˣ / Γ(a); by a there is none."""
    def igammac(self, x: ArrayLike) -> Tensor:
        """1 − :func:`igamma`, with all digits where that is small. Gradient: by x, −g xᵃ⁻¹ e⁻ˣ /
        Γ(a); by a there is none."""
    def igammac_(self, x: ArrayLike) -> Tensor:
        """In place: 1 − :func:`igamma`, with all digits where that is small. Gradient: by x, −g
        xᵃ⁻¹ e⁻ˣ / Γ(a); by a there is none."""
    @overload
    def index_add(
        self, axis: builtins.int, index: ArrayLike, source: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor: ...
    @overload
    def index_add(
        self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor: ...
    @overload
    def index_add(
        self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor:
        """x with ``alpha`` times slice i of ``source`` added at ``index[i]`` along ``axis``."""
    @overload
    def index_add_(
        self, axis: builtins.int, index: ArrayLike, source: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor: ...
    @overload
    def index_add_(
        self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor: ...
    @overload
    def index_add_(
        self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike, alpha: builtins.float = 1
    ) -> Tensor:
        """In place: x with ``alpha`` times slice i of ``source`` added at ``index[i]`` along
        ``axis``."""
    @overload
    def index_copy(self, axis: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def index_copy(self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
    @overload
    def index_copy(self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike) -> Tensor:
        """x with slice i of ``source`` in place of slice ``index[i]`` along ``axis``; of several
        for one place, the last."""
    @overload
    def index_copy_(self, axis: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def index_copy_(self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
    @overload
    def index_copy_(self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike) -> Tensor:
        """In place: x with slice i of ``source`` in place of slice ``index[i]`` along ``axis``;
        of several for one place, the last."""
    @overload
    def index_fill(self, axis: builtins.int, index: ArrayLike, value: ArrayLike) -> Tensor: ...
    @overload
    def index_fill(self, *, dim: builtins.int, index: ArrayLike, value: ArrayLike) -> Tensor:
        """x with ``value``, one number, in the slices ``index`` along ``axis``."""
    @overload
    def index_fill_(self, axis: builtins.int, index: ArrayLike, value: ArrayLike) -> Tensor: ...
    @overload
    def index_fill_(self, *, dim: builtins.int, index: ArrayLike, value: ArrayLike) -> Tensor:
        """In place: x with ``value``, one number, in the slices ``index`` along ``axis``."""
    def index_put(
        self, indices: tuple[ArrayLike, ...], values: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor:
        """x with ``values`` at ``[indices]``, a tuple of arrays; added, if ``accumulate``."""
    def index_put_(
        self, indices: tuple[ArrayLike, ...], values: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor:
        """In place: x with ``values`` at ``[indices]``, a tuple of arrays; added, if
        ``accumulate``."""
    @overload
    def index_reduce(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def index_reduce(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def index_reduce(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """x with slice i of ``source`` joined to slice ``index[i]`` along ``axis``, by "sum",
        "mean", "prod", "amax" or "amin"; without ``include_self``, to each other alone."""
    @overload
    def index_reduce_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def index_reduce_(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def index_reduce_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In place: x with slice i of ``source`` joined to slice ``index[i]`` along ``axis``, by
        "sum", "mean", "prod", "amax" or "amin"; without ``include_self``, to each other
        alone."""
    @overload
    def index_select(self, axis: builtins.int, index: ArrayLike) -> Tensor: ...
    @overload
    def index_select(self, *, dim: builtins.int, index: ArrayLike) -> Tensor:
        """The slices of x along ``axis`` with the numbers ``index``, a row of integers."""
    def inner(self, b: ArrayLike) -> Tensor:
        """Σ a b along the last axes: ``inner(a, b)[i, j] = Σ a[i, k] b[j, k]``; numbers
        multiply."""
    def int(self) -> Tensor:
        """The elements as int32."""
    def inv(self) -> Tensor:
        """x⁻¹. An error if x is singular."""
    def inverse(self) -> Tensor:
        """x⁻¹. An error if x is singular."""
    def is_complex(self) -> builtins.bool:
        """Whether the elements of x are complex."""
    def is_floating_point(self) -> builtins.bool:
        """Whether the elements of x are real floating-point numbers."""
    def isclose(
        self,
        b: ArrayLike,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> Tensor:
        """Whether |a − b| ≤ atol + rtol |b|, or both are the same infinity; with ``equal_nan``
        also whether both are NaN."""
    def isfinite(self) -> Tensor:
        """Whether x is neither infinite nor NaN."""
    def isin(self, elements: ArrayLike, invert: builtins.bool = False) -> Tensor:
        """Which elements of x are among ``elements``; with ``invert``, which are not."""
    def isinf(self) -> Tensor:
        """Whether x is infinite."""
    def isnan(self) -> Tensor:
        """Whether x is NaN."""
    def isneginf(self) -> Tensor:
        """Whether x is −∞."""
    def isposinf(self) -> Tensor:
        """Whether x is ∞."""
    def isreal(self) -> Tensor:
        """Whether the imaginary part of x is 0."""
    def istft(
        self,
        n_fft: builtins.int,
        hop_length: builtins.int | None = None,
        win_length: builtins.int | None = None,
        window: ArrayLike | None = None,
        center: builtins.bool = True,
        normalized: builtins.bool = False,
        onesided: builtins.bool | None = None,
        length: builtins.int | None = None,
        return_complex: builtins.bool = False,
    ) -> Tensor:
        """The signals whose :func:`stft` is nearest to x (…, frequencies, windows): the windows'
        inverse transforms times ``window``, added up and divided by the sum of its squares.
        They are real, and the first half of the frequencies tells them, unless
        ``return_complex`` says otherwise of spectra that are not ``onesided`` (as those are
        that have fewer than n_fft frequencies)."""
    def kron(self, b: ArrayLike) -> Tensor:
        """The Kronecker product: each element of a times the whole of b, in its place."""
    def kthvalue(
        self,
        k: builtins.int,
        axis: builtins.int = -1,
        keepdims: builtins.bool = False,
        *,
        dim: builtins.int = -1,
        keepdim: builtins.bool = False,
    ) -> Picked:
        """The k-th smallest element along ``axis``, k from 1 on, and where it stands; NaN is the
        largest. The gradient goes to the element at the index."""
    def lcm(self, b: ArrayLike) -> Tensor:
        """The least common multiple of integers, ≥ 0."""
    def lcm_(self, b: ArrayLike) -> Tensor:
        """In place: The least common multiple of integers, ≥ 0."""
    def ldexp(self, b: ArrayLike) -> Tensor:
        """a · 2ᵇ, exact where b is a whole number. Gradient: g 2ᵇ by a, g a 2ᵇ log 2 by b."""
    def ldexp_(self, b: ArrayLike) -> Tensor:
        """In place: a · 2ᵇ, exact where b is a whole number. Gradient: g 2ᵇ by a, g a 2ᵇ log 2
        by b."""
    def le(self, b: ArrayLike) -> Tensor:
        """a ≤ b, as a tensor of bool."""
    def le_(self, b: ArrayLike) -> Tensor:
        """In place: a ≤ b, as a tensor of bool."""
    def lerp(self, b: ArrayLike, weight: ArrayLike) -> Tensor:
        """a + weight (b − a): a where the weight is 0, b where it is 1."""
    def lerp_(self, b: ArrayLike, weight: ArrayLike) -> Tensor:
        """In place: a + weight (b − a): a where the weight is 0, b where it is 1."""
    def less(self, b: ArrayLike) -> Tensor:
        """a < b, as a tensor of bool."""
    def less_(self, b: ArrayLike) -> Tensor:
        """In place: a < b, as a tensor of bool."""
    def less_equal(self, b: ArrayLike) -> Tensor:
        """a ≤ b, as a tensor of bool."""
    def less_equal_(self, b: ArrayLike) -> Tensor:
        """In place: a ≤ b, as a tensor of bool."""
    def lgamma(self) -> Tensor:
        """log |Γ(x)|; ∞ at 0 and the negative whole numbers. Gradient: g times :func:`digamma`."""
    def lgamma_(self) -> Tensor:
        """In place: log |Γ(x)|; ∞ at 0 and the negative whole numbers. Gradient: g times
        :func:`digamma`."""
    def log(self) -> Tensor:
        """The natural logarithm; −inf at 0, NaN below."""
    def log10(self) -> Tensor:
        """The logarithm to base 10."""
    def log10_(self) -> Tensor:
        """In place: The logarithm to base 10."""
    def log1p(self) -> Tensor:
        """log(1 + x), exact also near 0."""
    def log1p_(self) -> Tensor:
        """In place: log(1 + x), exact also near 0."""
    def log2(self) -> Tensor:
        """The logarithm to base 2."""
    def log2_(self) -> Tensor:
        """In place: The logarithm to base 2."""
    def log_(self) -> Tensor:
        """In place: The natural logarithm; −inf at 0, NaN below."""
    def log_normal_(
        self,
        mean: builtins.float = 1.0,
        std: builtins.float = 2.0,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """Overwrite the elements by numbers whose logarithms are normal ones."""
    def log_softmax(
        self, axis: builtins.int = -1, dtype: Dtype = None, *, dim: builtins.int = -1
    ) -> Tensor:
        """x − log Σ exp(x), the sum along ``axis``; stable where the exponentials are not.
        ``dtype`` as of :func:`softmax`."""
    def logaddexp(self, b: ArrayLike) -> Tensor:
        """log(eᵃ + eᵇ), without overflow."""
    def logaddexp2(self, b: ArrayLike) -> Tensor:
        """log₂(2ᵃ + 2ᵇ), without overflow. Gradient: by a, g 2ᵃ / (2ᵃ + 2ᵇ)."""
    @overload
    def logcumsumexp(self, axis: builtins.int) -> Tensor: ...
    @overload
    def logcumsumexp(self, *, dim: builtins.int) -> Tensor:
        """log Σ eˣ over the elements up to each along ``axis``, without overflow; −∞ where all
        are −∞."""
    def logdet(self) -> Tensor:
        """The logarithm of the determinant: NaN where a real one is negative, −∞ where it is 0;
        of complex numbers the principal one."""
    def logical_and(self, b: ArrayLike) -> Tensor:
        """Whether both are true (not 0)."""
    def logical_and_(self, b: ArrayLike) -> Tensor:
        """In place: Whether both are true (not 0)."""
    def logical_not(self) -> Tensor:
        """Whether x is false (0)."""
    def logical_not_(self) -> Tensor:
        """In place: Whether x is false (0)."""
    def logical_or(self, b: ArrayLike) -> Tensor:
        """Whether one is true (not 0)."""
    def logical_or_(self, b: ArrayLike) -> Tensor:
        """In place: Whether one is true (not 0)."""
    def logical_xor(self, b: ArrayLike) -> Tensor:
        """Whether exactly one is true (not 0)."""
    def logical_xor_(self, b: ArrayLike) -> Tensor:
        """In place: Whether exactly one is true (not 0)."""
    def logit(self, eps: builtins.float | None = None) -> Tensor:
        """log(x / (1 − x)), the inverse of sigmoid; NaN outside of [0, 1]. With ``eps`` x is
        brought into [eps, 1 − eps] first. Gradient: g / (x (1 − x)); 0 where x was moved."""
    def logit_(self, eps: builtins.float | None = None) -> Tensor:
        """In place: log(x / (1 − x)), the inverse of sigmoid; NaN outside of [0, 1]. With
        ``eps`` x is brought into [eps, 1 − eps] first. Gradient: g / (x (1 − x)); 0 where x
        was moved."""
    def logsumexp(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """log Σ eˣ, without overflow; −inf where all x are −inf."""
    def long(self) -> Tensor:
        """The elements as int64."""
    def lstsq(
        self, b: ArrayLike, rcond: builtins.float | None = None, driver: str | None = None
    ) -> LstsqResult:
        """The x for which ‖a x − b‖ is least, and among several the shortest: a (…, m, n), b
        (m,) or (…, m, k)."""
    def lt(self, b: ArrayLike) -> Tensor:
        """a < b, as a tensor of bool."""
    def lt_(self, b: ArrayLike) -> Tensor:
        """In place: a < b, as a tensor of bool."""
    def masked_fill(self, mask: ArrayLike, value: ArrayLike) -> Tensor:
        """``value``, one number, where ``mask`` is True, and x elsewhere; x and the mask
        broadcast."""
    @overload
    def masked_scatter(self, mask: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def masked_scatter(self, mask: ArrayLike, *, src: ArrayLike) -> Tensor:
        """x with the first elements of ``source``, in C order, in the places where ``mask``,
        which broadcasts to x, is True."""
    @overload
    def masked_scatter_(self, mask: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def masked_scatter_(self, mask: ArrayLike, *, src: ArrayLike) -> Tensor:
        """In place: x with the first elements of ``source``, in C order, in the places where
        ``mask``, which broadcasts to x, is True."""
    def masked_select(self, mask: ArrayLike) -> Tensor:
        """The elements of x where ``mask`` is True, in C order; x and the mask broadcast."""
    def matmul(self, b: ArrayLike) -> Tensor:
        """The matrix product: out[…, i, j] = Σ_k a[…, i, k] b[…, k, j]."""
    def matrix_exp(self) -> Tensor:
        """eˣ = Σ xᵏ / k! of each square matrix, by scaling and squaring (Higham, 2005). NaN for
        a matrix that is not finite."""
    def matrix_power(self, n: builtins.int) -> Tensor:
        """x multiplied by itself n times, by repeated squaring; for a negative n, x⁻¹."""
    def max(
        self, axis: Axes = None, keepdims: builtins.bool = False, *, keepdim: builtins.bool = False
    ) -> Tensor:
        """The largest element; NaN if one is NaN. Equal largest elements share the gradient."""
    def maximum(self, b: ArrayLike) -> Tensor:
        """The larger of a and b; NaN if either is. Equal operands get half the gradient each;
        beside a NaN both get all of it."""
    def median(
        self,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        *,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The element in the middle, in order; of an even number the mean of the two, as in
        NumPy: :func:`quantile` at 0.5, of integers too. NaN if there is one. (PyTorch's, the
        lower of the two, and its index are ``kthvalue(x, (n + 1) // 2, axis)``.)"""
    def min(
        self, axis: Axes = None, keepdims: builtins.bool = False, *, keepdim: builtins.bool = False
    ) -> Tensor:
        """The smallest element; NaN if one is NaN. Equal smallest elements share the gradient."""
    def minimum(self, b: ArrayLike) -> Tensor:
        """The smaller of a and b; NaN if either is. Equal operands get half the gradient each;
        beside a NaN both get all of it."""
    def mm(self, b: ArrayLike) -> Tensor:
        """``matmul`` of arrays of 2 and 2 axes alone."""
    def mode(
        self,
        axis: builtins.int = -1,
        keepdims: builtins.bool = False,
        *,
        dim: builtins.int = -1,
        keepdim: builtins.bool = False,
    ) -> Picked:
        """The most frequent element along ``axis``, of equally frequent ones the smallest, and
        where the last such stands, to which the gradient goes."""
    @overload
    def moveaxis(self, source: Axis, destination: Axis) -> Tensor: ...
    @overload
    def moveaxis(self, *, src: Axis, destination: Axis) -> Tensor:
        """x with the axes of ``source`` moved to ``destination``; the others keep their order."""
    @overload
    def movedim(self, source: Axis, destination: Axis) -> Tensor: ...
    @overload
    def movedim(self, *, src: Axis, destination: Axis) -> Tensor:
        """x with the axes of ``source`` moved to ``destination``; the others keep their order."""
    def msort(self) -> Tensor:
        """x sorted along its first axis."""
    def mul(self, b: ArrayLike) -> Tensor:
        """a · b."""
    def mul_(self, b: ArrayLike) -> Tensor:
        """In place: a · b."""
    def multinomial(
        self,
        num_samples: builtins.int,
        replacement: builtins.bool = False,
        *,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """``num_samples`` indices of each row of weights x (C) or (N, C), drawn with the chances
        that the weights have among those of the row; each index once, or any time with
        ``replacement``."""
    def multiply(self, b: ArrayLike) -> Tensor:
        """a · b."""
    def multiply_(self, b: ArrayLike) -> Tensor:
        """In place: a · b."""
    def mv(self, b: ArrayLike) -> Tensor:
        """``matmul`` of arrays of 2 and 1 axes alone."""
    def mvlgamma(self, p: builtins.int) -> Tensor:
        """The logarithm of the gamma function of p dimensions, p (p − 1) / 4 log π + Σ log Γ(x −
        j / 2) over j < p; its domain is x > (p − 1) / 2."""
    def mvlgamma_(self, p: builtins.int) -> Tensor:
        """In place: The logarithm of the gamma function of p dimensions, p (p − 1) / 4 log π + Σ
        log Γ(x − j / 2) over j < p; its domain is x > (p − 1) / 2."""
    def nan_to_num(
        self,
        nan: builtins.float = 0.0,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> Tensor:
        """x with ``nan`` for NaN, and the largest and the smallest finite number of its dtype,
        or what is given, for infinities. Gradient: g, and 0 where x was replaced."""
    def nan_to_num_(
        self,
        nan: builtins.float = 0.0,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> Tensor:
        """In place: x with ``nan`` for NaN, and the largest and the smallest finite number of
        its dtype, or what is given, for infinities. Gradient: g, and 0 where x was replaced."""
    def nanmean(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The mean of the elements that are not NaN, to which the gradient goes; NaN of none."""
    def nanmedian(
        self,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        *,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The :func:`median` of the elements that are not NaN; NaN of none."""
    def nanquantile(
        self,
        q: ArrayLike,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        interpolation: Interpolation = "linear",
        *,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The :func:`quantile` of the elements that are not NaN; NaN of none."""
    def nansum(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        dtype: Dtype = None,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Σ x of the elements that are not NaN, to which the gradient goes."""
    @overload
    def narrow(self, axis: builtins.int, start: builtins.int, length: builtins.int) -> Tensor: ...
    @overload
    def narrow(self, *, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
        """The ``length`` slices of x along ``axis`` from ``start`` on: a view."""
    def ne(self, b: ArrayLike) -> Tensor:
        """a ≠ b, as a tensor of bool."""
    def ne_(self, b: ArrayLike) -> Tensor:
        """In place: a ≠ b, as a tensor of bool."""
    def neg(self) -> Tensor:
        """−x."""
    def neg_(self) -> Tensor:
        """In place: −x."""
    def negative(self) -> Tensor:
        """−x."""
    def negative_(self) -> Tensor:
        """In place: −x."""
    def new_empty(self, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        """``tt.empty`` with the dtype of this tensor, unless another is given."""
    def new_full(self, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        """``tt.full`` with the dtype of this tensor, unless another is given."""
    def new_ones(self, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        """``tt.ones`` with the dtype of this tensor, unless another is given."""
    def new_tensor(self, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        """``tt.tensor`` with the dtype of this tensor, unless another is given."""
    def new_zeros(self, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        """``tt.zeros`` with the dtype of this tensor, unless another is given."""
    def nextafter(self, b: ArrayLike) -> Tensor:
        """The floating point number next to a, towards b. The gradient goes to a where a ≠ b."""
    def nextafter_(self, b: ArrayLike) -> Tensor:
        """In place: The floating point number next to a, towards b. The gradient goes to a where
        a ≠ b."""
    def norm(
        self,
        p: builtins.float | str | None = "fro",
        axis: builtins.int | tuple[builtins.int, ...] | None = None,
        keepdims: builtins.bool = False,
        dtype: Dtype = None,
        *,
        dim: builtins.int | tuple[builtins.int, ...] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """(Σ |x|ᵖ)^(1/p) over the axes of ``axis``, or over all: p = 2 of a matrix is its
        Frobenius norm, and not its largest singular value. ``p`` "nuc" is the sum of the
        singular values of matrices. (PyTorch's ``x.norm``.)"""
    def normal_(
        self,
        mean: builtins.float = 0.0,
        std: builtins.float = 1.0,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """Overwrite the elements by normal numbers of this mean and standard deviation; of
        complex ones each part has half the variance."""
    def not_equal(self, b: ArrayLike) -> Tensor:
        """a ≠ b, as a tensor of bool."""
    def not_equal_(self, b: ArrayLike) -> Tensor:
        """In place: a ≠ b, as a tensor of bool."""
    def outer(self, b: ArrayLike) -> Tensor:
        """out[i, j] = a[i] b[j], for two vectors."""
    def pinv(
        self,
        rtol: ArrayLike | None = None,
        hermitian: builtins.bool = False,
        atol: ArrayLike | None = None,
    ) -> Tensor:
        """The pseudo-inverse. Singular values up to the larger of ``atol`` and ``rtol`` times
        the largest count as 0: numbers, or one for each matrix. Without both, ``rtol`` is the
        dtype's epsilon times the longer side; beside an ``atol`` above 0 it is 0."""
    def positive(self) -> Tensor:
        """+x, a copy."""
    def pow(self, b: ArrayLike) -> Tensor:
        """aᵇ. By a the gradient is b aᵇ⁻¹, 0 where b is 0; by b it is aᵇ log a, 0 where a is 0 ≤
        b."""
    def pow_(self, b: ArrayLike) -> Tensor:
        """In place: aᵇ. By a the gradient is b aᵇ⁻¹, 0 where b is 0; by b it is aᵇ log a, 0
        where a is 0 ≤ b."""
    def prelu(self, weight: ArrayLike) -> Tensor:
        """x where x is positive, otherwise ``weight`` x: one number, or one for each channel of
        x (N, C, …). He et al., 2015."""
    def prod(
        self,
        axis: Axes = None,
        keepdims: builtins.bool = False,
        dtype: Dtype = None,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Π x, of the elements as ``dtype`` if one is given. The gradients are right also where
        elements are 0."""
    @overload
    def put(
        self, index: ArrayLike, source: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor: ...
    @overload
    def put(self, index: ArrayLike, *, src: ArrayLike, accumulate: builtins.bool = False) -> Tensor:
        """x with the elements of ``source`` at ``index`` of the flattened x; added, if
        ``accumulate``."""
    @overload
    def put_(
        self, index: ArrayLike, source: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor: ...
    @overload
    def put_(
        self, index: ArrayLike, *, src: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor:
        """In place: x with the elements of ``source`` at ``index`` of the flattened x; added, if
        ``accumulate``."""
    def qr(self, mode: str = "reduced") -> QRResult:
        """x = Q R, Q with orthonormal columns and R upper triangular."""
    def quantile(
        self,
        q: ArrayLike,
        axis: builtins.int | None = None,
        keepdims: builtins.bool = False,
        interpolation: Interpolation = "linear",
        *,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """What a share q of the elements, from 0 to 1, is below: the element at q (n − 1) in
        order or, between two, what ``interpolation`` says. NaN if there is one. Several q
        make an axis in front."""
    def rad2deg(self) -> Tensor:
        """x 180 / π: radians in degrees."""
    def rad2deg_(self) -> Tensor:
        """In place: x 180 / π: radians in degrees."""
    def random_(
        self,
        low: builtins.int = 0,
        high: builtins.int | None = None,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """Overwrite the elements by integers from [low, high); by those below ``low`` if it is
        given alone, and without both by all from 0 on that the dtype has, of floats those
        without gaps."""
    def ravel(self) -> Tensor:
        """The elements in a row."""
    def reciprocal(self) -> Tensor:
        """1 / x."""
    def reciprocal_(self) -> Tensor:
        """In place: 1 / x."""
    def relu(self) -> Tensor:
        """max(x, 0); the gradient at 0 is 0."""
    def relu_(self) -> Tensor:
        """In place: max(x, 0); the gradient at 0 is 0."""
    def remainder(self, b: ArrayLike) -> Tensor:
        """a − b ⌊a / b⌋, which has the sign of b."""
    def remainder_(self, b: ArrayLike) -> Tensor:
        """In place: a − b ⌊a / b⌋, which has the sign of b."""
    @overload
    def renorm(self, p: builtins.float, axis: builtins.int, maxnorm: builtins.float) -> Tensor: ...
    @overload
    def renorm(self, p: builtins.float, *, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """x with each of its slices along ``axis`` whose p-norm is above ``maxnorm`` scaled down
        to it."""
    @overload
    def renorm_(self, p: builtins.float, axis: builtins.int, maxnorm: builtins.float) -> Tensor: ...
    @overload
    def renorm_(self, p: builtins.float, *, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """In place: x with each of its slices along ``axis`` whose p-norm is above ``maxnorm``
        scaled down to it."""
    def repeat_interleave(
        self,
        repeats: ArrayLike,
        axis: builtins.int | None = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """x with each element along ``axis`` repeated; ``repeats`` is a number or one for each."""
    @overload
    def roll(self, shift: Axis, axis: Axes = None, *, dims: Axes = None) -> Tensor: ...
    @overload
    def roll(self, *, shifts: Axis, axis: Axes = None, dims: Axes = None) -> Tensor:
        """x with its elements moved on by ``shift`` along ``axis``, around the end."""
    def rot90(
        self,
        k: builtins.int = 1,
        axes: Sequence[builtins.int] = (0, 1),
        *,
        dim: Sequence[builtins.int] = (0, 1),
        diagonal: builtins.int = 1,
        offset: builtins.int = 1,
    ) -> Tensor:
        """x turned ``k`` times by a right angle, from the first of two ``axes`` to the second: a
        view."""
    def round(self, decimals: builtins.int = 0) -> Tensor:
        """The nearest whole number, halves to even; with ``decimals`` the nearest of so many
        digits behind the point, or of zeros before it. The gradient is 0."""
    def round_(self, decimals: builtins.int = 0) -> Tensor:
        """In place: The nearest whole number, halves to even; with ``decimals`` the nearest of
        so many digits behind the point, or of zeros before it. The gradient is 0."""
    def rsqrt(self) -> Tensor:
        """1 / √x."""
    def rsqrt_(self) -> Tensor:
        """In place: 1 / √x."""
    @overload
    def scatter(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """x with element [i, j, …] of ``source`` at [index[i, j, …], j, …], for ``axis`` 0."""
    @overload
    def scatter_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str | None = None,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In place: x with element [i, j, …] of ``source`` at [index[i, j, …], j, …], for
        ``axis`` 0."""
    @overload
    def scatter_add(self, axis: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def scatter_add(self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
    @overload
    def scatter_add(self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike) -> Tensor:
        """x with element [i, j, …] of ``source`` added at [index[i, j, …], j, …], for ``axis``
        0: ``scatter`` by "sum"."""
    @overload
    def scatter_add_(self, axis: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor: ...
    @overload
    def scatter_add_(self, *, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor: ...
    @overload
    def scatter_add_(self, axis: builtins.int, index: ArrayLike, *, src: ArrayLike) -> Tensor:
        """In place: x with element [i, j, …] of ``source`` added at [index[i, j, …], j, …], for
        ``axis`` 0: ``scatter`` by "sum"."""
    @overload
    def scatter_reduce(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_reduce(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_reduce(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """``scatter`` with a ``reduce`` that must be given."""
    @overload
    def scatter_reduce_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        source: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_reduce_(
        self,
        *,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor: ...
    @overload
    def scatter_reduce_(
        self,
        axis: builtins.int,
        index: ArrayLike,
        *,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In place: ``scatter`` with a ``reduce`` that must be given."""
    @overload
    def select(self, axis: builtins.int, index: builtins.int) -> Tensor: ...
    @overload
    def select(self, *, dim: builtins.int, index: builtins.int) -> Tensor:
        """x[…, index, …], at ``index`` of ``axis``: a view."""
    @overload
    def select_scatter(
        self, source: ArrayLike, axis: builtins.int, index: builtins.int
    ) -> Tensor: ...
    @overload
    def select_scatter(
        self, *, src: ArrayLike, dim: builtins.int, index: builtins.int
    ) -> Tensor: ...
    @overload
    def select_scatter(
        self, source: ArrayLike, *, dim: builtins.int, index: builtins.int
    ) -> Tensor:
        """A copy of x with ``source`` at ``index`` of ``axis``."""
    def sgn(self) -> Tensor:
        """−1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is 0."""
    def sgn_(self) -> Tensor:
        """In place: −1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is
        0."""
    def short(self) -> Tensor:
        """The elements as int16."""
    def sigmoid(self) -> Tensor:
        """1 / (1 + e⁻ˣ)."""
    def sigmoid_(self) -> Tensor:
        """In place: 1 / (1 + e⁻ˣ)."""
    def sign(self) -> Tensor:
        """−1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is 0."""
    def sign_(self) -> Tensor:
        """In place: −1, 0 or 1, as x is negative, zero or positive; NaN for NaN. The gradient is
        0."""
    def signbit(self) -> Tensor:
        """Whether the sign bit is set: of negative numbers, −0 and some NaNs."""
    def sin(self) -> Tensor:
        """The sine."""
    def sin_(self) -> Tensor:
        """In place: The sine."""
    def sinc(self) -> Tensor:
        """sin πx / πx, and 1 at 0."""
    def sinc_(self) -> Tensor:
        """In place: sin πx / πx, and 1 at 0."""
    def sinh(self) -> Tensor:
        """(eˣ − e⁻ˣ) / 2."""
    def sinh_(self) -> Tensor:
        """In place: (eˣ − e⁻ˣ) / 2."""
    @overload
    def slice_scatter(
        self,
        source: ArrayLike,
        axis: builtins.int = 0,
        start: builtins.int | None = None,
        end: builtins.int | None = None,
        step: builtins.int = 1,
        *,
        dim: builtins.int = 0,
    ) -> Tensor: ...
    @overload
    def slice_scatter(
        self,
        *,
        src: ArrayLike,
        axis: builtins.int = 0,
        start: builtins.int | None = None,
        end: builtins.int | None = None,
        step: builtins.int = 1,
        dim: builtins.int = 0,
    ) -> Tensor:
        """A copy of x with ``source`` in place of the slice ``start:end:step`` along ``axis``."""
    def slogdet(self) -> SlogdetResult:
        """The determinant as its sign (or phase) and the logarithm of its absolute value."""
    def softmax(
        self, axis: builtins.int = -1, dtype: Dtype = None, *, dim: builtins.int = -1
    ) -> Tensor:
        """exp(x) / Σ exp(x), the sum along ``axis``; of x cast to ``dtype``, if one is given."""
    def solve(self, b: ArrayLike, left: builtins.bool = True) -> Tensor:
        """The x of a x = b, or of x a = b if not ``left``: a (…, n, n), b (n,) or (…, n, k), or
        (…, k, n). An error if a is singular."""
    def split(
        self, indices_or_sections: builtins.int | Sequence[builtins.int], axis: builtins.int = 0
    ) -> tuple[Tensor, ...]:
        """Views of x along ``axis``: that many equal pieces, or cut before the given indices."""
    def split_with_sizes(
        self, sizes: Sequence[builtins.int], axis: builtins.int = 0, *, dim: builtins.int = 0
    ) -> tuple[Tensor, ...]:
        """Views of x along ``axis``, of these sizes, which add up to its own."""
    def sqrt(self) -> Tensor:
        """√x; NaN below 0."""
    def sqrt_(self) -> Tensor:
        """In place: √x; NaN below 0."""
    def square(self) -> Tensor:
        """x²."""
    def square_(self) -> Tensor:
        """In place: x²."""
    def squeeze(self, axis: Axes = None) -> Tensor:
        """x without the axes of ``axis``, which must have size 1; without all such if None."""
    def std(
        self,
        axis: Axes = None,
        correction: builtins.float = 0.0,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The standard deviation, √(Σ (x − mean)² / (n − correction)). Where it is 0, so is the
        gradient."""
    def stft(
        self,
        n_fft: builtins.int,
        hop_length: builtins.int | None = None,
        win_length: builtins.int | None = None,
        window: ArrayLike | None = None,
        center: builtins.bool = True,
        pad_mode: str = "reflect",
        normalized: builtins.bool = False,
        onesided: builtins.bool | None = None,
        return_complex: builtins.bool = True,
    ) -> Tensor:
        """The spectra of windows of a signal x (…, length): (…, frequencies, windows), complex."""
    def sub(self, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor:
        """a − b, or a − alpha · b."""
    def subtract(self, b: ArrayLike, alpha: ArrayLike = 1) -> Tensor:
        """a − b, or a − alpha · b."""
    @overload
    def swapaxes(self, axis1: builtins.int, axis2: builtins.int) -> Tensor: ...
    @overload
    def swapaxes(self, *, dim0: builtins.int, dim1: builtins.int) -> Tensor: ...
    @overload
    def swapaxes(self, axis1: builtins.int, *, dim1: builtins.int) -> Tensor:
        """x with two axes exchanged."""
    @overload
    def swapdims(self, axis1: builtins.int, axis2: builtins.int) -> Tensor: ...
    @overload
    def swapdims(self, *, dim0: builtins.int, dim1: builtins.int) -> Tensor: ...
    @overload
    def swapdims(self, axis1: builtins.int, *, dim1: builtins.int) -> Tensor:
        """x with two axes exchanged."""
    def t(self) -> Tensor:
        """A matrix transposed; x of fewer axes as it is."""
    def take(
        self,
        indices: ArrayLike,
        axis: builtins.int | None = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """The slices of x along ``axis`` at ``indices``; of the flattened x if ``axis`` is None."""
    def take_along_dim(
        self,
        indices: ArrayLike,
        axis: builtins.int | None = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor:
        """``take_along_axis``; without an axis, the elements of the flattened x at ``indices``,
        which are flattened too."""
    def tan(self) -> Tensor:
        """The tangent."""
    def tan_(self) -> Tensor:
        """In place: The tangent."""
    def tanh(self) -> Tensor:
        """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    def tanh_(self) -> Tensor:
        """In place: (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    def tensor_split(
        self,
        indices_or_sections: builtins.int | Sequence[builtins.int],
        axis: builtins.int = 0,
        *,
        dim: builtins.int = 0,
    ) -> tuple[Tensor, ...]:
        """Views of x along ``axis``, cut before the given indices or into that many pieces, of
        which the first are longer by one where they cannot be equal."""
    def topk(
        self,
        k: builtins.int,
        axis: builtins.int = -1,
        largest: builtins.bool = True,
        sorted: builtins.bool = True,
        *,
        dim: builtins.int = -1,
    ) -> TopK:
        """The k largest (or smallest) elements along ``axis``, and their indices; in order of
        size or, if not ``sorted``, in the order in which they stand in x."""
    def trace(
        self, offset: builtins.int = 0, dtype: Dtype = None, *, diagonal: builtins.int = 0
    ) -> Tensor:
        """The sums of the diagonals of the matrices in the last two axes."""
    def tril(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """The lower triangle of the last two axes, up to diagonal ``k``; 0 above."""
    def tril_(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """In place: The lower triangle of the last two axes, up to diagonal ``k``; 0 above."""
    def triu(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """The upper triangle of the last two axes, from diagonal ``k`` on; 0 below."""
    def triu_(
        self, k: builtins.int = 0, *, diagonal: builtins.int = 0, offset: builtins.int = 0
    ) -> Tensor:
        """In place: The upper triangle of the last two axes, from diagonal ``k`` on; 0 below."""
    def true_divide(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc" rounded
        towards 0, both of the dtype of a and b and with a gradient of 0."""
    def true_divide_(self, b: ArrayLike, rounding_mode: str | None = None) -> Tensor:
        """In place: a / b. With ``rounding_mode`` "floor" as :func:`floor_divide`, with "trunc"
        rounded towards 0, both of the dtype of a and b and with a gradient of 0."""
    def trunc(self) -> Tensor:
        """The nearest whole number towards 0. The gradient is 0."""
    def trunc_(self) -> Tensor:
        """In place: The nearest whole number towards 0. The gradient is 0."""
    def unbind(self, axis: builtins.int = 0, *, dim: builtins.int = 0) -> tuple[Tensor, ...]:
        """The slices of x along ``axis``, without that axis: views."""
    @overload
    def unflatten(self, axis: builtins.int, sizes: Shape) -> Tensor: ...
    @overload
    def unflatten(self, *, dim: builtins.int, sizes: Shape) -> Tensor:
        """x with ``axis`` cut into several of ``sizes``, one of which may be -1: ``flatten``
        undone."""
    def uniform_(
        self,
        low: builtins.float = 0.0,
        high: builtins.float = 1.0,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """Overwrite the elements, of complex ones both parts, by uniform numbers from [low,
        high)."""
    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        axis: builtins.int | None = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """The different elements, or slices along an ``axis``, sorted; if asked, with the index
        of each one's equal, and how often each occurs. The values have no gradient."""
    def unique_consecutive(
        self,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        axis: builtins.int | None = None,
        *,
        dim: builtins.int | None = None,
    ) -> Tensor | tuple[Tensor, ...]:
        """x without those elements that equal the one before; with an ``axis`` without such
        slices. If asked, for each the number of its run, and how long each run is. The values
        have no gradient."""
    def unsqueeze(self, axis: Axis = 0, *, dim: Axis = 0) -> Tensor:
        """x with an axis of size 1 put in at ``axis``, or at each of several."""
    def unstack(self, axis: builtins.int = 0, *, dim: builtins.int = 0) -> tuple[Tensor, ...]:
        """The slices of x along ``axis``, without that axis: views."""
    def var(
        self,
        axis: Axes = None,
        correction: builtins.float = 0.0,
        keepdims: builtins.bool = False,
        *,
        dim: Axes = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The variance, Σ (x − mean)² / (n − correction). NumPy's default is 0, PyTorch's 1."""
    def vdot(self, b: ArrayLike) -> Tensor:
        """Σ ā b of arrays of one axis."""
    def vsplit(
        self, indices_or_sections: builtins.int | Sequence[builtins.int]
    ) -> tuple[Tensor, ...]:
        """``split`` along the first axis of an x with two at least."""
    def xlogy(self, b: ArrayLike) -> Tensor:
        """a log b, and 0 where a is 0 and b no NaN. Where a = 0 ≥ b, both gradients are 0."""
    def xlogy_(self, b: ArrayLike) -> Tensor:
        """In place: a log b, and 0 where a is 0 and b no NaN. Where a = 0 ≥ b, both gradients
        are 0."""
