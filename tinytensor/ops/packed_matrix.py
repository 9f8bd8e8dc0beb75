"""PackedMatrix: a matrix whose numbers stay as a file has them, and how floats become such."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..errors import DtypeError, ShapeError
from .checks import floating, integers

__all__ = ["PackedMatrix"]


class PackedMatrix:
    """An immutable (out, in) matrix of float32 that is held in fewer bytes.

    ``kind`` says how: "f32", "bf16" and "f16" as floats, "int8" as signed bytes with one float32 a
    row in ``scales``, and "q8_0", "q4_0", "q4_1", "q4_K" and "q6_K" as GGUF's blocks of 32 or 256
    numbers of a row. ``data`` are the bytes, row after row, as a GGUF or safetensors file has them;
    they are not copied. Any bytes are numbers; a wrong count is a ShapeError.

    >>> import numpy as np
    >>> from tinytensor import nn
    >>> matrix = nn.PackedMatrix.of(np.eye(2, 32, dtype=np.float32), "q8_0")
    >>> matrix, matrix.nbytes
    (PackedMatrix(kind='q8_0', shape=(2, 32)), 68)
    >>> matrix.unpacked()[:, :3].round(3)
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    __slots__ = ("data", "kind", "scales", "shape", "tensors")
    KINDS = tuple(kernels.PACKED_KINDS)

    kind: str
    shape: tuple[int, int]
    data: np.ndarray  # (out, bytes of a row)
    scales: np.ndarray | None
    tensors: Any  # that modules share

    def __init__(
        self, kind: str, shape: tuple[int, int], data: Any, scales: npt.ArrayLike | None = None
    ) -> None:
        width, size = _block_of(kind)
        rows, columns = map(int, shape)
        if min(rows, columns) < 0:
            raise ShapeError(f"PackedMatrix: sizes are at least 0, not {(rows, columns)}")
        if columns % width:
            raise ShapeError(
                f"PackedMatrix: rows of {kind} are of whole blocks of {width}, not {columns}"
                " numbers"
            )
        data = np.ascontiguousarray(data)
        row_bytes = columns // width * size
        if data.nbytes != rows * row_bytes:
            raise ShapeError(
                f"PackedMatrix: {kind} of {(rows, columns)} takes {rows * row_bytes} bytes, but"
                f" data has {data.nbytes}"
            )
        if (scales is not None) != (kind == "int8"):
            raise TypeError(f"PackedMatrix: scales belong to 'int8' alone, and to each; not {kind}")
        if scales is not None:
            scales = np.ascontiguousarray(scales, np.float32)
            if scales.shape != (rows,):
                raise ShapeError(f"PackedMatrix: scales are ({rows},), not {scales.shape}")
        put = super().__setattr__
        put("kind", kind)
        put("shape", (rows, columns))
        if data.shape != (rows, row_bytes) or data.dtype != np.uint8:
            data = data.reshape(-1).view(np.uint8).reshape(rows, row_bytes)
        put("data", data)
        put("scales", scales)
        put("tensors", None)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a PackedMatrix does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a PackedMatrix does not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedMatrix, (self.kind, self.shape, self.data, self.scales)

    def __repr__(self) -> str:
        return f"PackedMatrix(kind={self.kind!r}, shape={self.shape})"

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers and of the scales."""
        return self.data.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def unpacked(self) -> np.ndarray:
        """The matrix as float32: for GGUF's kinds what its own tools make of it, bit for bit."""
        return kernels.packed_unpack(self.kind, self.data, self.shape[1], self.scales)

    def rows(self, indices: npt.ArrayLike) -> np.ndarray:
        """The rows at ``indices`` (…) as float32 (…, in). One outside [0, out) is an IndexError."""
        at = integers("PackedMatrix.rows", "indices", indices)
        return kernels.packed_unpack(self.kind, self.data, self.shape[1], self.scales, at)

    @classmethod
    def of(cls, array: npt.ArrayLike, kind: str) -> PackedMatrix:
        """A matrix of floats rounded to ``kind``, one of f32, bf16, f16, int8, q8_0, q4_0, q4_1.

        int8: a row's scale is its largest size over 127. The others are those of the ``gguf``
        package, bit for bit. A number that is not finite, or too large for the kind, is a
        ValueError.
        """
        x = floating("PackedMatrix.of", "array", array)
        width, _ = _block_of(kind)
        if x.ndim != 2:
            raise ShapeError(f"PackedMatrix.of: a matrix has 2 axes, but array is {x.shape}")
        if kind not in _PACKERS:
            raise ValueError(f"PackedMatrix.of: {kind!r} is read alone; of makes {[*_PACKERS]}")
        if x.shape[1] % width:
            raise ShapeError(
                f"PackedMatrix.of: rows of {kind} are of whole blocks of {width}, not"
                f" {x.shape[1]} numbers"
            )
        x = np.ascontiguousarray(x, np.float32)
        if not np.isfinite(x).all():
            raise ValueError("PackedMatrix.of: array has numbers that are not finite")
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            data, scales = _PACKERS[kind](x)
        made = cls(kind, x.shape, data, scales)
        if kind not in ("f32", "int8") and not np.isfinite(made.unpacked()).all():
            raise ValueError(f"PackedMatrix.of: array has numbers too large for {kind}")
        return made


def _block_of(kind: str) -> tuple[int, int]:
    try:
        return kernels.PACKED_KINDS[kind]
    except (KeyError, TypeError):
        known = ", ".join(kernels.PACKED_KINDS)
        raise ValueError(f"PackedMatrix: kind is one of {known}, not {kind!r}") from None


def packed(op: str, matrix: Any) -> PackedMatrix:
    """``matrix``, or an error in the name of ``op``."""
    if not isinstance(matrix, PackedMatrix):
        raise DtypeError(f"{op}: matrix must be a PackedMatrix, not {type(matrix).__name__}")
    return matrix


# --- Rounding --------------------------------------------------------------------------------


def _bf16(x: np.ndarray) -> tuple[np.ndarray, None]:
    """To the nearest, halves to even."""
    bits = x.view(np.uint32)
    return ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16), None


def _int8(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scales = np.abs(x).max(axis=1, initial=0) / np.float32(127)
    by = np.where(scales > 0, scales, np.float32(1))[:, None]
    return np.clip(np.rint(x / by), -127, 127).astype(np.int8), scales


def _inverse(d: np.ndarray) -> np.ndarray:
    return np.where(d == 0, np.float32(0), 1 / d)


def _q8_0(x: np.ndarray) -> tuple[np.ndarray, None]:
    blocks = x.reshape(-1, 32)
    d = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    scaled = blocks * _inverse(d)
    size = np.abs(scaled)  # halves away from zero
    whole = np.floor(size)
    q = np.sign(scaled) * (whole + np.floor(2 * (size - whole)))
    return _blocks([d], q.astype(np.int8).view(np.uint8)), None


def _q4_0(x: np.ndarray) -> tuple[np.ndarray, None]:
    """The number of largest size is -8 d."""
    blocks = x.reshape(-1, 32)
    at = np.abs(blocks).argmax(axis=1, keepdims=True)
    d = np.take_along_axis(blocks, at, axis=1) / np.float32(-8)
    q = np.trunc(blocks * _inverse(d) + np.float32(8.5)).astype(np.uint8)
    return _blocks([d], _nibbles(q)), None


def _q4_1(x: np.ndarray) -> tuple[np.ndarray, None]:
    """From m, the smallest number, to m + 15 d, the largest."""
    blocks = x.reshape(-1, 32)
    m = blocks.min(axis=1, keepdims=True)
    d = (blocks.max(axis=1, keepdims=True) - m) / np.float32(15)
    q = np.trunc((blocks - m) * _inverse(d) + np.float32(0.5)).astype(np.uint8)
    return _blocks([d, m], _nibbles(q)), None


def _nibbles(q: np.ndarray) -> np.ndarray:
    q = q.clip(0, 15)
    return q[:, :16] | q[:, 16:] << 4


def _blocks(scales: list[np.ndarray], numbers: np.ndarray) -> np.ndarray:
    return np.concatenate([s.astype(np.float16).view(np.uint8) for s in scales] + [numbers], axis=1)


_PACKERS: dict[str, Any] = {
    "f32": lambda x: (x.copy(), None),
    "bf16": _bf16,
    "f16": lambda x: (x.astype(np.float16), None),
    "int8": _int8,
    "q8_0": _q8_0,
    "q4_0": _q4_0,
    "q4_1": _q4_1,
}
