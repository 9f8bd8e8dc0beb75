"""Schedules that are functions of the number of steps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from ...ops.checks import number, whole
from ..optimizer import Optimizer
from .base import LRScheduler, at_least_one


class _ByFunctions(LRScheduler):
    """One function of the number of steps for all groups, or a list of one for each."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambda = lr_lambda if callable(lr_lambda) else list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def _rates(self, bases: list[float], epoch: int) -> list[float]:
        if not callable(self.lr_lambda) and len(self.lr_lambda) != len(bases):
            raise ValueError(
                f"{type(self).__name__}: {len(self.lr_lambda)} functions for {len(bases)} groups;"
                " one function, instead of a list, is for all groups"
            )
        return super()._rates(bases, epoch)

    def function_of(self, group: int) -> Callable[[int], float]:
        """That of one group."""
        return self.lr_lambda if callable(self.lr_lambda) else self.lr_lambda[group]


class LambdaLR(_ByFunctions):
    """``initial_lr * lr_lambda(i)``; one function for all groups, or a list of one for each.

    >>> import tinytensor as tt
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=8.0)
    >>> schedule = tt.optim.lr_scheduler.LambdaLR(optimizer, lambda i: 0.5**i)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [4.0]
    """

    keeps_changes = False

    def rate(self, base: float, group: int) -> float:
        return base * self.function_of(group)(self.last_epoch)


class MultiplicativeLR(_ByFunctions):
    """The rate before times ``lr_lambda(i)``, from i = 1 on; one function for all groups, or a list
    of one for each."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self._products: dict[int, tuple[int, float]] = {}  # of a group: up to which i
        super().__init__(optimizer, lr_lambda, last_epoch)

    def rate(self, base: float, group: int) -> float:
        upto, product = self._products.get(group, (0, 1.0))
        if upto > self.last_epoch:
            upto, product = 0, 1.0
        for i in range(upto + 1, self.last_epoch + 1):
            product *= self.function_of(group)(i)
        self._products[group] = (self.last_epoch, product)
        return base * product


class StepLR(LRScheduler):
    """``initial_lr * gamma ** (i // step_size)``."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = at_least_one("StepLR", "step_size", step_size)
        self.gamma = number("StepLR", "gamma", gamma, 0)
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
        self.eta_min = self.floor = number("CosineAnnealingLR", "eta_min", eta_min, 0)
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
        self.start_factor = number("LinearLR", "start_factor", start_factor, 0, 1)
        if not start_factor:
            raise ValueError("LinearLR: start_factor is 0, from which no factor leads up again")
        self.end_factor = number("LinearLR", "end_factor", end_factor, 0, 1)
        self.total_iters = at_least_one("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class MultiStepLR(LRScheduler):
    """``initial_lr`` times ``gamma`` for each of the ``milestones`` that is reached."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(milestones)
        whole("MultiStepLR", 0, **{f"milestones[{i}]": m for i, m in enumerate(self.milestones)})
        self.gamma = number("MultiStepLR", "gamma", gamma, 0)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, self.last_epoch)


class ConstantLR(LRScheduler):
    """``initial_lr * factor`` in the first ``total_iters`` steps, and then ``initial_lr``."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor = number("ConstantLR", "factor", factor, 0, 1)
        self.total_iters = at_least_one("ConstantLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.factor if self.last_epoch < self.total_iters else base


class ExponentialLR(LRScheduler):
    """``initial_lr * gamma ** i``."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = number("ExponentialLR", "gamma", gamma, 0)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * self.gamma**self.last_epoch


class PolynomialLR(LRScheduler):
    """``initial_lr * (1 - i / total_iters) ** power``, 0 from ``total_iters`` on."""

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = at_least_one("PolynomialLR", "total_iters", total_iters)
        self.power = number("PolynomialLR", "power", power, 0)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        return base * (1 - min(self.last_epoch, self.total_iters) / self.total_iters) ** self.power


class CosineAnnealingWarmRestarts(LRScheduler):
    """CosineAnnealingLR that begins anew after ``T_0`` steps, and each time after ``T_mult`` times
    as many. (Loshchilov and Hutter 2017.)

    ``step(epoch)`` goes to a place that may lie between two steps, as ``epoch + batch / batches``.
    """

    keeps_changes = False

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        whole("CosineAnnealingWarmRestarts", 1, T_0=T_0, T_mult=T_mult)
        self.T_0, self.T_mult = T_0, T_mult
        self.eta_min = number("CosineAnnealingWarmRestarts", "eta_min", eta_min, 0)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: int) -> float:
        place, length = self.last_epoch, self.T_0
        if self.T_mult == 1:
            place %= length
        while place >= length:
            place, length = place - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * place / length)) / 2

    def step(self, epoch: float | None = None) -> None:
        """Go on by one, or to a place. If that raises an error, no rate has changed."""
        if epoch is None:
            return super().step()
        number("CosineAnnealingWarmRestarts", "epoch", epoch, 0)
        bases, _ = self._changed()
        rates = self._rates(bases, cast(int, epoch))
        self._take((math.floor(epoch), bases, rates, list(rates)))
