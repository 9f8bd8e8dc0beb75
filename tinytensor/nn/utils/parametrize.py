"""Parameters that are computed: a module's tensor as a function of others, which are learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ...engine.grad_mode import no_grad
from ...errors import DtypeError, ShapeError, a_kind_of
from ...tensors.tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

# What was computed within cached(), by module and name; the modules are held, so that no other
# takes the identity of one.
_computed: ContextVar[dict[tuple[int, str], tuple[Module, Tensor]] | None] = ContextVar(
    "computed", default=None
)


@contextmanager
def cached() -> Iterator[None]:
    """Within, each parametrized tensor is computed once, and then the same."""
    if _computed.get() is not None:
        yield
        return
    token = _computed.set({})
    try:
        yield
    finally:
        _computed.reset(token)


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and what they are computed from: "original", or
    "original0", "original1" … where ``right_inverse`` returns several."""

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList: there are no parametrizations")
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            begin: Any = original.detach()
            for module in reversed(list(self)):
                begin = _inverse(module, begin)
        self.is_tensor = isinstance(begin, Tensor)
        self.ntensors = 1 if self.is_tensor else len(_tensors(begin))
        if self.is_tensor:
            if begin.dtype != original.dtype:
                raise DtypeError(
                    f"right_inverse: returned {begin.dtype} for a tensor of {original.dtype}"
                )
            if begin.value is not original.value:
                original.data = np.array(begin.value)
            self._register("original", original)
        else:
            for i, tensor in enumerate(_tensors(begin)):
                made = Tensor(np.array(tensor.value))
                if isinstance(original, Parameter):
                    made = Parameter(made, original.requires_grad)
                self._register(f"original{i}", made)

    def _register(self, name: str, tensor: Tensor) -> None:
        if isinstance(tensor, Parameter):
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor)

    @property
    def originals(self) -> list[Tensor]:
        """What is learned."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Overwrite what is learned so that ``value`` is what is computed."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"{type(module).__name__} has no right_inverse: what it computes cannot be"
                        " assigned"
                    )
                value = module.right_inverse(value)
        given = [value] if self.is_tensor else _tensors(value)
        if len(given) != self.ntensors or not isinstance(given[0], Tensor):
            raise ValueError(
                f"right_inverse: returned {a_kind_of(value)}, not {self.ntensors} tensors"
            )
        for own, new in zip(self.originals, given, strict=True):
            if own.dtype != new.dtype:
                raise DtypeError(f"right_inverse: returned {new.dtype} for a {own.dtype}")
        for own, new in zip(self.originals, given, strict=True):
            own.data = np.array(new.value)

    def forward(self) -> Tensor:
        first, *others = list(self)
        x = first(*self.originals)
        for module in others:
            x = module(x)
        return x


def _inverse(module: Module, value: Any) -> Any:
    """By ``right_inverse``, if there is one."""
    if not hasattr(module, "right_inverse"):
        return value
    try:
        return module.right_inverse(value)
    except NotImplementedError:
        return value


def _tensors(values: Any) -> list[Tensor]:
    if not isinstance(values, list | tuple) or not all(isinstance(v, Tensor) for v in values):
        raise ValueError(
            f"right_inverse: must return a tensor, or a tuple of tensors, not {a_kind_of(values)}"
        )
    return list(values)


def _check(name: str, what: Any, like: Tensor) -> None:
    """Refuse what is computed if it cannot stand for the tensor that was there."""
    if not isinstance(what, Tensor):
        raise ValueError(f"{name}: a parametrization returned {a_kind_of(what)}, not a tensor")
    if what.dtype != like.dtype:
        raise DtypeError(
            f"{name}: a parametrization returned {what.dtype} for a {like.dtype}, which unsafe=True"
            " allows"
        )
    if what.shape != like.shape:
        raise ShapeError(
            f"{name}: a parametrization returned {what.shape} for a tensor of {like.shape}, which"
            " unsafe=True allows"
        )


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make ``module.tensor_name`` what ``parametrization`` computes from it: a parameter or buffer
    X becomes ``parametrization(X)`` at every use, and X itself is learned, under
    ``parametrizations.tensor_name.original``. One more applies to what the first computes.

    With a method ``right_inverse``, the tensor begins as it was, and can be assigned. What is
    computed must have dtype and shape of the tensor, unless ``unsafe``. The module's class becomes
    a subclass of its own, with a property.

    >>> import tinytensor as tt
    >>> class Symmetric(tt.nn.Module):
    ...     def forward(self, x):
    ...         return x.tril() + x.tril(-1).mT
    >>> layer = tt.nn.Linear(3, 3)
    >>> _ = tt.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.mT).all())
    True
    >>> list(layer.state_dict())
    ['bias', 'parametrizations.weight.original']
    """
    name = f"register_parametrization: {tensor_name}"
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        known = _parametrizations(module)[tensor_name]
        if not unsafe:
            with no_grad():
                before = getattr(module, tensor_name)
                after = parametrization(before)
                _check(name, after, before)
                _check(f"{name}: right_inverse", _inverse(parametrization, after), before)
        known.append(parametrization)
        known.unsafe |= unsafe
        return module
    original = vars(module).get(tensor_name)
    if not isinstance(original, Parameter) and tensor_name not in module._buffers:
        raise ValueError(f"{name}: {type(module).__name__} has no such parameter or buffer")
    if original is None:
        raise ValueError(f"{name} is None")
    array, persistent = original.value, module._buffers.get(tensor_name, True)
    made = ParametrizationList([parametrization], original, unsafe)
    if not unsafe:
        try:
            with no_grad():
                _check(name, made(), Tensor(array))
        except BaseException:
            original.data = array
            raise
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = _parametrized(type(module))
        module.add_module("parametrizations", ModuleDict())
    made._buffers.update(dict.fromkeys(made._buffers, persistent))
    setattr(type(module), tensor_name, _property(tensor_name))
    _parametrizations(module)[tensor_name] = made
    return module


def _parametrized(cls: type) -> type:
    """A class for one module of ``cls``, which copy and pickle make anew."""

    def reduced(self: Any, protocol: int) -> Any:
        return _remade, (cls, tuple(self.parametrizations)), dict(vars(self))

    # The dtype of what is computed is asked for by no call: it would be computed twice.
    body = {"_dtype_of": None, "__module__": cls.__module__, "__reduce_ex__": reduced}
    return type(f"Parametrized{cls.__name__}", (cls,), body)


def _remade(cls: type, names: tuple[str, ...]) -> Any:
    """A module of a class of its own, which is yet to be given its state."""
    made = _parametrized(cls)
    for name in names:
        setattr(made, name, _property(name))
    return Module.__new__(made)


def _property(name: str) -> property:
    """The tensor that is computed under this name."""

    def get(self: Any) -> Tensor:
        known = _computed.get()
        if known is not None and (id(self), name) in known:
            return known[id(self), name][1]
        try:
            made: Tensor = self.parametrizations[name]()
        except AttributeError as error:  # or Python would say that there is no such attribute
            raise RuntimeError(f"{name}: its parametrization failed: {error}") from error
        if known is not None:
            known[id(self), name] = (self, made)
        return made

    def assign(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, assign)


def _parametrizations(module: Any) -> dict[str, ParametrizationList]:
    """The lists by the names of their tensors: a ModuleDict."""
    return module.parametrizations


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this tensor, or any one, of a module is computed."""
    known = vars(module).get("parametrizations")
    if not isinstance(known, ModuleDict):
        return False
    return len(known) > 0 if tensor_name is None else tensor_name in known


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make what was computed a parameter or buffer again: of the value that it has, or with
    ``leave_parametrized=False`` what it was computed from."""
    name = f"remove_parametrizations: {tensor_name}"
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{name} of {type(module).__name__} is not parametrized")
    known = _parametrizations(module)[tensor_name]
    if not leave_parametrized and not known.is_tensor:
        raise ValueError(
            f"{name} is computed from {known.ntensors} tensors; none can take its place"
        )
    first = known.originals[0]
    if leave_parametrized:
        with no_grad():
            value = np.array(getattr(module, tensor_name).value)
        if known.is_tensor:
            first.data = value
        elif isinstance(first, Parameter):
            first = Parameter(Tensor(value), any(each.requires_grad for each in known.originals))
        else:
            first = Tensor(value)
    persistent = all(known._buffers.values())
    delattr(type(module), tensor_name)
    del _parametrizations(module)[tensor_name]
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, first)
    else:
        module.register_buffer(tensor_name, first, persistent)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give ``to_module`` the parametrizations of one tensor, or of all, and what these are computed
    from; and one that is not parametrized as a parameter."""
    if tensor_name is not None and not is_parametrized(from_module, tensor_name):
        setattr(to_module, tensor_name, getattr(from_module, tensor_name))
        return to_module
    known = _parametrizations(from_module) if is_parametrized(from_module) else {}
    for name in [*known] if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            value = getattr(from_module, name).detach()
            to_module.register_parameter(name, Parameter(Tensor(np.array(value.value))))
        for parametrization in known[name]:
            register_parametrization(to_module, name, parametrization, unsafe=known[name].unsafe)
        names = [key for key, _ in known[name]._own_state()]
        for key in names:
            setattr(_parametrizations(to_module)[name], key, getattr(known[name], key))
    return to_module
