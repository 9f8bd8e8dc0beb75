"""Muon: a momentum of matrices, made orthogonal before it is a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..dtypes import is_complex, wide
from ..ops.checks import whole
from ..tensors.tensor import Tensor
from .optimizer import Group, Optimizer, Params, gradients, values

__all__ = ["Muon"]

RATES = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """Muon, for the matrices inside of a network: ``b = momentum * b + (1 - momentum) g``, and
    ``p -= lr' * orthogonal(u)`` after ``p -= lr * weight_decay * p``, where u is b, or with
    ``nesterov`` ``(1 - momentum) g + momentum * b``.

    Orthogonal means: singular values near 1 in the place of u's own, by ``ns_steps`` of the
    iteration of Newton and Schulz with three ``ns_coefficients``. lr' is lr times
    ``sqrt(max(1, rows / columns))``, or with ``adjust_lr_fn="match_rms_adamw"`` times
    ``0.2 sqrt(max(rows, columns))``. (Jordan et al. 2024; Liu et al. 2025.)

    PyTorch iterates in bfloat16, here it is done in the dtype of the parameter: the steps agree to
    the 3 digits that bfloat16 has.

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.zeros(2, 2))
    >>> optimizer = tt.optim.Muon([p], lr=1.0, ns_steps=20, ns_coefficients=(2.0, -1.5, 0.5))
    >>> (p * tt.tensor([[3.0, 0.0], [0.0, 1.0]])).sum().backward()
    >>> optimizer.step()
    >>> [[round(abs(x), 3) for x in row] for row in p.tolist()]
    [[1.0, 0.0], [0.0, 1.0]]
    """

    keeps = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": tuple(ns_coefficients),
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        whole("Muon", 0, ns_steps=group["ns_steps"])
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(f"Muon: ns_coefficients are 3, not {group['ns_coefficients']}")
        if group["adjust_lr_fn"] not in RATES:
            raise ValueError(
                f"Muon: adjust_lr_fn is {group['adjust_lr_fn']!r}, not 'original' or"
                " 'match_rms_adamw'"
            )
        for parameter in group["params"]:
            if parameter.ndim != 2 or is_complex(parameter.dtype):
                raise ValueError(
                    f"Muon: a parameter is {parameter.dtype} of {parameter.shape}, not a real"
                    " matrix; give the others to AdamW"
                )

    def needs(self, group: Group, parameter: Tensor) -> Sequence[str]:
        return self.keeps

    def update(self, group: Group, params: list[Tensor]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        with values(params) as arrays:
            for parameter, p, g in zip(params, arrays, gradients(params), strict=True):
                state = self.state.setdefault(parameter, {})
                b = state.setdefault("momentum_buffer", np.zeros_like(wide(parameter.value)))
                b += (1 - momentum) * (g - b)
                u = g + momentum * (b - g) if group["nesterov"] else b
                p *= 1 - lr * group["weight_decay"]
                if p.size:
                    p -= (
                        lr
                        * RATES[group["adjust_lr_fn"]](*p.shape)
                        * orthogonal(u, group["ns_coefficients"], group["ns_steps"], group["eps"])
                    )
        for parameter in params:
            parameter.changed("Muon.step")


def orthogonal(
    u: np.ndarray, coefficients: tuple[float, float, float], steps: int, eps: float
) -> np.ndarray:
    """``x = a x + b (x xᵀ) x + c (x xᵀ)² x``, so many times, from ``u / max(‖u‖, eps)``."""
    a, b, c = coefficients
    x = u.T if u.shape[0] > u.shape[1] else u  # so that x xᵀ is the smaller one
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if u.shape[0] > u.shape[1] else x
