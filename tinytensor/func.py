"""Derivatives of functions: grad, value_and_grad, and check_grad against finite differences."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .checkpoint import checkpoint
from .engine import edge
from .grad_mode import enable_grad, is_grad_enabled
from .gradients import grad as gradients_of
from .operation import alias
from .tensor import Tensor

__all__ = ["GradientMismatch", "check_grad", "checkpoint", "grad", "value_and_grad"]

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


class GradientMismatch(AssertionError):
    """A gradient differs from the slope that finite differences measure."""


def check_grad(
    function: Function,
    *args: Any,
    order: int = 1,
    step: float | None = None,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    seed: int = 0,
    **kwargs: Any,
) -> None:
    """Compare the derivatives of ``function(*args, **kwargs)`` with finite differences.

    Every float64 array (or float64 tensor) among ``args`` is an input. With a random weight w for
    each output, L = Σ w·output is a number, and for each element xᵢ of each input

        |dL/dxᵢ − (L(xᵢ + h) − L(xᵢ − h)) / 2h|  ≤  atol + rtol · |dL/dxᵢ|.

    With ``order=2`` the same is then asked of G = Σ v·dL/dx for random v. Raises GradientMismatch,
    whose message names the function, the argument, the index and both values.
    """
    if order not in (1, 2):
        raise ValueError(f"check_grad: order must be 1 or 2, not {order}")
    places = [i for i, a in enumerate(args) if _is_input(a)]
    if not places:
        raise TypeError("check_grad: no argument is a float64 array or tensor")
    arrays = [np.array(args[i].value if isinstance(args[i], Tensor) else args[i]) for i in places]
    name = getattr(function, "__name__", repr(function))
    names = _parameter_names(function, len(args))
    rng = np.random.default_rng(seed)
    weights: list[np.ndarray] = []

    def weighted(values: Sequence[Tensor], first: int) -> Tensor:
        """Σ w·value; the weights, from number ``first`` on, are drawn once and then kept."""
        total = None
        for k, value in enumerate(values, first):
            if k == len(weights):
                weights.append(
                    rng.uniform(0.5, 1.5, value.shape) * rng.choice([-1, 1], value.shape)
                )
            term = (value * Tensor(weights[k])).sum()
            total = term if total is None else total + term
        assert total is not None
        return total

    def loss(inputs: Sequence[Tensor]) -> tuple[Tensor, int]:
        call = list(args)
        for i, x in zip(places, inputs, strict=True):
            call[i] = x
        outputs = function(*call, **kwargs)
        outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
        outputs = [o for o in outputs if o.dtype.kind == "f"]
        return weighted(outputs, 0), len(outputs)

    def slope(inputs: Sequence[Tensor]) -> Tensor:
        value, used = loss(inputs)
        found = gradients_of(value, inputs, create_graph=True, allow_unused=True)
        return weighted([g for g in found if g is not None], used)

    measure = (lambda inputs: loss(inputs)[0]) if order == 1 else slope
    h = step or (1e-6 if order == 1 else 1e-5)
    with enable_grad():
        inputs = [Tensor(array.copy(), requires_grad=True) for array in arrays]
        total = measure(inputs)
        if total.requires_grad:
            found = gradients_of(total, inputs, allow_unused=True)
        else:  # the first derivative is constant
            found = (None,) * len(inputs)
        for number, (array, gradient) in enumerate(zip(arrays, found, strict=True)):
            exact = np.zeros(array.shape) if gradient is None else gradient.numpy()
            for index in np.ndindex(array.shape):
                kept = array[index]
                sides = []
                for x in (kept + h, kept - h):
                    array[index] = x
                    moved = [Tensor(a.copy(), requires_grad=True) for a in arrays]
                    sides.append(measure(moved).item())
                array[index] = kept
                measured = (sides[0] - sides[1]) / (2 * h)
                if not abs(exact[index] - measured) <= atol + rtol * abs(measured):
                    kind = "gradient" if order == 1 else "second derivative"
                    raise GradientMismatch(
                        f"{name}: the {kind} by {names[places[number]]} at index {index} is"
                        f" {exact[index]:.9g}, finite differences say {measured:.9g}"
                    )


def _parameter_names(function: Function, n: int) -> list[str]:
    """What the first n arguments of a call are called; their number where there is no name."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    return [repr(named[i]) if i < len(named) else f"argument {i}" for i in range(n)]


def _is_input(argument: Any) -> bool:
    if not isinstance(argument, Tensor | np.ndarray):
        return False
    return argument.dtype == np.float64
