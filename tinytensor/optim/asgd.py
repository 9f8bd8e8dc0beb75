"""ASGD: gradient descent that also keeps the average of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from .. import kernels
from .optimizer import Group, How, Params, State
from .stepping import Stepping

__all__ = ["ASGD"]


class ASGD(Stepping):
    """Averaged stochastic gradient descent: ``p = (1 - lambd η) p - η g``, and the state "ax" is
    the average of the parameters from step ``t0`` on.

    After step t, ``η = lr / (1 + lambd lr t)^alpha``. g is the gradient plus
    ``weight_decay * p``, and negated before with ``maximize``. (Polyak and Juditsky 1992.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.ASGD([p], lr=0.25, lambd=0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.5
    """

    keeps = ("step", "eta", "mu", "ax")
    numbers = ("eta", "mu")
    ways = ("foreach", "capturable", "differentiable")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
            how,
        )

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"ax": 0.0}

    def counts(self, group: Group, state: State) -> tuple[Any, ...]:
        """The size of this step, and the share of the parameters in their average."""
        now = (state.setdefault("eta", group["lr"]), state.setdefault("mu", 1.0))
        lr, step = group["lr"], state["step"]
        state["eta"] = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return now

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        rates = (group[name] for name in ("lambd", "weight_decay", "maximize"))
        kernels.asgd_step(params, grads, kept[0], *counts, *rates)
