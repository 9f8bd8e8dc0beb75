"""Schedules of the learning rate.

Each is a function of the number of steps taken, which multiplies the rates that the groups had
when the schedule was made (``initial_lr``). Call ``step()`` after the optimizer's.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from .optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "LambdaLR", "LinearLR", "SequentialLR", "StepLR"]


class LRScheduler:
    """Sets each group's ``lr`` to ``rate(initial_lr, i)``, i being ``last_epoch``: how often
    ``step`` was called."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def rate(self, base: float, group: int) -> float:
        """The learning rate after ``last_epoch`` steps of a group that began with ``base``."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on by one."""
        self._go_to(self.last_epoch + 1)

    def _go_to(self, epoch: int) -> None:
        self.last_epoch = epoch
        for i, group in enumerate(self.optimizer.param_groups):
            group["lr"] = self.rate(self.base_lrs[i], i)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands: numbers only, no functions."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go where another schedule of the same kind stood."""
        self.base_lrs = list(state_dict["base_lrs"])
        self._go_to(int(state_dict["last_epoch"]))


def at_least_one(owner: str, name: str, steps: int) -> int:
    """A number of steps, checked."""
    if not steps >= 1:
        raise ValueError(f"{owner}: {name} is {steps}, not at least 1")
    return steps


class LambdaLR(LRScheduler):
    """``initial_lr * lr_lambda(i)``; one function for all groups, or a list of one for each.

    >>> import tinytensor as tt
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=8.0)
    >>> schedule = tt.optim.lr_scheduler.LambdaLR(optimizer, lambda i: 0.5**i)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [4.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * count if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != count:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {count} groups")
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](self.last_epoch)


class StepLR(LRScheduler):
    """``initial_lr * gamma ** (i // step_size)``."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = at_least_one("StepLR", "step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.gamma ** (self.last_epoch // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """``eta_min + (initial_lr - eta_min) (1 + cos(π i / T_max)) / 2``. (Loshchilov and Hutter
    2017.)"""

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = at_least_one("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        cosine = math.cos(math.pi * self.last_epoch / self.T_max)
        return self.eta_min + (base - self.eta_min) * (1 + cosine) / 2


class LinearLR(LRScheduler):
    """``initial_lr`` times a factor that goes from ``start_factor`` to ``end_factor`` in
    ``total_iters`` steps and stays there."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = at_least_one("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class SequentialLR(LRScheduler):
    """One schedule after the other: the next at each of ``milestones``, from its beginning.

    >>> import tinytensor as tt
    >>> from tinytensor.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=1.0)
    >>> warm_up = LinearLR(optimizer, 0.5, total_iters=2)
    >>> schedule = SequentialLR(optimizer, [warm_up, CosineAnnealingLR(optimizer, 4)], [2])
    >>> rates = []
    >>> for _ in range(6):
    ...     rates += [round(lr, 2) for lr in schedule.get_last_lr()]
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.85, 0.5, 0.15]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(schedulers) != len(milestones) + 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones,"
                f" ascending, not {list(milestones)}"
            )
        if any(scheduler.optimizer is not optimizer for scheduler in schedulers):
            raise ValueError("SequentialLR: a schedule belongs to another optimizer")
        self.schedulers = list(schedulers)
        self.milestones = list(milestones)
        super().__init__(optimizer, last_epoch)

    def _go_to(self, epoch: int) -> None:
        self.last_epoch = epoch
        which = bisect_right(self.milestones, epoch)
        self.schedulers[which]._go_to(epoch - (self.milestones[which - 1] if which else 0))

    def state_dict(self) -> dict[str, Any]:
        parts = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "schedulers": parts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for scheduler, part in zip(self.schedulers, state_dict["schedulers"], strict=True):
            scheduler.load_state_dict(part)
        super().load_state_dict(state_dict)
