"""What a recording keeps of an array: all of a small one; of a large one statistics and a sample.

Everything is read when the array is given: it may be changed, or its memory used again, later.
"""

from __future__ import annotations

from base64 import b64encode
from math import isfinite, nan
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from ..dtypes import is_narrow

SIDE = 16  # rows and columns of a sample
EXACT = 1 << 24  # of integers up to here float32 loses nothing


class Summary(NamedTuple):
    """``whole`` is a copy of all, or None. The rest is of a large array: the least, the greatest,
    the mean and the standard deviation of what is finite (of complex numbers: of their absolute
    values), how many are 0, NaN and infinite, and a sample of one of its matrices."""

    whole: Any
    stats: tuple[float, float, float, float, int, int, int] | None
    sample: np.ndarray | None

    def whole_as_json(self) -> Any:
        """Numbers, or nested lists of them. A float32 is the shortest decimal that gives it back;
        a complex number is a text, and so are "nan", "inf" and "-inf"."""
        if not isinstance(self.whole, np.ndarray | np.generic):
            return in_json(self.whole)
        array = np.asarray(self.whole)
        if array.dtype.kind == "c":
            texts = np.array([str(number).strip("()") for number in array.flat], object)
            return texts.reshape(array.shape).tolist()
        numbers = shortest(array).tolist()
        return numbers if np.isfinite(array).all() else in_json(numbers)

    def stats_as_json(self) -> dict[str, Any] | None:
        if self.stats is None:
            return None
        low, high, mean, std, *counts = self.stats
        spread = [in_json(float(f"{number:.7g}")) for number in (low, high, mean, std)]
        names = ("min", "max", "mean", "std", "zeros", "nan", "inf")
        return dict(zip(names, [*spread, *counts], strict=True))

    def thumb(self) -> dict[str, Any] | None:
        """The sample in 256 steps, from the least to the greatest number of the whole array; what
        is NaN has the step 0."""
        if self.sample is None or self.stats is None:
            return None
        low, high = self.stats[:2]
        with np.errstate(all="ignore"):
            steps = (self.sample.astype(np.float64) - low) * (255 / ((high - low) or 1))
        pixels = np.clip(np.nan_to_num(np.rint(steps), nan=0.0), 0, 255).astype(np.uint8)
        return {
            "rows": pixels.shape[0],
            "columns": pixels.shape[1],
            "pixels": b64encode(pixels.tobytes()).decode("ascii"),
            "low": in_json(float(f"{low:.7g}")),
            "high": in_json(float(f"{high:.7g}")),
        }


def summary_of(value: Any, whole: int, like: Summary | None = None) -> Summary:
    """The summary of a raw value, of which up to ``whole`` elements are kept. ``like`` is that of
    an array with the same elements in another layout, if there is one."""
    if not isinstance(value, np.ndarray):
        return Summary(value, None, None)
    if value.size <= whole:
        return Summary(value.copy(), None, None)
    if like is not None and like.stats is not None:
        return Summary(None, like.stats, sample_of(value))
    return Summary(None, stats_of(value), sample_of(value))


def zeros_of(array: np.ndarray, whole: int) -> Summary:
    """The summary of zeros, without a look at memory that the system may not have given yet."""
    if array.size <= whole:
        return Summary(np.zeros_like(array), None, None)
    stats = (0.0, 0.0, 0.0, 0.0, array.size, 0, 0)
    return Summary(None, stats, np.zeros((1, 1), np.float32))


def stats_of(array: np.ndarray) -> tuple[float, float, float, float, int, int, int]:
    """The least, the greatest, mean, standard deviation; how many are 0, NaN and infinite."""
    own, times = array, 1
    if 0 in array.strides:  # broadcast: each element counts as often as it is seen
        own = array[tuple([slice(1) if not step else slice(None) for step in array.strides])]
        times = array.size // max(own.size, 1)
    if own.dtype.kind == "c":
        own = abs(own)
    elif own.dtype.kind in "biu":
        low, high = float(own.min()), float(own.max())
        own = own.astype(np.float32 if max(-low, high) < EXACT else np.float64)
    elif own.itemsize == 2 and is_narrow(own):
        own = own.astype(np.float32)
    low, high = float(kernels.amin(own)), float(kernels.amax(own))
    zeros = 0
    if not low > 0 and not high < 0:
        zeros = times * int(np.count_nonzero(own == 0))  # faster than of those that are not
    if isfinite(low) and isfinite(high):
        return low, high, float(kernels.mean(own)), float(kernels.std(own)), zeros, 0, 0
    nans, infinite = int(np.isnan(own).sum()), int(np.isinf(own).sum())
    own = own[np.isfinite(own)]
    if not own.size:
        return nan, nan, nan, nan, zeros, times * nans, times * infinite
    low, high = float(own.min()), float(own.max())
    mean, std = float(own.mean(dtype=np.float64)), float(own.std(dtype=np.float64))
    return low, high, mean, std, zeros, times * nans, times * infinite


def sample_of(array: np.ndarray) -> np.ndarray:
    """At most ``SIDE`` rows and columns, evenly spread, of the matrix that the last two axes of
    the first item make; where that is small, of all items' rows."""
    if array.ndim > 2 and array.shape[-1] * array.shape[-2] >= SIDE * 4:
        matrix = array[(0,) * (array.ndim - 2)]
    elif array.ndim > 2:
        few = SIDE * max(array.shape[-1], 1) * 4
        matrix = array.reshape(-1)[: few * SIDE] if array.flags.c_contiguous else array[:SIDE]
        matrix = matrix[: matrix.size // array.shape[-1] * array.shape[-1]]
        matrix = matrix.reshape(-1, array.shape[-1])
    else:
        matrix = np.atleast_2d(array)
    if matrix.shape[0] == 1 and matrix.shape[1] > SIDE:  # a long row: as a square
        line = matrix[0, :: max(matrix.shape[1] // (SIDE * SIDE), 1)][: SIDE * SIDE]
        rows = min(line.size // SIDE, SIDE)
        matrix = line[: rows * SIDE].reshape(rows, SIDE)
    rows, columns = matrix.shape
    sample = matrix[:: -(-rows // SIDE), :: -(-columns // SIDE)]
    if sample.dtype.kind == "c":
        return abs(sample)
    return sample.astype(np.float32) if sample.dtype != np.float64 else sample.copy()


def shortest(array: np.ndarray) -> np.ndarray:
    """Numbers of few bits as the shortest decimals that give them back, in float64."""
    if array.dtype.kind in "biu" or array.dtype == np.float64:
        return array
    return array.astype(np.float32).astype("U32").astype(np.float64)


def in_json(numbers: Any) -> Any:
    """Numbers, or nested lists of them, with texts in the place of floats that JSON has not."""
    if isinstance(numbers, list):
        return [in_json(number) for number in numbers]
    return str(numbers) if isinstance(numbers, float) and not isfinite(numbers) else numbers
