"""DataLoader: a dataset in batches, in order or shuffled, loaded ahead by threads or processes."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from types import GenericAlias
from typing import Any, Literal

import numpy as np

from ..errors import a_kind_of
from ..random import Stream, draw_key, seeded
from .dataset import IterableDataset, Samples, check_samples
from .loading import END, SAMPLER, Loading, Task, Worker, WorkerInfo
from .samplers import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    check_count,
    load_sampler_state,
    plain_state,
    sampler_state,
    set_plain_state,
)
from .workers import Inline, Pool

Kind = Literal["threads", "processes"]


@dataclass
class _Place:
    """Where an epoch is: its key, the sampler's state at its start, and what was given out."""

    epoch: int
    sampler: Any
    batches: int = 0
    samples: int = 0  # of an iterable
    stream: Any = None  # an iterable's own place


class DataLoader:
    """Iterate over ``dataset`` in batches of ``batch_size``, in a new order each time if shuffled.

    ``dataset`` is any object with ``__len__`` and ``__getitem__`` (a `Dataset`, a list, an array),
    or an `IterableDataset`. The order is that of ``sampler`` (any iterable of indices; ``shuffle``
    stands for a `RandomSampler`) or ``batch_sampler`` (of lists of them). ``drop_last`` leaves out
    a last batch that is not full; ``batch_size=None`` gives samples, not batches. ``collate`` makes
    a batch of a list of samples, under PyTorch's name ``collate_fn`` too; without one a `Dataset`'s
    own ``batch`` does, or `tinytensor.data.collate`. ``transform`` is applied to each batch.

    ``num_workers`` threads load ahead, ``prefetch_factor`` (2) batches each; the kernels and
    NumPy's release the GIL, so they overlap with training. ``workers="processes"``, or a
    ``multiprocessing_context``, is for a dataset that is Python code above all, or not safe in
    threads. ``worker_init_fn(number)`` is called in each at its start. ``persistent_workers``
    outlive the epoch. After ``timeout`` seconds (0: never) without a batch, it is an error.
    ``in_order=False`` gives batches as they are done. ``pin_memory`` is for devices, and warns.

    ``generator`` (a NumPy generator or a seed; otherwise that of ``tt.manual_seed``) draws a key
    for each epoch. All draws that name no generator, of samplers, datasets and transforms, then
    depend on this key and the number of the batch: they are the same for any number of workers of
    either kind. (Python's and NumPy's own generators are seeded so in processes alone.)

    ``state_dict()`` is plain data, which ``tt.save`` can write: the epoch, and how many of its
    batches were given out. After ``load_state_dict`` the next iteration gives the rest.

    What is raised in a worker is raised here, with the worker's traceback and notes of the sample
    and the batch. Raises RuntimeError if a process dies, or at the timeout.

    >>> from tinytensor.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # DataLoader[Batch], for readers

    def __init__(
        self,
        dataset: Samples | IterableDataset,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: np.random.Generator | int | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        workers: Kind | None = None,
        collate: Callable[[Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        collate = collate_fn if collate is None else collate
        for name, function in (
            ("collate", collate),
            ("transform", transform),
            ("worker_init_fn", worker_init_fn),
        ):
            if function is not None and not callable(function):
                raise TypeError(f"DataLoader: {name} is {a_kind_of(function)}, not a function")
        if workers not in (None, "threads", "processes"):
            raise ValueError(
                f"DataLoader: workers must be 'threads' or 'processes', not {workers!r}"
            )
        if workers == "threads" and multiprocessing_context is not None:
            raise ValueError("DataLoader: threads have no multiprocessing_context")
        check_count("DataLoader", "num_workers", num_workers, least=0)
        if not num_workers:
            for name, given in (
                ("prefetch_factor", prefetch_factor is not None),
                ("persistent_workers", persistent_workers),
                ("timeout", timeout),
                ("multiprocessing_context", multiprocessing_context is not None),
            ):
                if given:
                    raise ValueError(f"DataLoader: {name} is for workers, and num_workers is 0")
        if prefetch_factor is not None:
            check_count("DataLoader", "prefetch_factor", prefetch_factor)
        if not isinstance(timeout, int | float | np.number) or not timeout >= 0:
            raise ValueError(f"DataLoader: timeout must be at least 0 s, not {timeout!r}")
        if batch_size is not None:
            check_count("DataLoader", "batch_size", batch_size)
        if pin_memory or pin_memory_device:
            what = "DataLoader: pin_memory has no effect: there is only the device 'cpu'"
            warnings.warn(what, stacklevel=2)

        self.dataset = dataset
        self.batch_size, self.drop_last = batch_size, drop_last
        self.shuffle = bool(shuffle)
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.pin_memory = persistent_workers, pin_memory
        self.in_order, self.transform, self.collate = in_order, transform, collate
        self.multiprocessing_context = multiprocessing_context
        self.workers: Kind = workers or (
            "threads" if multiprocessing_context is None else "processes"
        )
        self.generator = None if generator is None else seeded(generator)
        self.sampler: Any = None
        self.batch_sampler: Any = None
        self._set_samplers(shuffle, sampler, batch_sampler)
        self._idle: Pool | None = None  # workers that persist, between two epochs
        self._place: _Place | None = None  # of the iteration that began last, until its end
        self._resumed: _Place | None = None  # where the next one begins

    def _set_samplers(self, shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
        """Check what excludes one another, and fill in ``sampler`` and ``batch_sampler``."""
        if isinstance(self.dataset, IterableDataset):
            for name, given in (
                ("shuffle", shuffle),
                ("sampler", sampler is not None),
                ("batch_sampler", batch_sampler is not None),
            ):
                if given:
                    raise ValueError(f"DataLoader: an IterableDataset has its own order, no {name}")
            return
        check_samples("DataLoader", self.dataset)
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler and shuffle exclude each other")
        if batch_sampler is not None:
            if sampler is not None or shuffle or self.drop_last or self.batch_size != 1:
                raise ValueError(
                    "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last"
                )
            self.batch_size, self.batch_sampler = None, batch_sampler
        if self.batch_size is None and self.drop_last:
            raise ValueError("DataLoader: drop_last is for batches, and batch_size is None")
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            if given is not None and not isinstance(given, Iterable):
                raise TypeError(f"DataLoader: {name} is {a_kind_of(given)}, which is no iterable")
        if sampler is None:
            sampler = (RandomSampler if shuffle else SequentialSampler)(self.dataset)
        self.sampler = sampler
        if self.batch_size is not None:
            self.batch_sampler = BatchSampler(sampler, self.batch_size, self.drop_last)

    @property
    def collate_fn(self) -> Callable[[Any], Any] | None:
        """``collate``, as PyTorch calls it."""
        return self.collate

    def __len__(self) -> int:
        """The number of batches. Raises TypeError where dataset or sampler has no length."""
        if self._order is not None:
            return len(self._order)
        size = self.batch_size or 1
        full, rest = divmod(len(self.dataset), size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)

    @property
    def _order(self) -> Any:
        """What the tasks are made of: batches of indices, or indices; None for an iterable."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    # --- Iterating ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        place, self._resumed = self._resumed, None
        if place is None:
            place = _Place(draw_key(self.generator), sampler_state(self._order))
        else:
            load_sampler_state(self._order, place.sampler)
        self._place = place
        return self._batches(place)

    def _batches(self, place: _Place) -> Iterator[Any]:
        tasks = self._tasks(place)
        results = self._ahead(tasks, place) if self.num_workers else self._now(tasks)
        try:
            for batch in results:
                if isinstance(self.dataset, IterableDataset):
                    batch, place.stream = batch
                    if isinstance(batch, str) and batch == END:
                        break
                    place.samples += self.batch_size or 1
                place.batches += 1
                yield batch
        finally:
            results.close()
        if self._place is place:
            self._place = None

    def _tasks(self, place: _Place) -> Iterator[Task]:
        """What is still to be done of an epoch."""
        done = place.batches
        if self._order is None:
            first = Task(place.epoch, done, None, True, place.samples, place.stream)
            if place.stream is not None:
                first.skip = 0
            yield first
            yield from (Task(place.epoch, number) for number in count(done + 1))
        draws = Stream(place.epoch, SAMPLER)
        with draws:
            order = islice(iter(self._order), done, None)
        for number in count(done):
            with draws:  # at each, as a sampler may draw when it is asked
                indices = next(order, None)
            if indices is None:
                return
            if self.batch_sampler is not None:
                indices = [*indices]
            yield Task(place.epoch, number, indices)

    def _loading(self) -> Loading:
        batched = self.batch_size is not None or self.batch_sampler is not None
        how = self.batch_size or 1, self.drop_last, self.collate, self.transform
        return Loading(self.dataset, batched, *how)

    def _now(self, tasks: Iterator[Task]) -> Any:
        """Results one by one, each when it is asked for."""
        loading = self._loading()
        for task in tasks:
            yield loading(task)

    def _ahead(self, tasks: Iterator[Task], place: _Place) -> Any:
        """Results that workers load ahead."""
        assert self.prefetch_factor is not None
        pool, self._idle = self._idle, None
        if pool is None:
            pool = self._pool(place)
        kept = False
        try:
            pending: deque[int] = deque()
            for task in islice(tasks, self.num_workers * self.prefetch_factor):
                pending.append(pool.submit(task))
            while pending:
                asked = [pending[0]] if self.in_order else [*pending]
                ticket, result = pool.take(asked, self.timeout or None)
                pending.remove(ticket)
                for task in islice(tasks, 1):
                    pending.append(pool.submit(task))
                yield result
            kept = self.persistent_workers
        except GeneratorExit:  # left early
            kept = self.persistent_workers
            raise
        finally:
            if kept and self._idle is None:
                pool.forget()
                self._idle = pool
            else:
                pool.stop()

    def _pool(self, place: _Place) -> Pool:
        """New workers. One reads an iterable, so that nothing is read twice."""
        number = 1 if isinstance(self.dataset, IterableDataset) else self.num_workers
        kind = "thread" if self.workers == "threads" else "process"
        staff = [
            Worker(
                WorkerInfo(i, number, (place.epoch + i) % 2**63, self.dataset),
                self.worker_init_fn,
                kind,
            )
            for i in range(number)
        ]
        asked: list[Any] = []
        for worker in staff:
            if kind == "thread":
                asked.append(Inline(worker, self._loading()))
            else:
                from .processes import Remote  # late: multiprocessing

                context = self.multiprocessing_context
                asked.append(Remote(worker, self._loading(), context, asked))
        return Pool(asked, staff)

    # --- States ------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The place in the data: of the iteration that began last, unless it came to its end."""
        place = self._place if self._resumed is None else self._resumed
        own = None if self.generator is None else plain_state(self.generator)
        state = {"batch_size": self.batch_size, "length": self._length(), "generator": own}
        if place is None:
            return {**state, "epoch": None, "sampler": sampler_state(self._order)}
        if self.num_workers and not self.in_order:
            raise RuntimeError("DataLoader: without in_order, an epoch has no place to go on from")
        return {
            **state,
            "epoch": place.epoch,
            "sampler": place.sampler,
            "batches": place.batches,
            "samples": place.samples,
            "stream": place.stream,
        }

    def _length(self) -> int | None:
        try:
            return len(self)
        except TypeError:
            return None

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Begin the next iteration at the place that ``state_dict`` told.

        In the middle of an epoch that is its next batch; at its end, but still within the loop, an
        iteration without batches; between two epochs the next one. Raises ValueError for a state of
        a loader with another batch size, number of batches or generator.
        """
        try:
            length = state["length"]
            size, own, epoch = state["batch_size"], state["generator"], state["epoch"]
            place = None
            if epoch is not None:
                batches, samples = state["batches"], state["samples"]
                place = _Place(epoch, state["sampler"], batches, samples, state["stream"])
            sampler = state["sampler"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"DataLoader: this is no state of a loader: {error!r}") from error
        if size != self.batch_size:
            raise ValueError(
                f"DataLoader: the state is of batches of {size}, but batch_size is"
                f" {self.batch_size}"
            )
        if length != self._length():
            raise ValueError(
                f"DataLoader: the state is of {length} batches, and here are {self._length()}"
            )
        if (own is None) != (self.generator is None):
            raise ValueError("DataLoader: a generator was given here or there, and not in both")
        if self.generator is not None:
            set_plain_state(self.generator, own)
        load_sampler_state(self._order, sampler)
        self._place, self._resumed = None, place
