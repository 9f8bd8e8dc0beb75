"""Batched: the tensor of one lane of a vmap, whose value holds the tensors of all lanes.

vmap calls a function once, with such tensors. They look like the tensor of a single lane; ops that
are called on them are called on the tensors of all lanes, by the ops' batching rules. What is
recorded for gradients is recorded of those, so a Batched never has a node of its own.

Vmaps within vmaps have levels, from 1 on. The lanes of a level lie along axis 0 of the value, which
is a plain tensor, or a Batched of a lower level:

    Batched (level 2, shape S) → Batched (level 1, shape B₂ S) → Tensor (shape B₁ B₂ S)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import ops, random
from ..engine.core import GraphError, Variable, wrap
from ..engine.operation import Op
from ..errors import ShapeError, VmapError
from ..ops.batching import lanes_of, unchangeable
from ..ops.precision import has_narrow, once_rounded
from .tensor import Dtype, Shape, Tensor

__all__ = ["Batched"]


class Batched(Tensor):
    """A tensor of one lane of a vmap. Its shape is that of the lane; its elements are unknown."""

    __slots__ = ()

    value: Any  # the tensor of all lanes

    @staticmethod
    def spec(value: Tensor) -> tuple[Shape, np.dtype]:
        return value.shape[1:], value.dtype

    @classmethod
    def called(cls, op: Op, args: Any, static: dict[str, Any] | None, level: int) -> Any:
        """Call ``op`` for all lanes of ``level``, the highest among its arguments."""
        static = static or {}
        mapped = [isinstance(x, Variable) and x.level == level for x in args]
        physical = [x.value if has_lanes else x for x, has_lanes in zip(args, mapped, strict=True)]
        lanes = {x.shape[0] for x, has_lanes in zip(physical, mapped, strict=True) if has_lanes}
        if len(lanes) > 1 or not lanes.issubset(active.get()[level - 1 : level]):
            raise VmapError(f"{op.__name__}: an argument is of a lane of a vmap that has ended")
        out: Any = NotImplemented
        try:
            rule, formula = op.batching, op.formula
            if has_narrow(physical) and op.dtype_at < 0 and not hasattr(op, "overwrites"):
                rule, formula = (f and once_rounded(f) for f in (rule, formula))  # of several ops
            if rule is not None:
                out = rule(op, physical, mapped, static)
            if out is NotImplemented and formula is not None:
                return formula(*args, **static)
            if out is NotImplemented:
                out = looped(op, physical, mapped, static)
        except Exception as error:
            error.add_note(f"(in a vmap of {lanes.pop()} lanes, which may be axis 0 of the shapes)")
            raise
        if op.outputs == 1:
            return lane_of(out, level)
        return tuple(lane_of(one, level) for one in out)

    # --- What it is, to a lane -----------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        return self.value.shape[1:]

    @property
    def ndim(self) -> int:
        return self.value.ndim - 1

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def is_leaf(self) -> bool:
        return plain(self).is_leaf

    def __repr__(self) -> str:
        size = self.value.shape[0]
        return f"tensor of one of {size} lanes(shape={self.shape}, dtype={self.dtype})"

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def detach(self) -> Tensor:
        return lane_of(self.value.detach(), self.level)

    def copied(self) -> Tensor:
        return lane_of(self.value.copied(), self.level)

    def contiguous(self) -> Tensor:
        return self

    def is_contiguous(self) -> bool:
        return True

    def _as_bytes_of(self, dtype: np.dtype) -> Tensor:
        if self.ndim == 0 and dtype.itemsize != self.dtype.itemsize:
            raise ShapeError(f"view: a number of {self.dtype} cannot be seen as {dtype}")
        return lane_of(self.value._as_bytes_of(dtype), self.level)

    # --- What a lane cannot do -----------------------------------------------------------------

    def _unknown(self, what: str) -> VmapError:
        return VmapError(
            f"{what}: under vmap this tensor stands for those of {self.value.shape[0]} lanes, so it"
            " has no elements to look at; compute with ops, and choose with tt.where"
        )

    def numpy(self) -> np.ndarray:
        raise self._unknown("numpy")

    def __array__(self, dtype: Dtype = None, copy: bool | None = None) -> np.ndarray:
        raise self._unknown("np.asarray")

    def item(self) -> Any:
        raise self._unknown("item")

    def tolist(self) -> Any:
        raise self._unknown("tolist")

    def __dlpack__(self, **options: Any) -> Any:
        raise self._unknown("__dlpack__")

    @property  # type: ignore[misc]
    def storage(self) -> Any:
        raise self._unknown("storage")

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        raise unchangeable("an assignment to data")

    # fmt: off
    def __bool__(self) -> bool: raise self._unknown("bool")
    def __int__(self) -> int: raise self._unknown("int")
    def __float__(self) -> float: raise self._unknown("float")
    def __complex__(self) -> complex: raise self._unknown("complex")
    def __index__(self) -> int: raise self._unknown("index")
    def __contains__(self, item: Any) -> bool: raise self._unknown("in")
    # fmt: on

    def __copy__(self) -> Tensor:
        return lane_of(self.value, self.level)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        raise VmapError("deepcopy: a tensor of one lane of a vmap is only a view of all; use clone")

    def __reduce__(self) -> tuple[Any, ...]:
        raise VmapError("pickle: a tensor of one lane of a vmap means nothing outside of it")

    @property
    def requires_grad(self) -> bool:
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted != self.tracked:
            raise GraphError("requires_grad: within a vmap, derivatives are taken by tt.func.grad")

    def backward(self, *args: Any, **kwargs: Any) -> None:
        raise GraphError("backward: within a vmap, derivatives are taken by tt.func.grad")

    def register_hook(self, hook: Any) -> Any:
        raise GraphError("register_hook: a tensor of one lane of a vmap has no gradient of its own")

    def retain_grad(self) -> None:
        raise GraphError("retain_grad: a tensor of one lane of a vmap has no gradient of its own")


def lane_of(value: Tensor, level: int) -> Batched:
    """One lane of ``value``, along whose axis 0 they lie."""
    lane = wrap(Batched, value)
    lane.level, lane.tracked, lane.rounded = level, value.tracked, value.rounded
    return lane


def looped(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
    """Call the op for each lane, and stack what comes out: right for any op, and as slow."""
    lanes = lanes_of(args, mapped)
    if lanes == 0:
        raise VmapError(f"{op.__name__}: there are no lanes to call it for")
    columns = [ops.unstack(x) if o else [x] * lanes for x, o in zip(args, mapped, strict=True)]
    rows = zip(*columns, strict=True)
    results = [op(row, **static) if op.variadic else op(*row, **static) for row in rows]

    if op.outputs == 1:
        results = [(result,) for result in results]
    if len({tuple(x.shape for x in result) for result in results}) > 1:
        raise VmapError(
            f"{op.__name__}: under vmap every lane must give the same shapes, and these differ"
        )
    stacked = tuple(ops.stack(list(column)) for column in zip(*results, strict=True))
    return stacked[0] if op.outputs == 1 else stacked


def each_lane(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """``function(*args)`` where ops do not know what it does: it is called for each lane of the
    highest level among ``args``, and its tensors are stacked. What else it returns is the first
    lane's."""
    level = max(x.level for x in args if isinstance(x, Tensor))
    mapped = [isinstance(x, Tensor) and x.level == level for x in args]
    columns = [
        ops.unstack(x.value) if has_lanes else [x] * _size(level)
        for x, has_lanes in zip(args, mapped, strict=True)
    ]
    results = [function(*row) for row in zip(*columns, strict=True)]
    first = results[0]
    outputs = list(zip(*results, strict=True)) if isinstance(first, tuple) else [results]
    made = [
        lane_of(ops.stack(list(column)), level) if isinstance(column[0], Tensor) else column[0]
        for column in outputs
    ]
    return tuple(made) if isinstance(first, tuple) else made[0]


# --- The vmaps that run ----------------------------------------------------------------------


active: ContextVar[tuple[int, ...]] = ContextVar("active", default=())  # how many lanes each has


def _size(level: int) -> int:
    return active.get()[level - 1]


Running = tuple[tuple[int, ...], tuple[str, ...]]


def running() -> Running:
    """The vmaps that run: how many lanes each has, and how random ops draw in it."""
    return active.get(), random.in_lanes.get()


@contextmanager
def resuming(vmaps: Running) -> Iterator[None]:
    """Within it run these vmaps, and no others."""
    tokens = active.set(vmaps[0]), random.in_lanes.set(vmaps[1])
    try:
        yield
    finally:
        active.reset(tokens[0])
        random.in_lanes.reset(tokens[1])


@contextmanager
def mapping(size: int, randomness: str) -> Iterator[int]:
    """Within it runs one more vmap, whose level is given."""
    sizes, draws = running()
    with resuming(((*sizes, size), (*draws, randomness))):
        yield len(sizes) + 1


def drawn(draw: Callable[[Shape], np.ndarray], shape: Shape) -> Tensor:
    """A tensor of ``shape`` from ``draw``; in vmaps with different draws, one for each lane."""
    sizes, how = running()
    if "different" not in how or "error" in how:
        return Tensor(draw(shape))
    levels = [level for level, one in enumerate(how, 1) if one == "different"]
    with resuming((sizes, ())):
        x = Tensor(draw((*(sizes[level - 1] for level in levels), *shape)))
    for level in levels:
        x = lane_of(x, level)
    return x


# --- All lanes of all levels -----------------------------------------------------------------


def plain(x: Tensor) -> Tensor:
    """The tensor of level 0 that holds all lanes of x."""
    while x.level:
        x = x.value  # type: ignore[assignment]
    return x


def lanes_as_axes(x: Tensor, depth: int) -> Tensor:
    """x with the lanes of levels 1 to ``depth`` as its first axes, along which it is stretched if
    it has no such lanes. It stays a tensor of one lane of the levels above."""
    if x.level > depth:
        below = lanes_as_axes(x.value, depth)  # type: ignore[arg-type]
        return lane_of(ops.moveaxis(below, depth, 0), x.level)
    if depth == 0:
        return x
    if x.level == depth:
        return lanes_as_axes(x.value, depth - 1)  # type: ignore[arg-type]
    return lanes_as_axes(ops.broadcast_to(x, (_size(depth), *x.shape)), depth - 1)


def axes_as_lanes(x: Tensor, depth: int) -> Tensor:
    """The inverse: one lane of levels 1 to ``depth`` of x, whose first axes they are."""
    if x.level > depth:
        return lane_of(axes_as_lanes(ops.moveaxis(x.value, 0, depth), depth), x.level)
    for level in range(1, depth + 1):
        x = lane_of(x, level)
    return x
