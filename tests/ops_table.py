"""The table of operations: one row for each op, from which most tests are driven.

A row says how to call the op on sample inputs, and what PyTorch calls the same thing. A float64
ndarray among a case's arguments is a differentiable input; everything else is passed as it is.
An op without a row fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call: ``op(*args, **kwargs)``."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


def case(*args: Any, **kwargs: Any) -> Case:
    return Case(args, kwargs)


@dataclass(frozen=True)
class Row:
    """How one op is sampled and compared.

    ``cases`` draws the calls from a generator. ``torch(torch, *args, **kwargs)`` makes the same
    call with PyTorch (None: it has no such function, and ``why_no_torch`` says so).
    ``differentiable`` is False for ops without rules. ``smooth`` is False where finite differences
    meet kinks at the second order. ``elementwise`` ops also get the extremes (±300, inf, NaN) and
    broadcasting. ``float32_tolerance`` bounds fast against reference, relative to the largest
    value.
    """

    op: str
    cases: Callable[[np.random.Generator], Sequence[Case]]
    torch: Callable[..., Any] | None = None
    why_no_torch: str = ""
    differentiable: bool = True
    smooth: bool = True
    elementwise: bool = False
    float32_tolerance: float = 1e-5


ROWS: dict[str, Row] = {}


def row(op: str, cases: Callable[[np.random.Generator], Sequence[Case]], **kwargs: Any) -> None:
    """Add the row of ``op`` to the table."""
    assert op not in ROWS, f"{op} has two rows"
    ROWS[op] = Row(op, cases, **kwargs)


# --- Element-wise maps -----------------------------------------------------------------------


# --- Reductions ------------------------------------------------------------------------------


# --- Shapes and indexing ---------------------------------------------------------------------


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


row(
    "astype",
    lambda rng: [case(normal(rng, 3, 4), "float64")],
    torch=lambda torch, x, dtype: x.to(torch.float64),
)
row("cast", lambda rng: [case(normal(rng, 3, 4), "float64")], torch=lambda torch, x, dtype: x)
row("clone", lambda rng: [case(normal(rng, 3, 4))], torch=lambda torch, x: x.clone())
row(
    "reshape",
    lambda rng: [case(normal(rng, 3, 4), (2, 6)), case(normal(rng, 2, 3, 4), (-1, 4))],
    torch=lambda torch, x, shape: x.reshape(shape),
)
row(
    "flatten",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 2, 3, 4), 1), case(normal(rng), 0)],
    torch=lambda torch, x, *axes: torch.flatten(x, *axes),
)
row(
    "permute_dims",
    lambda rng: [case(normal(rng, 2, 3, 4), (2, 0, 1)), case(normal(rng, 2, 3))],
    torch=lambda torch, x, axes=(1, 0): x.permute(axes),
)
row(
    "swapaxes",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1)],
    torch=lambda torch, x, a, b: x.swapaxes(a, b),
)
row(
    "matrix_transpose",
    lambda rng: [case(normal(rng, 2, 3, 4))],
    torch=lambda torch, x: x.mT,
)
row(
    "moveaxis",
    lambda rng: [case(normal(rng, 2, 3, 4), 0, -1), case(normal(rng, 2, 3, 4), (0, 1), (2, 0))],
    torch=lambda torch, x, source, destination: torch.moveaxis(x, source, destination),
)
row(
    "expand_dims",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=-1)],
    torch=lambda torch, x, axis=0: torch.unsqueeze(x, axis),
)
row(
    "squeeze",
    lambda rng: [case(normal(rng, 1, 3, 1)), case(normal(rng, 1, 3, 1), axis=0)],
    torch=lambda torch, x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
)
row(
    "broadcast_to",
    lambda rng: [
        case(normal(rng, 3, 1), (2, 3, 4)),
        case(normal(rng), (2, 3)),
        case(normal(rng, 1), (0,)),
    ],
    torch=lambda torch, x, shape: torch.broadcast_to(x, shape),
)
row(
    "flip",
    lambda rng: [case(normal(rng, 2, 3)), case(normal(rng, 2, 3), axis=1)],
    torch=lambda torch, x, axis=(0, 1): torch.flip(x, (axis,) if isinstance(axis, int) else axis),
)
row(
    "roll",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 4, 3), 1, axis=0),
        case(normal(rng, 4, 3), (1, -2), axis=(0, 1)),
    ],
    torch=lambda torch, x, shift, axis=None: torch.roll(x, shift, axis),
)
row(
    "tril",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), 1)],
    torch=lambda torch, x, k=0: torch.tril(x, k),
)
row(
    "triu",
    lambda rng: [case(normal(rng, 2, 3, 4)), case(normal(rng, 3, 3), -1)],
    torch=lambda torch, x, k=0: torch.triu(x, k),
)
row(
    "concat",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 1)], axis=1),
        case([normal(rng, 2, 3), normal(rng, 1, 3), normal(rng, 0, 3)]),
        case([normal(rng, 2, 3), normal(rng, 2)], axis=None),
    ],
    torch=lambda torch, xs, axis=0: (
        torch.cat([x.flatten() for x in xs]) if axis is None else torch.cat(xs, axis)
    ),
)
row(
    "stack",
    lambda rng: [
        case([normal(rng, 2, 3), normal(rng, 2, 3)]),
        case([normal(rng, 2, 3)] * 3, axis=-1),
    ],
    torch=lambda torch, xs, axis=0: torch.stack(xs, axis),
)
row(
    "split",
    lambda rng: [case(normal(rng, 4, 3), 2), case(normal(rng, 3, 5), [1, 4], axis=1)],
    torch=lambda torch, x, cut, axis=0: torch.tensor_split(x, cut, axis),
)
row(
    "unstack",
    lambda rng: [case(normal(rng, 3, 2)), case(normal(rng, 3, 2), axis=1)],
    torch=lambda torch, x, axis=0: torch.unbind(x, axis),
)
row(
    "pad_constant",
    lambda rng: [case(normal(rng, 2, 3), ((1, 0), (0, 2)), 0.5)],
    torch=lambda torch, x, width, value: torch.nn.functional.pad(x, (0, 2, 1, 0), value=value),
)
row(
    "pad",
    lambda rng: [
        case(normal(rng, 2, 3), 1),
        case(normal(rng, 2, 3), ((1, 0), (0, 2)), constant_values=0.5),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "reflect"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "edge"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "wrap"),
        case(normal(rng, 4, 3), ((2, 1), (1, 2)), "symmetric"),
    ],
    why_no_torch="torch pads the last axes only, in another order; NumPy is the oracle of pad",
)
row(
    "repeat",
    lambda rng: [
        case(normal(rng, 2, 3), 2),
        case(normal(rng, 2, 3), 3, axis=1),
        case(normal(rng, 2, 3), np.array([2, 0, 1]), axis=1),
    ],
    torch=lambda torch, x, n, axis=None: torch.repeat_interleave(
        x, n if isinstance(n, int) else torch.as_tensor(n), axis
    ),
)
row(
    "tile",
    lambda rng: [case(normal(rng, 2, 3), (2, 1, 2)), case(normal(rng, 2, 3), 2)],
    torch=lambda torch, x, n: torch.tile(x, (n,) if isinstance(n, int) else n),
)
row(
    "getitem",
    lambda rng: [
        case(normal(rng, 4, 3), (slice(None, None, -1), 1)),
        case(normal(rng, 4, 3), np.array([0, 0, 3])),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    why_no_torch="basic_index and advanced_index are compared",
)
row(
    "basic_index",
    lambda rng: [
        case(normal(rng, 4, 3), 1),
        case(normal(rng, 4, 3), (slice(1, None, 2), None, Ellipsis)),
        case(normal(rng, 2, 3, 4), (Ellipsis, 0)),
        case(normal(rng, 4, 3), slice(2, 2)),
    ],
    torch=lambda torch, x, index: x[index],
)
row(
    "advanced_index",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([[0, 0], [3, -1]])),
        case(normal(rng, 4, 3), (np.array([0, 1, 1]), np.array([2, 0, 0]))),
        case(normal(rng, 2, 3, 4), (slice(None), np.array([0, 2]), 1)),
        case(normal(rng, 4, 3), np.array([True, False, True, True])),
    ],
    torch=lambda torch, x, index: x[
        tuple(torch.as_tensor(i) if isinstance(i, np.ndarray) else i for i in index)
        if isinstance(index, tuple)
        else torch.as_tensor(index)
    ],
)
row(
    "scatter_add",
    lambda rng: [
        case(normal(rng, 3, 3), np.array([0, 0, 3]), (4, 3)),
        case(normal(rng, 2, 3), slice(1, 3), (4, 3)),
        case(normal(rng, 2), (np.array([0, 0]), np.array([1, 1])), (2, 2)),
    ],
    why_no_torch="it is the gradient of advanced_index, which is compared",
)
row(
    "take",
    lambda rng: [
        case(normal(rng, 4, 3), np.array([0, 2, 2])),
        case(normal(rng, 4, 3), np.array([[2, 0], [1, 1]]), axis=1),
        case(normal(rng, 4, 3), np.array([3, -1]), axis=0),
    ],
    torch=lambda torch, x, indices, axis=None: (
        x.flatten()[torch.as_tensor(indices)]
        if axis is None
        else x[(slice(None),) * axis + (torch.as_tensor(indices),)]
    ),
)
row(
    "take_along_axis",
    lambda rng: [
        case(normal(rng, 4, 3), rng.integers(0, 3, (4, 2))),
        case(normal(rng, 4, 3), rng.integers(0, 4, (2, 3)), axis=0),
    ],
    torch=lambda torch, x, indices, axis=-1: torch.take_along_dim(
        x, torch.as_tensor(indices), axis
    ),
)


# --- Matrix products -------------------------------------------------------------------------


# --- Convolution and pooling -----------------------------------------------------------------


# --- Softmax, losses -------------------------------------------------------------------------


# --- Normalisation ---------------------------------------------------------------------------


# --- Attention, embedding, dropout -----------------------------------------------------------
