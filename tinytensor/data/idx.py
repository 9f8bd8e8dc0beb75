"""The IDX format, and MNIST and its relatives, which are stored in it.

An IDX file, whose numbers are all big-endian:

    0 0 | type (1 byte) | rank (1 byte) | size of each axis (4 bytes each) | elements, C order

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..io.files import byte_count, open_file
from .dataset import TensorDataset
from .image import bytes_to_unit

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


INFLATION = 1032  # the most bytes that deflate makes of one


def read_idx(path: str | Path, mapped: bool = False) -> np.ndarray:
    """The array in an IDX file, plain or compressed by gzip, in the machine's byte order.

    ``mapped`` reads what is asked for when it is asked for, for a file larger than the memory: the
    array is read-only, in the file's byte order, and what it was only while nobody writes the file.
    Raises ValueError, naming the file, if it is not IDX, truncated, too long, or corrupt, or is to
    be mapped and compressed.
    """
    with open_file(path, "read_idx") as file:
        size = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            if mapped:
                if zipped:
                    raise ValueError("what gzip has compressed cannot be mapped")
                return _mapped(file, size)
            if not zipped:
                return _read(file, size)
            with gzip.open(file) as unzipped:
                return _read(unzipped, size * INFLATION)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"read_idx: {path}: truncated or corrupt gzip data: {error}"
            ) from error
        except ValueError as error:
            raise ValueError(f"read_idx: {path}: {error}") from error


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _header(file: _Readable, most: int) -> tuple[np.dtype, tuple[int, ...], int, str]:
    """dtype, shape, bytes of the elements, and how an error begins that is about these."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise ValueError(f"not an IDX file: it starts with {magic!r}")
    dtype, rank = np.dtype(DTYPES[magic[2]]), magic[3]
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise ValueError("truncated within its header")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    claim = f"the header says {dtype.name} {shape}, {expected} bytes, but the file holds"
    if expected > (rest := most - 4 - len(header)):
        raise ValueError(f"{claim} {rest} at most")
    byte_count(shape, dtype.itemsize)  # of 64 axes at most
    return dtype, shape, expected, claim


def _read(file: _Readable, most: int) -> np.ndarray:
    """The array in ``file``, which holds at most ``most`` bytes."""
    dtype, shape, expected, claim = _header(file, most)
    # In pieces, so that a header that lies allocates no more than the file holds.
    content = bytearray()
    while piece := file.read(min(1 << 20, expected + 1 - len(content))):
        content += piece
    if len(content) != expected:
        raise ValueError(f"{claim} {'more' if len(content) > expected else len(content)}")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _mapped(file: Any, size: int) -> np.ndarray:
    dtype, shape, expected, claim = _header(file, size)
    if size != file.tell() + expected:
        raise ValueError(f"{claim} more")
    if not expected:
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape))


def mnist(root: str | Path, train: bool = True, mapped: bool = False) -> TensorDataset:
    """MNIST (or Fashion-MNIST, KMNIST) from the four IDX files in ``root``, gzipped or not.

    The images are ``mapped`` as in `read_idx`, if asked for.

    Batches are images (N, 1, 28, 28), float32 in [0, 1], and labels (N,), int64. Nothing is
    downloaded. Raises FileNotFoundError, or ValueError for files that are not as they should be.
    """
    part = "train" if train else "t10k"
    images = read_idx(_find(Path(root), f"{part}-images-idx3-ubyte"), mapped)
    labels = read_idx(_find(Path(root), f"{part}-labels-idx1-ubyte"))
    if images.ndim != 3 or images.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"mnist: {root}: images are {images.dtype} {images.shape} and labels {labels.dtype}"
            f" {labels.shape}; expected uint8 (N, 28, 28) and (N,)"
        )
    return TensorDataset(images[:, None], labels.astype(np.int64), transform=bytes_to_unit)


def _find(root: Path, name: str) -> Path:
    for path in (root / name, root / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(f"mnist: there is neither {name} nor {name}.gz in {root}")
