"""Optimizer: what all optimizers share: groups of parameters, their state, saving and loading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from inspect import signature
from typing import Any, TypedDict

import numpy as np

from ..dtypes import REAL_OF, is_floating, same_kind, wide
from ..engine.grad_mode import enable_grad
from ..engine.hooks import RemovableHandle
from ..errors import ShapeError, a_kind_of
from ..nn.module_hooks import added
from ..tensors.tensor import Tensor

Params = Iterable[Tensor | dict[str, Any] | tuple[str, Tensor]]
Group = dict[str, Any]
State = dict[str, Any]


class How(TypedDict, total=False):
    """PyTorch's arguments that choose among its implementations of one step. There is one here:
    they are taken, stand in the groups, and change nothing. A differentiable step is refused."""

    foreach: bool | None
    fused: bool | None
    capturable: bool
    differentiable: bool


HOW: dict[str, bool | None] = {
    "foreach": None,
    "fused": None,
    "capturable": False,
    "differentiable": False,
}

_before_every_step: dict[int, Callable[..., Any]] = {}
_after_every_step: dict[int, Callable[..., Any]] = {}


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer."""
    return added(_before_every_step, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer."""
    return added(_after_every_step, hook)


def profile_hook_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """A ``step`` between the hooks. One that calls another, as ``super().step()`` does, has them
    around itself alone."""

    @wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        before, after = self._hooks["step_pre"], self._hooks["step_post"]
        if self._stepping or not (before or after or _before_every_step or _after_every_step):
            return step(self, *args, **kwargs)
        self._stepping = True
        try:
            for hook in [*_before_every_step.values(), *before.values()]:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        kind = type(self).__name__
                        raise RuntimeError(
                            f"{kind}.step: a pre-hook returns None or (args, kwargs), not"
                            f" {changed!r}"
                        )
                    args, kwargs = changed
            out = step(self, *args, **kwargs)
            for hook in [*after.values(), *_after_every_step.values()]:
                hook(self, args, kwargs)
        finally:
            self._stepping = False
        return out

    return hooked


# Settings that make no sense below 0, whichever optimizer has them.
NOT_NEGATIVE = (
    "lr",
    "weight_decay",
    "momentum",
    "eps",
    "alpha",
    "lambd",
    "lr_decay",
    "initial_accumulator_value",
    "momentum_decay",
    "tolerance_grad",
    "tolerance_change",
)


class Optimizer:
    """Changes parameters by their gradients, step by step.

    ``params`` are tensors, pairs of name and tensor, or groups: dicts with the key "params" and
    settings that differ from ``defaults``. ``param_groups`` may be changed between steps (the
    learning rate is ``param_groups[i]["lr"]``). ``state`` maps a parameter to what the optimizer
    remembers of it: arrays of the parameter's shape, and the number of steps as "step".

    A subclass defines ``update``, and says with ``keeps`` and ``needs`` what it remembers.
    """

    keeps: tuple[str, ...] | None = None  # names in a parameter's state; None: any
    numbers: tuple[str, ...] = ()  # those of them that are numbers, beside "step"
    ways: tuple[str, ...] = ()  # the names of How that PyTorch's optimizer takes

    profile_hook_step = staticmethod(profile_hook_step)

    def __init_subclass__(cls) -> None:
        if "step" in vars(cls):
            cls.step = profile_hook_step(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: Mapping[str, Any], how: How | None = None) -> None:
        if unknown := [name for name in how or {} if name not in self.ways]:
            raise TypeError(f"{type(self).__name__}: there is no argument {unknown[0]!r}")
        self.defaults = {**defaults, **{name: HOW[name] for name in self.ways}, **(how or {})}
        self._hooks: dict[str, dict[int, Callable[..., Any]]] = {
            f"{what}_{when}": {}
            for what in ("step", "state_dict", "load_state_dict")
            for when in ("pre", "post")
        }
        self._stepping = False
        self.state: dict[Tensor, State] = {}
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
            raise TypeError(f"{kind}: params is {a_kind_of(params)}; pass {remedy}")
        return list(params)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with settings of their own. An error leaves all as it was."""
        kind = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{kind}: a group is a dict with the key 'params'")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else self._listed(given)
        names = [item[0] for item in params if isinstance(item, tuple)]
        if names and len(names) != len(params):
            raise ValueError(f"{kind}: {len(names)} of {len(params)} parameters have names")
        params = [item[1] if isinstance(item, tuple) else item for item in params]
        known = {parameter for group in self.param_groups for parameter in group["params"]}
        for parameter in params:
            if not isinstance(parameter, Tensor):
                remedy = "; pass model.parameters()" * hasattr(parameter, "parameters")
                raise TypeError(f"{kind}: a parameter is {a_kind_of(parameter)}{remedy}")
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
        if names:
            group["param_names"] = names
        others = self.param_groups
        if others and ("param_names" in others[0]) != ("param_names" in group):
            raise ValueError(f"{kind}: some groups have names of their parameters, others none")
        for name, value in group.items():
            if name != "params":
                group[name] = self._number(name, value)
        self.check_group(group)
        for parameter in params:
            if isinstance(parameter.value, np.generic):  # which would not change
                parameter.value = np.asarray(parameter.value)
        self.param_groups.append(group)

    def _number(self, name: str, value: Any) -> Any:
        """A setting that is a tensor of one element, as a number."""
        if isinstance(value, tuple):
            return tuple(self._number(name, each) for each in value)
        if not isinstance(value, Tensor):
            return value
        if value.size != 1:
            raise ValueError(f"{type(self).__name__}: {name} is a tensor of {value.shape}, not one")
        return value.item()

    def check_group(self, group: Group) -> None:
        """Raise ValueError if a setting makes no sense, TypeError if it is of another kind than
        the constructor's default."""
        kind = type(self).__name__
        for name, parameter in signature(type(self)).parameters.items():
            own, default = group.get(name, parameter.default), parameter.default
            if isinstance(default, bool) and not isinstance(own, bool | np.bool_):
                raise TypeError(f"{kind}: {name} is {own!r}, not True or False")
            if isinstance(default, int | float) and not isinstance(own, int | float | np.number):
                raise TypeError(f"{kind}: {name} is {own!r}, not a number")
        for name in NOT_NEGATIVE:
            if isinstance(group.get(name, ""), int | float) and not group[name] >= 0:
                raise ValueError(f"{kind}: {name} is {group[name]}, not at least 0")
        betas = group.get("betas", (0.0, 0.0))
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{kind}: betas are 2 in [0, 1), not {betas}")
        for name in ("foreach", "fused"):
            if group.get(name) not in (None, True, False):
                raise TypeError(f"{kind}: {name} is {group[name]!r}, not None, True or False")
        if group.get("foreach") and group.get("fused"):
            raise ValueError(f"{kind}: foreach and fused are two ways to do one thing")
        if group.get("differentiable"):
            raise ValueError(
                f"{kind}: a step is not recorded. For a step to differentiate, compute it: the"
                " gradients from tt.grad(..., create_graph=True), then p - lr * g"
            )

    def needs(self, group: Group, parameter: Tensor) -> Sequence[str]:
        """Names without which a state of a parameter of this group, if it has any, is broken."""
        return ()

    def shape_of(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        """The shape of an array that is kept of a parameter."""
        return parameter.shape

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

    step = profile_hook_step(step)

    def update(self, group: Group, params: list[Tensor]) -> None:
        """Change these parameters of one group, all of which have gradients."""
        raise NotImplementedError

    # --- Hooks -------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return what stands for
        ``(args, kwargs)``."""
        return added(self._hooks["step_pre"], hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return added(self._hooks["step_post"], hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before each :meth:`state_dict`."""
        return added(self._hooks["state_dict_pre"], hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after each; it may return one more in its place."""
        return added(self._hooks["state_dict_post"], hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before each is loaded, with a shallow copy that it
        may change, or return one more in its place."""
        return added(self._hooks["load_state_dict_pre"], hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after each was loaded."""
        return added(self._hooks["load_state_dict_post"], hook, prepend)

    # --- Saving and loading ------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {number: …}, "param_groups": [{…, "params": [numbers]}]}``.

        Parameters are numbered through the groups, as in PyTorch. Arrays are shared, not copied.
        """
        for hook in list(self._hooks["state_dict_pre"].values()):
            hook(self)
        numbers = {p: i for i, p in enumerate(self._all_params())}
        state = {numbers[p]: _shown(kept) for p, kept in self._kept().items()}
        groups = [
            {**group, "params": [numbers[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        whole = {"state": state, "param_groups": groups}
        for hook in list(self._hooks["state_dict_post"].values()):
            changed = hook(self, whole)
            whole = whole if changed is None else changed
        return whole

    def _kept(self) -> Mapping[Tensor, State]:
        """What is saved of each parameter."""
        return self.state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state from a :meth:`state_dict`, also from one of PyTorch's.

        The groups must have as many parameters as here, in the same order. A setting that is not
        there stays. The state of each parameter must hold what ``step`` needs, or nothing.

        If there is any error nothing has been changed: ValueError, of which ShapeError is one, and
        TypeError.
        """
        for hook in list(self._hooks["load_state_dict_pre"].values()):
            state_dict = dict(state_dict)
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups, numbers = self._checked_groups(state_dict)
        settings = []
        for i, (mine, other) in enumerate(zip(self.param_groups, groups, strict=True)):
            found = {k: self._checked_setting(i, k, v, mine) for k, v in other.items()}
            settings.append({**mine, **found, "params": mine["params"]})
            self.check_group(settings[i])
        params = dict(zip(numbers, self._all_params(), strict=True))
        group_of = {p: group for group in settings for p in group["params"]}
        state: dict[Tensor, dict[str, Any]] = {}
        for number, kept in state_dict["state"].items():
            if _whole(number) not in params:
                raise self._refusal(f"there is no parameter {number!r}")
            parameter = params[_whole(number)]
            if parameter in state:
                raise self._refusal(f"the state of parameter {number!r} is given twice")
            needs = self.needs(group_of[parameter], parameter)
            state[parameter] = self._checked_state(parameter, number, kept, needs)
        for mine, group in zip(self.param_groups, settings, strict=True):
            mine.update(group)
        self.state = state
        for hook in list(self._hooks["load_state_dict_post"].values()):
            hook(self)

    def _refusal(self, why: str, kind: type[Exception] = ValueError) -> Exception:
        return kind(f"load_state_dict: {type(self).__name__}: {why}")

    def _checked_groups(self, state_dict: Any) -> tuple[list[Mapping[str, Any]], list[int]]:
        """The groups of a state, and the numbers of their parameters in order."""
        if not isinstance(state_dict, Mapping):
            raise self._refusal(f"{a_kind_of(state_dict)} is no state_dict", TypeError)
        for name, container in (("state", Mapping), ("param_groups", Sequence)):
            if name not in state_dict:
                raise self._refusal(f"the state has no {name!r}")
            if not isinstance(state_dict[name], container):
                raise self._refusal(f"{name} is {a_kind_of(state_dict[name])}", TypeError)
        groups = list(state_dict["param_groups"])
        for i, group in enumerate(groups):
            if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
                raise self._refusal(f"group {i} is no dict with a list of numbers, 'params'")
        sizes = [len(group["params"]) for group in groups]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise self._refusal(f"it has groups of {own} parameters, the state has {sizes}")
        given = [number for group in groups for number in group["params"]]
        numbers = list(map(_whole, given))
        if -1 in numbers or len(set(numbers)) < len(numbers):
            raise self._refusal(f"parameters are numbered {given}, not each by a number of its own")
        return groups, numbers

    def _checked_setting(self, group: int, name: Any, value: Any, mine: Group) -> Any:
        """A setting in the form that this optimizer's own has."""
        own = mine.get(name)
        if isinstance(value, Tensor | np.generic) or hasattr(value, "__array__"):
            array = np.asarray(value.value if isinstance(value, Tensor) else value)
            value = array.item() if array.size == 1 else array.tolist()
        if isinstance(own, tuple) and isinstance(value, list):
            value = tuple(value)
        kinds: Any = type(own) if isinstance(own, bool | tuple | str) else object
        if isinstance(own, int | float) and not isinstance(own, bool):
            kinds = int | float
        of_class = signature(type(self)).parameters.get(name)
        if not isinstance(value, kinds) or (
            isinstance(own, tuple)
            and not _are_numbers(value, len(own), getattr(of_class, "default", ()))
        ):
            raise self._refusal(f"{name} of group {group} is {value!r}, not as {own!r}", TypeError)
        return deepcopy(value)

    def _checked_state(
        self, parameter: Tensor, number: Any, kept: Any, needs: Sequence[str]
    ) -> dict[str, Any]:
        """The state of one parameter, copied."""
        if not isinstance(kept, Mapping):
            what = f"the state of parameter {number} is {a_kind_of(kept)}"
            raise self._refusal(what, TypeError)
        if self.keeps is not None and (unknown := kept.keys() - {*self.keeps}):
            has = ", ".join(map(str, sorted(unknown, key=str)))
            keeps = ", ".join(self.keeps)
            raise self._refusal(f"the state of parameter {number} has {has}; it keeps {keeps}")
        loaded = {
            name: self._checked_value(parameter, number, name, value)
            for name, value in kept.items()
        }
        lacks = [name for name in needs if loaded and loaded.get(name) is None]
        if lacks:
            raise self._refusal(f"the state of parameter {number} lacks {', '.join(lacks)}")
        return loaded

    def _checked_value(self, parameter: Tensor, number: Any, name: Any, value: Any) -> Any:
        of = f"{name} of parameter {number}"
        if value is None:
            return None
        array = np.asarray(value.value if isinstance(value, Tensor) else value)
        if name == "step":
            step = _whole(array.item() if array.size == 1 else None)
            if step < 0:
                raise self._refusal(f"{of} is {value!r}, not a number of steps")
            return step
        if name in self.numbers:
            number = array.item() if array.size == 1 else None
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise self._refusal(f"{of} is {value!r}, not a number", TypeError)
            return number
        if self.keeps is None and isinstance(value, bool | int | float | str):
            return value
        to = wide(np.empty(0, parameter.dtype)).dtype
        if not same_kind(array.dtype, to):
            what = type(value).__name__ if array.dtype == object else array.dtype
            raise self._refusal(f"{of} is {what}, the parameter {parameter.dtype}", TypeError)
        if array.shape != self.shape_of(name, parameter):
            raise self._refusal(
                f"{of} is {array.shape}, the parameter {parameter.shape}", ShapeError
            )
        return array.astype(to)

    def _all_params(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def _whole(number: Any) -> int:
    """A number of steps or of a parameter as an int, −1 if it is none."""
    if isinstance(number, str) and number.isdecimal():  # as JSON has the keys of a dict
        return int(number)
    if isinstance(number, bool) or not isinstance(number, int | float | np.number):
        return -1
    return int(number) if 0 <= number < math.inf and number == int(number) else -1


def _are_numbers(value: tuple[Any, ...], count: int, default: Any) -> bool:
    """Whether these are so many numbers, or None where the default is."""
    optional = [each is None for each in default] if isinstance(default, tuple) else []
    return len(value) == count and all(
        (isinstance(x, int | float) and not isinstance(x, bool))
        or (x is None and i < len(optional) and optional[i])
        for i, x in enumerate(value)
    )


def _shown(kept: Any) -> Any:
    """What is kept of a parameter with tensors in the place of arrays."""
    if isinstance(kept, dict | list):
        items = kept.items() if isinstance(kept, dict) else enumerate(kept)
        return type(kept)(
            {k: _shown(v) for k, v in items} if isinstance(kept, dict) else map(_shown, kept)
        )
    return Tensor(kept) if isinstance(kept, np.ndarray) else kept


def as_real(array: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of reals along one more axis, in the same memory; others as they
    are. Optimizers move both parts alike, as PyTorch's do."""
    real = REAL_OF.get(array.dtype)  # of a complex one
    return array if real is None else array[..., None].view(real)


def gradients(params: list[Tensor]) -> list[np.ndarray]:
    """The gradients as arrays of reals, after checking that they fit."""
    found = []
    for parameter in params:
        assert parameter.grad is not None
        if parameter.grad.shape != parameter.shape:
            raise ShapeError(
                f"step: a parameter is {parameter.shape}, its gradient {parameter.grad.shape}"
            )
        grad = parameter.grad.value
        found.append(wide(grad) if parameter.grad.rounded else as_real(np.asarray(grad)))
    return found


@contextmanager
def values(params: list[Tensor]) -> Iterator[list[np.ndarray]]:
    """The parameters' arrays, for a change in place, complex numbers as pairs of reals; in the
    place of 16-bit ones, float32 copies, which are rounded back."""
    arrays = [wide(p.value) if p.rounded else as_real(p.value) for p in params]
    yield arrays
    for parameter, array in zip(params, arrays, strict=True):
        if parameter.rounded:
            parameter.value[...] = array
