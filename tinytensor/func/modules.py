"""Modules as functions of their parameters: functional_call and stack_module_state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import ops
from ..errors import a_kind_of
from ..tensors.tensor import Tensor
from .trees import find_kind

__all__ = ["functional_call", "stack_module_state"]

State = Mapping[str, Any]


def functional_call(
    module: Any,
    parameters_and_buffers: State | Sequence[State],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """``module(*args, **kwargs)`` with other tensors in the place of some parameters and buffers.

    ``parameters_and_buffers`` is a dict by dotted names, or several dicts. What they do not name is
    the module's own; what parameters share, the name of any one replaces. ``args`` is a tuple, or
    the one argument. The module is not touched: a copy of it is called, which shares all that was
    not replaced. So what ``forward`` changes in place (the statistics of a batch norm) is seen
    after the call, and what it assigns to attributes is not. A name that the module does not have
    is a KeyError.

    >>> import tinytensor as tt
    >>> layer = tt.nn.Linear(2, 1)
    >>> weight = tt.tensor([[3.0, 4.0]])
    >>> tt.func.functional_call(layer, {"weight": weight, "bias": tt.zeros(1)}, tt.ones(2))
    tensor([7.])
    """
    kind = find_kind(type(module))
    if kind is None or not kind.transparent:
        raise TypeError(f"functional_call: {a_kind_of(module)} is no module")
    if not isinstance(parameters_and_buffers, Mapping):
        parameters_and_buffers = {k: v for part in parameters_and_buffers for k, v in part.items()}
    args = args if isinstance(args, tuple) else (args,)
    return kind.unflatten(module, (parameters_and_buffers,))(*args, **(kwargs or {}))


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of several models of one architecture, each stacked on a new
    first axis: what an ensemble is mapped over.

    The stacked parameters are leaves, which want a gradient where the models' do.

    >>> import tinytensor as tt
    >>> parameters, buffers = tt.func.stack_module_state([tt.nn.Linear(2, 3) for _ in range(5)])
    >>> parameters["weight"].shape, buffers
    ((5, 3, 2), {})
    """
    if not models:
        raise ValueError("stack_module_state: there are no models")
    parameters, buffers = (
        _stacked([dict(getattr(model, part)()) for model in models], type(models[0]).__name__)
        for part in ("named_parameters", "named_buffers")
    )
    return parameters, buffers


def _stacked(states: list[dict[str, Tensor]], owner: str) -> dict[str, Tensor]:
    for i, state in enumerate(states):
        if state.keys() != states[0].keys():
            raise ValueError(
                f"stack_module_state: model {i} has {list(state)}, the first, a {owner}, has"
                f" {list(states[0])}"
            )
    stacked = {}
    for name, first in states[0].items():
        tensor = ops.stack([state[name] for state in states]).detach()
        stacked[name] = tensor.requires_grad_(first.requires_grad)
    return stacked
