"""Brightness, contrast, saturation and hue of images, given or drawn.

Images are (…, 3, H, W), bytes or floats in [0, 1], and stay in their range: what would pass beyond
black or white is cut off. A factor is a number, or an array that broadcasts, such as (N, 1, 1, 1)
with one for each image. Bytes are calculated with as floats, and rounded at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .buffers import empty
from .transforms import RandomTransform, Range, brightest, of_dtype, pair

GREY = (0.2989, 0.587, 0.114)  # the weights of red, green and blue in ITU-R BT.601


# Of floats in [0, 1], how much, and where to: new memory, or the floats' own.
Change = Callable[[np.ndarray, Any, np.ndarray], np.ndarray]


def _with_floats(changes: Sequence[tuple[Change, Any]], images: Any) -> np.ndarray:
    """Apply changes one after the other, by so much each, to images of any dtype."""
    images = np.asarray(images)
    if images.ndim < 3 or images.shape[-3] not in (1, 3):
        name = changes[0][0].__name__.strip("_") if changes else "colour"
        raise ShapeError(f"{name}: images must be (…, 3, H, W), not {images.shape}")
    white, dtype = brightest(images), np.dtype(np.float32)
    if images.dtype == np.float64:
        dtype = images.dtype
    x, out = images, empty(images.shape, dtype)
    if x.dtype != dtype or not changes:
        x = np.multiply(x, dtype.type(1 / white), out=out)
    for change, by in changes:
        x = change(x, np.asarray(by, dtype), out)
    return x if images.dtype == dtype else of_dtype(x * dtype.type(white), images.dtype)


def _grey(x: np.ndarray, factor: Any) -> np.ndarray:
    """factor · the brightness of each pixel of (…, 3, H, W): (…, 1, H, W)."""
    shape = (*x.shape[:-3], 1, *x.shape[-2:])
    total, part = empty(shape, x.dtype), empty(shape, x.dtype)
    for i, weight in enumerate(GREY):
        out = part if i else total
        np.multiply(x[..., i : i + 1, :, :], x.dtype.type(weight) * factor, out=out)
        if i:
            total += part
    return total


def _brightness(x: np.ndarray, factor: Any, out: np.ndarray) -> np.ndarray:
    np.multiply(x, factor, out=out)
    return np.minimum(out, 1, out=out)


def _contrast(x: np.ndarray, factor: Any, out: np.ndarray) -> np.ndarray:
    means = x.mean((-2, -1), keepdims=True)  # (…, 3, 1, 1), of which the grey is that of all pixels
    mean = means if x.shape[-3] == 1 else _grey(means, 1)
    np.multiply(x, factor, out=out)
    out += (1 - factor) * mean
    return np.clip(out, 0, 1, out=out)


def _saturation(x: np.ndarray, factor: Any, out: np.ndarray) -> np.ndarray:
    if x.shape[-3] == 1:
        np.copyto(out, x)
        return out
    grey = _grey(x, 1 - factor)
    np.multiply(x, factor, out=out)
    out += grey
    return np.clip(out, 0, 1, out=out)


def _hue(x: np.ndarray, turn: Any, out: np.ndarray) -> np.ndarray:
    """By way of hue, saturation and value: h = 0 is red, ⅓ green, ⅔ blue.

    A channel is v − v·s·max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6, of n = 5, 3, 1.
    """
    if x.shape[-3] == 1:
        np.copyto(out, x)
        return out
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
        np.subtract(value, spread * k, out=out[..., i : i + 1, :, :])
    return out


def _positive(owner: str, factor: Any) -> Any:
    if not np.all(np.asarray(factor) >= 0):
        raise ValueError(f"{owner}: a factor is at least 0, not {factor}")
    return factor


def adjust_brightness(images: Any, factor: Any) -> np.ndarray:
    """factor · x: 0 is black, 1 the image itself.

    >>> adjust_brightness(np.full((3, 1, 1), 100, np.uint8), 1.5).ravel()
    array([150, 150, 150], dtype=uint8)
    """
    return _with_floats([(_brightness, _positive("adjust_brightness", factor))], images)


def adjust_contrast(images: Any, factor: Any) -> np.ndarray:
    """factor · x + (1 − factor) · the mean brightness of the image: 0 is grey all over."""
    return _with_floats([(_contrast, _positive("adjust_contrast", factor))], images)


def adjust_saturation(images: Any, factor: Any) -> np.ndarray:
    """factor · x + (1 − factor) · the brightness of each pixel: 0 is without colour."""
    return _with_floats([(_saturation, _positive("adjust_saturation", factor))], images)


def adjust_hue(images: Any, turn: Any) -> np.ndarray:
    """The hues turned around their circle by ``turn``: ⅓ makes red of blue's place, ½ opposites.

    >>> adjust_hue(np.array([1.0, 0, 0]).reshape(3, 1, 1), 1 / 3).ravel().round(3)
    array([0., 1., 0.])
    """
    return _with_floats([(_hue, turn)], images)


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
        self.changes: list[tuple[Change, tuple[float, float]]] = []
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
        return _with_floats(
            [(change, draw.uniform(least, most, size=shape)) for change, (least, most) in chosen],
            images,
        )
