"""Mutations of files that know the format: they move lengths, opcodes of pickles, entries of zip
directories, keys of JSON headers, chunks of pictures, and repair checksums, so that what lies
behind them is reached."""

import gzip
import io
import json
import pickletools
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Draw = random.Random


# --- Mutations of bytes ----------------------------------------------------------------------

NUMBERS = [0, 1, 2, 127, 128, 255, 256, 65535, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40]
NUMBERS += [2**62, 2**63 - 1, 2**63, 2**64 - 1]


def number(draw: Draw) -> int:
    return draw.choice([*NUMBERS, draw.randrange(100), draw.randrange(2**32)])


def some_bytes(draw: Draw, content: bytes) -> bytes:
    """``content`` after a mutation that knows nothing of its format."""
    if not content:
        return bytes([draw.randrange(256)])
    at = draw.randrange(len(content))
    how = draw.randrange(9)
    if how == 0:
        return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
    if how == 1:
        return content[:at]
    if how == 2:
        return content + draw.randbytes(draw.randrange(1, 40))
    if how == 3:
        return content[:at] + content[at + draw.randrange(1, 40) :]
    if how == 4:
        return content[:at] + draw.randbytes(draw.randrange(1, 9)) + content[at:]
    if how == 5:
        size, order = draw.choice([1, 2, 4, 8]), draw.choice(["little", "big"])
        value = (number(draw) % 256**size).to_bytes(size, order)  # type: ignore[arg-type]
        return content[:at] + value + content[at + size :]
    if how == 6:
        begin, middle, end = sorted(draw.randrange(len(content) + 1) for _ in range(3))
        return content[:begin] + content[middle:end] + content[begin:middle] + content[end:]
    if how == 7:
        end = min(len(content), at + draw.randrange(1, 200))
        return content[:end] + content[at:end] * draw.randrange(1, 4) + content[end:]
    return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]


# --- Of pickles ------------------------------------------------------------------------------

SNIPPETS = [
    b"ctests.io.mutations\ncanary\n)R",
    b"cbuiltins\neval\n(X\x08\0\0\0canary()tR",
    b"cos\nsystem\n(X\x04\0\0\0truetR",
    b"ctorch.storage\n_load_from_bytes\n",
    b"r\0\0\0\x40",
    b"j\0\0\0\x40",
    b"\x8b\xff\xff\xff\x7f",
    b"\x8e\0\0\0\0\0\1\0\0",
    b"X\xff\xff\xff\x7f",
    b"ccollections\nOrderedDict\n)R",
    b"ctorch\nSize\n",
    b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"]" * 120,
    b"2\x86" * 70,
    b"N\x85\x94h\0",
    b"b",
    b"R",
    b"Q",
    b"0",
    b"(",
    b"t",
    b".",
]
CODES = [ord(operation.code) for operation in pickletools.opcodes]


def operations(content: bytes) -> list[int]:
    """Where the operations of a pickle begin, and its end; of several pickles, those of each."""
    found, file = [], io.BytesIO(content)
    try:
        while file.tell() < len(content):
            found += [at for _, _, at in pickletools.genops(file) if at is not None]
    except Exception:
        pass  # no pickle any more, or other bytes behind it
    return [*found, len(content)] if found else [0, len(content)]


def some_pickle(draw: Draw, content: bytes) -> bytes:
    """A pickle with operations exchanged, repeated, left out, or with others among them."""
    places = operations(content)
    i, j = sorted(draw.randrange(len(places) - 1) for _ in range(2))
    one, two = (content[places[k] : places[k + 1]] for k in (i, j))
    before, between, after = (
        content[: places[i]],
        content[places[i] + len(one) : places[j]],
        content[places[j] + len(two) :],
    )
    how = draw.randrange(7)
    if how == 0:
        return content[: places[i]] + content[places[i + 1] :]
    if how == 1 and i != j:
        return before + two + between + one + after
    if how == 2:
        return content[: places[i]] + one * draw.choice([2, 3, 50]) + content[places[i + 1] :]
    if how == 3:
        return content[: places[i]] + draw.choice(SNIPPETS) + content[places[i] :]
    if how == 4:
        other = bytes([draw.choice(CODES)]) + one[1:]
        return content[: places[i]] + other + content[places[i + 1] :]
    if how == 5:
        changed = some_bytes(draw, one[1:]) if len(one) > 1 else draw.randbytes(2)
        return content[: places[i]] + one[:1] + changed + content[places[i + 1] :]
    return content[: places[i]] + bytes([draw.choice(CODES)]) + content[places[i] :]


# --- Of zip archives -------------------------------------------------------------------------


def some_zip(
    draw: Draw, content: bytes, of_member: dict[str, Callable[[Draw, bytes], bytes]]
) -> bytes:
    """An archive with another directory, or sound with another member."""
    if draw.random() < 0.5:
        return some_directory(draw, content)
    file, written = io.BytesIO(), io.BytesIO(content)
    with zipfile.ZipFile(written) as before, zipfile.ZipFile(file, "w") as after:
        members = [[m.filename, before.read(m), m.compress_type] for m in before.infolist()]
        for _ in range(draw.choice([1, 1, 2])):
            member = draw.choice(members)
            how = draw.randrange(8)
            if how == 0:
                member[2] = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            elif how == 1:
                member[0] = some_bytes(draw, member[0].encode()).decode("latin1")
            elif how == 2 and len(members) > 1:
                members.remove(member)
            elif how == 3:
                draw.shuffle(members)
            else:
                mutate = next((m for end, m in of_member.items() if member[0].endswith(end)), None)
                member[1] = (mutate or some_bytes)(draw, member[1])
        for name, data, method in {name: (name, *rest) for name, *rest in members}.values():
            if name and "\0" not in name:
                after.writestr(name, data, method)
    return file.getvalue()


FIELDS = {  # offsets and sizes of the numbers behind each signature
    b"PK\1\2": [(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)],
    b"PK\3\4": [(6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
    b"PK\5\6": [(8, 2), (10, 2), (12, 4), (16, 4), (20, 2)],
}


def some_directory(draw: Draw, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 3])):
        signature = draw.choice([*FIELDS])
        places = [i for i in range(len(changed)) if changed.startswith(signature, i)]
        if not places:
            continue
        at, other = draw.choice(places), draw.choice(places)
        offset, size = draw.choice(FIELDS[signature])
        value = number(draw) % 256**size
        if draw.random() < 0.4:  # the same number of another member, or one nearby
            value = int.from_bytes(changed[other + offset : other + offset + size], "little")
            value = max(value + draw.choice([-1, 0, 0, 1]), 0) % 256**size
        changed[at + offset : at + offset + size] = value.to_bytes(size, "little")
    if draw.random() < 0.15:  # numbers of 64 bits
        at = changed.rfind(b"PK\5\6")
        numbers = (number(draw) % 2**64 for _ in range(4))
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
        changed[at:at] = wide + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return bytes(changed)


# --- Of headers ------------------------------------------------------------------------------


def some_json(draw: Draw, item: Any) -> Any:
    """A tree of JSON with another value somewhere."""
    if isinstance(item, dict) and item and draw.random() < 0.9:
        key = draw.choice([*item])
        how = draw.randrange(12)
        if how == 0:
            return {k: v for k, v in item.items() if k != key}
        if how == 1:
            return {draw.choice(["x", "", "__metadata__", key + key]) if k == key else k: v
                    for k, v in item.items()}  # fmt: skip
        if how == 2:
            return {**item, key: item[draw.choice([*item])]}
        return {**item, key: some_json(draw, item[key])}
    if isinstance(item, list) and item and draw.random() < 0.9:
        i = draw.randrange(len(item))
        how = draw.randrange(8)
        if how == 0:
            return item[:i] + item[i + 1 :]
        if how == 1:
            return [*item, *item[i:]]
        return [*item[:i], some_json(draw, item[i]), *item[i + 1 :]]
    if isinstance(item, str) and item[:1] in ("{", "[") and draw.random() < 0.9:
        try:
            return json.dumps(some_json(draw, json.loads(item)))  # the tree, which is a string
        except ValueError:
            return item
    if isinstance(item, int) and draw.random() < 0.8:
        return draw.choice([number(draw), -1, item + 1, item * 2, item - 1])
    dtypes = ["F32", "F64", "BF16", "BOOL", "U8", "I64", "C64", "F8_E4M3", "F4", "f32"]
    return draw.choice([*dtypes, None, True, 0.5, [], {}, [[]], "x" * 50, float("nan"), item])


def some_safetensors(draw: Draw, content: bytes) -> bytes:
    length = int.from_bytes(content[:8], "little")
    text, data = content[8 : 8 + length], content[8 + length :]
    how = draw.randrange(5)
    if how == 0:
        text = some_bytes(draw, text)
    elif how == 1:
        data = some_bytes(draw, data)
    else:
        header = json.loads(text)
        for _ in range(how - 1):
            header = some_json(draw, header)
        text = json.dumps(header).encode()
    size = len(text) if draw.random() < 0.95 else number(draw) % 2**64
    return size.to_bytes(8, "little") + text + data


def some_npy(draw: Draw, content: bytes) -> bytes:
    if content[6:7] not in (b"\1", b"\2"):
        return some_bytes(draw, content)
    begin = 10 if content[6] == 1 else 12
    end = begin + int.from_bytes(content[8:begin], "little")
    text, data = content[begin:end].decode("latin1"), content[end:]
    how = draw.randrange(6)
    if how == 0:
        text = some_bytes(draw, text.encode("latin1")).decode("latin1")
    elif how == 1:
        data = some_bytes(draw, data)
    elif how == 2:
        codes = ["|O", "<U9", "<f2", "<f8", "|b1", ">c16", "<V2", "<f16", "|S3", "", "<i8"]
        text = text.replace(text[11 : text.index("'", 11)], draw.choice(codes), 1)
    elif how == 3:
        text = text.replace("False", draw.choice(["True", "1", "None", "[]"]))
    else:
        digits = [i for i, letter in enumerate(text) if letter.isdigit() and i > 20]
        if digits:
            i = draw.choice(digits)
            other = draw.choice([str(number(draw)), "-1", "1, 1", "()", "0", "1.0", "True", "1L"])
            text = text[:i] + other + text[i + 1 :]
    size = len(text) if draw.random() < 0.9 else number(draw)
    width = begin - 8
    return (
        content[:8] + (size % 256**width).to_bytes(width, "little") + text.encode("latin1") + data
    )


def some_idx(draw: Draw, content: bytes) -> bytes:
    changed = bytearray(content)
    how = draw.randrange(4)
    if how == 0:
        changed[2:3] = bytes([draw.choice([8, 9, 11, 12, 13, 14, 10, 0])])
    elif how == 1:
        changed[3:4] = bytes([draw.randrange(256)])
    elif how == 2 and len(content) > 8:
        axis = 4 + 4 * draw.randrange(max(content[3] % 4, 1))
        changed[axis : axis + 4] = struct.pack(">I", number(draw) % 2**32)
    else:
        return some_bytes(draw, content)
    return bytes(changed)


def some_gzip(draw: Draw, content: bytes) -> bytes:
    if draw.random() < 0.5:
        return some_bytes(draw, content)
    return gzip.compress(some_idx(draw, gzip.decompress(content)), 1)


def some_stream(draw: Draw, content: bytes) -> bytes:
    return (some_pickle if draw.random() < 0.8 else some_bytes)(draw, content)


def some_tar(draw: Draw, content: bytes) -> bytes:
    """A member's bytes, whose first is at a multiple of 512, or the archive's."""
    if draw.random() < 0.3:
        return some_bytes(draw, content)
    at = 0
    places = []
    while at + 512 <= len(content) and content[at]:
        size = int(content[at + 124 : at + 135], 8)
        places.append((at + 512, size))
        at += 512 + -(-size // 512) * 512
    begin, size = draw.choice(places)
    inside = some_pickle(draw, content[begin : begin + size])
    header = content[begin - 512 : begin]
    header = header[:124] + b"%011o\0" % len(inside) + header[136:]
    inside += b"\0" * (-len(inside) % 512)
    return content[: begin - 512] + header + inside + content[begin + -(-size // 512) * 512 :]


def some_png(draw: Draw, content: bytes) -> bytes:
    """A picture with chunks of another kind, order or content, and right checksums."""
    if draw.random() < 0.3:
        return some_bytes(draw, content)
    chunks, at = [], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    for _ in range(draw.choice([1, 1, 2])):
        chunk = draw.choice(chunks)
        how = draw.randrange(7)
        if how == 0:
            draw.shuffle(chunks)
        elif how == 1:
            chunks.remove(chunk)
            if not chunks:
                break
        elif how == 2:
            chunks.insert(draw.randrange(len(chunks)), [*chunk])
        elif how == 3:
            chunk[0] = draw.choice([b"IHDR", b"IDAT", b"PLTE", b"IEND", b"tRNS", b"zTXt", b"iCCP"])
        elif how == 4 and chunks[0][0] == b"IHDR":
            place = draw.choice([0, 4])
            size = struct.pack(">I", number(draw) % 2**32)
            chunks[0][1] = chunks[0][1][:place] + size + chunks[0][1][place + 4 :]
        else:
            chunk[1] = some_bytes(draw, chunk[1])
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return content[:8] + body
