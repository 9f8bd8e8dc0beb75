"""Where text is read from: files, bytes, and members of wheels and other zip archives."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..data.folders import files_below
from ..errors import a_kind_of
from ..io.archives import Archive
from ..io.files import open_file, opened

Source = str | os.PathLike[str] | bytes | BinaryIO


def content_of(source: Source, caller: str, member: str | None = None) -> tuple[bytes, str]:
    """The bytes of a source, gzipped ones inflated, and its name for messages.

    A source is a path, the content itself as bytes, or a file opened in binary mode; with
    ``member`` it is a zip archive, such as a wheel, and the file of this name in it is read.

    Raises FileNotFoundError, ValueError for a damaged archive, TypeError for what is no source.
    """
    given = isinstance(source, bytes | bytearray | memoryview)
    file: BinaryIO | str | os.PathLike[str] = io.BytesIO(source) if given else source  # type: ignore[assignment, arg-type]
    with opened(file, caller) as (binary, name):
        name = "the bytes" if given else name.strip("'")
        try:
            if member is not None:
                return _inflated(_member(Archive(binary), member)), f"{name}: {member}"
            return _inflated(binary.read()), name
        except ValueError as error:
            raise ValueError(f"{caller}: {name}: {error}") from error


def _member(archive: Archive, name: str) -> bytes:
    if name not in archive.members:
        raise ValueError(f"the archive has no member {name!r}")
    return archive.read(name).tobytes()


def _inflated(content: bytes) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"truncated or corrupt gzip data: {error}") from error


def decoded(content: bytes, encoding: str, caller: str, name: str) -> str:
    """The text of bytes, without a byte order mark. Raises ValueError, which names the line."""
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{caller}: {name}, line {line}: not {encoding}: {error.reason}"
        ) from error
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{caller}: {name}: encoding {encoding!r}: {error}") from error


def text_of(source: Source, caller: str, member: str | None, encoding: str) -> tuple[str, str]:
    """The text of a source, and its name for messages."""
    content, name = content_of(source, caller, member)
    return decoded(content, encoding, caller, name), name


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Lines without their ends, numbered from 1; they end as in files: \\n, \\r\\n or \\r."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return enumerate(lines, 1)


def files_in(
    where: str | os.PathLike[str], caller: str, choose: Callable[[list[str]], Iterable[str]]
) -> Iterator[tuple[str, bytes]]:
    """Files below a folder, or in a zip archive: those that ``choose`` takes of the sorted names,
    each with its content."""
    if not isinstance(where, str | os.PathLike):
        raise TypeError(f"{caller}: the path is {a_kind_of(where)}, not one of a folder or wheel")
    path = Path(where)
    if path.is_dir():
        names = sorted(Path(found).relative_to(path).as_posix() for found in files_below(path))
        for name in choose(names):
            yield name, content_of(path / name, caller)[0]
        return
    with open_file(path, caller) as file:
        try:
            archive = Archive(file)
            names = sorted(name for name in archive.members if not name.endswith("/"))
            for name in choose(names):
                yield name, _inflated(_member(archive, name))
        except ValueError as error:
            raise ValueError(f"{caller}: {path}: {error}") from error
