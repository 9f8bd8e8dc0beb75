"""Axes made into one, and one into several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..ops.checks import integer
from ..tensors.tensor import Tensor
from .module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` (included) made into one.

    >>> import tinytensor as tt
    >>> tt.nn.Flatten()(tt.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        first, last = (
            dim + input.ndim if dim < 0 else dim for dim in (self.start_dim, self.end_dim)
        )
        if not 0 <= first <= last < input.ndim:
            raise ValueError(
                f"Flatten: dims {self.start_dim} to {self.end_dim} of an input of {input.shape}"
            )
        joined = math.prod(input.shape[first : last + 1])
        return input.reshape((*input.shape[:first], joined, *input.shape[last + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The axis ``dim`` made into several of the sizes ``unflattened_size``, of which one may be −1:
    what is left.

    >>> import tinytensor as tt
    >>> tt.nn.Unflatten(1, (2, -1))(tt.zeros((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        integer("Unflatten", "dim", dim)
        if not isinstance(unflattened_size, tuple | list) or not all(
            isinstance(n, int | np.integer) for n in unflattened_size
        ):
            raise TypeError(
                f"Unflatten: unflattened_size must be a tuple of integers, not {unflattened_size!r}"
            )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
