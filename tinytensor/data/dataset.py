"""Datasets: samples by index or one after another, and how datasets are put together and split."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, count
from types import GenericAlias
from typing import Any, Protocol

import numpy as np

from ..errors import ShapeError, a_kind_of, with_article
from ..random import seeded
from ..tensors.tensor import Tensor, as_array
from .collate import collate


class Samples(Protocol):
    """What can be loaded from: a list, an array, a dataset, anything with samples by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Dataset:
    """Samples by index. A subclass defines ``__getitem__`` and ``__len__``.

    Where a whole batch is had more cheaply than sample by sample, it defines ``batch`` as well.
    Iteration ends after ``len(self)`` samples; without a length, at an IndexError. ``a + b`` is the
    `ConcatDataset` of both.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares().batch([1, 2])
    (tensor([1, 2]), tensor([1, 4]))
    >>> list(Squares())
    [(0, 0), (1, 1), (2, 4)]
    >>> len(Squares() + Squares())
    6
    """

    __class_getitem__: Any = classmethod(GenericAlias)  # Dataset[Sample], for readers

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} does not define __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __iter__(self) -> Iterator[Any]:
        if type(self).__len__ is not Dataset.__len__:
            yield from map(self.__getitem__, range(len(self)))
            return
        for index in count():
            try:
                sample = self[index]
            except IndexError:
                return
            yield sample

    def __add__(self, other: Samples) -> ConcatDataset:
        return ConcatDataset([self, other])

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The samples at ``indices``, collated."""
        return collate(samples_at(self, indices))


class IterableDataset:
    """Samples one after another, from ``__iter__``: a stream, which need not have a length.

    A loader reads it with one worker, whatever the number of its workers: nothing comes twice, and
    the batches are the same for any number. ``a + b`` is the `ChainDataset` of both.

    A long stream that is to go on in the middle defines ``state_dict()``, the place after the
    sample that it gave last, and ``load_state_dict(state)``, after which ``__iter__`` goes on from
    there. Without them a loader that resumes reads from the start what it had given.

    >>> class Lines(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(["a", "b"])
    >>> list(Lines() + Lines())
    ['a', 'b', 'a', 'b']
    """

    __class_getitem__: Any = classmethod(GenericAlias)

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __add__(self, other: Iterable[Any]) -> ChainDataset:
        return ChainDataset([self, other])


def samples_at(dataset: Samples, indices: Sequence[int] | np.ndarray) -> list[Any]:
    """The samples at ``indices``; an error carries a note of the one that it came with.

    A dataset that fetches several together has a method ``__getitems__``, as PyTorch calls it.
    """
    if (together := getattr(dataset, "__getitems__", None)) is not None:
        return list(together([int(i) for i in indices]))
    index, found = -1, []
    try:
        for index in map(int, indices):
            found.append(dataset[index])
    except Exception as error:
        error.add_note(f"in sample {index} of {with_article(type(dataset).__name__)}")
        raise
    return found


def batch_of(dataset: Samples, indices: Sequence[int] | np.ndarray) -> Any:
    """The samples of any object at ``indices``, collated."""
    if isinstance(dataset, Dataset):
        return dataset.batch(indices)
    return collate(samples_at(dataset, indices))


def check_samples(owner: str, dataset: Any) -> None:
    """Raise TypeError unless ``dataset`` has samples by index."""
    lacks = [name for name in ("__len__", "__getitem__") if not hasattr(type(dataset), name)]
    if lacks:
        kind = a_kind_of(dataset)
        raise TypeError(f"{owner}: dataset is {kind}, which does not have {' and '.join(lacks)}")
    if isinstance(dataset, Mapping) and not all(i in dataset for i in range(len(dataset))):
        raise TypeError(
            f"{owner}: dataset is {a_kind_of(dataset)} whose keys are not the numbers from 0 on;"
            " pass its values in a list, or TensorDataset(*values) if they are arrays of one length"
        )


def within(owner: str, index: int, length: int) -> int:
    """``index`` counted from the start. Raises IndexError outside of ``length`` samples."""
    if not -length <= index < length:
        raise IndexError(f"{owner}: index {index} of {length} samples")
    return index % length


class TensorDataset(Dataset):
    """Arrays of the same length; sample i is the tuple of their i-th elements.

    ``transform`` is applied to batches of the first array, each time they are drawn: for
    augmentation, or to make floats of stored bytes.

    >>> dataset = TensorDataset(np.arange(6.0).reshape(3, 2), [7, 8, 9])
    >>> dataset[1]
    (tensor([2., 3.], dtype=float64), tensor(8))
    """

    def __init__(self, *arrays: Any, transform: Callable[[np.ndarray], Any] | None = None) -> None:
        self.arrays = tuple(as_array(array) for array in arrays)
        self.transform = transform
        shapes = [array.shape for array in self.arrays]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(f"TensorDataset: arrays must have one length, not shapes {shapes}")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The arrays as tensors on the same memory, without ``transform``."""
        return tuple(Tensor(array) for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        within("TensorDataset", index, len(self))
        return tuple(Tensor(field.numpy()[0, ...]) for field in self.batch([index]))

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, ...]:
        fields = [array[np.asarray(indices, np.intp)] for array in self.arrays]
        if self.transform is not None:
            fields[0] = self.transform(fields[0])
        return tuple(Tensor(field) for field in fields)


class Subset(Dataset):
    """The samples of ``dataset`` at ``indices``."""

    def __init__(self, dataset: Samples, indices: Sequence[int] | np.ndarray) -> None:
        check_samples("Subset", dataset)
        self.dataset = dataset
        self.indices = np.asarray(indices, np.intp)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        return batch_of(self.dataset, self.indices[np.asarray(indices, np.intp)])


class ConcatDataset(Dataset):
    """The samples of several datasets, one after the other. Raises ValueError for none.

    >>> both = ConcatDataset(["abc", "de"])
    >>> len(both), both[3], both[-1]
    (5, 'd', 'e')
    """

    def __init__(self, datasets: Iterable[Samples]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: there are no datasets")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise TypeError("ConcatDataset: an IterableDataset has no indices: ChainDataset")
            check_samples("ConcatDataset", dataset)
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        index = within("ConcatDataset", index, len(self))
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - ([0, *self.cumulative_sizes][which])]


class ChainDataset(IterableDataset):
    """The samples of several iterables, one after the other.

    >>> list(ChainDataset(["ab", range(2)]))
    ['a', 'b', 0, 1]
    """

    def __init__(self, datasets: Iterable[Iterable[Any]]) -> None:
        self.datasets = list(datasets)
        for dataset in self.datasets:
            if not isinstance(dataset, Iterable):
                raise TypeError(f"ChainDataset: {a_kind_of(dataset)} cannot be iterated over")

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        sized: Any = self.datasets
        return sum(map(len, sized))


class StackDataset(Dataset):
    """Datasets of one length side by side: tuples of their samples, or dicts where they have names.

    >>> StackDataset([1, 2], "ab")[1]
    (2, 'b')
    >>> StackDataset(x=[1, 2], y="ab").batch([1, 0])
    {'x': tensor([2, 1]), 'y': ['b', 'a']}
    """

    def __init__(self, *datasets: Samples, **named: Samples) -> None:
        if bool(datasets) == bool(named):
            raise ValueError("StackDataset: needs datasets either by place or by name")
        self.datasets: Any = named or datasets
        for dataset in (*datasets, *named.values()):
            check_samples("StackDataset", dataset)
        lengths = [len(dataset) for dataset in (*datasets, *named.values())]
        if len(set(lengths)) > 1:
            raise ShapeError(f"StackDataset: datasets must have one length, not {lengths}")
        self._length = lengths[0]

    def __len__(self) -> int:
        return self._length

    def _of_each(self, get: Callable[[Samples], Any]) -> Any:
        if isinstance(self.datasets, dict):
            return {name: get(dataset) for name, dataset in self.datasets.items()}
        return tuple(get(dataset) for dataset in self.datasets)

    def __getitem__(self, index: int) -> Any:
        return self._of_each(lambda dataset: dataset[index])

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        return self._of_each(lambda dataset: batch_of(dataset, indices))


def random_split(
    dataset: Samples,
    lengths: Sequence[float],
    generator: np.random.Generator | int | None = None,
) -> list[Subset]:
    """Split ``dataset`` at random into parts that do not overlap.

    ``lengths`` are counts that sum to ``len(dataset)``, or fractions that sum to 1 (what rounding
    down leaves over goes to the first parts, one each).

    >>> dataset = TensorDataset(np.arange(10))
    >>> [len(part) for part in random_split(dataset, [0.75, 0.25], generator=0)]
    [8, 2]
    """
    check_samples("random_split", dataset)
    total = len(dataset)
    if all(0 <= n <= 1 for n in lengths) and abs(sum(lengths) - 1) < 1e-6 and total != 1:
        counts = [int(total * fraction) for fraction in lengths]
        for i in range(total - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(n) for n in lengths]
    if counts != list(lengths) and all(n > 1 for n in lengths):
        raise ValueError(f"random_split: lengths must be whole numbers or fractions: {lengths}")
    if sum(counts) != total or min(counts, default=0) < 0:
        raise ValueError(f"random_split: lengths {list(lengths)} do not split {total} samples")
    order = seeded(generator).permutation(total)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]
