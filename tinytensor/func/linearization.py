"""Derivatives forward: linearize, jvp and hvp.

A pullback is linear in its cotangent: pull(v) = Jᵀv. So its own pullback is the pushforward:

    ∂⟨pull(v), t⟩/∂v = (Jᵀ)ᵀ t = J t,   whatever v is.

``linearize`` records f, and then pull(v) for a dummy v. Each pushforward is one backward pass over
that second graph, from pull(v) to v; f is not called again. No op needs a rule for forward mode,
and since the graph is made of ops, what comes out can be differentiated again, to any order.

For complex numbers the same holds in the inner product Re⟨a, b⟩ = Re Σ a b̄, in which gradients are
dL/dx + i dL/dy: J is then linear over the real numbers, and J t is the derivative along t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.grad_mode import enable_grad
from ..tensors.creation import zeros_like
from ..tensors.tensor import Tensor
from .gradients import grad, vjp
from .recording import Function, Recording, gradients, tracked

__all__ = ["hvp", "jvp", "linearize"]


class Pushforward:
    """The map t ↦ J t of a recorded call, from tangents of its inputs to those of its outputs."""

    def __init__(self, call: Recording) -> None:
        self.call = call
        with enable_grad():
            self.reached = [i for i, output in enumerate(call.outputs) if output.requires_grad]
            outputs = [call.outputs[i] for i in self.reached]
            self.dummies = [tracked(zeros_like(output)) for output in outputs]
            self.pulled = gradients(outputs, call.inputs, self.dummies, record=True)

    def __call__(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        found = gradients(self.pulled, self.dummies, tangents, self.call.records(*tangents))
        pushed = [zeros_like(output) for output in self.call.outputs]
        for i, tangent in zip(self.reached, found, strict=True):
            pushed[i] = tangent
        return pushed


def linearize(function: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """``(out, pushforward)``: the value at ``primals``, and the derivative there as a linear map.

    ``pushforward(*tangents)`` takes a tangent for each of ``primals``, of its structure and shapes
    (of a module: a dict by the names of its parameters), and returns the Jacobian-vector product,
    of the structure of ``out``. It may be called any number of times; the function is called once.
    With ``has_aux`` the function returns ``(out, aux)``, and the result is ``(out, pushforward,
    aux)``.

    >>> import tinytensor as tt
    >>> out, pushforward = tt.func.linearize(lambda x: x**2, tt.tensor([1.0, 3.0]))
    >>> pushforward(tt.tensor([1.0, 0.0])), pushforward(tt.tensor([1.0, 1.0]))
    (tensor([2., 0.]), tensor([2., 6.]))
    """
    call = Recording("linearize", function, primals, {}, range(len(primals)), has_aux)
    push = Pushforward(call)

    def pushforward(*tangents: Any) -> Any:
        return call.output_tree_of(push(call.tangents(tangents)))

    return call.with_aux(call.result(), pushforward, has_aux=has_aux)


def jvp(
    function: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """``(out, tangent_out)``: the value at ``primals`` and its derivative along ``tangents``.

    Both arguments are tuples with an entry for each argument of the function; a tangent has the
    structure and shapes of its primal. With ``has_aux``: ``(out, tangent_out, aux)``.

    >>> import tinytensor as tt
    >>> tt.func.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (tensor(6.), tensor(23.))
    """
    _check_sequences("jvp", primals, tangents)
    call = Recording("jvp", function, primals, {}, range(len(primals)), has_aux)
    along = call.tangents(tangents)
    pushed = call.output_tree_of(Pushforward(call)(along))
    return call.with_aux(call.result(), pushed, has_aux=has_aux)


def hvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product H t of the Hessian of ``function``, which returns a single number, with a vector.

    Its structure is that of the one primal, or a tuple for several. H is not made. It is symmetric,
    so that the pushforward of the gradient, H t, is its pullback Hᵀt too, and that is cheaper.

    >>> import tinytensor as tt
    >>> x, t = tt.tensor([1.0, 2.0]), tt.tensor([1.0, 1.0])
    >>> tt.func.hvp(lambda x: (x**3).sum(), (x,), (t,))
    tensor([ 6., 12.])
    """
    _check_sequences("hvp", primals, tangents)
    single = len(primals) == 1
    slope = grad(function, 0 if single else range(len(primals)))
    _, pullback = vjp(slope, *primals)
    product = pullback(tangents[0] if single else tuple(tangents))
    return product[0] if single else product


def _check_sequences(name: str, primals: Sequence[Any], tangents: Sequence[Any]) -> None:
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{name}: {what} must be a tuple with an entry for each argument, not a"
                f" {type(given).__name__}"
            )
    if len(primals) != len(tangents):
        raise ValueError(f"{name}: {len(primals)} primals, but {len(tangents)} tangents")
