"""SGD: gradient descent, with momentum."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from .. import kernels
from ..dtypes import wide
from ..tensors.tensor import Tensor
from .optimizer import Group, How, Optimizer, Params, as_real, gradients, values

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent: ``p -= lr * g``, or with momentum

    ``b = momentum * b + (1 - dampening) * g`` (at first ``b = g``), ``p -= lr * b``, or with
    ``nesterov`` ``p -= lr * (g + momentum * b)``; g is the gradient plus ``weight_decay * p``, and
    negated before with ``maximize``. (Sutskever et al. 2013.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.tensor([1.0]))
    >>> optimizer = tt.optim.SGD([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.detach()
    tensor([0.5])
    """

    keeps = ("momentum_buffer",)
    ways = ("foreach", "differentiable", "fused")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
            how,
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum, and no dampening")
        if group["dampening"] and not group["momentum"]:
            raise ValueError("SGD: dampening does nothing without momentum")

    def update(self, group: Group, params: list[Tensor]) -> None:
        if not group["momentum"]:
            return self._update(group, params, None, False)
        old: list[Tensor] = []
        new: list[Tensor] = []
        for parameter in params:
            known = self.state.get(parameter, {}).get("momentum_buffer") is not None
            (old if known else new).append(parameter)
        for parameter in new:
            self.state[parameter] = {"momentum_buffer": np.empty_like(wide(parameter.value))}
        for some, first in ((old, False), (new, True)):
            if some:
                buffers = [as_real(self.state[p]["momentum_buffer"]) for p in some]
                self._update(group, some, buffers, first)

    def _update(
        self, group: Group, params: list[Tensor], buffers: list[np.ndarray] | None, first: bool
    ) -> None:
        with values(params) as arrays:
            kernels.sgd_step(
                arrays,
                gradients(params),
                buffers,
                group["lr"],
                group["momentum"],
                group["dampening"],
                group["weight_decay"],
                group["nesterov"],
                group["maximize"],
                first,
            )
        for parameter in params:
            parameter.changed("SGD.step")
