"""What losses share: pairs of input and target, the reduction, and that of each lane of a vmap."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ... import kernels
from ...dtypes import is_complex
from ...errors import DtypeError
from .. import reduction as reductions
from ..batching import lanes_of, padded, rank, shape, with_lanes
from ..checks import floating, real_floats
from ..composed import tensor


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
    warn_of_broadcasting(name, input, target, 5)
    return input, target


def warn_of_broadcasting(name, input, target, level):
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: input is {input.shape} and target {target.shape}: to broadcast them is seldom"
            " meant",
            UserWarning,
            stacklevel=level,
        )


# --- Of losses that are made of ops ------------------------------------------------------------


def tensor_pair(name, input, target, reduction, or_complex=False):
    """The target as a tensor or an array, the input and the reduction being checked."""
    real_floats(name, "input", input, or_complex)
    check_reduction(name, reduction)
    target = tensor(target, input)
    if is_complex(target) and not or_complex:
        raise DtypeError(f"{name}: target must be real, but is {target.dtype} of {target.shape}")
    warn_of_broadcasting(name, input, target, 6)
    return target


def is_known(x):
    """Whether the elements can be looked at: those of one lane of a vmap cannot."""
    return not getattr(x, "level", 0)


def reduced(losses, reduction):
    if reduction == "none":
        return losses
    return (reductions.sum if reduction == "sum" else reductions.mean)(losses)


def share_of_each(g, losses, reduction):
    """The cotangent of each loss."""
    return g / math.prod(losses.shape) if reduction == "mean" else g


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
