"""Elements by index, and changes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...ops import indexing as ops
from ..sizes import NeedsNumber, Size, is_dynamic, size_of
from ..tracing import Call, Value, is_fixed, values_in
from .shapes import reshaped
from .writer import INT64, WRITERS, Unwritable, Writer, writes

LAST = np.iinfo(np.int64).max


def _items(index: Any, ndim: int) -> list[Any]:
    """One item for each axis of x, and None for each new one."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [np_number(item) for item in items]
    taken = 0
    for item in items:
        if item is not None and item is not Ellipsis:
            is_mask = isinstance(item, Value) and item.dtype == bool
            taken += item.ndim if is_mask else 1
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    at = next(i for i, item in enumerate(items) if item is Ellipsis)
    return [*items[:at], *[slice(None)] * (ndim - taken), *items[at + 1 :]]


def np_number(item: Any) -> Any:
    return int(item) if isinstance(item, np.integer) else item


@writes("basic_index")
def basic_index(g: Writer, x: Value, index: Any) -> Any:
    return _basic(g, g.value(x), x.sizes, _items(index, x.ndim))


def _basic(g: Writer, name: str, sizes: Any, items: list[Any]) -> str:
    cuts: list[tuple[int, Any, Any, int]] = []
    single, new, axis = [], [], 0
    place = 0  # in the result
    for item in items:
        if item is None:
            new.append(place)
            place += 1
            continue
        if isinstance(item, slice):
            step = 1 if item.step is None else int(item.step)
            start = (0 if step > 0 else LAST) if item.start is None else item.start
            stop = (LAST if step > 0 else -LAST) if item.stop is None else item.stop
            whole = item.start in (None, 0) and step == 1
            whole &= item.stop is None or item.stop == sizes[axis] or (
                not is_dynamic((item.stop, sizes[axis])) and item.stop >= sizes[axis]
            )  # fmt: skip
            if not whole:
                cuts.append((axis, start, stop, step))
            place += 1
        else:
            single.append((axis, item))
        axis += 1
    if cuts:
        axes, starts, stops, steps = zip(*cuts, strict=True)
        ends = [g.ints(starts), g.ints(stops), np.array(axes, np.int64)]
        if any(step != 1 for step in steps):
            ends.append(np.array(steps, np.int64))
        name = g("Slice", name, *ends)
    for axis, item in reversed(single):
        name = g("Gather", name, g.cast(item, INT64), axis=axis)
    if new:
        name = g("Unsqueeze", name, np.array(new, np.int64))
    return name


@writes("advanced_index")
def advanced_index(g: Writer, x: Value, index: Any) -> Any:
    items = _items(index, x.ndim)
    along = _along_axis(x, items)
    if along is not None:
        axis, indices = along
        return g("GatherElements", x, g.cast(indices, INT64), axis=axis)
    masks = [item for item in items if _is_mask(item)]
    if masks:
        if (
            len(masks) > 1
            or not isinstance(items[0], Value)
            or len(items) != 1 + x.ndim - masks[0].ndim
        ):
            raise Unwritable("an index of bools beside other ones")
        if any(item != slice(None) for item in items[1:]):
            raise Unwritable("an index of bools beside other ones")
        places = g("Transpose", g("NonZero", masks[0]), perm=[1, 0])
        return g("GatherND", x, places)
    # What is no array first, by a view in which each array finds its axis whole.
    basic = [item if _is_axis(item) else slice(None) for item in items]
    name = g.value(x)
    sizes: list[Any] = []
    axis = 0
    for item in basic:
        if item is None:
            sizes.append(1)
            continue
        size = x.sizes[axis]
        if item != slice(None):
            if is_dynamic(size) or is_dynamic((item.start, item.stop)):
                size = None
            else:
                size = len(range(*item.indices(size)))
        sizes.append(size)
        axis += 1
    if any(item != slice(None) for item in basic):
        name = _basic(g, name, x.sizes, basic)
    arrays = [(i, item) for i, item in enumerate(items) if not _is_axis(item)]
    places = [i for i, _ in arrays]
    together = places[-1] - places[0] == len(places) - 1
    if len(arrays) == 1:
        return g("Gather", name, _indices(g, arrays[0][1]), axis=places[0])
    start = places[0]
    if not together:
        order = [*places, *(i for i in range(len(sizes)) if i not in places)]
        name = g("Transpose", name, perm=order)
        sizes, start = [sizes[i] for i in order], 0
    picked = sizes[start : start + len(arrays)]
    linear = None
    for (_, item), size in zip(arrays, picked, strict=True):
        indices = _from_zero(g, item, size)
        if linear is None:
            linear = indices
        elif (
            isinstance(linear, np.ndarray)
            and isinstance(indices, np.ndarray)
            and not isinstance(size, Size)
        ):
            linear = linear * size + indices
        else:
            linear = g("Add", g("Mul", linear, g.cast(size, INT64)), indices)
    before, after = sizes[:start], sizes[start + len(arrays) :]
    if sum(map(_unknown, [*before, *picked, *after])) > 1 or None in sizes:
        if None in picked:
            raise NeedsNumber("an index of several arrays behind a slice, where sizes vary")
        return _picked(g, name, [item for _, item in arrays], picked, start, len(sizes))
    joined = -1 if any(map(_unknown, picked)) else int(np.prod(picked))
    shape = [*(-1 if _unknown(size) else size for size in before), joined,
             *(-1 if _unknown(size) else size for size in after)]  # fmt: skip
    name = g("Reshape", name, np.array(shape, np.int64))
    return g("Gather", name, linear, axis=start)


def _together(g: Writer, arrays: list[Any], axes: Any) -> tuple[str, Any]:
    """The indices of several axes in one array, whose last axis they are; and its other sizes."""
    shape = np.broadcast_shapes(*[np.shape(raw(item)) for item in arrays])
    sizes = next((i.sizes for i in arrays if isinstance(i, Value) and i.shape == shape), shape)
    parts = []
    for item, size in zip(arrays, axes, strict=False):
        name = _from_zero(g, item, size)
        if np.shape(raw(item)) != shape:
            name = g("Expand", name, g.ints(sizes))
        parts.append(g("Unsqueeze", name, np.array([len(shape)])))
    places = parts[0] if len(parts) == 1 else g("Concat", *parts, axis=-1)
    return places, sizes


def _picked(g: Writer, name: str, arrays: list[Any], axes: Any, start: int, ndim: int) -> str:
    """What arrays of indices for the axes from ``start`` on pick."""
    places, sizes = _together(g, arrays, axes)
    if start:
        order = [*range(start, start + len(arrays)), *range(start)]
        name = g("Transpose", name, perm=[*order, *range(len(order), ndim)])
    found = g("GatherND", name, places)
    if start:
        new = len(sizes)
        ahead = [*range(new, new + start), *range(new)]
        found = g("Transpose", found, perm=[*ahead, *range(len(ahead), ndim - len(arrays) + new)])
    return str(found)


def _unknown(size: Any) -> bool:
    return isinstance(size, Size)


def _is_mask(item: Any) -> bool:
    return isinstance(item, Value) and item.dtype == bool


def _is_axis(item: Any) -> bool:
    return item is None or isinstance(item, slice)


def _indices(g: Writer, item: Any) -> str:
    if isinstance(item, list):
        item = np.asarray([raw(one) for one in item])
    if isinstance(item, np.ndarray):
        return g.constant(item.astype(np.int64))
    return str(g.cast(item, INT64))


def _from_zero(g: Writer, item: Any, size: Any) -> Any:
    """Indices without negative ones: an array where they are constant, otherwise a name."""
    fixed = not isinstance(item, Value) or (item.constant and item.arrays is None)
    if fixed and not isinstance(size, Size) and not isinstance(item, Size):
        array = np.asarray(raw(item)).astype(np.int64)
        return np.where(array < 0, array + size, array)
    name = _indices(g, item)
    if fixed and not isinstance(item, Size) and (np.asarray(raw(item)) >= 0).all():
        return name
    if isinstance(item, Value) and item.call is not None and item.call.name == "argmax":
        return name
    bound = g.cast(size, INT64)
    return g("Where", g("Less", name, np.array(0)), g("Add", name, bound), name)


def raw(item: Any) -> Any:
    """A constant of the run as an array."""
    return item.array if isinstance(item, Value) else item


def _along_axis(x: Value, items: list[Any]) -> tuple[int, Value] | None:
    """The axis and the indices of what ``take_along_axis`` made of them."""
    if len(items) != x.ndim or x.ndim < 2 or not all(isinstance(i, Value) for i in items):
        return None
    if any(item.ndim != x.ndim for item in items):
        return None
    found = None
    for axis, item in enumerate(items):
        arrays = [np.asarray(item.array)] if item.arrays is None else item.arrays
        line = [1] * x.ndim
        line[axis] = x.sizes[axis]
        counts = all((a.reshape(-1) == np.arange(a.size)).all() for a in arrays)
        if item.constant and list(item.sizes) == line and counts and found != axis:
            continue
        if found is not None:
            return None
        found = axis
    if found is None:
        return None
    rest = [(a, b) for i, (a, b) in enumerate(zip(items[found].sizes, x.sizes, strict=True))
            if i != found]  # fmt: skip
    return (found, items[found]) if all(a == b for a, b in rest) else None


# --- Changes ---------------------------------------------------------------------------------


def _plain(tree: Any, run: int = 0) -> Any:
    """What an op was given, as it was in a run."""
    if isinstance(tree, tuple | list):
        return type(tree)(_plain(item, run) for item in tree)
    if isinstance(tree, dict):
        return {key: _plain(item, run) for key, item in tree.items()}
    if isinstance(tree, slice):
        return slice(*_plain((tree.start, tree.stop, tree.step), run))
    return tree.values[run] if isinstance(tree, Size) else raw(tree)


def put(g: Writer, x: Any, value: Any, steps: Any, how: Any = None, dtype: Any = None) -> Any:
    """x, with a view of it overwritten by ``value``: the view that the steps make of the elements'
    numbers says where they lie. It is a constant, or is made by nodes."""
    out = g.call.outputs[0]
    dtype = dtype or out.dtype
    name = g.cast(x, dtype, dtype)
    numbers: Any
    if is_dynamic(out.sizes) or _varies(steps):
        numbers = _viewed(g, name, out, steps)
        shape = g("Shape", numbers)
        numbers = g("Reshape", numbers, np.array([-1]))
    else:
        numbers = np.arange(out.size).reshape(out.shape)
        for step in steps:
            numbers = _step(numbers, step)
            numbers = numbers if step[0].outputs == 1 else numbers[step[3]]
        shape, numbers = np.array(numbers.shape, np.int64), numbers.reshape(-1)
    new = g("Reshape", g("Expand", g.cast(value, dtype), shape), np.array([-1]))
    flat = g("Reshape", name, np.array([-1]))
    found = g("ScatterElements", flat, numbers, new, axis=0, reduction=how)
    return reshaped(g, found, out.sizes)


def _varies(steps: Any) -> bool:
    """Whether a view lies elsewhere for other inputs."""
    return any(is_dynamic(step[1]) or is_dynamic([*(step[2] or {}).values()])
               or not all(map(is_fixed, values_in(step[1]))) for step in steps)  # fmt: skip


def _step(array: Any, step: Any, run: int = 0) -> Any:
    """What a step makes of an array, all outputs of it."""
    operation, args, static, _ = step
    found = operation.forward(array, *_plain(args, run), **_plain(static or {}, run))
    return found[0] if operation.outputs == 1 and operation.residuals else found


def _viewed(g: Writer, name: str, out: Value, steps: Any) -> str:
    """The view of the elements' numbers, by the nodes that the steps are."""
    runs = max((len(size.values) for size in _sizes_in((out.sizes, steps))), default=1)
    arrays = [np.zeros(_plain(out.sizes, run), bool) for run in range(runs)]
    line = g("Range", np.array(0), g("Size", name), np.array(1))
    numbers, outer = g("Reshape", line, g("Shape", name)), g.call
    for step in steps:
        operation, args, static, place = step
        view = _like(arrays)
        g.give(view, numbers)
        g.call = Call(operation.__name__, {}, outer.path)
        if operation.__name__ != "advanced_index":  # which is the last, of any size
            made = [_step(array, step, run) for run, array in enumerate(arrays)]
            several = operation.outputs != 1
            g.call.outputs = [
                _like(each) for each in (zip(*made, strict=True) if several else [made])
            ]
            arrays = [each[place] for each in made] if several else made
        write = WRITERS.get(operation.__name__)
        if write is None:
            raise Unwritable(f"a change in place of what {operation.__name__} gave")
        numbers = write(g, view, *args, **(static or {}))
        numbers = numbers[place] if isinstance(numbers, tuple) else numbers
    g.call = outer
    return numbers


def _like(arrays: Any) -> Value:
    """Integers of the shapes that arrays have in each run."""
    value = Value("made", np.zeros(arrays[0].shape, np.int64))
    value.sizes = tuple(map(size_of, zip(*[array.shape for array in arrays], strict=True)))
    return value


def _sizes_in(tree: Any) -> Iterator[Size]:
    if isinstance(tree, Size):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from _sizes_in(item)
    elif isinstance(tree, dict):
        yield from _sizes_in([*tree.values()])
    elif isinstance(tree, slice):
        yield from _sizes_in((tree.start, tree.stop, tree.step))


def places_of(index: Any) -> Any:
    """An index as the only step of a view."""
    items = index if isinstance(index, tuple) else (index,)
    arrays = any(isinstance(item, Value | list | np.ndarray) for item in items)
    return (((ops.advanced_index if arrays else ops.basic_index), (index,), None, 0),)


@writes("index_set")
def index_set(g: Writer, x: Value, index: Any, value: Any) -> Any:
    return overwritten(g, x, value, places_of(index))


@writes("added_at")
def added_at(g: Writer, g_: Value, index: Any, shape: Any) -> Any:
    out = g.call.outputs[0]
    zeros = g("Expand", np.array(0, out.dtype), g.ints(out.sizes))
    return put(g, zeros, g_, places_of(index), "add")


@writes("overwritten")
def overwritten(g: Writer, x: Value, value: Any, steps: Any) -> Any:
    found = None
    if len(steps) == 1 and (is_dynamic(x.sizes) or _varies(steps)):
        way = {"basic_index": _cut_in, "advanced_index": _chosen}.get(steps[0][0].__name__)
        found = way(g, x, value, steps[0][1][0]) if way else None
    return put(g, x, value, steps) if found is None else found


def _chosen(g: Writer, x: Value, value: Any, index: Any) -> Any:
    """x where a mask of its first axes is False, elsewhere ``value``; or, by arrays of indices for
    the first axes, with rows of it overwritten. None if the index is another one."""
    items, ndim, dtype = _items(index, x.ndim), np.ndim(raw(value)), g.call.outputs[0].dtype
    arrays = [item for item in items if not _is_axis(item)]
    rest = x.ndim - sum(item.ndim if _is_mask(item) else 1 for item in arrays)
    if items[len(arrays) :] != [slice(None)] * rest:
        return None
    if any(map(_is_mask, arrays)):
        if len(arrays) > 1 or ndim > rest:
            return None
        mask = g.value(arrays[0])
        if rest:
            mask = g("Unsqueeze", mask, np.arange(x.ndim - rest, x.ndim))
        return g("Where", mask, g.cast(value, dtype), g.cast(x, dtype))
    places, sizes = _together(g, arrays, x.sizes)
    name, whole = g.cast(value, dtype), (*sizes, *x.sizes[len(arrays) :])
    if not isinstance(value, Value) or value.sizes != whole:
        name = g("Expand", name, g.ints(whole))
    return g("ScatterND", g.cast(x, dtype), places, name)


def _cut_in(g: Writer, x: Value, value: Any, index: Any) -> Any:
    """x with a part along one axis overwritten, by what lies before and behind; None if the index
    is another one."""
    out = g.call.outputs[0]
    items = _items(index, out.ndim)
    cut = [(axis, item) for axis, item in enumerate(items) if item != slice(None)]
    if len(cut) != 1 or cut[0][1] is None:
        return None
    axis, item = cut[0]
    if isinstance(item, slice):
        if item.step not in (None, 1):
            return None
        start, stop = item.start or 0, LAST if item.stop is None else item.stop
        width: Any = None
    else:
        start, stop = item, LAST if item == -1 else item + 1
        width = 1
    at, dtype = np.array([axis]), out.dtype
    name = g.cast(x, dtype)
    parts = []
    if start != 0:
        parts.append(g("Slice", name, np.array([0]), g.dimension(start), at))
    place = g("Slice", name, g.dimension(start), g.dimension(stop), at)
    new = g.cast(value, dtype)
    if width and isinstance(value, Value) and value.ndim == out.ndim - 1:
        new = g("Unsqueeze", new, at)
    parts.append(g("Expand", new, g("Shape", place)))
    if not isinstance(stop, int) or stop != LAST:
        parts.append(g("Slice", name, g.dimension(stop), np.array([LAST]), at))
    return parts[0] if len(parts) == 1 else g("Concat", *parts, axis=axis)


@writes("take_planes", "gather_planes")
def gather_planes(g: Writer, x: Value, indices: Value) -> Any:
    lead = list(x.sizes[:-2])
    flat = g("Reshape", x, g.ints([*lead, -1]))
    places = reshaped(g, indices, [*lead, *_joined(indices)])
    return reshaped(g, g("GatherElements", flat, places, axis=-1), g.call.outputs[0].sizes)


@writes("scatter_planes")
def scatter_planes(g: Writer, g_: Value, indices: Value, size: Any) -> Any:
    out = g.call.outputs[0]
    lead = list(out.sizes[:-2])
    flat = g("Expand", np.array(0, out.dtype), g.ints([*lead, out.sizes[-2] * out.sizes[-1]]))
    values = reshaped(g, g_, [*lead, *_joined(indices)])
    places = reshaped(g, indices, [*lead, *_joined(indices)])
    found = g("ScatterElements", flat, places, values, axis=-1, reduction="add")
    return reshaped(g, found, out.sizes)


def _joined(indices: Value) -> list[Any]:
    return [indices.sizes[-2] * indices.sizes[-1]]


@writes("_placed")
def placed(g: Writer, x: Value, indices: Value, count: Any) -> Any:
    """Lines of ``count`` zeros with the elements of x at their indices."""
    out = g.call.outputs[0]
    zeros = g("Expand", np.array(0, out.dtype), g.ints(out.sizes))
    return g("ScatterElements", zeros, g.cast(indices, INT64), x, axis=-1)


@writes("packed_rows")
def packed_rows(g: Writer, x: Value, rows: Any) -> Any:
    flat = reshaped(g, x, [x.sizes[0] * x.sizes[1], *x.sizes[2:]])
    return g("Gather", flat, _indices(g, rows), axis=0)


@writes("padded_rows")
def padded_rows(g: Writer, x: Value, rows: Any, shape: Any) -> Any:
    out = g.call.outputs[0]
    flat = [out.sizes[0] * out.sizes[1], *out.sizes[2:]]
    zeros = g("Expand", np.array(0, out.dtype), g.ints(flat))
    places = g("Unsqueeze", _indices(g, rows), np.array([1]))
    return reshaped(g, g("ScatterND", zeros, places, x), out.sizes, flat)


@writes("embedding")
def embedding(
    g: Writer, indices: Any, weight: Any = None, padding_idx: Any = None, rows: Any = None
) -> Any:
    if weight is None:
        raise Unwritable("a call under vmap")
    return g("Gather", weight, _indices(g, indices), axis=0)


@writes("argwhere")
def argwhere(g: Writer, x: Value) -> Any:
    return g("Transpose", g("NonZero", x), perm=[1, 0])


@writes("nonzero")
def nonzero(g: Writer, x: Value) -> Any:
    found = g("NonZero", x)
    return tuple(g("Gather", found, np.array(i), axis=0) for i in range(len(g.call.outputs)))


@writes("_index_of_rank")
def index_of_rank(g: Writer, x: Value, axis: Any, rank: Any) -> Any:
    raise Unwritable("a quantile or a median")
