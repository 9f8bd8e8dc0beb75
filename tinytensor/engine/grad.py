"""grad: the derivatives of outputs by inputs, given back instead of added to ``grad``."""

from __future__ import annotations

from typing import Any

from .core import GraphError, Variable, as_tuple, backpropagate, edge, owned, version_of


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The derivatives of the sum of ``outputs`` (each times its ``grad_outputs``) by ``inputs``.

    Returns a tuple, one gradient for each input, and touches no ``grad``. An input on which no
    output depends is an error, or None with ``allow_unused``. A gradient that is one of
    ``grad_outputs``, or a view of it, is read-only.
    """
    outputs, inputs = as_tuple(outputs), as_tuple(inputs)
    cotangents = (None,) * len(outputs) if grad_outputs is None else as_tuple(grad_outputs)
    if len(cotangents) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(cotangents)} grad_outputs")
    if any(variable.level for variable in (*outputs, *inputs) if isinstance(variable, Variable)):
        raise GraphError("grad: within a vmap, derivatives are taken by tt.func.grad")
    given = {version_of(c) for c in cotangents if isinstance(c, Variable)}
    found = backpropagate(outputs, cotangents, inputs, retain_graph, create_graph)
    gradients = [found.get(edge(variable)) for variable in inputs]
    for i, gradient in enumerate(gradients):
        if gradient is None and not allow_unused:
            raise GraphError(f"grad: inputs[{i}] was not used; allow_unused=True gives None for it")
    return tuple([None if g is None else owned(g, given) for g in gradients])
