"""Files on the disk: written whole or not at all, and read without trust in what they claim."""

from __future__ import annotations

import errno
import fcntl
import io
import itertools
import math
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np

from ..errors import a_kind_of

__all__ = ["byte_count", "open_file", "opened", "replaced"]

StrPath = str | os.PathLike[str]

MOST_AXES = 64  # NumPy's limit

_UNFINISHED = re.compile(r"\.tinytensor-[0-9a-f]{16}\.tmp")


@contextmanager
def replaced(path: StrPath, caller: str) -> Iterator[BinaryIO]:
    """A new file to write, which takes the place of ``path`` at the end of the ``with``.

    The content is on the disk before the name is: after a crash, ``path`` is the old file or the
    new one, whole. Whoever has the old one open goes on reading the old one. A symlink stays, its
    target is replaced; the mode of an existing file is kept. An error leaves all as it was.

    An unfinished file has a name that nobody else has, and is locked as long as its writer lives.
    So any later writer in the folder can tell, and removes, what killed ones left.

    Raises ValueError if ``path`` is there and is no regular file.
    """
    target = os.path.realpath(os.fsdecode(path))
    old: os.stat_result | None = None
    with suppress(FileNotFoundError):
        old = os.stat(target)
    if old is not None:
        _check_regular(old, path, caller)
    folder = os.path.dirname(target)
    _remove_abandoned(folder)
    descriptor, unfinished = _new_file(folder, 0o666 if old is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if old is not None:
                with suppress(PermissionError):  # only root gives files away
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)
            os.replace(unfinished, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise
    _sync_folder(folder)


def _new_file(folder: str, mode: int) -> tuple[int, str]:
    """A file that is new and locked: its descriptor and its path."""
    while True:
        path = os.path.join(folder, f".tinytensor-{os.urandom(8).hex()}.tmp")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # where there are no locks nothing is removed either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # not removed before it was locked
            return descriptor, path
        os.close(descriptor)


def _remove_abandoned(folder: str) -> None:
    """Remove the unfinished files in ``folder`` whose writers live no more."""
    with suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if _UNFINISHED.fullmatch(entry.name):
                with suppress(OSError):  # another's, finished meanwhile, or locked: it lives
                    _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that one may write to but not list
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync no folders
            raise
    finally:
        os.close(descriptor)


def open_file(path: StrPath, caller: str) -> BinaryIO:
    """Open a regular file to be read, never waiting for a writer at the other end of a pipe.

    Raises ValueError if it is a folder, a pipe or a device; FileNotFoundError; TypeError for what
    is no path: a number would be the descriptor of whatever file is open under it.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(f"{caller}: path is {a_kind_of(path)}, not a path")
    try:
        _check_regular(os.stat(path), path, caller)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        what = f"{caller}: there is no file"
        raise FileNotFoundError(errno.ENOENT, what, os.fspath(path)) from error
    file = os.fdopen(descriptor, "rb")
    try:
        _check_regular(os.fstat(descriptor), path, caller)  # it may be another one by now
    except ValueError:
        file.close()
        raise
    return file


@contextmanager
def opened(source: StrPath | BinaryIO, caller: str) -> Iterator[tuple[BinaryIO, str]]:
    """A file that can be read at any place, and its name for messages: the file at a path, or a
    binary file object, from where it stands. Of other objects than plain files and memory the
    content is read at once: to go back in them may mean to inflate all anew.

    Raises TypeError for what is neither; otherwise as :func:`open_file`.
    """
    if isinstance(source, str | bytes | os.PathLike):
        with open_file(source, caller) as file:
            yield file, repr(os.fspath(source))
        return
    if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
        kind = a_kind_of(source)
        raise TypeError(
            f"{caller}: path is {kind}, neither a path nor a file opened in binary mode"
        )
    name = getattr(source, "name", None)
    told = repr(name) if isinstance(name, str | bytes) else a_kind_of(source)
    plain = isinstance(source, io.BufferedReader | io.BufferedRandom | io.BytesIO)
    if plain and source.seekable():
        yield source, told
        return
    content = source.read()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(f"{caller}: {told} gives {a_kind_of(content)}, not bytes")
    yield io.BytesIO(content), told


def bytes_left(file: BinaryIO) -> int:
    """How many bytes follow in a file; its place stays."""
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return max(end - here, 0)


def fill(file: BinaryIO, size: int) -> np.ndarray:
    """The next ``size`` bytes of a file, uint8, in memory of their own that can be written.

    A file that is shorter, or becomes so meanwhile, is a ValueError; ask :func:`bytes_left` before
    ``size`` is believed.
    """
    content = np.empty(size, np.uint8)
    left = content.data
    while len(left):
        count = file.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"it is truncated: {len(left)} bytes should follow")
        left = left[count:]
    return content


def settled(array: np.ndarray) -> np.ndarray:
    """``array`` as the machine has it: in its byte order, aligned, and bools being 0 or 1, since a
    byte that is neither makes NumPy answer by chance. A copy where it must be one."""
    if array.dtype == bool:
        stored = array.view(np.uint8)
        return stored != 0 if stored.max(initial=0) > 1 else array
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array if array.flags.aligned else array.copy()


def read_file(path: StrPath, caller: str) -> bytes:
    """The content of a regular file; errors as those of :func:`open_file`."""
    with open_file(path, caller) as file:
        return file.read()


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _check_regular(status: os.stat_result, path: StrPath, caller: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"{caller}: {os.fsdecode(path)} is {kind}, not a file")


def byte_count(shape: Any, itemsize: int) -> int:
    """The bytes of an array of this shape. Raises ValueError if NumPy can make none such."""
    if not isinstance(shape, list | tuple):
        raise ValueError("a shape is not a list of whole numbers")
    if len(shape) > MOST_AXES:
        raise ValueError(f"a shape has {len(shape)} axes, more than {MOST_AXES}")
    if not all(type(n) is int for n in shape):
        raise ValueError("a shape is not a list of whole numbers")
    sizes = [n or 1 for n in shape]  # as NumPy counts: without the zeros
    if not all(0 < n <= sys.maxsize for n in sizes) or math.prod(sizes) * itemsize > sys.maxsize:
        raise ValueError(f"a shape is {short(shape)}, which no array can have")
    return math.prod(shape) * itemsize


def short(value: Any) -> str:
    """The repr of something out of a file, at most 80 characters of it.

    Only what is seen is looked at: a tuple of tuples may take a few bytes in a file and have a
    repr of many more than there is memory.
    """
    text = _text(value, 4)
    return text if len(text) <= 80 else f"{text[:77]}…"


_BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}"}


def _text(value: Any, levels: int) -> str:
    if isinstance(value, str | bytes | bytearray):
        return repr(value[:80])
    if isinstance(value, int) and value.bit_length() > 300:
        return f"a number of {value.bit_length()} bits"
    if (brackets := _BRACKETS.get(type(value))) is None:
        return repr(value)
    if not levels:
        return "…"
    if isinstance(value, dict):
        pairs = itertools.islice(value.items(), 20)
        parts = [f"{_text(key, levels - 1)}: {_text(item, levels - 1)}" for key, item in pairs]
    else:
        parts = [_text(item, levels - 1) for item in itertools.islice(value, 20)]
    alone = "," if len(parts) == 1 and brackets == "()" else ""
    return f"{brackets[0]}{', '.join(parts)}{alone}{brackets[1]}"
