"""vmap: a function of one example as a function of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..errors import VmapError
from ..tensors.batched import lane_of, mapping
from ..tensors.tensor import Tensor
from .recording import Function, as_tensor, name_of, parameter_names, shown
from .trees import TreeDef, find_kind, tree_flatten, tree_unflatten

__all__ = ["VmapError", "vmap"]

Axes = Any  # a number, None, or a tree of them that the arguments go on from


def vmap(
    function: Function,
    in_axes: Axes = 0,
    out_axes: Axes = 0,
    axis_size: int | None = None,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Function:
    """A function that calls ``function`` for each lane of its arguments, all at once.

    The lanes lie along the axis ``in_axes`` of every tensor among the arguments, which may be trees
    of tensors. ``in_axes`` is a number, or None for an argument that is the same in all lanes; a
    tuple has one for each positional argument, and in it a tree one for each part of an argument.
    Arguments by name have their lanes along axis 0. The results' lanes are put along ``out_axes``,
    a number or a tree of them; None asks for a result that is the same in all lanes. Where no
    argument has lanes, ``axis_size`` says how many there are.

    The function is called once, with tensors that look like those of one lane. Ops work on all
    lanes at once, by their batching rules, or one after the other where they have none. To look at
    elements (``float(x)``, ``if x > 0``), to change them in place, or to ask for a shape that
    depends on them (``x[mask]``) is a VmapError. With ``chunk_size`` so many lanes are taken at a
    time.

    Random ops are an error by default; with ``randomness`` "different" each lane draws its own
    numbers, with "same" all lanes have the same ones.

    It nests with itself and all derivatives, in any order: ``vmap(grad(f), (None, 0))`` gives
    the gradient of each example.

    >>> import tinytensor as tt
    >>> def loss(w, x, y):
    ...     return (w @ x - y) ** 2
    >>> w, xs, ys = tt.tensor([1.0, 2.0]), tt.eye(2), tt.zeros(2)
    >>> tt.func.vmap(tt.func.grad(loss), in_axes=(None, 0, 0))(w, xs, ys)
    tensor([[2., 0.],
            [0., 4.]])
    """
    if randomness not in ("error", "different", "same"):
        raise ValueError(f'vmap: randomness is "error", "different" or "same", not {randomness!r}')
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: chunk_size must be at least 1, not {chunk_size}")

    def mapped(*args: Any, **kwargs: Any) -> Any:
        call = Arguments(function, args, kwargs, in_axes, axis_size)
        step = chunk_size or max(call.lanes, 1)
        chunks = [
            _called(function, call, slice(first, first + step), out_axes, randomness)
            for first in range(0, max(call.lanes, 1), step)
        ]
        return _joined(chunks)

    return mapped


class Arguments:
    """The arguments of a call, those with lanes as tensors with the lanes along axis 0."""

    def __init__(
        self,
        function: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        in_axes: Axes,
        axis_size: int | None,
    ) -> None:
        axes = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * len(args)
        if len(axes) != len(args):
            raise ValueError(
                f"vmap: in_axes has {len(axes)} entries, but {name_of(function)} is called with"
                f" {len(args)} positional arguments"
            )
        names = parameter_names(function, len(args))
        self.places: list[tuple[Any, TreeDef]] = []  # where each argument goes, and its structure
        self.leaves: list[Any] = []
        self.on: list[bool] = []
        sizes: dict[str, int] = {}
        given: list[tuple[Any, str, Any, Axes]] = [
            (i, names[i].removeprefix("argument "), x, axes[i]) for i, x in enumerate(args)
        ]
        given += [(key, repr(key), x, 0) for key, x in kwargs.items()]
        for place, name, x, axis in given:
            leaves, tree = tree_flatten(x) if axis is not None else ([x], TreeDef())  # as it is
            each = (
                [None] if axis is None else broadcast_axes(axis, x, f"in_axes of argument {name}")
            )
            for leaf, one, path in zip(leaves, each, tree.paths(f"argument {name}"), strict=True):
                self.on.append(one is not None)
                if one is not None:
                    leaf = first_axis(leaf, one, path, function)
                    sizes[path] = leaf.shape[0]
                self.leaves.append(leaf)
            self.places.append((place, tree))
        if axis_size is not None:
            sizes["axis_size"] = axis_size
        if not sizes:
            raise ValueError("vmap: no argument has lanes; axis_size must say how many there are")
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{size} of {path}" for path, size in sizes.items())
            raise ValueError(f"vmap: the numbers of lanes differ: {listed}")
        self.lanes = next(iter(sizes.values()))

    def of_chunk(self, chunk: slice, level: int) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of one lane among those of ``chunk``."""
        whole = chunk.start == 0 and chunk.stop >= self.lanes
        leaves = iter(
            [
                lane_of(leaf if whole else leaf[chunk], level) if on else leaf
                for leaf, on in zip(self.leaves, self.on, strict=True)
            ]
        )
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for place, tree in self.places:
            x = tree_unflatten(tree, [next(leaves) for _ in range(tree.num_leaves)])
            if isinstance(place, str):
                kwargs[place] = x
            else:
                args.append(x)
        return args, kwargs


def broadcast_axes(axes: Axes, tree: Any, what: str) -> list[int | None]:
    """The axis of each leaf of ``tree``: ``axes`` has its structure, or the upper part of it."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree_flatten(tree)[0])
    kind, other = find_kind(type(axes)), find_kind(type(tree))
    if kind is None or other is None:
        raise ValueError(f"vmap: {what} has {axes!r} for {shown(tree)}: neither a number nor None")
    parts, data = kind.flatten(axes)
    children, keys = other.flatten(tree)
    if isinstance(axes, dict) and isinstance(tree, dict):
        if set(axes) != set(tree):
            raise ValueError(f"vmap: {what} has the keys {list(axes)}, and {list(tree)} are given")
        parts = [axes[key] for key in tree]
    elif len(parts) != len(children) or (data != keys and not other.transparent):
        raise ValueError(
            f"vmap: {what}, {axes!r}, has not the structure of the {type(tree).__name__} given"
        )
    return [
        axis
        for part, child in zip(parts, children, strict=True)
        for axis in broadcast_axes(part, child, what)
    ]


def first_axis(leaf: Any, axis: int, path: str, function: Function) -> Tensor:
    """``leaf`` as a tensor with the lanes in front."""
    x = as_tensor(leaf)
    if x is None or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"vmap: {path} of {name_of(function)} is {shown(leaf)}, and has no axis {axis} for the"
            " lanes; in_axes None would pass it as it is"
        )
    return ops.moveaxis(x, axis, 0) if axis % x.ndim else x


class Chunk:
    """The results of some lanes: leaves with the lanes along an axis, or None for the same in
    all."""

    def __init__(self, tree: TreeDef, leaves: Sequence[Tensor], axes: Sequence[int | None]) -> None:
        self.tree, self.leaves, self.axes = tree, leaves, axes


def _called(
    function: Function, call: Arguments, chunk: slice, out_axes: Axes, randomness: str
) -> Chunk:
    """Call the function for the lanes of ``chunk``."""
    lanes = len(range(*chunk.indices(call.lanes)))
    with mapping(lanes, randomness) as level:
        args, kwargs = call.of_chunk(chunk, level)
        result = function(*args, **kwargs)
    leaves, tree = tree_flatten(result)
    axes = broadcast_axes(out_axes, result, "out_axes")
    paths = tree.paths("the result")
    whole = [
        all_lanes(leaf, axis, lanes, level, f"{path} of {name_of(function)}")
        for leaf, axis, path in zip(leaves, axes, paths, strict=True)
    ]
    return Chunk(tree, whole, axes)


def all_lanes(leaf: Any, axis: int | None, lanes: int, level: int, path: str) -> Tensor:
    """A result with its lanes along ``axis``."""
    x = as_tensor(leaf)
    if x is None:
        raise TypeError(f"vmap: {path} is {shown(leaf)}, and must be a tensor or a number")
    if x.level == level:
        if axis is None:
            raise ValueError(f"vmap: {path} differs from lane to lane, but its out_axes is None")
        x = x.value  # type: ignore[assignment]
    elif axis is None:
        return x
    else:
        x = ops.broadcast_to(x, (lanes, *x.shape))
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"vmap: {path} is {x.shape[1:]} in each lane; there is no out axis {axis}")
    return ops.moveaxis(x, 0, axis) if axis % x.ndim else x


def _joined(chunks: Sequence[Chunk]) -> Any:
    """The results of all chunks as one tree."""
    first = chunks[0]
    if len(chunks) == 1:
        return tree_unflatten(first.tree, first.leaves)
    leaves = [
        column[0] if axis is None else ops.concat(column, axis)
        for axis, *column in zip(first.axes, *(chunk.leaves for chunk in chunks), strict=True)
    ]
    return tree_unflatten(first.tree, leaves)
