"""Adam, and AdamW, whose weight decay is decoupled from the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["Adam", "AdamW"]


class Adam(Stepping):
    """Adam: steps scaled by running means of the gradient and of its square.

    ``m = β₁ m + (1 - β₁) g``, ``v = β₂ v + (1 - β₂) g²``, and in step t
    ``p -= lr * (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + eps)``; with ``amsgrad`` the largest v so
    far takes the place of v. g is the gradient plus ``weight_decay * p``, and negated before with
    ``maximize``. With ``decoupled_weight_decay`` it is :class:`AdamW`. (Kingma and Ba 2015;
    AMSGrad: Reddi, Kale and Kumar 2018.)
    """

    keeps = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    ways = ("foreach", "capturable", "differentiable", "fused")

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
        decoupled_weight_decay: bool = False,
        **how: Unpack[How],
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
                "decoupled_weight_decay": decoupled_weight_decay,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return dict.fromkeys(self.keeps[1:] if group["amsgrad"] else self.keeps[1:3], 0.0)

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        beta1, beta2 = group["betas"]
        kernels.adam_step(
            params,
            grads,
            kept[0],
            kept[1],
            kept[2] if group["amsgrad"] else None,
            counts[0],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            group["maximize"],
        )


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
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            **how,
        )
