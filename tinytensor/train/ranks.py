"""Ranks: what a training asks of the other processes that train the same model."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

import numpy as np

from .. import distributed
from ..distributed.sampler import is_share
from ..nn import Module
from ..tensors.tensor import Tensor


class Alone:
    """One process: what it has is all that there is."""

    rank, size = 0, 1

    def bare(self, model: Module) -> Module:
        """The model without what reduces its gradients: of the same weights."""
        return model

    def each(self, *numbers: float) -> np.ndarray:
        """These numbers of every rank: (ranks, numbers), float64."""
        return np.array([numbers], np.float64)

    def gathered(self, item: Any) -> list[Any]:
        """The ``item`` of every rank."""
        return [item]

    def told(self, item: Any) -> Any:
        """The ``item`` of rank 0."""
        return item

    def barrier(self) -> None:
        """Wait for all ranks."""

    def quiet(self, model: Module) -> AbstractContextManager[Any]:
        """Within it, gradients are added up on each rank alone."""
        return nullcontext()

    def share(self, batches: Iterable[Any]) -> Iterable[Any]:
        """The batches that this rank judges the model by."""
        return batches

    def level(self, model: Module) -> None:
        """Give all ranks the buffers of rank 0."""


class Together(Alone):
    """The ranks of a model that is `DistributedDataParallel`."""

    def __init__(self, model: distributed.DistributedDataParallel) -> None:
        self.group = model.group
        self.rank, self.size = self.group.rank, self.group.size

    def bare(self, model: Any) -> Module:
        return model.module

    def each(self, *numbers: float) -> np.ndarray:
        own = np.array(numbers, np.float64)
        return distributed.all_gather(own, group=self.group).numpy()

    def gathered(self, item: Any) -> list[Any]:
        return distributed.all_gather_object(item, group=self.group)

    def told(self, item: Any) -> Any:
        return distributed.broadcast_object(item, group=self.group)

    def barrier(self) -> None:
        distributed.barrier(group=self.group)

    def quiet(self, model: Any) -> AbstractContextManager[Any]:
        return model.no_sync()

    def share(self, batches: Iterable[Any]) -> Iterable[Any]:
        if is_share(batches):
            return batches
        return islice(batches, self.rank, None, self.size)

    def level(self, model: Module) -> None:
        for buffer in self.bare(model).buffers():
            distributed.broadcast(buffer, group=self.group)


def ranks_of(model: Module) -> Alone:
    """Who trains a model."""
    if isinstance(model, distributed.DistributedDataParallel):
        return Together(model)
    return Alone()


def mark_of(batch: Any, mark: int = 0) -> int:
    """A checksum of the arrays in a batch."""
    if isinstance(batch, dict):
        batch = [*batch.values()]
    if isinstance(batch, list | tuple):
        for part in batch:
            mark = mark_of(part, mark)
        return mark
    if isinstance(batch, Tensor):
        batch = batch.value
    data = (
        np.ascontiguousarray(batch).reshape(-1).view(np.uint8).data
        if isinstance(batch, np.ndarray)
        else repr(batch).encode("utf-8", "backslashreplace")
    )
    return zlib.crc32(data, mark)
