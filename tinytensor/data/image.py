"""What image datasets share."""

from __future__ import annotations

import numpy as np


def bytes_to_unit(images: np.ndarray) -> np.ndarray:
    """Bytes 0 … 255 as float32 in [0, 1]."""
    return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
