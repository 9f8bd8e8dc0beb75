"""check_grad: derivatives of a function against finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine import grad as gradients_of
from ..grad_mode import enable_grad
from ..tensor import Tensor
from .recording import Function, parameter_names

__all__ = ["GradientMismatch", "check_grad"]


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
    names = parameter_names(function, len(args))
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


def _is_input(argument: Any) -> bool:
    if not isinstance(argument, Tensor | np.ndarray):
        return False
    return argument.dtype == np.float64
