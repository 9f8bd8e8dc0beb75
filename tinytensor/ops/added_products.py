"""β a + α times a product, by PyTorch's names: addmm and its relatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .arithmetic import add, multiply
from .composed import computed
from .matmul import matmul
from .operands import operand
from .reduction import sum
from .shape import broadcast_shapes
from .tensor_products import outer

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
]


def _added(
    name: str,
    input: Any,
    factors: tuple[tuple[str, Any, int], tuple[str, Any, int]],
    product: Callable[[Any, Any], Any],
    beta: Any,
    alpha: Any,
) -> Any:
    """β ``input`` + α times the product of the factors, each with its name and number of axes."""
    operands = []
    for what, x, ndim in factors:
        operands.append(operand(name, x, input))
        if operands[-1].ndim != ndim:
            axes = ("a vector", "a matrix", "a stack of matrices")[ndim - 1]
            raise ShapeError(f"{name}: {what} must be {axes}, but is {operands[-1].shape}")
    found = product(*operands)
    if broadcast_shapes(input.shape, found.shape) != found.shape:
        raise ShapeError(f"{name}: input is {input.shape}, but the product {found.shape}")
    found = found if alpha == 1 else multiply(found, alpha)
    if beta == 0:  # not even a NaN goes through
        return found
    return add(input if beta == 1 else multiply(input, beta), found)


@computed
def addmm(
    input: ArrayLike, mat1: ArrayLike, mat2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α mat1 mat2, of matrices; input broadcasts, and ``beta`` 0 leaves it out.

    >>> import tinytensor as tt
    >>> tt.addmm(tt.ones(2), tt.ones(2, 3), tt.ones(3, 2), alpha=2)
    tensor([[7., 7.],
            [7., 7.]])
    """
    return _added("addmm", input, (("mat1", mat1, 2), ("mat2", mat2, 2)), matmul, beta, alpha)


@computed
def addmv(
    input: ArrayLike, mat: ArrayLike, vec: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α mat vec, of a matrix and a vector; see :func:`addmm`."""
    return _added("addmv", input, (("mat", mat, 2), ("vec", vec, 1)), matmul, beta, alpha)


@computed
def addr(
    input: ArrayLike, vec1: ArrayLike, vec2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α vec1 vec2ᵀ, of vectors; see :func:`addmm`."""
    return _added("addr", input, (("vec1", vec1, 1), ("vec2", vec2, 1)), outer, beta, alpha)


@computed
def baddbmm(
    input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α batch1 batch2, of stacks of matrices, one by one; see :func:`addmm`."""
    factors = (("batch1", batch1, 3), ("batch2", batch2, 3))
    return _added("baddbmm", input, factors, matmul, beta, alpha)


@computed
def addbmm(
    input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, beta: float = 1, alpha: float = 1
) -> Tensor:
    """β input + α Σ batch1[i] batch2[i], of stacks of matrices; see :func:`addmm`."""
    factors = (("batch1", batch1, 3), ("batch2", batch2, 3))
    return _added("addbmm", input, factors, lambda a, b: sum(matmul(a, b), 0), beta, alpha)
