"""Gated activations, of which the hidden layers of transformers are made."""

from __future__ import annotations

from typing import Any

from .. import kernels
from .activation import gelu, gelu_backward, relu, relu_backward, silu, silu_backward
from .annotations import ArrayLike, Tensor
from .batching import elementwise
from .checks import floating
from .declared import op
from .elementary import sigmoid

__all__ = ["gated"]

# Of each activation: itself, and g times its derivative at x, as ops.
_FORMULAE: dict[Any, Any] = {
    "silu": (silu, silu_backward),
    "gelu": (gelu, lambda g, x: gelu_backward(g, x, "none")),
    "gelu_tanh": (lambda x: gelu(x, "tanh"), lambda g, x: gelu_backward(g, x, "tanh")),
    "relu": (relu, lambda g, x: relu_backward(g, relu(x))),
    "sigmoid": (sigmoid, lambda g, x: g * sigmoid(x) * (1 - sigmoid(x))),
}


def check_gate(name: str, activation: Any) -> None:
    """An error in the name of what was called for an activation that gates do not have."""
    if activation not in _FORMULAE:
        known = ", ".join(map(repr, _FORMULAE))
        raise ValueError(f"{name}: activation must be one of {known}, not {activation!r}")


@op
def gated(gate: ArrayLike, up: ArrayLike, activation: str = "silu") -> Tensor:
    """f(gate) up, element by element, in one pass; they broadcast. f is "silu" (SwiGLU), "gelu"
    (GEGLU), "gelu_tanh", "relu" (ReGLU) or "sigmoid" (GLU). (Shazeer 2020.)

    Gradients: g up f'(gate) and g f(gate), in one pass too.

    >>> import tinytensor as tt
    >>> tt.gated(tt.tensor([1.0, -1.0]), tt.tensor([5.0, 5.0]), "relu")
    tensor([5., 0.])
    """
    check_gate("gated", activation)
    gate, up = floating("gated", "gate", gate), floating("gated", "up", up)
    return kernels.gated(gate, up, activation)


@op(outputs=2)
def gated_backward(g, gate, up, activation):
    """The cotangents of gate and up, of the shape of g."""
    return kernels.gated_backward(g, gate, up, activation)


def _gated_backward(g, gate, up, activation):
    value, backward = _FORMULAE[activation]
    return backward(g * up, gate), g * value(gate)


gated_backward.defined_by(_gated_backward)
gated.batched(elementwise).grad_all(
    ("gate", "up"),
    lambda g, gate, up, activation: gated_backward(g, gate, up, activation),
)
