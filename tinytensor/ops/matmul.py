"""Matrix products, and the affine map of a layer."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ShapeError
from .activation import relu, relu_backward
from .annotations import ArrayLike, Tensor
from .batching import padded, rank, with_lanes
from .declared import op
from .shape import expand_dims, matrix_transpose, reshape, squeeze

__all__ = [
    "linear",
    "linear_relu",
    "matmul",
]


def transposed(x: Any) -> Any:
    """The matrices of x, last two axes exchanged."""
    return x.mT


def as_rows(x: Any) -> Any:
    """x with all axes but the last made into one."""
    return x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


# --- Products --------------------------------------------------------------------------------


def mismatch(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    """Why shapes a and b have no product."""
    if not a or not b:
        what = "needs at least one axis in each"
    elif a[-1] != b[-2 if len(b) > 1 else -1]:
        what = "inner sizes differ"
    else:
        what = "the axes before the last two do not broadcast"
    return f"{what}: a is {a}, b is {b}"


@op(kernel=kernels.matmul, explain=mismatch, notes={"b_ndim": lambda a, b: np.ndim(b)})
def matmul(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The matrix product: out[…, i, j] = Σ_k a[…, i, k] b[…, k, j].

    The axes before the last two are broadcast. A vector is a row on the left and a column on the
    right, and its axis is not in the output. Gradients: g bᵀ and aᵀ g. (Array API, ``matmul``.)

    >>> import tinytensor as tt
    >>> tt.matmul(tt.ones((2, 3)), tt.ones((3, 4))).shape
    (2, 4)
    """


def matmul_grad_a(g, b):
    if b.ndim == 1:
        return expand_dims(g, -1) * b
    if g.ndim < b.ndim:  # a is a vector: its axis is not in g
        return matmul(expand_dims(g, -2), transposed(b))
    return matmul(g, transposed(b))


def matmul_grad_b(g, a, b_ndim):
    if a.ndim == 1:
        return a * g if b_ndim == 1 else expand_dims(a, -1) * expand_dims(g, -2)
    if a.ndim == 2:
        return matmul(transposed(a), g)
    if b_ndim == 1:
        return matmul(transposed(as_rows(a)), reshape(g, (prod(g.shape),)))
    if b_ndim == 2:  # one matrix for the whole batch: the sum over it is within one product
        return matmul(transposed(as_rows(a)), as_rows(g))
    return matmul(transposed(a), g)


def matmul_lanes(op, args, mapped, static):
    (a, b), (of_a, of_b) = args, (rank(x, o) for x, o in zip(args, mapped, strict=True))
    if min(of_a, of_b) == 0:
        return NotImplemented
    if of_a == 1 and mapped == [True, False] and of_b < 3:
        return matmul(a, b)  # the lanes are the rows of one product
    if of_b == 1 and mapped == [False, True] and of_a == 2:
        return matmul(b, matrix_transpose(a))
    a = expand_dims(a, -2) if of_a == 1 else a
    b = expand_dims(b, -1) if of_b == 1 else b
    ndim = max(of_a, of_b, 2)
    out = matmul(padded(a, mapped[0], ndim), padded(b, mapped[1], ndim))
    gone = (-2,) * (of_a == 1) + (-1,) * (of_b == 1)
    return squeeze(out, gone) if gone else out


matmul.batched(matmul_lanes).grad(a=matmul_grad_a, b=matmul_grad_b)


# --- Layers ----------------------------------------------------------------------------------


@op
def linear(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor:
    """x weightᵀ + bias: x (…, in), weight (out, in), bias (out,) or None, giving (…, out).

    Gradients: g weight, gᵀ x and Σ g. (Layout of PyTorch's ``linear``.)

    >>> import tinytensor as tt
    >>> tt.linear(tt.ones((5, 3)), tt.ones((2, 3)), tt.zeros(2)).shape
    (5, 2)
    """
    check_linear("linear", x, weight, bias)
    return kernels.linear(x, weight, bias, None)


def linear_lanes(op, args, mapped, static):
    (x, weight, bias), ndim = args, rank(args[0], mapped[0])
    if (
        ndim == 0
        or rank(weight, mapped[1]) != 2
        or (bias is not None and rank(bias, mapped[2]) != 1)
    ):
        return NotImplemented
    if not mapped[1]:
        out = linear(x, weight, None if mapped[2] else bias)
        if not mapped[2]:
            return out
    else:
        lanes, out_size, in_size = weight.shape
        x = with_lanes(x, mapped[0], lanes)
        out = matmul(reshape(x, (lanes, prod(x.shape[1:-1]), in_size)), weight.mT)
        out = reshape(out, (*x.shape[:-1], out_size))
    return out if bias is None else out + padded(bias, mapped[2], ndim)


linear.batched(linear_lanes).grad(
    x=lambda g, weight: matmul(g, weight),
    weight=lambda g, x: matmul(transposed(as_rows(g)), as_rows(x)),
    bias=lambda g: g,  # the engine sums over the rows
)


@op
def linear_relu(x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor:
    """max(0, x weightᵀ + bias), in one pass; arguments and gradients as :func:`linear`."""
    check_linear("linear_relu", x, weight, bias)
    return kernels.linear(x, weight, bias, "relu")


def linear_relu_grad(g, x, weight, out, needs):
    g = relu_backward(g, out)
    return (
        matmul(g, weight) if needs[0] else None,
        matmul(transposed(as_rows(g)), as_rows(x)) if needs[1] else None,
        g,
    )


linear_relu.batched(formula=lambda x, weight, bias: relu(linear(x, weight, bias))).grad_all(
    ("x", "weight", "bias"), linear_relu_grad
)


def check_linear(name: str, x: Any, weight: Any, bias: Any) -> None:
    if np.ndim(x) < 1 or np.ndim(weight) != 2 or np.shape(x)[-1] != np.shape(weight)[1]:
        raise ShapeError(
            f"{name}: needs x (…, in) and weight (out, in): x is {np.shape(x)},"
            f" weight is {np.shape(weight)}"
        )
    if bias is not None and np.shape(bias) != np.shape(weight)[:1]:
        raise ShapeError(
            f"{name}: needs bias (out,) for weight (out, in): bias is {np.shape(bias)},"
            f" weight is {np.shape(weight)}"
        )
