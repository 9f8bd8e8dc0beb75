"""Derivatives in reverse: grad, value_and_grad, vjp, and stop_gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import is_complex
from ..tensors.creation import ones_like
from ..tensors.tensor import Tensor
from .recording import Function, Recording, gradients, shown
from .trees import tree_map

__all__ = ["grad", "stop_gradient", "value_and_grad", "vjp"]


def value_and_grad(
    function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Function:
    """A function that returns ``function(*args)``, a single real number, and its gradient.

    The gradient is by the positional argument ``argnums``, or a tuple of gradients by several. An
    argument is a tensor, an array, a number, or a tree of them, and its gradient is a tree of the
    same structure; that by a module is a dict of the gradients by its parameters' names. By z =
    x + iy it is dL/dx + i dL/dy. With ``has_aux`` the function returns ``(value, aux)``, and so
    does the first result.

    The gradient is recorded in turn where the value depends on anything that wants a gradient, so
    ``grad(grad(f))`` is the second derivative. Parameters of a module do want one; under
    ``tt.no_grad()`` nothing is recorded beside the call itself.

    >>> import tinytensor as tt
    >>> def loss(p, x):
    ...     return ((p["w"] * x + p["b"]) ** 2).sum()
    >>> tt.func.value_and_grad(loss)({"w": 2.0, "b": 1.0}, tt.tensor([1.0, 2.0]))
    (tensor(34.), {'w': tensor(26.), 'b': tensor(16.)})
    """
    return _value_and_grad("value_and_grad", function, argnums, has_aux)


def _value_and_grad(
    name: str, function: Function, argnums: int | Sequence[int], has_aux: bool
) -> Function:
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        call = Recording(name, function, args, kwargs, argnums, has_aux)
        output = call.output_tree_of(call.outputs)
        if not isinstance(output, Tensor) or output.size != 1 or is_complex(output):
            given = shown(output) if isinstance(output, Tensor) else type(output).__name__
            raise TypeError(
                f"{name}: {call.function} must return a tensor of one real number, not {given}"
            )
        found = gradients(
            call.outputs, call.inputs, [ones_like(output)], call.records(), call.outer
        )
        value = (call.result(), call.auxiliary()) if has_aux else call.result()
        return value, call.by_arguments(found)

    return value_and_gradient


def grad(function: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """A function that returns the gradient of ``function``, which must return a single number.

    It is :func:`value_and_grad` without the value; with ``has_aux`` it returns ``(gradient, aux)``.

    >>> import tinytensor as tt
    >>> slope = tt.func.grad(lambda x: x**3)
    >>> slope(tt.tensor(2.0)), tt.func.grad(slope)(tt.tensor(2.0))
    (tensor(12.), tensor(12.))
    """
    both = _value_and_grad("grad", function, argnums, has_aux)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(function: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """``(out, pullback)``: the value at ``primals``, and the map of cotangents back to them.

    ``pullback(v)`` is the tuple of the vector-Jacobian products Jᵀv, one for each of ``primals``,
    of its structure. v has the structure and the shapes of ``out``; what it has for outputs of
    integers counts nothing. It may be called any number of times. With ``has_aux`` the function
    returns ``(out, aux)``, and the result is ``(out, pullback, aux)``.

    >>> import tinytensor as tt
    >>> out, pullback = tt.func.vjp(lambda x, y: x * y, tt.tensor([1.0, 2.0]), 3.0)
    >>> out, pullback(tt.tensor([1.0, 0.0]))
    (tensor([3., 6.]), (tensor([3., 0.]), tensor(1.)))
    """
    call = Recording("vjp", function, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        along = call.cotangents(cotangent)
        return call.input_trees_of(
            gradients(call.outputs, call.inputs, along, call.records(*along))
        )

    return call.with_aux(call.result(), pullback, has_aux=has_aux)


def stop_gradient(tree: Any) -> Any:
    """``tree``, whose tensors are constants now: their derivatives by anything are 0.

    >>> import tinytensor as tt
    >>> tt.func.grad(lambda x: x * tt.func.stop_gradient(x))(tt.tensor(3.0))
    tensor(3.)
    """
    return tree_map(lambda x: x.detach() if isinstance(x, Tensor) else x, tree)
