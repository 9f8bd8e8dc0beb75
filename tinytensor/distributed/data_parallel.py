"""DistributedDataParallel: a model whose gradients are the means over all ranks."""

from __future__ import annotations

from typing import Any

from ..nn.module import Module


class DistributedDataParallel(Module):
    """To come."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        return self.module(*args, **kwargs)
