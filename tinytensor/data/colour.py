"""Brightness, contrast, saturation and hue of images, given or drawn.

Images are (…, 3, H, W), bytes or floats in [0, 1], and stay in their range: what would pass beyond
black or white is cut off. A factor is a number, or an array that broadcasts, such as (N, 1, 1, 1)
with one for each image. Bytes are calculated with as floats, and rounded at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ShapeError
from .transforms import RandomTransform, Range, brightest, of_dtype, pair

GREY = (0.2989, 0.587, 0.114)  # the weights of red, green and blue in ITU-R BT.601


def _with_floats(
    change: Callable[[np.ndarray, Any], np.ndarray], images: Any, by: Any
) -> np.ndarray:
    """Apply ``change`` to floats in [0, 1]."""
    images = np.asarray(images)
    if images.ndim < 3 or images.shape[-3] not in (1, 3):
        raise ShapeError(
            f"{change.__name__.strip('_')}: images must be (…, 3, H, W), not {images.shape}"
        )
    if images.dtype == np.float32:
        return change(images.copy(), np.asarray(by, np.float32))
    white, dtype = brightest(images), np.dtype(np.float32)
    if images.dtype == np.float64:
        dtype = images.dtype
    floats = np.multiply(images, dtype.type(1 / white), dtype=dtype)
    return of_dtype(change(floats, np.asarray(by, dtype)) * dtype.type(white), images.dtype)


def grey(images: np.ndarray) -> np.ndarray:
    """The brightness of each pixel of images (…, 3, H, W): (…, 1, H, W)."""
    if images.shape[-3] == 1:
        return images
    r, g, b = (images[..., i : i + 1, :, :] for i in range(3))
    out = r * images.dtype.type(GREY[0])
    out += g * images.dtype.type(GREY[1])
    out += b * images.dtype.type(GREY[2])
    return out


def _brightness(x: np.ndarray, factor: Any) -> np.ndarray:
    x *= factor
    return np.clip(x, 0, 1, out=x)


def _contrast(x: np.ndarray, factor: Any) -> np.ndarray:
    mean = grey(x).mean((-3, -2, -1), keepdims=True)
    x *= factor
    x += (1 - factor) * mean
    return np.clip(x, 0, 1, out=x)


def _saturation(x: np.ndarray, factor: Any) -> np.ndarray:
    if x.shape[-3] == 1:
        return x
    of_grey = grey(x)
    of_grey *= 1 - factor
    x *= factor
    x += of_grey
    return np.clip(x, 0, 1, out=x)


def _hue(x: np.ndarray, turn: Any) -> np.ndarray:
    """By way of hue, saturation and value: h = 0 is red, ⅓ green, ⅔ blue.

    A channel is v − v·s·max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6, of n = 5, 3, 1.
    """
    if x.shape[-3] == 1:
        return x
    r, g, b = (x[..., i : i + 1, :, :] for i in range(3))
    value = x.max(-3, keepdims=True)
    spread = value - x.min(-3, keepdims=True)  # v·s
    safe = np.where(spread == 0, 1, spread)
    sector = np.where(
        value == r,
        (g - b) / safe,
        np.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe),
    )
    sector += 6 * turn
    for i, n in enumerate((5, 3, 1)):
        k = np.mod(sector + n, 6)
        np.minimum(k, 4 - k, out=k)
        np.clip(k, 0, 1, out=k)
        x[..., i : i + 1, :, :] = value - spread * k
    return x


def adjust_brightness(images: Any, factor: Any) -> np.ndarray:
    """factor · x: 0 is black, 1 the image itself.

    >>> adjust_brightness(np.full((3, 1, 1), 100, np.uint8), 1.5).ravel()
    array([150, 150, 150], dtype=uint8)
    """
    return _with_floats(_brightness, images, factor)


def adjust_contrast(images: Any, factor: Any) -> np.ndarray:
    """factor · x + (1 − factor) · the mean brightness of the image: 0 is grey all over."""
    return _with_floats(_contrast, images, factor)


def adjust_saturation(images: Any, factor: Any) -> np.ndarray:
    """factor · x + (1 − factor) · the brightness of each pixel: 0 is without colour."""
    return _with_floats(_saturation, images, factor)


def adjust_hue(images: Any, turn: Any) -> np.ndarray:
    """The hues turned around their circle by ``turn``: ⅓ makes red of blue's place, ½ opposites.

    >>> adjust_hue(np.array([1.0, 0, 0]).reshape(3, 1, 1), 1 / 3).ravel().round(3)
    array([0., 1., 0.])
    """
    return _with_floats(_hue, images, turn)


class ColorJitter(RandomTransform):
    """Brightness, contrast, saturation and hue of each image, changed at random.

    A number b of the first three stands for factors from max(0, 1 − b) to 1 + b, one of ``hue`` (at
    most ½) for turns from −hue to hue; or pairs (least, most). The order of the four changes is
    drawn for each batch, their sizes for each image.

    >>> jitter = ColorJitter(brightness=0.2, hue=0.1, generator=0)
    >>> jitter(np.ones((2, 3, 4, 4), np.float32)).shape
    (2, 3, 4, 4)
    """

    def __init__(
        self,
        brightness: Range = 0.0,
        contrast: Range = 0.0,
        saturation: Range = 0.0,
        hue: Range = 0.0,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(generator)
        self.changes: list[tuple[Callable[..., np.ndarray], tuple[float, float]]] = []
        for name, amount, change in (
            ("brightness", brightness, _brightness),
            ("contrast", contrast, _contrast),
            ("saturation", saturation, _saturation),
            ("hue", hue, _hue),
        ):
            least, most = pair("ColorJitter", name, amount)
            neutral = 0.0
            if name != "hue":
                neutral = 1.0
                if not isinstance(amount, tuple | list):
                    least, most = max(0.0, 1 + least), 1 + most
            if not (least >= 0 if name != "hue" else -0.5 <= least <= most <= 0.5):
                raise ValueError(f"ColorJitter: {name} is out of its range: {amount!r}")
            if (least, most) != (neutral, neutral):
                self.changes.append((change, (least, most)))

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        chosen = [self.changes[i] for i in draw.permutation(len(self.changes))]
        shape = (len(images), 1, 1, 1)
        sizes = [draw.uniform(least, most, size=shape) for _, (least, most) in chosen]

        def jitter(x: np.ndarray, by: Any) -> np.ndarray:
            for (change, _), size in zip(chosen, sizes, strict=True):
                x = change(x, size.astype(x.dtype))
            return x

        return _with_floats(jitter, images, 0.0)
