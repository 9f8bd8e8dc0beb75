"""Callbacks: what is told of a training as it goes, and may change its course."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import a_kind_of
from ..io.files import StrPath
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..ops.checks import number
from ..tensors.tensor import Tensor
from .checkpoints import BEST, LAST, check_keys, write_checkpoint

if TYPE_CHECKING:
    from .loop import Run


class Callback:
    """Hears of everything and does nothing: what a kind of callback overrides.

    Any object will do that has some of these methods; one that has none of them, but can be called,
    is called with the history after each epoch. A training asks no more of the others than what it
    finds at its start, so a method that is not there costs nothing.

    Each is given the run: ``run.model``, ``run.optimizer``, ``run.history``; ``run.epoch`` (from 1
    on), ``run.step`` (steps of the optimizer so far), ``run.outputs``, ``run.targets`` and
    ``run.loss`` of the last batch; ``run.stop(reason)`` ends the training, and
    ``run.later(function)`` calls ``function`` once all callbacks have heard of this. Of several
    ranks each has callbacks of its own: ``run.rank`` is 0 on the one that is to write and print.

    A callback that remembers something has ``state_dict()`` and ``load_state_dict(state)``, so that
    checkpoints keep it.
    """

    def on_fit_start(self, run: Run) -> None:
        """Before the first batch, or the first after a resume."""

    def on_epoch_start(self, run: Run) -> None:
        """Before the first batch of an epoch; not where a resume goes on within one."""

    def on_batch_end(self, run: Run) -> None:
        """A batch went forward and backward. (With ``accumulate`` there are several a step.)"""

    def on_gradients(self, run: Run) -> None:
        """The gradients of a step are there, and the optimizer has not used them yet."""

    def on_step_end(self, run: Run) -> None:
        """The optimizer has made a step."""

    def on_validation_end(self, run: Run) -> None:
        """``val`` and ``evaluate`` are through; ``run.row`` is the epoch's row, to be added to."""

    def on_epoch_end(self, run: Run) -> None:
        """The row of the epoch is ``run.history.epochs[-1]``."""

    def on_fit_end(self, run: Run) -> None:
        """The training is over: all epochs are done, it was stopped, or there was an error."""


EVENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Called(Callback):
    """A function of the history, called after each epoch."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def on_epoch_end(self, run: Run) -> None:
        self.function(run.history)


def checked(callback: Any) -> Any:
    """A callback; of a function, one that calls it. Raises TypeError for all else."""
    if isinstance(callback, type):
        raise TypeError(f"fit: a callback is the class {callback.__name__}; make one: ()")
    unknown = [n for n in dir(callback) if n.startswith("on_") and n not in EVENTS]
    if unknown:
        kind = type(callback).__name__
        raise TypeError(f"fit: {kind} has {unknown[0]}, but callbacks hear of {', '.join(EVENTS)}")
    if any(hasattr(callback, event) for event in EVENTS):
        return callback
    if callable(callback):
        return Called(callback)
    raise TypeError(f"fit: a callback is {a_kind_of(callback)}, with none of {', '.join(EVENTS)}")


def listeners(callbacks: list[Any], event: str) -> list[Any]:
    """The methods that do something at ``event``."""
    idle = getattr(Callback, event)
    found = [getattr(callback, event, None) for callback in callbacks]
    return [m for m in found if m is not None and getattr(m, "__func__", None) is not idle]


# --- What is best ----------------------------------------------------------------------------

_LARGER_IS_BETTER = ("accuracy", "top", "f1", "precision", "recall")


class Monitor:
    """A column of the history, and whether the smallest or the largest number in it is the best.

    Without a name it is "val_loss", or "loss" where there is no validation. Without a mode, names
    of accuracies and the like are "max", all others "min".
    """

    def __init__(self, name: str | None, mode: str | None, least: float = 0.0) -> None:
        if mode not in ("min", "max", None):
            raise ValueError(f"Monitor: mode is {mode!r}, not 'min', 'max' or None")
        self.name, self.mode, self.least = name, mode, least
        self.best: float | None = None

    def value(self, row: Mapping[str, Any]) -> float:
        """The number in an epoch's row."""
        name = self.name or ("val_loss" if "val_loss" in row else "loss")
        if name not in row or np.ndim(row[name]):
            have = ", ".join(k for k, v in row.items() if not np.ndim(v))
            raise ValueError(f"fit: there is no number {name!r} to watch; there are {have}")
        return float(row[name])

    def improved(self, row: Mapping[str, Any]) -> bool:
        """Whether this row is the best so far, by more than ``least``. NaN never is."""
        value = self.value(row)
        best_name = (self.name or "").removeprefix("val_")
        largest = self.mode == "max" or (
            self.mode is None and best_name.startswith(_LARGER_IS_BETTER)
        )
        gain = math.inf if self.best is None else (value - self.best) * (1 if largest else -1)
        if not gain > self.least or math.isnan(value):
            return False
        self.best = value
        return True


# --- The callbacks ---------------------------------------------------------------------------


class Checkpoint(Callback):
    """Writes ``last.safetensors``, from which `fit` resumes to the same bits, and
    ``best.safetensors``, that of the epoch with the best ``monitor``, into ``folder``.

    The last one is written after each epoch, after every ``every_steps`` steps, and when Ctrl-C
    ended the training. A file is written under a new name, brought to the disk, and renamed: a
    kill at any moment leaves the one before or the new one. `read_checkpoint` reads them. Of ranks,
    rank 0 writes what all have, and the others wait.
    ``monitor`` and ``mode`` are as in `EarlyStopping`.
    """

    def __init__(
        self,
        folder: StrPath,
        monitor: str | None = None,
        mode: str | None = None,
        every_steps: int | None = None,
        last: bool = True,
        best: bool = True,
    ) -> None:
        if every_steps is not None:
            number("Checkpoint", "every_steps", every_steps, 1)
        self.folder = Path(folder)
        self.monitor = Monitor(monitor, mode)
        self.every_steps, self.keep_last, self.keep_best = every_steps, last, best
        self._saved: int | None = None

    @property
    def last(self) -> Path:
        """Where the last one is."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """Where the best one is."""
        return self.folder / BEST

    def on_fit_start(self, run: Run) -> None:
        if run.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)

    def on_step_end(self, run: Run) -> None:
        if self.keep_last and self.every_steps and run.step % self.every_steps == 0:
            run.later(self._save_last)

    def on_epoch_end(self, run: Run) -> None:
        if self.keep_best and self.monitor.improved(run.history.epochs[-1]):
            run.later(lambda run: self._write(self.best, run))
        if self.keep_last:
            run.later(self._save_last)

    def on_fit_end(self, run: Run) -> None:
        if self.keep_last and run.interrupted and run.between_steps:
            self._save_last(run)

    def _save_last(self, run: Run) -> None:
        self._write(self.last, run)

    def _write(self, path: Path, run: Run) -> None:
        state = run.state_dict()
        if run.rank == 0:
            write_checkpoint(path, state)
        run.ranks.barrier()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.monitor.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_keys("Checkpoint", state, {"best"})
        self.monitor.best = state["best"]


class EarlyStopping(Callback):
    """Ends the training when ``monitor`` has not become better for ``patience`` epochs.

    Better is smaller or larger, as ``mode`` says ("min", "max"; None: by the name), by more than
    ``min_delta``. ``restore`` puts the model back to the best epoch at the end.
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 5,
        mode: str | None = None,
        min_delta: float = 0.0,
        restore: bool = False,
    ) -> None:
        number("EarlyStopping", "patience", patience, 1)
        number("EarlyStopping", "min_delta", min_delta, 0)
        self.monitor = Monitor(monitor, mode, min_delta)
        self.patience, self.restore = patience, restore
        self.waited = 0
        self._model: dict[str, Any] | None = None

    def on_epoch_end(self, run: Run) -> None:
        if self.monitor.improved(run.history.epochs[-1]):
            self.waited = 0
            if self.restore:
                state = run.model.state_dict()
                self._model = {k: Tensor(np.array(v.value)) for k, v in state.items()}
        else:
            self.waited += 1
        if self.waited >= self.patience:
            what = f"{self.monitor.name or 'the loss'} was not better than {self.monitor.best}"
            run.stop(f"{what} for {self.waited} epochs")

    def on_fit_end(self, run: Run) -> None:
        if self._model is not None and not run.interrupted:
            run.model.load_state_dict(self._model)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.monitor.best, "waited": self.waited, "model": self._model}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_keys("EarlyStopping", state, {"best", "waited", "model"})
        self.monitor.best, self.waited = state["best"], state["waited"]
        self._model = state["model"]


class Schedule(Callback):
    """Steps a schedule of ``optim.lr_scheduler`` after each step, or each epoch.

    One whose ``step`` needs a number (ReduceLROnPlateau) is stepped after each epoch, and given
    ``monitor``, by default "val_loss", or "loss" where there is no validation.
    """

    def __init__(self, scheduler: Any, per: str | None = None, monitor: str | None = None) -> None:
        if not callable(getattr(scheduler, "step", None)):
            raise TypeError(f"Schedule: {a_kind_of(scheduler)} has no step()")
        first = next(iter(signature(scheduler.step).parameters.values()), None)
        self.asks = monitor is not None or (first is not None and first.default is first.empty)
        if per not in ("step", "epoch", None) or (per == "step" and self.asks):
            raise ValueError(
                f"Schedule: per is {per!r}, not 'step' or 'epoch'" + " with a monitor" * self.asks
            )
        self.scheduler, self.monitor = scheduler, Monitor(monitor, None)
        self.per = per or ("epoch" if self.asks else "step")

    def on_step_end(self, run: Run) -> None:
        if self.per == "step":
            self.scheduler.step()

    def on_epoch_end(self, run: Run) -> None:
        if self.asks:
            self.scheduler.step(self.monitor.value(run.history.epochs[-1]))
        elif self.per == "epoch":
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        return self.scheduler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scheduler.load_state_dict(state)


class Average(Callback):
    """Takes the weights into an average, an ``optim.swa_utils.AveragedModel``, after each step, or
    ``per`` epoch, but for the first ``start`` of these."""

    def __init__(self, averaged: Any, per: str = "step", start: int = 0) -> None:
        if not callable(getattr(averaged, "update_parameters", None)):
            raise TypeError(f"Average: {a_kind_of(averaged)} has no update_parameters(model)")
        if per not in ("step", "epoch"):
            raise ValueError(f"Average: per is {per!r}, not 'step' or 'epoch'")
        number("Average", "start", start, 0)
        self.averaged, self.per, self.start = averaged, per, start

    def on_step_end(self, run: Run) -> None:
        if self.per == "step" and run.step > self.start:
            self.averaged.update_parameters(run.model)

    def on_epoch_end(self, run: Run) -> None:
        if self.per == "epoch" and run.epoch > self.start:
            self.averaged.update_parameters(run.model)

    def state_dict(self) -> dict[str, Any]:
        return self.averaged.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.averaged.load_state_dict(state)


class Clip(Callback):
    """Clips the gradients of each step: to ``max_norm`` in all, by ``value`` each element.

    With ``max_norm`` the history has the norms before, ``history.norms``, one for each step: that
    of the first `Clip`, at the first gradients of a step that asks for more than one.
    """

    def __init__(
        self, max_norm: float | None = None, value: float | None = None, norm_type: float = 2.0
    ) -> None:
        if (max_norm is None) == (value is None):
            raise ValueError("Clip: give max_norm or value, one of them")
        number("Clip", "max_norm" if value is None else "value", max_norm or value or 0, 0)
        self.max_norm, self.value, self.norm_type = max_norm, value, norm_type

    def on_gradients(self, run: Run) -> None:
        if self.max_norm is not None:
            norm = clip_grad_norm_(run.parameters, self.max_norm, self.norm_type)
            if len(run.history.norms) <= len(run.history.losses):
                run.history.norms.append(norm.item())
        elif self.value is not None:
            clip_grad_value_(run.parameters, self.value)


class CSVLog(Callback):
    """Writes the epochs so far to a CSV file after each epoch, whole or not at all."""

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)

    def on_fit_start(self, run: Run) -> None:
        if run.rank == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, run: Run) -> None:
        if run.rank == 0:
            run.history.to_csv(self.path)


class TensorBoard(Callback):
    """Writes event files for TensorBoard into ``folder``: the loss of every ``every_steps``-th
    step, and all numbers of each epoch, by the step.

    They are written by the package tensorboard: ``pip install "tinytensor[tensorboard]"``. After a
    resume, TensorBoard forgets what the killed run had written beyond the checkpoint.
    """

    def __init__(self, folder: StrPath, every_steps: int = 1) -> None:
        number("TensorBoard", "every_steps", every_steps, 1)
        self.folder, self.every_steps = os.fspath(folder), every_steps
        self._writer: Any = None
        self._events: Any = None

    def on_fit_start(self, run: Run) -> None:
        if run.rank:
            return
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            remedy = 'pip install "tinytensor[tensorboard]"'
            raise ImportError(f"TensorBoard writes by the package tensorboard: {remedy}") from error
        self._events = event_pb2
        self._writer = EventFileWriter(self.folder)
        if run.step:  # what this step and later ones left in other files is void
            log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(event_pb2.Event(step=run.step + 1, session_log=log))

    def _write(self, step: int, numbers: Mapping[str, Any]) -> None:
        event = self._events.Event(step=step)
        event.wall_time = time.time()
        for name, value in numbers.items():
            event.summary.value.add(tag=name, simple_value=float(value))
        self._writer.add_event(event)

    def on_step_end(self, run: Run) -> None:
        if self._writer is not None and run.step % self.every_steps == 0:
            self._write(run.step, {"step/loss": run.history.losses[-1]})

    def on_epoch_end(self, run: Run) -> None:
        if self._writer is None:
            return
        row = run.history.epochs[-1]
        names = [k for k, v in row.items() if k not in ("epoch", "step") and not np.ndim(v)]
        self._write(run.step, {f"epoch/{name}": row[name] for name in names})
        self._writer.flush()

    def on_fit_end(self, run: Run) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
