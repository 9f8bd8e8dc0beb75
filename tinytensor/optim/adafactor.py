"""Adafactor: steps scaled by a mean of squares that is kept as rows and columns alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import numpy as np

from ..dtypes import finfo, is_complex, wide
from ..tensors.tensor import Tensor
from .optimizer import Group, How, Optimizer, Params, gradients, values

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: Adam's denominator in the memory of a row and a column.

    In step t, with ``β = 1 - t^beta2_decay`` and ``ε₁, ε₂ = eps``: a running mean v of g² is kept,
    of a parameter of two axes or more as the means along its last two, "row_var" R and "col_var"
    C, from which ``v = R C / max(mean(R), ε₁)``. Then ``u = g / max(sqrt(v), ε₁)`` and
    ``p -= max(ε₂, rms(p)) min(lr, 1 / sqrt(t)) * u / max(1, rms(u) / d)``, after
    ``p -= lr * weight_decay * p``. g is the gradient, negated with ``maximize``. An ε₁ of None is
    the dtype's. (Shazeer and Stern 2018, with PyTorch's use of lr and ε₁.)

    >>> import tinytensor as tt
    >>> p = tt.nn.Parameter(tt.ones(2, 3))
    >>> optimizer = tt.optim.Adafactor([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> [round(x, 4) for x in p[0].tolist()]
    [0.75, 0.75, 0.75]
    >>> optimizer.state_dict()["state"][0]["row_var"].shape
    (2, 1)
    """

    keeps = ("step", "row_var", "col_var", "variance")
    ways = ("foreach",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **how: Unpack[How],
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": tuple(eps),
                "d": d,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
            how,
        )

    def check_group(self, group: Group) -> None:
        super().check_group(group)
        eps = group["eps"]
        if len(eps) != 2 or not all(e is None or e >= 0 for e in eps) or eps[1] is None:
            raise ValueError(f"Adafactor: eps are two of at least 0, the first or None, not {eps}")
        if not group["d"] >= 1:
            raise ValueError(f"Adafactor: d is {group['d']}, not at least 1")
        if not group["beta2_decay"] <= 0:
            raise ValueError(f"Adafactor: beta2_decay is {group['beta2_decay']}, not at most 0")
        if any(is_complex(parameter.dtype) for parameter in group["params"]):
            raise ValueError(
                "Adafactor: a parameter is complex, of which there are no rows of squares"
            )

    def needs(self, group: Group, parameter: Tensor) -> Sequence[str]:
        return ("step", "row_var", "col_var") if parameter.ndim > 1 else ("step", "variance")

    def shape_of(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        *others, rows, columns = (1, 1, *parameter.shape)
        lead = tuple(others[2:])
        kept = {"row_var": (*lead, rows, 1), "col_var": (*lead, 1, columns)}
        return kept.get(name, parameter.shape)

    def update(self, group: Group, params: list[Tensor]) -> None:
        for parameter in params:
            state = self.state.setdefault(parameter, {})
            for name in self.needs(group, parameter)[1:]:
                if state.get(name) is None:
                    dtype = wide(parameter.value[:0] if parameter.ndim else parameter.value).dtype
                    state[name] = np.zeros(self.shape_of(name, parameter), dtype)
            state["step"] = state.get("step", 0) + 1
        with values(params) as arrays:
            for parameter, p, g in zip(params, arrays, gradients(params), strict=True):
                if p.size:
                    self._move(group, parameter, p, -g if group["maximize"] else g)
        for parameter in params:
            parameter.changed("Adafactor.step")

    def _move(self, group: Group, parameter: Tensor, p: np.ndarray, g: np.ndarray) -> None:
        state, lr = self.state[parameter], group["lr"]
        eps1, eps2 = group["eps"]
        eps1 = finfo(parameter.dtype).eps if eps1 is None else eps1
        new = state["step"] ** group["beta2_decay"]
        size = max(eps2, _rms(p)) * min(lr, 1 / math.sqrt(state["step"]))
        p *= 1 - lr * group["weight_decay"]
        squares = g * g
        if p.ndim > 1:
            row, column = state["row_var"], state["col_var"]
            row += new * (squares.mean(-1, keepdims=True) - row)
            column += new * (squares.mean(-2, keepdims=True) - column)
            v = row * column / np.maximum(row.mean(-2, keepdims=True), eps1)
        else:
            v = state["variance"]
            v += new * (squares - v)
        u = g / np.sqrt(np.maximum(v, eps1 * eps1))
        p -= size / max(1.0, _rms(u) / group["d"]) * u


def _rms(x: np.ndarray) -> float:
    """The root of the mean square."""
    return float(np.linalg.norm(x)) / math.sqrt(x.size)
