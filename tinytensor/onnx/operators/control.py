"""Control flow: If, Loop and Scan run graphs inside of graphs, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from ... import ops
from ...tensors.tensor import Tensor
from ..registry import operator
from ..values import array, integers, value

__all__: list[str] = []

Body = Callable[..., tuple[Any, ...]]


def stacked(values: Sequence[Any], axis: int = 0) -> Any:
    """Values of one shape along a new axis."""
    if all(isinstance(each, Tensor) for each in values):
        return ops.stack(list(values), axis)
    return value(np.stack([array(each) for each in values], axis))


@operator("If", since=1, settings=(0,))
def if_(condition: Any, *, then_branch: Body, else_branch: Body) -> tuple[Any, ...]:
    return then_branch() if array(condition).item() else else_branch()


@operator("Loop", since=1, settings=(0, 1))
def loop(trips: Any = None, condition: Any = None, *states: Any, body: Body) -> tuple[Any, ...]:
    carried = states
    going_on = condition is None or bool(array(condition).item())
    collected: list[tuple[Any, ...]] = []
    for trip in count() if trips is None else range(array(trips).item()):
        if not going_on:
            break
        again, *made = body(
            value(np.asarray(trip, np.int64)), value(np.asarray(going_on)), *carried
        )
        going_on = bool(array(again).item())
        carried = tuple(made[: len(states)])
        collected.append(tuple(made[len(states) :]))
    if collected:
        return *carried, *map(stacked, zip(*collected, strict=True))
    return *carried, *_none_of(body, 1 + len(states))


def _none_of(body: Any, first: int) -> list[Any]:
    """What is collected in no steps: as the body declares its outputs, sizes that it leaves open
    being 0."""
    found = []
    for output in body.declared[first:]:
        sizes = [size if isinstance(size, int) else 0 for size in output.shape or ()]
        found.append(value(np.zeros((0, *sizes), output.dtype or np.float32)))
    return found


def _each(given: Sequence[int] | None, number: int) -> Sequence[int]:
    return (0,) * number if given is None else given


def _scanned(
    body: Any,
    states: Sequence[Any],
    inputs: Sequence[Any],
    axes: Sequence[int],
    directions: Sequence[int],
    out_axes: Sequence[int] | None,
    out_directions: Sequence[int] | None,
) -> tuple[Any, ...]:
    """The last states, and what the body gave of each step."""
    sizes = {x.shape[axis] for x, axis in zip(inputs, axes, strict=True)}
    if len(sizes) != 1:
        raise ValueError(f"Scan: the inputs have {sorted(sizes)} steps, and must have as many")
    steps = [
        ops.unstack(x, axis)[:: -1 if backward else 1]
        for x, axis, backward in zip(inputs, axes, directions, strict=True)
    ]
    carried = tuple(states)
    collected: list[tuple[Any, ...]] = []
    for parts in zip(*steps, strict=True):
        made = body(*carried, *parts)
        carried = made[: len(states)]
        collected.append(made[len(states) :])
    if not collected:
        return *carried, *_none_of(body, len(states))
    columns = list(zip(*collected, strict=True))
    return *carried, *(
        stacked(column[:: -1 if backward else 1], axis)
        for column, axis, backward in zip(
            columns,
            _each(out_axes, len(columns)),
            _each(out_directions, len(columns)),
            strict=True,
        )
    )


@operator("Scan", since=8)
def scan_8(
    lengths: Any = None,
    *given: Any,
    body: Body,
    num_scan_inputs: int,
    directions: Sequence[int] | None = None,
) -> tuple[Any, ...]:
    states, inputs = given[:-num_scan_inputs], given[-num_scan_inputs:]
    batch, longest = inputs[0].shape[:2]
    ends = (longest,) * batch if lengths is None else integers(lengths)
    backward = _each(directions, num_scan_inputs)
    found = []
    for b, end in enumerate(ends):
        parts = [x[b, :end] for x in inputs]
        axes = (0,) * num_scan_inputs
        made = list(_scanned(body, [s[b] for s in states], parts, axes, backward, None, None))
        for place in range(len(states), len(made)):  # behind its end there are zeros
            widths = ((0, longest - end), *((0, 0),) * (made[place].ndim - 1))
            made[place] = ops.pad(made[place], widths)
        found.append(made)
    return tuple(map(stacked, zip(*found, strict=True)))


@operator("Scan", since=9)
def scan(
    *given: Any,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None = None,
    scan_input_directions: Sequence[int] | None = None,
    scan_output_axes: Sequence[int] | None = None,
    scan_output_directions: Sequence[int] | None = None,
) -> tuple[Any, ...]:
    return _scanned(
        body,
        given[:-num_scan_inputs],
        given[-num_scan_inputs:],
        _each(scan_input_axes, num_scan_inputs),
        _each(scan_input_directions, num_scan_inputs),
        scan_output_axes,
        scan_output_directions,
    )
