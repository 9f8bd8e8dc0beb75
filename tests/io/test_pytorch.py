"""Files of torch.save's layouts that are made by hand: sound ones, and such as lie."""

import pickle
import struct
import zipfile

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.train.checkpoints import read_checkpoint

from .pickled import (
    FLOATS,
    ORDERED,
    REBUILD,
    Global,
    Persistent,
    _pickled,
    pickled,
    stored,
    stream_of,
    tar_of,
    tensor,
    zip_of,
)

pytestmark = pytest.mark.no_c

SIX = np.arange(6, dtype="<f4")
BYTES = [SIX.tobytes()]
KINDS = {"zip": zip_of, "stream": stream_of}
LAYOUTS = pytest.mark.parametrize("layout", KINDS)


def loaded(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    return tt.load(tmp_path / "x.pt")


def of(layout, item, storages=BYTES, **options):
    return KINDS[layout](item, storages, **options)


def one(layout, *arguments, **options):
    """A file whose object is a dict with one tensor, on a storage of 0.0 … 5.0."""
    return of(layout, {"w": tensor(stored(stream=layout == "stream"), *arguments, **options)})


@LAYOUTS
def test_a_state_dict(tmp_path, layout):
    storage = stored(stream=layout == "stream")
    data = {
        "w": tensor(storage),
        "turned": tensor(storage, (3, 2), (1, 3)),
        "row": tensor(storage, (3,), (1,), 3),
        "grad": tensor(storage, (), (), 5, True),
        "none": tensor(storage, (0, 9), (9, 1), 6),
        "wide": tensor(storage, (2**40,), (0,), 2),
        "epoch": 3,
    }
    found = loaded(tmp_path, of(layout, data))
    assert type(found) is dict
    assert found["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["row"].tolist() == [3, 4, 5]
    assert (found["grad"].item(), found["grad"].requires_grad) == (5, True)
    assert (found["none"].shape, found["epoch"]) == ((0, 9), 3)
    assert (found["wide"].shape, found["wide"][-1].item()) == ((2**40,), 2)
    found["w"][1, 0] = 30.0
    assert found["row"].tolist() == [30, 4, 5]
    model = tt.nn.Linear(3, 2, bias=False)
    model.load_state_dict({"weight": found["w"]})
    assert model.weight.tolist() == [[0, 1, 2], [30, 4, 5]]


@pytest.mark.parametrize(
    ("name", "code"), [("Float", "f4"), ("Double", "f8"), ("Long", "i8"), ("ComplexFloat", "c8")]
)
@pytest.mark.parametrize("order", ["little", "big", ""])
def test_byte_orders(tmp_path, name, code, order):
    numbers = np.arange(6).astype(("<" if order != "big" else ">") + code)
    kind = Global("torch", f"{name}Storage")
    content = zip_of({"w": tensor(stored(kind=kind))}, [numbers.tobytes()], order)
    assert loaded(tmp_path, content)["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_bools_are_0_or_1(tmp_path):
    kind = Global("torch", "BoolStorage")
    found = loaded(tmp_path, zip_of(tensor(stored(kind=kind)), [bytes([0, 1, 2, 255, 0, 128])]))
    assert found.numpy().view(np.uint8).tolist() == [[0, 1, 1], [1, 0, 1]]


def test_a_compressed_archive_and_a_prefix_of_any_depth(tmp_path):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        content = zip_of(tensor(stored()), BYTES, method=method, folder="any name")
        assert loaded(tmp_path, content).tolist() == [[0, 1, 2], [3, 4, 5]]
    content = zip_of(tensor(stored()), BYTES, method=zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match="compressed by method 12, not by deflate"):
        loaded(tmp_path, content)


def test_as_many_tensors_as_a_large_optimizer_has(tmp_path):
    """In a list, each in no more bytes than PyTorch takes, which notes everything it makes."""
    noted = b"r\x06\0\0\0"
    steps = b"(h\1h\2h\3h\4K\6t", b"QK\0K\2\x85", b"K\1\x85", b"\x89h\5)R", b"tR", b""
    one = b"h\0(" + noted.join(steps)
    begin = b"\x80\2](" + b"".join(
        _pickled(item) + b"q" + bytes([i]) + b"0"
        for i, item in enumerate((REBUILD, "storage", FLOATS, "0", "cpu", ORDERED))
    )
    found = loaded(tmp_path, zip_of(begin + one * 50_000 + b"e.", BYTES))
    assert len(found) == 50_000
    assert found[-1].tolist() == [0, 1]


def test_parts_of_storages(tmp_path):
    part = Persistent(("storage", FLOATS, "0", "cpu", 6, ("1", 2, 3)))
    content = of("stream", [tensor(part, (3,), (1,))])
    assert loaded(tmp_path, content)[0].tolist() == [2, 3, 4]
    for offset, shape in ((0, (4,)), (1, (3,))):
        with pytest.raises(ValueError, match=r"x\.pt': '0': its element 5 lies beyond its stor"):
            loaded(tmp_path, of("stream", [tensor(part, shape, (1,), offset)]))


LIES = {
    "beyond": (((7,), (1,)), "its element 6 lies beyond its storage of 6"),
    "strides": (((2, 3), (4, 1)), "its element 6 lies beyond"),
    "far strides": (((2, 2), (2**62, 1)), "its element 4611686018427387905 lies beyond"),
    "offset": (((2,), (1,), 5), "its element 6 lies beyond"),
    "far offset": (((1,), (1,), 2**62), "lies beyond"),
    "negative offset": (((1,), (1,), -1), "shape, strides and offset are"),
    "negative stride": (((2,), (-1,), 5), "shape, strides and offset are"),
    "negative shape": (((-2,), (1,)), "shape, strides and offset are"),
    "a fraction": (((2.0,), (1,)), "shape, strides and offset are"),
    "a truth": (((True,), (1,)), "shape, strides and offset are"),
    "a huge offset": (((1,), (1,), 2**63), "shape, strides and offset are"),
    "a list": (([2], [1]), r"shape \[2\] has strides \[1\]"),
    "ranks": (((2, 3), (1,)), "has strides"),
    "65 axes": (((1,) * 65, (1,) * 65), "65 axes"),
    "2⁶⁴ elements": (((2**62, 4), (0, 0)), "no array can have"),
    "no elements of 2⁶⁴": (((0, 2**62, 4), (1, 1, 1)), "no array can have"),
    "metadata": (((1,), (1,), 0, False, {"what": True}), "has metadata"),
    "more metadata": (((1,), (1,), 0, False, 7), "has metadata"),
}


@LAYOUTS
@pytest.mark.parametrize(("arguments", "match"), LIES.values(), ids=LIES)
def test_tensors_that_lie(tmp_path, layout, arguments, match):
    with pytest.raises(ValueError, match=rf"load: '.*x\.pt': .*{match}"):
        loaded(tmp_path, one(layout, *arguments))


def named(module, name, *arguments):
    return {"a": Global(module, name)(*arguments)}


REFUSED = {
    "code": (named("os", "system", "true"), "it asks for os.system. Tensors and plain"),
    "getattr": (named("builtins", "getattr", 1, "a"), "it asks for builtins.getattr"),
    "a module": (named("torch.nn.modules.linear", "Linear"), r"linear\.Linear\. .*state_dict\(\)"),
    "bytes by torch": (named("torch.storage", "_load_from_bytes", b""), "_load_from_bytes"),
    "a name itself": ({"a": Global("torch", "Size")}, "asks for torch.Size itself"),
    "a storage's class": ({"a": FLOATS}, "'a': it is a Kind, no data"),
    "a storage": ({"a": [stored()]}, "'a.0': it is a storage without a tensor"),
    "a storage called": ({"a": FLOATS(3)}, "calls a Kind"),
    "no storage": ({"a": tensor(3)}, "lies on an int, not a storage"),
    "an id of text": ({"a": Persistent("storage")}, "a persistent id is 'storage'"),
    "a long id": ({"a": Persistent(("storage", FLOATS, "0", "cpu", 6, 7))}, "a persistent id is"),
    "another id": ({"a": Persistent(("module", FLOATS, "0", "cpu", 6))}, "a persistent id is"),
    "a kind": ({"a": Persistent(("storage", "f4", "0", "cpu", 6))}, "a storage is"),
    "a tensor's kind": (
        {"a": Persistent(("storage", Global("torch", "FloatTensor"), "0", "cpu", 6))},
        "a storage is",
    ),
    "a key": ({"a": Persistent(("storage", FLOATS, (0,), "cpu", 6))}, "a storage is"),
    "a size": ({"a": tensor(stored(size=-1))}, "a storage has -1 elements"),
    "a size of text": ({"a": tensor(stored(size="6"))}, "a storage has '6' elements"),
    "another size": ({"a": tensor(stored(size=5))}, "data/0' of the zip .* 24 bytes, not 20"),
    "a huge size": ({"a": tensor(stored(size=2**60))}, "24 bytes, not 4611686018427387904"),
    "no such storage": ({"a": tensor(stored("7"))}, "there is no 'archive/data/7' in the zip"),
    "a way out": (
        {"a": tensor(stored("../data.pkl"))},
        "24|there is no 'archive/data/../data.pkl'",
    ),
    "a parameter": (
        named("torch._utils", "_rebuild_parameter", 3, True, {}),
        "parameter is an int",
    ),
    "a size of lists": (named("torch", "Size", [1, 2]), "a size is"),
    "a complex": (named("builtins", "complex", "1"), "complex number is made of"),
    "a sparse tensor": (named("torch._utils", "_rebuild_sparse_tensor", 1, 2), "a sparse tensor"),
    "a subclass": (
        named("torch._tensor", "_rebuild_from_type_v2", REBUILD, 3, (), {}),
        "class that is not PyTorch's",
    ),
    "a class of text": (
        named("torch._tensor", "_rebuild_from_type_v2", "os.system", FLOATS, (), {}),
        "class that is not PyTorch's",
    ),
    "bytes of a number": (named("builtins", "bytearray", 2**40), "bytes are made of an int"),
    "bytes of text": (named("builtins", "bytes", "a", "rot13"), "bytes are made of a str"),
    "a dict's maker": (named("builtins", "dict"), "makes for new keys is no data"),
    "an int that wants a gradient": (
        {"a": tensor(stored(kind=Global("torch", "IntStorage")), grad=True)},
        "'a': a tensor of int32 requires a gradient",
    ),
    "float8": (
        {"a": tensor(stored(kind=Global("torch", "QInt8Storage")))},
        "'a': it is of qint8, a dtype that NumPy does not have",
    ),
}


@pytest.mark.parametrize(("item", "match"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(tmp_path, item, match):
    with pytest.raises((ValueError, tt.DtypeError), match=rf"load: '.*x\.pt': .*({match})"):
        loaded(tmp_path, of("zip", item))


def test_one_storage_has_one_dtype(tmp_path):
    both = [tensor(stored()), tensor(stored(kind=Global("torch", "IntStorage")))]
    assert loaded(tmp_path, of("zip", both))[1].dtype == tt.float32  # as PyTorch: the first
    untyped = stored(size=24, kind=Global("torch.storage", "UntypedStorage"))
    third = Global("torch._utils", "_rebuild_tensor_v3")

    def typed(name):
        return third(untyped, 0, (2,), (1,), False, ORDERED(), Global("torch", name))

    found = loaded(tmp_path, of("zip", [typed("uint16"), typed("uint16")]))
    assert np.shares_memory(found[0].numpy(), found[1].numpy())
    with pytest.raises(ValueError, match="'1': two tensors of different dtypes lie on one storage"):
        loaded(tmp_path, of("zip", [typed("uint16"), typed("float32")]))


def test_views_are_no_way_to_multiply_memory(tmp_path):
    kind = Global("torch", "ComplexFloatStorage")
    ways = [{"conj": True}, {"neg": True}, {"conj": True, "neg": True}]
    items = [tensor(stored(size=3, kind=kind), (2**40,), (0,), 1, False, way) for way in ways]
    for way, item in zip((np.conj, np.negative), items[:2], strict=True):
        found = loaded(tmp_path, of("zip", [item]))[0]
        assert found.shape == (2**40,)
        assert found[0].item() == way(SIX.view("<c8"))[1]
    with pytest.raises(ValueError, match="of more than two kinds of views"):
        loaded(tmp_path, of("zip", items))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (stream_of({}, version=1000), "version 1000 of torch.save"),
        (stream_of([tensor(stored(stream=True))], BYTES, ["1"]), "key is '1'"),
        (stream_of([tensor(stored(stream=True))], BYTES, []), "keys are \\[\\]"),
        (stream_of([tensor(stored(stream=True))], BYTES, 5), "keys are 5"),
        (stream_of([tensor(stored(stream=True))], [SIX.tobytes()[:20]]), "of 6 elements has 5"),
        (stream_of([tensor(stored(stream=True))], BYTES) + b"1", "1 bytes follow"),
        (stream_of([tensor(stored(stream=True))], BYTES)[:-1], "truncated: 24 bytes"),
        (stream_of(pickle.dumps(print)), "it asks for builtins.print"),
        (pickled(3), "it is a pickle, not a file of torch.save"),
    ],
)
def test_streams_that_lie(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf"load: '.*x\.pt': .*{match}"):
        loaded(tmp_path, content)


OLD = ({"a": Persistent("11")}, [(1, FLOATS, 6, SIX.tobytes())], [], [(11, 1, (6,), (1,), 0)])


@pytest.mark.parametrize(
    ("part", "value", "match"),
    [
        (0, {"a": Persistent("12")}, "pickle: .* no tensor or storage '12'"),
        (0, {"a": Persistent("one")}, "pickle: .*invalid literal"),
        (0, named("os", "system", "true"), "pickle: .*it asks for os.system. Tensors"),
        (1, [(1, FLOATS, 7, SIX.tobytes())], "storages: at byte 76: there is no mark"),
        (1, [(1, FLOATS, 2**40, SIX.tobytes())], "storages: it is truncated: 4398046511104 bytes"),
        (1, [(1, 3, 6, SIX.tobytes())], "storages: a storage is an int"),
        (2, [(2, 7, 0, 1)], "storages: a part of a storage is"),
        (2, [(2, 1, -1, 1)], "storages: a part of a storage is"),
        (3, [(11, 9, (6,), (1,), 0)], "tensors: a tensor lies on a NoneType"),
        (3, [(11, 1, (7,), (1,), 0)], "'a': its element 6 lies beyond"),
        (3, [(11, 1, (1,), (1,), -1)], "tensors: a tensor's shape, strides and offset are"),
    ],
)
def test_the_oldest_layout_that_lies(tmp_path, part, value, match):
    assert loaded(tmp_path, tar_of(*OLD))["a"].tolist() == SIX.tolist()
    parts = [*OLD[:part], value, *OLD[part + 1 :]]
    with pytest.raises(ValueError, match=rf"load: '.*x\.pt': {match}"):
        loaded(tmp_path, tar_of(*parts))


def test_a_file_of_none_of_the_formats(tmp_path):
    for content in (b"", b"hello", b"GIF89a" + bytes(600), b"\x80\xff" * 20):
        with pytest.raises(
            ValueError, match=r"x\.pt'.*(nor is it of torch.save|it is a pickle, not)"
        ):
            loaded(tmp_path, content)


def test_a_checkpoint_is_of_safetensors_alone(tmp_path):
    """Its checksum is of all elements, and here a tensor of strides 0 has 2⁴⁰."""
    item = {"a": tensor(stored(), (2**40,), (0,)), "checksum": 0, "version": 1}
    assert loaded(tmp_path, zip_of(item, BYTES))["a"].shape == (2**40,)
    with pytest.raises(ValueError, match=r"load: '.*x\.pt' is not a safetensors file"):
        read_checkpoint(tmp_path / "x.pt")


# --- Zip archives ----------------------------------------------------------------------------


def patched(content, before, after, which=0):
    """``content`` with another value behind the ``which``th signature ``before``."""
    at = -1
    for _ in range(which + 1):
        at = content.index(before, at + 1)
    offset, value = after
    return content[: at + offset] + value + content[at + offset + len(value) :]


def test_numbers_of_64_bits(tmp_path, monkeypatch):
    """As in archives beyond 4 GB, which nobody wants to write in a test."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    content = zip_of(tensor(stored()), BYTES)
    assert b"PK\6\6" in content
    assert content.count(b"\xff" * 8) >= 3
    assert loaded(tmp_path, content).tolist() == [[0, 1, 2], [3, 4, 5]]
    for at, match in ((48, "a directory of"), (32, "members, more than"), (0, "no b'PK")):
        broken = patched(content, b"PK\6\6", (at, b"\xff" * 7))
        with pytest.raises(ValueError, match=rf"not a sound zip archive: .*{match}"):
            loaded(tmp_path, broken)


SOUND = zip_of(tensor(stored()), BYTES)
PACKED = zip_of(tensor(stored()), BYTES, method=zipfile.ZIP_DEFLATED)
ENTRY, LOCAL, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"
DAMAGED = {
    "no end": (SOUND[:-22], "not a sound zip archive: it is truncated"),
    "half": (SOUND[: len(SOUND) // 2], "not a sound zip archive: it is truncated"),
    "members": (
        patched(SOUND, END, (10, b"\x05\0")),
        "directory is damaged at member 3|has 5 memb",
    ),
    "2¹⁶ members": (patched(SOUND, END, (10, b"\xff\xff")), "directory of .* bytes has 65535"),
    "far": (patched(SOUND, END, (16, b"\xff\xff\xff\0")), "a directory of"),
    "elsewhere": (patched(SOUND, END, (16, b"\1\0\0\0")), "directory is damaged at member 0"),
    "encrypted": (patched(SOUND, ENTRY, (8, b"\1\0")), "is encrypted"),
    "size": (patched(SOUND, ENTRY, (24, b"\xff\xff\0\0")), "65535 bytes are stored in"),
    "64 bits": (patched(SOUND, ENTRY, (24, b"\xff" * 4)), "lacks a number of 64 bits"),
    "overlap": (patched(SOUND, ENTRY, (20, b"\xff\xff\0\0")), "overlaps with what follows"),
    "offset": (patched(SOUND, ENTRY, (42, b"\0\1\0\0"), 1), "overlaps with|no b'PK"),
    "method": (patched(SOUND, ENTRY, (10, b"\x0e\0")), "compressed by method 14"),
    "checksum": (patched(SOUND, ENTRY, (16, b"\1\2\3\4"), 2), "data/0' .*its checksum is another"),
    "name": (patched(SOUND, LOCAL, (30, b"x")), "its header calls it"),
    "extra": (patched(SOUND, LOCAL, (28, b"\xff\xff")), "overlaps with what follows|bytes at"),
    "bytes": (patched(SOUND, SIX.tobytes(), (0, b"\1")), "data/0' .*its checksum is another"),
    "bomb": (patched(PACKED, ENTRY, (24, b"\0\0\0\xf0")), "cannot be deflated to"),
    "larger": (patched(PACKED, ENTRY, (24, b"\x20\0\0\0"), 2), "data/0' .*24 bytes, not|32 bytes"),
    "order": (zip_of(tensor(stored()), BYTES, "middle"), "its byte order is b'middle'"),
    "twice": (zip_of([], BYTES * 2).replace(b"data/1", b"data/0"), "it has 'archive/data/0' twice"),
}


@pytest.mark.parametrize(("content", "match"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_archives(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf"load: '.*x\.pt': .*({match})"):
        loaded(tmp_path, content)


def test_two_members_do_not_share_bytes(tmp_path):
    """A bomb of many names for one compressed megabyte."""
    names = ["archive/data.pkl", *(f"archive/data/{i}" for i in range(9))]
    content = PACKED[: PACKED.index(ENTRY)]
    entry = PACKED[PACKED.index(ENTRY) :]
    entries = b"".join(
        entry[:28] + struct.pack("<H", len(name)) + entry[30:46] + name.encode() for name in names
    )
    end = struct.pack("<4s4H2LH", END, 0, 0, len(names), len(names), len(entries), len(content), 0)
    with pytest.raises(ValueError, match="overlaps with what follows it"):
        loaded(tmp_path, content + entries + end)


def test_a_deep_pickle_and_many_objects(tmp_path):
    deep = b"\x80\x02" + b"]" * 200 + b"a" * 199 + b"."
    many = b"\x80\x02ccollections\nOrderedDict\nq\0](" + b"h\0)R" * 200_000 + b"e."
    for content, match in ((deep, "nested more than 100"), (many, "more containers than")):
        with pytest.raises(ValueError, match=rf"archive/data.pkl: at byte \d+: .*{match}"):
            loaded(tmp_path, zip_of(content))


def test_what_would_be_told_of_it_takes_no_time(tmp_path):
    """A pair of a pair of … whose text would not fit into any memory."""
    pairs = b"N" + b"2\x86" * 100
    for before in (b"ctorch._utils\n_rebuild_tensor_v2\n(", b"", b"ctorch\nSize\n(", b"}"):
        after = b"Q" if not before else b"K\1s" if before == b"}" else b"2222tR"
        with pytest.raises(ValueError, match=r"archive/data.pkl: at byte \d+: "):
            loaded(tmp_path, zip_of(b"\x80\2" + before + pairs + after + b"."))


def test_call_with_a_list_copies_no_more_than_it_holds(tmp_path):
    numbers = b"(" + b"".join(b"M" + struct.pack("<H", i) for i in range(3000)) + b"l"
    content = b"\x80\x02c__builtin__\nset\nq\0" + numbers + b"q\1](" + b"h\0h\1\x85R" * 500 + b"e."
    with pytest.raises(ValueError, match="set for more bytes than it holds"):
        loaded(tmp_path, zip_of(content))


def test_what_is_no_path():
    for path in (5, None, True, 2.5, ["x"]):
        with pytest.raises(TypeError, match=r"load: path is an? .*, neither a path nor a file"):
            tt.load(path)
    from tinytensor.data.idx import read_idx

    with pytest.raises(TypeError, match="read_idx: path is an int, not a path"):
        read_idx(0)
