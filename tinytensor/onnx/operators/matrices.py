"""Products of matrices, and determinants."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import linalg, ops
from ...dtypes import is_floating
from ..registry import operator
from ..values import array, value


@operator("MatMul")
def matmul(a: Any, b: Any) -> Any:
    return ops.matmul(a, b)


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


@operator("Col2Im", since=18)
def columns_to_image(
    x: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: tuple[int, ...] | None = None,
    pads: tuple[int, ...] | None = None,
    strides: tuple[int, ...] | None = None,
) -> Any:
    size, kernel = array(image_shape).tolist(), array(block_shape).tolist()
    axes = len(size)
    steps, gaps = strides or (1,) * axes, dilations or (1,) * axes
    around = pads or (0,) * (2 * axes)
    padded = [n + around[i] + around[i + axes] for i, n in enumerate(size)]
    # Column ⟨tap, window⟩ is added to the place window · stride + tap · dilation.
    flat = np.zeros((1, 1), np.int64)
    for n, k, s, d in zip(padded, kernel, steps, gaps, strict=True):
        places = np.arange(k)[:, None] * d + np.arange((n - d * (k - 1) - 1) // s + 1) * s
        flat = (flat[:, None, :, None] * n + places[:, None, :]).reshape(
            flat.shape[0] * places.shape[0], -1
        )
    batch, rows = x.shape[0], x.shape[1] // flat.shape[0]
    columns = ops.reshape(x, (batch, rows, flat.size))
    empty = value(np.zeros((batch, rows, int(np.prod(padded))), x.dtype))
    image = ops.reshape(empty.at[:, :, flat.reshape(-1)].add(columns), (batch, rows, *padded))
    inside = (slice(around[i], around[i] + n) for i, n in enumerate(size))
    return image[(..., *inside)]
