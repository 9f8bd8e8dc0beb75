"""Products of matrices, and determinants."""

from __future__ import annotations

from typing import Any

from ... import linalg, ops
from ...dtypes import is_floating
from ..registry import operator
from ..values import array, value


@operator("MatMul")
def matmul(a: Any, b: Any) -> Any:
    return ops.matmul(a, b)


@operator("Gemm", since=6)
def gemm_6(
    a: Any,
    b: Any,
    c: Any,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    broadcast: int = 0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    return gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)


@operator("Gemm", since=7)
def gemm(
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    a = a.T if transA else a
    if alpha == 1 and (c is None or beta == 1) and is_floating(a.dtype):
        weight = b if transB else b.T
        if c is None or c.shape == weight.shape[:1]:
            return ops.linear(a, weight, c)
    out = ops.matmul(a, b.T if transB else b)
    if alpha != 1:
        out = _scaled(out, alpha)
    if c is not None:
        out = out + (c if beta == 1 else _scaled(c, beta))
    return out


def _scaled(x: Any, factor: float) -> Any:
    if is_floating(x.dtype):
        return factor * x
    return value((array(x) * factor).astype(x.dtype))


@operator("Einsum", since=12)
def einsum(*operands: Any, equation: str) -> Any:
    return ops.einsum(equation, *operands)


@operator("Det", since=11)
def determinant(x: Any) -> Any:
    return linalg.det(x)
