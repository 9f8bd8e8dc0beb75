"""What losses share: pairs of input and target, the reduction, and that of each lane of a vmap."""

from __future__ import annotations

import warnings

import numpy as np

from ... import kernels
from ...dtypes import is_complex
from ...errors import DtypeError
from .. import reduction as reductions
from ..batching import lanes_of, padded, rank, shape, with_lanes
from ..checks import floating


def check_reduction(name, reduction):
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f'{name}: reduction must be "none", "mean" or "sum", not {reduction!r}')


def reduce(losses, reduction):
    if reduction == "none":
        return losses
    if reduction == "sum":
        return kernels.reduce_sum(losses, None, False)
    with np.errstate(invalid="ignore"):  # the mean of no losses is NaN
        return np.asarray(kernels.reduce_sum(losses, None, False) / losses.dtype.type(losses.size))


def checked_pair(name, input, target, reduction):
    """The arrays, checked; as in PyTorch they may broadcast, which is seldom meant."""
    input, target = floating(name, "input", input), np.asarray(target)
    if is_complex(target):
        raise DtypeError(f"{name}: target must be real, but is {target.dtype} of {target.shape}")
    check_reduction(name, reduction)
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: input is {input.shape} and target {target.shape}: to broadcast them is seldom"
            " meant",
            UserWarning,
            stacklevel=4,
        )
    return input, target


def share_of_each(g, losses, reduction):
    """The cotangent of each loss."""
    return g / losses.size if reduction == "mean" else g


def reduced_lanes(losses, reduction):
    axes = tuple(range(1, losses.ndim))
    if reduction == "none" or not axes:
        return losses
    return (reductions.sum if reduction == "sum" else reductions.mean)(losses, axes)


def pair_lanes(op, args, mapped, static):
    how, lanes = op.names.index("reduction"), lanes_of(args, mapped)
    ndim = max(rank(x, o) for x, o in zip(args, mapped, strict=True))
    if shape(args[0], mapped[0]) == shape(
        args[1], mapped[1]
    ):  # otherwise they broadcast, with a warning
        args = [with_lanes(x, o, lanes) if i < 2 else x
                for i, (x, o) in enumerate(zip(args, mapped, strict=True))]  # fmt: skip
        mapped = [True, True, *mapped[2:]]
    each = [padded(x, o, ndim) for x, o in zip(args, mapped, strict=True)]
    check_reduction(op.__name__, args[how])
    each[how] = "none"
    return reduced_lanes(op(*each), args[how])
