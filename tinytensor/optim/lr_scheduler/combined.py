"""Schedules made of others: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler
from .plateau import ReduceLROnPlateau


def check_parts(owner: str, parts: Sequence[LRScheduler], optimizer: Optimizer) -> None:
    """Refuse what is no schedule of this optimizer that steps by itself."""
    for part in parts:
        if not isinstance(part, LRScheduler):
            raise TypeError(f"{owner}: {part!r} is no schedule")
        if isinstance(part, ReduceLROnPlateau):
            raise ValueError(f"{owner}: ReduceLROnPlateau needs a metric in each step")
        if part.optimizer is not optimizer:
            raise ValueError(f"{owner}: a schedule belongs to another optimizer")


def stands_of(owner: LRScheduler, parts: Sequence[LRScheduler], states: Any) -> list[Any]:
    """Where the parts are to stand, by a list of their states."""
    if not isinstance(states, list | tuple) or len(states) != len(parts):
        count = len(states) if isinstance(states, list | tuple) else states
        raise owner._refusal(f"a state of {count!r} schedules for {len(parts)}")
    return [part._stand(state) for part, state in zip(parts, states, strict=True)]


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
        check_parts("SequentialLR", schedulers, optimizer)
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

    def _bases(self) -> list[float]:
        return self._part(self.last_epoch)[0]._bases()

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
        return own, stands_of(self, self.schedulers, state_dict["schedulers"])

    def _take(self, stand: Any) -> None:
        self.last_epoch, stands = stand
        for scheduler, own in zip(self.schedulers, stands, strict=True):
            scheduler._take(own)


class ChainedScheduler(LRScheduler):
    """Several schedules at once: each takes what the others did as a factor.

    >>> import tinytensor as tt
    >>> from tinytensor.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=1.0)
    >>> halved = ConstantLR(optimizer, 0.5, total_iters=2)
    >>> schedule = ChainedScheduler([halved, ExponentialLR(optimizer, 0.5)])
    >>> for _ in range(3):
    ...     print(schedule.get_last_lr())
    ...     schedule.step()
    [0.5]
    [0.25]
    [0.25]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: there are no schedules")
        self.optimizer = optimizer or schedulers[0].optimizer
        check_parts("ChainedScheduler", schedulers, self.optimizer)
        self.schedulers = list(schedulers)

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """How far the first of them has come."""
        return self.schedulers[0].last_epoch

    @property
    def base_lrs(self) -> list[float]:  # type: ignore[override]
        """The rates that the groups had when the first schedule was made."""
        return [group["initial_lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """Go on by one with all of them. If one raises an error, no rate has changed."""
        self._each(lambda part: part.step())

    def _each(self, move: Callable[[LRScheduler], object]) -> None:
        stands = [copy(vars(part)) for part in self.schedulers]
        lrs = self.get_last_lr()
        try:
            for part in self.schedulers:
                move(part)
        except BaseException:
            for part, stand in zip(self.schedulers, stands, strict=True):
                vars(part).update(stand)
            for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
                group["lr"] = lr
            raise

    def _changed(self) -> tuple[list[float], list[float]]:
        return self.base_lrs, [0.0] * len(self.optimizer.param_groups)

    def _begin(self, bases: list[float]) -> None:
        for group, base in zip(self.optimizer.param_groups, bases, strict=True):
            group["lr"] = base
        for part in self.schedulers:
            part._begin(bases)

    def _go_to(self, epoch: int) -> None:
        self._each(lambda part: part._go_to(epoch))

    def state_dict(self) -> dict[str, Any]:
        parts = [scheduler.state_dict() for scheduler in self.schedulers]
        return {"last_epoch": self.last_epoch, "_last_lr": self.get_last_lr(), "schedulers": parts}

    def _stand(self, state_dict: Any) -> Any:
        self._checked_epoch(state_dict, {"last_epoch", "_last_lr", "schedulers"})
        return stands_of(self, self.schedulers, state_dict["schedulers"])

    def _take(self, stand: Any) -> None:
        for scheduler, own in zip(self.schedulers, stand, strict=True):
            scheduler._take(own)
