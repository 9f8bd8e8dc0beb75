"""Samplers: in which order the samples of a dataset are drawn.

A sampler without a generator draws from the default one, which a `DataLoader` replaces by one of
the epoch's own. One with a generator has a ``state_dict``, which is part of the loader's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from types import GenericAlias
from typing import Any

import numpy as np

from ..errors import ShapeError, a_kind_of
from ..random import resolve, seeded
from ..tensors.tensor import as_array

Generator = np.random.Generator | int | None


def check_count(owner: str, name: str, value: Any, least: int = 1) -> int:
    """``value``, which must be a whole number of at least ``least``. Raises ValueError."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, not {value!r}")
    return int(value)


class Sampler:
    """An order of indices: a subclass defines ``__iter__``, and ``__len__`` where it is known."""

    __class_getitem__: Any = classmethod(GenericAlias)  # Sampler[int], for readers

    def __init__(self, data_source: Any = None, generator: Generator = None) -> None:
        self.generator = None if generator is None else seeded(generator)

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def state_dict(self) -> dict[str, Any]:
        """What the next iteration depends on, as plain data."""
        return {} if self.generator is None else {"generator": plain_state(self.generator)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``state_dict`` gave. Raises ValueError for any other."""
        if (self.generator is None) != ("generator" not in state):
            raise ValueError(f"{type(self).__name__}: the state is of a sampler with other draws")
        if self.generator is not None:
            set_plain_state(self.generator, state["generator"])


class SequentialSampler(Sampler):
    """0, 1, … in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        super().__init__()
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))


class RandomSampler(Sampler):
    """All indices in random order, or ``num_samples`` of them.

    Without replacement, more samples than there are begin one more order; with ``replacement`` each
    is drawn from all.

    >>> sorted(RandomSampler("abc", generator=0))
    [0, 1, 2]
    >>> len(list(RandomSampler("abc", replacement=True, num_samples=5, generator=0)))
    5
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator = None,
    ) -> None:
        super().__init__(generator=generator)
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be a bool, not {replacement!r}")
        if num_samples is not None:
            check_count("RandomSampler", "num_samples", num_samples)
        self.data_source, self.replacement, self._num_samples = (
            data_source,
            replacement,
            num_samples,
        )

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        draw, total, left = resolve(self.generator), len(self.data_source), self.num_samples
        if left and not total:
            raise ValueError(f"RandomSampler: there are no samples, of which to draw {left}")
        if self.replacement:
            yield from draw.integers(total, size=left).tolist() if left else ()
            return
        while left:
            order = draw.permutation(total)[:left].tolist()
            left -= len(order)
            yield from order


class SubsetRandomSampler(Sampler):
    """The given indices in random order.

    >>> sorted(SubsetRandomSampler([5, 7], generator=0))
    [5, 7]
    """

    def __init__(self, indices: Sequence[int] | np.ndarray, generator: Generator = None) -> None:
        super().__init__(generator=generator)
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        order = resolve(self.generator).permutation(len(self.indices))
        return (self.indices[i] for i in order.tolist())


class WeightedRandomSampler(Sampler):
    """``num_samples`` indices below ``len(weights)``, each drawn in proportion to its weight.

    The weights need not sum to 1. Without ``replacement`` an index comes once at most, and an index
    of weight 0 never. Raises ValueError for weights that are negative, not finite, or all 0.

    >>> list(WeightedRandomSampler([0, 2, 0], 3, generator=0))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator = None,
    ) -> None:
        super().__init__(generator=generator)
        owner = "WeightedRandomSampler"
        self.num_samples = check_count(owner, "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise TypeError(f"{owner}: replacement must be a bool, not {replacement!r}")
        self.weights, self.replacement = as_array(weights).astype(np.float64), replacement
        if self.weights.ndim != 1:
            raise ShapeError(f"{owner}: weights must be (N,), not {self.weights.shape}")
        if not (np.isfinite(self.weights).all() and (self.weights >= 0).all()):
            raise ValueError(f"{owner}: weights must be finite and at least 0")
        positive = np.count_nonzero(self.weights)
        if not positive or (not replacement and positive < num_samples):
            raise ValueError(f"{owner}: {positive} weights above 0 for {num_samples} samples")

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        draw = resolve(self.generator)
        shares = self.weights / self.weights.sum()
        if self.replacement:
            return iter(draw.choice(len(shares), self.num_samples, p=shares).tolist())
        # The least of exponential times of these rates come in the order of such draws.
        # Source: P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", 2006.
        with np.errstate(divide="ignore"):
            times = draw.standard_exponential(len(shares)) / shares
        return iter(np.argsort(times, kind="stable")[: self.num_samples].tolist())


class BatchSampler(Sampler):
    """Lists of ``batch_size`` indices of another sampler; the last may be shorter, or is dropped.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        super().__init__()
        self.batch_size = check_count("BatchSampler", "batch_size", batch_size)
        if not isinstance(sampler, Iterable):
            raise TypeError(f"BatchSampler: sampler is {a_kind_of(sampler)}, no iterable")
        if not isinstance(drop_last, bool):
            raise TypeError(f"BatchSampler: drop_last must be a bool, not {drop_last!r}")
        self.sampler, self.drop_last = sampler, drop_last

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def state_dict(self) -> dict[str, Any]:
        return sampler_state(self.sampler)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        load_sampler_state(self.sampler, state)


class DistributedSampler(Sampler):
    """The share of process ``rank`` of ``num_replicas`` processes that train together.

    Every ``num_replicas``-th index from ``rank`` on, of an order that all processes have in common:
    that of ``seed`` and of the epoch, which ``set_epoch`` tells before each; unshuffled, 0, 1, ….
    So that all get the same number, the first indices are appended again, or with ``drop_last`` the
    last ones are left out.

    >>> [list(DistributedSampler("abc", 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2], [1, 0]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        super().__init__()
        owner = "DistributedSampler"
        if num_replicas is None or rank is None:
            raise ValueError(
                f"{owner}: pass num_replicas and rank; tt.distributed.{owner} knows them of ranks"
            )
        self.num_replicas = check_count(owner, "num_replicas", num_replicas)
        self.rank = check_count(owner, "rank", rank, least=0)
        if rank >= num_replicas:
            raise ValueError(f"{owner}: rank {rank} is not below num_replicas {num_replicas}")
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, shuffle, seed, drop_last
        self.epoch = 0

    @property
    def num_samples(self) -> int:
        total = len(self.dataset)
        return total // self.num_replicas if self.drop_last else -(-total // self.num_replicas)

    @property
    def total_size(self) -> int:
        return self.num_samples * self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Tell the epoch, of which the order is then."""
        self.epoch = check_count("DistributedSampler", "epoch", epoch, least=0)

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        total = len(self.dataset)
        if self.shuffle:
            order = seeded(self.seed + self.epoch).permutation(total)
        else:
            order = np.arange(total)
        return iter(np.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist())

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.set_epoch(state["epoch"])


# --- States, as plain data -------------------------------------------------------------------


def plain_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a generator in dicts, lists, strings and numbers, which any format can hold."""

    def plain(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: plain(value) for key, value in item.items()}
        return item.tolist() if isinstance(item, np.ndarray | np.generic) else item

    return plain(generator.bit_generator.state)


def set_plain_state(generator: np.random.Generator, state: Any) -> None:
    """Put a generator to a state of `plain_state`. Raises ValueError for one of another kind."""
    now: Any = generator.bit_generator.state

    def like(old: Any, new: Any) -> Any:
        if isinstance(old, dict):
            if not isinstance(new, dict) or old.keys() != new.keys():
                raise ValueError
            return {key: like(old[key], new[key]) for key in old}
        return np.array(new, old.dtype).reshape(old.shape) if isinstance(old, np.ndarray) else new

    try:
        generator.bit_generator.state = like(now, state)
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        kind = now["bit_generator"]
        raise ValueError(f"load_state_dict: the state is none of a generator {kind}") from error


def sampler_state(sampler: Any) -> Any:
    """The state of a sampler that has one; otherwise nothing."""
    return sampler.state_dict() if hasattr(sampler, "state_dict") else {}


def load_sampler_state(sampler: Any, state: Any) -> None:
    """Put a sampler to a state of `sampler_state`."""
    if hasattr(sampler, "load_state_dict"):
        sampler.load_state_dict(state)
