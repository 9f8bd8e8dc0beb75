"""Batching rules: what an op does with tensors of which vmap shows it one lane.

A rule is declared with ``.batched(rule)``, next to the gradient rules. It is called as

    rule(op, args, mapped, static)

with all arguments of the call. Those that ``mapped`` says True of are tensors with the lanes along
axis 0; the others are the same in every lane. It calls ops, and its result has the lanes on axis 0.
NotImplemented leaves the call to the op's formula, or to a loop over the lanes if it has none.
Here are the kinds of rules that most ops share. The loop is ``tensors/batched.looped``.
``.batched(formula=f)`` says that a lane's result is that of f, a function of ops, instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.core import Variable
from ..errors import VmapError
from .checks import axis_index

Rule = Callable[..., Any]


def unchangeable(by: str) -> VmapError:
    return VmapError(
        f"{by}: under vmap a tensor of one lane neither is changed in place nor written into"
        " another; x.at[index].set(value) and its relatives make a changed copy"
    )


# --- Arguments -------------------------------------------------------------------------------


def lanes_of(args: Sequence[Any], mapped: Sequence[bool]) -> int:
    """How many lanes there are."""
    return next(x.shape[0] for x, has_lanes in zip(args, mapped, strict=True) if has_lanes)


SCALARS = (int, float, complex, str, type(None))  # of which np.ndim would make arrays


def rank(x: Any, mapped: bool) -> int:
    """The number of axes that one lane sees."""
    if mapped:
        return x.ndim - 1
    return 0 if isinstance(x, SCALARS) else np.ndim(x)


def shape(x: Any, mapped: bool) -> tuple[int, ...]:
    """The shape that one lane sees."""
    return x.shape[1:] if mapped else np.shape(x)


def padded(x: Any, mapped: bool, ndim: int) -> Any:
    """x with axes of size 1 behind the lanes, so that each lane has ``ndim`` axes: it then
    broadcasts beside others as it would in each lane."""
    missing = ndim - rank(x, mapped) if mapped else 0
    return x.reshape(x.shape[0], *(1,) * missing, *x.shape[1:]) if missing > 0 else x


def with_lanes(x: Any, mapped: bool, lanes: int) -> Any:
    """x with an axis of lanes in front, stretched along it if it had none."""
    if mapped or x is None:
        return x
    if isinstance(x, Variable):
        return x.broadcast_to((lanes, *x.shape))  # type: ignore[attr-defined]
    return np.broadcast_to(np.asarray(x), (lanes, *np.shape(x)))


def shifted(op: Any, axis: Any, ndim: int, of_numbers: bool = False) -> Any:
    """An axis, or several, of a lane's ``ndim`` as axes of all lanes; None as all of a lane.
    ``of_numbers``: lanes without axes have axis 0 too."""
    if axis is None:
        return tuple(range(1, ndim + 1))
    if isinstance(axis, tuple | list):
        return tuple(shifted(op, one, ndim, of_numbers) for one in axis)
    return axis_index(op.__name__, axis, ndim, of_numbers) + 1


def folded(x: Any) -> Any:
    """The lanes and the axis behind them made into one."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def unfolded(x: Any, lanes: int) -> Any:
    """The lanes taken out of axis 0 again."""
    return x.reshape(lanes, x.shape[0] // max(lanes, 1), *x.shape[1:])


def named(op: Any, args: Sequence[Any]) -> dict[str, Any]:
    """The arguments by the names of the op's parameters."""
    return dict(zip(op.names, args, strict=True))


# --- Rules that serve many ops ---------------------------------------------------------------


def refused(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
    """For ops whose output has a shape that depends on the elements."""
    raise VmapError(
        f"{op.__name__}: the shape of its result depends on the elements, so that under vmap the"
        " lanes would differ; tt.where, or sizes that are known, may say the same"
    )


def elementwise(
    op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]
) -> Any:
    """Arguments broadcast from the right, and the lanes are one more axis on the left."""
    if len(args) > 1:
        ranks = [*map(rank, args, mapped)]
        ndim = max(ranks)
        if any(o and r < ndim for o, r in zip(mapped, ranks, strict=True)):
            args = [*map(padded, args, mapped, [ndim] * len(args))]
    return op(*args, **static)


def over_matrices(
    op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]
) -> Any:
    """For ops of a matrix x, or a stack of them: the lanes are one more axis of the stack."""
    if any(mapped[1:]) or rank(args[0], mapped[0]) < 2:
        return NotImplemented
    return op(*args, **static)


def over_leading_axes(arrays: int) -> Rule:
    """A rule for ops whose first ``arrays`` arguments may have any axes in front, and all the same:
    the lanes are one more."""

    def rule(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
        ranks = {rank(x, o) for x, o in zip(args[:arrays], mapped, strict=False)}
        if any(mapped[arrays:]) or len(ranks) > 1:
            return NotImplemented
        lanes = lanes_of(args, mapped)
        stretched = [with_lanes(x, o, lanes) for x, o in zip(args[:arrays], mapped, strict=False)]
        return op(*stretched, *args[arrays:], **static)

    return rule


def along_axis(arrays: int = 1, of_numbers: bool = True) -> Rule:
    """A rule for ops that work along ``axis`` of their first ``arrays`` arguments, which have the
    same shape; ``of_numbers`` too, of which axis 0 is one element."""

    def rule(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
        place = op.names.index("axis")
        ndim = max(rank(x, o) for x, o in zip(args[:arrays], mapped, strict=False))
        if any(mapped[arrays:]):
            return NotImplemented
        lanes = lanes_of(args, mapped)
        args = [with_lanes(x, o, lanes) if i < arrays else x
                for i, (x, o) in enumerate(zip(args, mapped, strict=True))]  # fmt: skip
        args[place] = shifted(op, args[place], ndim, of_numbers)
        if ndim:
            return op(*args, **static)
        args[:arrays] = [x.reshape(lanes, 1) for x in args[:arrays]]
        return op(*args, **static).reshape(lanes)

    return rule


def with_own_axis(rule: Rule) -> Rule:
    """A rule for ops of x along ``axis``, which may be 0 or −1 of lanes without axes: the rule is
    given them with one axis each. Other arguments are the same in all lanes."""

    def for_numbers(
        op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]
    ) -> Any:
        if any(mapped[1:]):
            return NotImplemented
        x, axis = args[0], args[op.names.index("axis")]
        if x.ndim > 1 or not shifted(op, axis, 0, True):
            return rule(op, args, mapped, static)
        return rule(op, (x.reshape(len(x), 1), *args[1:]), mapped, static).reshape(len(x))

    return for_numbers


def reduction(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
    """For ops of x that take away ``axis``, a number, a tuple, or None for all axes of a lane."""
    if any(mapped[1:]):
        return NotImplemented
    x, place = args[0], op.names.index("axis")
    ndim, axis = x.ndim - 1, args[place]
    args = list(args)
    if ndim == 0:  # there is a number in each lane: it is made an axis, and taken away
        args[0], args[place] = x.reshape(len(x), 1), shifted(op, axis, 0, True) or (1,)
        args[op.names.index("keepdims")] = False
    else:
        args[place] = shifted(op, axis, ndim)
    return op(*args, **static)


def fold_lanes(arrays: Sequence[str]) -> Rule:
    """A rule for ops of images (N, C, H, W) or (C, H, W): the lanes are folded into N."""

    def rule(op: Any, args: Sequence[Any], mapped: Sequence[bool], static: dict[str, Any]) -> Any:
        places = [op.names.index(name) for name in arrays]
        ranks = {rank(args[i], mapped[i]) for i in places}
        if (
            any(o for i, o in enumerate(mapped) if i not in places)
            or len(ranks) > 1
            or min(ranks) < 3
        ):
            return NotImplemented
        lanes, args = lanes_of(args, mapped), list(args)
        single = ranks == {3}
        for i in places:
            args[i] = with_lanes(args[i], mapped[i], lanes)
            args[i] = args[i] if single else folded(args[i])
        out = op(*args, **static)
        if single:
            return out
        return (
            tuple(unfolded(o, lanes) for o in out) if type(out) is tuple else unfolded(out, lanes)
        )

    return rule
