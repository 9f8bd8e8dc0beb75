"""grad: the derivatives of outputs by inputs, given back instead of added to ``grad``."""

from __future__ import annotations

from typing import Any

from .core import GraphError, Variable, as_tuple, backpropagate, edge, owned, version_of


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool = False) -> tuple[Any, ...]:  # fmt: skip
    """The derivatives of the sum of ``outputs`` (each times its ``grad_outputs``) by ``inputs``.

    Returns a tuple, one gradient for each input, and touches no ``grad``. An input on which no
    output depends is an error, or None with ``allow_unused``. With ``create_graph`` a gradient can
    be differentiated by its input: where it is constant, as that of a linear op is, to zeros. A
    gradient that is one of ``grad_outputs``, or a view of it, is read-only.
    """
    inputs = as_tuple(inputs)
    found = derivatives(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
    for i, gradient in enumerate(found if create_graph else ()):
        if gradient is not None and not gradient.tracked:
            found[i] = gradient.identity(gradient, inputs[i])
    return tuple(found)


def derivatives(outputs: Any, inputs: Any, cotangents: Any, retain_graph: bool | None = None,
                create_graph: bool = False, allow_unused: bool = False) -> list[Any]:  # fmt: skip
    """What ``grad`` returns, but that constants stay constants."""
    outputs, inputs = as_tuple(outputs), as_tuple(inputs)
    cotangents = (None,) * len(outputs) if cotangents is None else as_tuple(cotangents)
    if len(cotangents) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(cotangents)} grad_outputs")
    if any(variable.level for variable in (*outputs, *inputs) if isinstance(variable, Variable)):
        raise GraphError("grad: within a vmap, derivatives are taken by tt.func.grad")
    given = {version_of(c) for c in cotangents if isinstance(c, Variable)}
    if allow_unused and all(isinstance(o, Variable) and not o.requires_grad for o in outputs):
        return [None] * len(inputs)
    found = backpropagate(outputs, cotangents, inputs, retain_graph, create_graph)
    gradients = [found.get(edge(variable)) for variable in inputs]
    for i, gradient in enumerate(gradients):
        if gradient is None and not allow_unused:
            raise GraphError(f"grad: inputs[{i}] was not used; allow_unused=True gives None for it")
    return [None if g is None else owned(g, given) for g in gradients]
