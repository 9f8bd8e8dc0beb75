"""Adadelta: steps scaled by the ratio of two running means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["Adadelta"]


class Adadelta(Stepping):
    """Adadelta: the unit of a step is that of the steps before.

    ``v = ρ v + (1 - ρ) g²``, ``d = sqrt(u + eps) / sqrt(v + eps) * g``, ``u = ρ u + (1 - ρ) d²``,
    ``p -= lr * d``; v is kept as "square_avg", u as "acc_delta". g is the gradient plus
    ``weight_decay * p``, and negated before with ``maximize``. (Zeiler 2012.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.Adadelta([p])
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.9968
    """

    keeps = ("step", "square_avg", "acc_delta")
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
            how,
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Adadelta: rho is {group['rho']}, not from 0 to 1")

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        rates = (group[name] for name in ("lr", "rho", "eps", "weight_decay", "maximize"))
        kernels.adadelta_step(params, grads, kept[0], kept[1], *rates)
