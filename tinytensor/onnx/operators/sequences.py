"""Sequences of values, and values that may be missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, integers, listed, value
from .control import stacked

__all__: list[str] = []


def _place(sequence: list[Any], position: Any, most: int) -> int:
    at = array(position).item()
    if not -len(sequence) <= at <= most:
        raise IndexError(f"there is no place {at} in a sequence of {len(sequence)}")
    return at + len(sequence) if at < 0 else at


@operator("SequenceConstruct", since=11)
def construct(*items: Any) -> list[Any]:
    return list(items)


@operator("SequenceEmpty", since=11)
def empty(*, dtype: int = 1) -> list[Any]:
    return []


@operator("SequenceAt", since=11, settings=(1,))
def at(sequence: Any, position: Any) -> Any:
    found = listed(sequence)
    return found[_place(list(found), position, len(found) - 1)]


@operator("SequenceInsert", since=11, settings=(2,))
def insert(sequence: Any, item: Any, position: Any = None) -> list[Any]:
    found = list(listed(sequence))
    found.insert(len(found) if position is None else _place(found, position, len(found)), item)
    return found


@operator("SequenceErase", since=11, settings=(1,))
def erase(sequence: Any, position: Any = None) -> list[Any]:
    found = list(listed(sequence))
    del found[-1 if position is None else _place(found, position, len(found) - 1)]
    return found


@operator("SequenceLength", since=11)
def length(sequence: Any) -> Any:
    return value(np.asarray(len(listed(sequence)), np.int64))


def _joined(items: list[Any], axis: int) -> Any:
    if all(isinstance(each, Tensor) for each in items):
        return ops.concat(items, axis)
    return value(np.concatenate([array(each) for each in items], axis))


@operator("ConcatFromSequence", since=11)
def concat(sequence: Any, *, axis: int, new_axis: int = 0) -> Any:
    items = list(listed(sequence))
    if not items:
        raise ValueError("ConcatFromSequence: the sequence is empty")
    return stacked(items, axis) if new_axis else _joined(items, axis)


@operator("SplitToSequence", since=11, settings=(1,))
def split(x: Any, sizes: Any = None, *, axis: int = 0, keepdims: int = 1) -> list[Any]:
    size = x.shape[axis]
    if sizes is None:
        ends: Any = range(1, size + 1)
    elif sizes.ndim:
        ends = np.cumsum(integers(sizes))
        if size != (ends[-1] if len(ends) else 0):
            raise ValueError(f"SplitToSequence: {integers(sizes)} do not add up to {size}")
    else:
        step = array(sizes).item()
        ends = [*range(step, size, step), size]
    index: list[Any] = [slice(None)] * x.ndim
    found, start = [], 0
    for end in ends:
        index[axis] = start if sizes is None and not keepdims else slice(start, int(end))
        found.append(x[tuple(index)])
        start = int(end)
    return found


@operator("SequenceMap", since=17)
def sequence_map(
    sequence: Any, *others: Any, body: Callable[..., tuple[Any, ...]]
) -> tuple[Any, ...]:
    found: list[tuple[Any, ...]] = []
    for place, item in enumerate(listed(sequence)):
        more = [other[place] if isinstance(other, list) else other for other in others]
        found.append(body(item, *more))
    if not found:
        return tuple([] for _ in body.outputs)  # type: ignore[attr-defined]
    return tuple(map(list, zip(*found, strict=True)))


# --- Optionals: a value, or None -----------------------------------------------------------------


@operator("Optional", since=15)
def optional(x: Any = None, *, type: Any = None) -> Any:
    return x


@operator("OptionalHasElement", since=15)
def has_element(x: Any = None) -> Any:
    return value(np.asarray(x is not None))


@operator("OptionalGetElement", since=15)
def get_element(x: Any) -> Any:
    if x is None:
        raise ValueError("OptionalGetElement: the optional is empty")
    return x
