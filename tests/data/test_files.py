"""Pictures in folders, CSV, NPZ and mapped IDX: what they give, and how a broken file is told."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinytensor as tt
from tinytensor.data import (
    CSVDataset,
    CSVRows,
    DataLoader,
    ImageFolder,
    Resize,
    TensorDataset,
    lfw,
    mnist,
    npz,
    olivetti,
    read_csv,
    read_idx,
    read_image,
    read_lfw_pairs,
)
from tinytensor.errors import DtypeError, ShapeError

pytestmark = pytest.mark.no_c


def picture(path: Path, size: tuple[int, int] = (5, 4), mode: str = "RGB", seed: int = 0):
    """Write a picture of (width, height), and return its pixels (H, W[, C])."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


# --- Pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["png", "ppm", "bmp", "tiff"])
def test_read_image(tmp_path, extension):
    path = tmp_path / f"x.{extension}"
    pixels = picture(path)
    image = read_image(path)
    np.testing.assert_array_equal(image, np.moveaxis(pixels, 2, 0))
    assert image.flags.c_contiguous
    assert read_image(path, "L").shape == (1, 4, 5)
    assert read_image(path, "RGBA")[3].min() == 255
    with pytest.raises(ValueError, match="mode must be one of L, RGB, RGBA, not 'CMYK'"):
        read_image(path, "CMYK")


@pytest.mark.parametrize("extension", ["png", "jpg", "pgm", "gif"])
def test_broken_pictures_are_named(tmp_path, extension):
    path = tmp_path / f"x.{extension}"
    picture(path, (40, 40), "L")
    content, rng = path.read_bytes(), np.random.default_rng(0)
    broken = [content[: len(content) * part // 8] for part in range(6)] + [b"hello", b"%!PS-Adobe"]
    for _ in range(150):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[rng.integers(len(changed), size=3)] = rng.integers(0, 256, 3)
        broken.append(changed.tobytes())
    told = 0
    for one in broken:
        path.write_bytes(one)
        try:
            assert read_image(path, "L").ndim == 3
        except ValueError as error:
            assert str(error).startswith(f"read_image: {path}: ")  # noqa: PT017
            told += 1
    assert told >= 8
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)


def png(size, depth, colours, interlaced, rows, pieces=1):
    """A PNG whose stream has ``rows``, in so many IDAT chunks."""
    packed = zlib.compress(rows)
    step = -(-len(packed) // pieces)
    chunks = [(b"IHDR", struct.pack(">2L5B", *size, depth, colours, 0, 0, interlaced))]
    chunks += [(b"PLTE", bytes(768))] * (colours == 3)
    chunks += [(b"IDAT", packed[i : i + step]) for i in range(0, len(packed), step)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    )


ADAM7 = "16462646 77777777 56565656 77777777 36463646 77777777 56565656 77777777"


@pytest.mark.parametrize(("depth", "colours"), [(1, 0), (4, 3), (8, 0), (16, 0), (8, 2), (8, 6)])
@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (9, 8)])
@pytest.mark.parametrize("value", [0, 255])
def test_every_row_of_a_png_is_there(tmp_path, size, depth, colours, interlaced, value):
    """Pillow leaves what is missing black, and says nothing."""
    bits = depth * {0: 1, 3: 1, 2: 3, 6: 4}[colours]
    passes = [size]
    if interlaced:  # the sizes of the passes, counted
        tiled = np.tile([[*map(int, line)] for line in ADAM7.split()], (2, 2))[: size[1], : size[0]]
        where = [np.argwhere(tiled == number) for number in range(1, 8)]
        passes = [(len({*w[:, 1]}), len({*w[:, 0]})) for w in where if len(w)]
    rows = b"".join((b"\0" + bytes([value]) * -(-w * bits // 8)) * h for w, h in passes)
    path = tmp_path / "x.png"
    path.write_bytes(png(size, depth, colours, interlaced, rows, pieces=3))
    assert read_image(path).shape == (3, size[1], size[0])
    last = 1 + -(-passes[-1][0] * bits // 8)
    path.write_bytes(png(size, depth, colours, interlaced, rows[:-last]))
    with pytest.raises(ValueError, match=rf"x\.png: .*({len(rows)}|truncated|broken)"):
        read_image(path)


def test_a_png_that_claims_more_than_deflate_can_make(tmp_path):
    (tmp_path / "x.png").write_bytes(png((8, 8_000_000), 8, 0, 0, bytes(72)))
    with pytest.raises(ValueError, match=r"x\.png: .*8 × 8000000 pixels cannot be deflated to"):
        read_image(tmp_path / "x.png")


def test_image_folder(tmp_path):
    first = picture(tmp_path / "b" / "2.PNG", seed=1)
    second = picture(tmp_path / "b" / "deeper" / "1.png", seed=2)
    third = picture(tmp_path / "a" / "x.bmp", seed=3)
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    (tmp_path / "loose.png").write_text("in no class")
    data = ImageFolder(tmp_path)
    assert data.classes == ["a", "b"]
    assert data.class_to_idx == {"a": 0, "b": 1}
    assert data.targets == [0, 1, 1]
    assert [Path(path).name for path, _ in data.imgs] == ["x.bmp", "2.PNG", "1.png"]
    for (image, _), pixels in zip(data, (third, first, second), strict=True):
        np.testing.assert_array_equal(image, np.moveaxis(pixels, 2, 0))
    images, labels = next(iter(DataLoader(data, 3, num_workers=2)))
    assert images.shape == (3, 3, 4, 5)
    assert labels.tolist() == [0, 1, 1]
    changed = ImageFolder(tmp_path, Resize((2, 2)), lambda label: -label)
    assert changed[-1][0].shape == (3, 2, 2)
    assert changed[-1][1] == -1
    chosen = ImageFolder(tmp_path, is_valid_file=lambda p: p.endswith("txt"), allow_empty=True)
    assert [label for _, label in chosen.samples] == [1]
    assert len(ImageFolder(tmp_path, extensions=[".bmp"], allow_empty=True)) == 1
    assert ImageFolder(tmp_path, loader=Path)[0][0].name == "x.bmp"
    with pytest.raises(IndexError, match="ImageFolder: index 3 of 3"):
        data[3]


def test_image_folders_that_are_not_as_they_should_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no folders of classes"):
        ImageFolder(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*a; their names end with \.jpg"):
        ImageFolder(tmp_path)
    (tmp_path / "a" / "x.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ValueError, match=r"read_image: .*x\.png: truncated, damaged") as caught:
        list(DataLoader(ImageFolder(tmp_path), num_workers=1))
    assert "in sample 0 of an ImageFolder" in caught.value.__notes__


def test_lfw(tmp_path):
    for name, count in (("Ann_A", 3), ("Bob_B", 1), ("Cy_C", 2)):
        for i in range(1, count + 1):
            picture(tmp_path / name / f"{name}_{i:04}.jpg", (25, 25), seed=i)
    assert lfw(tmp_path).targets == [0, 0, 0, 1, 2, 2]
    some = lfw(tmp_path, least=2)
    assert some.classes == ["Ann_A", "Cy_C"]
    assert some.targets == [0, 0, 0, 1, 1]
    assert some[4][0].shape == (3, 25, 25)
    with pytest.raises(FileNotFoundError, match=r"of nobody .* 4 pictures, but 3 at most"):
        lfw(tmp_path, least=4)

    pairs = tmp_path / "pairs.txt"
    pairs.write_text("1\nAnn_A\t1\t3\nAnn_A\t2\tBob_B\t1\n")
    one, other = read_lfw_pairs(pairs, tmp_path)
    assert [Path(path).name for path in one[:2]] == ["Ann_A_0001.jpg", "Ann_A_0003.jpg"]
    assert Path(other[1]).name == "Bob_B_0001.jpg"
    assert [one[2], other[2]] == [True, False]
    for text, message in (
        ("", "line 1: not the number"),
        ("2\nAnn_A\t1\t3\n", "1 pairs, line 1 says 4"),
        ("1\nAnn_A\t1\t3\nAnn_A\t1\n", "line 3: no pair: 'Ann_A 1'"),
        ("1\nAnn_A\t1\t3\nAnn_A\tx\tBob_B\t1\n", "line 3: no pair"),
    ):
        pairs.write_text(text)
        with pytest.raises(ValueError, match=rf"read_lfw_pairs: .*pairs\.txt.*{message}"):
            read_lfw_pairs(pairs, tmp_path)
    pairs.write_bytes(b"1\n\xff")
    with pytest.raises(ValueError, match=r"read_lfw_pairs: .*pairs\.txt: .*utf-8"):
        read_lfw_pairs(pairs, tmp_path)
    pairs.write_text("1\nAnn_A\t1\t4\nAnn_A\t2\tBob_B\t1\n")
    with pytest.raises(FileNotFoundError, match=r"Ann_A_0004\.jpg"):
        read_lfw_pairs(pairs, tmp_path)

    picture(tmp_path / "Cy_C" / "Bob_B_0002.jpg")
    with pytest.raises(ValueError, match=r"lfw: .*Bob_B_0002\.jpg is not called as its folder"):
        lfw(tmp_path)


def test_olivetti(tmp_path):
    pixels = [
        picture(tmp_path / f"s{person}" / f"{i}.pgm", (9, 11), "L", 20 * person + i)
        for person in range(1, 11)
        for i in range(1, 3)
    ]
    data = olivetti(tmp_path)
    x, y = data.batch(range(20))
    assert x.shape == (20, 1, 11, 9)
    np.testing.assert_allclose(x.numpy()[:, 0], np.stack(pixels) / 255, rtol=1e-6)
    assert y.tolist() == [i for i in range(10) for _ in range(2)]

    picture(tmp_path / "s4" / "3.pgm", (8, 11), "L")
    with pytest.raises(ValueError, match=r"olivetti: .*s4/3\.pgm has \(11, 8\) pixels, the others"):
        olivetti(tmp_path)
    (tmp_path / "s4" / "3.pgm").rename(tmp_path / "s4" / "4.pgm")
    with pytest.raises(ValueError, match=r"there is no picture .*s4/3\.pgm"):
        olivetti(tmp_path)
    (tmp_path / "s4" / "4.pgm").unlink()
    (tmp_path / "s4" / "2.pgm").write_bytes(b"P5 9 11 255 short")
    with pytest.raises(ValueError, match=r"read_image: .*s4/2\.pgm"):
        olivetti(tmp_path)
    (tmp_path / "s5").rename(tmp_path / "s50")
    with pytest.raises(ValueError, match=r"are not s1, s2"):
        olivetti(tmp_path)


# --- CSV -------------------------------------------------------------------------------------

TABLE = """age,name,height,member,code
31,"Ann, A",1.75,true,007
,Bob,NA,False,008
29,"Cy
C",1.5e0,1,x1
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_read_csv(tmp_path, zipped):
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(TABLE.encode()) if zipped else TABLE.encode())
    found = read_csv(path, dtypes={"member": bool})
    assert [*found] == ["age", "name", "height", "member", "code"]
    assert found["name"].tolist() == ["Ann, A", "Bob", "Cy\nC"]
    assert found["code"].tolist() == ["007", "008", "x1"]
    assert found["member"].tolist() == [True, False, True]
    for name, values in (("age", [31, np.nan, 29]), ("height", [1.75, np.nan, 1.5])):
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], np.float32(values))
    some = read_csv(path, ["height", "age"], fill=-1)
    assert [*some] == ["height", "age"]
    assert some["age"].dtype == np.int64
    assert some["age"].tolist() == [31, -1, 29]
    assert read_csv(path, ["age"], np.float64)["age"].dtype == np.float64


def test_headers_delimiters_and_encodings(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("\ufeff1;2\n3;4\n\n".encode())
    found = read_csv(path, header=False, delimiter=";")
    assert {name: column.tolist() for name, column in found.items()} == {"0": [1, 3], "1": [2, 4]}
    assert read_csv(path, header=["a", "b"], delimiter=";")["b"].tolist() == [2, 4]
    path.write_bytes(b"name\n\xe9t\xe9\n")
    assert read_csv(path, encoding="latin-1")["name"].tolist() == ["été"]
    path.write_text("a,b\n")
    assert read_csv(path)["a"].shape == (0,)
    path.write_text("a\n9223372036854775807\n9223372036854775808\n")
    assert read_csv(path)["a"].dtype == np.float32
    assert read_csv(path, dtypes=np.uint64)["a"].tolist() == [2**63 - 1, 2**63]


def test_tables_of_many_pieces(tmp_path):
    path = tmp_path / "x.csv"
    values = np.arange(10_000)
    path.write_text("i,half\n" + "".join(f"{i},{i / 2}\n" for i in values))
    found = read_csv(path, dtypes={"half": np.float64})
    np.testing.assert_array_equal(found["i"], values)
    np.testing.assert_array_equal(found["half"], values / 2)


@pytest.mark.parametrize(
    ("content", "how", "message"),
    [
        ("a,b\n1,2\n3\n", {}, "line 3: 1 fields, not 2"),
        ("a,b\n1,2\n3,4,5\n", {}, "line 3: 3 fields, not 2"),
        ('a,b\n1,"2\n3,4\n', {}, "line 3: unexpected end of data"),
        ('a,b\n1,"2"x\n', {}, "line 2: ',' expected after"),
        ("a\n1\nx\n", {"dtypes": int}, "line 3: column 'a' is 'x', not int64"),
        ("a\n1\n1_0\n", {"dtypes": int}, "line 3: column 'a' is '1_0', not int64"),
        ('a,b\n"1\n",2\n1,y\n', {"dtypes": float}, "line 4: column 'b' is 'y', not float64"),
        ("a\n1\n300\n", {"dtypes": np.uint8}, "line 3: column 'a' is 300, beyond uint8"),
        ("a\n1\n\nNA\n", {"dtypes": int}, "line 4: column 'a' lacks a value, and int64 has no NaN"),
        ("a\ntrue\nmaybe\n", {"dtypes": bool}, "line 3: column 'a' is 'maybe', not bool"),
        ("a,a\n1,2\n", {}, "two columns are called 'a'"),
        ("", {}, "it is empty"),
        ("a\n1\n", {"columns": ["b"]}, "there is no column 'b'; they are a"),
        ("a\n1\n", {"dtypes": {"b": int}}, "dtypes has a column 'b'"),
        (b"a\n1\n\xff\n", {}, "line 3: not utf-8: invalid start byte"),
        (gzip.compress(b"a\n1\n", mtime=0)[:-6], {}, "truncated or corrupt gzip data"),
        ("a\n" + "1" * (1 << 22) + "\n", {}, "line 2: longer than"),
    ],
    ids=str,
)
def test_errors_in_tables_name_file_and_line(tmp_path, content, how, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"read_csv: .*x\.csv.*{message}"):
        read_csv(path, **how)
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize("zipped", [False, True])
def test_mutated_tables_are_whole_or_an_error_with_their_name(tmp_path, zipped):
    path, rng = tmp_path / "x.csv", np.random.default_rng(0)
    content = gzip.compress(TABLE.encode()) if zipped else TABLE.encode()
    told = 0
    for _ in range(400):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[rng.integers(len(changed), size=2)] = rng.integers(0, 256, 2)
        path.write_bytes(changed[: rng.integers(1, len(changed) + 1)].tobytes())
        try:
            columns = read_csv(path).values()
            assert len({len(column) for column in columns}) == 1
        except ValueError as error:
            assert str(error).startswith(f"read_csv: {path}")  # noqa: PT017
            told += 1
    assert told > 100


def test_rows_of_a_table_one_by_one(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("i,name\n1,a\n2,b\nx,c\n")
    rows = CSVRows(path, dtypes={"i": np.int32})
    assert rows.columns == ["i", "name"]
    batches = iter(DataLoader(rows, 2, num_workers=1))
    first = next(batches)
    assert first["i"].tolist() == [1, 2]
    assert first["name"] == ["a", "b"]
    with pytest.raises(ValueError, match=r"CSVRows: .*line 4: column 'i' is 'x', not int32"):
        next(batches)


def test_csv_dataset(tmp_path):
    path = tmp_path / "iris.csv"
    path.write_text("a,b,kind\n1,2.5,rose\n3,4.5,aster\n5,,rose\n")
    data = CSVDataset(path, "kind")
    assert data.columns == ["a", "b"]
    assert data.classes == ["aster", "rose"]
    x, y = data.batch([0, 1])
    assert x.tolist() == [[1, 2.5], [3, 4.5]]
    assert x.dtype == tt.float32
    assert y.tolist() == [1, 0]
    assert np.isnan(data[2][0].numpy()[1])
    whole = CSVDataset(path, "a", ["b"], fill=0, transform=lambda x: x + 1)
    assert whole.classes is None
    assert whole.batch([2])[0].tolist() == [[1]]
    assert whole.batch([2])[1].tolist() == [5]
    assert len(CSVDataset(path, columns=["a", "b"])[0]) == 1
    with pytest.raises(ValueError, match=r"iris\.csv: column 'kind' is of texts"):
        CSVDataset(path)
    with pytest.raises(ValueError, match=r"iris\.csv: there is no column 'c'"):
        CSVDataset(path, "c")
    with pytest.raises(ValueError, match="no columns beside the target"):
        CSVDataset(path, "a", [])


# --- NPZ and mapped IDX ----------------------------------------------------------------------


def test_npz(tmp_path):
    path = tmp_path / "x.npz"
    x, y = np.arange(12.0).reshape(4, 3), np.arange(4)
    np.savez(path, x_train=x, y_train=y, x_test=x[:2])
    data = npz(path, "x_train", "y_train", transform=lambda x: 2 * x)
    assert isinstance(data, TensorDataset)
    assert data.batch([3])[0].tolist() == [[18, 20, 22]]
    assert data.batch([3])[1].tolist() == [3]
    with pytest.raises(ValueError, match=r"npz: .*x\.npz has no array 'x'; they are x_train"):
        npz(path, "x")
    with pytest.raises(ShapeError, match=r"npz: .*x\.npz: .*one length"):
        npz(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"x\.npz"):
        npz(path)
    np.savez(path, x=np.array(["a"]))
    with pytest.raises(DtypeError, match=r"x\.npz"):
        npz(path)


def test_mapped_idx(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, *images.shape)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(header + images.tobytes())
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + bytes(range(5)))
    found = read_idx(path, mapped=True)
    np.testing.assert_array_equal(found, images)
    assert not found.flags.writeable
    x, y = mnist(tmp_path, mapped=True).batch([4, 0])
    np.testing.assert_allclose(x.numpy()[:, 0], images[[4, 0]] / 255, rtol=1e-6)
    assert y.tolist() == [4, 0]
    wide = np.arange(6, dtype=">i4").reshape(2, 3)
    path.write_bytes(struct.pack(">BBBB2I", 0, 0, 12, 2, 2, 3) + wide.tobytes())
    np.testing.assert_array_equal(read_idx(path, mapped=True), wide)
    content = header + images.tobytes()
    for cut, message in ((-1, "the file holds"), (2, "not an IDX"), (9, "within its header")):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=rf"read_idx: .*ubyte: .*{message}"):
            read_idx(path, mapped=True)
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match="the file holds more"):
        read_idx(path, mapped=True)
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match="cannot be mapped"):
        read_idx(path, mapped=True)
    path.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 0))
    assert read_idx(path, mapped=True).shape == (0,)
