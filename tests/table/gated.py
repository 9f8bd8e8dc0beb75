"""Gated activations."""

from __future__ import annotations

from typing import Any

from .rows import case, row
from .samples import off_zero

_TORCH: dict[str, Any] = {
    "silu": lambda F, x: F.silu(x),
    "gelu": lambda F, x: F.gelu(x),
    "gelu_tanh": lambda F, x: F.gelu(x, approximate="tanh"),
    "relu": lambda F, x: F.relu(x),
    "sigmoid": lambda F, x: F.sigmoid(x),
}

row(
    "gated",
    lambda rng: [case(off_zero(rng), off_zero(rng), name) for name in _TORCH],
    torch=lambda torch, gate, up, name: _TORCH[name](torch.nn.functional, gate) * up,
    elementwise=True,
)
