"""Dropouts. A base holds what they share; a class is its function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops.checks import number
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _Dropout(Module):
    """``inplace`` is taken as in PyTorch, and changes nothing."""

    function: Callable[..., Any]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        number(type(self).__name__, "p", p, 0, 1)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, zeros with probability ``p`` and the other elements times 1 / (1 - p).

    In evaluation its input. The draws are those of ``tt.manual_seed``. ``inplace`` is taken as in
    PyTorch, and changes nothing. (Srivastava et al. 2014.)
    """

    function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """:class:`Dropout` of whole channels of (N, C, L) or (C, L). (Tompson et al. 2015.)"""

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """:class:`Dropout` of whole channels of (N, C, H, W). (Tompson et al. 2015.)

    >>> import tinytensor as tt
    >>> x = tt.nn.Dropout2d(0.5)(tt.ones(8, 4, 3, 3))
    >>> bool((x == x[:, :, :1, :1]).all())
    True
    """

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """:class:`Dropout` of whole channels of (N, C, D, H, W). (Tompson et al. 2015.)"""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1 behind a SELU: in training elements are set to its
    least value, and all is scaled and moved. (Klambauer et al. 2017.)"""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels of (N, C, …)."""

    function = staticmethod(F.feature_alpha_dropout)
