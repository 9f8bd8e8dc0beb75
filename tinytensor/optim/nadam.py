"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params, State
from .stepping import Stepping

__all__ = ["NAdam"]


class NAdam(Stepping):
    """NAdam: Adam whose momentum looks one step ahead.

    With ``μₜ = β₁ (1 - 0.96^(t momentum_decay) / 2)``, Adam's means m and v, and
    ``d = sqrt(v / (1 - β₂ᵗ)) + eps``, step t is
    ``p -= lr ((1 - μₜ) / (1 - Π μ₁…μₜ) g + μₜ₊₁ / (1 - Π μ₁…μₜ₊₁) m) / d``. The product so far is
    kept as "mu_product". g is the gradient plus ``weight_decay * p``, unless
    ``decoupled_weight_decay``, and negated before with ``maximize``. (Dozat 2016.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.NAdam([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.7359
    """

    keeps = ("step", "mu_product", "exp_avg", "exp_avg_sq")
    numbers = ("mu_product",)
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
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
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def counts(self, group: Group, state: State) -> tuple[Any, ...]:
        """The step, its μ and the next one's, and the product of all so far."""

        def mu(step: int) -> float:
            return group["betas"][0] * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"]))

        step = state["step"]
        state["mu_product"] = state.get("mu_product", 1.0) * mu(step)
        return step, mu(step), mu(step + 1), state["mu_product"]

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
        decoupled, maximize = group["decoupled_weight_decay"], group["maximize"]
        step, mu, mu_next, mu_product = counts
        kernels.nadam_step(
            params, grads, kept[0], kept[1], step, mu, mu_next, mu_product,
            *rates, decoupled, maximize,
        )  # fmt: skip
