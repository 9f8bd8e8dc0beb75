"""check_grad: derivatives of a function against finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import is_real_floating
from ..engine.grad_mode import enable_grad
from ..tensors.creation import ones_like
from ..tensors.tensor import Tensor
from .recording import Function, gradients, name_of, parameter_names
from .trees import tree_flatten, tree_leaves, tree_unflatten

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

    Every float64 array (or float64 tensor) in the trees of ``args`` is an input. With a random
    weight w for each output, L = Σ w·output is a number, and for each element xᵢ of each input

        |dL/dxᵢ − (L(xᵢ + h) − L(xᵢ − h)) / 2h|  ≤  atol + rtol · |(L(xᵢ + h) − L(xᵢ − h)) / 2h|.

    With ``order=2`` the same is asked of L₂ = Σ v·dL/dx for random v in the place of L, with
    ``order=3`` of L₃ = Σ u·dL₂/dx, and so on: each compares exact derivatives with differences of
    those one order below, which are exact too. So the error of what is measured is that of one
    difference at any order, h²/6 times a derivative two orders up, and about ε |L| / h. ``step`` is
    h: 1e-6 at the first order, otherwise 1e-5, because more is rounded on the way to L₂ than to L.

    Raises GradientMismatch, whose message names the function, the argument, the index and both
    values.

    >>> import numpy as np, tinytensor as tt
    >>> for order in (1, 2, 3):
    ...     tt.func.check_grad(lambda a, b: tt.exp(a @ b), np.eye(2), np.ones(2), order=order)
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"check_grad: order must be 1, 2, 3 or more, not {order!r}")
    leaves, structure = tree_flatten(args)
    places = [i for i, leaf in enumerate(leaves) if _is_input(leaf)]
    if not places:
        raise TypeError("check_grad: no argument is a float64 array or tensor")
    name = name_of(function)
    named = zip(parameter_names(function, len(args)), structure.children, strict=True)
    paths = [path for parameter, tree in named for path in tree.paths(parameter)]
    arrays = [
        np.array(leaves[i].value if isinstance(leaves[i], Tensor) else leaves[i]) for i in places
    ]
    weighted = _Weighted(seed)

    def measure(inputs: Sequence[Tensor]) -> Tensor:
        """L of the inputs, or L₂, or L₃ …"""
        given = list(leaves)
        for i, x in zip(places, inputs, strict=True):
            given[i] = x
        outputs = tree_leaves(function(*tree_unflatten(structure, given), **kwargs))
        floating = [o for o in outputs if isinstance(o, Tensor) and is_real_floating(o)]
        if not floating:
            raise TypeError(f"check_grad: {name} returns no tensor of floating point")
        weighted.used = 0
        total = weighted(floating)
        for _ in range(order - 1):
            total = weighted(gradients([total], inputs, [ones_like(total)], record=True))
        return total

    h = step or (1e-6 if order == 1 else 1e-5)
    with enable_grad():
        inputs = [Tensor(array.copy(), requires_grad=True) for array in arrays]
        total = measure(inputs)
        found = gradients([total], inputs, [ones_like(total)], record=False)
        for place, array, gradient in zip(places, arrays, found, strict=True):
            exact = gradient.numpy()
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
                    raise GradientMismatch(
                        f"{name}: the {_KINDS.get(order, f'derivative of order {order}')} by"
                        f" {paths[place]} at index {index} is {exact[index]:.9g}, finite"
                        f" differences say {measured:.9g}"
                    )


_KINDS = {1: "gradient", 2: "second derivative", 3: "third derivative"}


class _Weighted:
    """Σ w·value, a number; the weights are drawn where they are first used, and then kept."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights: list[Tensor] = []
        self.used = 0

    def __call__(self, values: Sequence[Tensor]) -> Tensor:
        terms = []
        for value in values:
            if self.used == len(self.weights):
                size, sign = self.rng.uniform(0.5, 1.5, value.shape), [-1, 1]
                weight = np.asarray(size * self.rng.choice(sign, value.shape))
                self.weights.append(Tensor(weight))
            terms.append((value * self.weights[self.used]).sum())
            self.used += 1
        return sum(terms[1:], terms[0])


def _is_input(argument: Any) -> bool:
    return isinstance(argument, Tensor | np.ndarray) and argument.dtype == np.float64
