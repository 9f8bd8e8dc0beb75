"""Operations: a forward function with a gradient rule for each input, and what a call records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Self

from ..decorating import parameters_of
from .core import ALL, GraphError, Variable, as_tuple, edge, new_node, refresh, version_of, wrap
from .grad import derivatives
from .grad_mode import enable_grad, grad_enabled
from .observers import Observer, observers
from .plan import Plan

if __file__.endswith(".py"):
    from . import interpreted as cython
else:
    import cython  # type: ignore[no-redef]

is_enabled = grad_enabled.get
# The positions of a rule's `out`, `needs` and `x_shape` among what a call can save. x is the first
# argument; the shape of the next one is at SHAPE - 1.
OUT, NEEDS, SHAPE = -1, -2, -3
# What a forward function may raise because of its arguments.
BAD_INPUT = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
MANY = 0  # as many outputs as the forward function returns
SOMETIMES = 2  # of a view: it may be a copy as well
UNRECORDED = (None,)  # what a view made under no_grad is a view of: a constant
scalars: Any = ()  # types of numbers that ``settled`` makes Python's; it makes arrays, too
settled: Any = None
observed = 0  # how many ``observing`` contexts are open, in all threads: a call asks no more
_counting = Lock()


def plan_of(op, inputs):
    """The plan for when these inputs, given by number, need gradients."""
    plan = Plan.__new__(Plan)
    plan.spec_of = op.family.spec
    names = plan.inputs = [op.names[i] for i in inputs]
    for name in names:
        if name not in op.rules:
            raise GraphError(f"{op.__name__}: {name!r} has no gradient; pass it detached")
    if op.joint is not None:
        rule, saved, among = op.joint
        plan.needs = tuple([name in names for name in among])
        plan.picks = [among.index(name) for name in names]
        wanted = [(ALL, rule, saved)]
    else:
        plan.needs = plan.picks = None
        rules = [(ALL if op.variadic else i, op.rules[name]) for i, name in enumerate(names)]
        wanted = [(slot, *rule) for slot, rule in rules]
    saved_names = list(dict.fromkeys([name for _, _, saved in wanted for name in saved]))
    plan.names = tuple(saved_names)
    plan.positions = tuple([op.position(name) for name in saved_names])
    plan.out_at = saved_names.index("out") if "out" in saved_names else -1
    place = saved_names.index
    plan.rules = [(slot, rule, tuple(map(place, saved))) for slot, rule, saved in wanted]
    return plan


class Op:
    """A differentiable operation: a forward function of raw values, and its gradient rules.

    A rule's parameters after the cotangent name what it needs: parameters of the forward function,
    ``out``, ``x_shape`` of the input x that the rule is for, ``residuals`` that the forward returns
    behind its ``outputs``, or ``notes``, functions of the arguments that are asked where a call is
    recorded. An op without rules returns constants.
    A ``view`` shares the storage of its first argument (SOMETIMES: or is a copy; the family tells).
    The first parameter of a ``variadic`` op is a sequence of inputs, and its rule returns one of
    cotangents. Where a ``kernel`` is the whole forward, the function names its parameters and tells
    what it does, and ``explain`` says what is wrong with the shapes that it refused.
    """

    def __init__(
        self, forward, outputs=1, residuals=(), notes=None, view=False, variadic=False,
        kernel=None, explain=None, family=None,
    ):  # fmt: skip
        self.forward = forward if kernel is None else kernel
        self.explain, self.outputs = explain, outputs
        self.residuals = tuple(residuals)
        self.notes = notes or {}
        self.view, self.may_copy = view, view == SOMETIMES
        self.family, self.joint = family, None
        self.rules, self.plans = {}, {}
        self.batching = self.formula = None
        self.synonyms, self.operands = {}, -1  # which arguments have rules, as bits; none: all
        self.__name__ = self.__qualname__ = forward.__name__
        self.__module__, self.__doc__ = forward.__module__, forward.__doc__
        self.__wrapped__, self.variadic = forward, variadic
        names, rest, self.static, self.defaults = parameters_of(forward)
        self.names = names + rest
        if variadic:  # the inputs stand in the call's frame as one thing
            self.names, self.static = self.names[:1], self.names[1:] + self.static
        self.known = [*self.names, *self.static]
        self.arity = -1 if self.static else len(self.names)
        self.tail = tuple([d for n, d in self.defaults.items() if n in self.names])
        self.dtype_at = self.names.index("dtype") if "dtype" in self.names else -1

    # fmt: off
    def __repr__(self) -> str: return f"<op {self.__name__}>"
    def __get__(self, instance: object, owner: object) -> Self: return self  # a routine, to help()
    def __call__(self, *args: Any, **kwargs: Any) -> Any: return self.call(args, kwargs)
    # fmt: on

    def grad(self, **rules: Callable[..., Any] | None) -> Self:
        """Declare a rule for each named parameter; None says that the derivative is zero."""
        for name, rule in rules.items():
            self.rules[name] = (zero, ()) if rule is None else (rule, self.named_by(rule))
        self.plans, self.operands = {}, sum([1 << self.position(n) for n in self.rules])
        return self

    def grad_all(self, inputs: Sequence[str], rule: Callable[..., Any]) -> Self:
        """Declare one rule that returns the cotangents of all ``inputs``, which share work.
        It may name ``needs``, a tuple that says which of them will be used."""
        return self._grad_jointly(inputs, rule, self.named_by(rule))

    def defined_by(self, formula: Callable[..., Any]) -> Self:
        """Take the gradients from ``formula``, a function of the same parameters, made of ops."""
        self.formula = self.formula or formula

        def pull_through_formula(g, *args):
            create_graph = grad_enabled.get()
            with enable_grad():
                # At its aliases the inner backward pass stops, and the graph of a derivative goes
                # on through them into the outer graph.
                own = [alias(a.wide() if a.rounded else a) if is_tracked(a) else a for a in args]
                inputs = [a for a in own if is_tracked(a)]
                out = as_tuple(formula(*own))
            # An output of several may depend on nothing but what wants no gradient.
            pairs = [(o, c.conjugated()) for o, c in zip(out, as_tuple(g)) if is_tracked(o)]
            if not pairs:
                return [None] * len(args)
            out, g = zip(*pairs)
            found = derivatives(out, inputs, g, create_graph=create_graph, allow_unused=True)
            passed = iter([None if got is None else got.conjugated() for got in found])
            return [next(passed) if is_tracked(a) else None for a in args]

        return self._grad_jointly(self.names, pull_through_formula, tuple(self.names))

    def _grad_jointly(self, inputs, rule, names):
        self.joint = (rule, names, tuple(inputs))
        self.rules = dict.fromkeys(inputs, self.joint)
        self.plans, self.operands = {}, sum([1 << self.position(n) for n in inputs])
        return self

    def batched(self, rule: Any = None, formula: Any = None) -> Self:
        """Declare what the op does with all lanes of a vmap at once: ``ops/batching.py`` says how.
        A ``formula``, a function of the same parameters made of ops, is called for one lane."""
        self.batching, self.formula = rule, formula or self.formula
        return self

    def named_by(self, rule):
        """The names that a rule's signature asks for, behind the cotangent."""
        names = tuple(parameters_of(rule)[0][1:])
        for name in names:
            self.position(name)
        return names

    def position(self, name):
        """Where a name stands in the frame of a call: arguments, static ones, residuals."""
        frame = [*self.names, *self.static, *self.residuals, *self.notes]
        others = {"out": OUT, "needs": NEEDS}
        others |= {f"{input}_shape": SHAPE - i for i, input in enumerate(self.names)}
        if name not in frame and name not in others:
            raise TypeError(f"{self.__name__}: a gradient rule names {name!r}; there are {frame}")
        return frame.index(name) if name in frame else others[name]

    def bind(self, args, kwargs):
        """The op that the call is of, all its arguments in order, and the static ones by name."""
        names = self.known if self.variadic else self.names
        if len(args) > len(names):
            raise TypeError(f"{self.__name__}: takes {len(names)} arguments, not {len(args)}")
        bound = dict(zip(names, args))
        for name, value in kwargs.items():
            name = self.synonyms.get(name, name)
            if name in bound or name not in self.known:
                return respelled(self, args, kwargs)
            bound[name] = value
        bound = {**self.defaults, **bound}
        if len(bound) < len(self.known):
            missing = [name for name in self.known if name not in bound]
            raise TypeError(f"{self.__name__}: argument {missing[0]!r} is missing")
        return self, tuple([bound[n] for n in self.names]), {n: bound[n] for n in self.static}

    def call(self, args, kwargs):
        """Run the forward function on the raw values; record the call if it needs a gradient."""
        static: Any = None
        missing = self.arity - len(args)
        if 0 < missing <= len(self.tail) and not kwargs:
            args = args + self.tail[-missing:]
        elif missing or kwargs:
            self, args, static = self.bind(args, kwargs)
        if self.variadic:
            args = tuple(args[0])
        needing, bit, level = 0, 1, 0  # the arguments that need gradients, as bits
        narrow, foreign, plain = False, False, True  # one is narrow, is of scalars; no variables
        family = self.family
        for arg in args:
            if arg is None or arg is False:
                pass
            elif type(arg) is family or isinstance(arg, Variable):
                variable = cython.cast(Variable, arg)
                if variable.version is not None and variable.version.recorded != variable.as_of:
                    refresh(variable)
                if variable.level > level:
                    level, highest = variable.level, variable
                plain = False
                narrow = narrow or variable.rounded
                if variable.tracked:
                    needing |= bit
            elif type(arg) is not float and type(arg) is not int:
                listed = type(arg) is list or (bit & self.operands and type(arg) is tuple)
                foreign = foreign or listed or (type(arg) is not bool and isinstance(arg, scalars))
            bit <<= not self.variadic
        if foreign or plain:
            args = tuple(settled(self, args))
        if level:
            return type(highest).called(self, args, static, level)
        if self.family is None and not plain:
            self.family = type(variable).family
        forward = self.forward
        # A dtype may make the output narrow, whatever the arguments are.
        if narrow or plain or (self.dtype_at >= 0 and args[self.dtype_at] is not None):
            narrow = self.family.widened is not None
            if narrow:
                forward = self.family.widened(self)
        if observed:
            tell_of_call(self, args, static, None)
        try:
            if self.variadic:
                got = forward([raw(arg) for arg in args], **(static or {}))
            elif static:
                got = forward(*[raw(arg) for arg in args], **static)
            elif len(args) == 1:  # the compiled engine makes no list of so few
                got = forward(raw(args[0]))
            elif len(args) == 2:
                got = forward(raw(args[0]), raw(args[1]))
            elif len(args) == 3:
                got = forward(raw(args[0]), raw(args[1]), raw(args[2]))
            elif len(args) == 4:
                got = forward(raw(args[0]), raw(args[1]), raw(args[2]), raw(args[3]))
            else:
                got = forward(*[raw(arg) for arg in args])
        except BAD_INPUT as error:
            raise self.family.explained(self, error, [raw(arg) for arg in args]) from error
        if needing and not (self.rules and is_enabled()):
            needing = -1
        if self.outputs != 1:
            return self.wrap_all(args, static, needing, got, narrow)
        residuals: Any = ()
        if self.residuals:
            got, residuals = got[0], got[1:]
        variable = wrap(self.family, got)
        if self.view:
            self.share(args, static, variable, 0, needing < 0)
        else:
            variable.unshared = True
        if narrow:
            variable.rounded = self.family.is_narrow(got)
        if needing > 0:
            variable.node = self.record(args, static, needing, residuals, variable)
            variable.tracked = True
        if observed:
            tell_of_call(self, args, static, (variable,))
        return variable

    def wrap_all(self, args, static, needing, got, narrow):
        """The outputs of a call whose forward returns several, and residuals behind them."""
        values = got if self.outputs == MANY else got[: self.outputs]
        out = tuple([wrap(self.family, value) for value in values])
        for place, variable in enumerate(out):
            if self.view:
                self.share(args, static, variable, place, needing < 0)
            else:
                variable.unshared = True
            if narrow:
                variable.rounded = self.family.is_narrow(variable.value)
        if needing > 0:
            self.record(args, static, needing, got[len(out) :], out).attach(out)
        if observed:
            tell_of_call(self, args, static, out)
        return out

    def share(self, args, static, view, place, constant):
        """Let a change of ``view`` count as one of its source, whose storage it shares, and note
        how output ``place`` of this call is made of that. Not recorded, it is a ``constant``."""
        first = args[place] if self.variadic else args[0]
        if not isinstance(first, Variable):
            return
        source = first
        if type(view.value) is not type(source.value):  # of a number; give it storage to share
            got = self.forward(source.storage, *args[1:], **(static or {}))
            view.value = got[0] if self.residuals else got
        if self.may_copy and not self.family.shares(view.value, source.value):
            view.unshared = True
            return
        view.version = version_of(source)
        view.as_of = view.version.recorded
        if constant:
            view.view_of = UNRECORDED
            return
        rest = None if self.variadic else args[1:]  # with None, it cannot be made again
        view.view_of = (source.view_of or source, self, rest, static, place)

    def record(self, args, static, needing, residuals, out):
        """The node of a call: its parents, and exactly what the rules that can run name. ``out`` is
        the output, or the tuple of several."""
        plan = self.plans.get(needing)
        if plan is None:
            inputs = [i for i in range(len(self.names)) if needing >> i & 1]
            plan = self.plans[needing] = plan_of(self, inputs)
        parents = []
        for arg in args:
            if isinstance(arg, Variable) and cython.cast(Variable, arg).tracked:
                parents.append(edge(cython.cast(Variable, arg)))
            elif self.variadic:
                parents.append(None)
        if plan.spec_of is None:
            spec = None if self.outputs == 1 else [None] * len(out)
        elif self.outputs == 1:
            spec = plan.spec_of(raw(out))
        else:
            spec = [plan.spec_of(variable.value) for variable in out]
        node = new_node(self, plan, tuple(parents), spec, 0)
        if plan.positions:
            self.save(node, args, static, residuals, out)
        return node

    def save(self, node, args, static, residuals, out):
        """Keep in ``node`` what its plan names, and the versions that backward must find again."""
        saved, guards = [], []
        plan = node.plan
        first_static = len(self.names)
        first_residual = first_static + len(self.static)
        first_note = first_residual + len(self.residuals)
        for slot, position in enumerate(plan.positions):
            if position == OUT:
                saved.append([(v.value, version_of(v), v.rounded) for v in as_tuple(out)])
                guards += [guard(variable, "out") for variable in as_tuple(out)]
            elif position == NEEDS:
                saved.append(plan.needs)
            elif position <= SHAPE:
                saved.append(plan.spec_of(raw(args[SHAPE - position]))[0])
            elif first_residual <= position < first_note:
                saved.append(residuals[position - first_residual])
            elif first_static <= position < first_residual:
                saved.append(static[self.static[position - first_static]])
            elif self.variadic and position < first_static:
                family = self.family
                saved.append([stand_in(a, family) if isinstance(a, Variable) else a for a in args])
                name = plan.names[slot]
                guards += [guard(item, name) for item in args if isinstance(item, Variable)]
            else:
                noted = position >= first_note  # a note may be an argument, if its dtype needs it
                item = self.notes[plan.names[slot]](*args) if noted else args[position]
                if isinstance(item, Variable):
                    guards.append(guard(item, plan.names[slot]))
                    item = stand_in(item, self.family)
                saved.append(item)
        node.saved = saved
        node.guards = guards


def respelled(op: Any, args: Any, kwargs: Any) -> Any:
    """``bind`` of an unknown keyword. (``ops`` sets one that knows synonyms and variants.)"""
    raise TypeError(f"{op.__name__}: an argument of {[*kwargs]} is unknown or given twice")


def raw(argument):
    """The value that the forward function is given for an argument."""
    return cython.cast(Variable, argument).value if isinstance(argument, Variable) else argument


def stand_in(variable: Any, family: Any) -> Any:
    """``variable`` as it is now, for a node to hold: were it changed in place, and its new node led
    to the one that holds it, that would be a cycle. A leaf that wants gradients never changes."""
    if variable.tracked and variable.node is None:
        return variable
    other = wrap(family, variable.value)
    other.node, other.tracked = variable.node, variable.tracked
    other.version, other.rounded = version_of(variable), variable.rounded
    other.as_of = other.version.recorded
    return other


def guard(variable, name):
    """What backward checks of a saved variable: its version, as it is now."""
    version = version_of(variable)
    return version, version.count, name


def zero(g: Any) -> Any:
    """The rule of an input on which the output does not depend, or only in jumps."""
    kind = type(g)
    return kind.zeros(None if kind.spec is None else kind.spec(g.value))


def would_record(arguments):
    """Whether a call with these arguments would be recorded, or left to a function transform."""
    for argument in arguments:
        if isinstance(argument, Variable):
            variable = argument
            edge(variable)
            if variable.level or (variable.tracked and is_enabled()):
                return True
    return False


def is_tracked(argument: Any) -> bool:
    return isinstance(argument, Variable) and argument.tracked


def tell_of_call(op, args, static, outputs):
    """Let this thread's observers know of a call: that it ended, or without outputs that it begins.
    ``node`` is None if it was not recorded."""
    for observer in observers.get():
        if outputs is None:
            observer.calling(op, args, static)
            continue
        nodes = [variable.node for variable in outputs if variable.node is not None]
        node = None if not nodes else nodes[0] if op.outputs == 1 else nodes[0].parents[0]
        observer.called(op, args, static, outputs, node)


class observing:
    """Within ``with observing(observer):`` the observer is told of what happens on this thread:
    last of all who are there, or ``first``."""

    def __init__(self, observer: Observer, first: bool = False) -> None:
        self.observer, self.first = observer, first
        self.tokens: list[Any] = []

    def __enter__(self) -> Any:
        others, one = observers.get(), (self.observer,)
        self.tokens.append(observers.set(one + others if self.first else others + one))
        count_observers(1)
        return self.observer

    def __exit__(self, *error: object) -> None:
        count_observers(-1)
        observers.reset(self.tokens.pop())


def count_observers(more):
    global observed
    with _counting:
        observed += more


def op(forward: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make an :class:`Op` of a forward function: ``@op`` or ``@op(residuals=("mask",))``."""
    return Op(forward, **options) if forward is not None else lambda f: Op(f, **options)


def alias(variable: Any) -> Any:
    """The same value behind a node of its own."""
    if not variable.level:
        variable.value = variable.storage  # also a number as both can share it
    return type(variable).family.identity(variable)
