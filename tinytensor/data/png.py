"""How many bytes of rows a PNG claims, and how many it has: Pillow asks neither.

    signature (8 bytes) | length (4) kind (4) content checksum (4) | …

The first chunk, IHDR, has the size of the picture; the IDAT chunks together are one zlib stream of
the rows, each after a byte that says by which filter; if interlaced, of the rows of seven smaller
pictures. Where that stream ends early, Pillow leaves the rest of the picture black.

Source: W3C, "Portable Network Graphics (PNG) Specification", third edition.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
INFLATION = 1032  # the most bytes that deflate makes of one
PIECE = 1 << 18
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of colours
# First column, step of columns, first row, step of rows of each of the smaller pictures.
ADAM7 = (
    (0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4),
    (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2),
)  # fmt: skip


def claimed_bytes(file: BinaryIO, size: int) -> int:
    """The bytes of rows that a PNG claims; 0 of another file, and where IHDR is not the first.

    Raises ValueError if they cannot be deflated to ``size`` bytes, the file's.
    """
    file.seek(0)
    head = file.read(29)
    file.seek(0)
    if head[:8] != SIGNATURE or head[12:16] != b"IHDR" or len(head) < 29:
        return 0
    width, height, depth, colours, _, _, interlaced = struct.unpack(">2L5B", head[16:])
    bits = depth * CHANNELS.get(colours, 0)
    claimed = 0
    for left, across, top, down in ADAM7 if interlaced else ((0, 1, 0, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            claimed += rows * (1 + (columns * bits + 7) // 8)
    if claimed > size * INFLATION:
        raise ValueError(f"{width} × {height} pixels cannot be deflated to {size} bytes")
    return claimed


def check_rows(file: BinaryIO, claimed: int) -> None:
    """Raise ValueError unless a PNG has as many bytes of rows as it claims."""
    machine = zlib.decompressobj()
    found = 0
    file.seek(len(SIGNATURE))
    while found < claimed and not machine.eof and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">L4s", head)
        left = length if kind == b"IDAT" else 0
        while left and found < claimed and not machine.eof:
            piece = file.read(min(left, PIECE))
            left = left - len(piece) if piece else 0
            while piece and found < claimed:
                found += len(machine.decompress(piece, PIECE))
                piece = machine.unconsumed_tail
        file.seek((length if kind != b"IDAT" else 0) + 4, 1)
    if found < claimed:
        raise ValueError(f"it has {found} bytes of rows, not {claimed}")
