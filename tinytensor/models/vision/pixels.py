"""Pictures that models look at, as NumPy arrays."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ...errors import DtypeError, ShapeError

# What NumPy makes of a Pillow image in these modes.
SHAPES = {"L": "(H, W), of greys", "RGB": "(H, W, 3), of red, green and blue"}


def pixels(caller: str, img: Any, mode: Literal["L", "RGB"]) -> np.ndarray:
    """A picture, or what NumPy makes one of, as float32 (H, W) in mode L and (H, W, 3) in mode RGB,
    of 0 … 255. Raises ShapeError, DtypeError."""
    found = np.asarray(img)
    if 0 in found.shape or (found.shape[2:] != (3,) if mode == "RGB" else found.ndim != 2):
        raise ShapeError(
            f"{caller}: a picture must be {SHAPES[mode]}, not {found.shape}; a Pillow image becomes"
            f' one by image.convert("{mode}")'
        )
    if found.dtype.kind not in "uif":
        raise DtypeError(f"{caller}: a picture must be of numbers from 0 to 255, not {found.dtype}")
    return found.astype(np.float32)
