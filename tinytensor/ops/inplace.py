"""Changes in place that the graph records: what ``x += y`` and ``x[i] = y`` mean for gradients.

An op computes the new values from a stand-in of x as it was; they are copied into the memory of x,
and x gets their node. If x is a view of another tensor, the *root*, the root is then what it was,
with x overwritten: its cotangent goes on to its old node with zeros in the place of x, and the part
in the place of x goes to the new values. All other views of the root find out by the count
``recorded`` of their version, and are made again on it when next they are asked for their node.

Where the same op's gradient needs the values that it changes (``x *= w``), it keeps a copy. Where
an earlier op needs them, its node finds another version than it saved, and backward raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..dtypes import same_kind
from ..engine.core import GraphError, Variable, edge, version_of
from ..engine.operation import Op, stand_in
from ..errors import DtypeError, ShapeError
from .batching import unchangeable
from .composed import is_followed
from .declared import op
from .indexing import advanced_index, basic_index, is_basic, own_index
from .operands import operand
from .precision import cast
from .shape import broadcast_to, reshape
from .updates import repeats, turns

__all__: list[str] = []

Steps = tuple[Any, ...]

# What makes a changed copy instead, where it is not this.
_INSTEAD = "x = x.at[…].set(value) copies"
_INSTEADS = {
    "+=": "x = x + value or x.at[…].add(value) copies",
    "-=": "x = x - value or x.at[…].subtract(value) copies",
    "*=": "x = x * value or x.at[…].multiply(value) copies",
    "/=": "x = x / value or x.at[…].divide(value) copies",
    "**=": "x = x ** value or x.at[…].power(value) copies",
}
_INSTEADS |= {
    f"{name}_": _INSTEADS[by]
    for name, by in {"add": "+=", "sub": "-=", "mul": "*=", "div": "/=", "pow": "**="}.items()
}


def array_of(by: str, x: Any) -> np.ndarray:
    """The array of x, to be changed by ``by``, which is counted and noted for error messages."""
    array = x.value if isinstance(x.value, np.ndarray) else x.storage
    if not array.flags.writeable:
        raise ValueError(f"{by}: the tensor's memory is read-only")
    x.changed(by, _INSTEADS.get(by, _INSTEAD))
    return array


def change(by: str, x: Any, operation: Op, *others: Any) -> None:
    """Record that x gets the values of ``operation(x, *others)``."""
    _check_level(by, *others)
    root, steps = _root_of(by, x)
    before = stand_in(x, x.family)
    new = operation(before, *[before if other is x else other for other in others])
    if new.shape != x.shape:
        raise ShapeError(f"{by}: the result is {new.shape}, but its place is {x.shape}")
    _check_cast(by, new.dtype, x.dtype)
    if new.node is not None and new.node.saved:
        _own_what_changes(new.node, before)
    if new.dtype != x.dtype:
        new = cast(new, x.dtype)
    np.copyto(array_of(by, x), new.value)
    if steps:
        _rebase(root, overwritten(stand_in(root, root.family), new, steps))
    _rebase(x, new)


def assign(by: str, x: Any, index: Any, value: Any) -> None:
    """Record ``x[index] = value``; of several values for one element, the last stays."""
    _check_level(by, value)
    root, steps = _root_of(by, x)
    array, index = x.value, own_index(index)
    value = operand(by, value, x)
    _check_cast(by, value.dtype, array.dtype)
    basic = is_basic(index)
    try:
        place = basic_index.forward(array, index) if basic else _positions(array.shape)[index]
    except IndexError as error:
        raise IndexError(f"{by}: {error}") from error
    if basic and _is_view_of(root, place, value):
        return
    while value.ndim > place.ndim and value.shape[0] == 1:
        value = reshape(value, value.shape[1:])
    try:
        stretched = np.broadcast_shapes(value.shape, place.shape)
    except ValueError:
        stretched = ()
    if stretched != place.shape:
        raise ShapeError(f"{by}: the value is {value.shape}, but its place is {place.shape}")
    if not basic and not _is_mask(index) and repeats(place) and not is_followed():
        places = place.reshape(-1)
        (last,) = turns(places, last_only=True)
        value = advanced_index(reshape(broadcast_to(value, place.shape), (-1,)), last)
        index = np.unravel_index(places[last], array.shape)
    step = (basic_index if basic else advanced_index, (index,), None, 0)
    written = overwritten(stand_in(root, root.family), value, (*steps, step))
    array_of(by, x)[index] = getattr(value, "value", value)
    _rebase(root, written)


def _root_of(by: str, x: Any) -> tuple[Any, Steps]:
    """The tensor of which x is a view, and the calls that make x of it: x and none if it is not."""
    _check_level(by, x)
    edge(x)
    root, steps = (x, []) if x.view_of is None else steps_of(x.view_of)
    if root is None:
        raise GraphError(
            f"{by}: this view was made under no_grad, so a recorded change would not reach what it"
            " is a view of; make the view where gradients are recorded, or change it under no_grad"
        )
    if root is not x and not x.shares(x.storage, root.storage):  # data was assigned to
        x.view_of, root, steps = None, x, []
    for operation, args, _, _ in steps:
        if args is None:
            raise GraphError(
                f"{by}: cannot change in place what {operation.__name__} returned; {_instead(by)}"
            )
    for tensor, what in ((x, "a leaf"), (root, "a view of a leaf")):
        if tensor.tracked and edge(tensor) is tensor:
            raise GraphError(
                f"{by}: cannot change a tensor in place that is {what} which requires a gradient;"
                f" {_instead(by)}, and under tt.no_grad() nothing is recorded"
            )
    return root, tuple(steps)


def _check_level(by: str, *values: Any) -> None:
    if any(isinstance(value, Variable) and value.level for value in values):
        raise unchangeable(by)


def _instead(by: str) -> str:
    return _INSTEADS.get(by, _INSTEAD)


def _rebase(x: Any, new: Any) -> None:
    """Give x, whose values have changed, the node of ``new``."""
    version = version_of(x)
    version.recorded += 1
    x.as_of, x.node, x.tracked = version.recorded, new.node, new.tracked


def _check_cast(by: str, dtype: np.dtype, into: np.dtype) -> None:
    if not same_kind(dtype, into):
        raise DtypeError(f"{by}: {dtype} does not fit into {into}")


def _own_what_changes(node: Any, before: Any) -> None:
    """Let ``node`` hold a copy of what it saved of ``before``, whose memory is about to change."""
    for name, saved in zip(node.plan.names, node.saved, strict=True):
        if isinstance(saved, Variable) and saved.value is before.value:
            saved.value, saved.version = kernels.copy(before.value), None
            node.guards = [guard for guard in node.guards if guard[2] != name]


def _is_view_of(root: Any, place: np.ndarray, value: Any) -> bool:
    """Whether ``value`` is what stands there: Python ends ``x[i] += 1`` by assigning the view."""
    if not isinstance(value, Variable):
        return False
    if (value if value.view_of is None else steps_of(value.view_of)[0]) is not root:
        return False
    return _layout(value.storage) == _layout(place)


def _layout(array: np.ndarray) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides, array.dtype


def _is_mask(index: Any) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == bool


def _positions(shape: tuple[int, ...]) -> np.ndarray:
    """The elements of an array of ``shape``, numbered in C order."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


# --- The root of a view that has changed ------------------------------------------------------


@op
def overwritten(x, value, steps):
    """x, whose memory holds ``value`` already in the view that ``steps`` make of it.

    Gradient: to x, g with zeros in the view; to the value, the view of g.
    """
    return x


@op
def zeroed(g, steps):
    """A copy of g with zeros in the view that ``steps`` make of it."""
    out = kernels.copy(np.asarray(g))
    views, index = steps, ...
    if steps[-1][0] is advanced_index:  # a copy, but a place to write to
        views, index = steps[:-1], steps[-1][1][0]
    view = _replayed(views, out)
    if np.may_share_memory(view, out):
        view[index] = 0
    else:  # a view only in another layout: reshaped, say, after a transposition
        out.reshape(-1)[_replayed(views, _positions(out.shape))[index]] = 0
    return out


def steps_of(view_of):
    """The storage's own variable (None for a constant, made under no_grad), and the calls that
    make the view from it."""
    steps = []
    while isinstance(view_of, tuple):
        steps.append(view_of[1:])
        view_of = view_of[0]
    return view_of, steps[::-1]


def replayed(steps, variable):
    """The view that ``steps`` make of ``variable``."""
    for call, args, static, place in steps:
        if args is None:
            raise GraphError(
                f"{call.__name__}: what it returned is a view of what was changed in place while"
                " gradients were recorded; change a copy instead"
            )
        made = call.call((variable, *args), static)
        variable = made if call.outputs == 1 else made[place]
    return variable


def _replayed(steps: Any, x: Any) -> Any:
    """What ``steps`` make of an array."""
    for operation, args, static, place in steps:
        x = operation.forward(x, *args, **(static or {}))
        if operation.outputs != 1:
            x = x[place]
        elif operation.residuals:
            x = x[0]
    return x


overwritten.grad(x=lambda g, steps: zeroed(g, steps), value=lambda g, steps: replayed(steps, g))
zeroed.grad(g=lambda gg, steps: zeroed(gg, steps))
