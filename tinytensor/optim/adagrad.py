"""Adagrad: steps scaled by the sum of all squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["Adagrad"]


class Adagrad(Stepping):
    """Adagrad: ``s += g²``, ``p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)`` in step t.

    The sums begin as ``initial_accumulator_value``. g is the gradient plus ``weight_decay * p``,
    and negated before with ``maximize``. (Duchi, Hazan and Singer 2011.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.Adagrad([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.75
    """

    keeps = ("step", "sum")
    ways = ("foreach", "differentiable", "fused")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        lr = group["lr"] / (1 + (counts[0] - 1) * group["lr_decay"])
        rates = (group[name] for name in ("eps", "weight_decay", "maximize"))
        kernels.adagrad_step(params, grads, kept[0], lr, *rates)
