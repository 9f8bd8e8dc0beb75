"""NumPy's files: arrays of numbers come back, all else is refused by name."""

import io
import struct
import subprocess
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

import tinytensor as tt

pytestmark = pytest.mark.no_c

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    np.arange(6, dtype=">i2"),
    np.arange(3, dtype=">c8") * 1j,
    np.array([True, False]),
    np.array(2.5, np.float16),
    np.zeros((0, 2**40), np.uint8),
    np.zeros((3, 0, 2), np.float32, order="F"),
    *(np.arange(3).astype(code) for code in ("u1", "u2", "u4", "u8", "i1", "i4", "f4", "c16")),
]


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), **options)
    return file.getvalue()


def loaded(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    return tt.load(tmp_path / "x")


def assert_same(found, array):
    np.testing.assert_array_equal(found.numpy(), array)
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.numpy().flags.writeable


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_arrays(tmp_path, array, version):
    assert_same(loaded(tmp_path, npy(array, version=version)), array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("as_file", [False, True])
def test_archives(tmp_path, save, as_file):
    arrays = {f"array/{i}": array for i, array in enumerate(ARRAYS)}
    save(tmp_path / "x.npz", **arrays)
    with (tmp_path / "x.npz").open("rb") as file:
        found = tt.load(file if as_file else tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert_same(found[name], array)
    np.savez(tmp_path / "empty.npz")
    assert tt.load(tmp_path / "empty.npz") == {}


def test_numbers_that_python_2_wrote(tmp_path):
    content = npy(np.ones((2, 3))).replace(b"(2, 3), }  ", b"(2L, 3L), }")
    assert loaded(tmp_path, content).shape == (2, 3)


def test_a_member_of_an_archive_is_a_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("package/x.npy", npy(np.arange(3)))
    with zipfile.ZipFile(tmp_path / "x.whl") as wheel, wheel.open("package/x.npy") as file:
        assert tt.load(file).tolist() == [0, 1, 2]
    with (
        zipfile.ZipFile(tmp_path / "x.whl") as wheel,
        wheel.open("package/x.npy") as file,
        pytest.raises(TypeError, match=r"load: path is a TextIOWrapper, neither a path"),
    ):
        tt.load(io.TextIOWrapper(file))


class Unseekable(io.RawIOBase):
    def __init__(self, content):
        self.rest = content

    def readable(self):
        return True

    def readinto(self, into):
        count = min(len(into), len(self.rest), 5)
        into[:count], self.rest = self.rest[:count], self.rest[count:]
        return count


def test_a_stream_that_cannot_go_back():
    assert tt.load(Unseekable(npy(np.arange(3)))).tolist() == [0, 1, 2]
    assert tt.load(io.BufferedReader(Unseekable(npy(np.arange(3))))).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"load: an Unseekable is not a safetensors file"):
        tt.load(Unseekable(b"hello"))


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.array([None, {}]), "objects of Python, which only running code could make"),
        (np.array(["a", "bc"]), "'<U2', not numbers"),
        (np.array([b"a"]), "'|S1', not numbers"),
        (np.zeros(2, "f4,i4"), r"records, \[\('f0', '<f4'\)"),
        (np.zeros(2, "M8[s]"), "M8"),
        (np.zeros(2, np.longdouble), "f16', not numbers"),
        (np.zeros(2, ml_dtypes.bfloat16), "V2', not numbers"),
    ],
    ids=lambda value: str(getattr(value, "dtype", ""))[:9],
)
def test_what_no_tensor_has(tmp_path, array, match):
    with pytest.raises(tt.DtypeError, match=f"load: '.*x': its elements are .*{match}"):
        loaded(tmp_path, npy(array))
    np.savez(tmp_path / "x.npz", a=np.ones(2), b=array)
    with pytest.raises(tt.DtypeError, match=f"load: '.*x.npz': 'b': its elements are .*{match}"):
        tt.load(tmp_path / "x.npz")


def file_of(header, content=b"\0" * 24, version=b"\1\0"):
    header = header if isinstance(header, bytes) else repr(header).encode()
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + content


def header(shape=(6,), descr="<f4", order=False, **more):
    return {"descr": descr, "fortran_order": order, "shape": shape, **more}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\x93NUMPY", "not an .npy file"),
        (b"\x93NUMPY\1\0\1", "not an .npy file"),
        (b"\x93NUMPY\1\0\xff\xff{", "truncated within its header"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{", "truncated within its header"),
        (file_of(header(), version=b"\4\0"), "version 4.0 of .npy"),
        (file_of(header())[:-1], "24 bytes; 23 follow"),
        (file_of(header()) + b"1", "24 bytes; 25 follow"),
        (file_of(b"[" * 9999), "its header is no dict"),
        (file_of(b"-" * 9999 + b"1"), "its header is no dict"),
        (file_of(b" " * 10_001), "10001 bytes, more than 10000"),
        (file_of(b"__import__('os').system('true')"), "its header is no dict"),
        (file_of(b"\xff", version=b"\3\0"), "its header is no dict"),
        (file_of([1]), r"its header is \[1\]"),
        (file_of(header(more=1)), "its header is {"),
        (file_of(header(order=1)), "its header is {"),
        (file_of(header([6])), "its header is {"),
        (file_of(header((6.0,))), "not a list of whole numbers"),
        (file_of(header((True, 6))), "not a list of whole numbers"),
        (file_of(header((-6,))), "no array can have"),
        (file_of(header((2**40,))), "4398046511104 bytes; 24 follow"),
        (file_of(header((2**62, 2))), "no array can have"),
        (file_of(header((0, 2**62)), b""), "no array can have"),
        (file_of(header((1,) * 65)), "65 axes"),
    ],
)
def test_what_is_damaged(tmp_path, content, match):
    with pytest.raises(ValueError, match=f"load: '.*x': .*{match}"):
        loaded(tmp_path, content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=f"load: '.*x.npz': 'a': .*{match}"):
        tt.load(tmp_path / "x.npz")


def test_a_bomb_takes_no_memory(tmp_path):
    """A compressed megabyte that claims 1 GB, and holds a little more."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 2**20)
    content = bytearray(file.getvalue())
    at = content.index(b"PK\1\2")
    content[at + 24 : at + 28] = struct.pack("<I", 2**20 - 1)
    (tmp_path / "more.npz").write_bytes(content)
    content[at + 24 : at + 28] = struct.pack("<I", 2**20 + 1)
    (tmp_path / "less.npz").write_bytes(content)
    content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)
    (tmp_path / "far.npz").write_bytes(content)
    code = f"""if True:
        import resource, tinytensor as tt
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        for name in ("more", "less", "far"):
            try:
                tt.load(f"{tmp_path}/{{name}}.npz")
            except ValueError as error:
                print(error)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    more, less, far = run.stdout.splitlines()
    assert "inflates to more than the 1048575 bytes that it claims" in more
    assert "inflates to 1048576 bytes, not the 1048577 that it claims" in less
    assert "4294967294 bytes cannot be deflated to" in far
