"""Dropout."""

from __future__ import annotations

from ..ops.checks import number
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, zeros with probability ``p`` and the other elements times 1 / (1 - p).

    In evaluation its input. The draws are those of ``tt.manual_seed``. ``inplace`` is taken as in
    PyTorch, and changes nothing. (Srivastava et al. 2014.)
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        number("Dropout", "p", p, 0, 1)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
