"""Hooks of modules: a call with them, and the gates at which those of backward stand."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from ..engine.hooks import RemovableHandle
from ..errors import ShapeError, a_kind_of
from ..tensors.function import Function
from ..tensors.tensor import Tensor
from .calls import check_inputs, place_in

Gradients = tuple[Tensor | None, ...]


class ForwardHook(NamedTuple):
    """A hook around forward, and how it wants to be called."""

    hook: Callable[..., Any]
    with_kwargs: bool
    always_call: bool = False

    def __call__(self, module: Any, args: Any, kwargs: Any, *output: Any) -> Any:
        given = (args, kwargs) if self.with_kwargs else (args,)
        return self.hook(module, *given, *output)


_keys = count()  # one for each hook, whichever threads add them


def added(hooks: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Add ``hook`` behind the others, or before them."""
    key = next(key for key in _keys if key not in hooks)  # a pickle has some of its own
    hooks[key] = hook
    if prepend:
        others = [item for item in hooks.items() if item[0] != key]
        hooks.clear()
        hooks.update([(key, hook), *others])
    return RemovableHandle(lambda: hooks.pop(key, None))


def register(module: Any, hooks: dict[int, Any], hook: Any, prepend: bool) -> RemovableHandle:
    """Add a hook of the calls of ``module``."""
    module._hooked = True
    return added(hooks, hook, prepend)


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward(*args, **kwargs)`` between the module's hooks."""
    waiting = list(module._forward_hooks.values())
    output = None
    try:
        for before in list(module._forward_pre_hooks.values()):
            args, kwargs = _changed(module, before, args, kwargs)
        gates = None
        if module._backward_pre_hooks or module._backward_hooks:
            gates = BackwardGates(module)
            args = gates.around_inputs(args)
        if module._dtype_of is not None:
            check_inputs(module, args, kwargs)
        output = _forward(module, args, kwargs)
        while waiting:
            changed = waiting.pop(0)(module, args, kwargs, output)
            output = output if changed is None else changed
    except Exception:
        for after in waiting:
            if after.always_call:
                _call_quietly(after, module, args, kwargs, output)
        raise
    return output if gates is None else gates.around_outputs(output)


def _forward(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not module._checkpointed:
        return module.forward(*args, **kwargs)
    from ..func.checkpointing import run

    return run(partial(module.forward, *args, **kwargs), (args, kwargs))


def _changed(
    module: Any, before: ForwardHook, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, or what a pre-hook returned in their place."""
    changed = before(module, args, kwargs)
    if changed is None:
        return args, kwargs
    if not before.with_kwargs:
        return changed if isinstance(changed, tuple) else (changed,), kwargs
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise TypeError(
            f"{type(module).__name__}: a forward pre-hook with_kwargs must return None or"
            f" (args, kwargs), not {changed!r}"
        )
    return changed


def _call_quietly(after: ForwardHook, module: Any, *given: Any) -> None:
    """Call a hook for a forward that has failed already, whose error is the one to be seen."""
    try:
        after(module, *given)
    except Exception as error:
        name = type(module).__name__
        warnings.warn(f"{name}: a forward hook failed too: {error!r}", stacklevel=4)


class BackwardGates:
    """Two gates around one call of a module, so that the gradients of all its inputs, and of all
    its outputs, pass one place each: there its backward hooks are called."""

    def __init__(self, module: Any) -> None:
        self.module, self.outermost = module, outermost_call(module)
        self.grad_output: Gradients = ()
        self.inputs_tracked = False

    def around_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        def on_backward(g: Gradients) -> Gradients:
            grad_input = tuple(g[places.index(i)] if i in places else None for i in range(count))
            replaced = self.run_hooks(grad_input)
            return tuple(replaced[i] for i in places)

        count = len(args)
        places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad]
        self.inputs_tracked = bool(places)
        return through_gate(args, places, on_backward)

    def around_outputs(self, output: Any) -> Any:
        def on_backward(g: Gradients) -> Gradients:
            self.grad_output = g
            for hook in list(self.module._backward_pre_hooks.values()):
                self.grad_output = self.replaced(hook, (self.grad_output,), "grad_output")
            if not self.inputs_tracked:
                self.run_hooks((None,))
            return self.grad_output

        passed = output if isinstance(output, tuple) else (output,)
        places = [i for i, item in enumerate(passed) if isinstance(item, Tensor)]
        if not any(passed[i].requires_grad for i in places):
            return output
        passed = through_gate(passed, places, on_backward)
        return passed if isinstance(output, tuple) else passed[0]

    def run_hooks(self, grad_input: Gradients) -> Gradients:
        for hook in list(self.module._backward_hooks.values()):
            grad_input = self.replaced(hook, (grad_input, self.grad_output), "grad_input")
        return grad_input

    def replaced(
        self, hook: Callable[..., Any], gradients: tuple[Gradients, ...], what: str
    ) -> Gradients:
        """The first of the gradients, or what the hook returned in their place. Its error says of
        which layer it is."""
        try:
            changed = hook(self.module, *gradients)
            return gradients[0] if changed is None else _checked(changed, gradients[0], what)
        except Exception as error:
            error.add_note(f"(in a backward hook of {place_in(self.outermost(), self.module)})")
            raise


def outermost_call(module: Any) -> Callable[[], Any]:
    """A weak reference to the module whose call has led to that of ``module``."""
    code, frame = type(module).__call__.__code__, sys._getframe()
    found = module
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code is code:
            found = frame.f_locals["self"]
    return weakref.ref(found)


def _checked(changed: Any, gradients: Gradients, what: str) -> Gradients:
    """What a hook returned in the place of gradients, of which ``what`` is the name."""
    changed = changed if isinstance(changed, tuple) else (changed,)
    if len(changed) != len(gradients):
        raise ValueError(
            f"a backward hook returned {len(changed)} gradients in the place of {len(gradients)} of"
            f" {what}"
        )
    for i, (new, old) in enumerate(zip(changed, gradients, strict=True)):
        if new is not None and not isinstance(new, Tensor):
            raise TypeError(f"a backward hook returned {a_kind_of(new)} for {what}[{i}], no tensor")
        if new is not None and old is not None and new.shape != old.shape:
            raise ShapeError(
                f"a backward hook returned a gradient {new.shape} for {what}[{i}], which is"
                f" {old.shape}"
            )
    return changed


class backward_hooks(Function):  # by this name in graphs and errors
    """The same tensors, whose gradients pass ``on_backward`` together."""

    @staticmethod
    def forward(ctx: Any, on_backward: Callable[[Gradients], Gradients], *tensors: Tensor) -> Any:
        ctx.on_backward = on_backward
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return (None, *ctx.on_backward(gradients))


def through_gate(
    values: tuple[Any, ...], places: list[int], on_backward: Callable[[Gradients], Gradients]
) -> tuple[Any, ...]:
    """The values, those at ``places`` behind one gate. A named tuple stays one."""
    if not places:
        return values
    passed = list(values)
    gated = backward_hooks.apply(on_backward, *[values[i] for i in places])
    for i, tensor in zip(places, gated, strict=True):
        passed[i] = tensor
    return values._make(passed) if hasattr(values, "_make") else tuple(passed)
