"""What every transform stands on: a function called once at tracked inputs, and its pullback.

The inputs of a transform are variables of their own: an alias of what is tracked already, so that
an outer derivative goes on through it while the inner one stops there; otherwise a detached leaf.
Since each derivative is taken by its own variables, transforms nest in any order, and what a
function closes over is just another input of the graph.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..dtypes import is_complex
from ..engine.core import GraphError, edge
from ..engine.grad import derivatives
from ..engine.grad_mode import enable_grad, is_grad_enabled
from ..engine.operation import alias
from ..errors import ShapeError
from ..tensors.batched import active, axes_as_lanes, lanes_as_axes, plain
from ..tensors.creation import zeros_like
from ..tensors.tensor import Tensor, describe
from .trees import TreeDef, tree_flatten, tree_map, tree_unflatten

Function = Callable[..., Any]


def tracked(x: Tensor) -> Tensor:
    """``x`` as a variable to differentiate by: every input of every transform is made here.

    Within vmaps it has lanes of its own in all of them: derivatives are by what one lane sees.
    """
    depth = len(active.get())
    x = lanes_as_axes(x, depth)
    return axes_as_lanes(alias(x) if x.requires_grad else x.detach().requires_grad_(), depth)


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    record: bool,
    keep_graph: bool = True,
) -> list[Tensor]:
    """Σ Jᵀ cotangent for each input: every transform takes its derivatives here.

    Outputs that are constants count nothing, and an input on which none depends has zeros.
    ``record`` lets the gradients be differentiated in turn. Within vmaps it is the tensors of all
    lanes that are differentiated. Lanes do not meet, so each gets its own gradients.
    """
    depth = inputs[0].level if inputs else 0  # of the vmaps in which the function was called
    live = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if live and inputs:
        outputs, cotangents = zip(*live, strict=True)
        outputs, variables, cotangents = (
            [lanes_as_axes(x, depth) for x in tensors] for tensors in (outputs, inputs, cotangents)
        )
        found = derivatives(outputs, variables, cotangents, keep_graph or record, record, True)
    return [
        zeros_like(x) if g is None else axes_as_lanes(g, depth)
        for x, g in zip(inputs, found, strict=True)
    ]


class Recording:
    """A call of ``function``, recorded from its arguments ``argnums`` on.

    ``inputs`` are the tracked leaves of these arguments, ``outputs`` the leaves of the result.
    ``name`` is the transform's, for messages.
    """

    def __init__(
        self,
        name: str,
        function: Function,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: int | Sequence[int],
        has_aux: bool,
    ) -> None:
        self.name = name
        self.called = function
        self.single = isinstance(argnums, int)
        places = self.places(argnums, len(args))
        self.inputs: list[Tensor] = []
        self.input_trees: list[TreeDef] = []
        self.from_outside = False  # whether an input is tracked by somebody else too
        call = list(args)
        with enable_grad():
            for place in places:
                leaves, tree = tree_flatten(args[place])
                given = [self.as_input(leaf, i, tree, place) for i, leaf in enumerate(leaves)]
                self.from_outside = self.from_outside or any(x.requires_grad for x in given)
                variables = [tracked(x) for x in given]
                call[place] = tree_unflatten(tree, variables)
                self.inputs += variables
                self.input_trees.append(tree.of_gradients())
            edges = [edge(x) for x in self.inputs]
            result = function(*call, **kwargs)
        if any(edge(x) is not at for x, at in zip(self.inputs, edges, strict=True)):
            raise GraphError(
                f"{name}: {self.function} changes an argument in place, by which it is to be"
                " differentiated; let it change a copy"
            )
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"{name}: with has_aux, {self.function} must return (output, aux), not"
                f" {shown(result)}"
            )
        output: Any
        self.aux: Any
        output, self.aux = result if has_aux else (result, None)
        leaves, tree = tree_flatten(output)
        self.outputs = [self.as_output(leaf) for leaf in leaves]
        self.output_tree = tree.of_gradients()

    def places(self, argnums: int | Sequence[int], count: int) -> list[int]:
        """``argnums`` as a list of numbers from 0, after a check."""
        wanted = [argnums] if isinstance(argnums, int) else list(argnums)
        for number in wanted:
            if not isinstance(number, int) or not -count <= number < count:
                raise ValueError(
                    f"{self.name}: argnums={argnums!r}, but {self.function} is called with {count}"
                    " positional arguments"
                )
        found = [number % count for number in wanted]
        if len(set(found)) < len(found):
            raise ValueError(f"{self.name}: argnums={argnums!r} names an argument twice")
        return found

    def as_input(self, leaf: Any, i: int, tree: TreeDef, place: int) -> Tensor:
        x = as_tensor(leaf)
        if x is None or not x.is_differentiable(x.value):
            name = parameter_names(self.called, place + 1)[place].removeprefix("argument ")
            raise TypeError(
                f"{self.name}: {tree.paths(f'argument {name}')[i]} of {self.function} is"
                f" {shown(leaf if x is None else x)}, and derivatives are by numbers of floating"
                " point only"
            )
        return x

    def as_output(self, leaf: Any) -> Tensor:
        if not isinstance(leaf, Tensor):
            raise TypeError(
                f"{self.name}: {self.function} must return a tensor, or a tree of tensors, not"
                f" {shown(leaf)}"
            )
        return leaf

    @property
    def function(self) -> str:
        return name_of(self.called)

    @cached_property
    def outer(self) -> bool:
        """Whether a derivative could be asked for its own derivative: by an input, as it was given,
        or by anything else that the outputs depend on."""
        return self.from_outside or _others_than(self.inputs, self.outputs)

    def records(self, *directions: Tensor) -> bool:
        """Whether to record the derivative along ``directions``."""
        return is_grad_enabled() and (any(d.requires_grad for d in directions) or self.outer)

    def result(self) -> Any:
        """What the function returned, as an outer graph knows it."""
        return self.output_tree_of([self.seen_outside(x) for x in self.outputs])

    def auxiliary(self) -> Any:
        """What it returned beside that."""
        return tree_map(self.seen_outside, self.aux)

    def seen_outside(self, x: Any) -> Any:
        return x.detach() if isinstance(x, Tensor) and not self.records() else x

    def with_aux(self, *results: Any, has_aux: bool) -> tuple[Any, ...]:
        return (*results, self.auxiliary()) if has_aux else results

    def output_tree_of(self, leaves: Sequence[Any]) -> Any:
        return tree_unflatten(self.output_tree, leaves)

    def input_trees_of(self, leaves: Iterable[Any]) -> tuple[Any, ...]:
        """A tree for each argument, of values that belong to the inputs."""
        rest = iter(leaves)
        return tuple(
            tree_unflatten(tree, [next(rest) for _ in range(tree.num_leaves)])
            for tree in self.input_trees
        )

    def by_arguments(self, leaves: Iterable[Any]) -> Any:
        """The tree for the one argument of ``argnums``, or a tuple of them for several."""
        trees = self.input_trees_of(leaves)
        return trees[0] if self.single else trees

    def cotangents(self, tree: Any) -> list[Tensor]:
        """The leaves of a cotangent of the output, checked."""
        leaves = self.output_tree.leaves_of(tree, f"{self.name}: the cotangent")
        return self.directions(leaves, self.outputs, self.output_tree, "the cotangent")

    def tangents(self, trees: Sequence[Any]) -> list[Tensor]:
        """The leaves of tangents of the arguments, checked."""
        if len(trees) != len(self.input_trees):
            raise ValueError(
                f"{self.name}: {len(trees)} tangents for {len(self.input_trees)} arguments"
            )
        found: list[Tensor] = []
        for i, (given, tree) in enumerate(zip(trees, self.input_trees, strict=True)):
            leaves = tree.leaves_of(given, f"{self.name}: tangent {i}")
            like = self.inputs[len(found) : len(found) + len(leaves)]
            found += self.directions(leaves, like, tree, f"tangent {i}")
        return found

    def directions(
        self, leaves: Sequence[Any], like: Sequence[Tensor], tree: TreeDef, root: str
    ) -> list[Tensor]:
        found = []
        for i, (leaf, x) in enumerate(zip(leaves, like, strict=True)):
            direction = as_tensor(leaf)
            if direction is None or direction.shape != x.shape:
                raise ShapeError(
                    f"{self.name}: {tree.paths(root)[i]} is {shown(leaf)}, and must have the shape"
                    f" {x.shape}"
                )
            if is_complex(direction) and not is_complex(x):
                raise TypeError(
                    f"{self.name}: {tree.paths(root)[i]} is complex, and what it belongs to is real"
                )
            found.append(direction if isinstance(leaf, Tensor) else direction.astype(x.dtype))
        return found


def _others_than(variables: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
    """Whether a gradient of ``outputs`` would flow to any leaf beside ``variables``."""
    seen = {edge(plain(variable)) for variable in variables}
    waiting = [edge(plain(output)) for output in outputs if output.requires_grad]
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        parents = getattr(target, "parents", None)
        if parents is None:  # a leaf
            return True
        waiting += [parent for parent in parents if parent is not None]
    return False


def as_tensor(leaf: Any) -> Tensor | None:
    """A tensor, array or number as a tensor; None of anything else."""
    if isinstance(leaf, Tensor):
        return leaf
    if isinstance(leaf, np.ndarray | np.generic | int | float | complex):
        return Tensor(leaf)
    return None


def shown(leaf: Any) -> str:
    """A leaf as messages name it."""
    if isinstance(leaf, Tensor):
        return f"{leaf.dtype} {leaf.shape}"
    return describe(leaf)


def name_of(function: Function) -> str:
    """What messages call a function."""
    return getattr(function, "__name__", None) or type(function).__name__


def parameter_names(function: Function, n: int) -> list[str]:
    """What the first n arguments of a call are called; their number where there is no name."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [repr(named[i]) if i < len(named) else f"argument {i}" for i in range(n)]
