"""PyTorch's names of what has another name here: the same function, or a line of them.

Only names that mean exactly the same are here. Where a name means something else, ``spelling.py``
refuses the argument that tells them apart, and ``ways.py`` says what to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import is_complex as _complex
from ..dtypes import is_real_floating
from ..errors import ShapeError
from .annotations import ArrayLike, Tensor
from .arithmetic import (
    abs,
    clip,
    divide,
    maximum,
    minimum,
    multiply,
    negative,
    sign,
    subtract,
    trunc,
)
from .complex_numbers import conj
from .composed import composed
from .elementary import acos, acosh, asin, asinh, atan, atan2, atanh
from .linalg import inv
from .logic import (
    bitwise_invert,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    not_equal,
)
from .matmul import matmul
from .reduction import max, min
from .scans import trapezoid
from .searching import unique_all, unique_slices
from .shape import (
    broadcast_to,
    concat,
    expand_dims,
    flatten,
    matrix_transpose,
    moveaxis,
    permute_dims,
    repeat,
    swapaxes,
    unstack,
)
from .tensor_products import outer, tensordot, vecdot

absolute = abs
amax, amin = max, min
arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh = (
    acos, acosh, asin, asinh, atan, atan2, atanh,
)  # fmt: skip
bitwise_not = bitwise_invert
cat = concatenate = concat
clamp = clip
div = true_divide = divide
eq, ne, lt, le, gt, ge = equal, not_equal, less, less_equal, greater, greater_equal
fix = trunc
ger = outer
inverse = inv
movedim = moveaxis
mul = multiply
neg = negative
permute = permute_dims
repeat_interleave = repeat
sgn = sign
sub = subtract
swapdims = transpose = swapaxes
trapz = trapezoid
unbind = unstack
unsqueeze = expand_dims


def _product(name: str, axes: tuple[int, int]) -> Any:
    def product(a: ArrayLike, b: ArrayLike) -> Tensor:
        if (np.ndim(a), np.ndim(b)) != axes:
            raise ShapeError(
                f"{name}: takes arrays of {axes[0]} and {axes[1]} axes, not {np.shape(a)} and"
                f" {np.shape(b)}; matmul takes all"
            )
        return matmul(a, b)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = f"``matmul`` of arrays of {axes[0]} and {axes[1]} axes alone."
    return composed(product)


mm, bmm, mv, dot = (
    _product(name, axes)
    for name, axes in {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}.items()
)


@composed
def vdot(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Σ ā b of arrays of one axis."""
    if (np.ndim(a), np.ndim(b)) != (1, 1) or np.shape(a) != np.shape(b):
        raise ShapeError(
            f"vdot: takes two arrays of one axis and size, not {np.shape(a)} and {np.shape(b)}"
        )
    return vecdot(a, b)


@composed
def inner(a: ArrayLike, b: ArrayLike) -> Tensor:
    """Σ a b along the last axes: ``inner(a, b)[i, j] = Σ a[i, k] b[j, k]``; numbers multiply."""
    if 0 in (np.ndim(a), np.ndim(b)):
        return multiply(a, b)
    return tensordot(a, b, ((-1,), (-1,)))


@composed
def t(x: ArrayLike) -> Tensor:
    """A matrix transposed; x of fewer axes as it is."""
    if x.ndim > 2:
        raise ShapeError(f"t: x is {x.shape}, not a matrix; matrix_transpose takes all")
    return permute_dims(x)


@composed
def adjoint(x: ArrayLike) -> Tensor:
    """The last two axes exchanged, and conjugated: ``x.mH``."""
    return conj(matrix_transpose(x)) if _complex(x) else matrix_transpose(x)


@composed
def clamp_min(x: ArrayLike, min: ArrayLike) -> Tensor:
    """No element below ``min``."""
    return maximum(x, min)


@composed
def clamp_max(x: ArrayLike, max: ArrayLike) -> Tensor:
    """No element above ``max``."""
    return minimum(x, max)


@composed
def ravel(x: ArrayLike) -> Tensor:
    """The elements in a row."""
    return flatten(x)


@composed
def expand(x: ArrayLike, shape: Sequence[int]) -> Tensor:
    """``broadcast_to``, where −1 leaves an axis as it is."""
    lead = len(shape) - x.ndim
    own = [x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(map(int, shape))]
    return broadcast_to(x, tuple(own))


@composed
def unique(
    x: ArrayLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The different elements, or slices along an ``axis``, sorted; if asked, with the index of each
    one's equal, and how often each occurs. The values have no gradient."""
    if axis is None:
        values, _, inverse, counts = unique_all(x)
    else:
        values, inverse, counts = unique_slices(x, axis)
    wanted = [values] + [inverse] * bool(return_inverse) + [counts] * bool(return_counts)
    return tuple(wanted) if len(wanted) > 1 else wanted[0]


def numel(x: ArrayLike) -> int:
    """How many elements x has."""
    return int(np.prod(np.shape(x)))


def is_floating_point(x: ArrayLike) -> bool:
    """Whether the elements of x are real floating-point numbers."""
    return is_real_floating(x)


def is_complex(x: ArrayLike) -> bool:
    """Whether the elements of x are complex."""
    return _complex(x)


# Not "expand": reduction.py has an op of this name.
# fmt: off
__all__ = [
    "absolute", "adjoint", "amax", "amin", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "bitwise_not", "bmm", "cat", "clamp", "clamp_max", "clamp_min",
    "concatenate", "div", "dot", "eq", "fix", "ge", "ger", "gt", "inner", "inverse", "is_complex",
    "is_floating_point", "le", "lt", "mm", "movedim", "mul", "mv", "ne", "neg", "numel", "permute",
    "ravel", "repeat_interleave", "sgn", "sub", "swapdims", "t", "transpose", "trapz",
    "true_divide", "unbind", "unique", "unsqueeze", "vdot",
]
# fmt: on
