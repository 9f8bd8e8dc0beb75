"""Dropout: random zeros, drawn from a stream that can be drawn again."""

from __future__ import annotations

from .. import kernels
from ..operation import op
from ..random import draw_key
from .checks import floating

__all__ = ["dropout"]


@op(view=True, residuals=("key",))
def dropout(x, p=0.5, training=True, generator=None):
    """In training, 0 with probability ``p`` and else x / (1 − p), for each element; else x.

    The draws follow ``generator`` (a ``numpy.random.Generator``) or ``tt.manual_seed``. No mask is
    kept: backward draws it again. (Srivastava et al. 2014.)

    >>> import tinytensor as tt
    >>> tt.dropout(tt.tensor([1.0, 2.0]), training=False)
    tensor([1., 2.])
    """
    x = floating("dropout", "x", x)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a probability, not {p}")
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
keyed_dropout.grad(x=lambda g, p, key: keyed_dropout(g, p, key))
