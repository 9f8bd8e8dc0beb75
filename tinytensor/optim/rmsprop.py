"""RMSprop: steps scaled by a running mean of the squared gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params
from .stepping import Stepping

__all__ = ["RMSprop"]


class RMSprop(Stepping):
    """RMSprop: ``v = α v + (1 - α) g²``, ``p -= lr * g / (sqrt(v) + eps)``.

    With ``momentum``, ``b = momentum * b + g / (sqrt(v) + eps)`` and ``p -= lr * b``. With
    ``centered`` the variance, v less the square of a running mean of g, takes the place of v. g is
    the gradient plus ``weight_decay * p``, and negated before with ``maximize``. (Hinton 2012;
    centered: Graves 2013.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.RMSprop([p], lr=0.025)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.75
    """

    keeps = ("step", "square_avg", "momentum_buffer", "grad_avg")
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        names = ["square_avg"] + ["grad_avg"] * bool(group["centered"])
        return dict.fromkeys(names + ["momentum_buffer"] * (group["momentum"] > 0), 0.0)

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        buffers = iter(kept[1:])
        grad_avgs = next(buffers) if group["centered"] else None
        momenta = next(buffers, None)
        rates = ("lr", "alpha", "eps", "weight_decay", "momentum", "maximize")
        settings = (group[name] for name in rates)
        kernels.rmsprop_step(params, grads, kept[0], grad_avgs, momenta, *settings)
