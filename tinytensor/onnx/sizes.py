"""Sizes that differ between examples: two or three runs of other sizes, laid on each other.

A Python integer does not remember which size it came from. So a model whose inputs have dynamic
axes is run on examples of several sizes, and what differs between the runs is what depends on
sizes: an integer in an argument or a shape becomes a ``Size``, which stands for all its values.
Where it comes from is found by the values: the size of an axis of a tensor that is there already,
or a sum, a product or a quotient of such. Three runs tell what two could confuse. The runs must
have made the same calls: a loop over an axis would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .tracing import Call, Trace, Value


class NeedsNumber(TypeError):
    """A size that differs between runs stands where ONNX wants a number."""


class Size:
    """An integer that depends on sizes of the inputs: its value in each run."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[int]) -> None:
        self.values = tuple(map(int, values))

    def _with(self, other: Any, of: Callable[[int, int], int]) -> Any:
        if not isinstance(other, Size | int | np.integer):
            return NotImplemented
        others = other.values if isinstance(other, Size) else (int(other),) * len(self.values)
        return size_of([of(a, b) for a, b in zip(self.values, others, strict=True)])

    # fmt: off
    def __add__(self, other: Any) -> Any: return self._with(other, lambda a, b: a + b)
    def __radd__(self, other: Any) -> Any: return self._with(other, lambda a, b: b + a)
    def __sub__(self, other: Any) -> Any: return self._with(other, lambda a, b: a - b)
    def __rsub__(self, other: Any) -> Any: return self._with(other, lambda a, b: b - a)
    def __mul__(self, other: Any) -> Any: return self._with(other, lambda a, b: a * b)
    def __rmul__(self, other: Any) -> Any: return self._with(other, lambda a, b: b * a)
    def __floordiv__(self, other: Any) -> Any: return self._with(other, lambda a, b: a // b)
    def __mod__(self, other: Any) -> Any: return self._with(other, lambda a, b: a % b)
    def __neg__(self) -> Any: return Size([-a for a in self.values])
    # fmt: on

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __index__(self) -> int:
        raise NeedsNumber(
            "an argument that depends on the sizes of inputs must be a number in ONNX"
        )

    __int__ = __float__ = __bool__ = __index__

    def __repr__(self) -> str:
        return f"<size {' or '.join(map(str, self.values))}>"


class Varying:
    """A number or an array of which no size is the reason that it differs between runs."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)

    def __repr__(self) -> str:
        return f"<varying {self.values}>"


def size_of(values: Sequence[int]) -> Any:
    return int(values[0]) if len(set(values)) == 1 else Size(values)


def is_dynamic(tree: Any) -> bool:
    """Whether a Size stands in it."""
    if isinstance(tree, tuple | list):
        return any(map(is_dynamic, tree))
    if isinstance(tree, slice):
        return is_dynamic((tree.start, tree.stop, tree.step))
    return isinstance(tree, Size)


class Differs(ValueError):
    """Runs of other sizes made other calls."""


def unify(runs: Sequence[Trace]) -> Trace:
    """The first run, in which what differs in the others is a Size."""
    first = runs[0]
    if len(runs) == 1:
        return first
    for several in zip(*[run.inputs for run in runs], strict=True):
        _unify_value(several)
    for number, several in enumerate(zip(*[run.calls for run in runs], strict=False)):
        _unify_call(number, several)
    counts = {len(run.calls) for run in runs}
    if len(counts) > 1:
        raise Differs(
            f"export: with other sizes the model makes another number of calls, {sorted(counts)}:"
            " a loop over an axis, perhaps; leave this axis out of dynamic_axes"
        )
    for several in zip(*[run.outputs for run in runs], strict=True):
        _unify_value(several)
    return first


def _unify_call(number: int, calls: Sequence[Call]) -> None:
    call = calls[0]
    if len({(one.name, one.path) for one in calls}) > 1:
        raise Differs(
            f"export: with other sizes call {number} in {call.path or 'the model'} is"
            f" {' or '.join(sorted({one.name for one in calls}))}: leave the axis on which this"
            " depends out of dynamic_axes"
        )
    call.args = {
        name: _unify_tree([one.args.get(name) for one in calls], call) for name in call.args
    }
    if len({len(one.outputs) for one in calls}) > 1:
        raise Differs(
            f"export: with other sizes {call.name} in {call.path or 'the model'} has another number"
            " of outputs: leave the axis on which this depends out of dynamic_axes"
        )
    for several in zip(*[one.outputs for one in calls], strict=True):
        _unify_value(several)


def _unify_value(values: Sequence[Value]) -> Value:
    value = values[0]
    if len({one.ndim for one in values}) > 1 or len({one.kind for one in values}) > 1:
        raise Differs(f"export: with other sizes {value!r} is {values[1]!r}")
    value.sizes = tuple(
        size_of(sizes) for sizes in zip(*[one.shape for one in values], strict=True)
    )
    if value.constant and value.arrays is None:
        arrays = [one.array for one in values]
        same = all(
            np.shape(array) == np.shape(arrays[0])
            and np.array_equal(array, arrays[0], equal_nan=np.asarray(array).dtype.kind in "fc")
            for array in arrays[1:]
        )
        if not same:
            value.arrays = arrays
    return value


def _unify_tree(trees: Sequence[Any], call: Call) -> Any:
    first = trees[0]
    if isinstance(first, Value):
        if not all(isinstance(tree, Value) for tree in trees):
            raise Differs(f"export: with other sizes {call.name} is given no tensor")
        return _unify_value(trees)
    if any(type(tree) is not type(first) for tree in trees):
        if all(isinstance(tree, int | np.integer) for tree in trees):
            return size_of([int(tree) for tree in trees])
        raise Differs(
            f"export: with other sizes an argument of {call.name} in {call.path or 'the model'} is"
            f" {trees[1]!r}, not {first!r}"
        )
    if isinstance(first, tuple | list):
        if len({len(tree) for tree in trees}) > 1:
            raise Differs(
                f"export: with other sizes {call.name} in {call.path or 'the model'} is given"
                f" {[len(tree) for tree in trees]} items: leave the axis on which this depends out"
                " of dynamic_axes"
            )
        items = [_unify_tree(several, call) for several in zip(*trees, strict=True)]
        return type(first)(*items) if hasattr(first, "_fields") else type(first)(items)
    if isinstance(first, dict):
        return {key: _unify_tree([tree[key] for tree in trees], call) for key in first}
    if isinstance(first, slice):
        parts = [(tree.start, tree.stop, tree.step) for tree in trees]
        return slice(*_unify_tree(parts, call))
    if isinstance(first, bool):
        if len(set(trees)) > 1:
            raise Differs(f"export: with other sizes an argument of {call.name} is {not first}")
        return first
    if isinstance(first, int | np.integer):
        return size_of([int(tree) for tree in trees])
    if isinstance(first, float | np.floating):
        if len(set(trees)) == 1 or all(tree != tree for tree in trees):
            return first
        return Varying(trees)
    return first
