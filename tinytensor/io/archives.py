"""Zip archives read without trust in what they claim: members stored, or compressed by deflate.

Memory stays within what the archive can hold. Members lie side by side, so no byte is in two of
them; a size is believed only if deflate could make it of the member's bytes; and a member is read
into one array of that size.

    member … member | its entry in the directory … | where the directory is (once more, in 64 bits)

Source: PKWARE, ".ZIP File Format Specification", 6.3.10.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np

from .files import fill, short

__all__ = ["Archive"]

STORED, DEFLATED = 0, 8
ENCRYPTED = 1  # a flag
INFLATION = 1032  # the most bytes that deflate makes of one
MOST_MEMBERS = 100_000  # their names take more memory than their entries
PIECE = 1 << 20

_END = struct.Struct("<4s4H2LH")  # signature, disks, members (twice), size, offset, comment
_LOCATOR = struct.Struct("<4sLQL")  # signature, disk, offset of the following, disks
_END_64 = struct.Struct("<4sQ2H2L4Q")  # signature, …, members (twice), size, offset
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL = 0xFFFFFFFF  # the number is among the extra ones, in 64 bits
_LONGEST_COMMENT = 0xFFFF


class Member(NamedTuple):
    """A file of an archive, as the directory has it."""

    at: int  # of its header
    limit: int  # where the next one begins
    packed: int
    size: int
    method: int
    crc: int  # 0 where the writer took none


class Archive:
    """The zip archive in ``file`` from ``start`` on.

    Raises ValueError, from here and from :meth:`read`, if it is damaged, encrypted, compressed by
    another method, or of more members than 100,000.
    """

    def __init__(self, file: BinaryIO, start: int = 0) -> None:
        self.file, self.start = file, start
        self.size = file.seek(0, os.SEEK_END) - start
        try:
            self.members = self._directory()
        except ValueError as error:
            raise ValueError(f"not a sound zip archive: {error}") from None

    def read(self, name: str) -> np.ndarray:
        """The content of a member, uint8, in memory of its own. Raises ValueError."""
        try:
            return self._content(name, self.members[name])
        except (ValueError, zlib.error) as error:
            raise ValueError(f"{short(name)} of the zip archive: {error}") from None

    # --- The directory -----------------------------------------------------------------------

    def _bytes(self, at: int, size: int) -> bytes:
        if at < 0 or size < 0 or at + size > self.size:
            raise ValueError(f"{size} bytes at {at} of {self.size}")
        self.file.seek(self.start + at)
        return fill(self.file, size).tobytes()

    def _unpack(self, form: struct.Struct, at: int, signature: bytes) -> tuple[int, ...]:
        found = form.unpack(self._bytes(at, form.size))
        if found[0] != signature:
            raise ValueError(f"no {signature!r} at byte {at}")
        return found[1:]

    def _directory(self) -> dict[str, Member]:
        tail = self._bytes(at := max(self.size - _LONGEST_COMMENT - _END.size, 0), self.size - at)
        found = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
        if found < 0:
            raise ValueError("it is truncated: the end of its directory is missing")
        at += found
        _, _, _, count, size, offset, _ = self._unpack(_END, at, b"PK\5\6")
        end = at
        if at >= _LOCATOR.size and self._bytes(at - _LOCATOR.size, 4) == b"PK\6\7":
            _, end, _ = self._unpack(_LOCATOR, at - _LOCATOR.size, b"PK\6\7")
            *_, count, size, offset = self._unpack(_END_64, end, b"PK\6\6")
        if offset + size > end:
            raise ValueError(f"a directory of {size} bytes at {offset} of {end}")
        if count > MOST_MEMBERS:
            raise ValueError(f"it has {count} members, more than {MOST_MEMBERS}")
        if count * _ENTRY.size > size:
            raise ValueError(f"a directory of {size} bytes has {count} members")
        entries = self._entries(self._bytes(offset, size), count)
        return self._side_by_side(entries, offset)

    def _entries(self, directory: bytes, count: int) -> dict[str, Member]:
        found: dict[str, Member] = {}
        at = 0
        for number in range(count):
            if len(directory) - at < _ENTRY.size or directory[at : at + 4] != b"PK\1\2":
                raise ValueError(f"its directory is damaged at member {number}")
            fields = _ENTRY.unpack_from(directory, at)
            flags, method, crc = fields[3], fields[4], fields[7]
            packed, size, *lengths, disk, _, _, offset = fields[8:]
            at += _ENTRY.size
            texts = []
            for length in lengths:
                texts.append(directory[at : at + length])
                at += length
            if at > len(directory):
                raise ValueError(f"its directory is truncated within member {number}")
            try:
                name = texts[0].decode("utf-8" if flags & 0x800 else "cp437")
            except UnicodeDecodeError as error:
                raise ValueError(f"a name is no Unicode text: {error}") from None
            if name in found:
                raise ValueError(f"it has {short(name)} twice")
            if flags & ENCRYPTED or disk not in (0, 0xFFFF):
                raise ValueError(f"{short(name)} is encrypted, or on another disk")
            size, packed, offset = _in_64_bits(name, (size, packed, offset), texts[1])
            found[name] = Member(offset, 0, packed, size, method, crc)
        return found

    def _side_by_side(self, members: dict[str, Member], end: int) -> dict[str, Member]:
        """The members with their limits. Raises ValueError where two would share a byte."""
        checked = {}
        limit = end
        for name, member in sorted(members.items(), key=lambda item: item[1].at, reverse=True):
            if member.at + _LOCAL.size + member.packed > limit:
                raise ValueError(f"{short(name)} overlaps with what follows it")
            checked[name] = member._replace(limit=limit)
            limit = member.at
        return {name: checked[name] for name in members}

    # --- Contents ----------------------------------------------------------------------------

    def _content(self, name: str, member: Member) -> np.ndarray:
        fields = self._unpack(_LOCAL, member.at, b"PK\3\4")
        *_, name_length, extra_length = fields
        data = member.at + _LOCAL.size + name_length + extra_length
        own_name = self._bytes(member.at + _LOCAL.size, name_length)
        if own_name not in (name.encode("utf-8"), name.encode("cp437", "replace")):
            raise ValueError(f"its header calls it {short(own_name)}")
        if data + member.packed > member.limit:
            raise ValueError("it overlaps with what follows it")
        if member.method == STORED:
            if member.packed != member.size:
                raise ValueError(f"{member.size} bytes are stored in {member.packed}")
            self.file.seek(self.start + data)
            content = fill(self.file, member.size)
        elif member.method == DEFLATED:
            content = self._inflated(data, member)
        else:
            raise ValueError(f"it is compressed by method {member.method}, not by deflate")
        if member.crc and zlib.crc32(content.data) != member.crc:
            raise ValueError("it is damaged: its checksum is another")
        return content

    def _inflated(self, at: int, member: Member) -> np.ndarray:
        if member.size > member.packed * INFLATION:
            raise ValueError(f"{member.size} bytes cannot be deflated to {member.packed}")
        content = np.empty(member.size, np.uint8)  # a page of it takes no memory until written
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        done = 0
        left = member.packed
        self.file.seek(self.start + at)
        while not machine.eof and (left or machine.unconsumed_tail):
            piece = machine.unconsumed_tail
            if not piece:
                piece = fill(self.file, min(left, PIECE)).tobytes()
                left -= len(piece)
            made = machine.decompress(piece, PIECE)
            if done + len(made) > member.size:
                raise ValueError(f"it inflates to more than the {member.size} bytes that it claims")
            content[done : done + len(made)] = np.frombuffer(made, np.uint8)
            done += len(made)
        if done != member.size:
            raise ValueError(f"it inflates to {done} bytes, not the {member.size} that it claims")
        return content


def _in_64_bits(name: str, numbers: tuple[int, ...], extra: bytes) -> list[int]:
    """``numbers``, with those that do not fit into 32 bits from a member's extra fields."""
    wide = b""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = extra[4 : 4 + length]
        extra = extra[4 + length :]
    found = []
    for number in numbers:
        if number == _FULL:
            if len(wide) < 8:
                raise ValueError(f"{short(name)} lacks a number of 64 bits")
            number, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        found.append(number)
    return found
