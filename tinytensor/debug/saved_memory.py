"""saved_memory: what a recorded graph holds for its backward pass, by op and by line of code."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from ..decorating import Decorating, decorated
from ..engine.core import GraphError, Node, Variable, edge
from ..engine.observers import Observer, observers
from ..engine.operation import observing
from ..engine.user_line import user_line

UNKNOWN = "(line unknown)"


class saved_memory(Observer, metaclass=Decorating):
    """A ledger of the memory that a graph holds: of what is recorded inside a ``with``, or behind
    one ``tensor``. As a decorator, ``@ledger``, it adds up what is recorded in all calls.

    Each array counts once, by its storage, for the call that saved it first: views count as what
    they view. Leaves, such as parameters, would be there without the graph, so they are not in
    ``total`` but apart. All numbers are of this moment: backward frees what it has used. ``peak``
    is the most that it has been, while the context was open. The ledger itself keeps nothing alive.
    The arguments that :func:`func.checkpoint` keeps, to run a function again, count as its own.

    Lines are those that called the ops. A ledger of one tensor knows them where one of a ``with``
    or :func:`detect_anomaly` has noted them.

    >>> import numpy as np, tinytensor as tt
    >>> x = tt.tensor(np.ones((100, 100), np.float32), requires_grad=True)
    >>> with tt.saved_memory() as ledger:
    ...     loss = (x.exp() * 2).sin().sum()  # exp needs its output, sin its input
    >>> ledger.by_op
    {'exp': 40000, 'sin': 40000}
    >>> loss.backward()
    >>> ledger.total, ledger.peak
    (0, 80000)
    """

    decorates_alone = False  # who would read it?

    def __init__(self, tensor: Variable | None = None) -> None:
        self._watch = observing(self)
        self._entries: dict[int, _Entry] = {}  # by the node's id, in the order of the calls
        self._holders: dict[int, int] = defaultdict(int)  # how many hold a storage, by its id
        self._sizes: dict[int, int] = {}  # of the storages that count
        self._leaves: dict[int, weakref.ref[np.ndarray]] = {}
        self._total = self._peak = 0
        self._at_peak: list[tuple[_Entry, int]] | None = []  # None: it is still the peak
        self._pulled: tuple[int, ...] = ()
        if tensor is not None:
            if not isinstance(tensor, Variable) or not tensor.requires_grad:
                raise GraphError(
                    "saved_memory: this has no graph; it needs a tensor that wants one"
                )
            for node in _graph_behind(tensor):
                self.add(node)

    def __enter__(self) -> saved_memory:
        self._settle()
        self._watch.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._watch.__exit__(*error)

    def __call__(self, function: Any) -> Any:
        return decorated(function, self._once)

    def _once(self) -> AbstractContextManager[Any]:
        """A context of its own for each call, but none in a call within a call."""
        self._settle()
        return nullcontext() if self in observers.get() else observing(self)

    # --- What it tells -----------------------------------------------------------------------

    @property
    def total(self) -> int:
        """The bytes that are held now, without leaves."""
        self._settle()
        return self._total

    @property
    def peak(self) -> int:
        """The most that ``total`` has been."""
        return self._peak

    @property
    def leaves(self) -> int:
        """The bytes of leaves, such as parameters, that the graph holds now."""
        self._settle()
        held = [self._leaves[key]() for key in self._holders if key in self._leaves]
        return sum(array.nbytes for array in held if array is not None)

    @property
    def by_op(self) -> dict[str, int]:
        """The bytes held now by the calls of each op, most first."""
        return _grouped(self._now(), "op")

    @property
    def by_line(self) -> dict[str, int]:
        """The bytes held now by the calls on each line of user code, most first."""
        return _grouped(self._now(), "where")

    @property
    def by_op_at_peak(self) -> dict[str, int]:
        """What ``by_op`` was at the peak."""
        return _grouped(self._then(), "op")

    @property
    def by_line_at_peak(self) -> dict[str, int]:
        """What ``by_line`` was at the peak."""
        return _grouped(self._then(), "where")

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(f"{count:,}") for _, *counts in rows for count in (*counts, 10**8))
        lines = [f"{'bytes now':>{width}}  {'at peak':>{width}}"]
        lines += [f"{now:>{width},}  {then:>{width},}  {name}" for name, now, then in rows]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from html import escape  # late: seldom needed

        rows = "".join(
            f"<tr><td>{now:,}</td><td>{then:,}</td><td>{escape(name)}</td></tr>"
            for name, now, then in self._rows()
        )
        return f"<table><tr><th>bytes now</th><th>at peak</th><th></th></tr>{rows}</table>"

    def _rows(self) -> list[tuple[str, int, int]]:
        """The total, then each op, then each line, then the leaves."""
        rows = [("total", self.total, self.peak)]
        by_op, by_line = self.by_op_at_peak, self.by_line_at_peak
        for now, then in ((self.by_op, by_op), (self.by_line, by_line)):
            names = dict.fromkeys([*then, *now])
            rows += [(name, now.get(name, 0), then.get(name, 0)) for name in names]
        leaves = self.leaves
        return [*rows, ("leaves, not in total", leaves, leaves)] if leaves else rows

    # --- How it counts -----------------------------------------------------------------------

    def add(self, node: Node, found: dict[int, np.ndarray] | None = None) -> set[int]:
        """Count what ``node`` has saved, whose storages by their ids may be ``found`` already.
        Returns the ids of those that count from now on."""
        for parent in node.parents:
            array = _storage(parent.value) if isinstance(parent, Variable) else None
            if array is not None:
                self._leaves[id(array)] = weakref.ref(array)
        again = node.saved is None and node.recompute is not None
        if found is None:
            saved = node.recompute.inputs if again else node.saved
            found = {id(array): array for array in storages_of(saved)}
        key = id(node)
        self._release(key)  # of a node that gets back what it had saved
        new: set[int] = set()
        if not found:
            return new
        reference = weakref.ref(node, lambda _: self._release(key))
        name = "checkpoint" if again else node.op.__name__
        self._entries[key] = _Entry(reference, name, node.where, again, tuple(found))
        for storage, array in found.items():
            self._holders[storage] += 1
            if self._holders[storage] == 1 and not self._is_leaf(storage, array):
                self._sizes[storage] = array.nbytes
                self._total += array.nbytes
                new.add(storage)
        if self._total > self._peak:
            self._peak, self._at_peak = self._total, None
        return new

    @property
    def noted(self) -> int:
        """``total`` as far as it is known from what was told: without a look at every node."""
        return self._total

    def held_by(self, node: Node) -> dict[int, int]:
        """The bytes of each storage, by its id, that counts and that no other node holds."""
        self._settle((id(node),))
        entry = self._entries.get(id(node))
        keys = () if entry is None else entry.storages
        sizes = self._sizes
        return {key: sizes[key] for key in keys if self._holders[key] == 1 and key in sizes}

    def _is_leaf(self, storage: int, array: np.ndarray) -> bool:
        known = self._leaves.get(storage)
        return known is not None and known() is array

    def _release(self, key: int) -> None:
        """Strike out a node that is gone, or has let go of what it had saved."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if self._at_peak is None:
            self._at_peak = self._attributed()
        del self._entries[key]
        for storage in entry.storages:
            self._holders[storage] -= 1
            if not self._holders[storage]:
                del self._holders[storage]
                self._total -= self._sizes.pop(storage, 0)

    def _settle(self, keys: Any = None) -> None:
        """Strike out, among ``keys`` or all, what was let go without a word."""
        for key in [*self._entries] if keys is None else keys:
            entry = self._entries.get(key)
            node = None if entry is None else entry.node()
            if entry is not None and node is not None and (node.saved is None) != entry.again:
                self.add(node)  # a checkpoint has let go of it, and holds its inputs instead
            elif node is None or (node.saved is None and node.recompute is None):
                self._release(key)

    def _attributed(self) -> list[tuple[_Entry, int]]:
        """Each entry with the bytes that no earlier one holds."""
        seen: set[int] = set()
        found = []
        for entry in [*self._entries.values()]:
            new = [storage for storage in entry.storages if storage not in seen]
            seen.update(new)
            found.append((entry, sum(self._sizes.get(storage, 0) for storage in new)))
        return found

    def _now(self) -> list[tuple[_Entry, int]]:
        self._settle()
        return self._attributed()

    def _then(self) -> list[tuple[_Entry, int]]:
        return self._attributed() if self._at_peak is None else self._at_peak

    # --- What an observer is told ------------------------------------------------------------

    def called(self, op: Any, args: Any, static: Any, outputs: Any, node: Any) -> None:
        self._settle(self._pulled)
        if node is not None:
            node.where = node.where or user_line()
            self.add(node)

    def pulling(self, work: Any, node: Any, g: Any) -> None:
        self._settle(self._pulled)

    def pulled(self, work: Any, node: Any, g: Any, cotangents: Any) -> None:
        self._pulled = (id(node),)  # it may let go as soon as this returns

    def passed(self, work: Any) -> None:
        self._settle()

    def freed(self) -> None:
        self._settle()


class _Entry(NamedTuple):
    """What one node holds."""

    node: weakref.ref[Node]
    op: str
    where: Any
    again: bool  # whether it holds the inputs of a checkpoint, to run that again
    storages: tuple[int, ...]


def _grouped(attributed: list[tuple[_Entry, int]], name: str) -> dict[str, int]:
    """The bytes by one field of the entries, most first."""
    sums: dict[str, int] = defaultdict(int)
    for entry, count in attributed:
        if count:
            sums[str(getattr(entry, name) or UNKNOWN)] += count
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _storage(value: Any) -> np.ndarray | None:
    """The array at the end of a chain of views, which stands for the memory of all."""
    if not isinstance(value, np.ndarray):
        return None
    while isinstance(value.base, np.ndarray):
        value = value.base
    return value


def storages_of(saved: Any) -> Iterator[np.ndarray]:
    """The arrays behind all that a node has saved."""
    if isinstance(saved, (list, tuple, dict)):  # a union takes twice the time
        for item in saved.values() if isinstance(saved, dict) else saved:
            yield from storages_of(item)
    else:
        array = _storage(saved.value if isinstance(saved, Variable) else saved)
        if array is not None:
            yield array


def _graph_behind(tensor: Variable) -> list[Node]:
    """All nodes that ``tensor`` depends on, and parents before what they made."""
    waiting, seen = [edge(tensor)], set()
    while waiting:
        target = waiting.pop()
        if isinstance(target, Node) and target not in seen:
            seen.add(target)
            waiting += target.parents
    return sorted(seen, key=lambda node: node.depth)
