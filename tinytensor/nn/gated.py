"""The gated hidden layers of transformers."""

from __future__ import annotations

from .. import ops
from ..ops.gated import check_gate
from ..tensors.tensor import Tensor
from .linear import Linear
from .module import Module

__all__ = ["GatedMLP"]


class GatedMLP(Module):
    """``down_proj(f(gate_proj(x)) * up_proj(x))``: (…, dim) to the same, ``hidden`` wide inside.

    ``activation`` f is "silu" (SwiGLU), "gelu" (GEGLU), "gelu_tanh", "relu" (ReGLU) or "sigmoid"
    (GLU); it and the product with its gate are one pass, and so are their gradients. (Shazeer
    2020; names of the parameters as in Llama.)

    >>> import tinytensor as tt
    >>> tt.nn.GatedMLP(8, 20)(tt.zeros((2, 5, 8))).shape
    (2, 5, 8)
    """

    def __init__(self, dim: int, hidden: int, activation: str = "silu", bias: bool = False) -> None:
        super().__init__()
        check_gate("GatedMLP", activation)
        self.activation = activation
        self.gate_proj = Linear(dim, hidden, bias=bias)
        self.up_proj = Linear(dim, hidden, bias=bias)
        self.down_proj = Linear(hidden, dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(ops.gated(self.gate_proj(x), self.up_proj(x), self.activation))

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"
