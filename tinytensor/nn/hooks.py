"""Hooks of modules: how one is taken away, and the gates at which full backward hooks stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine import version_of
from ..operation import MANY, Op
from ..tensor import Tensor

Gradients = tuple[Tensor | None, ...]


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away. Also a context."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self.hooks = hooks
        self.key = key

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self.hooks.pop(self.key, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class BackwardGates:
    """Two identity ops around one call of a module, so that the gradients of all its inputs, and
    of all its outputs, pass one place.

    ``fire(grad_input, grad_output)`` is called when the former are known; what it returns, if not
    None, takes their place.
    """

    def __init__(self, fire: Callable[[Gradients, Gradients], Gradients | None]) -> None:
        self.fire = fire
        self.grad_output: Gradients = ()
        self.inputs_tracked = False

    def around_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        def on_backward(g: Gradients) -> Gradients:
            grad_input = tuple(g[places.index(i)] if i in places else None for i in range(count))
            replaced = self.fire(grad_input, self.grad_output) or grad_input
            return tuple(replaced[i] for i in places)

        count = len(args)
        places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad]
        self.inputs_tracked = bool(places)
        passed = list(args)
        for i, tensor in zip(places, _gate([args[i] for i in places], on_backward), strict=True):
            passed[i] = tensor
        return tuple(passed)

    def around_outputs(self, output: Any) -> Any:
        def on_backward(g: Gradients) -> Gradients:
            self.grad_output = g
            if not self.inputs_tracked:
                self.fire((None,), g)
            return g

        passed = list(output) if isinstance(output, tuple) else [output]
        places = [i for i, item in enumerate(passed) if isinstance(item, Tensor)]
        if not any(passed[i].requires_grad for i in places):
            return output
        for i, tensor in zip(places, _gate([passed[i] for i in places], on_backward), strict=True):
            passed[i] = tensor
        return tuple(passed) if isinstance(output, tuple) else passed[0]


def _gate(tensors: list[Tensor], on_backward: Callable[[Gradients], Gradients]) -> list[Tensor]:
    """The same values behind one node, whose rule is ``on_backward``."""

    def backward_hook_gate(tensors: list[Any]) -> list[Any]:
        return tensors

    gate = Op(backward_hook_gate, outputs=MANY, view=True, variadic=True, family=Tensor)
    gate.grad(tensors=lambda g: on_backward(tuple(g)))
    passed = list(gate(tensors)) if tensors else []
    for tensor, original in zip(passed, tensors, strict=True):
        tensor.version = version_of(original)
    return passed
