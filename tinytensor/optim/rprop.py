"""Rprop: steps by the sign of the gradient alone, of a size that adapts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["Rprop"]


class Rprop(Stepping):
    """Resilient backpropagation: each element moves against the sign of its gradient by a size of
    its own, which begins as ``lr``.

    The size is multiplied by ``etas[1]`` where the gradient has the sign of the one before, by
    ``etas[0]`` where it has the other, and then the element stays; sizes are kept within
    ``step_sizes``. For whole batches: the sign of a noisy gradient says little. (Riedmiller and
    Braun 1993.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.Rprop([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.75
    """

    keeps = ("step", "prev", "step_size")
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": tuple(etas),
                "step_sizes": tuple(step_sizes),
                "maximize": maximize,
            },
            how,
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        etas, sizes = group["etas"], group["step_sizes"]
        if len(etas) != 2 or not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Rprop: etas are one below 1 and one above, not {etas}")
        if len(sizes) != 2 or not 0 <= sizes[0] <= sizes[1]:
            raise ValueError(f"Rprop: step_sizes are the least and the largest, not {sizes}")

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"prev": 0.0, "step_size": group["lr"]}

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        shrink, grow = group["etas"]
        least, most = group["step_sizes"]
        up = group["maximize"]
        kernels.rprop_step(params, grads, kept[0], kept[1], shrink, grow, least, most, up)
