"""RAdam: Adam that waits until its denominator can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["RAdam"]


class RAdam(Stepping):
    """Rectified Adam. The running mean of squares has in step t the length
    ``ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)``, where ``ρ∞ = 2 / (1 - β₂) - 1``.

    Where ρ > 5 the step is Adam's, with the denominator ``sqrt(v) + eps``, times
    ``sqrt((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ))``; before, ``p -= lr * m / (1 - β₁ᵗ)``. g is
    the gradient plus ``weight_decay * p``, unless ``decoupled_weight_decay``, and negated before
    with ``maximize``. (Liu et al. 2020.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.RAdam([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.5
    """

    keeps = ("step", "exp_avg", "exp_avg_sq")
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        beta1, beta2 = group["betas"]
        rates = (group["lr"], beta1, beta2, group["eps"], group["weight_decay"])
        flags = (group["decoupled_weight_decay"], group["maximize"])
        kernels.radam_step(params, grads, kept[0], kept[1], counts[0], *rates, *flags)
