"""The gradient of a function: grad and value_and_grad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine import edge
from ..engine import grad as gradients_of
from ..grad_mode import enable_grad, is_grad_enabled
from ..operation import alias
from ..tensor import Tensor

__all__ = ["grad", "value_and_grad"]

Function = Callable[..., Any]


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns ``function(*args)``, a single number, and its gradient.

    The gradient is by the positional argument ``argnums``, or a tuple of gradients by several. It
    is recorded in turn where the value depends on anything that wants a gradient, so
    ``grad(grad(f))`` is the second derivative.
    """
    several = not isinstance(argnums, int)
    wanted: Sequence[int] = argnums if not isinstance(argnums, int) else (argnums,)

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        inputs = list(args)
        outer = False  # whether to record the gradient
        with enable_grad():
            for i in wanted:
                x = inputs[i]
                if not isinstance(x, Tensor):
                    x = Tensor(x)
                outer = outer or x.requires_grad
                # A node of its own: the inner derivative stops here, the outer one goes through.
                inputs[i] = alias(x) if x.requires_grad else x.detach().requires_grad_()
            value = function(*inputs, **kwargs)
        if not isinstance(value, Tensor):
            raise TypeError(f"grad: the function must return a tensor, not {value!r}")
        variables = [inputs[i] for i in wanted]
        outer = is_grad_enabled() and (outer or _needs_others(value, variables))
        found: Sequence[Any] = [None] * len(wanted)
        if value.requires_grad:  # else it depends on no input, and the gradients are zeros
            found = gradients_of(value, variables, create_graph=outer, allow_unused=True)
        gradients = tuple(
            Tensor(np.zeros_like(inputs[i].value)) if g is None else g
            for i, g in zip(wanted, found, strict=True)
        )
        return value if outer else value.detach(), gradients if several else gradients[0]

    return value_and_gradient


def _needs_others(value: Tensor, variables: Sequence[Tensor]) -> bool:
    """Whether a gradient of ``value`` would flow to any leaf beside ``variables``."""
    seen = {edge(variable) for variable in variables}
    waiting = [edge(value)] if value.requires_grad else []
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        parents = getattr(target, "parents", None)
        if parents is None:  # a leaf
            return True
        waiting += [parent for parent in parents if parent is not None]
    return False


def grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that returns the gradient of ``function``, which must return a single number.

    >>> import tinytensor as tt
    >>> slope = tt.func.grad(lambda x: x**3)
    >>> slope(tt.tensor(2.0)), tt.func.grad(slope)(tt.tensor(2.0))
    (tensor(12.), tensor(12.))
    """
    both = value_and_grad(function, argnums)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]
