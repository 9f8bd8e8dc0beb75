"""Activations as modules: each applies the function of its name in :mod:`.functional`."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..ops.checks import number
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "Hardtanh",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _Activation(Module):
    """An activation that PyTorch can do in place. Here ``inplace`` is taken and changes nothing:
    the output is always a new tensor."""

    inplace: bool
    _numbers: tuple[str, ...] = ()  # the attributes that are settings of the function

    def __init__(self, inplace: bool = False, **numbers: float) -> None:
        super().__init__()
        for name, value in numbers.items():
            number(type(self).__name__, name, value)
            setattr(self, name, value)
        self.inplace = inplace

    def extra_repr(self) -> str:
        shown = [f"{name}={getattr(self, name)}" for name in self._numbers]
        return ", ".join(shown + ["inplace=True"] * self.inplace)


class ReLU(_Activation):
    """``max(x, 0)``."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class LeakyReLU(_Activation):
    """x where x > 0, ``negative_slope * x`` elsewhere."""

    negative_slope: float
    _numbers = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace, negative_slope=negative_slope)

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope)


class ELU(_Activation):
    """x where x > 0, ``alpha * (exp(x) - 1)`` elsewhere. (Clevert, Unterthiner and Hochreiter
    2016.)"""

    alpha: float
    _numbers = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace, alpha=alpha)

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha)


class SiLU(_Activation):
    """``x sigmoid(x)``, also called swish (Elfwing, Uchibe and Doya 2018)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input)


class Hardtanh(_Activation):
    """x into [``min_val``, ``max_val``]."""

    min_val: float
    max_val: float
    _numbers = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace, min_val=min_val, max_val=max_val)
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val {min_val} must be below max_val {max_val}")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val)


class GELU(Module):
    """``x Φ(x)``, Φ the normal distribution function (Hendrycks and Gimpel 2016).

    ``approximate="tanh"`` takes ``(1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`` for Φ.

    >>> import tinytensor as tt
    >>> tt.nn.GELU(approximate="tanh")
    GELU(approximate='tanh')
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate is 'none' or 'tanh', not {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(_Activation):
    """``log(1 + exp(beta x)) / beta``; x itself where beta x > ``threshold``."""

    beta: float
    threshold: float
    _numbers = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)
        if not beta:
            raise ValueError("Softplus: beta must not be 0")

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``."""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class _AlongAxis(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None and not isinstance(dim, int | np.integer):
            raise TypeError(f"{type(self).__name__}: dim must be an integer or None, not {dim!r}")
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """``exp(x) / sum(exp(x))`` along ``dim`` (the last axis if None).

    >>> import tinytensor as tt
    >>> tt.nn.Softmax(dim=0)(tt.tensor([0.0, 0.0]))
    tensor([0.5, 0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, -1 if self.dim is None else self.dim)


class LogSoftmax(_AlongAxis):
    """``x - log(sum(exp(x)))`` along ``dim`` (the last axis if None)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, -1 if self.dim is None else self.dim)
