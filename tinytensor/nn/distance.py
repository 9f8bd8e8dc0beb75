"""How far vectors are from each other, as modules."""

from __future__ import annotations

from ..ops.checks import number
from ..tensors.tensor import Tensor
from . import functional as F
from .module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """``Σ x1 x2 / (‖x1‖ ‖x2‖)`` along ``dim``; norms less than ``eps`` count as it.

    >>> import tinytensor as tt
    >>> tt.nn.CosineSimilarity(dim=0)(tt.tensor([3.0, 4.0]), tt.tensor([1.0, 0.0]))
    tensor(0.6)
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        number("CosineSimilarity", "eps", eps, 0)
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """``‖x1 - x2 + eps‖`` along the last axis, the ``p``-norm.

    >>> import tinytensor as tt
    >>> tt.nn.PairwiseDistance(eps=0.0)(tt.tensor([[3.0, 0.0]]), tt.tensor([[0.0, 4.0]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        number("PairwiseDistance", "p", p)
        number("PairwiseDistance", "eps", eps)
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
