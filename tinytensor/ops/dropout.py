"""Dropout: random zeros, drawn from a stream that can be drawn again."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..engine.operation import SOMETIMES
from ..random import draw_key, in_lanes
from .annotations import ArrayLike, Tensor
from .checks import floating, number
from .declared import op
from .logic import equal, where

__all__ = [
    "dropout",
]


@op(view=SOMETIMES, residuals=("key",))
def dropout(
    x: ArrayLike,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """In training, each element is 0 with probability ``p``, otherwise x / (1 − p). In use, x.

    The draws follow ``generator`` (a ``numpy.random.Generator``) or ``tt.manual_seed``. No mask is
    kept: backward draws it again. (Srivastava et al. 2014.)

    >>> import tinytensor as tt
    >>> tt.dropout(tt.tensor([1.0, 2.0]), training=False)
    tensor([1., 2.])
    """
    x = floating("dropout", "x", x)
    p = number("dropout", "p", p, 0, 1)
    if not training or p == 0:
        return x, None
    key = draw_key(generator)
    return kernels.dropout(x, p, key), key


@op
def keyed_dropout(x, p, key):
    """Dropout by the stream of ``key``: element i is kept or not by word i."""
    return kernels.dropout(x, p, key)


dropout.computes = True  # a view of x outside training alone
dropout.grad(x=lambda g, p, key: g if key is None else keyed_dropout(g, p, key))


def ones_of_lane(x):
    """1 for each element of a lane, with x's lanes of other vmaps."""
    return where(False, x.detach()[0], 1.0)


def _times(x, kept):
    """x where ``kept``, the dropout of ones, is not 0, and scaled as they are."""
    return where(equal(kept, 0), 0.0, x * kept)


def _dropout_lanes(op, args, mapped, static):
    x, p, training, _generator = args
    *others, how = in_lanes.get()
    if not training or p == 0 or how == "error":
        return op(*args)  # which says what is wrong, if it is an error
    token = in_lanes.set(tuple(others))
    try:
        return op(*args) if how == "different" else _times(x, op(ones_of_lane(x), *args[1:]))
    finally:
        in_lanes.reset(token)


dropout.batched(_dropout_lanes)
keyed_dropout.batched(
    formula=lambda x, p, key: _times(x, keyed_dropout(np.ones(x.shape, x.dtype), p, key))
)
keyed_dropout.grad(x=lambda g, p, key: keyed_dropout(g, p, key))
