"""Files of tensors: what is saved comes back, and what is damaged is told."""

import fcntl
import io
import json
import os
import pickle
import random
import socket
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.io.files import replaced

from .saving_race import race

pytestmark = pytest.mark.no_c


def test_a_state_dict_is_a_plain_safetensors_file(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    tt.save(tmp_path / "model.safetensors", model.state_dict(), {"epoch": "3"})
    plain = load_file(tmp_path / "model.safetensors")
    assert set(plain) == set(model.state_dict())
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other.load_state_dict(tt.load(tmp_path / "model.safetensors"))
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, model.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_training_run_comes_back(tmp_path):
    model = nn.Linear(2, 2)
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(tt.ones((1, 2))).sum().backward()
        optimizer.step()
    path = tmp_path / "run.safetensors"
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": None,
        "history": [1.5, {"x": (tt.ones(2), "note")}],
    }
    tt.save(path, state)
    loaded = tt.load(path)
    assert (loaded["epoch"], loaded["best"], loaded["history"][0]) == (3, None, 1.5)
    assert loaded["history"][1]["x"][1] == "note"
    assert loaded["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.999)
    other = nn.Linear(2, 2)
    other.load_state_dict(loaded["model"])
    resumed = optim.AdamW(other.parameters())
    resumed.load_state_dict(loaded["optimizer"])
    for m, o in ((model, optimizer), (other, resumed)):
        o.zero_grad()
        m(tt.ones((1, 2))).sum().backward()
        o.step()
    assert model.weight.tolist() == other.weight.tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(6, dtype=np.int64)[::2],
        np.array(2.5, np.float32),
        np.zeros((0, 3), np.float32),
        np.array([True, False]),
        np.arange(3, dtype=np.float16),
        np.arange(3, dtype=">f4"),
        np.arange(3, dtype=">i2"),
        np.arange(3, dtype=ml_dtypes.bfloat16),
        np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3).T,
        np.array(1.5, ml_dtypes.bfloat16),
        np.zeros((0,), ml_dtypes.bfloat16),
        np.array(True),
        np.arange(4, dtype=np.complex64)[::-1] * 1j,
        np.array([0, 2**64 - 1], np.uint64),
        np.array([-(2**63)], np.int64),
        np.array([np.nan, -0.0, np.inf, 5e-324]),
        np.broadcast_to(np.float32(3), (2, 3)),
        np.ones((1,) * 64, np.float32),
        np.zeros((0, 2**60), np.uint8),
    ],
    ids=lambda a: f"{a.dtype.str}{a.shape}",
)
def test_every_layout_and_dtype(tmp_path, array):
    tt.save(tmp_path / "x", {"x": tt.asarray(array)})
    loaded = tt.load(tmp_path / "x")["x"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.shape == array.shape
    assert loaded.dtype == array.dtype.newbyteorder("=")


def test_names_that_could_be_confused(tmp_path):
    state = {"a.b": tt.ones(1), "a": {"b": tt.zeros(1)}, 3: tt.ones(2)}
    tt.save(tmp_path / "x", state)
    loaded = tt.load(tmp_path / "x")
    assert list(loaded) == ["a.b", "a", 3]
    assert (loaded["a.b"].item(), loaded["a"]["b"].item()) == (1, 0)


@pytest.mark.parametrize(
    ("state", "kind", "match"),
    [
        ([1], TypeError, "state is a list"),
        ({"a": {"f": print}}, TypeError, "a.f is a builtin_function"),
        ({"a": np.zeros(1, complex)}, TypeError, "a is complex128"),
        ({"a": np.array(["x"])}, TypeError, "a is <U1"),
        ({(1, 2): 3}, TypeError, r"\(1, 2\)"),
        ({"a": {b"k": 3}}, TypeError, "a key of a is b'k'"),
        ({np.int64(3): 3}, TypeError, "a key of state is np.int64"),
        ({"a": np.zeros(1, "M8[s]")}, TypeError, "a is datetime64"),
        ({"a": np.zeros(1, "f4,i4")}, TypeError, "a is "),
        ({"a": np.zeros(1, np.longdouble)}, TypeError, "a is float128"),
        ({"a": np.array([None])}, TypeError, "a is object"),
        ({"a": {1, 2}}, TypeError, "a is a set"),
        ({"a": 1j}, TypeError, "a is a complex"),
    ],
)
def test_what_cannot_be_saved(tmp_path, state, kind, match):
    with pytest.raises(kind, match=match):
        tt.save(tmp_path / "x", state)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"": tt.ones(1)},
        {"a": {}, "b": [], "c": (), "d": {"e": [{}]}},
        {"__metadata__": tt.ones(2)},
        {"__metadata__": tt.ones(2), "__metadata___": tt.zeros(1)},
        {"__metadata__": {"a": 1}, "tinytensor": tt.ones(1)},
        {1: "int", "1": "string", 2.5: "float", None: "none"},
        {True: tt.ones(1), False: 0, "False": 1, "0": 2},
        {1: tt.ones(1), "1": tt.zeros(1)},
        {"\ud800": tt.ones(1), "\\ud800": tt.zeros(1), "text": "\udfff \N{SNOWMAN} \0"},
        {"numbers": [2**80, -0.0, 1e308, True, None, 7], "inf": float("inf")},
        {"scalars": [np.str_("s"), "x" * 1000]},
        {"a": [tt.ones(1), (tt.zeros(2), {"b": [None]})]},
    ],
    ids=lambda state: ascii(list(state))[:60],
)
@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"tinytensor": "hello"},
        {"tinytensor": '{"dict": []}', "tinytensor_": "x"},
        {"tinytensor__": "y", "": "", "note": "\N{SNOWMAN}"},
    ],
)
def test_what_is_saved_is_loaded(tmp_path, state, metadata):
    tt.save(tmp_path / "x", state, metadata)
    loaded = tt.load(tmp_path / "x")
    assert described(loaded) == described(state)
    load_file(tmp_path / "x")  # others can read it
    length = int.from_bytes((tmp_path / "x").read_bytes()[:8], "little")
    header = json.loads((tmp_path / "x").read_bytes()[8 : 8 + length])
    assert header.get("__metadata__", {}).items() >= (metadata or {}).items()


def described(item):
    if isinstance(item, dict):
        return [(type(key), key, described(value)) for key, value in item.items()]
    if isinstance(item, list | tuple):
        return type(item), [described(value) for value in item]
    if isinstance(item, tt.Tensor):
        return item.dtype, item.shape, item.tolist()
    return isinstance(item, str) or type(item), item


def nested(depth, kind=dict):
    state = tt.ones(1)
    for _ in range(depth - 1):
        state = {"k": state} if kind is dict else kind([state])
    return {"k": state}


@pytest.mark.parametrize("kind", [dict, list, tuple])
def test_depth_is_bounded(tmp_path, kind):
    tt.save(tmp_path / "x", nested(100, kind))
    assert described(tt.load(tmp_path / "x")) == described(nested(100, kind))
    before = (tmp_path / "x").read_bytes()
    for depth in (101, 5000):
        with pytest.raises(ValueError, match=r"save: k.* is nested more than 100 deep"):
            tt.save(tmp_path / "x", nested(depth, kind))
    assert (tmp_path / "x").read_bytes() == before


def test_what_contains_itself_is_refused(tmp_path):
    inner = {"tensor": tt.ones(1)}
    inner["list"] = [1, inner]
    with pytest.raises(ValueError, match=r"save: a\.list\.1 contains itself"):
        tt.save(tmp_path / "x", {"a": inner})
    twice = [tt.ones(1)]
    tt.save(tmp_path / "x", {"a": twice, "b": [twice, twice]})  # but this is no circle
    assert described(tt.load(tmp_path / "x")["b"]) == described([twice, twice])


def test_metadata_that_cannot_be_saved(tmp_path):
    for metadata in ({"a": 1}, {1: "a"}, [("a", "b")]):
        with pytest.raises(TypeError, match="save: metadata"):
            tt.save(tmp_path / "x", {}, metadata)
    with pytest.raises(ValueError, match="no Unicode text"):
        tt.save(tmp_path / "x", {}, {"a": "\ud800"})
    assert not list(tmp_path.iterdir())


# --- Files that are damaged, or none ---------------------------------------------------------


def test_what_cannot_be_loaded(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tt.load(path)
    with pytest.raises(FileNotFoundError) as caught:
        tt.load(path)
    assert caught.value.filename == str(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(ValueError, match="not a safetensors file"):
        tt.load(path)
    save_file({"a": np.zeros(3)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="not a safetensors file"):
        tt.load(path)
    save_file({"a": np.zeros(3)}, path, {"tinytensor": '{"dict": [["a", {"tensor": "b"}]]}'})
    with pytest.raises(ValueError, match="damaged tree"):
        tt.load(path)


def test_every_truncation_is_told(tmp_path):
    path = tmp_path / "x"
    tt.save(path, {"a": tt.ones(3), "b": [tt.zeros(2), 1]})
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=f"load: '{path}' is not a safetensors file"):
            tt.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match=f"load: '{path}' is not a safetensors file"):
        tt.load(path)


def file_of(header, content=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def entry(shape=(1,), offsets=(0, 4), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


DAMAGED = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "a header of 2⁶⁴ bytes": b"\xff" * 8 + b"{}",
    "a header of 2⁴⁰ bytes": (2**40).to_bytes(8, "little") + b"{}",
    "no header": file_of(b""),
    "not Unicode": file_of(b"\xff\xfe{\0}\0"),
    "deep": file_of(b"[" * 100_000),
    "a list": file_of([]),
    "no entry": file_of({"a": 1}),
    "no such dtype": file_of({"a": entry(dtype="F33")}, b"1234"),
    "a dtype that is a list": file_of({"a": entry(dtype=["F32"])}, b"1234"),
    "65 axes": file_of({"a": entry([1] * 65)}, b"1234"),
    "an empty array of 2⁶² rows": file_of({"a": entry([0, 2**62], [0, 0])}),
    "2⁶⁶ bytes": file_of({"a": entry([2**62, 4], [0, 2**66])}),
    "2⁴² bytes": file_of({"a": entry([2**40], [0, 2**42])}, b"1234"),
    "a negative size": file_of({"a": entry([-1])}, b"1234"),
    "a fraction for a size": file_of({"a": entry([1.0])}, b"1234"),
    "a truth for a size": file_of({"a": entry([True])}, b"1234"),
    "a number for a shape": file_of({"a": {**entry(), "shape": 1}}, b"1234"),
    "one offset": file_of({"a": entry(offsets=[0])}, b"1234"),
    "an offset before the file": file_of({"a": entry(offsets=[-4, 0])}, b"1234"),
    "offsets backwards": file_of({"a": entry(offsets=[4, 0])}, b"1234"),
    "more bytes than elements": file_of({"a": entry(offsets=[0, 8])}, b"12345678"),
    "a gap": file_of({"a": entry(offsets=[4, 8])}, b"12345678"),
    "two arrays in one place": file_of({"a": entry(), "b": entry()}, b"12345678"),
    "overlapping": file_of({"a": entry(), "b": entry(offsets=[2, 6])}, b"123456"),
    "bytes behind": file_of({"a": entry()}, b"12345678"),
    "metadata of numbers": file_of({"__metadata__": {"a": 1}}),
    "metadata that are a string": file_of({"__metadata__": "a"}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path, content):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ValueError, match=r"load: '.*broken' is not a safetensors file: "):
        tt.load(tmp_path / "broken")


def test_mutated_files_give_tensors_or_an_error_with_their_name(tmp_path):
    draw = random.Random(0)
    path = tmp_path / "mutated"
    tt.save(path, {"a": tt.ones((2, 3)), "b": [tt.zeros(2), {"c": (1, None)}]}, {"note": "x"})
    sound, told = path.read_bytes(), []
    for _ in range(2000):
        content = bytearray(sound)
        for _ in range(draw.randrange(1, 3)):
            at = draw.randrange(len(content) - 32)  # before the numbers
            content[at] = draw.choice(b'0179-.,:[]{}"\\aI\0\xff')
        path.write_bytes(content)
        try:
            tt.load(path)
        except (ValueError, tt.DtypeError) as error:
            told.append(str(error))
    assert 500 < len(told) < 1980
    assert all(f"load: '{path}'" in error for error in told)


@pytest.mark.parametrize(
    "tree",
    [
        "",
        "3",
        "[]",
        "{",
        "{}",
        '{"dict": 3}',
        '{"dict": [3]}',
        '{"dict": [["a"]]}',
        '{"dict": [[[], {"value": 1}]]}',
        '{"dict": [["a", {"value": [1]}]]}',
        '{"dict": [["a", {"value": {"a": 1}}]]}',
        '{"dict": [["a", {"tensor": "b"}]]}',
        '{"dict": [["a", {"tensor": ["a"]}]]}',
        '{"dict": [["a", {"what": 1}]]}',
        '{"dict": [["a", {"value": 1, "tensor": "a"}]]}',
        '{"dict": [["a", {"value": 1}], ["a", {"value": 2}]]}',
        '{"dict": [["a", {"list": {"value": 1}}]]}',
        '{"list": []}',
        '{"value": 1}',
        '{"dict": [["a", ' + '{"list": [' * 200 + "]}" * 200 + "]]}",
        '{"dict": [["a", ' + '{"list": [' * 100_000 + "]}" * 100_000 + "]]}",
    ],
    ids=lambda tree: tree[:60],
)
def test_damaged_trees(tmp_path, tree):
    save_file({"a": np.zeros(3)}, tmp_path / "broken", {"tinytensor": tree})
    with pytest.raises(ValueError, match=r"load: '.*broken' has a damaged tree: "):
        tt.load(tmp_path / "broken")


def test_a_dtype_that_numpy_does_not_have(tmp_path):
    (tmp_path / "x").write_bytes(file_of({"a": entry([4], dtype="F8_E4M3")}, b"1234"))
    with pytest.raises(tt.DtypeError, match=r"load: '.*x': 'a' is of F8_E4M3"):
        tt.load(tmp_path / "x")


def test_what_is_no_file(tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # a socket's path is short
        listening.bind("socket")
        os.fchdir(here)
        os.close(here)
    places = {pipe: "a pipe", folder: "a folder", "/dev/zero": "a device"}
    for path, kind in {**places, tmp_path / "socket": "a socket"}.items():
        with pytest.raises(ValueError, match=f"load: {path} is {kind}, not a file"):
            tt.load(path)
        with pytest.raises(ValueError, match=f"save: {path} is {kind}, not a file"):
            tt.save(path, {})
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tt.save(tmp_path / "nowhere" / "x", {})
    for use in (tt.load, lambda path: tt.save(path, {})):
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError):
            use(tmp_path / "file" / "x")


def test_a_large_claim_takes_no_memory(tmp_path):
    """10 GB, the file says; a sparse one of 100 MB."""
    header = file_of({"a": entry([10 * 2**30], [0, 10 * 2**30], "U8")})
    with (tmp_path / "x").open("wb") as file:
        file.write(header)
        file.truncate(100 * 2**20)
    code = f"""if True:
        import resource, tinytensor as tt
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        try:
            tt.load({str(tmp_path / "x")!r})
        except ValueError:
            print("told")"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"told\n"


# --- Writing: whole or not at all ------------------------------------------------------------


def test_threads_and_processes_save_and_load_one_path(tmp_path):
    counts = race(tmp_path, seconds=3, threads=8, processes=1)
    assert counts.wrong == []
    assert min(counts.saves, counts.loads, counts.killed) > 0


def test_a_loaded_tensor_does_not_change_with_its_file(tmp_path):
    path = tmp_path / "x"
    tt.save(path, {"a": tt.ones(100_000)})
    loaded = tt.load(path)["a"]
    with path.open("r+b") as file:
        file.truncate(0)  # of a mapped file each access would now kill the process
        file.write(b"\xff" * 1000)
    assert loaded.sum().item() == 100_000


def test_who_reads_the_old_file_reads_on(tmp_path):
    path = tmp_path / "x"
    tt.save(path, {"a": tt.ones(3)})
    with path.open("rb") as old:
        start = old.read(10)
        before = path.read_bytes()
        tt.save(path, {"b": tt.zeros(1000)})
        assert start + old.read() == before


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_the_umasks_or_the_old_files(tmp_path, umask):
    before = os.umask(umask)
    try:
        tt.save(tmp_path / "new", {})
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask
        for mode in (0o600, 0o640, 0o444, 0o755):
            (tmp_path / "new").chmod(mode)
            tt.save(tmp_path / "new", {"a": tt.ones(1)})
            assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(tmp_path):
    path = tmp_path / "x"
    path.touch()
    os.chown(path, 12, 34)
    tt.save(path, {})
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)


def test_a_symlink_stays_and_its_target_is_written(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(there / "target")
    for number in range(2):  # first the target is not there
        tt.save(tmp_path / "one", {"number": number})
        assert (tmp_path / "one").is_symlink()
        assert (tmp_path / "two").is_symlink()
        assert not (there / "target").is_symlink()
        assert tt.load(there / "target") == tt.load(tmp_path / "one") == {"number": number}
    assert [path.name for path in there.iterdir()] == ["target"]
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        tt.save(tmp_path / "a", {})
    assert (tmp_path / "a").is_symlink()


def test_the_longest_name_can_be_saved(tmp_path):
    tt.save(tmp_path / ("x" * 255), {"a": 1})
    assert tt.load(tmp_path / ("x" * 255)) == {"a": 1}


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    tt.save(path, {"a": 1})

    def interrupted():
        with replaced(path, "save") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tt.load(path) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_content_and_name_are_on_the_disk_in_this_order(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        size = os.fstat(descriptor).st_size
        assert calls[-1] == "folder" or size > 4000  # nothing waits in Python's buffer
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("name"), replace(*paths)))
    tt.save(tmp_path / "x", {"a": tt.ones(1000)})
    assert calls == ["file", "name", "folder"]


def test_what_a_killed_save_left_is_removed_and_a_living_one_is_not(tmp_path):
    code = f"""if True:
        import os, signal
        from tinytensor.io.files import replaced
        with replaced({str(tmp_path / "other")!r}, "save") as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)"""
    subprocess.run([sys.executable, "-c", code])
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"half"
    alike = [tmp_path / ".tinytensor-x.tmp", tmp_path / "x.tmp", tmp_path / f"{left.name}.tmp"]
    for path in alike:
        path.touch()
    with replaced(tmp_path / "living", "save") as file:
        file.write(b"whole")
        tt.save(tmp_path / "x", {"a": 1})
        unfinished = [path for path in tmp_path.iterdir() if path.name.startswith(".tiny")]
        assert left not in unfinished
        assert len(set(unfinished) - set(alike)) == 1  # the living one's
    assert (tmp_path / "living").read_bytes() == b"whole"
    assert set(tmp_path.iterdir()) == {tmp_path / "living", tmp_path / "x", *alike}


def test_a_file_that_is_removed_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    flock, removed = fcntl.flock, []

    def slow(descriptor, how):
        if how == fcntl.LOCK_EX and not removed:
            (path,) = tmp_path.iterdir()
            removed.append(path)
            path.unlink()
        return flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    tt.save(tmp_path / "x", {"a": 1})
    assert removed
    assert tt.load(tmp_path / "x") == {"a": 1}


def test_a_path_may_be_relative_and_of_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tt.save("x", {"a": 1})
    assert tt.load(Path("x")) == {"a": 1}
    tt.save(b"y", {"a": 2})
    assert tt.load(b"y") == {"a": 2}


def test_files_of_other_programs_are_told_by_name(tmp_path):
    path, stream = tmp_path / "model", io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("hello.txt", "hello")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("hello.txt"))
    for content, what in (
        (
            pickle.dumps(tt.nn.Linear(1, 1)),
            "it is a pickle, not .* by the version that wrote it",
        ),
        (pickle.dumps([1, 2]), "it is a pickle, not .* by the version that wrote it"),
        (stream.getvalue(), "a zip archive that is neither of torch.save .* nor of np.savez"),
        (tar.getvalue(), "a tar archive without 'storages'"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"load: '{path}': {what}"):
            tt.load(path)
