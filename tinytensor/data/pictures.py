"""Pictures in files: PNG, JPEG and their like, by Pillow, as arrays of bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import read_file
from .png import check_rows, claimed_bytes

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
# What may be in them: of Pillow's other formats some start programs.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
MODES = ("L", "RGB", "RGBA")


def read_image(path: str | os.PathLike[str], mode: str = "RGB") -> np.ndarray:
    """The picture in a file: (C, H, W), uint8. ``mode`` is "RGB", "L" (grey) or "RGBA".

    Of several pictures in one file the first. Raises FileNotFoundError; ValueError, which names the
    file, if it is truncated, damaged or no picture; ModuleNotFoundError without Pillow.
    """
    if mode not in MODES:
        raise ValueError(f"read_image: mode must be one of {', '.join(MODES)}, not {mode!r}")
    image = _pillow()
    # In memory, where a read beyond the end takes no more than there is.
    file = io.BytesIO(read_file(path, "read_image"))
    try:
        rows = claimed_bytes(file, file.getbuffer().nbytes)
        with image.open(file, formats=FORMATS) as picture:
            picture.load()
            if rows and ("interlace" in picture.info or _ends_in_zeros(picture)):
                check_rows(file, rows)
            pixels = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except Exception as error:  # damaged files get out of Pillow by errors of every kind
        raise ValueError(
            f"read_image: {os.fspath(path)}: truncated, damaged or no picture:"
            f" {type(error).__name__}: {error}"
        ) from error
    pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    return np.ascontiguousarray(pixels)


def _ends_in_zeros(picture: Any) -> bool:
    """Is the last row as Pillow leaves it where data are missing?"""
    width, height = picture.size
    content = picture.crop((0, height - 1, width, height)).tobytes()
    return content.count(0) == len(content)


def _pillow() -> Any:
    try:
        from PIL import Image  # late: not needed elsewhere, and it need not be there
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("read_image: pictures need Pillow: pip install pillow") from error
    return Image


def is_picture(path: str | Path) -> bool:
    """Does a file's name end as that of a picture?"""
    return os.fspath(path).lower().endswith(EXTENSIONS)
