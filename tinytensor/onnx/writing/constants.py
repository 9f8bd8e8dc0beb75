"""Constants whose shape or values follow from sizes of inputs: ranges, fills and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..sizes import NeedsNumber, Varying, is_dynamic, size_of
from ..tracing import Value
from .writer import FLOAT64, INT64, Writer

MOST = 64  # numbers of a constant that are looked at one by one


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
                one = g.cast(Varying(filling), dtype)
            return g("Expand", one, g.ints(value.sizes)) if value.ndim else one
        if dtype.kind in "iuf":
            for axis in range(value.ndim):
                found = _range_along(g, value, arrays, axis)
                if found is None:
                    another = _spaced_along if dtype.kind == "f" else _repeated_along
                    found = another(g, value, arrays, axis)
                if found is not None:
                    return found
        if value.ndim >= 2:
            found = _triangle(g, value, arrays) or _diagonal(g, value, arrays)
            if found is not None:
                return found
    if dtype.kind in "iu" and value.size <= MOST and not is_dynamic(value.sizes):  # sizes, perhaps
        each = zip(*[array.reshape(-1).tolist() for array in arrays], strict=True)
        numbers = g.ints([size_of(several) for several in each])
        shaped = numbers if value.ndim == 1 else g("Reshape", numbers, g.ints(value.sizes))
        return g.cast(shaped, dtype, INT64)
    raise _unknown(g)


def _unknown(g: Writer) -> NeedsNumber:
    return NeedsNumber(
        f"{g.call.name}: a constant depends on the sizes of inputs, and is neither a range, nor one"
        " number everywhere, nor a triangle or a diagonal; compute it by ops of the inputs, or"
        " of tt.arange"
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
        return None  # sums of which are rounded
    start, step = size_of([int(one) for one in starts]), int(steps[0])
    size = value.sizes[axis]
    line_ = g(
        "Range", g.cast(start, INT64), g.cast(start + size * step, INT64), np.array(step, np.int64)
    )
    if dtype != INT64:
        line_ = g.cast(line_, dtype, INT64)
    return _stretched(g, value, line_, axis)


def _spaced_along(g: Writer, value: Value, arrays: list[np.ndarray], axis: int) -> str | None:
    """From a to b in equal steps along one axis, the same along the others."""
    ends = set()
    for array in arrays:
        line = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
        if (line != line[0]).any() or line.shape[1] < 2:
            return None
        first, last = line[0, 0].item(), line[0, -1].item()
        rounding = 4 * float(np.finfo(array.dtype).eps) * max(abs(first), abs(last))
        if (abs(line[0] - np.linspace(first, last, line.shape[1])) > rounding).any():
            return None
        ends.add((first, last))
    if len(ends) > 1:
        return None
    ((first, last),) = ends
    size = value.sizes[axis]
    numbers = g.cast(g("Range", np.array(0), g.cast(size, INT64), np.array(1)), FLOAT64, INT64)
    gaps = g("Max", g.cast(size - 1, FLOAT64), np.array(1.0))
    line_ = g("Add", g("Mul", g("Div", numbers, gaps), np.array(last - first)), np.array(first))
    return _stretched(g, value, g.cast(line_, arrays[0].dtype, FLOAT64), axis)


def _repeated_along(g: Writer, value: Value, arrays: list[np.ndarray], axis: int) -> str | None:
    """0, 0, 1, 1, …: each number equally often along one axis, the same along the others."""
    counts = set()
    for array in arrays:
        line = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
        count = int((line[0] == 0).sum())
        if not count or (line != np.arange(line.shape[1]) // count).any():
            return None
        counts.add(count)
    if len(counts) > 1:
        return None
    line_ = g("Range", np.array(0), g.cast(value.sizes[axis], INT64), np.array(1))
    line_ = g.cast(g("Div", line_, np.array(counts.pop())), arrays[0].dtype, INT64)
    return _stretched(g, value, line_, axis)


def _stretched(g: Writer, value: Value, line: str, axis: int) -> str:
    """A line along one axis of ``value``, repeated along the others."""
    rest = value.ndim - 1 - axis
    if rest:
        line = g("Unsqueeze", line, np.arange(1, rest + 1))
    if any(size != 1 for i, size in enumerate(value.sizes) if i != axis):
        return str(g("Expand", line, g.ints(value.sizes)))
    return str(line if not axis else g("Unsqueeze", line, np.arange(axis)))


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
    return _either(g, value, below, *pairs.pop())


def _diagonal(g: Writer, value: Value, arrays: list[np.ndarray]) -> str | None:
    """One number on a diagonal of the last two axes, another one elsewhere."""
    offsets, pairs = [], set()
    for array in arrays:
        matrix = array.reshape(-1, *array.shape[-2:])
        rows, columns = matrix.shape[1:]
        apart = np.arange(columns) - np.arange(rows)[:, np.newaxis]
        elsewhere = matrix[0, -1, 0] if rows > 1 or columns < 2 else matrix[0, 0, -1]
        on = apart[matrix[0] != elsewhere]
        if not on.size:
            return None
        offset = int(on[0])
        number = matrix[0][apart == offset][0]
        if (matrix != np.where(apart == offset, number, elsewhere)).any():
            return None
        offsets.append(offset)
        pairs.add((number.item(), elsewhere.item()))
    if len(pairs) > 1:
        return None
    on_ = lower_triangle(g, value.sizes[-2], value.sizes[-1], size_of(offsets), "Equal")
    return _either(g, value, on_, *pairs.pop())


def _either(g: Writer, value: Value, where: str, one: Any, other: Any) -> str:
    """One number where bools say so, the other elsewhere, in the shape of ``value``."""
    found = g("Where", where, np.array(one, value.dtype), np.array(other, value.dtype))
    return str(found if value.ndim == 2 else g("Expand", found, g.ints(value.sizes)))


def lower_triangle(
    g: Writer, rows: Any, columns: Any, offset: Any = 0, kind: str = "LessOrEqual"
) -> str:
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
        return str(g(kind, j, g("Unsqueeze", i, np.array([1]))))

    return g.once((kind, rows, columns, offset), write)
