"""Datasets: samples by index, and the splitting of them into parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..random import seeded
from ..tensors.tensor import Tensor, as_array


class Dataset:
    """Samples by index. A subclass defines ``__len__`` and ``__getitem__``.

    Where a whole batch is had more cheaply than sample by sample, it defines ``batch`` as well.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 10
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares().batch([2, 3])
    (tensor([2, 3]), tensor([4, 9]))
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The samples at ``indices``, collated."""
        return collate([self[int(i)] for i in indices])


def collate(samples: Sequence[Any]) -> Any:
    """Stack samples along a new first axis: tuples, lists and dicts field by field.

    Raises ShapeError where arrays of different shapes meet.

    >>> collate([{"x": [1.0, 2.0], "y": 0}, {"x": [3.0, 4.0], "y": 1}])["y"]
    tensor([0, 1])
    """
    first = samples[0]
    if isinstance(first, dict):
        return {key: collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple):
        return tuple(collate(field) for field in zip(*samples, strict=True))
    arrays = [as_array(sample) for sample in samples]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"collate: samples of different shapes: {sorted(shapes)}")
    return Tensor(np.stack(arrays))


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
        return tuple(Tensor(field.numpy()[0]) for field in self.batch([index]))

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, ...]:
        fields = [array[np.asarray(indices, np.intp)] for array in self.arrays]
        if self.transform is not None:
            fields[0] = self.transform(fields[0])
        return tuple(Tensor(field) for field in fields)


class Subset(Dataset):
    """The samples of ``dataset`` at ``indices``."""

    def __init__(self, dataset: Dataset, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset = dataset
        self.indices = np.asarray(indices, np.intp)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: Sequence[int] | np.ndarray) -> Any:
        return self.dataset.batch(self.indices[np.asarray(indices, np.intp)])


def random_split(
    dataset: Dataset,
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
