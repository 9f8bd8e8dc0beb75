"""Lion: steps by the sign of a momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import kernels
from .optimizer import Group, Params
from .stepping import Stepping

__all__ = ["Lion"]


class Lion(Stepping):
    """Lion: ``p -= lr * (sign(β₁ m + (1 - β₁) g) + weight_decay * p)``, then
    ``m = β₂ m + (1 - β₂) g``.

    Every element moves by ``lr``: rates are 3 to 10 times smaller than Adam's, and weight decays
    so many times larger. g is the gradient, negated with ``maximize``. (Chen et al. 2023; PyTorch
    has none.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.Lion([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.75
    """

    keeps = ("step", "exp_avg")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0}

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        beta1, beta2 = group["betas"]
        rates = (group["lr"], beta1, beta2, group["weight_decay"])
        kernels.lion_step(params, grads, kept[0], *rates, group["maximize"])
