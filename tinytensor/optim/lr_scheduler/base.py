"""What all schedules share: where they stand, what else changes the rates, saving and loading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import a_kind_of
from ...ops.checks import number
from ..optimizer import Group, Optimizer


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

    def floor_of(self, group: int) -> float:
        """The rate that no factor changes."""
        return self.floor

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

    def _bases(self) -> list[float]:
        """The bases, with those of groups that have come since."""
        groups, known = self.optimizer.param_groups, len(self.base_lrs)
        if len(groups) < known:
            kind = type(self).__name__
            raise ValueError(
                f"{kind}: groups have left the optimizer: it has {len(groups)}, the schedule"
                f" {known}"
            )
        return self.base_lrs + list(map(_initial, groups[known:]))

    def _changed(self) -> tuple[list[float], list[float]]:
        """The bases with the factors by which somebody else has changed the rates; and, where the
        rate was the floor, which has no factors, the differences."""
        lrs, bases, rates = self.get_last_lr(), self._bases(), list(self._set_lrs)
        if len(bases) > len(rates):
            rates += self._rates(bases, self.last_epoch)[len(rates) :]
        differences = [0.0] * len(bases)
        for i, lr in enumerate(lrs if self.keeps_changes else ()):
            floor = self.floor_of(i)
            if rates[i] == floor:
                differences[i] = lr - rates[i]
            elif lr != rates[i]:
                bases[i] = floor + (bases[i] - floor) * (lr - floor) / (rates[i] - floor)
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
        # The bases as they are: a factor that was drawn into them here would be rounded once more
        # than in a run that is not stopped.
        return {"last_epoch": self.last_epoch, "base_lrs": self._bases(), "_last_lr": lrs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go where another schedule of the same kind stood. An error leaves all as it was."""
        self._take(self._stand(state_dict))

    def _stand(self, state_dict: Any) -> Any:
        """What ``_take`` takes, checked."""
        epoch = self._checked_epoch(state_dict, {"last_epoch", "base_lrs", "_last_lr"})
        bases, lrs = [self._checked_lrs(state_dict, key) for key in ("base_lrs", "_last_lr")]
        return epoch, bases, self._rates(bases, epoch), lrs

    def _checked_lrs(self, state_dict: Mapping[str, Any], key: str) -> list[float]:
        """A number for each group."""
        found, count = state_dict[key], len(self.optimizer.param_groups)
        if not isinstance(found, list | tuple) or not all(map(_is_finite, found)):
            raise self._refusal(f"{key} is {found!r}, not a list of numbers")
        if len(found) != count:
            raise self._refusal(f"a state of {len(found)} groups, the optimizer has {count}")
        return list(map(float, found))

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


def for_groups(owner: str, name: str, value: Any, optimizer: Optimizer) -> float | list[float]:
    """A number for all groups, those that are added later too, or a list of one for each."""
    if not isinstance(value, list | tuple):
        return number(owner, name, value)
    if len(value) != len(optimizer.param_groups):
        count = len(optimizer.param_groups)
        raise ValueError(f"{owner}: {len(value)} numbers of {name} for {count} groups")
    return [number(owner, name, each) for each in value]


def of_group(value: float | list[float], group: int) -> float:
    """What such a number is for one group."""
    if not isinstance(value, list):
        return value
    if group >= len(value):
        raise ValueError(
            f"{len(value)} numbers for {group + 1} groups; one number, instead of a list, is for"
            " all groups"
        )
    return value[group]
