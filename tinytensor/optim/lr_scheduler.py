"""Schedules of the learning rate.

Each is a function of the number of steps taken, which multiplies the rates that the groups had
when the schedule was made (``initial_lr``). Call ``step()`` after the optimizer's.

A group's rate may be changed between the steps, by hand or by one more schedule: the change is
kept as a factor from then on, as in PyTorch. In the same way a group that was added later goes on
from the rate it came with. ``LambdaLR`` alone always sets ``initial_lr * lr_lambda(i)``.
"""

from __future__ import annotations

import math
import typing as _typing
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import a_kind_of
from ..ops.checks import number
from ..ops.ways import tells as _tells
from .optimizer import Group, Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "LambdaLR", "LinearLR", "SequentialLR", "StepLR"]


class LRScheduler:
    """Sets each group's ``lr`` to ``rate(base, group)`` after ``last_epoch`` steps, where base is
    ``initial_lr`` times what the rate was changed by since.

    A subclass defines ``rate``, of the form ``floor + (base - floor) * factor``; the factor
    depends on ``self.last_epoch`` and the group's number.
    """

    floor = 0.0
    keeps_changes = True  # False: what somebody else sets is overwritten

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            kind = type(self).__name__
            raise TypeError(f"{kind}: needs an Optimizer, not {type(optimizer).__name__}")
        groups = optimizer.param_groups
        resumed = last_epoch >= 0 and all("initial_lr" in group for group in groups)
        self.optimizer = optimizer
        self.last_epoch = last_epoch
        self.base_lrs: list[float] = list(map(_initial, groups))
        if resumed:
            self._set_lrs = self._rates(self.base_lrs, last_epoch)
        else:
            self._set_lrs = list(self.base_lrs) if last_epoch == -1 else self.get_last_lr()
        self.step()

    def rate(self, base: float, group: int) -> float:
        """The learning rate after ``last_epoch`` steps of a group that began with ``base``."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on by one. If that raises an error, no rate has changed."""
        self._go_to(self.last_epoch + 1)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _rates(self, bases: list[float], epoch: int) -> list[float]:
        now, self.last_epoch = self.last_epoch, epoch
        try:
            return [self.rate(base, i) for i, base in enumerate(bases)]
        finally:
            self.last_epoch = now

    def _changed(self) -> tuple[list[float], list[float]]:
        """The bases with the factors by which somebody else has changed the rates; and, where the
        rate was the floor, which has no factors, the differences."""
        lrs, bases, rates = self.get_last_lr(), list(self.base_lrs), list(self._set_lrs)
        if len(lrs) < len(bases):
            kind = type(self).__name__
            raise ValueError(
                f"{kind}: groups have left the optimizer: it has {len(lrs)}, the schedule"
                f" {len(bases)}"
            )
        if len(lrs) > len(bases):
            bases += map(_initial, self.optimizer.param_groups[len(bases) :])
            rates += self._rates(bases, self.last_epoch)[len(rates) :]
        differences = [0.0] * len(bases)
        for i, lr in enumerate(lrs if self.keeps_changes else ()):
            if rates[i] == self.floor:
                differences[i] = lr - rates[i]
            elif lr != rates[i]:
                factor = (lr - self.floor) / (rates[i] - self.floor)
                bases[i] = self.floor + (bases[i] - self.floor) * factor
        return bases, differences

    def _go_to(self, epoch: int) -> None:
        bases, differences = self._changed()
        rates = self._rates(bases, epoch)
        lrs = [rate + more for rate, more in zip(rates, differences, strict=True)]
        self._take((epoch, bases, rates, lrs))

    def _take(self, stand: Any) -> None:
        self.last_epoch, self.base_lrs, self._set_lrs, lrs = stand
        for group, base, lr in zip(self.optimizer.param_groups, self.base_lrs, lrs, strict=True):
            group.setdefault("initial_lr", base)
            group["lr"] = lr

    def _begin(self, bases: list[float]) -> None:
        """Start anew from ``bases``, whatever the rates are."""
        self.last_epoch, self.base_lrs, self._set_lrs = 0, bases, self.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands: numbers only, no functions."""
        lrs = self.get_last_lr()
        return {"last_epoch": self.last_epoch, "base_lrs": self._changed()[0], "_last_lr": lrs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go where another schedule of the same kind stood. An error leaves all as it was."""
        self._take(self._stand(state_dict))

    def _stand(self, state_dict: Any) -> Any:
        """What ``_take`` takes, checked."""
        epoch = self._checked_epoch(state_dict, {"last_epoch", "base_lrs", "_last_lr"})
        for key in ("base_lrs", "_last_lr"):
            found = state_dict[key]
            if not isinstance(found, list | tuple) or not all(map(_is_finite, found)):
                raise self._refusal(f"{key} is {found!r}, not a list of numbers")
        bases, lrs = [list(map(float, state_dict[key])) for key in ("base_lrs", "_last_lr")]
        count = len(self.optimizer.param_groups)
        if not len(bases) == len(lrs) == count:
            raise self._refusal(f"a state of {len(bases)} groups, the optimizer has {count}")
        return epoch, bases, self._rates(bases, epoch), lrs

    def _checked_epoch(self, state_dict: Any, keys: set[str]) -> int:
        """The epoch of a state, which has these keys and no others."""
        if not isinstance(state_dict, Mapping):
            raise self._refusal(f"{a_kind_of(state_dict)} is no state_dict", TypeError)
        for what, names in (
            ("lacks", keys - state_dict.keys()),
            ("has, of another kind of schedule,", state_dict.keys() - keys),
        ):
            if names:
                raise self._refusal(f"the state {what} {', '.join(sorted(map(str, names)))}")
        epoch = state_dict["last_epoch"]
        if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
            raise self._refusal(f"last_epoch is {epoch!r}, not a number of steps")
        return epoch

    def _refusal(self, why: str, kind: type[Exception] = ValueError) -> Exception:
        return kind(f"load_state_dict: {type(self).__name__}: {why}")


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)


def _initial(group: Group) -> float:
    return group["initial_lr"] if "initial_lr" in group else group["lr"]


def at_least_one(owner: str, name: str, steps: int) -> int:
    """A number of steps, checked."""
    number(owner, name, steps, 1)
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

    keeps_changes = False

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
                f"LambdaLR: {len(self.lr_lambda)} functions for {len(bases)} groups; one function,"
                " instead of a list, is for all groups"
            )
        return super()._rates(bases, epoch)

    def rate(self, base: float, group: int) -> float:
        function = self.lr_lambda if callable(self.lr_lambda) else self.lr_lambda[group]
        return base * function(self.last_epoch)


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
        self.optimizer = optimizer
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:  # the parts have set their first rates one by one
            group["lr"] = group["initial_lr"]
        part, epoch = self._part(self.last_epoch)
        part._begin(self.get_last_lr())
        part._go_to(epoch)

    def _part(self, epoch: int) -> tuple[LRScheduler, int]:
        """The schedule of this epoch, and its own count."""
        which = bisect_right(self.milestones, epoch)
        return self.schedulers[which], epoch - (self.milestones[which - 1] if which else 0)

    def _changed(self) -> tuple[list[float], list[float]]:
        return self._part(self.last_epoch)[0]._changed()

    def _begin(self, bases: list[float]) -> None:
        self.last_epoch = 0
        self._part(0)[0]._begin(bases)

    def _go_to(self, epoch: int) -> None:
        part, count = self._part(epoch)
        if part is not self._part(self.last_epoch)[0]:
            part._begin(self._changed()[0])
        part._go_to(count)
        self.last_epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        parts = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "schedulers": parts}

    def _stand(self, state_dict: Any) -> Any:
        own = self._checked_epoch(state_dict, {"last_epoch", "base_lrs", "_last_lr", "schedulers"})
        parts = state_dict["schedulers"]
        if not isinstance(parts, list | tuple) or len(parts) != len(self.schedulers):
            count = len(parts) if isinstance(parts, list | tuple) else parts
            raise self._refusal(f"a state of {count!r} schedules for {len(self.schedulers)}")
        return own, [s._stand(part) for s, part in zip(self.schedulers, parts, strict=True)]

    def _take(self, stand: Any) -> None:
        self.last_epoch, stands = stand
        for scheduler, own in zip(self.schedulers, stands, strict=True):
            scheduler._take(own)


if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
