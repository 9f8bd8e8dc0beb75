"""Memory for batches, from the cache that the kernels' outputs come from.

What is allocated for each batch anew, the system gives and takes away page by page: in the middle
of a training loop that took twice as long as the arithmetic of the transforms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import built

_core = built.module("tinytensor.kernels._core")

# empty(shape, dtype): an array with anything in it.
empty: Callable[[tuple[int, ...], Any], np.ndarray] = np.empty if _core is None else _core.empty


def copy_of(array: np.ndarray) -> np.ndarray:
    """A copy, in C order."""
    out = empty(array.shape, array.dtype)
    np.copyto(out, array)
    return out
