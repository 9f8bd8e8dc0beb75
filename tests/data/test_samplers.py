"""Samplers and the datasets made of others: their orders, and PyTorch's where both say the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_convert,
    random_split,
)
from tinytensor.errors import ShapeError

pytestmark = pytest.mark.no_c

# --- Samplers --------------------------------------------------------------------------------


def test_random_sampler():
    assert sorted(RandomSampler(range(9))) == list(range(9))
    twice = list(RandomSampler(range(9), num_samples=20, generator=0))
    assert [sorted(twice[:9]), sorted(twice[9:18])] == [list(range(9))] * 2
    assert len(set(twice[18:])) == 2
    drawn = list(RandomSampler(range(4), True, 4000, generator=0))
    assert all(abs(n - 1000) < 150 for n in Counter(drawn).values())  # some five deviations
    assert list(RandomSampler([])) == []
    with pytest.raises(ValueError, match="no samples, of which to draw 3"):
        list(RandomSampler([], num_samples=3))


def test_weighted_random_sampler():
    drawn = Counter(WeightedRandomSampler([1, 0, 3], 4000, generator=0))
    assert drawn[1] == 0
    assert abs(drawn[0] - 1000) < 150
    for seed in range(20):
        once = list(WeightedRandomSampler([1, 0, 3, 2], 3, replacement=False, generator=seed))
        assert sorted(once) == [0, 2, 3]
    first = Counter(
        next(iter(WeightedRandomSampler([1, 0, 3], 1, False, generator=seed)))
        for seed in range(400)
    )
    assert abs(first[0] - 100) < 45
    for weights in ([0, 0], [1, -1], [1, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match=r"WeightedRandomSampler: .*weights"):
            WeightedRandomSampler(weights, 2)
    with pytest.raises(ValueError, match="2 weights above 0 for 3"):
        WeightedRandomSampler([1, 0, 3], 3, replacement=False)
    with pytest.raises(ShapeError, match=r"must be \(N,\)"):
        WeightedRandomSampler([[1.0]], 1)


def test_a_sampler_draws_from_its_own_generator_or_the_default_one():
    for make in (
        lambda g: RandomSampler(range(50), generator=g),
        lambda g: RandomSampler(range(50), replacement=True, generator=g),
        lambda g: SubsetRandomSampler(range(50), generator=g),
        lambda g: WeightedRandomSampler(np.ones(50), 50, generator=g),
        lambda g: WeightedRandomSampler(np.ones(50), 50, False, generator=g),
    ):
        own = make(3)
        first, state = list(own), own.state_dict()
        second = list(own)
        assert list(make(3)) == first != second
        own.load_state_dict(state)
        assert list(own) == second
        tt.manual_seed(3)
        sampler = make(None)
        first = list(sampler)
        tt.manual_seed(3)
        assert list(sampler) == first
        assert sampler.state_dict() == {}


@pytest.mark.parametrize("total", [0, 1, 5, 6, 7, 12])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batch_sampler(torch, total, size, drop_last):
    from torch.utils.data import BatchSampler as Theirs

    ours = BatchSampler(SequentialSampler(range(total)), size, drop_last)
    theirs = Theirs(range(total), size, drop_last)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("total", [1, 2, 7, 12])
@pytest.mark.parametrize("world", [1, 3, 5])
@pytest.mark.parametrize("drop_last", [False, True])
def test_distributed_sampler(torch, total, world, drop_last):
    from torch.utils.data import DistributedSampler as Theirs

    for rank in range(world):
        ours = DistributedSampler(range(total), world, rank, shuffle=False, drop_last=drop_last)
        theirs = Theirs(range(total), world, rank, shuffle=False, drop_last=drop_last)
        assert list(ours) == list(theirs)
        assert len(ours) == len(theirs)


@pytest.mark.parametrize("total", [10, 11, 17])
@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]])
def test_lengths_of_shares(torch, total, shares):
    ours = random_split(range(total), shares)
    theirs = torch.utils.data.random_split(range(total), shares)
    assert [len(part) for part in ours] == [len(part) for part in theirs]


def test_ranks_share_one_order():
    def orders(epoch):
        found = []
        for rank in range(3):
            sampler = DistributedSampler(range(9), 3, rank, seed=5)
            sampler.set_epoch(epoch)
            found.append(list(sampler))
        return found

    assert sorted(index for share in orders(0) for index in share) == list(range(9))
    assert orders(0) == orders(0) != orders(1)
    sampler = DistributedSampler(range(9), 3, 0)
    sampler.set_epoch(4)
    other = DistributedSampler(range(9), 3, 0)
    other.load_state_dict(sampler.state_dict())
    assert other.epoch == 4
    with pytest.raises(ValueError, match="pass num_replicas and rank"):
        DistributedSampler(range(9))
    with pytest.raises(ValueError, match="rank 3 is not below"):
        DistributedSampler(range(9), 3, 3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: RandomSampler([1], replacement=1), TypeError, "replacement must be a bool"),
        (lambda: RandomSampler([1], num_samples=0), ValueError, "num_samples must be at least 1"),
        (lambda: RandomSampler([1], num_samples=1.5), ValueError, "num_samples must be"),
        (lambda: WeightedRandomSampler([1], 0), ValueError, "num_samples must be at least 1"),
        (lambda: WeightedRandomSampler([1], 1, 1), TypeError, "replacement must be a bool"),
        (lambda: BatchSampler([1], 0), ValueError, "batch_size must be at least 1"),
        (lambda: BatchSampler([1], True), ValueError, "batch_size must be at least 1"),
        (lambda: BatchSampler([1], 1, "no"), TypeError, "drop_last must be a bool"),
        (lambda: BatchSampler(3, 1), TypeError, "sampler is an int, no iterable"),
        (lambda: iter(Sampler()), NotImplementedError, "Sampler does not define __iter__"),
    ],
)
def test_samplers_check_their_arguments(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


# --- Datasets made of others -----------------------------------------------------------------


def test_concat_dataset():
    parts = [TensorDataset(np.arange(3)), TensorDataset(np.arange(0)), TensorDataset([7, 8])]
    whole = ConcatDataset(parts)
    assert [x.item() for (x,) in whole] == [0, 1, 2, 7, 8]
    assert [whole[i][0].item() for i in (-1, -5, 3)] == [8, 0, 7]
    assert whole.batch([4, 0])[0].tolist() == [8, 0]
    assert whole.cumulative_sizes == [3, 3, 5]
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"ConcatDataset: index {index} of 5"):
            whole[index]
    assert len(parts[0] + parts[2] + [1]) == 6
    with pytest.raises(ValueError, match="no datasets"):
        ConcatDataset([])
    with pytest.raises(TypeError, match="ChainDataset"):
        ConcatDataset([ChainDataset([[1]])])


def test_chain_dataset():
    class Count(IterableDataset):
        def __iter__(self):
            return iter(range(2))

        def __len__(self):
            return 2

    both = Count() + Count()
    assert isinstance(both, ChainDataset)
    assert list(both) == [0, 1, 0, 1]
    assert len(both) == 4
    with pytest.raises(TypeError, match="an int cannot be iterated over"):
        ChainDataset([3])
    with pytest.raises(NotImplementedError, match="IterableDataset does not define __iter__"):
        iter(IterableDataset())


def test_stack_dataset():
    x, y = TensorDataset(np.arange(6.0).reshape(3, 2)), [7, 8, 9]
    stacked = StackDataset(x, y)
    assert stacked[2][0][0].tolist() == [4, 5]
    assert stacked[2][1] == 9
    (images,), labels = stacked.batch([2, 0])
    assert images.tolist() == [[4, 5], [0, 1]]
    assert labels.tolist() == [9, 7]
    named = StackDataset(x=x, y=y)
    assert len(named) == 3
    assert named[0]["y"] == 7
    with pytest.raises(ShapeError, match=r"one length, not \[3, 2\]"):
        StackDataset(x, [1, 2])
    for args, kwargs in (((), {}), ((x,), {"y": y})):
        with pytest.raises(ValueError, match="either by place or by name"):
            StackDataset(*args, **kwargs)


def test_the_tensors_of_a_dataset_share_its_memory():
    dataset = TensorDataset(np.arange(3.0), [1, 2, 3], transform=lambda x: x + 1)
    x, y = dataset.tensors
    assert x.tolist() == [0, 1, 2]
    assert y.dtype == tt.int64
    x[0] = 5.0
    assert dataset[0][0].item() == 6


def test_an_error_names_the_sample_in_each_dataset():
    class Broken(Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, index):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone") as caught:
        Subset(Broken(), [4, 7]).batch([1])
    assert caught.value.__notes__ == ["in sample 7 of a Broken"]
    with pytest.raises(OSError, match="gone") as caught:
        ConcatDataset([range(3), Subset(Broken(), [4, 7])]).batch([0, 4])
    assert caught.value.__notes__ == ["in sample 4 of a ConcatDataset"]


def test_default_convert():
    pair = default_convert((np.ones(2, np.float32), ["a", np.int8(3), 4], {"x": np.array("s")}))
    assert isinstance(pair, tuple)
    assert pair[0].dtype == tt.float32
    assert isinstance(pair[1][1], tt.Tensor)
    assert pair[1][2] == 4
    assert isinstance(pair[2]["x"], np.ndarray)
