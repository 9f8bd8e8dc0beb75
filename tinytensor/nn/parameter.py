"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from typing import Any

from ..tensors.tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that a module lists among its parameters, once it is an attribute of it.

    It shares the memory of ``data``, and wants a gradient unless told otherwise.

    >>> import tinytensor as tt
    >>> tt.nn.Parameter(tt.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
