"""Datasets, loaders, file formats, text and augmentation."""

import collections
import gzip
import os
import pickle
import random
import struct
import tracemalloc

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.data import (
    DataLoader,
    Dataset,
    RandomAffine,
    RandomWindows,
    Subset,
    TensorDataset,
    Vocabulary,
    Windows,
    affine,
    cifar10,
    cifar100,
    collate,
    mnist,
    random_split,
    read_cifar_binary,
    read_cifar_pickle,
    read_idx,
    stdlib_sources,
    stdlib_text,
)
from tinytensor.errors import DtypeError, ShapeError

pytestmark = pytest.mark.no_c

# --- Datasets and the loader -----------------------------------------------------------------


class Squares(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index, float(index) ** 2


def test_loader_batches_in_order():
    batches = list(DataLoader(Squares(5), batch_size=2))
    assert [x.tolist() for x, _ in batches] == [[0, 1], [2, 3], [4]]
    assert [y.tolist() for _, y in batches] == [[0, 1], [4, 9], [16]]
    assert batches[0][0].dtype == np.int64
    assert batches[0][1].dtype == np.float32


@pytest.mark.parametrize(
    ("n", "drop_last", "sizes"),
    [(5, False, [2, 2, 1]), (5, True, [2, 2]), (4, True, [2, 2]), (1, True, []), (0, False, [])],
)
def test_loader_sizes(n, drop_last, sizes):
    loader = DataLoader(Squares(n), batch_size=2, drop_last=drop_last)
    assert [len(x) for x, _ in loader] == sizes
    assert len(loader) == len(sizes)


def test_shuffled_loader_is_seeded_and_complete():
    data = TensorDataset(np.arange(100))

    def orders(seed):
        loader = DataLoader(data, batch_size=7, shuffle=True, generator=seed)
        return [[i for (x,) in loader for i in x.tolist()] for _ in range(2)]

    first, second = orders(3)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert orders(3) == [first, second]
    assert orders(4)[0] != first


def test_loader_uses_the_given_collate():
    loader = DataLoader(Squares(3), batch_size=2, collate=lambda samples: samples)
    assert list(loader) == [[(0, 0.0), (1, 1.0)], [(2, 4.0)]]


def test_loader_refuses_an_empty_batch():
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        DataLoader(Squares(3), batch_size=0)


def test_collate_stacks_structures_and_refuses_ragged_samples():
    batch = collate([(np.ones(2), {"a": 1}), (np.zeros(2), {"a": 2})])
    assert batch[0].tolist() == [[1, 1], [0, 0]]
    assert batch[1]["a"].tolist() == [1, 2]
    with pytest.raises(ShapeError, match="different shapes"):
        collate([np.ones(2), np.ones(3)])


Pair = collections.namedtuple("Pair", "image label")


def plain(item):
    if isinstance(item, dict):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, Pair):
        return Pair(*map(plain, item))
    if isinstance(item, list | tuple):
        return type(item)(map(plain, item))
    return ("stacked", item.tolist()) if isinstance(item, tt.Tensor) else item


def stacked(*values):
    return "stacked", list(values)


@pytest.mark.parametrize(
    ("samples", "batch"),
    [
        ([1, 2], stacked(1, 2)),
        ([1, 2.5], stacked(1, 2.5)),
        ([True, False], stacked(True, False)),
        ([1j, 2], stacked(1j, 2)),
        ([np.int8(1), np.int8(2)], stacked(1, 2)),
        ([np.ones(2), tt.zeros(2)], stacked([1, 1], [0, 0])),
        (["a", "bc"], ["a", "bc"]),
        ([b"a", b"bc"], [b"a", b"bc"]),
        ([None, None], None),
        ([[1, 2], [3, 4], [5, 6]], [stacked(1, 3, 5), stacked(2, 4, 6)]),
        ([(1, "a"), (2, "b")], (stacked(1, 2), ["a", "b"])),
        ([Pair(1, "a"), Pair(2, "b")], Pair(stacked(1, 2), ["a", "b"])),
        ([(), ()], ()),
        ([[], []], []),
        ([{}, {}], {}),
        ([{"a": 1, "b": None}, {"b": None, "a": 2}], {"a": stacked(1, 2), "b": None}),
        ([collections.OrderedDict(a=1), {"a": 2}], {"a": stacked(1, 2)}),
        (
            [{"x": ([1, {"y": Pair("a", None)}],)}, {"x": ([2, {"y": Pair("b", None)}],)}],
            {"x": ([stacked(1, 2), {"y": Pair(["a", "b"], None)}],)},
        ),
    ],
    ids=str,
)
def test_collate(samples, batch):
    assert plain(collate(samples)) == batch
    assert plain(next(iter(DataLoader(samples, batch_size=len(samples))))) == batch


@pytest.mark.parametrize(
    ("samples", "kind", "message"),
    [
        ([], ValueError, "collate: there are no samples"),
        ([1, "a"], TypeError, "sample is of different types: int and str"),
        ([{"a": None}, {"a": 1}], TypeError, r"sample\['a'\] is .* types: NoneType and int"),
        ([{"a": (1, [2])}, {"a": (1, (2,))}], TypeError, r"\['a'\]\[1\] is .*: list and tuple"),
        ([{"a": 1}, {"b": 1}], ValueError, "sample has different keys: 'a'; 'b'"),
        ([(1, {"a": 1}), (1, {})], ValueError, r"sample\[1\] has different keys: ; 'a'"),
        ([[1], [1, 2]], ShapeError, r"sample has different lengths: \[1, 2\]"),
        ([{"a": (1,)}, {"a": ()}], ShapeError, r"sample\['a'\] has different lengths"),
        ([{"a": {1}}, {"a": {2}}], TypeError, r"sample\['a'\] is of set, which cannot be stacked"),
        ([object(), object()], TypeError, "sample is of object, which cannot be stacked"),
        ([(np.ones(2),), (np.ones(3),)], ShapeError, r"sample\[0\] has different shapes"),
        ([np.array("a"), np.array("b")], TypeError, "sample is of ndarray, which cannot"),
        ([np.datetime64(1, "s")], TypeError, "sample is of datetime64, which cannot"),
    ],
)
def test_what_cannot_be_collated_names_the_field_and_the_types(samples, kind, message):
    with pytest.raises(kind, match=message):
        collate(samples)


class Letters:
    """Samples by index and a length, but no Dataset; its ``batch`` is something else."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index, "abc"[index]

    def batch(self, size):
        raise AssertionError


@pytest.mark.parametrize(
    ("dataset", "batches"),
    [
        (Letters(), [(stacked(0, 1), ["a", "b"]), (stacked(2), ["c"])]),
        ([5, 6, 7], [stacked(5, 6), stacked(7)]),
        ((5, 6, 7), [stacked(5, 6), stacked(7)]),
        (range(3), [stacked(0, 1), stacked(2)]),
        ("abc", [["a", "b"], ["c"]]),
        (np.eye(3), [stacked([1, 0, 0], [0, 1, 0]), stacked([0, 0, 1])]),
        (tt.eye(3), [stacked([1, 0, 0], [0, 1, 0]), stacked([0, 0, 1])]),
        ({0: "a", 1: "b"}, [["a", "b"]]),
        (Subset(Letters(), [2, 0]), [(stacked(2, 0), ["c", "a"])]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_object_with_length_and_index_is_a_dataset(dataset, batches):
    assert [plain(batch) for batch in DataLoader(dataset, batch_size=2)] == batches
    if len(dataset) == 3:
        parts = random_split(dataset, [2, 1], generator=0)
        assert [len(list(DataLoader(part))) for part in parts] == [2, 1]
        shuffled = DataLoader(dataset, shuffle=True, generator=0, collate=list)
        assert len(list(shuffled)) == 3


@pytest.mark.parametrize("dataset", [iter([1]), {1, 2}, 3, None, (i for i in range(3))])
def test_what_is_no_dataset(dataset):
    for use in (DataLoader, lambda d: Subset(d, [0]), lambda d: random_split(d, [1])):
        with pytest.raises(TypeError, match=r"dataset is an? .*does not have .*__getitem__"):
            use(dataset)


def test_a_loader_checks_its_arguments():
    for size in (0, -1, 1.5, "2", True):
        with pytest.raises(ValueError, match="batch_size must be at least 1"):
            DataLoader([1], batch_size=size)
    with pytest.raises(TypeError, match="collate is a str, not a function"):
        DataLoader([1], collate="stack")


def test_the_iteration_over_a_dataset_ends():
    class Endless(Dataset):
        """Without a length, until an IndexError."""

        def __getitem__(self, index):
            return [10, 20][index]

    class Broken(Squares):
        def __getitem__(self, index):
            raise IndexError("a mistake, not the end")

    assert list(Squares(3)) == [(0, 0.0), (1, 1.0), (2, 4.0)]
    assert [x.item() for (x,) in TensorDataset([1, 2])] == [1, 2]
    assert [x for x, _ in Subset(Squares(9), [4, 2])] == [4, 2]
    assert [y.tolist() for _, y in Windows(np.arange(5), 2)] == [[1, 2], [3, 4]]
    assert list(Endless()) == [10, 20]
    with pytest.raises(TypeError, match="Endless does not define __len__"):
        len(Endless())
    with pytest.raises(IndexError, match="a mistake"):
        list(Broken(3))


def test_tensor_dataset_transforms_batches():
    data = TensorDataset(np.arange(4.0), np.arange(4), transform=lambda x: x * 10)
    assert data.batch([1, 3])[0].tolist() == [10, 30]
    assert data[-1][0].item() == 30
    with pytest.raises(IndexError, match="index 4 of 4"):
        data[4]


@pytest.mark.parametrize("arrays", [(), (np.ones(3), np.ones(2)), (np.float32(1),)])
def test_tensor_dataset_refuses_arrays_without_a_common_length(arrays):
    with pytest.raises(ShapeError, match="one length"):
        TensorDataset(*arrays)


def test_subset_of_a_subset():
    data = Subset(Subset(TensorDataset(np.arange(10)), [2, 4, 6]), [2, 0])
    assert [data[i][0].item() for i in range(len(data))] == [6, 2]
    assert data.batch([0, 1])[0].tolist() == [6, 2]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([3, 7], [3, 7]), ([0.25, 0.75], [3, 7]), ([1.0], [10]), ([0, 10], [0, 10])],
)
def test_random_split_parts_the_samples(lengths, sizes):
    parts = random_split(TensorDataset(np.arange(10)), lengths, generator=0)
    assert [len(part) for part in parts] == sizes
    assert sorted(i for part in parts for i in part.indices) == list(range(10))


@pytest.mark.parametrize("lengths", [[3, 3], [0.5, 0.2], [-1, 11], [2.5, 7.5], []])
def test_random_split_refuses_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="random_split"):
        random_split(TensorDataset(np.arange(10)), lengths)


# --- IDX -------------------------------------------------------------------------------------


def idx_bytes(array, code):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("u1", 8), ("i1", 9), ("i2", 0x0B), ("i4", 0x0C), ("f4", 0x0D), ("f8", 0x0E)],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_round_trip(tmp_path, dtype, code, zipped):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    content = idx_bytes(array, code)
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content) if zipped else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


IDX = idx_bytes(np.arange(24, dtype="u1").reshape(2, 3, 4), 8)


@pytest.mark.parametrize("cut", range(len(IDX)))
def test_truncated_idx(tmp_path, cut):
    (tmp_path / "x").write_bytes(IDX[:cut])
    with pytest.raises(ValueError, match=r"read_idx: .*x: "):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("cut", [3, 10, 15, 30, -1])
def test_truncated_gzip(tmp_path, cut):
    (tmp_path / "x.gz").write_bytes(gzip.compress(IDX)[:cut])
    with pytest.raises(ValueError, match=r"read_idx: .*x\.gz: "):
        read_idx(tmp_path / "x.gz")


def test_corrupt_gzip(tmp_path):
    content = bytearray(gzip.compress(IDX))
    content[-6] ^= 255  # the checksum
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(ValueError, match="corrupt gzip"):
        read_idx(tmp_path / "x.gz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IDX + b"\0", "holds more"),
        (b"\1" + IDX[1:], "not an IDX file"),
        (IDX[:2] + b"\7" + IDX[3:], "not an IDX file"),
        (b"\0\0\x0e\xff" + b"\xff" * 1020, "the file holds 0"),  # 2³²⁵⁵ elements, it says
        (b"\0\0\x08\x01" + b"\x7f\xff\xff\xff" + b"abc", "the file holds 3"),
        (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"a", "65 axes"),
        (b"\0\0\x08\x03" + b"\0\0\0\0" + b"\xff" * 8, "no array can have"),
    ],
)
def test_idx_that_lies(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "x")


@pytest.mark.parametrize("claim", [10**6, 2**31])
def test_an_idx_that_claims_more_than_its_gzip_can_hold(tmp_path, claim):
    """deflate makes at most 1032 bytes of one: what claims more is refused unread."""
    content = gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, claim) + b"\0" * 1000)
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.gz: .*{claim} bytes, but the file holds"):
        read_idx(tmp_path / "x.gz")


def test_a_gzip_that_holds_more_than_the_header_claims_is_not_unpacked(tmp_path):
    content = IDX + b"\0" * 200_000_000
    (tmp_path / "x.gz").write_bytes(gzip.compress(content, 1))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"x\.gz: .*the file holds more"):
        read_idx(tmp_path / "x.gz")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 << 20


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_takes_memory_once(tmp_path, zipped):
    """Also where the bytes have to be swapped."""
    content = idx_bytes(np.ones((1000, 1000), ">f8"), 0x0E)
    (tmp_path / "x").write_bytes(gzip.compress(content) if zipped else content)
    tracemalloc.start()
    found = read_idx(tmp_path / "x")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sum() == 10**6
    assert found.flags.writeable
    assert most < 2 * found.nbytes


@pytest.mark.parametrize("read", [read_idx, read_cifar_binary, read_cifar_pickle])
def test_what_is_no_file(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe")):
        with pytest.raises(ValueError, match=f"{read.__name__}: {path} is {kind}, not a file"):
            read(path)
    with pytest.raises(FileNotFoundError, match=r"there is no file.*nothing"):
        read(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match=f"{read.__name__}: .*empty: "):
        read(tmp_path / "empty")


def test_mutated_idx_files_give_an_array_or_a_value_error_with_their_name(tmp_path):
    draw, told = random.Random(0), []
    sound = idx_bytes(np.arange(60, dtype="i2").reshape(3, 4, 5), 0x0B)
    for number in range(500):
        content = bytearray(gzip.compress(sound, mtime=0) if number % 2 else sound)
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(len(content))] = draw.choice([0, 1, 127, 255])
        (tmp_path / "mutated").write_bytes(content)
        try:
            assert read_idx(tmp_path / "mutated").dtype.isnative
        except ValueError as error:
            told.append(str(error))
    assert len(told) > 100
    assert all(f"read_idx: {tmp_path / 'mutated'}: " in error for error in told)


def test_mnist(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images, 8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels, 8))
    x, y = next(iter(DataLoader(mnist(tmp_path), batch_size=5)))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.numpy()[:, 0], images / 255, rtol=1e-6)
    assert y.tolist() == labels.tolist()
    with pytest.raises(FileNotFoundError, match="neither t10k-images"):
        mnist(tmp_path, train=False)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels[:4], 8))
    with pytest.raises(ValueError, match=r"labels uint8 \(4,\)"):
        mnist(tmp_path)


# --- CIFAR -----------------------------------------------------------------------------------


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)


def records(pixels, *labels):
    return b"".join(
        bytes(row[:-1]) + row[-1].tobytes() for row in zip(*labels, pixels, strict=True)
    )


def test_cifar10_binary(tmp_path, pixels):
    labels = [9, 0, 3, 3]
    for i in range(1, 6):
        (tmp_path / f"data_batch_{i}.bin").write_bytes(records(pixels, labels))
    data = cifar10(tmp_path)
    x, y = data.batch(range(20))
    np.testing.assert_allclose(x.numpy().reshape(20, -1), np.tile(pixels, (5, 1)) / 255, rtol=1e-6)
    assert y.tolist() == labels * 5
    assert y.dtype == np.int64


def test_cifar100_binary(tmp_path, pixels):
    (tmp_path / "test.bin").write_bytes(records(pixels, [19, 1, 2, 3], [99, 5, 6, 7]))
    assert cifar100(tmp_path, train=False).batch(range(4))[1].tolist() == [99, 5, 6, 7]
    coarse = cifar100(tmp_path, train=False, coarse=True)
    assert coarse.batch(range(4))[1].tolist() == [19, 1, 2, 3]


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b""])
def test_cifar_binary_of_a_wrong_size(tmp_path, pixels, change):
    (tmp_path / "test_batch.bin").write_bytes(change(records(pixels, [1, 2, 3, 4])))
    with pytest.raises(ValueError, match="not a whole number of records"):
        cifar10(tmp_path, train=False)


def test_cifar_with_impossible_labels(tmp_path, pixels):
    (tmp_path / "test_batch.bin").write_bytes(records(pixels, [1, 2, 3, 10]))
    with pytest.raises(ValueError, match="labels must be below 10"):
        cifar10(tmp_path, train=False)


@pytest.mark.parametrize("label_bytes", [-3072, -1, 0, 1.0, "1", None])
def test_cifar_binary_refuses_other_numbers_of_labels(tmp_path, pixels, label_bytes):
    (tmp_path / "x.bin").write_bytes(records(pixels, [1, 2, 3, 4]))
    with pytest.raises(ValueError, match="label_bytes is a number of 1 or more, not"):
        read_cifar_binary(tmp_path / "x.bin", label_bytes)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", range(6))
def test_cifar_pickle(tmp_path, pixels, order, protocol):
    content = {"data": np.asarray(pixels, order=order), "fine_labels": [1, 2, 3, 99]}
    (tmp_path / "test").write_bytes(pickle.dumps(content, protocol))
    x, y = cifar100(tmp_path, train=False).batch(range(4))
    np.testing.assert_allclose(x.numpy().reshape(4, -1), pixels / 255, rtol=1e-6)
    assert y.tolist() == [1, 2, 3, 99]


def test_cifar_pickle_of_python_2(tmp_path):
    """As Python 2 wrote them: keys, shape and pixels are byte strings (opcodes U and T)."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    array = b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t",
            short(b"b"),
            b"tR(K\x01(K\x01M\0\x0ctcnumpy\ndtype\n(",
            short(b"u1"),
            b"K\0K\x01tR(K\x03",
            short(b"|"),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89T",
            struct.pack("<I", 3072) + b"\x07" * 3072,
            b"tb",
        ]
    )
    content = b"\x80\x02}(" + short(b"data") + array + short(b"labels") + b"](K\x06eu."
    (tmp_path / "test_batch").write_bytes(content)
    x, y = cifar10(tmp_path, train=False).batch([0])
    np.testing.assert_allclose(x.numpy(), 7 / 255, rtol=1e-6)
    assert y.tolist() == [6]


class Harm:
    done = False

    def __reduce__(self):
        return setattr, (Harm, "done", True)


def test_a_pickle_runs_no_code(tmp_path):
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": Harm(), "labels": [1]}))
    with pytest.raises(ValueError, match=r"it asks for builtins\.setattr"):
        cifar10(tmp_path, train=False)
    assert not Harm.done


def test_broken_pickles(tmp_path, pixels):
    path = tmp_path / "test_batch"
    good = pickle.dumps({"data": pixels, "labels": [1, 2, 3, 4]}, 2)
    shared: list = [1, 2]
    others = [
        *([1], {}, {"data": pixels}, {"labels": [1]}, {"data": [1], "labels": [1]}),
        *({"data": pixels, "labels": x} for x in (pixels, ["1"] * 4, [1.0] * 4, [-1] * 4, 4)),
        *({"data": pixels, "labels": x} for x in ([True] * 4, [[1]] * 4, [shared] * 4, [256] * 4)),
    ]
    for content in [b"", b"hello", good[:100], good[:-10], *map(pickle.dumps, others)]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a CIFAR pickle"):
            cifar10(tmp_path, train=False)
    path.write_bytes(pickle.dumps({"data": pixels, "labels": [1, 2, 3]}, 2))
    with pytest.raises(ValueError, match=r"data is \(4, 3072\) and labels \(3,\)"):
        cifar10(tmp_path, train=False)
    path.write_bytes(pickle.dumps({"data": pixels.astype("f4"), "labels": [1, 2, 3, 4]}, 2))
    with pytest.raises(ValueError, match="dtype 'f4'"):
        cifar10(tmp_path, train=False)


# --- Text ------------------------------------------------------------------------------------


def test_vocabulary_keeps_the_most_frequent_characters():
    vocabulary = Vocabulary.of("bbbaac\N{SNOWMAN}", size=3)
    assert vocabulary.characters == "\N{REPLACEMENT CHARACTER}ab"
    assert len(vocabulary) == 3
    assert vocabulary.encode("abc\N{SNOWMAN}\ud800").tolist() == [1, 2, 0, 0, 0]
    assert vocabulary.decode(vocabulary.encode("abba")) == "abba"
    assert vocabulary.encode("").shape == (0,)


def test_a_number_outside_the_vocabulary():
    vocabulary = Vocabulary("abc")
    for numbers in ([1, 4], [-1, 2]):
        with pytest.raises(IndexError, match=r"numbers are from .* not below 4"):
            vocabulary.decode(numbers)
    assert vocabulary.decode([]) == ""


def test_readers_of_text_check_their_arguments():
    codes = np.arange(9)
    for make in (
        lambda count: Windows(codes, count),
        lambda count: Windows(codes, 2, count),
        lambda count: RandomWindows(codes, 2, count, 1),
        lambda count: Vocabulary.of("abc", count),
        stdlib_text,
    ):
        for count in (0, -1, 2.5, "2"):
            with pytest.raises(ValueError, match=r"must be at least [12], not"):
                make(count)
    with pytest.raises(ValueError, match="steps must be at least 0"):
        RandomWindows(codes, 2, 1, -1)
    with pytest.raises(DtypeError, match="codes must be integers, not float64"):
        Windows(codes / 2, 2)
    assert Windows(codes.tolist(), 2)[1][0].tolist() == [2, 3]


def test_windows_cover_every_character_once():
    codes = np.arange(23, dtype=np.uint8)
    windows = Windows(codes, length=5)
    x, y = windows.batch(range(len(windows)))
    assert x.dtype == y.dtype == np.int64
    assert y.numpy().ravel().tolist() == list(range(1, 21))
    np.testing.assert_array_equal(y.numpy(), x.numpy() + 1)
    assert windows[-1][0].tolist() == x.numpy()[3].tolist()
    assert len(Windows(np.arange(6), 5)) == 1
    with pytest.raises(ShapeError, match="M above the length 5"):
        Windows(np.arange(5), 5)


def test_random_windows_are_seeded():
    codes = np.arange(50)

    def batches(seed):
        return [x.tolist() for x, _ in RandomWindows(codes, 8, 4, steps=3, generator=seed)]

    assert batches(0) == batches(0) != batches(1)
    starts = {row[0] for seed in range(20) for x in batches(seed) for row in x}
    assert min(starts) == 0
    assert max(starts) == 50 - 9  # the last that leaves room for its target


def test_the_standard_library_is_a_corpus():
    paths = stdlib_sources()
    assert paths == sorted(paths)
    assert any(path.name == "argparse.py" for path in paths)
    train, held_out = stdlib_text()
    assert len(train) > 5 * len(held_out) > 500_000
    assert Vocabulary.of(train).encode(held_out).astype(bool).mean() > 0.999


# --- Augmentation ----------------------------------------------------------------------------


def test_affine_by_known_maps():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 3, 5, 5)).astype(np.float32)
    one, zero = np.tile(np.eye(2), (2, 1, 1)), np.zeros((2, 2))
    np.testing.assert_allclose(affine(images, one, zero), images, atol=1e-6)
    quarter = np.tile([[0, 1], [-1, 0]], (2, 1, 1))
    np.testing.assert_allclose(
        affine(images, quarter, zero), np.rot90(images, 1, (2, 3)), atol=1e-6
    )
    moved = affine(images, one, [[0, 2], [-1, 0]])
    np.testing.assert_allclose(moved[0, :, :, 2:], images[0, :, :, :-2], atol=1e-6)
    np.testing.assert_allclose(moved[0, :, :, :2], 0)
    np.testing.assert_allclose(moved[1, :, :-1], images[1, :, 1:], atol=1e-6)
    half = affine(images, one, [[0.5, 0], [0, 0]])
    np.testing.assert_allclose(
        half[0, :, 1:], (images[0, :, 1:] + images[0, :, :-1]) / 2, atol=1e-6
    )
    assert not affine(images, one, zero + 100).any()


def test_affine_refuses_wrong_shapes():
    with pytest.raises(ShapeError, match=r"images must be \(N, C, H, W\)"):
        affine(np.ones((2, 2)), np.eye(2)[None], np.zeros((1, 2)))
    with pytest.raises(ShapeError, match=r"need matrices \(3, 2, 2\)"):
        affine(np.ones((3, 1, 2, 2)), np.eye(2)[None], np.zeros((3, 2)))


def test_random_affine_is_seeded_and_keeps_dtype():
    images = np.random.default_rng(0).random((6, 1, 8, 8), dtype=np.float32)

    def augmented(seed):
        return RandomAffine(15, 1, 0.1, 0.1, generator=seed)(images)

    assert augmented(0).dtype == np.float32
    np.testing.assert_array_equal(augmented(0), augmented(0))
    assert (augmented(0) != augmented(1)).any()
    np.testing.assert_allclose(RandomAffine()(images), images, atol=1e-6)
    assert RandomAffine(5)(images[:0]).shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="scale must be in"):
        RandomAffine(scale=1)


@pytest.mark.parametrize("dataset", [{"x": 1, "y": 2}, {1: "a", 2: "b"}, {0: "a", 2: "b"}])
def test_a_dict_by_other_keys_is_no_dataset(dataset):
    for use in (DataLoader, lambda d: Subset(d, [0]), lambda d: random_split(d, [1, 1])):
        with pytest.raises(TypeError, match=r"dataset is a dict whose keys .*TensorDataset"):
            use(dataset)


def test_collate_promotes_as_lists_and_ops_do():
    assert collate([1, 2.5]).dtype == tt.float32
    assert collate([(1, True), (2.5, False)])[0].tolist() == [1, 2.5]
    assert collate([1j, 2]).dtype == tt.complex64
    assert collate([True, 2]).dtype == tt.int64
    assert collate([np.int64(1), np.float64(2.5)]).dtype == tt.float32
    assert collate([np.ones(2, np.float32), np.ones(2, np.int64)]).dtype == tt.float32
    assert collate([np.ones(2, np.float32), np.ones(2)]).dtype == tt.float64
    assert collate([np.ones(2, np.float16), np.ones(2, np.float16)]).dtype == tt.float16


def test_collate_keeps_a_graph():
    x = tt.tensor([1.0, 2.0], requires_grad=True)
    batch = collate([(x * 2, 0), (tt.ones(2), 1)])[0]
    assert tt.grad(batch.sum(), x)[0].tolist() == [2, 2]
    with tt.no_grad():
        assert not collate([x, x]).requires_grad
