"""Of all pairs of rows: distances, covariances, correlations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import is_complex, is_floating
from ..errors import DtypeError, ShapeError
from .annotations import ArrayLike, Tensor
from .arithmetic import clip, divide, maximum, multiply, subtract
from .batching import elementwise
from .checks import floating, number
from .complex_numbers import conjugate_if_complex, imag, real
from .composed import computed
from .declared import op
from .elementary import sqrt
from .linalg import vector_norm
from .matmul import matmul
from .operands import operand
from .reduction import sum
from .shape import astype, expand_dims, reshape
from .tensor_products import diagonal

__all__ = [
    "cdist",
    "corrcoef",
    "cov",
]

MODES = (
    None,
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)
PIECE = 1 << 16  # elements of differences at a time, which stay in a cache


@op
def cdist(x1: ArrayLike, x2: ArrayLike, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norms of the differences of all rows of x1 (…, P, M) and x2 (…, R, M): (…, P, R).

    ``p`` is at least 0; for 0 the elements that differ are counted, for ∞ it is the largest
    difference. Axes in front broadcast. Where a distance is 0, so is its gradient. PyTorch's
    ``compute_mode`` is taken and changes nothing: differences keep their digits here.

    >>> import tinytensor as tt
    >>> tt.cdist(tt.tensor([[0.0, 0.0], [3.0, 0.0]]), tt.tensor([[0.0, 4.0]]))
    tensor([[4.],
            [5.]])
    """
    a, b = floating("cdist", "x1", x1), floating("cdist", "x2", x2)
    p = number("cdist", "p", p, 0)
    if compute_mode not in MODES:
        raise ValueError(f"cdist: compute_mode is one of {MODES}, not {compute_mode!r}")
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"cdist: x1 is (…, P, M) and x2 (…, R, M), not {a.shape} and {b.shape}")
    front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*front, a.shape[-2], b.shape[-2]), np.result_type(a, b))
    step = max(1, PIECE * a.shape[-2] // max(1, out.size * a.shape[-1]))
    for i in range(0, a.shape[-2], step):
        differences = a[..., i : i + step, None, :] - b[..., None, :, :]
        out[..., i : i + step, :] = vector_norm(differences, -1, ord=p).value
    return out


def _distances(x1: Any, x2: Any, p: float, compute_mode: str | None) -> Any:
    return vector_norm(subtract(expand_dims(x1, -2), expand_dims(x2, -3)), -1, ord=p)


cdist.defined_by(_distances).batched(elementwise)


@computed
def cov(
    x: ArrayLike,
    correction: float = 1,
    fweights: ArrayLike | None = None,
    aweights: ArrayLike | None = None,
) -> Tensor:
    """The covariances of the rows of x, which are variables; its columns are observations. One row
    may come as a vector, and gives one number.

    Σ w (x − x̄)(y − ȳ)* / (Σ w − ``correction``), where w says how often an observation counts
    (``fweights``, integers) and how much (``aweights``, for which the divisor is
    Σ w − ``correction`` Σ w a / Σ w).

    >>> import tinytensor as tt
    >>> tt.cov(tt.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if x.ndim > 2:
        raise ShapeError(f"cov: x has variables and observations, but is {x.shape}")
    x = reshape(x, (1, -1)) if x.ndim < 2 else x
    if not is_floating(x):
        x = divide(x, 1)
    counted = _weights("fweights", fweights, x, "iu")
    weighted = _weights("aweights", aweights, x, "f")
    weights: Any = counted if weighted is None else weighted
    if counted is not None and weighted is not None:
        weights = multiply(counted, weighted)
    total: Any = x.shape[1] if weights is None else sum(weights)
    each = x if weights is None else multiply(x, weights)
    centred = subtract(x, divide(sum(each, 1, True), total))
    lost: Any = correction
    if weighted is not None and correction:
        lost = divide(multiply(sum(multiply(weights, weighted)), correction), total)
    over = maximum(subtract(total, lost), 0)
    products = matmul(
        centred if weights is None else multiply(centred, weights), conjugate_if_complex(centred).mT
    )
    out = divide(products, over)
    return reshape(out, ()) if out.shape == (1, 1) else out


def _weights(name: str, weights: Any, x: Any, kinds: str) -> Any:
    if weights is None:
        return None
    weights = operand(name, weights, x)
    if weights.shape != (x.shape[1],) or weights.dtype.kind not in kinds:
        what = "floats" if kinds == "f" else "integers"
        raise (DtypeError if weights.dtype.kind not in kinds else ShapeError)(
            f"cov: {name} must be {what}, one for each of {x.shape[1]} observations, but is"
            f" {weights.dtype} of {weights.shape}"
        )
    if not getattr(weights, "level", 0) and np.any(np.asarray(weights) < 0):
        raise ValueError(f"cov: {name} must not be negative")
    return astype(weights, x.dtype if x.dtype.kind == "f" else np.empty(0, x.dtype).real.dtype)


@computed
def corrcoef(x: ArrayLike) -> Tensor:
    """The correlations of the rows of x, which are variables: ``cov`` divided by the standard
    deviations, and within [−1, 1]."""
    found = cov(x)
    if found.ndim == 0:
        return divide(found, found)
    deviations = sqrt(real(diagonal(found)))
    found = divide(divide(found, expand_dims(deviations, 1)), deviations)
    if not is_complex(found):
        return clip(found, -1, 1)
    return clip(real(found), -1, 1) + multiply(clip(imag(found), -1, 1), 1j)
