"""Schedules that go up and down between two rates, and the momentum against them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from ...ops.checks import number, whole
from ..optimizer import Optimizer
from .base import LRScheduler, for_groups, of_group

Numbers = float | list[float]


class _Cycling(LRScheduler):
    """Sets the rates, and with ``cycle_momentum`` each group's ``momentum``, or the first of its
    ``betas``, whatever they were."""

    keeps_changes = False

    def _set_momenta(self, optimizer: Optimizer, cycle: bool, base: Numbers, most: Numbers) -> None:
        kind = type(self).__name__
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{kind}: needs an Optimizer, not {type(optimizer).__name__}")
        self.cycle_momentum = cycle
        if cycle and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError(
                f"{kind}: {type(optimizer).__name__} has no momentum to cycle; cycle_momentum=False"
            )
        self.base_momentum = for_groups(kind, "base_momentum", base, optimizer)
        self.max_momentum = for_groups(kind, "max_momentum", most, optimizer)

    def momentum(self, group: int) -> float:
        """The momentum after ``last_epoch`` steps."""
        raise NotImplementedError

    def _take(self, stand: Any) -> None:
        super()._take(stand)
        for i, group in enumerate(self.optimizer.param_groups if self.cycle_momentum else ()):
            if "betas" in group:
                group["betas"] = (self.momentum(i), *group["betas"][1:])
            else:
                group["momentum"] = self.momentum(i)


class CyclicLR(_Cycling):
    """From ``base_lr`` up to ``max_lr`` in ``step_size_up`` steps, and down again in
    ``step_size_down`` (as many), over and over; the momentum from ``max_momentum`` down to
    ``base_momentum``, and up again.

    With ``mode`` "triangular2" each cycle is half as high as the one before, with "exp_range" the
    height falls by ``gamma ** i``. ``scale_fn`` takes the place of a mode: a factor of the height,
    by the number of the cycle from 1 on, or with ``scale_mode="iterations"`` by that of the step.
    (Smith 2017.)

    >>> import tinytensor as tt
    >>> optimizer = tt.optim.SGD([tt.nn.Parameter(tt.zeros(1))], momentum=0.9)
    >>> schedule = tt.optim.lr_scheduler.CyclicLR(optimizer, 0.0, 1.0, step_size_up=2)
    >>> rates = []
    >>> for _ in range(6):
    ...     rates += schedule.get_last_lr()
    ...     schedule.step()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """

    MODES: dict[str, tuple[Callable[[float, float], float], str]] = {
        "triangular": (lambda gamma, x: 1.0, "cycle"),
        "triangular2": (lambda gamma, x: 0.5 ** (x - 1), "cycle"),
        "exp_range": (lambda gamma, x: gamma**x, "iterations"),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Numbers,
        max_lr: Numbers,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.8,
        max_momentum: Numbers = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self._set_momenta(optimizer, cycle_momentum, base_momentum, max_momentum)
        if scale_fn is None and mode not in self.MODES:
            raise ValueError(f"CyclicLR: mode is {mode!r}, not one of {', '.join(self.MODES)}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR: scale_mode is {scale_mode!r}, not 'cycle' or 'iterations'")
        self.base_lr = for_groups("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lr = for_groups("CyclicLR", "max_lr", max_lr, optimizer)
        down = step_size_up if step_size_down is None else step_size_down
        up = number("CyclicLR", "step_size_up", step_size_up, 1)
        self.total_size = up + number("CyclicLR", "step_size_down", down, 1)
        self.step_ratio = up / self.total_size
        self.mode, self.gamma = mode, number("CyclicLR", "gamma", gamma, 0)
        self.scale_fn, self.scale_mode = scale_fn, scale_mode
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["lr"] = of_group(self.base_lr, i)
        super().__init__(optimizer, last_epoch)

    def _height(self) -> float:
        """Of the place on the triangle, from 0 to 1, and scaled."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        up = x <= self.step_ratio
        height = x / self.step_ratio if up else (x - 1) / (self.step_ratio - 1)
        scale, by = self.MODES.get(self.mode, (None, self.scale_mode))
        if self.scale_fn is not None:
            scale, by = (lambda gamma, x: self.scale_fn(x)), self.scale_mode  # type: ignore[misc]
        assert scale is not None
        return height * scale(self.gamma, cycle if by == "cycle" else self.last_epoch)

    def rate(self, base: float, group: int) -> float:
        low = of_group(self.base_lr, group)
        return low + (of_group(self.max_lr, group) - low) * self._height()

    def momentum(self, group: int) -> float:
        most = of_group(self.max_momentum, group)
        return most - (most - of_group(self.base_momentum, group)) * self._height()


class OneCycleLR(_Cycling):
    """One cycle in all of ``total_steps`` (or ``epochs * steps_per_epoch``): from
    ``max_lr / div_factor`` up to ``max_lr`` in the share ``pct_start`` of them, and down to the
    first rate over ``final_div_factor``; the momentum from ``max_momentum`` down to
    ``base_momentum``, and up again. By a cosine, or with ``anneal_strategy="linear"`` straight.

    With ``three_phase`` the way down mirrors the way up, and ends in a third phase. A step beyond
    the last is an error. (Smith and Topin 2018.)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Numbers,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.85,
        max_momentum: Numbers = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self._set_momenta(optimizer, cycle_momentum, base_momentum, max_momentum)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: needs total_steps, or epochs and steps_per_epoch")
            whole("OneCycleLR", 1, epochs=epochs, steps_per_epoch=steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        whole("OneCycleLR", 1, total_steps=total_steps)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: anneal_strategy is {anneal_strategy!r}, not 'cos' or 'linear'"
            )
        number("OneCycleLR", "pct_start", pct_start, 0, 1)
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.max_lr = for_groups("OneCycleLR", "max_lr", max_lr, optimizer)
        self.div_factor = number("OneCycleLR", "div_factor", div_factor)
        self.final_div_factor = number("OneCycleLR", "final_div_factor", final_div_factor)
        # Where each phase ends, the rates it leads from and to, and the momenta.
        top, last = pct_start * total_steps - 1, total_steps - 1
        self.phases = [(top, "initial", "max", "max", "base"), (last, "max", "min", "base", "max")]
        if three_phase:
            down = 2 * pct_start * total_steps - 2
            self.phases[1:] = [
                (down, "max", "initial", "base", "max"),
                (last, "initial", "min", "max", "max"),
            ]
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["initial_lr"] = of_group(self.max_lr, i) / self.div_factor
        super().__init__(optimizer, last_epoch)

    def _rates(self, bases: list[float], epoch: int) -> list[float]:
        if epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {epoch} of {self.total_steps}")
        return super()._rates(bases, epoch)

    def _annealed(self, numbers: dict[str, float], of_momentum: bool) -> float:
        begin, place = 0.0, 0
        while self.last_epoch > self.phases[place][0] and place < len(self.phases) - 1:
            begin, place = self.phases[place][0], place + 1
        end, *names = self.phases[place]
        start, stop = (numbers[name] for name in (names[2:] if of_momentum else names[:2]))
        share = (self.last_epoch - begin) / (end - begin) if end != begin else 1.0
        if self.anneal_strategy == "linear":
            return start + (stop - start) * share
        return stop + (start - stop) / 2 * (1 + math.cos(math.pi * share))

    def rate(self, base: float, group: int) -> float:
        most = of_group(self.max_lr, group)
        initial = most / self.div_factor
        rates = {"initial": initial, "max": most, "min": initial / self.final_div_factor}
        return self._annealed(rates, False)

    def momentum(self, group: int) -> float:
        most, base = of_group(self.max_momentum, group), of_group(self.base_momentum, group)
        return self._annealed({"max": most, "base": base}, True)
