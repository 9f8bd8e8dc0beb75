"""NumPy's .npy and .npz: arrays of numbers and bools; objects, records and texts are refused.

    \\x93NUMPY | version (2 bytes) | length of the header (2 or 4 bytes) | header | elements

The header is the repr of a dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}. An .npz
is a zip archive of such files.

Source: numpy.lib.format's documentation.
"""

from __future__ import annotations

import ast
import re

import numpy as np

from ..errors import DtypeError
from .archives import Archive
from .files import byte_count, settled, short

__all__ = ["MAGIC", "npy_array", "npz_arrays"]

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # bytes, NumPy's limit: Python's parser is to read no more
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16)")


def npy_array(content: np.ndarray) -> np.ndarray:
    """The array of an .npy file, which shares the memory of ``content``, the file's bytes.

    Raises ValueError if they are something else, damaged or truncated, DtypeError for elements that
    are no numbers.
    """
    head = content[:12].tobytes()
    if head[:6] != MAGIC or len(head) < 10:
        raise ValueError(f"not an .npy file: it starts with {short(head)}")
    if head[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError(f"it is of version {head[6]}.{head[7]} of .npy")
    begin = 10 if head[6] == 1 else 12
    end = begin + int.from_bytes(head[8:begin], "little")
    if end > content.size:
        raise ValueError("it is truncated within its header")
    if end - begin > LONGEST_HEADER:
        raise ValueError(f"its header has {end - begin} bytes, more than {LONGEST_HEADER}")
    dtype, shape, fortran = _header(
        content[begin:end].tobytes(), "latin1" if head[6] < 3 else "utf-8"
    )
    size = byte_count(shape, dtype.itemsize)
    if size != content.size - end:
        raise ValueError(
            f"its header says {dtype} {shape}, {size} bytes; {content.size - end} follow"
        )
    flat = np.frombuffer(content, dtype, offset=end) if size else np.empty(0, dtype)
    return settled(flat.reshape(shape, order="F" if fortran else "C"))


def npz_arrays(archive: Archive) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Raises ValueError, or DtypeError, with the name."""
    arrays = {}
    for member in archive.members:
        name = member.removesuffix(".npy")
        try:
            arrays[name] = npy_array(archive.read(member))
        except DtypeError as error:
            raise DtypeError(f"{short(name)}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{short(name)}: {error}") from None
    return arrays


def _header(text: bytes, encoding: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    try:
        # Python 2 wrote its long numbers so.
        found = ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text.decode(encoding)).strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"its header is no dict: {short(text)}") from error
    if not isinstance(found, dict) or set(found) != {"descr", "fortran_order", "shape"}:
        raise ValueError(f"its header is {short(found)}")
    descr, fortran, shape = (found[key] for key in ("descr", "fortran_order", "shape"))
    if not isinstance(descr, str):
        raise DtypeError(f"its elements are records, {short(descr)}, not numbers")
    if not DTYPE.fullmatch(descr):
        objects = descr.strip("<>|=").startswith("O")
        what = "objects of Python, which only running code could make" if objects else short(descr)
        raise DtypeError(f"its elements are {what}, not numbers")
    if not isinstance(fortran, bool) or not isinstance(shape, tuple):
        raise ValueError(f"its header is {short(found)}")
    return np.dtype(descr), shape, fortran
