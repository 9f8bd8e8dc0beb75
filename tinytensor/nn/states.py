"""Stateful: what a module saves and loads, and the hooks around that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..dtypes import same_kind
from ..engine.hooks import RemovableHandle
from ..errors import ShapeError, a_kind_of
from ..tensors.tensor import Tensor
from .loading import array_of, contradictions, overwrite, read_only
from .module_hooks import added
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Stateful"]


class IncompatibleKeys(NamedTuple):
    """What :meth:`Module.load_state_dict` did not find, and what it had no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


EXTRA = "_extra_state"
EMPTY = (UninitializedParameter, UninitializedBuffer)


class Stateful:
    """The part of a module that is its state."""

    _buffers: dict[str, bool]
    _state_hooks: dict[str, dict[int, Callable[..., Any]]]  # by when they are called

    def named_modules(
        self, memo: Any = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """This module and all below it, under dotted names."""
        raise NotImplementedError

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers directly in this module."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield name, value
        for name, persistent in self._buffers.items():
            if persistent and getattr(self, name) is not None:
                yield name, getattr(self, name)

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and persistent buffers as they are, under each of their names."""
        for path, module in self.named_modules(remove_duplicate=False):
            for name, value in module._own_state():
                yield joined(path, name), value

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by dotted name; they share the memory. They are
        detached, unless ``keep_vars``. With a ``destination`` they are put into this dict.

        The names, shapes and layouts are PyTorch's. What ``get_extra_state`` returns, where a
        module defines it, stands under "_extra_state".

        >>> import tinytensor as tt
        >>> list(tt.nn.BatchNorm1d(3).state_dict())
        ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
        """
        found = {} if destination is None else destination
        for hook in self._hooks_of("state_dict_pre"):
            hook(self, prefix, keep_vars)
        for name, tensor in self._own_state():
            found[prefix + name] = tensor if keep_vars else tensor.detach()
        if _defines(self, "get_extra_state"):
            found[prefix + EXTRA] = self.get_extra_state()
        for name, child in list(vars(self).items()):
            if isinstance(child, Stateful):
                child.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("state_dict_post"):
            if hook(self, found, prefix, {}) is not None:
                raise RuntimeError("state_dict: a post-hook changes the dict, and returns None")
        return found

    def get_extra_state(self) -> Any:
        """What a subclass wants in its ``state_dict`` beside tensors; it defines
        ``set_extra_state`` too."""
        raise RuntimeError(f"{type(self).__name__} defines no get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take over what ``get_extra_state`` returned, in ``load_state_dict``."""
        raise RuntimeError(f"{type(self).__name__} defines no set_extra_state")

    def _hooks_of(self, when: str) -> list[Callable[..., Any]]:
        return list(self._state_hooks[when].values()) if when in self._state_hooks else []

    def _add_state_hook(self, when: str, hook: Callable[..., Any]) -> RemovableHandle:
        return added(self._state_hooks.setdefault(when, {}), hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before each :meth:`state_dict`."""
        return self._add_state_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after each; it may change the
        dict, in which this module's names begin with ``prefix``. There is no metadata: {}."""
        return self._add_state_hook("state_dict_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` before each is loaded, with a copy of the dict that it may
        change, and empty lists. What it appends to ``error_msgs`` is an error."""
        return self._add_state_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after each was loaded. It may take keys out of
        the two lists, which otherwise, if it was strict, are an error afterwards."""
        return self._add_state_hook("load_post", hook)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Overwrite parameters and persistent buffers by the arrays of ``state_dict``, in place.
        With ``assign`` they take over memory and dtype of those instead.

        The values may be tensors, ndarrays, or whatever else NumPy can read (CPU tensors of
        PyTorch). Unless ``strict``, missing and unexpected keys are no error, but returned. If
        there is any error nothing has been changed: KeyError for keys, ShapeError for shapes,
        TypeError for dtypes, ValueError for memory that is read-only, or that tensors share which
        are given different values.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: {a_kind_of(state_dict)} is no state_dict")
        named = list(self.named_modules(remove_duplicate=False))
        versions = getattr(state_dict, "_metadata", {})  # of a state_dict of PyTorch's
        failed: list[str] = []
        hooked = False
        for path, module in named:
            for hook in module._hooks_of("load_pre"):
                state_dict = state_dict if hooked else dict(state_dict)
                hooked = True
                hook(
                    module,
                    state_dict,
                    joined(path, ""),
                    versions.get(path, {}),
                    strict,
                    [],
                    [],
                    failed,
                )
        afterwards = [(m, hook) for _, m in named for hook in m._hooks_of("load_post")]
        extra = {joined(path, EXTRA): m for path, m in named if _defines(m, "set_extra_state")}
        own = dict(self._named_state())
        grown: dict[Stateful, Stateful] = {}  # lazy layers, and what they become by these arrays
        for path, module in self.named_modules(remove_duplicate=False):
            made = grown[module] if module in grown else module._expected(path, state_dict)
            if made is not None:
                grown[module] = made
                parts = ((joined(path, name), part) for name, part in made._named_state())
                own.update((name, part) for name, part in parts if isinstance(own[name], EMPTY))
        missing = [name for name in (*own, *extra) if name not in state_dict]
        if missing:
            older = {
                joined(path, name)
                for path, module in named
                if versions.get(path, {}).get("version", 1) < 2
                for name in module._newer
            }
            missing = [name for name in missing if name not in older]
        unexpected = [name for name in state_dict if name not in own and name not in extra]
        shared = [name for name in own if name in state_dict]
        emptied = [
            name
            for name in shared
            if isinstance(state_dict[name], EMPTY) and not isinstance(own[name], EMPTY)
        ]
        arrays = {
            name: array_of(name, state_dict[name])
            for name in shared
            if not isinstance(state_dict[name], EMPTY)
        }
        misshapen = [
            f"{name} is {array.shape}, but the module's is {own[name].shape}"
            if not isinstance(own[name], EMPTY)
            else f"{name} is {array.shape}, which leads to no shape for a lazy layer"
            for name, array in arrays.items()
            if isinstance(own[name], EMPTY) or array.shape != own[name].shape
        ]
        uncastable = [
            f"{name} is {array.dtype}, but the module's is {own[name].dtype}"
            for name, array in arrays.items()
            if not same_kind(array.dtype, own[name].dtype)
        ]
        locked = [] if misshapen or assign else read_only({name: own[name] for name in arrays})
        torn = [] if misshapen or uncastable else contradictions(own, arrays)
        complaints = [
            f"  {what}: {', '.join(map(str, names))}"
            for what, names in (
                ("told by a hook", failed),
                ("missing", missing if strict and not afterwards else []),
                ("unexpected", unexpected if strict and not afterwards else []),
                ("wrong shape", misshapen),
                ("wrong dtype", uncastable),
                ("saved before a lazy layer knew its shape", emptied),
                ("read-only memory", locked),
                ("different values for one memory", torn),
            )
            if names
        ]
        if complaints:
            kind: type[Exception] = ShapeError if misshapen else TypeError
            if not misshapen and not uncastable:
                other = locked or torn or emptied or failed
                kind = ValueError if other else StateDictKeyError
            raise kind(
                "\n".join([f"load_state_dict: {type(self).__name__} cannot take it:", *complaints])
            )
        if assign:
            for name, array in arrays.items():
                own[name].data = array
        else:
            overwrite(own, arrays, "load_state_dict")
        for module, made in grown.items():
            module._become(made)
        for name, module in extra.items():
            if name in state_dict:
                module.set_extra_state(state_dict[name])
        keys = IncompatibleKeys(missing, unexpected)
        for module, hook in afterwards:
            if hook(module, keys) is not None:
                raise RuntimeError("load_state_dict: a post-hook changes the keys, returning None")
        if strict and afterwards and (missing or unexpected):
            raise StateDictKeyError(
                f"load_state_dict: {type(self).__name__} took what fits: missing: {missing},"
                f" unexpected: {unexpected}"
            )
        return keys

    def _expected(self, path: str, state: Mapping[str, Any]) -> Any:
        """What a lazy layer that has the name ``path`` becomes by the arrays of a state_dict."""
        return None

    def _become(self, made: Any) -> None:
        """Be what :meth:`_expected` returned."""
        raise NotImplementedError


class StateDictKeyError(KeyError):
    """Keys of a ``state_dict`` that a module misses or does not know."""

    def __str__(self) -> str:  # a KeyError would show its message's repr
        return str(self.args[0])


def _defines(module: Stateful, method: str) -> bool:
    """Whether a subclass has a method of its own."""
    return getattr(type(module), method) is not getattr(Stateful, method)


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
