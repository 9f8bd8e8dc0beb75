"""Activations as modules: each applies the function of its name in :mod:`.functional`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import ShapeError
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init as initial
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class _Activation(Module):
    """``_function(input, *settings)``: a class names the function, and the attributes that are its
    settings. PyTorch can do many in place. Here ``inplace`` is taken and changes nothing: the
    output is always a new tensor."""

    inplace: bool
    _function: ClassVar[Callable[..., Any]]
    _numbers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, inplace: bool = False, **numbers: float) -> None:
        super().__init__()
        for name, value in numbers.items():
            number(type(self).__name__, name, value)
            setattr(self, name, value)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, *[getattr(self, name) for name in self._numbers])

    def extra_repr(self) -> str:
        shown = [f"{name}={getattr(self, name)}" for name in self._numbers]
        return ", ".join(shown + ["inplace=True"] * self.inplace)


class _Plain(_Activation):
    """Without settings, and never in place."""

    def __init__(self) -> None:
        super().__init__()


class _Toggled(_Activation):
    """Without settings but ``inplace``."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace)


class ReLU(_Toggled):
    """``max(x, 0)``."""

    _function = staticmethod(F.relu)


class LeakyReLU(_Activation):
    """x where x > 0, ``negative_slope * x`` elsewhere."""

    negative_slope: float
    _function = staticmethod(F.leaky_relu)
    _numbers = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace, negative_slope=negative_slope)


class RReLU(_Activation):
    """x where x > 0, elsewhere x times a number: in training drawn from [``lower``, ``upper``) for
    each element, otherwise their middle. (Xu et al. 2015.)"""

    lower: float
    upper: float
    _function = staticmethod(F.rrelu)
    _numbers = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__(inplace, lower=lower, upper=upper)
        if not lower <= upper:
            raise ValueError(f"RReLU: lower {lower} must not be above upper {upper}")

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training)


class PReLU(Module, parameters=True):
    """x where x > 0, ``weight * x`` elsewhere: a parameter of one number, or of one for each of the
    channels of (N, C, …), which starts as ``init``. (He et al. 2015.)

    >>> import tinytensor as tt
    >>> tt.nn.PReLU(num_parameters=2)(tt.tensor([[-4.0, 3.0]])).tolist()
    [[-1.0, 3.0]]
    """

    _dtype_of = "weight"

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        whole("PReLU", 1, num_parameters=num_parameters)
        number("PReLU", "init", init)
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(initial.empty(num_parameters))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to ``init``."""
        initial.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(_Activation):
    """x where x > 0, ``alpha * (exp(x) - 1)`` elsewhere. (Clevert, Unterthiner and Hochreiter
    2016.)"""

    alpha: float
    _function: ClassVar[Callable[..., Any]] = staticmethod(F.elu)
    _numbers = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace, alpha=alpha)


class CELU(ELU):
    """x where x > 0, ``alpha * (exp(x / alpha) - 1)`` elsewhere. (Barron 2017.)"""

    _function = staticmethod(F.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha, inplace)
        if not alpha:
            raise ValueError("CELU: alpha must not be 0")


class SELU(_Toggled):
    """An :class:`ELU` scaled so that layers of it keep mean 0 and variance 1. (Klambauer et al.
    2017.)"""

    _function = staticmethod(F.selu)


class SiLU(_Toggled):
    """``x sigmoid(x)``, also called swish (Elfwing, Uchibe and Doya 2018)."""

    _function = staticmethod(F.silu)


class Mish(_Toggled):
    """``x tanh(softplus(x))`` (Misra 2019)."""

    _function = staticmethod(F.mish)


class GLU(Module):
    """``a sigmoid(b)`` of the halves a and b of the input along ``dim``. (Dauphin et al. 2017.)

    >>> import tinytensor as tt
    >>> tt.nn.GLU()(tt.zeros((3, 8))).shape
    (3, 4)
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = _dim("GLU", dim)

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Hardtanh(_Activation):
    """x into [``min_val``, ``max_val``]. ``min_value`` and ``max_value`` are their older names."""

    min_val: float
    max_val: float
    _function = staticmethod(F.hardtanh)
    _numbers = ("min_val", "max_val")

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        if min_value is not None or max_value is not None:
            warnings.warn(
                "Hardtanh: min_value and max_value are called min_val and max_val now",
                FutureWarning,
                stacklevel=2,
            )
            min_val = min_val if min_value is None else min_value
            max_val = max_val if max_value is None else max_value
        super().__init__(inplace, min_val=min_val, max_val=max_val)
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val {min_val} must be below max_val {max_val}")


class ReLU6(Hardtanh):
    """x into [0, 6]."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" * self.inplace


class Hardsigmoid(_Toggled):
    """``x / 6 + 1 / 2`` into [0, 1]."""

    _function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        return ""


class Hardswish(Hardsigmoid):
    """``x hardsigmoid(x)`` (Howard et al. 2019)."""

    _function = staticmethod(F.hardswish)


class _Shrinking(_Activation):
    lambd: float
    _numbers = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrinking):
    """x where ``|x| > lambd``, 0 elsewhere."""

    _function = staticmethod(F.hardshrink)


class Softshrink(_Shrinking):
    """x moved by ``lambd`` towards 0, and 0 where ``|x| <= lambd``."""

    _function = staticmethod(F.softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd)
        number("Softshrink", "lambd", lambd, 0)


class Threshold(_Activation):
    """x where x > ``threshold``, ``value`` elsewhere."""

    threshold: float
    value: float
    _function = staticmethod(F.threshold)
    _numbers = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace, threshold=threshold, value=value)


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
    _function = staticmethod(F.softplus)
    _numbers = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)
        if not beta:
            raise ValueError("Softplus: beta must not be 0")


class Sigmoid(_Plain):
    """``1 / (1 + exp(-x))``."""

    _function = staticmethod(F.sigmoid)


class LogSigmoid(_Plain):
    """``log(1 / (1 + exp(-x)))``."""

    _function = staticmethod(F.logsigmoid)


class Tanh(_Plain):
    """The hyperbolic tangent."""

    _function = staticmethod(F.tanh)


class Tanhshrink(_Plain):
    """``x - tanh(x)``."""

    _function = staticmethod(F.tanhshrink)


class Softsign(_Plain):
    """``x / (1 + |x|)``."""

    _function = staticmethod(F.softsign)


# --- Along an axis ---------------------------------------------------------------------------


def _dim(owner: str, dim: Any) -> Any:
    if not isinstance(dim, int | np.integer):
        raise TypeError(f"{owner}: dim must be an integer or None, not {dim!r}")
    return dim


class _AlongAxis(Module):
    _function: ClassVar[Callable[..., Any]]

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim if dim is None else _dim(type(self).__name__, dim)

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, -1 if self.dim is None else self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """``exp(x) / sum(exp(x))`` along ``dim`` (the last axis if None).

    >>> import tinytensor as tt
    >>> tt.nn.Softmax(dim=0)(tt.tensor([0.0, 0.0]))
    tensor([0.5, 0.5])
    """

    _function = staticmethod(F.softmax)


class Softmin(_AlongAxis):
    """``exp(-x) / sum(exp(-x))`` along ``dim`` (the last axis if None)."""

    _function = staticmethod(F.softmin)


class LogSoftmax(_AlongAxis):
    """``x - log(sum(exp(x)))`` along ``dim`` (the last axis if None)."""

    _function = staticmethod(F.log_softmax)


class Softmax2d(Module):
    """:class:`Softmax` over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(
                f"Softmax2d: input must be (N, C, H, W) or (C, H, W), but is {input.shape}"
            )
        return F.softmax(input, -3)
