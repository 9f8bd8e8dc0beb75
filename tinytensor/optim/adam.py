"""Adam, and AdamW, whose weight decay is decoupled from the gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import kernels
from ..dtypes import wide
from ..tensors.tensor import Tensor
from .optimizer import Group, Optimizer, Params, gradients, values

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam: steps scaled by running means of the gradient and of its square.

    ``m = β₁ m + (1 - β₁) g``, ``v = β₂ v + (1 - β₂) g²``, and in step t
    ``p -= lr * (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + eps)``; with ``amsgrad`` the largest v so
    far takes the place of v. g is the gradient plus ``weight_decay * p``, and negated before with
    ``maximize``. (Kingma and Ba 2015; AMSGrad: Reddi, Kale and Kumar 2018.)
    """

    keeps = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(f"{type(self).__name__}: betas are 2 in [0, 1), not {group['betas']}")

    def needs(self, group: Group) -> Sequence[str]:
        return self.keeps if group["amsgrad"] else self.keeps[:3]

    def update(self, group: Group, params: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        by_step: dict[int, list[Tensor]] = {}  # parameters that sometimes had no gradient lag
        for parameter in params:
            state = self.state.setdefault(parameter, {})
            if not state:
                state.update(step=0)
                for name in ("exp_avg", "exp_avg_sq"):
                    state[name] = np.zeros_like(wide(parameter.value))
            if group["amsgrad"] and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = np.zeros_like(wide(parameter.value))
            state["step"] += 1
            by_step.setdefault(int(state["step"]), []).append(parameter)
        for step, some in by_step.items():
            states = [self.state[parameter] for parameter in some]
            largest = [state["max_exp_avg_sq"] for state in states] if group["amsgrad"] else None
            with values(some) as arrays:
                kernels.adam_step(
                    arrays,
                    gradients(some),
                    [state["exp_avg"] for state in states],
                    [state["exp_avg_sq"] for state in states],
                    largest,
                    step,
                    group["lr"],
                    beta1,
                    beta2,
                    group["eps"],
                    group["weight_decay"],
                    self.decoupled,
                    group["maximize"],
                )
            for parameter in some:
                parameter.changed(f"{type(self).__name__}.step")


class AdamW(Adam):
    """Adam with decoupled weight decay: ``p -= lr * weight_decay * p``, and then Adam's step from
    the plain gradient. (Loshchilov and Hutter 2019.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.AdamW([p], lr=0.25, weight_decay=0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.detach()
    tensor([0.75])
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
