"""GGUF by our reader, beside the package of ggml's makers, which writes the files."""

import struct

import numpy as np
import pytest

from tinytensor.io.gguf import TYPES, read_gguf

gguf = pytest.importorskip("gguf")


def written(path, fill, endian="<"):
    order = gguf.GGUFEndian.BIG if endian == ">" else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


PAIRS = {
    "u8": 250, "i8": -5, "u16": 60000, "i16": -3, "u32": 1 << 31, "i32": -(1 << 31), "f32": 0.5,
    "bool": True, "u64": 1 << 63, "i64": -(1 << 63), "f64": 0.1, "text": "größer 🙂",
}  # fmt: skip


def some(writer):
    for name, value in PAIRS.items():
        kind = {"text": "string", "u": "uint", "i": "int", "f": "float", "b": "bool"}
        kind = kind.get(name) or (kind[name[0]] + name[1:] if name != "bool" else "bool")
        getattr(writer, f"add_{kind}")(f"some.{name}", value)
    writer.add_array("some.texts", ["a", "", "→"])
    writer.add_array("some.numbers", [1, -2, 3])
    writer.add_array("some.nested", [["x"], ["y", "z"]])
    rng = np.random.default_rng(0)
    writer.add_tensor("f32", rng.normal(size=(3, 5)).astype("f4"))
    writer.add_tensor("f16", rng.normal(size=(2, 3, 4)).astype("f2"))
    writer.add_tensor("i32", np.arange(7, dtype="i4"))


@pytest.mark.parametrize("endian", "<>")
def test_what_a_writer_wrote_is_read(tmp_path, endian):
    path = written(tmp_path / "x.gguf", some, endian)
    file = read_gguf(path)
    assert (file.version, file.big_endian) == (3, endian == ">")
    for name, value in PAIRS.items():
        found = file.metadata[f"some.{name}"]
        assert found == value
        assert type(found) is type(value)
    assert file.metadata["some.texts"] == ["a", "", "→"]
    assert file.metadata["some.numbers"].tolist() == [1, -2, 3]
    assert file.metadata["some.nested"] == [["x"], ["y", "z"]]
    rng = np.random.default_rng(0)
    for name, shape, dtype in (("f32", (3, 5), "f4"), ("f16", (2, 3, 4), "f2")):
        stored = file.stored(name)
        assert (stored.kind, stored.shape) == (name, shape)
        assert np.array_equal(stored.data, rng.normal(size=shape).astype(dtype))
    assert file.stored("i32").data.tolist() == [*range(7)]


@pytest.mark.parametrize("kind", ["q4_0", "q4_1", "q8_0", "q4_K", "q6_K", "bf16"])
def test_blocks_are_those_of_the_file(tmp_path, kind):
    number, of = next((number, of) for number, of in TYPES.items() if of.name == kind)
    raw = np.random.default_rng(1).integers(0, 256, (3, 512 // of.elements * of.bytes), "u1")
    dtype = gguf.GGMLQuantizationType(number)

    path = written(tmp_path / "x.gguf", lambda w: w.add_tensor("w", raw, raw_dtype=dtype))
    stored = read_gguf(path).stored("w")
    assert (stored.kind, stored.shape) == (kind, (3, 512))
    assert np.array_equal(stored.data.view(np.uint8), raw)
    assert (gguf.GGML_QUANT_SIZES[dtype]) == (of.elements, of.bytes)


def text(value):
    return struct.pack("<Q", len(value)) + value


def file_of(*parts, tensors=0, pairs=0, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + b"".join(parts)


def tensor(name=b"w", sizes=(4,), kind=0, offset=0):
    numbers = struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)
    return text(name) + numbers


PAIR = text(b"k") + struct.pack("<IB", 0, 1)
DEEP = struct.pack("<IQ", 9, 1)
DAMAGED = {
    "it is empty": b"",
    "not a GGUF file": b"GGML" + bytes(40),
    "of version 1": file_of(version=1),
    "truncated": b"GGUF\3\0",
    "cannot follow": file_of(pairs=1 << 60),
    "24 bytes cannot follow": file_of(tensors=1 << 62),
    "ends behind the file": file_of(struct.pack("<Q", 1 << 63), bytes(9), pairs=1),
    "not UTF-8": file_of(text(b"\xff"), bytes(9), pairs=1),
    "there twice": file_of(PAIR, PAIR, pairs=2),
    "unknown kind 77": file_of(text(b"k"), struct.pack("<IQ", 77, 0), pairs=1),
    "a bool is 2": file_of(text(b"k"), struct.pack("<IB", 7, 2), pairs=1),
    "8 bytes cannot follow": file_of(text(b"k"), struct.pack("<IIQ", 9, 8, 1 << 62), pairs=1),
    "nested": file_of(text(b"k"), struct.pack("<I", 9), DEEP * 9, bytes(40), pairs=1),
    "no power of 2": file_of(
        text(b"general.alignment"), struct.pack("<II", 4, 48), bytes(16), pairs=1
    ),
    "its alignment is": file_of(text(b"general.alignment"), struct.pack("<II", 4, 0), pairs=1),
    "5 axes": file_of(tensor(sizes=(1,) * 5), bytes(96), tensors=1),
    "no array can have": file_of(tensor(sizes=(1 << 40, 1 << 40)), bytes(96), tensors=1),
    "has sizes": file_of(tensor(sizes=(1 << 63,)), bytes(96), tensors=1),
    "of Q2_K": file_of(tensor(kind=10), bytes(96), tensors=1),
    "unknown type 99": file_of(tensor(kind=99), bytes(96), tensors=1),
    "whole blocks of 32": file_of(tensor(sizes=(31,), kind=2), bytes(96), tensors=1),
    "multiple of 32": file_of(tensor(offset=4), bytes(96), tensors=1),
    "the file at": file_of(tensor(offset=64), bytes(64), tensors=1),
    "overlap": file_of(tensor(b"a", (16,)), tensor(b"b", offset=32), bytes(256), tensors=2),
    "the tensor 'w' is there twice": file_of(tensor(), tensor(), bytes(96), tensors=2),
}


@pytest.mark.parametrize("told", DAMAGED)
def test_damage_is_told(tmp_path, told):
    path = tmp_path / "x.gguf"
    path.write_bytes(DAMAGED[told])
    with pytest.raises(ValueError, match=told) as caught:
        read_gguf(path)
    assert str(caught.value).startswith(f"read_gguf: {str(path)!r}: ")


def test_every_truncation_is_told(tmp_path):
    content = written(tmp_path / "x.gguf", some).read_bytes()
    path = tmp_path / "y.gguf"
    for size in range(0, len(content) - 32, 7):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="read_gguf: "):
            read_gguf(path)
