"""SyncBatchNorm: batch norm by the statistics of the joined batch of all ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import kernels
from ..dtypes import wide
from ..kernels.reference.norm import update_running_stats
from ..nn import Module
from ..nn.norm import _BatchNorm
from ..nn.parameter import UninitializedBuffer
from ..tensors.function import Function, once_differentiable
from ..tensors.tensor import Tensor
from .collectives import all_gather, all_reduce
from .world import Group, world


class SyncBatchNorm(_BatchNorm):
    """Batch norm of (N, C, …), whose means and variances in training are those of all ranks.

    With this, ranks compute what one process does with the joined batch, also of shares of unequal
    sizes: forward they exchange a count, C means and C sums of squares, backward 2 C sums. On one
    rank, and in evaluation, it is :class:`nn.BatchNorm2d` and its like for any number of axes.
    ``process_group`` is the group of ranks, by default all of them. Gradients are not
    differentiable again.

    The gradient of x is that of the sum of all ranks' losses, and those of weight and bias are this
    rank's own part of it, which `DistributedDataParallel` adds to the others'.
    (Ioffe and Szegedy 2015; the statistics of parts are joined as in Chan et al. 1979.)

    >>> import tinytensor as tt
    >>> SyncBatchNorm(3)(tt.zeros((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (2, 3, 4, 5)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Group | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)
        self.process_group = process_group

    def normalised(self, input: Tensor, training: bool, momentum: float) -> Tensor:
        group = self.process_group or world()
        if not self.training or group.size == 1:
            return super().normalised(input, training, momentum)
        running = (self.running_mean, self.running_var)
        how = (running, momentum, self.eps, group)
        return _Normalise.apply(input, self.weight, self.bias, how)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Group | None = None) -> Module:
        """``module`` with this class in the place of each batch norm in it: the same parameters and
        buffers, under the same names. A module that is one itself gives a new one.

        >>> import tinytensor as tt
        >>> model = SyncBatchNorm.convert_sync_batchnorm(tt.models.resnet20())
        >>> type(model.bn1).__name__
        'SyncBatchNorm'
        """
        return cls._converted(module, process_group, {})

    @classmethod
    def _converted(cls, module: Module, group: Group | None, known: dict[Module, Module]) -> Module:
        """Each module once: several places may have it."""
        if module in known:
            return known[module]
        known[module] = module
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            if any(isinstance(part, UninitializedBuffer) for part in module.buffers()):
                raise ValueError(
                    f"convert_sync_batchnorm: {type(module).__name__} has no shape yet; call the"
                    " model once before"
                )
            made = known[module] = cls.__new__(cls)
            made.__dict__.update(module.__dict__)
            made.process_group = group
            return made
        for name, child in [*vars(module).items()]:
            if isinstance(child, Module):
                setattr(module, name, cls._converted(child, group, known))
        return module


class _Normalise(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, how: tuple[Any, ...]
    ) -> Tensor:
        (running_mean, running_var), momentum, eps, ctx.group = how
        array = wide(x.value)
        w, b = (None if p is None else wide(p.value) for p in (weight, bias))
        mean, var, ctx.count = _statistics(array, eps, ctx.group)
        if running_mean is not None:
            moved = [wide(running_mean.value), wide(running_var.value)]
            update_running_stats(moved[0], moved[1], mean, var, ctx.count, momentum)
            for running, value in zip((running_mean, running_var), moved, strict=True):
                running.value[...] = value
                running.changed("SyncBatchNorm")
        mean, var = mean.astype(array.dtype), var.astype(array.dtype)
        out, _, ctx.rstd = kernels.batch_norm(array, mean, var, w, b, False, 0.0, eps)
        ctx.mean = mean
        ctx.save_for_backward(x, weight)
        return Tensor(out.astype(x.dtype, copy=False))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        array = wide(x.value)
        w = None if weight is None else wide(weight.value)
        cotangent = np.asarray(wide(g.value), array.dtype)
        dx, dweight, dbias = kernels.batch_norm_backward(
            cotangent, array, w, ctx.mean, ctx.rstd, False
        )
        sums = np.stack([dweight, dbias]).astype(np.float64)
        along, level = all_reduce(sums, group=ctx.group) / ctx.count
        # dx is g f, with f = weight / sd. Of it go the mean of g, and what lies along x̂.
        factor = ctx.rstd.astype(np.float64) * (1.0 if w is None else w)
        shape = (-1,) + (1,) * (array.ndim - 2)
        rest = array - ctx.mean.reshape(shape)  # first: the mean may be far from 0
        rest *= (factor * along * ctx.rstd).astype(dx.dtype).reshape(shape)
        rest += (factor * level).astype(dx.dtype).reshape(shape)
        dx -= rest
        given = None if weight is None else Tensor(dweight)
        return Tensor(dx), given, Tensor(dbias), None


def _statistics(x: np.ndarray, eps: float, group: Group) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and biased variance of each channel of all ranks' x, and the number of values."""
    channels = x.shape[1]
    count = x.size // (channels or 1)
    own = np.zeros((2, channels), x.dtype)
    if count:  # at a momentum of 1 the running statistics are the batch's
        kernels.batch_norm(x, own[0], own[1], None, None, True, 1.0, eps)
        own[1] *= (count - 1) / count  # unbiased as they are
    told = np.concatenate([[count], own.reshape(-1)]).astype(np.float64)
    parts = all_gather(told, group=group).numpy()
    counts, means = parts[:, :1], parts[:, 1 : channels + 1]
    total = float(counts.sum())
    if total < 2:
        raise ValueError("SyncBatchNorm: training needs more than one value for each channel")
    mean = (counts * means).sum(0) / total
    var = (counts * (parts[:, channels + 1 :] + (means - mean) ** 2)).sum(0) / total
    return mean, var, total
