"""Collectives with gradients: those of the sum of all ranks' losses.

They return new tensors, and change none. Every rank must take part in the backward pass, too: the
gradient of a collective is another one. The transpose of adding up on all ranks is adding up on all
ranks, that of gathering is to scatter what was added up, and that of a broadcast is a reduction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensors.tensor import Tensor, op
from . import collectives
from .world import world

__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "reduce_scatter"]


def _check(name: str, op: str) -> None:
    if op not in ("sum", "mean"):
        raise ValueError(f"{name}: op is {op!r}; only 'sum' and 'mean' have a gradient here")


@op
def all_reduce(x: Any, *, op: str = "sum", group: Any = None) -> Any:
    """The sum, or the "mean", of all ranks' x.

    Gradient: the sum, or the mean, of all ranks' g.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> tt.distributed.functional.all_reduce(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    _check("all_reduce", op)
    return collectives.all_reduce(np.array(x, order="C"), op, group=group)


@op
def all_gather(x: Any, *, group: Any = None) -> Any:
    """All ranks' x, stacked along a new first axis.

    Gradient: the sum of all ranks' g at this rank's place.
    """
    return collectives.all_gather(np.asarray(x), group=group).numpy()


@op
def reduce_scatter(x: Any, *, op: str = "sum", group: Any = None) -> Any:
    """The sum, or the "mean", of all ranks' x at this rank's place along the first axis.

    Gradient: all ranks' g, stacked; divided by the number of ranks if it is the mean.
    """
    _check("reduce_scatter", op)
    return collectives.reduce_scatter(np.asarray(x), op, group=group).numpy()


@op
def all_to_all(x: Any, *, group: Any = None) -> Any:
    """What all ranks' x have at this rank's place along the first axis, stacked.

    Gradient: the same of g.
    """
    return collectives.all_to_all(np.asarray(x), group=group).numpy()


@op
def broadcast(x: Any, *, source: int = 0, group: Any = None) -> Any:
    """The x of the rank ``source``.

    Gradient: on that rank the sum of all ranks' g, zero on the others.
    """
    return collectives.broadcast(np.array(x, order="C"), source, group=group)


def _share(g: Tensor, op: str, group: Any) -> Tensor:
    return g if op == "sum" else g / (group or world()).size


def _to_source(g: Tensor, source: int, group: Any) -> Tensor:
    here = (group or world()).rank == source
    return all_reduce(g, group=group) * (1 if here else 0)


all_reduce.grad(x=lambda g, op, group: all_reduce(g, op=op, group=group))
all_gather.grad(x=lambda g, group: reduce_scatter(g, group=group))
reduce_scatter.grad(x=lambda g, op, group: all_gather(_share(g, op, group), group=group))
all_to_all.grad(x=lambda g, group: all_to_all(g, group=group))
broadcast.grad(x=_to_source)
