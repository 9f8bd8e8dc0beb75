"""Linear, and the module that only passes on."""

from __future__ import annotations

import math
from typing import Any

from ..ops.checks import whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter
from .shape import Flatten as Flatten  # where pickles of 0.1 look for it

__all__ = ["Bilinear", "Identity", "Linear"]


class Linear(Module):
    """``y = x @ weight.mT + bias``: (…, in_features) becomes (…, out_features).

    ``weight`` (out_features, in_features) and ``bias`` (out_features,) start uniform in ±1/√in.

    >>> import tinytensor as tt
    >>> tt.nn.Linear(20, 30)(tt.zeros((128, 20))).shape
    (128, 30)
    """

    _dtype_of = "weight"
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        whole(type(self).__name__, 0, in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(init.empty(out_features, in_features))
        self.bias = Parameter(init.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        init.fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features},"
            f" bias={self.bias is not None}"
        )


class Bilinear(Module):
    """``y[k] = x1 @ weight[k] @ x2 + bias[k]``: (…, in1_features) and (…, in2_features) become (…,
    out_features).

    ``weight`` (out_features, in1_features, in2_features) and ``bias`` (out_features,) start uniform
    in ±1/√in1.

    >>> import tinytensor as tt
    >>> tt.nn.Bilinear(20, 30, 40)(tt.zeros((128, 20)), tt.zeros((128, 30))).shape
    (128, 40)
    """

    _dtype_of = "weight"
    bias: Parameter | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True
    ) -> None:
        super().__init__()
        whole("Bilinear", 1, in1_features=in1_features)
        whole("Bilinear", 0, in2_features=in2_features, out_features=out_features)
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(init.empty(out_features, in1_features, in2_features))
        self.bias = Parameter(init.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features},"
            f" out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input. Takes and ignores any arguments, as a placeholder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input
