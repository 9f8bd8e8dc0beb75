"""What a worker of a loader does: one task after the other becomes one batch after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..random import Stream
from .collate import collate, default_convert
from .dataset import IterableDataset, batch_of, samples_at
from .samplers import plain_state, set_plain_state

END = "end of the stream"  # in place of a batch

# The streams of an epoch, beside those of its batches 0, 1, …: of its sampler, and of the reading
# of an iterable.
SAMPLER, READING = 2**64 - 1, 2**64 - 2


@dataclass
class WorkerInfo:
    """Which worker loads: its number, of how many; a seed of its own; and the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """The `WorkerInfo` in a worker of a `DataLoader`; otherwise None."""
    return getattr(_here, "info", None)


@dataclass
class Worker:
    """A worker's number and what it has to do at first, in its own thread or process."""

    info: WorkerInfo
    init: Callable[[int], Any] | None
    kind: str

    def begin(self) -> None:
        _here.info = self.info
        if self.init is not None:
            with Stream(self.info.seed, self.info.id):
                self.init(self.info.id)

    def __str__(self) -> str:
        return f"{self.kind} worker {self.info.id}"


@dataclass
class Task:
    """Batch ``number`` of the epoch of that key: its indices, or the next samples of an iterable.

    The ``first`` task begins the iterable anew: after so many samples to ``skip``, or at a place.
    """

    epoch: int
    number: int
    indices: Any = None
    first: bool = False
    skip: int = 0
    place: Any = None


@dataclass
class Loading:
    """How tasks become batches, in whatever thread or process; or samples, if not ``batched``.

    An iterable is read by ``batch_size``; indices come in batches already.
    """

    dataset: Any
    batched: bool
    batch_size: int
    drop_last: bool
    collate: Callable[[Any], Any] | None
    transform: Callable[[Any], Any] | None

    def __post_init__(self) -> None:
        self.samples: Iterator[Any] = iter(())
        self.reading = Stream(0, READING)

    def __call__(self, task: Task) -> Any:
        """The batch; of an iterable, the pair of it and the place in the stream behind it."""
        try:
            if isinstance(self.dataset, IterableDataset):
                return self._next(task)
            with Stream(task.epoch, task.number):
                return self._transformed(self._at(task.indices))
        except Exception as error:
            error.add_note(f"in batch {task.number}{_named(task.indices)}")
            raise

    def _at(self, indices: Any) -> Any:
        if not self.batched:
            return (self.collate or default_convert)(self.dataset[indices])
        if self.collate is None:
            return batch_of(self.dataset, indices)
        return self.collate(samples_at(self.dataset, indices))

    def _transformed(self, batch: Any) -> Any:
        return batch if self.transform is None else self.transform(batch)

    def _next(self, task: Task) -> Any:
        if task.first:
            self._begin(task)
        size, place = self.batch_size, None
        with self.reading:
            samples = list(islice(self.samples, size))
        ended = len(samples) < size
        if hasattr(self.dataset, "state_dict"):
            draws = plain_state(self.reading.generator)
            place = {"dataset": self.dataset.state_dict(), "draws": draws, "ended": ended}
        if ended and (not samples or self.drop_last):
            self.samples = iter(())
            return END, place
        with Stream(task.epoch, task.number):
            if self.batched:
                batch = (self.collate or collate)(samples)
            else:
                batch = (self.collate or default_convert)(samples[0])
            return self._transformed(batch), place

    def _begin(self, task: Task) -> None:
        self.reading, self.samples = Stream(task.epoch, READING), iter(())
        if task.place is not None and task.place["ended"]:  # where the dataset begins anew
            return
        with self.reading:
            if task.place is not None:
                self.dataset.load_state_dict(task.place["dataset"])
                set_plain_state(self.reading.generator, task.place["draws"])
            self.samples = iter(self.dataset)
            for _ in islice(self.samples, task.skip):
                pass


def _named(indices: Any) -> str:
    if indices is None:
        return ""
    if not isinstance(indices, list):
        return f", sample {indices}"
    names = ", ".join(map(str, indices[:8]))
    return f", samples {names}{', …' if len(indices) > 8 else ''}"
