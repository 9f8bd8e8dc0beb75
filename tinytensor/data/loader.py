"""DataLoader: a dataset in batches, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import a_kind_of
from ..random import seeded
from .dataset import Samples, batch_of, check_samples


class DataLoader:
    """Iterate over ``dataset`` in batches of ``batch_size``, in a new order each time if shuffled.

    ``dataset`` is any object with ``__len__`` and ``__getitem__``: a `Dataset`, a list, an array.
    ``drop_last`` leaves out a last batch that is not full. ``generator`` (a NumPy generator or a
    seed; otherwise that of ``tt.manual_seed``) draws the orders. ``collate`` makes a batch of a
    list of samples, under PyTorch's name ``collate_fn`` too; without one a `Dataset`'s own
    ``batch`` does, or `tinytensor.data.collate`.

    >>> from tinytensor.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Samples,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: np.random.Generator | int | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
        *,
        collate_fn: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        collate = collate_fn if collate is None else collate
        check_samples("DataLoader", dataset)
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, not {batch_size!r}")
        if collate is not None and not callable(collate):
            raise TypeError(f"DataLoader: collate is {a_kind_of(collate)}, not a function")
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
                yield batch_of(self.dataset, indices)
            else:
                yield self.collate([self.dataset[int(j)] for j in indices])
