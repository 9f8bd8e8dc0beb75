"""The older weight and spectral norm: hooks that compute a weight before each forward."""

from __future__ import annotations

from typing import TypeVar

from ... import linalg
from ...engine.grad_mode import no_grad
from ...engine.hooks import RemovableHandle
from ...ops.checks import number, whole
from ...tensors.tensor import Tensor
from ..init import overwrite
from ..module import Module
from ..parameter import Parameter
from .parametrizations import as_matrix, axis_of_outputs, drawn_unit, norm_except, unit, weight_of

M = TypeVar("M", bound=Module)


class BeforeForward:
    """A hook that sets ``module.name`` to what it computes, before each forward."""

    handle: RemovableHandle

    def __init__(self, name: str) -> None:
        self.name = name

    def computed(self, module: Module, in_forward: bool) -> Tensor:
        """The weight."""
        raise NotImplementedError

    def parts(self) -> tuple[str, ...]:
        """The names of what it is computed from, without the module's."""
        raise NotImplementedError

    def __call__(self, module: Module, args: object) -> None:
        setattr(module, self.name, self.computed(module, True))

    def put(self, module: M) -> M:
        """Set the weight, and compute it from now on."""
        setattr(module, self.name, self.computed(module, False))
        self.handle = module.register_forward_pre_hook(self)
        return module

    def take_away(self, module: M) -> M:
        """Make a parameter of the weight as it is."""
        with no_grad():
            weight = self.computed(module, False).detach()
        self.handle.remove()
        for name in ("", *self.parts()):
            delattr(module, self.name + name)
        module.register_parameter(self.name, Parameter(weight))
        return module


def _found(owner: str, module: Module, name: str, kind: type) -> BeforeForward | None:
    for entry in module._forward_pre_hooks.values():
        if isinstance(entry.hook, kind) and getattr(entry.hook, "name", None) == name:
            hook: BeforeForward = entry.hook  # type: ignore[assignment]
            return hook
    return None


def _begun(owner: str, module: Module, name: str, kind: type) -> Parameter:
    """The parameter, which is taken out of the module."""
    weight = weight_of(owner, module, name)
    if _found(owner, module, name, kind):
        raise RuntimeError(f"{owner}: {name} of {type(module).__name__} has one already")
    if not isinstance(weight, Parameter):
        raise ValueError(f"{owner}: {name} of {type(module).__name__} is no parameter")
    return weight


class WeightNorm(BeforeForward):
    """``g * v / ‖v‖``."""

    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name)
        self.dim = dim

    def parts(self) -> tuple[str, ...]:
        return ("_g", "_v")

    def computed(self, module: Module, in_forward: bool) -> Tensor:
        g, v = (getattr(module, self.name + part) for part in self.parts())
        return v * (g / norm_except(v, self.dim))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """The older form of :func:`.parametrizations.weight_norm`: the parameters "weight_g" and
    "weight_v" take the place of "weight", which is computed before each forward."""
    weight = _begun("weight_norm", module, name, WeightNorm)
    hook = WeightNorm(name, -1 if dim is None else dim)
    length = norm_except(weight.detach(), hook.dim)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    return hook.put(module)


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make a parameter of the weight as it is."""
    hook = _found("remove_weight_norm", module, name, WeightNorm)
    if hook is None:
        raise ValueError(f"remove_weight_norm: {name} of {type(module).__name__} has none")
    return hook.take_away(module)


class SpectralNorm(BeforeForward):
    """A weight over its largest singular value."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        whole("spectral_norm", 1, n_power_iterations=n_power_iterations)
        number("spectral_norm", "eps", eps, 0)
        super().__init__(name)
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps

    def parts(self) -> tuple[str, ...]:
        return ("_orig", "_u", "_v")

    def computed(self, module: Module, in_forward: bool) -> Tensor:
        weight, u, v = (getattr(module, self.name + part) for part in self.parts())
        matrix = as_matrix(weight, self.dim)
        if in_forward and module.training:
            m, new_u, new_v = matrix.value, u.value, v.value
            for _ in range(self.n_power_iterations):
                new_v = unit(m.T @ new_u, self.eps)
                new_u = unit(m @ new_v, self.eps)
            overwrite(u, new_u, "spectral_norm")
            overwrite(v, new_v, "spectral_norm")
        fixed_u, fixed_v = Tensor(u.value.copy()), Tensor(v.value.copy())
        return weight / linalg.vecdot(fixed_u, matrix @ fixed_v)


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """The older form of :func:`.parametrizations.spectral_norm`: the parameter "weight_orig" and
    the buffers "weight_u" and "weight_v" take the place of "weight", which is computed before each
    forward."""
    weight = _begun("spectral_norm", module, name, SpectralNorm)
    hook = SpectralNorm(name, n_power_iterations, axis_of_outputs(module, dim), eps)
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", drawn_unit(weight, rows, eps))
    module.register_buffer(f"{name}_v", drawn_unit(weight, columns, eps))
    setattr(module, name, weight.detach())
    hook.handle = module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make a parameter of the weight as it is."""
    hook = _found("remove_spectral_norm", module, name, SpectralNorm)
    if hook is None:
        raise ValueError(f"remove_spectral_norm: {name} of {type(module).__name__} has none")
    return hook.take_away(module)
