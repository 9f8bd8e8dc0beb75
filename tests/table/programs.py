"""Random programs of views, changes in place and ops, and how to run them with a library.

A program is a list of steps, each a name, the numbers of its operands among the values so far, and
arguments that are plain data: so the same program runs with tinytensor and with PyTorch. It is
drawn step by step while tinytensor runs it, since what fits depends on the shapes so far.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinytensor as tt

SHAPES = [(), (3,), (2, 3), (3, 3), (2, 2, 3), (3, 1), (4,)]
VIEWS = ["basic", "permute", "reshape", "squeeze", "unsqueeze", "pieces", "broadcast"]
LARGEST = 1e3  # a program ends before its values leave this range


@dataclass
class Step:
    name: str
    operands: tuple[int, ...] = ()
    args: tuple[Any, ...] = ()
    recorded: bool = True  # otherwise under no_grad
    raised: str = ""  # the error with tinytensor


@dataclass
class Program:
    leaves: list[np.ndarray]
    buffers: list[np.ndarray]
    steps: list[Step] = field(default_factory=list)
    weights: list[tuple[int, np.ndarray]] = field(default_factory=list)  # of the loss


class Library:
    """What tinytensor and PyTorch call differently."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.errors: tuple[type[Exception], ...] = (RuntimeError, ValueError)

    def leaf(self, array: np.ndarray) -> Any:
        return self.constant(array).requires_grad_()

    def constant(self, array: np.ndarray) -> Any:
        return tt.tensor(array)

    def refreshed(self, x: Any) -> Any:
        return x

    def own(self, x: Any) -> Any:
        """x in C order: the layouts of two libraries differ, and so what is a view afterwards."""
        return x.contiguous()

    def reshape(self, x: Any, shape: Any) -> Any:
        return x.reshape(shape)

    def maximum(self, x: Any, axis: int) -> Any:
        return x.max(axis)

    def join(self, how: str, tensors: list[Any], axis: int) -> Any:
        return getattr(tt, how)(tensors, axis)

    def pieces(self, x: Any, axis: int, how: str) -> list[Any]:
        return list(x.unstack(axis) if how == "unstack" else x.split([1], axis))

    def at(self, x: Any, index: Any, value: Any, how: str) -> Any:
        return getattr(x.at[index], how)(value)

    def shared(self, x: Any, shape: tuple[int, ...]) -> Any:
        return x.broadcast_to(shape)

    def in_place(self, x: Any, operator: str, other: Any) -> Any:
        return getattr(x, operator)(other)


class Torch(Library):
    def refreshed(self, x: Any) -> Any:
        x.grad_fn  # noqa: B018  # otherwise a view of what became tracked passes for a leaf
        return x

    def constant(self, array: np.ndarray) -> Any:
        return self.module.tensor(array)

    def reshape(self, x: Any, shape: Any) -> Any:
        return x.view(shape)

    def maximum(self, x: Any, axis: int) -> Any:
        return x.amax(axis)

    def join(self, how: str, tensors: list[Any], axis: int) -> Any:
        return getattr(self.module, how)(tensors, axis)

    def pieces(self, x: Any, axis: int, how: str) -> list[Any]:
        # PyTorch lets nobody change one of several views of one call; of single calls it does
        if how == "unstack":
            return [x.select(axis, i) for i in range(x.shape[axis])]
        return [x.narrow(axis, 0, 1), x.narrow(axis, 1, x.shape[axis] - 1)]

    def at(self, x: Any, index: Any, value: Any, how: str) -> Any:
        out = x.clone()
        out[index] = value if how == "set" else out[index] + value
        return out

    def shared(self, x: Any, shape: tuple[int, ...]) -> Any:
        return x.expand(shape)

    def in_place(self, x: Any, operator: str, other: Any) -> Any:
        if operator == "__imatmul__":  # which PyTorch does not have
            return x.copy_(x @ other)
        return getattr(x, operator)(other)


def index_for(lib: Library, index: Any) -> Any:
    """An index with its arrays as tensors."""
    if isinstance(index, tuple):
        return tuple(index_for(lib, item) for item in index)
    return lib.constant(index) if isinstance(index, np.ndarray) else index


def run_step(lib: Library, live: list[Any], step: Step) -> list[Any]:
    """Do a step; returns the new values."""
    name, args = step.name, step.args
    x, *others = [lib.refreshed(live[i]) for i in step.operands]
    other = others[0] if others else None
    if name == "unary":
        return [lib.own(getattr(x, args[0])())]
    if name == "binary":
        y = other if other is not None else args[1]
        return [lib.own(getattr(x, args[0])(y))]
    if name == "square":
        return [lib.own(x**2)]
    if name == "reduce":
        return [lib.own(getattr(x, args[0])(args[1]))]
    if name == "max":
        return [lib.own(lib.maximum(x, args[0]))]
    if name == "where":
        return [lib.own(lib.module.where(lib.constant(args[0]), x, other))]
    if name in ("concat", "stack"):
        return [lib.own(lib.join(name, [x, other], args[0]))]
    if name == "pick":
        return [lib.own(x[index_for(lib, args[0])])]
    if name == "at":
        return [lib.own(lib.at(x, index_for(lib, args[0]), other, args[1]))]
    # views
    if name == "basic":
        return [x[args[0]]]
    if name == "permute":
        return [x.permute(args[0])]
    if name == "reshape":
        return [lib.reshape(x, args[0])]
    if name in ("squeeze", "unsqueeze"):
        return [getattr(x, name)(args[0])]
    if name == "pieces":
        return lib.pieces(x, *args)
    if name == "broadcast":
        return [lib.shared(x, args[0])]
    if name == "detach":
        return [x.detach()]
    # changes in place
    if name == "in_place":  # an operator: the result must be x itself
        changed = lib.in_place(x, args[0], other if other is not None else args[1])
        assert changed is x
    elif name == "method":
        assert getattr(x, args[0])(*args[1:]) is x
    elif name == "add_":
        x.add_(other, alpha=args[0])
    elif name == "copy_":
        x.copy_(other)
    elif name == "assign":
        x[index_for(lib, args[0])] = other if other is not None else args[1]
    elif name == "assign_product":
        x[index_for(lib, args[0])] = other * args[1]
    elif name == "augment":
        index = index_for(lib, args[0])  # x[index] += …, as Python does it
        part = x[index]
        part += other if other is not None else args[1]
        lib.refreshed(x)[index] = part
    else:
        raise AssertionError(name)
    return []


def run(lib: Library, program: Program, leaves: list[np.ndarray] | None = None) -> list[Any]:
    """All values of a program, leaves first. A step that raised with tinytensor must raise."""
    live = [lib.leaf(array) for array in leaves or program.leaves]
    live += [lib.constant(array) for array in program.buffers]
    for step in program.steps:
        # A view made under no_grad of what wants a gradient is here a constant, otherwise a view
        # like any other. PyTorch refuses later to read it.
        source = lib.refreshed(live[step.operands[0]])
        constant = not step.recorded and source.requires_grad
        recorded = step.recorded or (step.name in VIEWS and not constant)
        with lib.module.set_grad_enabled(recorded):
            if not step.raised:
                made = run_step(lib, live, step)
                live += [t.detach() for t in made] if constant else made
                continue
            if "under no_grad" in step.raised or "read-only" in step.raised:
                continue  # PyTorch raises for views made there too; of stretched ones for some
            try:
                run_step(lib, live, step)
            except lib.errors:
                continue
            raise AssertionError(f"only tinytensor raises at {step}")
    return live


def loss_of(lib: Library, program: Program, live: list[Any]) -> Any:
    terms = [(live[i] * lib.constant(weight)).sum() for i, weight in program.weights]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


# --- Drawing ---------------------------------------------------------------------------------

SMOOTH = ["tanh", "sin", "sigmoid", "clone"]
KINKED = ["relu", "abs"]
SMOOTH_METHODS = [
    ("tanh_",),
    ("sigmoid_",),
    ("exp_",),
    ("neg_",),
    ("zero_",),
    ("fill_", 0.5),
    ("mul_", -1.5),
    ("pow_", 2),
]
KINKED_METHODS = [("relu_",), ("abs_",), ("clip_", -0.5, 0.75)]
OPERATORS = ["__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__"]
OF_NUMBERS = {"__ipow__": [2, 3], "__itruediv__": [2.0, -1.5]}


class Drawing:
    """Draws a program, step by step, while tinytensor runs it."""

    def __init__(self, seed: int, length: int, smooth: bool) -> None:
        self.rng, self.smooth = random.Random(seed), smooth
        rng = self.rng
        self.lib = Library(tt)
        leaves = [self.array(self.shape()) for _ in range(rng.randint(1, 3))]
        buffers = [self.array(self.shape()) for _ in range(rng.randint(0, 2))]
        self.program = Program(leaves, buffers)
        self.live: list[Any] = [self.lib.leaf(a) for a in leaves]
        self.live += [self.lib.constant(a) for a in buffers]
        for _ in range(length):
            self.step()
            if any(np.abs(t.value).max(initial=0) > LARGEST for t in self.live):
                break
        tracked = [i for i, t in enumerate(self.live) if t.requires_grad]
        for i in rng.sample(tracked, rng.randint(1, len(tracked))):
            self.program.weights.append((i, self.array(self.live[i].shape)))

    def shape(self) -> tuple[int, ...]:
        return self.rng.choice(SHAPES)

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Multiples of 1/16 and a little, so that programs are easy to read and have no ties."""
        values = [self.rng.randint(-24, 24) / 16 + 0.001 for _ in range(int(np.prod(shape)))]
        return np.array(values, np.float64).reshape(shape)

    def step(self) -> None:
        rng, live = self.rng, self.live
        kind = rng.choice(["op", "op", "view", "view", "change", "change", "change"])
        # the newest are the most likely, so that programs hang together
        place = len(live) - 1 - min(int(rng.expovariate(0.45)), len(live) - 1)
        made = getattr(self, kind)(place, live[place])
        if made is None:
            return
        made.recorded = self.smooth or rng.random() > (0.04 if kind == "view" else 0.1)
        if not made.recorded and made.name == "assign_product":
            return
        self.program.steps.append(made)
        with tt.set_grad_enabled(made.recorded):
            try:
                live += run_step(self.lib, live, made)
            except (tt.GraphError, ValueError) as error:
                made.raised = str(error)

    def partner(
        self, shape: tuple[int, ...], exactly: bool = False, apart: Any = None, same: bool = False
    ) -> Any:
        """A value that broadcasts to ``shape`` (or has it) and does not overlap ``apart``, but may
        be the ``same``."""
        found = []
        for i, t in enumerate(self.live):
            try:
                fits = t.shape == shape or (
                    not exactly and np.broadcast_shapes(t.shape, shape) == shape
                )
            except ValueError:
                continue
            overlaps = apart is not None and np.shares_memory(t.data, apart.data)
            if fits and (not overlaps or (t is apart and same)):
                found.append(i)
        return self.rng.choice(found) if found else None

    # --- Ops

    def op(self, i: int, x: Any) -> Step | None:
        rng = self.rng
        choices = ["unary", "binary", "binary", "square", "sum", "mean", "cumsum", "max", "where"]
        choices += ["concat", "stack", "pick", "at", "matmul"]
        kind = rng.choice(choices)
        if kind == "unary":
            return Step("unary", (i,), (rng.choice(SMOOTH if self.smooth else SMOOTH + KINKED),))
        if kind == "square":
            return Step("square", (i,))
        if kind == "binary":
            name = rng.choice(["__add__", "__sub__", "__mul__", "__rmul__", "__rsub__"])
            if rng.random() < 0.25:
                return Step("binary", (i,), (name, rng.choice([2.0, -0.5, 3])))
            return Step("binary", (i, self.partner(x.shape)), (name,))
        if kind == "matmul":
            fits = [
                j
                for j, t in enumerate(self.live)
                if t.ndim == 2 and x.ndim == 2 and t.shape[0] == x.shape[1]
            ]
            return Step("binary", (i, rng.choice(fits)), ("__matmul__",)) if fits else None
        if kind in ("where", "concat", "stack"):
            j = self.partner(x.shape, exactly=True)
            if kind == "where":
                return Step("where", (i, j), (self.mask(x.shape),))
            return Step(kind, (i, j), (0,)) if x.ndim and x.size < 20 else None
        if x.ndim == 0:
            return None
        axis = rng.randrange(x.ndim)
        if kind == "max":
            return (
                None
                if self.smooth or np.unique(x.value).size < x.size
                else Step("max", (i,), (axis,))
            )
        if kind == "pick":
            return Step("pick", (i,), (self.advanced(x, repeated=True),))
        if kind == "at":
            index = self.advanced(x) if rng.random() < 0.5 else self.basic(x)
            j = self.partner(x.value[index].shape)
            return None if j is None else Step("at", (i, j), (index, rng.choice(["set", "add"])))
        return Step("reduce", (i,), (kind, axis))

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.array([self.rng.random() < 0.5 for _ in range(int(np.prod(shape)))]).reshape(
            shape
        )

    def advanced(self, x: Any, repeated: bool = False) -> Any:
        if self.rng.random() < 0.4:
            mask = self.mask(x.shape)
            mask.flat[0] = True  # no empty values
            return mask
        n = x.shape[0]
        if repeated:
            rows = np.array([self.rng.randrange(n) for _ in range(3)])
        else:
            rows = np.array(self.rng.sample(range(n), self.rng.randint(1, n)))
        if x.ndim > 1 and self.rng.random() < 0.4:
            return (slice(None), np.array([self.rng.randrange(x.shape[1])]))
        return rows

    def basic(self, x: Any) -> Any:
        index: list[Any] = []
        for n in x.shape:
            start = self.rng.randrange(n)
            index.append(
                self.rng.choice(
                    [slice(None), slice(None), start, slice(start, None), slice(None, None, 2)]
                )
            )
            if self.rng.random() < 0.3:
                break
        if self.rng.random() < 0.1:
            index.insert(0, None)
        return tuple(index) if len(index) != 1 else index[0]

    # --- Views

    def view(self, i: int, x: Any) -> Step | None:
        rng = self.rng
        if not x.storage.flags.writeable:  # of a broadcast: PyTorch lets parts of it be written to
            return None
        kind = rng.choice(
            ["basic"] * 4 + ["permute", "reshape", "squeeze", "unsqueeze", "pieces"]
            + ["broadcast"] + ["detach"] * (not self.smooth)
        )  # fmt: skip
        if kind == "basic" and x.ndim:
            return Step("basic", (i,), (self.basic(x),))
        if kind == "permute" and x.ndim:
            return Step("permute", (i,), (tuple(rng.sample(range(x.ndim), x.ndim)),))
        if kind == "reshape":
            shape = rng.choice(
                [(-1,), (1, *x.shape), x.shape[::-1], (x.shape[0] if x.ndim else 1, -1)]
            )
            try:
                np.reshape(x.value, shape, copy=False)
            except ValueError:
                return None
            return Step("reshape", (i,), (shape,))
        if kind == "squeeze" and 1 in x.shape:
            return Step("squeeze", (i,), (x.shape.index(1),))
        if kind == "unsqueeze" and x.ndim < 4:
            return Step("unsqueeze", (i,), (rng.randint(0, x.ndim),))
        if kind == "pieces" and x.ndim:
            axis = rng.randrange(x.ndim)
            if x.shape[axis] > 1:
                return Step("pieces", (i,), (axis, rng.choice(["unstack", "split"])))
        if kind == "broadcast" and x.size > 1:
            return Step("broadcast", (i,), ((2, *x.shape),))
        if kind == "detach":
            return Step("detach", (i,))
        return None

    # --- Changes in place

    def change(self, i: int, x: Any) -> Step | None:
        rng = self.rng
        if x.is_leaf and x.requires_grad and rng.random() < 0.8:  # most of these raise
            return None
        kind = rng.choice(
            ["operator", "operator", "method", "add_", "copy_", "matmul"] + ["assign"] * 5
        )
        if kind == "operator":
            name = rng.choice(OPERATORS)
            j = None if name in OF_NUMBERS else self.partner(x.shape, apart=x, same=True)
            if j is None or rng.random() < 0.3:
                return Step("in_place", (i,), (name, rng.choice(OF_NUMBERS.get(name, [0.5, 2]))))
            return Step("in_place", (i, j), (name,))
        if kind == "method":
            methods = SMOOTH_METHODS if self.smooth else SMOOTH_METHODS + KINKED_METHODS
            return Step("method", (i,), rng.choice(methods))
        if kind == "matmul":
            if x.ndim != 2 or x.shape[0] != x.shape[1]:
                return None
            j = self.partner(x.shape, exactly=True, apart=x)
            return None if j is None or j == i else Step("in_place", (i, j), ("__imatmul__",))
        if kind in ("add_", "copy_"):
            j = self.partner(x.shape, apart=x)
            args = (rng.choice([-1, 0.5]),) if kind == "add_" else ()
            return None if j is None or j == i else Step(kind, (i, j), args)
        if x.ndim == 0:
            return None
        index = self.basic(x) if rng.random() < 0.6 else self.advanced(x)
        how = rng.choice(["assign", "assign", "assign_product", "augment"])
        j = self.partner(x.value[index].shape, apart=x)
        if j is None or (rng.random() < 0.3 and how != "assign_product"):
            return Step(how if how != "assign_product" else "assign", (i,), (index, 0.25))
        return Step(how, (i, j), (index, -2.0))
