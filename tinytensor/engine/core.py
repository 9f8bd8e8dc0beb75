"""The autograd engine: variables, the nodes of a recorded graph, and the backward pass.

The engine knows nothing of arrays. It adds cotangents with ``+`` and leaves the rest to the class
of the variable (its *family*): making a seed, zeros, and fitting a cotangent to a parent's shape.
So the same file differentiates Python floats (``scalar.Value``) and tensors. ``core.pxd`` gives
Cython the types, and a build compiles this very file; ``TINYTENSOR_PURE=1`` runs it interpreted."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from .grad_mode import grad_enabled
from .observers import current_observers, pull_observed, tell_changed

if __file__.endswith(".py"):
    from . import interpreted as cython
else:
    import cython  # type: ignore[no-redef]

compiled = not __file__.endswith(".py")
starts_empty = compiled  # a new object of a compiled class holds None, False and 0
ALL = -1  # the slot of a rule that returns the cotangents of several parents


class GraphError(RuntimeError):
    """The recorded graph cannot answer: freed, changed in place, or never recorded."""


# --- Variables -------------------------------------------------------------------------------


class Version:
    """Counts the in-place changes of one storage, which a value shares with its views.
    ``recorded`` counts those that the graph recorded: each gives all views of it new nodes."""

    __slots__ = ("changed_by", "count", "instead", "recorded")


def version_of(variable):
    """The variable's version, made when somebody first asks for it."""
    if variable.version is None:
        version = Version.__new__(Version)
        version.count = version.recorded = 0
        with cython.critical_section(variable):
            if variable.version is None:  # no other thread was first
                variable.version = version
    return variable.version


class Variable:
    """A value that ops can record: a leaf that wants a gradient, an op's output, or a constant.

    slot       what it says                                   written by            read by
    value      the raw value; under vmap that of all lanes    wrap, data            every call
    tracked    gradients flow to it                           requires_grad, calls  calls, backward
    node       the call that made it; None: a leaf            calls, refresh        edge
    grad       the gradient, of a leaf or a retained one      backward              the user
    hooks      of a leaf (a node has its own)                 register_hook         backward
    version    counts changes of the storage, with views      version_of, views     nodes, refresh
    view_of    the call of which this is a view, or None      calls of view ops     refresh
    as_of      the version's ``recorded`` for its node        calls, refresh        edge, calls
    unshared   an op made it; nobody else holds the storage   calls                 owned
    rounded    ops compute in more bits than it has           families              calls
    level      0; above, the class says how ops are called    vmap                  calls
    """

    __slots__ = ("__weakref__", "as_of", "grad", "hooks", "level", "node", "rounded", "tracked",
                 "unshared", "value", "version", "view_of")  # fmt: skip

    def __init__(self, value: Any, requires_grad: bool = False) -> None:
        self.value, self.level, self.as_of = value, 0, 0
        self.grad = self.node = self.version = self.hooks = self.view_of = None  # type: Any
        version_of(self)  # now: several threads may share a leaf
        self.tracked = self.unshared = self.rounded = False
        if requires_grad:
            self.requires_grad = True

    @property
    def storage(self) -> Any:
        """The raw value, as views share it. Assigning another one counts as a change in place."""
        return self.value

    @storage.setter
    def storage(self, value: Any) -> None:
        self.value = value
        self.changed("an assignment to data")

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this variable. Only a leaf can stop wanting them."""
        return edge(self) is not None and self.tracked  # the edge first: it may be another now

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if edge(self) is not self and not wanted:
            raise GraphError("requires_grad: an op made this variable; use detach()")
        if wanted and not self.is_differentiable(self.value):
            raise TypeError(f"requires_grad: a value such as {self!r} can have no gradient")
        self.tracked = bool(wanted)
        self.hooks = self.hooks or (None if self.conjugated() is self else [])  # see BackwardPass

    def changed(self, by: str, instead: str = "x.at[…] copies") -> None:
        """Note that ``by`` changed the value in place, and what to do ``instead``."""
        version = version_of(self)
        version.count, version.instead = version.count + 1, instead
        version.changed_by = tell_changed(self, by) if current_observers() else by

    def detach(self) -> Any:
        """The same value outside the graph; it shares the storage, and so the version."""
        other = wrap(type(self).family, self.storage)
        other.version, other.rounded = version_of(self), self.rounded
        other.as_of = other.version.recorded
        return other

    def register_hook(self, hook: Callable[..., Any]) -> Callable[[], None]:
        """Call ``hook(gradient)`` once the gradient is known; what it returns, if not None, takes
        the gradient's place. Returns a function that takes the hook away."""
        owner = edge(self)
        if not self.tracked:
            raise GraphError("register_hook: this variable does not require a gradient")
        hooks = owner.hooks = owner.hooks or []
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None

    def retain_grad(self) -> None:
        """Keep this variable's gradient in ``grad`` although an op made it."""
        if edge(self) is not self and not self.retains_grad:
            self.register_hook(weakref.ref(self))  # a node never holds its own output: no cycles

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad`` was called."""
        return edge(self) is not self and weakref.ref(self) in (self.node.hooks or ())

    def backward(self, gradient: Any = None, retain_graph: bool | None = None,
                 create_graph: bool = False, inputs: Any = None) -> None:  # fmt: skip
        """Add to the ``grad`` of every leaf the derivative of this variable, times ``gradient``.

        ``gradient`` may be left out for a single number. What was saved is freed unless
        ``retain_graph``; ``create_graph`` records backward itself, for higher derivatives (a
        constant gradient has zeros); only ``inputs`` are added to."""
        wanted = None if inputs is None else as_tuple(inputs)
        found = backpropagate((self,), (gradient,), wanted, retain_graph, create_graph)
        if wanted is not None:
            found = {x: found[edge(x)] for x in wanted if edge(x) in found and not x.retains_grad}
        for variable, gradient in found.items():
            add_to_grad(variable, gradient, create_graph)

    # What a family of values answers; ``family.py`` says what each of these means.
    family = spec = has_spec = add_into = widened = is_narrow = shares = None  # type: Any

    # fmt: off
    def conjugated(self, of: Any = None) -> Any: return self
    def fitted(self, spec: Any) -> Any: return self
    def copied(self) -> Any: return self
    @classmethod
    def is_differentiable(cls, value: Any) -> bool: return True
    @classmethod
    def explained(cls, op: Any, error: Exception, values: Any) -> Exception: return error
    # fmt: on


def wrap(family: Any, value: Any) -> Any:
    """A new constant of ``family`` around a raw value."""
    variable = family.__new__(family)
    variable.value = value
    if not starts_empty:
        variable.grad = variable.node = variable.hooks = variable.version = variable.view_of = None
        variable.tracked = variable.unshared = variable.rounded = False
        variable.level = variable.as_of = 0
    return variable


def edge(variable: Variable) -> Any:
    """Where cotangents of ``variable`` arrive: the node that made it, or the leaf itself."""
    if variable.version is not None and variable.version.recorded != variable.as_of:
        refresh(variable)
    return variable if variable.node is None else variable.node


def refresh(variable: Any) -> None:
    """Give a view the node that the last recorded change of its storage in place left it with."""
    if variable.view_of is not None:
        again = variable.again()
        variable.node, variable.tracked = again.node, again.tracked
    variable.as_of = variable.version.recorded


def as_tuple(variables: Any) -> tuple[Any, ...]:
    return (variables,) if isinstance(variables, Variable) else tuple(variables)


def add_to_grad(variable: Any, gradient: Any, recorded: bool) -> None:
    """Add to the variable's ``grad``. Its sum so far is taken away meanwhile, so that threads never
    add to the same one; if another thread has left its own there, that is added, too."""
    if recorded and not gradient.tracked:
        gradient = gradient.identity(owned(gradient), variable)
    while gradient is not None:
        with cython.critical_section(variable):
            total, variable.grad = variable.grad, None
        try:
            if total is None:
                total = owned(gradient)
            elif total.tracked or gradient.tracked:
                total = total + gradient
            else:
                _ = current_observers() and total + gradient  # an op, of which they are told
                total = add_into(total, gradient)
        finally:
            with cython.critical_section(variable):
                gradient, variable.grad = variable.grad, total


def add_into(total: Any, other: Any) -> Any:
    """``total + other``, in the storage of total, which the engine owns alone."""
    into = type(total).add_into
    if into is None or total.level or other.level or not into(total.value, other.value):
        return total + other
    total.changed("the accumulation of a gradient")
    return total


def owned(gradient: Any, given: Any = ()) -> Any:
    """``gradient`` in storage of its own, or a read-only view of a cotangent that was ``given``."""
    if not gradient.unshared and not gradient.tracked:
        return gradient.detach() if gradient.version in given else gradient.copied()
    gradient.unshared = False
    return gradient


# --- The recorded graph ----------------------------------------------------------------------


class Node:
    """One recorded call of an op: where cotangents go on to, and what its rules need for that.

    ``parents`` are the nodes (or leaves) of the inputs that need gradients. ``depth`` is 1 more
    than theirs, so nothing can still reach the deepest node that is pending. A call with several
    outputs has a node for the call and, above it, one without a plan for each output. ``where`` is
    the line of user code, if an observer noted it. ``recompute()`` can bring ``saved`` back."""

    __slots__ = ("__weakref__", "depth", "guards", "hooks", "index", "op", "parents", "plan",
                 "recompute", "saved", "spec", "where")  # fmt: skip

    def attach(self, outputs):
        """Make this the node behind the outputs of its call."""
        for i, output in enumerate(outputs):
            if self.op.outputs == 1:
                output.node, output.tracked = self, True
            elif self.op.family.is_differentiable(output.value):
                output.node = new_node(self.op, None, (self,), self.spec[i], i)
                output.tracked = True

    def place(self):
        """Where the call stands, for error messages."""
        return f" at {self.where}" if self.where else ""

    def restore(self):
        """The saved things as the rules want them, after checking that none has changed."""
        while self.saved is None and self.recompute is not None:
            self.recompute()
        restored = self.saved
        if restored is None:
            raise GraphError(
                f"{self.op.__name__}: a second backward pass, after the first one freed what the"
                " graph had saved; pass retain_graph=True to the first"
            )
        for version, count, name in self.guards:
            if version.count != count:
                raise GraphError(
                    f"{self.op.__name__}: {name!r}, which its gradient needs, was changed in place"
                    f" by {version.changed_by} after the call{self.place()}; {version.instead}"
                )
        if self.plan.out_at >= 0:  # only values are held: holding the outputs would be a cycle
            restored, out = list(restored), []
            for value, version, narrow in restored[self.plan.out_at]:
                out.append(wrap(self.op.family, value))
                out[-1].version, out[-1].rounded = version, narrow
            self.attach(out)
            restored[self.plan.out_at] = out[0] if self.op.outputs == 1 else tuple(out)
        return restored

    def pull(self, g, useful):
        """The cotangents of the parents from that of the output: run the rules."""
        plan = self.plan
        restored = self.restore() if plan.names else []
        cotangents = [None] * len(self.parents)
        for slot, rule, places in plan.rules:
            if slot != ALL and useful is not None and self.parents[slot] not in useful:
                continue
            try:
                if len(places) == 1:  # the compiled engine makes no tuple of so few
                    got = rule(g, restored[places[0]])
                else:
                    got = rule(g, *[restored[place] for place in places])
            except Exception as error:
                error.add_note(f"(in the backward pass of {self.op.__name__}{self.place()})")
                raise
            if slot != ALL:
                cotangents[slot] = got
            else:
                count = len(cotangents) if plan.picks is None else len(plan.needs)
                given = len(got) if isinstance(got, (list, tuple)) else f"one {type(got).__name__}"
                if given != count:
                    wanted = f"its gradient rule must return {count} cotangents, not {given}"
                    raise ValueError(f"{self.op.__name__}: {wanted}")
                cotangents = list(got) if plan.picks is None else [got[i] for i in plan.picks]
        return cotangents

    def misfit(self, i, cotangent, error):
        """``error``, raised where a rule's ``cotangent`` went on to parent i, in the op's words."""
        op, names = self.op, self.plan.inputs
        name = f"{names[0]}[{i}]" if op.variadic else names[i]
        if not isinstance(cotangent, Variable):
            error = TypeError(f"{type(cotangent).__name__}, not a variable")
        error.args = (f"{op.__name__}: its gradient rule for {name!r} returned {error}",)
        return error


def new_node(op, plan, parents, spec, index):
    node = Node.__new__(Node)
    node.op, node.plan, node.parents, node.spec, node.index = op, plan, parents, spec, index
    if not starts_empty:
        node.hooks = node.saved = node.guards = node.where = node.recompute = None
    node.depth = 1
    for parent in parents:
        if isinstance(parent, Node):
            node_parent = parent
            node.depth = max(node.depth, node_parent.depth + 1)
    return node


# --- The backward pass -----------------------------------------------------------------------


class BackwardPass:
    """The cotangents that are known but not yet passed on, and a heap of the nodes they wait at."""

    def __init__(self, outputs, wanted, create_graph):
        self.observers, self.family = current_observers(), type(outputs[0]).family
        self.by_ops = create_graph or bool(self.observers)  # cotangents are added by an op
        self.spec_of, self.has_spec = self.family.spec, self.family.has_spec
        self.owned = set()  # where the pending cotangent is a sum that only this pass holds
        # The heap is of (-depth, a number that breaks ties, node): heapq pops the smallest.
        self.pending, self.heap, self.pushed = {}, [], 0
        self.wanted = () if wanted is None else {edge(variable) for variable in wanted}
        self.useful = None if wanted is None else self.leading_to_wanted(outputs)

    def leading_to_wanted(self, outputs):
        """What of the graph lies on a way from ``outputs`` to what is wanted."""
        useful, seen = set(self.wanted), set()
        stack = [(edge(output), False) for output in outputs]
        while stack:
            target, parents_done = stack.pop()
            if not isinstance(target, Node):
                continue
            if parents_done:
                if not useful.isdisjoint(target.parents):
                    useful.add(target)
            elif target not in seen:
                seen.add(target)
                stack += [(target, True), *[(parent, False) for parent in target.parents]]
        return useful

    def deliver(self, target, cotangent):
        """Add ``cotangent`` to what waits at ``target``, a node or a leaf."""
        if isinstance(target, Node):
            node = target
            spec = node.spec
        else:
            variable = target
            spec = None if self.spec_of is None else self.spec_of(variable.value)
        if spec is not None and (cotangent.level or not self.has_spec(cotangent.value, spec)):
            cotangent = cotangent.fitted(spec)
        total = self.pending.get(target)
        if total is None:
            self.pending[target] = cotangent
            if isinstance(target, Node):
                self.pushed += 1
                heappush(self.heap, (-node.depth, self.pushed, node))
        elif self.by_ops or target not in self.owned:
            self.pending[target] = total + cotangent
            self.owned.add(target)
        else:
            self.pending[target] = add_into(total, cotangent)

    def deliver_output(self, output, cotangent):
        """Hand ``cotangent`` to the call of which ``output`` is one of several outputs."""
        call = output.parents[0]
        if call not in self.pending:
            self.pending[call] = [None] * len(call.spec)
            self.pushed += 1
            heappush(self.heap, (-call.depth, self.pushed, call))
        arrived = self.pending[call]
        first = arrived[output.index]  # not None: a rule has restored the output with another node
        arrived[output.index] = cotangent if first is None else first + cotangent

    def run(self, retain_graph):
        """Pass everything on, deepest node first; returns what arrived at leaves and wanted."""
        kept = {}
        while self.heap:
            node = heappop(self.heap)[2]
            g = self.pending.pop(node)
            self.owned.discard(node)
            if node.hooks:
                g = run_hooks(node.hooks, g.conjugated(node)).conjugated()
            if self.useful is not None and node in self.wanted:
                kept[node] = g.conjugated(node)
                if self.useful.isdisjoint(node.parents):
                    continue
            if node.plan is None:
                self.deliver_output(node, g)
                continue
            if isinstance(g, list):
                g = tuple([self.family.zeros(s) if c is None else c for s, c in zip(node.spec, g)])
            pulled = pull_observed(self, node, g) if self.observers else node.pull(g, self.useful)
            if not retain_graph:
                node.saved = node.recompute = None
            try:
                for i, parent in enumerate(node.parents):
                    if parent is not None and pulled[i] is not None:
                        self.deliver(parent, pulled[i])
            except (ValueError, TypeError, AttributeError) as error:
                raise node.misfit(i, pulled[i], error) from None
        for leaf, g in self.pending.items():
            if self.useful is None or leaf in self.wanted:
                as_is = leaf.hooks is None and not leaf.rounded
                kept[leaf] = g if as_is else run_hooks(leaf.hooks or [], g.conjugated(leaf))
        return kept


def run_hooks(hooks: list[Any], gradient: Any) -> Any:
    for hook in hooks[:]:
        if not isinstance(hook, weakref.ref):
            replacement = hook(gradient)
            gradient = gradient if replacement is None else gradient.seed(replacement).conjugated()
            gradient.unshared = False  # the hook may have kept it
    for hook in hooks:
        if isinstance(hook, weakref.ref) and hook() is not None:  # of what retains its gradient
            add_to_grad(hook(), gradient, grad_enabled.get())
    return gradient


def backpropagate(outputs, cotangents, wanted, retain_graph, create_graph):
    """Run backward: the gradients of all leaves, or of the edges of ``wanted``."""
    for variable in outputs if wanted is None else (*outputs, *wanted):
        if not isinstance(variable, Variable):
            raise TypeError("backward: outputs and inputs must be variables")
    for output in outputs:
        if edge(output) is None or not output.tracked:
            raise GraphError("backward: nothing that the output depends on requires a gradient")
    work = BackwardPass(outputs, wanted, create_graph)
    mode = grad_enabled.set(create_graph)
    try:
        for i, output in enumerate(outputs):
            work.deliver(edge(output), output.seed(cotangents[i]))
        return work.run(create_graph if retain_graph is None else retain_graph)
    finally:
        grad_enabled.reset(mode)
        for observer in work.observers:
            observer.passed(work)
