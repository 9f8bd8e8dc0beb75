"""The training loop: forward, loss, backward, step, for every batch of every epoch."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from inspect import signature
from itertools import islice
from typing import Any

import numpy as np

from .. import distributed
from ..distributed.sampler import is_share, joined_order, set_epoch
from ..errors import a_kind_of
from ..io.files import StrPath
from ..nn import Module
from ..nn.evaluating import evaluating
from ..ops.checks import number
from ..optim import LBFGS
from ..tensors.tensor import Tensor
from . import checkpoints
from .callbacks import EVENTS, Checkpoint, Clip, Schedule, checked, listeners
from .history import History
from .metrics import Metric, named, samples_of
from .progress import Progress
from .ranks import mark_of, ranks_of

INTERRUPTED = "interrupted"


def fit(
    model: Module,
    loader: Iterable[Any],
    optimizer: Any,
    loss: Callable[[Any, Any], Tensor],
    epochs: int = 1,
    *,
    val: Iterable[Any] | None = None,
    metrics: Any = None,
    callbacks: Iterable[Any] = (),
    scheduler: Any = None,
    max_norm: float | None = None,
    accumulate: int = 1,
    evaluate: Callable[[Module], Mapping[str, Any]] | None = None,
    forward: Callable[[Module, Any], tuple[Any, Any]] | None = None,
    resume: StrPath | bool | None = None,
    progress: bool | str = True,
) -> History:
    """Minimise ``loss(model(x), y)`` over the batches ``(x, y)`` of ``loader``.

    Of a batch of more parts the last is the target, and the model gets the others; ``forward(model,
    batch)``, which returns outputs and targets, says otherwise; what it or the loss remembers from
    batch to batch, checkpoints keep if it has ``state_dict`` and ``load_state_dict``.

    - ``val``: batches to be judged by after each epoch, in evaluation mode and unrecorded.
    - ``metrics``: names ("accuracy", "f1", …), `Metric` objects or functions ``f(outputs,
      targets)``, in a list, or in a dict by names of your own; of the training batches and of
      ``val``.
    - ``evaluate(model)`` may return more numbers by name after each epoch.
    - ``callbacks``: objects with methods of `Callback`, told in their order; functions are called
      with the history after each epoch. ``scheduler`` and ``max_norm`` stand for ``Schedule`` and
      ``Clip``, in front of the others: a schedule is stepped after every step.
    - ``accumulate``: a step takes the gradient of the mean over so many batches (the last of an
      epoch, over those that are left), each weighted by its samples.
    - ``resume``: go on from a checkpoint, a file or a folder with a last one, to the same bits as
      without a stop; True: from that of the `Checkpoint` among the callbacks, or from the start
      where there is none yet. Model, optimizer, data and callbacks are to be made as before.
      ``epochs`` counts from the very beginning.
    - ``progress``: a bar, under that title if it is a string.

    A model in evaluation mode is put into training mode; of one in training mode, parts that are in
    evaluation mode stay so. Returns the `History`. Ctrl-C ends the training after the step that
    runs and returns it too (``history.stopped``); a second one raises KeyboardInterrupt at once.
    Raises FloatingPointError if a loss is not finite: what follows would only waste time.

    The ranks of a ``distributed.DistributedDataParallel`` train together, each on its own share of
    the batches (``distributed.DistributedSampler``, ``DistributedBatches``); gradients, losses and
    metrics are those of the joined batch, however it is cut. Unless ``val`` is cut likewise, each
    rank judges every n-th batch of it. Rank 0 writes files and shows the bar; the others wait for a
    checkpoint to be whole, and read none: ``resume`` is what rank 0 finds, of any number of ranks.
    The rows of the history are those of rank 0 everywhere, so that callbacks decide alike; a stop
    on one rank is one on all. `Run.rank` tells them apart.

    >>> import tinytensor as tt
    >>> model = tt.nn.Linear(1, 1)
    >>> x = tt.tensor([[0.0], [1.0], [2.0]])
    >>> optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    >>> history = fit(model, [(x, 3 * x + 1)], optimizer, tt.nn.MSELoss(), 500, progress=False)
    >>> round(model.weight.item(), 2), round(model.bias.item(), 2)
    (3.0, 1.0)
    """
    number("fit", "epochs", epochs, 0)
    number("fit", "accumulate", accumulate, 1)
    first: list[Any] = [] if max_norm is None else [Clip(max_norm)]
    if scheduler is not None:
        first.append(scheduler if isinstance(scheduler, Schedule) else Schedule(scheduler))
    heard = [*first, *map(checked, callbacks)]
    run = Run(model, loader, optimizer, loss, heard, named(metrics), accumulate, forward, evaluate)
    run.epochs, run.val = epochs, val
    state = None
    if run.rank == 0 and (path := _checkpoint_of(resume, heard)) is not None:
        state = checkpoints.read_checkpoint(path)
    if resume:
        state = run.ranks.told(state)
    if state is not None:
        run.load_state_dict(state)
    if not model.training:  # otherwise parts of it may be in evaluation mode on purpose
        model.train()
    progress = progress if run.rank == 0 else False
    run.progress = Progress(progress, _steps_of(loader, epochs, accumulate), run.step)
    try:
        with _interruptions(run):
            run.tell("on_fit_start")
            try:
                run.go()
            finally:
                run.tell("on_fit_end")
    finally:
        run.progress.close()
    return run.history


class Run:
    """A training as it goes: what callbacks are given. See `Callback`."""

    val: Iterable[Any] | None = None
    epochs = 1

    def __init__(
        self,
        model: Module,
        loader: Iterable[Any],
        optimizer: Any,
        loss: Callable[[Any, Any], Tensor],
        callbacks: list[Any],
        metrics: dict[str, Metric],
        accumulate: int = 1,
        forward: Callable[[Module, Any], tuple[Any, Any]] | None = None,
        evaluate: Callable[[Module], Mapping[str, Any]] | None = None,
    ) -> None:
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(
                f"fit: optimizer is {a_kind_of(optimizer)}; one of optim, such as"
                " AdamW(model.parameters()), is needed"
            )
        self.model, self.loader, self.optimizer, self.loss_of = model, loader, optimizer, loss
        self.callbacks, self.metrics, self.accumulate = callbacks, metrics, accumulate
        self.forward, self.evaluate = forward or of_pairs, evaluate
        self.ranks = ranks_of(model)
        self.rank = self.ranks.rank  # 0 writes and prints
        self.bare = self.ranks.bare(model)  # what is judged and saved
        if self.ranks.size == 1 < distributed.size():
            what = "fit: each rank trains a model of its own: it is no DistributedDataParallel"
            warnings.warn(what, stacklevel=3)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.history = History()
        self.epoch, self.step = 1, 0
        self.outputs: Any = None
        self.targets: Any = None
        self.loss = math.nan
        self.row: dict[str, Any] = {}
        self.asked = False  # whether Ctrl-C came to this process: at any moment
        self.interrupted = False  # and to any rank, as all of them know
        self.between_steps = True  # otherwise model and optimizer may be half changed
        self.progress = Progress(False, None, 0)
        self._told = {event: listeners(callbacks, event) for event in EVENTS}
        self._later: list[Callable[[Run], Any]] = []
        step = next(iter(signature(optimizer.step).parameters.values()), None)
        needed = step is not None and step.default is step.empty
        self._by_closure = needed or isinstance(optimizer, LBFGS)
        # Where the epoch is: batches that were trained on, whether these were all, and their sums.
        self._batches, self._trained, self._sums, self._seconds = 0, False, [0.0, 0], 0.0
        self._sources: dict[str, Any] | None = None
        self._at_start: dict[str, Any] | None = None  # the generators, when the epoch began
        self._before_val: dict[str, Any] | None = None  # and when its validation began
        self._place: Any = None  # in the data, of a checkpoint

    # --- For callbacks -----------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """End the training after the step or epoch that runs."""
        self.history.stopped = self.history.stopped or reason

    def later(self, function: Callable[[Run], Any]) -> None:
        """Call ``function(run)`` when all callbacks have heard of what happens now, so that it
        sees what the next step begins with."""
        self._later.append(function)

    def tell(self, event: str) -> None:
        for listener in self._told[event]:
            listener(self)

    # --- Epochs ------------------------------------------------------------------------------

    def go(self) -> None:
        """All epochs that are left."""
        while self.epoch <= self.epochs and not self._stopping():
            self._began = time.monotonic() - self._seconds
            if not self._trained:
                self._train()
            self._seconds = time.monotonic() - self._began
            if not self._stopping():
                self._end_epoch()

    def _stopping(self) -> bool:
        """Whether any rank is to stop. Then all of them do, for the same reason."""
        if asked := self.asked:
            self.stop(INTERRUPTED)
        if self.ranks.size > 1:
            every, stopped = self.ranks.each(asked, bool(self.history.stopped)).T
            self.interrupted = self.interrupted or bool(every.any())
            if stopped.any():
                reasons = self.ranks.gathered(self.history.stopped)
                self.history.stopped = next(filter(None, reasons))
        return bool(self.history.stopped)

    def _train(self) -> None:
        batches = self._placed() if self._at_start is not None else None
        if batches is None:
            self._at_start = self._random()
            self.tell("on_epoch_start")
            set_epoch(self.loader, self.epoch - 1)
            batches = iter(self.loader)
            self._check_alike()
        while sizes := self._sizes(group := list(islice(batches, self.accumulate))):
            self._step(group, sizes)
            if self._stopping():
                return
        if not self._batches:
            again = "; an iterator is used up after one" * (self.epoch > 1)
            raise ValueError(f"fit: the loader gave no batch in epoch {self.epoch}{again}")
        self._trained = True

    def _check_alike(self) -> None:
        """Raise ValueError unless all ranks begin the epoch with the same joined batches."""
        if self.ranks.size == 1:
            return
        drawn = [joined_order(self.loader)]
        if isinstance(self.loader, distributed.DistributedBatches):
            sources = checkpoints.random_sources({"loader": self.loader})
            states = checkpoints.random_states(sources)
            drawn += [state for path, state in states.items() if path.startswith("loader")]
        marks = self.ranks.each(checkpoints.checksum(drawn))
        if (marks != marks[0]).any():
            raise ValueError(
                f"fit: ranks would draw epoch {self.epoch} in different orders: give the loader a"
                " generator or a seed of its own, the same on all ranks"
            )

    def _sizes(self, group: list[Any]) -> list[float]:
        """The weights of the batches in a step's mean, of one rank's, so that the mean over ranks
        is that of all samples; none if the epoch is over."""
        sizes = [samples_of(batch) for batch in group]
        counts, samples = self.ranks.each(len(group), sum(sizes)).T
        if (counts != counts[0]).any():
            raise ValueError(
                f"fit: ranks have different numbers of batches in epoch {self.epoch}: here the"
                f" step after {self._batches} has {len(group)}, on others"
                f" {sorted({int(count) for count in counts})}; DistributedSampler gives all as many"
            )
        if self.ranks.size > 1 and group and not self.step and not self._batches:
            marks = self.ranks.each(mark_of(group))
            if self.rank == 0 and (marks == marks[0]).all():
                what = (
                    "fit: all ranks train on the same batches: see distributed.DistributedSampler"
                )
                warnings.warn(what, stacklevel=3)
        mean = samples.sum() / self.ranks.size
        return [size / mean if mean else 1.0 for size in sizes]

    def _step(self, group: list[Any], sizes: list[float]) -> None:
        """One step of the optimizer, by the gradients of the mean over a group of batches."""
        self.between_steps = False
        if self._by_closure:
            values: list[float] = []

            def closure() -> float:
                values.append(self._gradients(group, sizes, again=bool(values)))
                return values[-1]

            self.optimizer.step(closure)
            value = values[0]
        else:
            value = self._gradients(group, sizes)
            self.optimizer.step()
        self.history.losses.append(value)
        self._batches += len(group)
        self.step += 1
        self.tell("on_step_end")
        self.between_steps = True
        if self.progress.due():
            self._show()
        self._flush()

    def _gradients(self, group: list[Any], shares: list[float], again: bool = False) -> float:
        """The mean loss of the group, and its gradients; where an optimizer asks ``again`` in one
        step, for other weights, the epoch's numbers have it already."""
        metrics = self.metrics.values()
        mean, total, samples = 0.0, 0.0, 0
        for i, (batch, share) in enumerate(zip(group, shares, strict=True)):
            last = i == len(group) - 1
            with nullcontext() if last else self.ranks.quiet(self.model):
                self.outputs, self.targets = self.forward(self.model, batch)
                value = self.loss_of(self.outputs, self.targets)
                self.loss = value.item()
                if not math.isfinite(self.loss):
                    raise FloatingPointError(_not_finite(self.loss, self.step + 1, self.optimizer))
                if i == 0:
                    self.optimizer.zero_grad()
                (value if share == 1 else value * share).backward()
            mean += self.loss * share
            size = samples_of(batch)
            total += self.loss * size
            samples += size
            if again:
                continue
            for metric in metrics:
                metric.update(self.outputs, self.targets)
            self.tell("on_batch_end")
        mean, total, samples = self.ranks.each(mean, total, samples).sum(0).tolist()
        if not again:
            self._sums[0] += total
            self._sums[1] += int(samples)
        self.tell("on_gradients")
        return mean / self.ranks.size

    def _flush(self) -> None:
        if self._later:
            self._stopping()  # so that what is written says of a stop what all ranks say
        while self._later:
            self._later.pop(0)(self)

    def _end_epoch(self) -> None:
        row: dict[str, Any] = {"epoch": self.epoch, "step": self.step}
        row |= (numbers := self._numbers(self._joined(self.metrics)))
        judged = self._judged()
        if judged is None:  # Ctrl-C within the validation, which a resume begins anew
            self._stopping()
            return
        row |= judged
        if rates := _rates(self.optimizer):
            row["lr"] = rates[0]
        row["seconds"] = self._seconds
        row["samples_per_second"] = self._sums[1] / max(self._seconds, 1e-9)
        self.row = row
        self.tell("on_validation_end")
        self.row = self.ranks.told(self.row)
        self.history.epochs.append(self.row)
        self._show()
        if judged:
            start = f"epoch {self.epoch}/{self.epochs}   step {self.step:5}"
            self.progress.write(start, numbers | judged)
        self.tell("on_epoch_end")
        self.epoch += 1
        self._batches, self._trained, self._sums, self._seconds = 0, False, [0.0, 0], 0.0
        self._at_start = self._before_val = None
        for metric in self.metrics.values():
            metric.reset()
        self._flush()

    def _judged(self) -> dict[str, Any] | None:
        """What ``val`` and ``evaluate`` say, None if Ctrl-C came between."""
        found: dict[str, Any] = {}
        if self.val is None and self.evaluate is None:
            return found
        self._before_val = self._random()
        self.ranks.level(self.model)
        with evaluating(self.bare):
            if self.val is not None:
                metrics = named(self.metrics)
                total, samples = 0.0, 0
                for batch in self.ranks.share(self.val):
                    outputs, targets = self.forward(self.bare, batch)
                    size = samples_of(batch)
                    total += self.loss_of(outputs, targets).item() * size
                    samples += size
                    for metric in metrics.values():
                        metric.update(outputs, targets)
                    if self.asked:
                        break
                sums = self.ranks.each(total, samples, self.asked).sum(0)
                total, samples, asked = sums.tolist()
                if asked:
                    return None
                metrics = self._joined(metrics)
                if not samples:
                    raise ValueError(f"fit: val gave no batch in epoch {self.epoch}")
                found["val_loss"] = total / samples
                found |= {f"val_{name}": m.compute() for name, m in metrics.items()}
            if self.evaluate is not None:
                found |= self.evaluate(self.bare)
        return found

    def _joined(self, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """The metrics with what all ranks have counted."""
        if self.ranks.size == 1:
            return metrics
        joined = named(metrics)
        for states in self.ranks.gathered({k: m.state_dict() for k, m in metrics.items()}):
            for name, metric in joined.items():
                metric.add(states[name])
        return joined

    def _numbers(self, metrics: dict[str, Metric] | None = None) -> dict[str, Any]:
        """The epoch's mean loss so far, and the metrics, by default of this rank alone."""
        sums, metrics = self._sums, self.metrics if metrics is None else metrics
        found: dict[str, Any] = {"loss": sums[0] / sums[1] if sums[1] else math.nan}
        return found | {name: metric.compute() for name, metric in metrics.items()}

    def _show(self) -> None:
        seconds = max(time.monotonic() - self._began, 1e-9)
        where = f"epoch {self.epoch}/{self.epochs}"
        with suppress(ValueError):  # a metric that has counted nothing yet
            self.progress.show(where, self._numbers(), self._sums[1] / seconds)

    # --- Checkpoints -------------------------------------------------------------------------

    def _random(self) -> dict[str, Any]:
        return checkpoints.random_states(self._all_sources())

    def _all_sources(self) -> dict[str, Any]:
        if self._sources is None:
            names = ("model", "loader", "loss_of", "val", "forward", "evaluate", "callbacks")
            self._sources = checkpoints.random_sources({n: getattr(self, n) for n in names})
        return self._sources

    def state_dict(self) -> dict[str, Any]:
        """All that `fit` needs to go on from here, between two steps, to the same bits.

        All ranks ask for it together. It is whole on rank 0: others lack the optimizer's.
        """
        if not self._trained and self._batches:
            self._seconds = time.monotonic() - self._began
        if hasattr(self.optimizer, "consolidate_state_dict"):
            self.optimizer.consolidate_state_dict()
        metrics = self._joined(self.metrics)
        ranks = self.ranks.gathered(self._of_rank())
        return {
            "model": self.bare.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.rank == 0 else None,
            **ranks[0],
            "ranks": ranks[1:],
            "place": {
                "epoch": self.epoch,
                "step": self.step,
                "batches": self._batches,
                "trained": self._trained,
                "sums": list(self._sums),
                "seconds": self._seconds,
                "accumulate": self.accumulate,
            },
            "metrics": {name: metric.state_dict() for name, metric in metrics.items()},
            "callbacks": checkpoints.states_by_kind(self.callbacks),
            "history": {
                **self.history.state_dict(),
                "losses": np.array(self.history.losses, np.float64),
                "norms": np.array(self.history.norms, np.float64),
            },
        }

    def _of_rank(self) -> dict[str, Any]:
        """What each rank has a state of its own of."""
        loader = self.loader
        return {
            "loss": _remembered(self.loss_of),
            "forward": _remembered(self.forward),
            "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
            "random": self._before_val or self._random(),
            "random_at_start": self._at_start,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go where a run of the same making stood, of any number of ranks: what each has for itself
        rank r takes of rank r of those, counted around."""
        try:
            others = state.get("ranks", [])
            count = 1 + len(others)
            own = state if self.rank % count == 0 else others[self.rank % count - 1]
            place, metrics = state["place"], state["metrics"]
            if metrics.keys() != self.metrics.keys():
                raise ValueError(f"it has the metrics {[*metrics]}, this run {[*self.metrics]}")
            if place["accumulate"] != self.accumulate:
                raise ValueError(f"it was made with accumulate={place['accumulate']}")
            self.bare.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            for name, part in (("loss", self.loss_of), ("forward", self.forward)):
                if hasattr(part, "load_state_dict"):
                    part.load_state_dict(own[name])
            for name, metric in self.metrics.items():
                metric.reset()  # what was counted is counted on one rank
                if self.rank == 0:
                    metric.load_state_dict(metrics[name])
            checkpoints.load_states_by_kind(self.callbacks, state["callbacks"])
            self.history = History.from_state(state["history"])
            self.epoch, self.step = place["epoch"], place["step"]
            self._batches, self._trained = place["batches"], place["trained"]
            self._sums, self._seconds = list(place["sums"]), place["seconds"]
            self._at_start, self._place = own["random_at_start"], own["loader"]
            if self._place is not None and is_share(self.loader):
                self._place = _of_share(self._place, self.loader, count, self.ranks.size)
            random = own["random"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"fit: resume: the checkpoint is none of fit: {error!r}") from error
        except ValueError as error:
            raise ValueError(f"fit: resume: the checkpoint does not fit: {error}") from error
        if self.history.stopped == INTERRUPTED:
            self.history.stopped = ""
        checkpoints.set_random_states(self._all_sources(), random)
        if self._place is not None and hasattr(self.loader, "load_state_dict"):
            self.loader.load_state_dict(self._place)
            self._check_alike()

    def _placed(self) -> Iterator[Any] | None:
        """The batches that are left of the epoch that a checkpoint was made in."""
        assert self._at_start is not None
        if self._place is not None and hasattr(self.loader, "load_state_dict"):
            return iter(self.loader)
        # A loader that knows no place is asked once more for what it gave, from the same numbers.
        now = self._random()
        checkpoints.set_random_states(self._all_sources(), self._at_start)
        set_epoch(self.loader, self.epoch - 1)
        batches = iter(self.loader)
        skipped = sum(1 for _ in islice(batches, self._batches))
        if skipped < self._batches:
            raise ValueError(
                f"fit: resume: the loader ended after {skipped} batches; the checkpoint had seen"
                f" {self._batches} of the epoch"
            )
        checkpoints.set_random_states(self._all_sources(), now)
        return batches


def _remembered(part: Any) -> Any:
    """What a loss or a forward pass remembers from batch to batch, if it can be given back."""
    return part.state_dict() if hasattr(part, "load_state_dict") else {}


def _of_share(place: Any, loader: Any, before: int, now: int) -> Any:
    """The place of a loader of ranks' own batches, ``before`` ranks, among other batches of
    ``now`` ranks that are joined as large."""
    size = getattr(loader, "batch_size", None)
    joined = isinstance(loader, distributed.DistributedBatches)
    if joined or size is None or before == now or "batch_size" not in place:
        return place
    if place["batch_size"] * before != size * now:
        raise ValueError(
            f"it has batches of {place['batch_size']} on each of {before} ranks, here are {size} on"
            f" each of {now}: joined they must be as many"
        )
    return {**place, "batch_size": size}


def of_pairs(model: Module, batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, list | tuple) or len(batch) < 2:
        what = f"a batch of {len(batch)}" if isinstance(batch, list | tuple) else a_kind_of(batch)
        raise TypeError(
            f"fit: the loader gave {what}, not (inputs, targets); forward=lambda model, batch:"
            " (outputs, targets) says what to do with it"
        )
    return model(*batch[:-1]), batch[-1]


def _steps_of(loader: Any, epochs: int, accumulate: int) -> int | None:
    try:
        return epochs * -(-len(loader) // accumulate)
    except TypeError:  # also of a loader that has a length only for some data
        return None


def _rates(optimizer: Any) -> list[Any]:
    return [group["lr"] for group in getattr(optimizer, "param_groups", ()) if "lr" in group]


def _not_finite(loss: float, step: int, optimizer: Any) -> str:
    rates = ", ".join(dict.fromkeys(map(str, _rates(optimizer))))
    return (
        f"fit: the loss is {loss} in step {step}, at a learning rate of"
        f" {rates or 'unknown size'}; a smaller one, or max_norm, may"
        " help; inside `with tt.detect_anomaly():` an error names the op that made it"
    )


def _checkpoint_of(resume: StrPath | bool | None, callbacks: list[Any]) -> StrPath | None:
    """The file to resume from, if any."""
    if resume is None or resume is False:
        return None
    if resume is not True:
        return resume
    found = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if not found:
        raise ValueError("fit: resume=True needs a Checkpoint among the callbacks, or give a path")
    return found[0].last if found[0].last.exists() else None


@contextmanager
def _interruptions(run: Run) -> Iterator[None]:
    """Ctrl-C asks the run to end; once more, and it raises KeyboardInterrupt as ever."""
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        run.asked = True
        run.interrupted = run.interrupted or run.ranks.size == 1
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def predict(model: Module, inputs: Any, batch_size: int = 256) -> np.ndarray:
    """The outputs of ``model`` for ``inputs`` (N, …) in evaluation mode, batch by batch: (N, …)."""
    inputs = np.asarray(inputs)
    with evaluating(model):
        starts = range(0, max(len(inputs), 1), batch_size)
        return np.concatenate([model(Tensor(inputs[i : i + batch_size])).numpy() for i in starts])
