"""Padding and batches of near lengths: nothing is lost, and every index comes once an epoch."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import text
from tinytensor.data import DataLoader
from tinytensor.errors import DtypeError, ShapeError

pytestmark = pytest.mark.no_c


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("form", [list, tuple, np.array, tt.tensor])
def test_padded(side, form):
    sequences = [[1, 2, 3], [], [4], [5, 6]]
    array, lengths = text.padded([form(s) if s else [] for s in sequences], pad=-1, side=side)
    assert (array.dtype, lengths.dtype) == (np.int64, np.int64)
    assert lengths.tolist() == [3, 0, 1, 2]
    for row, sequence in zip(array, sequences, strict=True):
        room = [-1] * (3 - len(sequence))
        assert row.tolist() == (sequence + room if side == "right" else room + sequence)


def test_padded_shapes_and_dtypes():
    assert text.padded([])[0].shape == (0, 0)
    assert text.padded([[], []])[0].shape == (2, 0)
    assert text.padded([[1], [2, 3]], length=4)[0].tolist() == [[1, 0, 0, 0], [2, 3, 0, 0]]
    assert text.padded([[1] * 5], multiple=4)[0].shape == (1, 8)
    assert text.padded([[1, 2]], dtype=np.uint8)[0].dtype == np.uint8
    assert text.padded([[1.5], []])[0].dtype == np.float32
    assert text.padded([np.ones(2), np.ones(1, np.float32)])[0].dtype == np.float64
    array, lengths = text.padded([np.ones((2, 3)), np.zeros((0, 3)), np.ones((1, 3))], pad=7)
    assert array.shape == (3, 2, 3)
    assert array[2].tolist() == [[1] * 3, [7] * 3]
    assert lengths.tolist() == [2, 0, 1]
    assert text.padded([[[1, 2]], [[3, 4], [5, 6]]])[0].shape == (2, 2, 2)
    assert text.padded([[True], []])[0].dtype == bool


@pytest.mark.parametrize(
    ("sequences", "how", "error", "message"),
    [
        ("ab", {}, TypeError, "sequences are a str"),
        (3, {}, TypeError, "sequences are an int"),
        (["ab"], {}, TypeError, "sequence 0 is a str"),
        ([[1], 2], {}, TypeError, "sequence 1 is an int"),
        ([["a"]], {}, DtypeError, "sequences must be of numbers"),
        ([[None]], {}, DtypeError, "sequences must be of numbers"),
        ([[1, [2]]], {}, ValueError, "padded|tensor"),
        ([np.ones((1, 2)), np.ones((1, 3))], {}, ShapeError, "different shapes behind axis 0"),
        ([[1, 2]], {"length": 1}, ShapeError, "a sequence of 2 does not fit into length 1"),
        ([[2**63]], {}, DtypeError, "int64 cannot hold 9223372036854775808"),
        ([np.uint64([2**64 - 1])], {}, DtypeError, "int64 cannot hold 18446744073709551615"),
        ([[1, 300]], {"dtype": "uint8"}, DtypeError, "uint8 cannot hold 300"),
        ([[1.5]], {"dtype": "int64"}, DtypeError, "int64 cannot hold 1.5"),
        ([[1]], {"pad": float("nan")}, DtypeError, "int64 cannot hold nan"),
        ([[1]], {"pad": -1, "dtype": "uint8"}, DtypeError, "uint8 cannot hold -1"),
        ([[1]], {"side": "both"}, ValueError, "side must be"),
        ([[1]], {"multiple": 0}, ValueError, "multiple must be at least 1"),
    ],
)
def test_bad_sequences(sequences, how, error, message):
    with pytest.raises(error, match=message):
        text.padded(sequences, **how)


LENGTHS = np.random.default_rng(0).integers(0, 40, 103)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "limits", [{"batch_size": 8}, {"max_tokens": 90}, {"batch_size": 4, "max_tokens": 90}]
)
def test_every_index_comes_once_and_lengths_are_near(shuffle, limits):
    sampler = text.LengthBuckets(LENGTHS, shuffle=shuffle, generator=0, **limits)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(103))
    spans = sorted((LENGTHS[b].min(), LENGTHS[b].max()) for b in batches)
    assert all(high <= low for (_, high), (low, _) in pairwise(spans))
    for batch in batches:
        assert len(batch) <= limits.get("batch_size", 103)
        assert len(batch) * LENGTHS[batch].max() <= limits.get("max_tokens", 10**9)
    in_order = [LENGTHS[batch].max() for batch in batches]
    assert (in_order == sorted(in_order)) != shuffle


def test_epochs_differ_and_repeat_from_their_state():
    one, other = (text.LengthBuckets(LENGTHS, 8, generator=3) for _ in range(2))
    first = list(one)
    state = one.state_dict()
    second = list(one)
    assert list(other) == first != second
    assert {frozenset(b) for b in first} != {frozenset(b) for b in second}  # of equal lengths
    other.load_state_dict(state)
    assert list(other) == second
    tt.manual_seed(1)
    drawn = list(text.LengthBuckets(LENGTHS, 8))
    tt.manual_seed(1)
    assert list(text.LengthBuckets(LENGTHS, 8)) == drawn


def test_pools_mix_the_batches():
    sampler = text.LengthBuckets(np.arange(100), 5, generator=0, pool=4)
    epochs = [list(sampler) for _ in range(2)]
    for batches in epochs:
        assert sorted(i for batch in batches for i in batch) == list(range(100))
        assert [len(batch) for batch in batches] == [5] * len(sampler)
        assert all(batch == sorted(batch) for batch in batches)
        spans = [batch[-1] - batch[0] for batch in batches]
        assert 4 < np.mean(spans) < 40  # all together it would be 4, and of any five about 67
    assert not {frozenset(b) for b in epochs[0]} & {frozenset(b) for b in epochs[1]}
    in_order = list(text.LengthBuckets([5, 1, 4, 2, 0, 3], 1, shuffle=False, pool=3))
    assert in_order == [[1], [2], [0], [4], [3], [5]]


def test_drop_last():
    sampler = text.LengthBuckets(LENGTHS, 8, drop_last=True, generator=0)
    dropped = set()
    for _ in range(6):
        batches = list(sampler)
        assert [len(batch) for batch in batches] == [8] * len(sampler) == [8] * 12
        kept = {i for batch in batches for i in batch}
        assert len(kept) == 96
        dropped |= set(range(103)) - kept
    assert len(dropped) > 20  # others each time
    plain = list(text.LengthBuckets([3, 1, 2], 2, shuffle=False, drop_last=True))
    assert plain == [[1, 2]]
    assert list(text.LengthBuckets([], 2)) == []
    assert len(text.LengthBuckets([5], 2, drop_last=True)) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1],), ValueError, "needs batch_size or max_tokens"),
        (([1], 0), ValueError, "batch_size must be at least 1"),
        (([1], None, 0), ValueError, "max_tokens must be at least 1"),
        (([1, 9], None, 5), ValueError, "sample 1 has length 9, above max_tokens 5"),
        (([[1]], 2), ShapeError, r"lengths must be \(N,\)"),
        (([0.5], 2), DtypeError, "lengths must be integers"),
        (([-1], 2), ValueError, "a length is -1"),
        (([1], 2, None, 1), TypeError, "shuffle must be a bool"),
        (([1], None, 5, True, 0, True), ValueError, "drop_last is for batches of batch_size"),
        (([1], None, 5, True, 0, False, 2), ValueError, "pool is for batches of batch_size"),
        (([1], 2, None, True, 0, False, 0), ValueError, "pool must be at least 1"),
    ],
)
def test_bad_buckets(arguments, error, message):
    with pytest.raises(error, match=f"LengthBuckets: {message}"):
        text.LengthBuckets(*arguments)


def test_a_loader_of_pairs():
    pairs = [([1] * n, [2] * (40 - n), n) for n in LENGTHS.tolist()]
    collate = pickle.loads(pickle.dumps(text.Collate(pad=(0, -1, 0))))
    sampler = text.LengthBuckets(LENGTHS, 8)
    loader = DataLoader(pairs, batch_sampler=sampler, collate=collate, generator=0)
    seen = []
    for (source, lengths), (target, others), n in loader:
        assert source.shape == (len(lengths), lengths.max().item())
        assert (lengths == n).all()
        assert ((source != 0).sum(1) == lengths).all()
        assert ((target != -1).sum(1) == others).all()
        seen += n.tolist()
    assert sorted(seen) == sorted(LENGTHS.tolist())
    epoch = [n.tolist() for _, _, n in loader]
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    again = DataLoader(
        pairs, batch_sampler=text.LengthBuckets(LENGTHS, 8), collate=collate, generator=9
    )
    again.load_state_dict(loader.state_dict())
    assert [n.tolist() for _, _, n in again] == [n.tolist() for _, _, n in batches]
    assert epoch != seen


def test_collate():
    array, lengths = text.Collate(pad=9, side="left")([[1, 2], [3]])
    assert array.tolist() == [[1, 2], [9, 3]]
    assert lengths.tolist() == [2, 1]
    found = text.Collate()([{"x": np.arange(2), "name": "a"}, {"x": np.arange(1), "name": "b"}])
    assert found["name"] == ["a", "b"]
    assert found["x"][1].tolist() == [2, 1]
    for samples, error in (
        ([], ValueError),
        ([[1], (1,)], TypeError),
        ([([1],), ([1], [2])], ShapeError),
        ([{"a": [1]}, {"b": [1]}], ValueError),
    ):
        with pytest.raises(error, match="Collate"):
            text.Collate()(samples)
    for samples in ([[1]], [([1],)]):
        with pytest.raises(ValueError, match="Collate: "):
            text.Collate(pad=(0, 0))(samples)


def test_encoded():
    pairs = [("ab", "xyz"), ("a", ""), ("abba", "x")]
    tokenisers = [text.Characters.of(column) for column in zip(*pairs, strict=True)]
    dataset = text.Encoded(pairs, tokenisers, bos=(False, True), eos=True, max_length=4)
    assert dataset[-1] == ([4, 5, 5, 3], [2, 4, 3])
    assert dataset.lengths.tolist() == [4, 2, 4]
    loader = DataLoader(dataset, batch_sampler=text.LengthBuckets(dataset.lengths, 2, generator=0))
    assert len(list(loader)) == 2
    (source, lengths), (target, _) = dataset.batch([1, 0])
    assert source.tolist() == [[4, 3, 0], [4, 5, 3]]
    assert lengths.tolist() == [2, 3]
    assert target.tolist() == [[2, 3, 0, 0], [2, 4, 5, 3]]
    single = text.Encoded(["ab", "c"], text.Bytes())
    assert single[1] == [ord("c") + 3]
    assert single.batch([0, 1])[1].tolist() == [2, 1]
    assert len(text.Encoded([], text.Bytes())) == 0
    with pytest.raises(IndexError, match="Encoded: index 2"):
        single[2]
    for texts, tokenisers, error in (
        (["a", ("b",)], text.Bytes(), TypeError),
        ([("a",), "b"], text.Bytes(), TypeError),
        ([("a",), ("b", "c")], text.Bytes(), ShapeError),
        ([("a", "b")], [text.Bytes()], ShapeError),
        (["a"], "bytes", TypeError),
        ([3], text.Bytes(), TypeError),
    ):
        with pytest.raises(error, match=r"Encoded|text is"):
            text.Encoded(texts, tokenisers)
