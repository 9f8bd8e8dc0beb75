"""ReduceLROnPlateau: a rate that falls when a metric no longer improves."""

from __future__ import annotations

import math
from typing import Any, Literal, SupportsFloat

from ...ops.checks import number, whole
from ..optimizer import Optimizer
from .base import LRScheduler, for_groups, of_group


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rates by ``factor`` once a metric has not improved for more than ``patience``
    steps, down to ``min_lr`` (one for all groups, or a list of one for each).

    Improved means: below ``best * (1 - threshold)``, or with ``threshold_mode="abs"`` below
    ``best - threshold``; above, and plus, with ``mode="max"``. After a reduction, ``cooldown``
    steps do not count as bad ones. A change of at most ``eps`` is not made.

    >>> import tinytensor as tt
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], lr=1.0)
    >>> schedule = tt.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    COUNTS = ("last_epoch", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        kind = "ReduceLROnPlateau"
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{kind}: needs an Optimizer, not {type(optimizer).__name__}")
        if mode not in ("min", "max"):
            raise ValueError(f"{kind}: mode is {mode!r}, not 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{kind}: threshold_mode is {threshold_mode!r}, not 'rel' or 'abs'")
        self.factor = number(kind, "factor", factor, 0)
        if factor >= 1:
            raise ValueError(f"{kind}: factor is {factor}, not below 1")
        whole(kind, 0, patience=patience, cooldown=cooldown)
        self.optimizer = optimizer
        self.mode, self.threshold_mode = mode, threshold_mode
        self.threshold = number(kind, "threshold", threshold, 0)
        self.patience, self.cooldown = patience, cooldown
        self.min_lr = for_groups(kind, "min_lr", min_lr, optimizer)
        self.eps = number(kind, "eps", eps, 0)
        self.best = math.inf if mode == "min" else -math.inf
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether bad steps do not count yet."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]
        """Go on by one, with the metric of this step: a number, or a tensor of one."""
        metric = float(metrics)
        least = [of_group(self.min_lr, i) for i in range(len(self.optimizer.param_groups))]
        self.last_epoch += 1
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, floor in zip(self.optimizer.param_groups, least, strict=True):
                lr = max(group["lr"] * self.factor, floor)
                if group["lr"] - lr > self.eps:
                    group["lr"] = lr
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _is_better(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        if self.threshold_mode == "rel":
            return sign * metric < sign * self.best * (1 - sign * self.threshold)
        return sign * metric < sign * self.best - self.threshold

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands."""
        counts = {name: getattr(self, name) for name in self.COUNTS}
        return {**counts, "best": self.best, "_last_lr": self.get_last_lr()}

    def _stand(self, state_dict: Any) -> Any:
        self._checked_epoch(state_dict, {*self.COUNTS, "best", "_last_lr"})
        for name in self.COUNTS:
            count = state_dict[name]
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise self._refusal(f"{name} is {count!r}, not a number of steps")
        if not isinstance(state_dict["best"], int | float):
            raise self._refusal(f"best is {state_dict['best']!r}, not a number")
        return dict(state_dict), self._checked_lrs(state_dict, "_last_lr")

    def _take(self, stand: Any) -> None:
        state, lrs = stand
        for name in (*self.COUNTS, "best"):
            setattr(self, name, state[name])
        for group, lr in zip(self.optimizer.param_groups, lrs, strict=True):
            group["lr"] = lr
