"""Optimizer: what all optimizers share: groups of parameters, their state, saving and loading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..grad_mode import enable_grad
from ..narrow import is_floating, wide
from ..tensor import Tensor

Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group = dict[str, Any]


class Optimizer:
    """Changes parameters by their gradients, step by step.

    ``params`` are tensors, pairs of name and tensor, or groups: dicts with the key "params" and
    settings that differ from ``defaults``. ``param_groups`` may be changed between steps (the
    learning rate is ``param_groups[i]["lr"]``). ``state`` maps a parameter to what the optimizer
    remembers of it.
    """

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[Group] = []
        given = self._listed(params)
        if not given:
            raise ValueError(
                f"{type(self).__name__}: there are no parameters; has the model any, and was the"
                " iterator of them used up before?"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def _listed(self, params: Any) -> list[Any]:
        kind = type(self).__name__
        if isinstance(params, Tensor | dict | set | str) or not isinstance(params, Iterable):
            remedy = "a list of tensors, or of groups"
            if callable(getattr(params, "parameters", None)):
                remedy = "its parameters: model.parameters()"
            elif isinstance(params, Tensor):
                remedy = "several tensors: [parameter]"
            elif isinstance(params, set):
                remedy = "a list: a set has no order that another run would repeat"
            raise TypeError(f"{kind}: params is a {type(params).__name__}; pass {remedy}")
        return list(params)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own. An error leaves all as it was."""
        kind = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{kind}: a group is a dict with the key 'params'")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._listed(given)
        params = [item[1] if isinstance(item, tuple) else item for item in params]
        known = {parameter for group in self.param_groups for parameter in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Tensor):
                remedy = "; pass model.parameters()" * hasattr(parameter, "parameters")
                raise TypeError(f"{kind}: a parameter is a {type(parameter).__name__}{remedy}")
            if not parameter.is_leaf or not is_floating(parameter.dtype):
                raise ValueError(
                    f"{kind}: a parameter must be a leaf of floating point, not {parameter!r}"
                )
            array = parameter.value  # a NumPy scalar, of which an array is made below, is no array
            if isinstance(array, np.ndarray) and not array.flags.writeable:
                raise ValueError(f"{kind}: the memory of a parameter is read-only")
            if parameter in known:
                raise ValueError(f"{kind}: a parameter of shape {parameter.shape} is given twice")
            known.add(parameter)
        group = {"params": params, **self.defaults}
        group.update((k, v) for k, v in param_group.items() if k != "params")
        self.check_group(group)
        for parameter in params:
            parameter.value = np.asarray(parameter.value)  # a NumPy scalar would not change
        self.param_groups.append(group)

    def check_group(self, group: Group) -> None:
        """Raise ValueError if a setting makes no sense."""
        for name in ("lr", "weight_decay", "momentum", "eps"):
            if name in group and not group[name] >= 0:
                raise ValueError(f"{type(self).__name__}: {name} is {group[name]}, not at least 0")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or overwrite them by zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none or parameter.grad is None:
                    parameter.grad = None
                else:
                    parameter.grad = Tensor(np.zeros_like(parameter.value))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient. Returns what ``closure`` does, which is
        called first and may compute the gradients."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self.update(group, params)
        return loss

    def update(self, group: Group, params: list[Tensor]) -> None:
        """Change these parameters of one group, all of which have gradients."""
        raise NotImplementedError

    # --- Saving and loading ------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {number: …}, "param_groups": [{…, "params": [numbers]}]}``.

        Parameters are numbered through the groups, as in PyTorch. Arrays are shared, not copied.
        """
        numbers = {p: i for i, p in enumerate(self._all_params())}
        state = {
            numbers[p]: {k: Tensor(v) if isinstance(v, np.ndarray) else v for k, v in kept.items()}
            for p, kept in self.state.items()
        }
        groups = [
            {**group, "params": [numbers[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state from a :meth:`state_dict`, also from one of PyTorch's.

        The groups must have as many parameters as here, in the same order.
        """
        kind = type(self).__name__
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ValueError(
                f"load_state_dict: {kind} has groups of {own} parameters, the state has {sizes}"
            )
        numbers = [int(number) for group in groups for number in group["params"]]
        params = dict(zip(numbers, self._all_params(), strict=True))
        state: dict[Tensor, dict[str, Any]] = {}
        for number, kept in state_dict["state"].items():
            if int(number) not in params:
                raise ValueError(f"load_state_dict: there is no parameter {number} in {kind}")
            parameter = params[int(number)]
            state[parameter] = {
                name: self._loaded(parameter, number, name, value) for name, value in kept.items()
            }
        for mine, other in zip(self.param_groups, groups, strict=True):
            settings = {k: deepcopy(v) for k, v in other.items() if k != "params"}
            self.check_group({**mine, **settings})
            mine.update(settings)
        self.state = state

    def _loaded(self, parameter: Tensor, number: Any, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        array = np.asarray(value.value if isinstance(value, Tensor) else value)
        if name == "step":
            return int(array)
        if array.shape != parameter.shape:
            raise ShapeError(
                f"load_state_dict: {name} of parameter {number} is {array.shape}, the parameter is"
                f" {parameter.shape}"
            )
        return wide(array.astype(parameter.dtype))

    def _all_params(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def gradients(params: list[Tensor]) -> list[np.ndarray]:
    """The gradients as arrays, after checking that they fit."""
    found = []
    for parameter in params:
        assert parameter.grad is not None
        if parameter.grad.shape != parameter.shape:
            raise ShapeError(
                f"step: a parameter is {parameter.shape}, its gradient {parameter.grad.shape}"
            )
        found.append(wide(parameter.grad.value) if parameter.grad.narrow else parameter.grad.value)
    return found


@contextmanager
def values(params: list[Tensor]) -> Iterator[list[np.ndarray]]:
    """The parameters' arrays, for a change in place; in the place of 16-bit ones, float32 copies,
    which are rounded back."""
    arrays = [wide(p.value) if p.narrow else p.value for p in params]
    yield arrays
    for parameter, array in zip(params, arrays, strict=True):
        if array is not parameter.value:
            parameter.value[...] = array
