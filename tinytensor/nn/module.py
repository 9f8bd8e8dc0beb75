"""Module: parameters, buffers and other modules under one roof, with a forward function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ..dtypes import _bfloat16, is_floating
from ..engine.hooks import RemovableHandle
from ..errors import a_kind_of
from ..ops.ways import WAYS, way_of
from ..tensors.namespace_info import target
from ..tensors.tensor import Tensor
from .calls import check_inputs, locate
from .module_hooks import ForwardHook, call_with_hooks, register
from .parameter import Parameter
from .states import EMPTY, Stateful, joined

__all__ = ["Module"]

T = TypeVar("T")
P = ParamSpec("P")
Out = TypeVar("Out", covariant=True)


class HasForward(Protocol[P, Out]):
    """A module, to type checkers: calling it takes and gives what ``forward`` does."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> Out: ...


# The files of the layers that have parameters, which PyTorch's make on a device and of a dtype. A
# layer elsewhere says ``parameters=True`` of itself.
_WITH_PARAMETERS = (
    "attention", "conv", "embedding", "lazy", "linear", "norm", "recurrent", "transformer",
)  # fmt: skip


def _made_of(init: Callable[..., None]) -> Callable[..., None]:
    """``init`` of a layer that takes PyTorch's ``device`` and ``dtype`` too."""

    @wraps(init)
    def make(self: Module, *args: Any, device: Any = None, dtype: Any = None, **more: Any) -> None:
        name = type(self).__name__
        dtype = target(name, (), dtype, device)
        if dtype is not None and not is_floating(dtype):
            raise TypeError(f"{name}: parameters can be of floating point, not {dtype}")
        try:
            init(self, *args, **more)
        except MemoryError as error:
            message = str(error)
            if message.startswith(f"{name}: "):
                raise
            raise MemoryError(f"{name}: {message.removeprefix('init: ')}") from error
        self.to(dtype=dtype)

    return make


class Module(Stateful):
    """The base class of layers and models.

    A subclass makes its parameters and layers in ``__init__`` and computes in ``forward``. An
    attribute that is a :class:`Parameter` or a Module is a parameter or a child under its name:
    there is no other register. A buffer, a tensor that is saved but not learned, is named by
    :meth:`register_buffer`.

    >>> import tinytensor as tt
    >>> class Scale(tt.nn.Module):
    ...     def __init__(self, size):
    ...         super().__init__()
    ...         self.factor = tt.nn.Parameter(tt.ones(size))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> [name for name, _ in Scale(3).named_parameters()]
    ['factor']
    """

    training: bool
    # A parameter of the layers whose inputs must have their floating dtype: promotion would make
    # all that follows float64, and slow, without a word.
    _dtype_of: str | None = None
    _integers: tuple[str, ...] = ()  # the arguments of forward that are none of these inputs
    # What a state_dict may lack, as PyTorch's of this layer once had no such thing.
    _newer: tuple[str, ...] = ()
    forward: Callable[..., Any]

    def __init_subclass__(cls, parameters: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        package, _, file = cls.__module__.rpartition(".")
        parameters |= package == __package__ and file in _WITH_PARAMETERS
        if parameters and "__init__" in vars(cls):
            cls.__init__ = _made_of(cls.__init__)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.__dict__.update(
            training=True,
            _buffers={},  # name: whether it is saved
            _forward_pre_hooks={},
            _forward_hooks={},
            _backward_pre_hooks={},
            _backward_hooks={},
            _hooked=False,
            _state_hooks={},
        )
        return self

    _buffers: dict[str, bool]
    _hooked: bool  # whether there was ever a hook: a call asks no more
    _checkpointed = False  # whether backward computes the forward pass again
    _holds_blocks = False  # whether checkpoint_blocks means its children
    _forward_pre_hooks: dict[int, ForwardHook]
    _forward_hooks: dict[int, ForwardHook]
    _backward_pre_hooks: dict[int, Callable[..., Any]]
    _backward_hooks: dict[int, Callable[..., Any]]

    def __setattr__(self, name: str, value: Any) -> None:
        if value is not None:
            current = self.__dict__.get(name)
            if isinstance(current, Parameter) and not isinstance(value, Parameter):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a Parameter: assign a Parameter or None, or"
                    " change its values (data, copy_)"
                )
            if name in self._buffers and not isinstance(value, Tensor):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a buffer: assign a Tensor or None, not"
                    f" {type(value).__name__}"
                )
        super().__setattr__(name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._hooked = self._checkpointed or bool(  # of older pickles, too
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            error = f"{type(self).__name__!r} object has no attribute {name!r}"
            way = f": {way_of('Module', name)}" if name in WAYS["Module"] else ""
            raise AttributeError(error + way, name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._buffers.pop(name, None)

    # --- Calling -----------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[no-redef]
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward function")

    if TYPE_CHECKING:

        def __call__(self: HasForward[P, Out], *args: P.args, **kwargs: P.kwargs) -> Out: ...

    else:

        def __call__(self, *args, **kwargs):
            try:
                if self._hooked:
                    return call_with_hooks(self, args, kwargs)
                if self._dtype_of is not None:
                    # One tensor, as most layers are given, is looked at here, without a call.
                    try:
                        fits = args[0].value.dtype is getattr(self, self._dtype_of).value.dtype
                    except (AttributeError, IndexError):
                        fits = False
                    if not fits or kwargs or len(args) > 1:
                        check_inputs(self, args, kwargs)
                return self.forward(*args, **kwargs)
            except Exception as error:
                locate(self, error, args)
                raise

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns, if not None, takes the
        place of the arguments. With ``with_kwargs``: ``hook(module, args, kwargs)``."""
        return register(self, self._forward_pre_hooks, ForwardHook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; what it returns, if not None,
        takes the place of the output. With ``with_kwargs``: ``hook(module, args, kwargs, output)``.
        With ``always_call`` it is called where forward raised an error too, with None or the output
        so far; what it raises itself is then only a warning.

        >>> import tinytensor as tt
        >>> layer = tt.nn.ReLU()
        >>> with layer.register_forward_hook(lambda module, args, out: print(out)):
        ...     y = layer(tt.tensor([-1.0, 2.0]))
        tensor([0., 2.])
        """
        entry = ForwardHook(hook, with_kwargs, always_call)
        return register(self, self._forward_hooks, entry, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in backward, with tuples of the gradients
        of the positional inputs and of the outputs (a tensor or a tuple of tensors), None where
        there is no gradient. What it returns, if not None, takes the place of ``grad_input``."""
        return register(self, self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` in backward, before anything of the module: what it
        returns, if not None, takes the place of the gradients of the outputs."""
        return register(self, self._backward_pre_hooks, hook, prepend)

    # --- Parts -------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set the attribute ``name`` to a parameter, or to None where there is none."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name!r} is {a_kind_of(param)}")
        setattr(self, self._free(name, "register_parameter"), param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set the attribute ``name`` to a tensor that belongs to the module's state but is not
        learned. Only a ``persistent`` one is in the ``state_dict``."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: {name!r} is {a_kind_of(tensor)}, not a Tensor")
        if name not in self._buffers:
            self._free(name, "register_buffer")
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    def add_module(self, name: str, module: Module | None) -> None:
        """Set the attribute ``name`` to a child."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"add_module: {name!r} is {a_kind_of(module)}, not a Module")
        if not isinstance(getattr(self, name, None), Module):
            self._free(name, "add_module")
        setattr(self, name, module)

    register_module = add_module

    def _free(self, name: str, caller: str) -> str:
        """``name``, after checking that a part may be called so."""
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{caller}: a name is a string without '.', not {name!r}")
        if getattr(self, name, None) is not None:
            raise KeyError(f"{caller}: {type(self).__name__} has an attribute {name!r}")
        return name

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly in this one, each once."""
        seen: set[int] = set()
        for name, value in vars(self).items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules directly in this one, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, under dotted names, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, value in list(vars(self).items()):
            if isinstance(value, Module):
                yield from value.named_modules(memo, joined(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and of those below it, under dotted names, each once."""

        def own(module: Module) -> Iterator[tuple[str, Parameter]]:
            return ((k, v) for k, v in vars(module).items() if isinstance(v, Parameter))

        return self._named_parts(own, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and of those below it: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers of this module and of those below it, under dotted names, each once."""

        def own(module: Module) -> Iterator[tuple[str, Tensor]]:
            named = ((name, getattr(module, name)) for name in module._buffers)
            return ((name, buffer) for name, buffer in named if buffer is not None)

        return self._named_parts(own, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and of those below it."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_parts(
        self,
        own: Callable[[Module], Iterable[tuple[str, T]]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, T]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, part in own(module):
                if not remove_duplicate or id(part) not in seen:
                    seen.add(id(part))
                    yield joined(path, name), part

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name, such as ``"layers.0.linear"``; ``""`` is this module."""
        module: Module = self
        for name in target.split(".") if target else []:
            child = vars(module).get(name)
            if not isinstance(child, Module):
                raise AttributeError(
                    f"get_submodule: {target!r}: {type(module).__name__} has no module {name!r}"
                )
            module = child
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` in the place of a dotted name, such as ``"layers.0.linear"``. Only with
        ``strict`` there must be one.

        >>> import tinytensor as tt
        >>> net = tt.nn.Sequential(tt.nn.Linear(2, 3), tt.nn.ReLU())
        >>> net.set_submodule("1", tt.nn.Tanh())
        >>> net[1]
        Tanh()
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError(f"set_submodule: {target!r} is no name of a module")
        if not isinstance(module, Module):
            raise TypeError(f"set_submodule: {target!r} is {a_kind_of(module)}, not a Module")
        parent = self.get_submodule(path)
        current = vars(parent).get(name)
        if not isinstance(current, Module) and (strict or hasattr(parent, name)):
            raise AttributeError(
                f"set_submodule: {target!r}: {type(parent).__name__} has no module {name!r}"
            )
        setattr(parent, name, module)

    @property
    def _parameters(self) -> Mapping[str, Parameter]:
        """The parameters directly in this module, to read."""
        return MappingProxyType({k: v for k, v in vars(self).items() if isinstance(v, Parameter)})

    @property
    def _modules(self) -> Mapping[str, Module]:
        """The modules directly in this one, to read."""
        return MappingProxyType({k: v for k, v in vars(self).items() if isinstance(v, Module)})

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name, such as ``"layers.0.weight"``."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        parameter = vars(module).get(name)
        if not isinstance(parameter, Parameter):
            raise AttributeError(
                f"get_parameter: {target!r}: {type(module).__name__} has no parameter {name!r}"
            )
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name, such as ``"layers.0.running_mean"``."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module._buffers:
            raise AttributeError(
                f"get_buffer: {target!r}: {type(module).__name__} has no buffer {name!r}"
            )
        return getattr(module, name)

    # --- Modes -------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module below this one, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` here and below: what dropout and batch norm go by."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter: False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def checkpoint_blocks(self, mode: bool = True) -> Self:
        """Let each block, a module of a ``ModuleList`` here or below, keep its inputs alone for the
        backward pass, which computes the block again: about a third more time, and the memory of
        one block at a time. ``mode`` False takes that back. See :func:`tinytensor.func.checkpoint`.

        >>> import tinytensor as tt
        >>> model = tt.models.GPT(tt.models.GPTConfig(n_layer=2, n_embd=32)).checkpoint_blocks()
        """
        blocks = self._blocks()
        if not blocks:
            raise ValueError(f"{type(self).__name__}: there is no ModuleList of blocks in it")
        for block in blocks:
            block._checkpointed = bool(mode)
            block._hooked = block._hooked or block._checkpointed
        return self

    def _blocks(self) -> list[Module]:
        """The modules of the lists here and below, but none of another such module's own lists."""
        if self._holds_blocks:
            return [*self.children()]
        return [block for child in self.children() for block in child._blocks()]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or overwrite them by zeros."""
        zero_grad(self.parameters(), set_to_none)

    def to(
        self,
        *args: Any,
        dtype: npt.DTypeLike | None = None,
        device: Any = None,
        non_blocking: bool = False,
    ) -> Self:
        """Cast parameters, their gradients, and buffers of floating point to a dtype, or to that of
        a tensor. The only device is "cpu", where they are."""
        dtype = target("to", args, dtype, device)
        if dtype is None:
            return self
        if not is_floating(dtype):
            raise TypeError(f"to: parameters can be of floating point, not {dtype}")
        for tensor in (*self.parameters(), *self.buffers()):
            if is_floating(tensor.dtype) and tensor.dtype != dtype:
                tensor.data = tensor.value.astype(dtype)
                if tensor.grad is not None:
                    tensor.grad.data = tensor.grad.value.astype(dtype)
        return self

    def float(self) -> Self:
        """``to("float32")``."""
        return self.to(np.float32)

    def double(self) -> Self:
        """``to("float64")``: for checks of gradients."""
        return self.to(np.float64)

    def half(self) -> Self:
        """``to("float16")``: stored so, computed in float32."""
        return self.to(np.float16)

    def bfloat16(self) -> Self:
        """``to(tt.bfloat16)``: stored so, computed in float32."""
        return self.to(_bfloat16())

    def type(self, dst_type: npt.DTypeLike) -> Self:
        """``to(dst_type)``."""
        return self.to(dst_type)

    def to_empty(self, *, device: Any = None, recurse: bool = True) -> Self:
        """Give parameters and buffers new memory, whose values are undefined."""
        target("to_empty", (), None, device)
        for tensor in (*self.parameters(recurse), *self.buffers(recurse)):
            if not isinstance(tensor, EMPTY):
                tensor.data = np.empty_like(tensor.value)
        return self

    def cpu(self) -> Self:
        """This module, which is on the only device."""
        return self

    # --- Representation ----------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands in the representation besides the children: a layer's settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(value).replace("\n", "\n  ")
            for name, value in vars(self).items()
            if isinstance(value, Module)
        ]
        if not children and len(lines) < 2:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines + children) + "\n)"


def zero_grad(parameters: Iterable[Tensor], set_to_none: bool) -> None:
    """Set every ``grad`` to None, or overwrite it by zeros."""
    for parameter in parameters:
        if set_to_none or parameter.grad is None:
            parameter.grad = None
        elif parameter.grad.requires_grad:
            parameter.grad = Tensor(np.zeros_like(parameter.grad.value))
        else:
            parameter.grad.zero_()
