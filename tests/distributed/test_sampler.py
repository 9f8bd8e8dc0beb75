"""Samplers and batches of ranks: what each gets, and what all of them get together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import data
from tinytensor.data import BatchSampler, DataLoader, RandomWindows, TensorDataset, Windows
from tinytensor.distributed import (
    DistributedBatches,
    DistributedBatchSampler,
    DistributedSampler,
)
from tinytensor.text import LengthBuckets

pytestmark = pytest.mark.no_c


def joined(shares):
    """The batches of all ranks in the order of the samples: r, r + n, …"""
    found = []
    for parts in zip(*shares, strict=True):
        longest = max(map(len, parts))
        found.append([part[i] for i in range(longest) for part in parts if i < len(part)])
    return found


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("total", [36, 43])
def test_ranks_together_have_the_batches_of_one(ranks, total):
    def batches(n, rank, drop_last):
        sampler = DistributedSampler(total, n, rank, seed=3, drop_last=drop_last)
        sampler.set_epoch(2)
        return list(BatchSampler(sampler, 12 // n, drop_last=True))

    for drop_last in (False, True):
        shares = [batches(ranks, rank, drop_last) for rank in range(ranks)]
        assert joined(shares) == batches(1, 0, drop_last)


def test_without_numbers_a_sampler_is_of_this_rank():
    sampler = DistributedSampler(5, shuffle=False)
    assert (sampler.num_replicas, sampler.rank, list(sampler)) == (1, 0, [0, 1, 2, 3, 4])
    assert isinstance(sampler, data.DistributedSampler)
    assert list(DistributedSampler("abc", 2, 1, shuffle=False)) == [1, 0]
    with pytest.raises(ValueError, match="rank 2 is not below num_replicas 2"):
        DistributedSampler(4, 2, 2)
    with pytest.raises(ValueError, match="dataset must be at least 0"):
        DistributedSampler(-1)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_buckets_are_shared_batch_by_batch(ranks):
    lengths = np.random.default_rng(0).integers(1, 30, 50)
    orders = [LengthBuckets(lengths, 9, generator=1) for _ in range(ranks + 1)]
    shares = [DistributedBatchSampler(orders[rank], ranks, rank) for rank in range(ranks)]
    assert [len(share) for share in shares] == [len(orders[-1])] * ranks
    whole = list(orders[-1])
    assert joined(map(list, shares)) == whole
    # Within a loader, the place in the middle of an epoch is that of the joined batches.
    samples = TensorDataset(np.arange(50))
    sampler = DistributedBatchSampler(LengthBuckets(lengths, 9, generator=1), ranks, 0)
    loader = DataLoader(samples, batch_sampler=sampler)
    next(iter(loader))
    alone = DataLoader(samples, batch_sampler=LengthBuckets(lengths, 9, generator=8))
    alone.load_state_dict(loader.state_dict())
    assert [batch.tolist() for (batch,) in alone] == whole[1:]


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("ranks", [2, 3])
def test_a_batch_is_cut_in_all_its_parts(count, ranks):
    x = tt.tensor(np.arange(2 * count).reshape(count, 2))
    names = [str(i) for i in range(count)]
    batch = defaultdict(list)
    batch |= {"x": (x, np.arange(count)), "names": names, "scale": 2.0, "none": None}
    seen = []
    for rank in range(ranks):
        (got,) = DistributedBatches([batch], ranks, rank)
        assert got.default_factory is list
        own = got["x"][1].tolist()
        assert own == (list(range(rank, count, ranks)) or [rank % count])
        assert isinstance(got["x"][0], tt.Tensor)
        assert got["x"][0].tolist() == x.numpy()[own].tolist()
        assert got["names"] == [names[i] for i in own]
        assert (got["scale"], got["none"]) == (2.0, None)
        seen += own
    assert sorted(set(seen)) == list(range(count))


def test_batches_are_made_as_by_one_process():
    def loader():
        return DataLoader(TensorDataset(np.arange(10), np.arange(10.0)), 4, True, generator=0)

    whole = [[part.tolist() for part in batch] for batch in loader()]
    ranks = [DistributedBatches(loader(), 2, rank) for rank in (0, 1)]
    assert [len(rank) for rank in ranks] == [3, 3]
    shares = [[batch[0].tolist() for batch in rank] for rank in ranks]
    assert joined(shares) == [x for x, _ in whole]
    # The place is that of the loader, which one more number of ranks can go on from.
    first = DistributedBatches(loader(), 2, 1)
    next(iter(first))
    second = DistributedBatches(loader(), 1, 0)
    second.load_state_dict(first.state_dict())
    assert [batch[0].tolist() for batch in second] == [x for x, _ in whole][1:]
    assert first.batch_size == 4
    windows = DistributedBatches(RandomWindows(np.arange(30), 3, 4, 2, generator=0), 4, 3)
    assert [x.shape for x, _ in windows] == [(1, 3)] * 2
    assert not hasattr(windows, "state_dict")
    with pytest.raises(TypeError, match="without an array to cut"):
        list(DistributedBatches([None], 2, 0))
    with pytest.raises(TypeError, match="a batch holds a Windows, which cannot be cut"):
        list(DistributedBatches([(np.arange(2), Windows(np.arange(9), 2))], 2, 0))
    with pytest.raises(TypeError, match="batches is"):
        DistributedBatches(3)
    with pytest.raises(TypeError, match="batch_sampler is"):
        DistributedBatchSampler(3)
