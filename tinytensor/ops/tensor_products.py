"""Products of tensors other than the matrix product, each brought to one: einsum and its relatives.

They are made of ops, so they have every derivative that these have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from .annotations import ArrayLike, Dtype, Tensor
from .arithmetic import multiply, subtract
from .checks import axis_index
from .complex_numbers import conjugate_if_complex
from .composed import composed, computed, in_own_name
from .indexing import advanced_index
from .matmul import matmul
from .operands import operand
from .precision import once_rounded
from .reduction import sum
from .shape import broadcast_arrays, expand_dims, moveaxis, permute_dims, reshape, roll, squeeze

__all__ = [
    "cross",
    "diagonal",
    "einsum",
    "kron",
    "outer",
    "tensordot",
    "trace",
    "vecdot",
]


# --- Of two ----------------------------------------------------------------------------------


@composed
def outer(a: ArrayLike, b: ArrayLike) -> Tensor:
    """out[i, j] = a[i] b[j], for two vectors."""
    b = operand("outer", b, a)
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer: needs two vectors, a is {a.shape}, b is {b.shape}")
    return multiply(expand_dims(a, 1), b)


@computed
def kron(a: ArrayLike, b: ArrayLike) -> Tensor:
    """The Kronecker product: each element of a times the whole of b, in its place."""
    b = operand("kron", b, a)
    ndim = max(a.ndim, b.ndim)
    a = reshape(a, (1,) * (ndim - a.ndim) + tuple(a.shape))
    b = reshape(b, (1,) * (ndim - b.ndim) + tuple(b.shape))
    pairs = multiply(
        reshape(a, tuple(n for size in a.shape for n in (size, 1))),
        reshape(b, tuple(n for size in b.shape for n in (1, size))),
    )
    return reshape(pairs, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


@computed
def vecdot(a: ArrayLike, b: ArrayLike, axis: int = -1) -> Tensor:
    """Σ ā b along ``axis``; the other axes broadcast.

    >>> import tinytensor as tt
    >>> tt.vecdot(tt.tensor([[1.0, 2.0], [3.0, 4.0]]), tt.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    b = operand("vecdot", b, a)
    axis_index("vecdot", axis, min(a.ndim, b.ndim), of_numbers=False)
    a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: lengths differ: {a.shape[-1]} of a, {b.shape[-1]} of b")
    product = multiply(conjugate_if_complex(a), b)
    return sum(product, -1, dtype=product.dtype)


@computed
def cross(a: ArrayLike, b: ArrayLike, axis: int = -1) -> Tensor:
    """The cross product of vectors of 3 along ``axis``; the other axes broadcast."""
    b = operand("cross", b, a)
    for x in (a, b):
        if x.shape[axis_index("cross", axis, x.ndim, of_numbers=False)] != 3:
            raise ShapeError(f"cross: needs 3 elements along axis {axis}: {a.shape}, {b.shape}")
    a, b = broadcast_arrays(a, b)
    return subtract(
        multiply(roll(a, -1, axis), roll(b, -2, axis)),
        multiply(roll(a, -2, axis), roll(b, -1, axis)),
    )


@computed
def tensordot(a: ArrayLike, b: ArrayLike, axes: int | tuple[Any, Any] = 2) -> Tensor:
    """The sum of products over pairs of axes, as one matrix product.

    ``axes`` is a number n, for the last n axes of a with the first n of b, or the axes of a and
    those of b that belong together.
    """
    b = operand("tensordot", b, a)
    if isinstance(axes, int):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: {axes} axes of an a of {a.shape} and a b of {b.shape}")
        of_a: Sequence[int] = range(a.ndim - axes, a.ndim)
        of_b: Sequence[int] = range(axes)
    else:
        of_a, of_b = ((one,) if isinstance(one, int) else tuple(one) for one in axes)
        of_a = [axis_index("tensordot", axis, a.ndim, False) for axis in of_a]
        of_b = [axis_index("tensordot", axis, b.ndim, False) for axis in of_b]
    if [a.shape[i] for i in of_a] != [b.shape[i] for i in of_b] or len(set(of_a)) != len(of_a):
        raise ShapeError(f"tensordot: axes {axes} of a {a.shape} do not fit those of b {b.shape}")
    kept_a = [i for i in range(a.ndim) if i not in of_a]
    kept_b = [i for i in range(b.ndim) if i not in of_b]
    inner = math.prod(a.shape[i] for i in of_a)
    rows, columns = [a.shape[i] for i in kept_a], [b.shape[i] for i in kept_b]
    left = reshape(permute_dims(a, (*kept_a, *of_a)), (math.prod(rows), inner))
    right = reshape(permute_dims(b, (*of_b, *kept_b)), (inner, math.prod(columns)))
    return reshape(matmul(left, right), (*rows, *columns))


# --- Diagonals -------------------------------------------------------------------------------


@composed
def diagonal(x: ArrayLike, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Tensor:
    """x[…, i, i + ``offset``]: the diagonals of the matrices in two axes, the last ones unless
    others are named; a copy, with the diagonals along its last axis."""
    if x.ndim < 2:
        raise ShapeError(f"diagonal: needs matrices, but is given {x.shape}")
    axes = [axis_index("diagonal", axis, x.ndim) for axis in (axis1, axis2)]
    if axes[0] == axes[1]:
        raise ShapeError(f"diagonal: axis1 and axis2 are both {axis1}")
    if axes != [x.ndim - 2, x.ndim - 1]:
        x = moveaxis(x, tuple(axes), (-2, -1))
    rows, columns = x.shape[-2:]
    i = np.arange(max(0, -offset), max(0, -offset, min(rows, columns - offset)))
    return advanced_index(x, (..., i, i + offset))


@composed
def trace(x: ArrayLike, offset: int = 0, dtype: Dtype = None) -> Tensor:
    """The sums of the diagonals of the matrices in the last two axes."""
    return sum(diagonal(x, offset), -1, dtype=dtype)


# --- einsum ----------------------------------------------------------------------------------


@once_rounded
@in_own_name
def einsum(subscripts: Any, *operands: Any) -> Tensor:
    """Sums of products by Einstein's convention, such as ``einsum("bij,bjk->bik", a, b)``.

    Each letter names an axis. Letters that the output has not are summed over; a letter that an
    operand has twice takes its diagonal; ``...`` stands for axes that broadcast. Without ``->`` the
    output has the letters that occur once, in the order of the alphabet. Two operands at a time
    become one batched matrix product; of more, the order is NumPy's greedy one. NumPy's other form
    is understood too: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    >>> import tinytensor as tt
    >>> a = tt.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tt.einsum("ii", a), tt.einsum("ij,j->i", a, tt.tensor([1.0, 10.0]))
    (tensor(5.), tensor([21., 43.]))
    """
    if not isinstance(subscripts, str):
        subscripts, operands = from_lists(subscripts, *operands)
    try:
        operands = tuple(operand("einsum", x, *operands) for x in operands)
    except ValueError as error:
        raise ShapeError(f"einsum: an operand is no array: {error}") from error
    terms, output = parse(subscripts, [len(x.shape) for x in operands])
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            if sizes.setdefault(label, n) not in (1, n) and n != 1:
                raise ShapeError(f"einsum: {label!r} is {sizes[label]} and {n} in {subscripts!r}")
            sizes[label] = n if sizes[label] == 1 else sizes[label]
    work = [
        without_ones(*without_repeats(x, term), sizes)
        for x, term in zip(operands, terms, strict=True)
    ]
    for places in order(subscripts, operands):
        chosen = [work.pop(place) for place in sorted(places, reverse=True)][::-1]
        wanted = set(output).union(*(term for _, term in work))
        chosen = [summed(chosen, place, wanted) for place in range(len(chosen))]
        while len(chosen) > 1:
            last = chosen.pop()
            chosen[-1] = product_of_pair(chosen[-1], last, wanted)
        work.append(chosen[0])
    ((x, term),) = work
    x = sum_over(x, term, set(output))
    term = "".join(label for label in term if label in output)
    if len(term) < len(output):
        raise ShapeError(f"einsum: the output of {subscripts!r} has a letter that no operand has")
    return permute_dims(x, tuple(term.index(label) for label in output)) if x.ndim > 1 else x


def from_lists(*given: Any) -> tuple[str, tuple[Any, ...]]:
    """Text for operands that are each followed by the list of numbers of their axes."""
    output = given[-1] if len(given) % 2 else None
    lists = [*given[1::2], *([] if output is None else [output])]
    if len(given) < 2 or not all(isinstance(one, list | tuple) for one in lists):
        raise DtypeError(f"einsum: subscripts must be text, not {given[0]!r}")
    numbers = sorted({n for one in lists for n in one if n is not Ellipsis})
    if not all(isinstance(n, int) for n in numbers) or len(numbers) > 52:
        raise DtypeError(f"einsum: axes must be named by integers and ..., not {numbers}")
    alphabet = map(chr, (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)))
    letters = dict(zip(numbers, alphabet, strict=False))
    letters[Ellipsis] = "..."
    terms = ["".join(letters[n] for n in one) for one in lists]
    if output is None:
        return ",".join(terms), given[::2]
    return f"{','.join(terms[:-1])}->{terms[-1]}", given[:-1:2]


Labelled = tuple[Any, str]  # an array and the letters of its axes


def parse(subscripts: str, ranks: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the output, with letters put in for ``...``."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ShapeError(f"einsum: {subscripts!r} is of {len(terms)} operands, not {len(ranks)}")
    unused = [chr(code) for code in range(0x3B1, 0x3B1 + 64)]  # α, β, …: no letters of users
    most = 0
    for i, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        named = len(term.replace("...", ""))
        if "..." in term:
            if term.count("...") > 1 or rank < named:
                raise ShapeError(f"einsum: {term!r} does not fit an operand of {rank} axes")
            most = max(most, rank - named)
            term = term.replace("...", "".join(unused[: rank - named][::-1]))
        terms[i] = term
        if len(term) != rank or not all(label.isalpha() for label in term):
            raise ShapeError(f"einsum: {term!r} does not fit an operand of {rank} axes")
    dots = "".join(unused[:most][::-1])
    if not arrow:
        letters = "".join(terms)
        once = sorted(label for label in set(letters) if letters.count(label) == 1)
        return terms, dots + "".join(label for label in once if label not in dots)
    output = output.replace("...", dots)
    if len(set(output)) != len(output) or not all(label.isalpha() for label in output):
        raise ShapeError(f"einsum: the output of {subscripts!r} must have each letter once")
    return terms, output


def without_repeats(x: Any, term: str) -> Labelled:
    """x with the diagonal taken of every letter that stands twice."""
    for label in dict.fromkeys(term):
        axes = [i for i, other in enumerate(term) if other == label]
        if len(axes) > 1:
            if len({x.shape[i] for i in axes}) > 1:
                raise ShapeError(f"einsum: {label!r} is repeated in {term!r}, with other sizes")
            x = moveaxis(x, tuple(axes), tuple(range(len(axes))))
            x = advanced_index(x, (np.arange(x.shape[0]),) * len(axes))
            term = label + term.replace(label, "")
    return x, term


def without_ones(x: Any, term: str, sizes: dict[str, int]) -> Labelled:
    """x without the axes along which it broadcasts."""
    ones = tuple(i for i, label in enumerate(term) if x.shape[i] == 1 != sizes[label])
    kept = "".join(label for i, label in enumerate(term) if i not in ones)
    return (squeeze(x, ones), kept) if ones else (x, term)


def order(subscripts: str, operands: Sequence[Any]) -> list[tuple[int, ...]]:
    """Which operands are multiplied next, the product being put behind the others."""
    if len(operands) < 3:
        return [tuple(range(len(operands)))]
    shapes = [np.broadcast_to(np.float32(0), x.shape) for x in operands]
    return np.einsum_path(subscripts, *shapes, optimize="greedy")[0][1:]


def sum_over(x: Any, term: str, wanted: set[str]) -> Any:
    """x summed over the axes whose letters nobody wants."""
    axes = tuple(i for i, label in enumerate(term) if label not in wanted)
    return sum(x, axes, dtype=x.dtype) if axes else x


def summed(chosen: list[Labelled], place: int, wanted: set[str]) -> Labelled:
    """The operand at ``place``, summed over what only it has."""
    x, term = chosen[place]
    others = wanted.union(*(other for i, (_, other) in enumerate(chosen) if i != place))
    return sum_over(x, term, others), "".join(label for label in term if label in others)


def product_of_pair(a: Labelled, b: Labelled, wanted: set[str]) -> Labelled:
    """Two operands as one batched matrix product: (batch, rows, inner) (batch, inner, columns)."""
    (x, of_x), (y, of_y) = a, b
    batch = [label for label in of_x if label in of_y and label in wanted]
    inner = [label for label in of_x if label in of_y and label not in wanted]
    rows = [label for label in of_x if label not in of_y]
    columns = [label for label in of_y if label not in of_x]
    size = dict(zip(of_x + of_y, (*x.shape, *y.shape), strict=True))

    def arranged(x: Any, term: str, *groups: list[str]) -> Any:
        places = tuple(term.index(label) for group in groups for label in group)
        x = permute_dims(x, places) if places else x
        return reshape(x, tuple(math.prod(size[label] for label in group) for group in groups))

    left = arranged(x, of_x, batch, rows, inner)
    right = arranged(y, of_y, batch, inner, columns)
    out = matmul(left, right) if batch else matmul(left[0], right[0])
    labels = [*batch, *rows, *columns]
    return reshape(out, tuple(size[label] for label in labels)), "".join(labels)
