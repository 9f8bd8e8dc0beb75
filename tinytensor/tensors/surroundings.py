"""What PyTorch's programs ask of where they run: other devices, of which there are none, and names
that have another place here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..engine.grad import grad
from ..engine.grad_mode import (
    _GradMode,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .function import Function, once_differentiable

__all__ = ["accelerator", "autograd", "backends", "cuda", "inference_mode", "mps", "xpu"]


class inference_mode(_GradMode):
    """``no_grad``, under PyTorch's other name: no tensor is marked, and ``mode=False`` is nothing.

    >>> import tinytensor as tt
    >>> with tt.inference_mode():
    ...     tt.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode and is_grad_enabled())


def _nothing(*args: Any) -> None:
    return None


def _devices() -> SimpleNamespace:
    """A kind of devices of which there is none."""
    return SimpleNamespace(
        is_available=lambda: False,
        device_count=lambda: 0,
        empty_cache=_nothing,
        manual_seed=_nothing,
        manual_seed_all=_nothing,
        synchronize=_nothing,
    )


cuda, mps, xpu, accelerator = (_devices() for _ in range(4))
backends = SimpleNamespace(
    cudnn=SimpleNamespace(enabled=False, benchmark=False, deterministic=True),
    cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)),
    mps=SimpleNamespace(is_available=lambda: False, is_built=lambda: False),
)
autograd = SimpleNamespace(
    grad=grad,
    no_grad=no_grad,
    enable_grad=enable_grad,
    set_grad_enabled=set_grad_enabled,
    inference_mode=inference_mode,
    Function=Function,
    function=SimpleNamespace(Function=Function, once_differentiable=once_differentiable),
)
