"""Samplers and batches of ranks: together they are those of one process with the joined batch.

One rule holds for all: of n ranks, rank r has the samples r, r + n, r + 2n, … of the joined order,
so of each joined batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from copy import copy
from typing import Any

import numpy as np

from ..data import samplers
from ..data.samplers import Sampler, check_count, load_sampler_state, sampler_state
from ..errors import a_kind_of
from ..tensors.tensor import Tensor
from .world import rank as rank_of_all
from .world import size as size_of_all


class DistributedSampler(samplers.DistributedSampler):
    """`data.DistributedSampler` of this rank among all of them, where nothing else is said.

    ``dataset`` is a dataset, or the number of its samples. Every ``num_replicas``-th index from
    ``rank`` on, of an order that all ranks have in common: that of ``seed`` and of the epoch, which
    ``set_epoch`` tells before each (`train.fit` does); unshuffled, 0, 1, …. So that all get the
    same number, the first indices are appended again, or with ``drop_last`` the last ones are left
    out. A batch of B samples on each of n ranks is together the batch of B n samples that one
    process gets for the same seed.

    >>> list(DistributedSampler(3, shuffle=False))
    [0, 1, 2]
    >>> [list(DistributedSampler(5, 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Sized | int,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if isinstance(dataset, int | np.integer):
            dataset = range(check_count("DistributedSampler", "dataset", dataset, least=0))
        super().__init__(dataset, *_place(num_replicas, rank), shuffle, seed, drop_last)


class DistributedBatchSampler(Sampler):
    """This rank's indices of each batch of ``batch_sampler``, which all ranks draw alike.

    For orders of batches, such as `text.LengthBuckets`: a joined batch keeps its samples, and each
    rank loads its own. The shares of a batch that n does not divide differ by one sample:
    `train.fit` weighs them so that the gradient is that of the joined batch. Of a batch with fewer
    samples than ranks, some come twice.

    Ranks draw alike if the batch sampler has a generator or a seed of its own. (Without one a
    `DataLoader` draws for it: let that have one.)

    >>> from tinytensor.data import BatchSampler
    >>> joined = BatchSampler(range(7), 4)
    >>> [list(DistributedBatchSampler(joined, 2, rank)) for rank in (0, 1)]
    [[[0, 2], [4, 6]], [[1, 3], [5]]]
    """

    def __init__(
        self,
        batch_sampler: Iterable[Any],
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(batch_sampler, Iterable):
            what = a_kind_of(batch_sampler)
            raise TypeError(f"DistributedBatchSampler: batch_sampler is {what}, no iterable")
        self.batch_sampler = batch_sampler
        self.num_replicas, self.rank = _checked("DistributedBatchSampler", num_replicas, rank)

    def __len__(self) -> int:
        return len(self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Any]]:
        for batch in self.batch_sampler:
            batch = [*batch]
            yield [batch[i] for i in _own(len(batch), self.num_replicas, self.rank)]

    def set_epoch(self, epoch: int) -> None:
        """Tell the batch sampler the epoch, if it asks for it."""
        _tell_epoch(self.batch_sampler, epoch)

    def state_dict(self) -> dict[str, Any]:
        return sampler_state(self.batch_sampler)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        load_sampler_state(self.batch_sampler, state)


class DistributedBatches:
    """This rank's share of each batch of ``batches``, which all ranks make alike.

    ``batches`` is a `DataLoader` or any other iterable of joined batches. Each rank makes them
    whole, then cuts: samples, augmentation and order are those of one process, to the bit, at the
    price of loading what is not used. (`DistributedSampler` loads its own share alone; draws of
    augmentation then are other ones.) A checkpoint of `train.fit` holds the place in the joined
    batches, so any number of ranks can go on from it.

    Arrays and tensors are cut along their first axis, in tuples, lists and dicts, if they are as
    long as the first of them; lists of numbers and texts too. Shares may differ by one sample, and
    of a batch with fewer samples than ranks some come twice, as in `DistributedBatchSampler`. (For
    batches that are lists of samples, such as pictures of many sizes, take that one, which cuts
    indices.) Other attributes are those of ``batches``.

    >>> joined = [(np.arange(5), np.arange(5) * 10)]
    >>> [batch[1].tolist() for rank in (0, 1) for batch in DistributedBatches(joined, 2, rank)]
    [[0, 20, 40], [10, 30]]
    """

    def __init__(
        self,
        batches: Iterable[Any],
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        if not isinstance(batches, Iterable):
            raise TypeError(f"DistributedBatches: batches is {a_kind_of(batches)}, no iterable")
        self.batches = batches
        self.num_replicas, self.rank = _checked("DistributedBatches", num_replicas, rank)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.batches)  # now: a loader's place is that of the iteration that began
        return (self._share(batch) for batch in batches)

    def __getattr__(self, name: str) -> Any:
        if name in ("batches", "__setstate__"):  # of an object that is being made
            raise AttributeError(name)
        return getattr(self.batches, name)

    def set_epoch(self, epoch: int) -> None:
        """Tell the loader, or its sampler, the epoch, if it asks for it."""
        for asked in (self.batches, *_samplers_of(self.batches)):
            _tell_epoch(asked, epoch)

    def _share(self, batch: Any) -> Any:
        if self.num_replicas == 1:
            return batch
        count = _samples(batch)
        if count is None:
            raise TypeError(
                f"DistributedBatches: a batch is {a_kind_of(batch)}, without an array to cut"
            )
        return _cut(batch, count, np.array(_own(count, self.num_replicas, self.rank), np.intp))


def _place(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """What was said, otherwise where this process stands."""
    return (
        size_of_all() if num_replicas is None else num_replicas,
        rank_of_all() if rank is None else rank,
    )


def _checked(owner: str, num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    size, place = _place(num_replicas, rank)
    check_count(owner, "num_replicas", size)
    check_count(owner, "rank", place, least=0)
    if place >= size:
        raise ValueError(f"{owner}: rank {place} is not below num_replicas {size}")
    return size, place


def _own(count: int, size: int, rank: int) -> list[int]:
    """The places of a batch of ``count`` that are of a rank; one at least, if there are any."""
    return [*range(rank, count, size)] or ([rank % count] if count else [])


def _samplers_of(loader: Any) -> list[Any]:
    """The samplers by which a loader orders its samples."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    found = [batch_sampler, getattr(batch_sampler, "sampler", None)]
    return [*found, getattr(loader, "sampler", None)]


def _tell_epoch(sampler: Any, epoch: int) -> None:
    if callable(getattr(sampler, "set_epoch", None)):
        sampler.set_epoch(epoch)


def is_share(loader: Any) -> bool:
    """Whether a loader gives a rank's own share of what all ranks together get."""
    return _sharing(loader) is not None


def _sharing(loader: Any) -> Any:
    parts = (loader, *_samplers_of(loader))
    return next((part for part in parts if hasattr(part, "num_replicas")), None)


def joined_order(loader: Any) -> Any:
    """What the order of the joined batches comes from, so far as it is known: the same on all
    ranks. None where nothing is."""
    sampler = _sharing(loader)
    if isinstance(sampler, samplers.DistributedSampler):
        names = ("seed", "epoch", "shuffle", "drop_last", "num_replicas", "num_samples")
        return [getattr(sampler, name) for name in names]
    joined = isinstance(sampler, DistributedBatches | DistributedBatchSampler)
    return loader.state_dict() if joined and hasattr(loader, "state_dict") else None


def set_epoch(loader: Any, epoch: int) -> None:
    """Tell a loader and its samplers the epoch, if they ask for it."""
    told: list[Any] = []
    for part in (loader, *_samplers_of(loader)):
        if not any(part is other for other in told):
            _tell_epoch(part, epoch)
            told.append(part)


# --- Cutting batches -------------------------------------------------------------------------


def _samples(batch: Any) -> int | None:
    """The length of the first array in a batch, None where there is none."""
    if isinstance(batch, Tensor | np.ndarray):
        return batch.shape[0] if batch.ndim else None
    if isinstance(batch, dict):
        batch = [*batch.values()]
    if not isinstance(batch, list | tuple):
        return None
    if batch and all(isinstance(item, str | bytes | int | float) for item in batch):
        return len(batch)
    return next((n for n in map(_samples, batch) if n is not None), None)


def _cut(part: Any, count: int, own: np.ndarray) -> Any:
    if isinstance(part, Tensor):
        return Tensor(_cut(part.numpy(), count, own)) if part.shape[:1] == (count,) else part
    if isinstance(part, np.ndarray):
        return part[own] if part.shape[:1] == (count,) else part
    if isinstance(part, dict):
        made = copy(part)  # a defaultdict, too, keeps what it is
        made.update((key, _cut(value, count, own)) for key, value in part.items())
        return made
    if isinstance(part, list | tuple):
        plain = all(isinstance(item, str | bytes | int | float) for item in part)
        if plain and len(part) == count:
            cut = [part[i] for i in own]
        else:
            cut = [_cut(item, count, own) for item in part]
        return type(part)(*cut) if hasattr(part, "_fields") else type(part)(cut)
    if part is None or isinstance(part, str | bytes | int | float | np.generic):
        return part
    raise TypeError(f"DistributedBatches: a batch holds {a_kind_of(part)}, which cannot be cut")
