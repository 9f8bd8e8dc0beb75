"""Averages of weights: of all steps (SWA) or the last ones (EMA), and what training with them
needs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from ..dtypes import is_floating, wide
from ..engine.grad_mode import no_grad
from ..nn.init import overwrite
from ..nn.module import Module
from ..nn.norm import _BatchNorm
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from .lr_scheduler.base import LRScheduler, for_groups, of_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], object]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """``decay * average + (1 - decay) * current``, of one parameter."""
    number("get_ema_avg_fn", "decay", decay, 0, 1)

    def ema(average: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return average * decay + current * (1 - decay)

    return ema


def get_swa_avg_fn() -> Average:
    """The mean of all so far: ``average + (current - average) / (num_averaged + 1)``."""

    def swa(average: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return average + (current - average) / (int(num_averaged) + 1)

    return swa


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """As :func:`get_ema_avg_fn`, in place and of all parameters."""
    number("get_ema_multi_avg_fn", "decay", decay, 0, 1)
    return lambda averages, currents, n: _approach(averages, currents, 1 - decay)


def get_swa_multi_avg_fn() -> Averages:
    """As :func:`get_swa_avg_fn`, in place and of all parameters."""
    return lambda averages, currents, n: _approach(averages, currents, 1 / (int(n) + 1))


def _approach(averages: Sequence[Tensor], currents: Sequence[Tensor], share: float) -> None:
    """Move each average by this share of the way."""
    for average, current in zip(averages, currents, strict=True):
        to = wide(current.value)
        if is_floating(average.dtype):
            at = wide(average.value)
            moved = at + share * (to - at)
        else:
            moved = np.trunc(average.value + share * (to - average.value.astype(float)))
        overwrite(average, moved, "AveragedModel.update_parameters")


class AveragedModel(Module):
    """A copy of ``model``, "module", whose parameters are averages; it is called as the model is.

    ``update_parameters(model)`` takes in the parameters that the model has now: the first time
    they are copied, then averaged by ``avg_fn(average, current, num_averaged)``, of each one, or
    ``multi_avg_fn(averages, currents, num_averaged)``, in place of all; without either, the mean
    of all so far. Buffers are copied, or with ``use_buffers`` averaged too. For batch norm call
    :func:`update_bn` in the end. (SWA: Izmailov et al. 2018; EMA: Polyak and Juditsky 1992.)

    >>> import tinytensor as tt
    >>> from tinytensor.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
    >>> model = tt.nn.Linear(1, 1, bias=False)
    >>> ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    >>> for weight in (4.0, 8.0):
    ...     _ = tt.nn.init.constant_(model.weight, weight)
    ...     ema.update_parameters(model)
    >>> ema.module.weight.item()
    5.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: avg_fn and multi_avg_fn are two ways to one average")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", Tensor(np.zeros((), np.int64)))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take in what the parameters of ``model`` are now."""
        own: list[Tensor] = list(self.module.parameters())
        given: list[Tensor] = list(model.parameters())
        buffers = list(self.module.buffers()), list(model.buffers())
        if self.use_buffers:
            own, given = own + buffers[0], given + buffers[1]
        if [p.shape for p in own] != [p.shape for p in given]:
            raise ValueError("AveragedModel: the model has other parameters than it was made from")
        averages = [p.detach() for p in own]
        currents = [p.detach() for p in given]
        by = "AveragedModel.update_parameters"
        n = self.n_averaged
        if int(n) == 0:
            for average, current in zip(averages, currents, strict=True):
                overwrite(average, current.value, by)
        elif self.avg_fn is not None:
            for average, current in zip(averages, currents, strict=True):
                overwrite(average, self.avg_fn(average, current, n).value, by)
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averages, currents, n)
        if not self.use_buffers:
            for mine, others in zip(*buffers, strict=True):
                overwrite(mine, others.value, by)
        overwrite(n, n.value + 1, by)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Estimate anew the running statistics of all batch norms in ``model``, as the means over the
    batches of ``loader``, of which the first item of a tuple is the input. The mode stays."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        with no_grad():
            for batch in loader:
                first = batch[0] if isinstance(batch, list | tuple) else batch
                model(first if device is None else first.to(device))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes:
            module.training = training


class SWALR(LRScheduler):
    """From the rate that a group has to ``swa_lr`` in ``anneal_epochs`` steps, by a cosine or with
    ``anneal_strategy="linear"`` straight; it stays there.

    >>> import tinytensor as tt
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=1.0)
    >>> schedule = tt.optim.swa_utils.SWALR(optimizer, 0.5, 2, "linear")
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: anneal_strategy is {anneal_strategy!r}, not 'cos' or 'linear'"
            )
        whole("SWALR", 0, anneal_epochs=anneal_epochs)
        if isinstance(optimizer, Optimizer):
            self.swa_lr = for_groups("SWALR", "swa_lr", swa_lr, optimizer)
            for i, group in enumerate(optimizer.param_groups):
                group["swa_lr"] = of_group(self.swa_lr, i)
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def floor_of(self, group: int) -> float:
        groups = self.optimizer.param_groups
        return (
            groups[group]["swa_lr"] if "swa_lr" in groups[group] else of_group(self.swa_lr, group)
        )

    def rate(self, base: float, group: int) -> float:
        share = min(1.0, self.last_epoch / self.anneal_epochs) if self.anneal_epochs else 1.0
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.floor_of(group) * share + base * (1 - share)
