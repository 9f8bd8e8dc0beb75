"""checkpoint: let go of what a function's graph has saved, and compute it again in backward."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import numpy as np

from ..engine.core import GraphError, Node, Variable, version_of
from ..engine.grad_mode import enable_grad, is_grad_enabled
from ..engine.observers import Observer, observers
from ..engine.operation import observing
from ..random import default_generator
from ..tensors.batched import resuming, running


def checkpoint(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)``, of which backward holds the inputs and not what lies between.

    The graph is recorded as ever, but what its nodes have saved is let go at once. When a backward
    pass first needs any of it, ``function`` is run again and every node gets its own back: memory
    of one function at a time, for about one more forward pass. (Chen et al. 2016.) Derivatives of
    any order are the same, to the bit. Without arguments, and so as ``@checkpoint``, it returns a
    function each of whose calls is checkpointed. They may nest.

    The arguments may be anything; ``function`` may use other tensors too, such as the parameters
    of a module. It must do the same again:

    - Random numbers repeat: the default generator, and those among the arguments, go back to where
      they stood, and afterwards to where they are. An op that draws from any other is an error.
      (Threads share the default generator: if several draw at once, give each one of its own.)
    - What the function changes in place, such as running statistics, the first run alone changes:
      after the second it is put back. The function must not depend on it, and not change an
      argument.
    - If a tensor that it uses was changed in place meanwhile by somebody else, or if the second
      run calls other ops on other shapes, backward raises ``GraphError``.

    >>> import tinytensor as tt
    >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> tt.func.checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    >>> bool((x.grad == tt.exp(x) * tt.cos(tt.exp(x))).all())
    True
    """
    if not args and not kwargs:

        @wraps(function)
        def checkpointed(*args: Any, **kwargs: Any) -> Any:
            return run(partial(function, *args, **kwargs), (args, kwargs))

        return checkpointed
    return run(partial(function, *args, **kwargs), (args, kwargs))


def run(call: partial[Any], arguments: Any) -> Any:
    """Call a function of ``arguments``, and let go of what its graph has saved."""
    if not is_grad_enabled():
        return call()
    leaves = [*_leaves(arguments)]
    generators = [default_generator(), *(x for x in leaves if isinstance(x, np.random.Generator))]
    first = _FirstRun(generators)
    states = [g.bit_generator.state for g in generators]
    with observing(first):
        out = call()
    if any(isinstance(x, Variable) and version_of(x) in first.state for x in leaves):
        raise GraphError("checkpoint: the function changes an argument in place")
    if first.nodes:
        again = partial(call.func, *_copied(call.args), **_copied(call.keywords))
        drawn = [(g, s) for g, s in zip(generators, states, strict=True) if _has_drawn(g, s)]
        _Checkpoint(again, first, drawn)
        for observer in observers.get():
            observer.freed()
    return out


class _FirstRun(Observer):
    """What the function does: the nodes that it records, what it uses, what it changes."""

    def __init__(self, generators: list[np.random.Generator]) -> None:
        self.generators = generators
        self.nodes: list[Node] = []
        self.made: set[Any] = set()  # the versions of what the function has made
        self.used: dict[Any, tuple[int, Any]] = {}  # of what it has not: their counts, and by what
        self.state: dict[Any, weakref.ref[Variable]] = {}  # what it has not made, but changed

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        for argument in (*args, *(static or {}).values()):
            if isinstance(argument, np.random.Generator):
                if not any(argument is known for known in self.generators):
                    raise ValueError(
                        f"checkpoint: {op.__name__} draws from a generator that is neither the"
                        " default one nor an argument of the function"
                    )
            elif isinstance(argument, Variable):
                version = version_of(argument)
                if version not in self.made:
                    self.used.setdefault(version, (version.count, op))
        self.made.update(version_of(output) for output in outputs if output.unshared)
        if node is not None:
            self.nodes.append(node)

    def changed(self, variable: Variable, by: str) -> str:
        version = version_of(variable)
        if version not in self.made:
            self.state.setdefault(version, weakref.ref(variable))
        return by


class _Checkpoint:
    """One call of a function, which can be run again. Its nodes hold it, and it holds none."""

    def __init__(self, call: partial[Any], first: _FirstRun, states: list[Any]) -> None:
        self.call, self.states = call, states
        self.vmaps = running()
        self.state = first.state
        self.used = [
            (version, *seen) for version, seen in first.used.items() if version not in self.state
        ]
        self.nodes = [(node.op, weakref.ref(node)) for node in first.nodes]
        self.name = getattr(call.func, "__name__", type(call.func).__name__)
        for node in first.nodes:
            node.saved = node.guards = None
            node.recompute = self

    @property
    def inputs(self) -> Any:
        """The arguments that it keeps."""
        return (self.call.args, self.call.keywords)

    def __call__(self) -> None:
        """Bring back what every node had saved."""
        for version, count, op in self.used:
            if version.count != count:
                by = version.changed_by
                raise GraphError(
                    f"checkpoint: an argument of {op.__name__} in {self.name!r} was changed in"
                    f" place by {by} after the call, and is needed to run it again"
                )
        alive = [variable for held in self.state.values() if (variable := held()) is not None]
        state = [(v, v.value, np.array(v.value), version_of(v).count) for v in alive]
        now = [(generator, generator.bit_generator.state) for generator, _ in self.states]
        second = _SecondRun(self)
        try:
            _set(self.states)
            with enable_grad(), observing(second, first=True), resuming(self.vmaps):
                self.call()
            second.done()
        except Exception as error:
            second.forget()
            error.add_note(f"(while checkpoint ran {self.name!r} again)")
            raise
        finally:
            _set(now)
            second.put_hooks_back()
            for variable, array, value, count in state:
                array[...] = value
                variable.value, version_of(variable).count = array, count


_NOTHING: tuple[Any, Any] = (None, None)
stand_ins: set[Callable[..., Any]] = set()  # of ops whose output stands for their last input


class _SecondRun(Observer):
    """Splices what is recorded now into the graph of the first run, node by node."""

    def __init__(self, owner: _Checkpoint) -> None:
        self.owner = owner
        self.expected = iter(owner.nodes)
        self.filled: list[Any] = []
        self.hooks: list[tuple[Any, int]] = []

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        if node is None:
            return
        known, reference = next(self.expected, _NOTHING)
        if known is not op:
            raise self.difference(f"calls {op.__name__}, where {_name(known)} was called")
        original: Any = reference() if reference is not None else None
        if original is None:
            return  # nobody can ask for it
        if original.spec != node.spec:
            raise self.difference(
                f"calls {op.__name__} with another result: {node.spec}, not {original.spec}"
            )
        if not all(map(_same, original.parents, node.parents)):
            raise self.difference(f"calls {op.__name__} on what other ops have made")
        self.hooks.append((original, len(original.hooks or ())))
        if original.recompute is self.owner:  # otherwise a backward pass is done with it
            original.saved, original.guards, original.recompute = node.saved, node.guards, None
            self.filled.append(original)
        original.attach(outputs)

    def difference(self, what: str) -> GraphError:
        return GraphError(f"checkpoint: run again, {self.owner.name!r} {what}")

    def done(self) -> None:
        missing, _ = next(self.expected, _NOTHING)
        if missing is not None:
            raise self.difference(f"ends, where {_name(missing)} was called")

    def forget(self) -> None:
        for node in self.filled:
            node.saved, node.recompute = None, self.owner

    def put_hooks_back(self) -> None:
        """The second run may have registered those of the first once more."""
        for node, count in self.hooks:
            if node.hooks:
                del node.hooks[count:]


def _name(op: Any) -> str:
    return "nothing" if op is None else op.__name__


def _same(a: Any, b: Any) -> bool:
    """Whether two parents are one: nodes of single outputs are made anew by each ``attach``, and a
    leaf may have been stood for in the first run."""
    if a is b or not isinstance(a, Node):
        return a is b
    if not isinstance(b, Node):
        return a.op.__wrapped__ in stand_ins and a.parents[-1] is b
    return a.plan is None and b.plan is None and a.parents == b.parents and a.index == b.index


def _has_drawn(generator: np.random.Generator, state: Any) -> bool:
    """Whether a generator has left a state; one that has not is left alone: others may share it."""
    return pickle.dumps(generator.bit_generator.state) != pickle.dumps(state)


def _set(states: list[Any]) -> None:
    for generator, state in states:
        generator.bit_generator.state = state


def _copied(tree: Any) -> Any:
    """The containers of a tree anew: the caller may change them before backward."""
    if type(tree) is dict:
        return {key: _copied(value) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(_copied, tree))
    return tree


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list | tuple):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(item)
    else:
        yield tree
