"""Products with packed matrices, and rows of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .batching import padded, rank
from .checks import floating, integers, parameter
from .declared import op
from .packed_matrix import PackedMatrix, packed

__all__ = ["packed_embedding", "packed_linear"]


@op
def packed_linear(x: ArrayLike, matrix: PackedMatrix, bias: ArrayLike | None = None) -> Tensor:
    """x Wᵀ + bias for a packed W (out, in): x (…, in), bias (out,) or None, giving (…, out).

    A product with the float32 numbers that ``matrix`` stands for; x is not rounded. ``matrix`` is a
    constant. Gradients: g W and Σ g.

    >>> import numpy as np, tinytensor as tt
    >>> matrix = tt.nn.PackedMatrix.of(np.eye(2, 4, dtype=np.float32), "bf16")
    >>> tt.packed_linear(tt.tensor([1.0, 2.0, 3.0, 4.0]), matrix)
    tensor([1., 2.])
    """
    matrix = packed("packed_linear", matrix)
    x = floating("packed_linear", "x", x)
    rows, columns = matrix.shape
    if not x.ndim or x.shape[-1] != columns:
        raise ShapeError(
            f"packed_linear: needs x (…, in) and matrix (out, in): x is {x.shape}, matrix is"
            f" {matrix.shape}"
        )
    if bias is not None:
        bias = floating("packed_linear", "bias", parameter("packed_linear", "bias", bias, (rows,)))
    return kernels.packed_linear(x, matrix.kind, matrix.data, columns, matrix.scales, bias)


@op
def packed_linear_backward(g: ArrayLike, matrix: PackedMatrix) -> Tensor:
    """g W: g (…, out), giving (…, in)."""
    return kernels.packed_linear_backward(
        np.asarray(g), matrix.kind, matrix.data, matrix.shape[1], matrix.scales
    )


def _packed_linear_lanes(op: Any, args: Any, mapped: Any, static: Any) -> Any:
    (x, matrix, bias), ndim = args, rank(args[0], mapped[0])
    if mapped[1] or ndim == 0 or (bias is not None and rank(bias, mapped[2]) != 1):
        return NotImplemented
    if not mapped[2]:
        return op(x, matrix, bias)
    return op(x, matrix) + padded(bias, True, ndim)


packed_linear.batched(_packed_linear_lanes).grad(
    x=lambda g, matrix: packed_linear_backward(g, matrix),
    bias=lambda g: g,  # the engine sums over the rows
)
packed_linear_backward.batched(lambda op, args, mapped, static: op(*args)).grad(
    g=lambda g, matrix: packed_linear(g, matrix)
)


@op
def packed_embedding(indices: ArrayLike, matrix: PackedMatrix) -> Tensor:
    """The rows of a packed matrix (rows, width) at the integers ``indices`` (…): (…, width).

    Float32 constants. An index outside [0, rows) is an error.

    >>> import numpy as np, tinytensor as tt
    >>> table = tt.nn.PackedMatrix.of(np.float32([[1, 2], [3, 4]]), "f16")
    >>> tt.packed_embedding(tt.tensor([1, 0]), table)
    tensor([[3., 4.],
            [1., 2.]])
    """
    matrix = packed("packed_embedding", matrix)
    at = integers("packed_embedding", "indices", indices)
    try:
        return matrix.rows(at)
    except IndexError as error:
        message = str(error).replace("packed_unpack", "packed_embedding")
        raise IndexError(message) from None


packed_embedding.batched(lambda op, args, mapped, static: op(*args))
