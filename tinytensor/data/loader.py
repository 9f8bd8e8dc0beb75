"""DataLoader: a dataset in batches, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..random import seeded
from .dataset import Dataset


class DataLoader:
    """Iterate over ``dataset`` in batches of ``batch_size``, in a new order each time if shuffled.

    ``drop_last`` leaves out a last batch that is not full. ``generator`` (a NumPy generator or a
    seed; else that of ``tt.manual_seed``) draws the orders. ``collate`` makes a batch of a list of
    samples; without one the dataset's own ``batch`` does.

    >>> from tinytensor.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: np.random.Generator | int | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, not {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = seeded(generator)
        self.collate = collate

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        total = len(self.dataset)
        order = self.generator.permutation(total) if self.shuffle else np.arange(total)
        for i in range(len(self)):
            indices = order[i * self.batch_size : (i + 1) * self.batch_size]
            if self.collate is None:
                yield self.dataset.batch(indices)
            else:
                yield self.collate([self.dataset[int(j)] for j in indices])
