"""Datasets: samples by index, and the splitting of them into parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

import numpy as np

from .. import ops
from ..dtypes import is_array, promoted
from ..errors import ShapeError, a_kind_of
from ..ops.operands import holds_graph
from ..random import seeded
from ..tensors.tensor import Tensor, as_array


class Samples(Protocol):
    """What can be loaded from: a list, an array, a dataset, anything with samples by index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class Dataset:
    """Samples by index. A subclass defines ``__getitem__`` and ``__len__``.

    Where a whole batch is had more cheaply than sample by sample, it defines ``batch`` as well.
    Iteration ends after ``len(self)`` samples; without a length, at an IndexError.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares().batch([1, 2])
    (tensor([1, 2]), tensor([1, 4]))
    >>> list(Squares())
    [(0, 0), (1, 1), (2, 4)]
    """

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

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The samples at ``indices``, collated."""
        return collate([self[int(i)] for i in indices])


def batch_of(dataset: Samples, indices: Sequence[int] | np.ndarray) -> Any:
    """The samples of any object at ``indices``, collated."""
    if isinstance(dataset, Dataset):
        return dataset.batch(indices)
    return collate([dataset[int(i)] for i in indices])


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


def collate(samples: Sequence[Any]) -> Any:
    """One batch of several samples: arrays and numbers stacked along a new first axis.

    Tuples, named ones too, lists and dicts become ones of the same kind, of batches, field by
    field. Strings and bytes become a list of them, and None stays None.

    Raises ShapeError where arrays of different shapes or containers of different lengths meet,
    ValueError where keys differ, TypeError for other things, or different ones; they name the
    field.

    >>> collate([{"x": (1.0, [2, 3]), "name": "a"}, {"x": (4.0, [5, 6]), "name": "b"}])
    {'x': (tensor([1., 4.]), [tensor([2, 5]), tensor([3, 6])]), 'name': ['a', 'b']}
    """
    samples = list(samples)
    if not samples:
        raise ValueError("collate: there are no samples")
    return _collated(samples, "sample")


def _kind(sample: Any) -> type:
    """How a sample is collated; arrays, and whatever else may become one, are ``object``."""
    kinds = (Mapping, tuple, list, str, bytes, type(None), object)
    return next(kind for kind in kinds if isinstance(sample, kind))


def _collated(samples: list[Any], where: str) -> Any:
    first, kind = samples[0], _kind(samples[0])
    if any(_kind(sample) is not kind for sample in samples):
        raise TypeError(f"collate: {where} is of different types: {_types(samples)}")
    if kind is object:
        return _stacked(samples, where)
    if kind is type(None):
        return None
    if kind in (str, bytes):
        return samples
    if kind is Mapping:
        if any(sample.keys() != first.keys() for sample in samples):
            found = sorted({", ".join(map(repr, sample)) for sample in samples})
            raise ValueError(f"collate: {where} has different keys: {'; '.join(found)}")
        return {
            key: _collated([sample[key] for sample in samples], f"{where}[{key!r}]")
            for key in first
        }
    if len(lengths := {len(sample) for sample in samples}) > 1:
        raise ShapeError(
            f"collate: {where} has different lengths: {sorted(lengths)}, and a {kind.__name__} is"
            " collated item by item; an array would be stacked"
        )
    columns = zip(*samples, strict=True)
    fields = [_collated(list(column), f"{where}[{i}]") for i, column in enumerate(columns)]
    if hasattr(first, "_fields"):  # a named tuple
        return type(first)(*fields)
    return tuple(fields) if kind is tuple else fields


def _stacked(samples: list[Any], where: str) -> Tensor:
    """Samples as one batch: numbers as in a list, arrays of several dtypes as ops promote them, and
    tensors of a graph in it."""
    try:
        if not any(hasattr(sample, "__len__") or is_array(sample) for sample in samples):
            return Tensor(as_array(samples))
        arrays = [as_array(sample) for sample in samples]
    except TypeError as error:
        raise TypeError(
            f"collate: {where} is of {_types(samples)}, which cannot be stacked; give DataLoader a"
            f" collate of your own ({error})"
        ) from error
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"collate: {where} has different shapes: {sorted(shapes)}")
    if holds_graph(samples):
        return ops.stack(samples)
    dtypes = {array.dtype for array in arrays}
    return Tensor(np.stack(arrays).astype(promoted(dtypes) if len(dtypes) > 1 else arrays[0].dtype))


def _types(samples: list[Any]) -> str:
    return " and ".join(sorted({type(sample).__name__ for sample in samples}))


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

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"TensorDataset: index {index} of {len(self)} samples")
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
