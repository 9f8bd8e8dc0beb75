"""A module around other parameters: how the transforms of ``tt.func`` take one as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MethodType
from typing import Any

import numpy as np

from ..engine.operation import alias
from ..errors import a_kind_of
from ..func import register
from ..tensors.tensor import Tensor
from .module import Module
from .parameter import Parameter


def replaced(module: Module, tensors: Mapping[str, Any]) -> Module:
    """A copy of ``module`` with ``tensors`` under these names of its parameters and buffers.

    The modules in it are copies too, and share with the originals all that is not replaced. A
    parameter that stands in several places is replaced in all of them.
    """
    state = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    others: dict[int, Tensor] = {}  # by the identity of what they replace
    given: dict[int, Any] = {}
    for name, tensor in tensors.items():
        if name not in state:
            raise KeyError(f"{type(module).__name__} has no parameter or buffer {name!r}")
        if not isinstance(tensor, Tensor | np.ndarray):
            raise TypeError(
                f"{type(module).__name__}: {name!r} must be a tensor, not {a_kind_of(tensor)}"
            )
        key = id(state[name])
        if given.setdefault(key, tensor) is not tensor:
            raise ValueError(
                f"{type(module).__name__}: {name!r} is shared under another name, which was given"
                " another tensor"
            )
        tensor = tensor if isinstance(tensor, Tensor) else Tensor(tensor)
        others[key] = as_parameter(tensor) if isinstance(state[name], Parameter) else tensor
    copies = {id(part): Module.__new__(type(part)) for part in module.modules()}
    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, MethodType) and id(value.__self__) in copies:
                value = MethodType(value.__func__, copies[id(value.__self__)])
            copies[id(part)].__dict__[name] = copies.get(id(value), others.get(id(value), value))
    return copies[id(module)]


def as_parameter(x: Tensor) -> Parameter:
    """``x`` as a Parameter, which a module lists. Gradients by ``x`` go through it."""
    if isinstance(x, Parameter):
        return x
    parameter: Any = alias(x) if x.requires_grad else x.detach()
    parameter.__class__ = _parameter_class(parameter.__class__)
    return parameter


@cache
def _parameter_class(cls: type) -> type:
    """Tensors of ``cls`` that are parameters."""
    return Parameter if cls is Tensor else type("Parameter", (Parameter, cls), {"__slots__": ()})


register(
    Module,
    lambda module: ([dict(module.named_parameters())], module),
    lambda module, children: replaced(module, children[0]),
    transparent=True,
)
