"""SparseAdam: Adam of those elements alone that have a gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..dtypes import is_complex
from .optimizer import Group, Params
from .stepping import Stepping

__all__ = ["SparseAdam"]


class SparseAdam(Stepping):
    """Adam that leaves an element alone, with all that is kept of it, where its gradient is 0.

    It is for embeddings of which a batch takes few rows. PyTorch's takes sparse gradients and
    moves the elements that these hold; gradients are dense here, and 0 means not held. In step t
    of the parameter, ``p -= lr sqrt(1 - β₂ᵗ) / (1 - β₁ᵗ) * m / (sqrt(v) + eps)``, with Adam's m
    and v. (Kingma and Ba 2015.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.ones(3))
    >>> optimizer = tt.optim.SparseAdam([p], lr=0.25)
    >>> (p * p)[1].backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in p.tolist()]
    [1.0, 0.75, 1.0]
    """

    keeps = ("step", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "maximize": maximize}
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        if any(is_complex(parameter.dtype) for parameter in group["params"]):
            raise ValueError("SparseAdam: a parameter is complex; Adam takes these")

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
        (beta1, beta2), (step,) = group["betas"], counts
        step_size = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        for p, g, m, v in zip(params, grads, *kept, strict=True):
            there = np.nonzero(g) if g.ndim else ...
            if g.ndim == 0 and not g:
                continue
            of = -g[there] if group["maximize"] else g[there]
            m[there] += (1 - beta1) * (of - m[there])
            v[there] += (1 - beta2) * (of * of - v[there])
            p[there] -= step_size * m[there] / (np.sqrt(v[there]) + group["eps"])
