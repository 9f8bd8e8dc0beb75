"""Stepping: what optimizers share that move each parameter by itself, from arrays of its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import wide
from ..tensors.tensor import Tensor
from .optimizer import Group, Optimizer, State, as_real, gradients, values


class Stepping(Optimizer):
    """Counts the steps of each parameter, and moves together all those that have come equally far:
    a parameter that sometimes had no gradient lags behind.

    A subclass says with ``begins`` which arrays are kept, and defines ``move``.
    """

    def begins(self, group: Group) -> Mapping[str, float]:
        """The arrays that are kept of a parameter of this group, and what fills them at first."""
        raise NotImplementedError

    def counts(self, group: Group, state: State) -> tuple[Any, ...]:
        """The numbers by which a parameter of this state is to be moved now. They may change the
        numbers that the state keeps."""
        return (state["step"],)

    def move(
        self,
        group: Group,
        counts: tuple[Any, ...],
        params: list[np.ndarray],
        grads: list[np.ndarray],
        *kept: list[np.ndarray],
    ) -> None:
        """Change parameters and what is kept of them in place; complex ones are pairs of reals."""
        raise NotImplementedError

    def needs(self, group: Group, parameter: Tensor) -> Sequence[str]:
        return ("step", *self.numbers, *self.begins(group))

    def update(self, group: Group, params: list[Tensor]) -> None:
        begins = self.begins(group)
        together: dict[tuple[Any, ...], tuple[list[Tensor], list[State]]] = {}
        for parameter in params:
            state = self.state.get(parameter)
            if state is None:
                state = self.state[parameter] = {"step": 0}
            for name in begins:
                if state.get(name) is None:
                    state[name] = np.zeros_like(wide(parameter.value))
                    if begins[name]:
                        as_real(state[name])[...] = begins[name]
            state["step"] = state.get("step", 0) + 1
            some, states = together.setdefault(self.counts(group, state), ([], []))
            some.append(parameter)
            states.append(state)
        by = f"{type(self).__name__}.step"
        for counts, (some, states) in together.items():
            kept = [[as_real(state[name]) for state in states] for name in begins]
            with values(some) as arrays:
                self.move(group, counts, arrays, gradients(some), *kept)
            for parameter in some:
                parameter.changed(by)
