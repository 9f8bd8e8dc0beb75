"""Gradients averaged over ranks in buckets, while the backward pass still runs.

The engine adds up the cotangents of a leaf until the whole pass is over, but a gradient should
leave as soon as it is complete. So during a forward pass each parameter stands for an op's output:
that of its *entrance*, an op whose node has the parameter for its parent, and whose rule runs when
the cotangent is complete. The pass takes the deepest node first; so the entrance is told the depth
at which its parameter is used, which the first pass finds out, instead of the least of all.

An entrance's rule adds the gradient into its bucket and passes nothing on. A bucket that is
complete starts to be reduced, in the order of the buckets, which all ranks share. All entrances
have one more parent, a leaf whose hook runs at the end of the pass: it waits for the buckets.
"""

from __future__ import annotations

import math
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..dtypes import float32, is_narrow
from ..engine.core import GraphError, Node, edge, run_hooks
from ..engine.grad_mode import is_grad_enabled, no_grad
from ..engine.operation import Op
from ..func.checkpointing import stand_ins
from ..func.trees import tree_leaves
from ..tensors.tensor import Tensor, wrapped
from .collectives import all_reduce, broadcast_object, count
from .world import Call, Group, Work, mpi, wait

ALIGNED = 64  # bytes: gradients begin at cache lines


_flying: set[Bucket] = set()  # MPI may write to their memory, whatever becomes of the reducer


class Bucket:
    """Some gradients side by side, which are reduced together."""

    def __init__(self, dtype: np.dtype, members: list[int], sizes: list[int]) -> None:
        step = ALIGNED // dtype.itemsize
        self.members = members
        starts = np.cumsum([0, *(math.ceil(size / step) * step for size in sizes)]).tolist()
        self.flat = np.zeros(starts[-1], dtype)
        self.parts = [self.flat[i : i + n] for i, n in zip(starts[:-1], sizes, strict=True)]
        self.waiting = len(members)
        self.request: Any = None


class Reducer:
    """The buckets of some parameters, and how far a backward pass has come.

    Between two passes nothing is running. In one, ``ready`` has what has arrived, and the buckets
    before ``launched`` are on their way.
    """

    def __init__(
        self,
        named: Sequence[tuple[str, Any]],
        group: Group,
        bucket_bytes: int,
        first_bucket_bytes: int,
        views: bool,
    ) -> None:
        self.names = [name for name, _ in named]
        self.parameters = [parameter for _, parameter in named]
        self.group, self.views = group, views
        self.bucket_bytes, self.first_bucket_bytes = bucket_bytes, first_bucket_bytes
        self.comm = group.data.Dup()
        group.keep(self, (self.comm,))
        self.synchronising = True
        self.overlaps = True
        self.share = 1 / group.size  # what a rank's gradient counts
        self.depths = [1] * len(named)
        self.order: list[int] | None = None  # in which gradients arrived, before all know of it
        self.passed = False  # whether a pass has been reduced, on all ranks
        self.settled = False  # whether the buckets are in that order
        self.unreached: set[int] = set()  # what no output of the last forward passes depends on
        self.nodes: list[Node | None] = [None] * len(named)  # the entrances that may be used
        self.in_pass = self.counts = False
        self.ready: list[int] = []
        self.here: list[bool] = []
        self.running: list[Bucket] = []
        self.launched = 0
        self.exposed = 0.0  # s for which all waited for what had not been reduced meanwhile
        self.end = Tensor(np.zeros((), np.float32), requires_grad=True)
        own = weakref.ref(self)
        self.entrances = [_entrance(own, i) for i in range(len(named))]
        self.hooks: list[Any] = []
        for parameter in self.parameters:
            hook = _outside(own)
            parameter.register_hook(hook)
            self.hooks.append(hook)
        self.end.register_hook(lambda gradient: _finish(own))
        self.build([*reversed(range(len(named)))])

    def build(self, order: list[int]) -> None:
        """Lay the gradients into buckets, in this order."""
        self.dtypes = [parameter.dtype for parameter in self.parameters]
        self.nodes = [None] * len(order)
        open_ones: dict[np.dtype, list[int]] = {}
        taken: list[tuple[np.dtype, list[int]]] = []
        for i in order:
            dtype = np.dtype(float32) if is_narrow(self.dtypes[i]) else self.dtypes[i]
            members = open_ones.setdefault(dtype, [])
            members.append(i)
            limit = self.bucket_bytes if taken else self.first_bucket_bytes
            if sum(self.parameters[k].numel() for k in members) * dtype.itemsize >= limit:
                taken.append((dtype, open_ones.pop(dtype)))
        taken += open_ones.items()
        self.buckets, self.bucket_of = [], [0] * len(order)
        self.slots: list[Any] = [None] * len(order)
        for number, (dtype, members) in enumerate(taken):
            bucket = Bucket(dtype, members, [self.parameters[i].numel() for i in members])
            self.buckets.append(bucket)
            for i, part in zip(members, bucket.parts, strict=True):
                self.slots[i] = part.reshape(self.parameters[i].shape)
                self.bucket_of[i] = number
        self.gradients = [
            None if is_narrow(dtype) or not self.views else wrapped(slot)
            for dtype, slot in zip(self.dtypes, self.slots, strict=True)
        ]

    # --- Forward -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Before a forward pass of all ranks: the order of the buckets is that of the arrivals."""
        if self.in_pass:
            raise GraphError(
                "DistributedDataParallel: the last backward pass did not come to its end, and the"
                " ranks have parts of its gradients; make it anew"
            )
        if self.passed and not self.settled:
            order = broadcast_object(self.order, group=self.group)
            if order is not None:  # otherwise rank 0 had no batch
                self.build(order)
                self.settled = True
        laid = zip(self.parameters, self.dtypes, self.slots, strict=True)
        if any(p.dtype is not d or p.shape != slot.shape for p, d, slot in laid):
            now = repr([(p.dtype.name, p.shape) for p in self.parameters])
            what = "DistributedDataParallel of parameters whose dtype or shape has changed"
            Work(self.group, Call(what, as_checksum=zlib.crc32(now.encode()))).wait()
            self.build([i for bucket in self.buckets for i in bucket.members])

    @contextmanager
    def entering(self) -> Iterator[None]:
        """A context in which the parameters are outputs of their entrances."""
        self.counts = False
        entered = []
        try:
            for i, parameter in enumerate(self.parameters):
                if not parameter.tracked:
                    continue
                node = self.nodes[i]
                if node is None:
                    node = self.nodes[i] = self.entrances[i](self.end, parameter).node
                    node.depth = self.depths[i]
                parameter.node = node
                entered.append(parameter)
            yield
        finally:
            for parameter in entered:
                parameter.node = None

    def look_at(self, out: Any) -> None:
        """Find in the graph of ``out`` at which depth each parameter is used, and whether."""
        numbers = {node: i for i, node in enumerate(self.nodes) if node is not None}
        outputs = [x for x in tree_leaves(out) if isinstance(x, Tensor) and x.tracked]
        found = _depths([edge(x) for x in outputs], numbers)
        for i, depth in found.items():
            self.depths[i] = depth
        self.unreached = set(range(len(self.parameters))) - set(found)

    # --- Backward ----------------------------------------------------------------------------

    def begin(self) -> Tensor | None:
        """The rule for the end of an entrance whose cotangent is complete, just before its other
        rule. It does not run where a pass wants the gradients of some variables alone."""
        self.counts = self.synchronising
        if not self.counts or self.in_pass:
            return None
        if is_grad_enabled():
            raise GraphError(
                "DistributedDataParallel: gradients that are reduced have no graph: no create_graph"
            )
        self.in_pass, self.launched, self.running = True, 0, []
        self.ready, self.here = [], [False] * len(self.parameters)
        for bucket in self.buckets:
            bucket.waiting = len(bucket.members)
        for i in self.unreached:
            self.fill(i)
        self.unreached = set()
        return wrapped(np.zeros((), np.float32))

    def arrived(self, i: int, g: Tensor) -> Tensor | None:
        """The rule for parameter i: its cotangent is complete. What is returned goes to the leaf,
        whose hook reduces it by itself."""
        counts, self.counts, self.nodes[i] = self.counts, False, None
        if not counts or self.here[i]:
            return g
        parameter = self.parameters[i]
        hooks = [hook for hook in parameter.hooks if hook is not self.hooks[i]]
        if hooks:
            g = run_hooks(hooks, g.conjugated(parameter)).conjugated()
        value = g.value if g.dtype.kind != "c" else np.conj(g.value)
        self.put(i, value)
        self.ready.append(i)
        self.mark(i)
        return None

    def put(self, i: int, value: Any) -> None:
        """Write this rank's share of gradient i: with what was accumulated before."""
        slot, before = self.slots[i], self.parameters[i].grad
        if before is None:
            np.multiply(value, self.share, out=slot)
        elif before is self.gradients[i]:
            slot += value
            slot *= self.share
        else:
            np.add(before.numpy(), value, out=slot, dtype=slot.dtype)
            slot *= self.share

    def fill(self, i: int) -> None:
        """Stand in for a gradient that does not arrive."""
        self.put(i, 0)
        self.mark(i)

    def mark(self, i: int) -> None:
        """Gradient i is in its bucket: start what is complete, and let MPI go on."""
        self.here[i] = True
        self.buckets[self.bucket_of[i]].waiting -= 1
        if self.overlaps:
            self.launch()
            self.poll()

    def launch(self) -> None:
        """Start the next buckets if they are complete."""
        while self.launched < len(self.buckets) and not self.buckets[self.launched].waiting:
            bucket = self.buckets[self.launched]
            bucket.request = self.comm.Iallreduce(mpi().IN_PLACE, bucket.flat, mpi().SUM)
            count("gradients", bucket.flat.nbytes, 2 * (self.group.size - 1) / self.group.size)
            self.running.append(bucket)
            _flying.add(bucket)
            self.launched += 1

    def poll(self) -> bool:
        """Let MPI go on, which it does where it is asked; whether all that was started is done."""
        while self.running and self.running[0].request.Test():
            _flying.discard(self.running.pop(0))
        return not self.running

    def finish(self, joined: bool = False) -> None:
        """The end of the pass: wait for all, and give the parameters their gradients. A rank that
        has ``joined`` only takes part, with zeros."""
        missing = [i for i, here in enumerate(self.here) if not here]
        for i in missing:
            if joined:
                self.slots[i].fill(0)
                self.mark(i)
            else:
                self.fill(i)
        self.launch()
        end = Work(
            self.group,
            Call("the end of DistributedDataParallel's backward pass"),
            flag=len(self.ready) < len(self.parameters),
        )
        end.wait()  # asleep, until all ranks have come; what follows is awake
        start = time.perf_counter()
        wait(self.poll, self.group, "DistributedDataParallel", lambda: True)
        self.exposed = time.perf_counter() - start
        used = np.ones(len(self.parameters), np.uint8)
        if end.flag:
            arrived = set(self.ready)
            for i, parameter in enumerate(self.parameters):
                used[i] = not joined and (i in arrived or parameter.grad is not None)
            all_reduce(used, "max", group=self.group)
        if not joined:
            for i in np.flatnonzero(used).tolist():
                self.give(i)
        if self.order is None and not joined:
            self.order = [*self.ready, *(i for i in range(len(used)) if i not in set(self.ready))]
        self.in_pass, self.passed = False, True
        self.nodes = [None] * len(self.parameters)

    def give(self, i: int) -> None:
        """Parameter i gets the mean as its gradient."""
        parameter, gradient = self.parameters[i], self.gradients[i]
        if gradient is None:
            parameter.grad = wrapped(np.array(self.slots[i], parameter.dtype))
        else:
            parameter.grad = gradient
            gradient.changed("DistributedDataParallel")

    def take_part(self) -> None:
        """A pass of a rank that has joined: zeros for all."""
        with no_grad():
            self.begin()
            self.finish(joined=True)

    def outside(self, gradient: Tensor) -> Tensor | None:
        """The gradient of a parameter that was used outside of forward: averaged by itself."""
        if not self.synchronising or self.group.size == 1:
            return None
        if gradient.tracked:
            raise GraphError(
                "DistributedDataParallel: gradients that are reduced have no graph: no create_graph"
            )
        mean = gradient.copied()
        mean.value *= self.share
        return all_reduce(mean, group=self.group)


def _entrance(own: weakref.ref[Reducer], i: int) -> Op:
    """The op that parameter i enters through. It saves nothing, so several passes may come by."""

    def begin(g: Tensor) -> Tensor | None:
        reducer = own()
        return None if reducer is None else reducer.begin()

    def arrived(g: Tensor) -> Tensor | None:
        reducer = own()
        return g if reducer is None else reducer.arrived(i, g)

    return Op(_enter, family=Tensor).grad(end=begin, x=arrived)


def _enter(end: Any, x: Any) -> Any:
    """x itself. The rules run in the order of these parameters."""
    return x


stand_ins.add(_enter)  # a checkpoint runs its function again outside of forward


def _outside(own: weakref.ref[Reducer]) -> Callable[[Tensor], Tensor | None]:
    def hook(gradient: Tensor) -> Tensor | None:
        reducer = own()
        return None if reducer is None else reducer.outside(gradient)

    return hook


def _finish(own: weakref.ref[Reducer]) -> None:
    reducer = own()
    if reducer is not None and reducer.in_pass:
        reducer.finish()


def _depths(roots: list[Any], numbers: dict[Node, int]) -> dict[int, int]:
    """For each entrance that ``roots`` depend on, the depth that lets it come right behind the
    first use: one less than that of the least deep of those nodes that use it with something else.

    A node above parameters alone, such as a transposed weight, is no such use: an entrance that is
    deeper lifts it, too.
    """
    seen: set[Node] = set()
    stack = [root for root in roots if isinstance(root, Node)]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [parent for parent in node.parents if isinstance(parent, Node)]
    nodes = sorted(seen - numbers.keys(), key=lambda node: node.depth)
    lifted: dict[Node, float] = dict.fromkeys(numbers, math.inf)  # what has but parameters below
    for node in nodes:
        if node.parents and all(parent in lifted for parent in node.parents):
            lifted[node] = math.inf
    for node in reversed(nodes):
        depth = lifted.get(node, math.inf)
        depth = node.depth if depth == math.inf else depth
        for parent in node.parents:
            if parent in lifted:
                lifted[parent] = min(lifted[parent], depth - 1)
    return {
        i: max(1, int(lifted[node]))
        for node, i in numbers.items()
        if node in seen and lifted[node] < math.inf
    }
