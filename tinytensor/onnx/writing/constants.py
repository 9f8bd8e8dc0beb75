"""Constants whose shape or values follow from sizes of inputs: ranges, fills and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..sizes import NeedsNumber, size_of
from ..tracing import Value
from .writer import INT64, Writer


def varying(g: Writer, value: Value) -> str:
    """Nodes that make a constant that differs between the runs."""
    arrays = [np.asarray(array) for array in value.arrays or ()]
    dtype = arrays[0].dtype
    first = [array.reshape(-1)[:1] for array in arrays]
    if all(array.size for array in arrays):
        if all((array == one).all() for array, one in zip(arrays, first, strict=True)):
            filling = [one.item() for one in first]
            if len(set(filling)) == 1:
                one = g.constant(np.asarray(filling[0], dtype))
            elif dtype.kind in "iu":
                one = g.cast(size_of(filling), dtype)
            else:
                raise _unknown(g)
            return g("Expand", one, g.ints(value.sizes)) if value.ndim else one
        if dtype.kind in "iuf":
            for axis in range(value.ndim):
                found = _range_along(g, value, arrays, axis)
                if found is not None:
                    return found
        if value.ndim >= 2:
            found = _triangle(g, value, arrays)
            if found is not None:
                return found
    raise _unknown(g)


def _unknown(g: Writer) -> NeedsNumber:
    return NeedsNumber(
        f"{g.call.name}: a constant depends on the sizes of inputs, and is neither a range, nor one"
        " number everywhere, nor a triangle; compute it by ops of the inputs, or of tt.arange"
    )


def _range_along(g: Writer, value: Value, arrays: list[np.ndarray], axis: int) -> str | None:
    """a + b i along one axis, the same along the others."""
    starts, steps = [], []
    for array in arrays:
        line = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
        if (line != line[0]).any() or line.shape[1] < 2:
            return None
        step = line[0, 1] - line[0, 0]
        expected = line[0, 0] + step * np.arange(line.shape[1], dtype=array.dtype)
        if (expected != line[0]).any():
            return None
        starts.append(line[0, 0].item())
        steps.append(step.item())
    if len(set(steps)) > 1:
        return None
    dtype = arrays[0].dtype
    if dtype.kind == "f" and any(start != int(start) for start in (*starts, *steps)):
        return None
    start, step = size_of([int(one) for one in starts]), int(steps[0])
    size = value.sizes[axis]
    line_ = g(
        "Range", g.cast(start, INT64), g.cast(start + size * step, INT64), np.array(step, np.int64)
    )
    if dtype != INT64:
        line_ = g.cast(line_, dtype, INT64)
    rest = value.ndim - 1 - axis
    if rest:
        line_ = g("Unsqueeze", line_, np.arange(1, rest + 1))
    if any(size != 1 for i, size in enumerate(value.sizes) if i != axis):
        return str(g("Expand", line_, g.ints(value.sizes)))
    before = axis
    return str(line_ if not before else g("Unsqueeze", line_, np.arange(before)))


def _triangle(g: Writer, value: Value, arrays: list[np.ndarray]) -> str | None:
    """One number below a diagonal of the last two axes, another one above it."""
    offsets, pairs = [], set()
    for array in arrays:
        matrix = array.reshape(-1, *array.shape[-2:])
        low, high = matrix[0, -1, 0].item(), matrix[0, 0, -1].item()
        rows, columns = matrix.shape[1:]
        apart = np.arange(columns) - np.arange(rows)[:, np.newaxis]
        inside = matrix[0] == low
        if (inside == inside[0, 0]).all():
            return None
        offset = int(apart[inside].max())
        if (matrix != np.where(apart <= offset, low, high)).any():
            return None
        offsets.append(offset)
        pairs.add((low, high))
    if len(pairs) > 1:
        return None
    below = lower_triangle(g, value.sizes[-2], value.sizes[-1], size_of(offsets))
    dtype = arrays[0].dtype
    ((low, high),) = pairs
    found = g("Where", below, np.array(low, dtype), np.array(high, dtype))
    return str(found if value.ndim == 2 else g("Expand", found, g.ints(value.sizes)))


def lower_triangle(g: Writer, rows: Any, columns: Any, offset: Any = 0) -> str:
    """Bools (rows, columns): j ≤ i + offset."""

    def line(size: Any, key: str) -> str:
        def write() -> str:
            ends = np.array(0), g.cast(size, INT64), np.array(1)
            return str(g("Range", *ends))

        return g.once((key, size), write)

    def write() -> str:
        i, j = line(rows, "range"), line(columns, "range")
        if offset != 0:
            i = g("Add", i, g.cast(offset, INT64))
        return str(g("LessOrEqual", j, g("Unsqueeze", i, np.array([1]))))

    return g.once(("triangle", rows, columns, offset), write)
