"""Random crops, flips and holes: each image of a batch gets its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .buffers import copy_of, empty
from .transforms import RandomTransform, Resize, pair, share, sides

Generator = np.random.Generator | int | None

PADDINGS = ("constant", "edge", "reflect", "symmetric")


class RandomCrop(RandomTransform):
    """A part of ``size``, from a random place of each image, which ``padding`` makes larger before.

    ``padding`` is a number of pixels at each side, or (vertical, horizontal); ``padding_mode``
    "constant" (of ``fill``), "edge", "reflect" or "symmetric". Raises ShapeError for a larger size.

    >>> RandomCrop(4, padding=1, generator=0)(np.ones((2, 3, 4, 4), np.uint8)).shape
    (2, 3, 4, 4)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int | tuple[int, int] = 0,
        fill: float = 0,
        padding_mode: str = "constant",
        generator: Generator = None,
    ) -> None:
        super().__init__(generator)
        self.size, self.fill, self.padding_mode = sides("RandomCrop", size), fill, padding_mode
        found = padding if isinstance(padding, tuple | list) else (padding, padding)
        if len(found) != 2 or not all(isinstance(n, int) and n >= 0 for n in found):
            raise ValueError(f"RandomCrop: padding must be a number or two, not {padding!r}")
        if padding_mode not in PADDINGS:
            raise ValueError(f"RandomCrop: there is no padding_mode {padding_mode!r}")
        self.padding = tuple(found)

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        n, (h, w), (by_row, by_column) = len(images), self.size, self.padding
        mode: Any = self.padding_mode
        if mode == "constant" and (by_row or by_column):
            n, channels, height, width = images.shape
            around = (n, channels, height + 2 * by_row, width + 2 * by_column)
            padded = empty(around, images.dtype)
            padded.fill(self.fill)
            padded[:, :, by_row : by_row + height, by_column : by_column + width] = images
            images = padded
        elif by_row or by_column:
            lengths = ((0, 0), (0, 0), (by_row, by_row), (by_column, by_column))
            images = np.pad(images, lengths, mode)
        height, width = images.shape[2:]
        if h > height or w > width:
            raise ShapeError(f"RandomCrop: size {self.size} is above {(height, width)}, the images")
        tops = draw.integers(height - h + 1, size=n)
        lefts = draw.integers(width - w + 1, size=n)
        images = np.ascontiguousarray(images)
        places = (height - h + 1, width - w + 1)
        windows: np.ndarray = np.ndarray(
            (*images.shape[:2], *places, h, w),
            images.dtype,
            images,
            strides=(*images.strides, *images.strides[2:]),
        )
        return windows[np.arange(n), :, tops, lefts]


class RandomResizedCrop(RandomTransform):
    """A part of each image, as large as ``size`` afterwards: other places, sizes and proportions.

    Its share of the area is drawn from ``scale``, its width over its height from ``ratio`` (evenly
    in the logarithm), until it fits, ten times at most; otherwise it is the middle, as much of it
    as ``ratio`` allows. ``interpolation`` and ``antialias`` are those of `Resize`.

    >>> crop = RandomResizedCrop(4, generator=0)
    >>> crop(np.ones((2, 3, 8, 9), np.float32)).shape
    (2, 3, 4, 4)

    Source: C. Szegedy et al., "Going deeper with convolutions", 2014.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        antialias: bool = True,
        generator: Generator = None,
    ) -> None:
        super().__init__(generator)
        self.size = sides("RandomResizedCrop", size)
        self.resize = Resize(self.size, interpolation, antialias)
        self.scale, self.ratio = _scale_and_ratio("RandomResizedCrop", scale, ratio)

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        size = np.array(images.shape[2:])
        height, width = size.tolist()
        tall, wide = width / self.ratio[0], height * self.ratio[1]  # of the middle, at most
        middle = np.rint([min(height, tall), min(width, wide)]).astype(int)
        upright = (1 / self.ratio[1], 1 / self.ratio[0])  # height over width
        drawn, fit = _rectangles(draw, len(images), size, self.scale, upright, size)
        sizes = np.where(fit, drawn, middle)
        places = np.floor(draw.random((len(images), 2)) * (size - sizes + 1)).astype(int)
        first = np.where(fit, places, (size - middle) // 2)
        out = empty((*images.shape[:2], *self.size), images.dtype)
        for i, ((top, left), (h, w)) in enumerate(zip(first, sizes, strict=True)):
            part = images[i : i + 1, :, top : top + h, left : left + w]
            out[i : i + 1] = self.resize.apply(part, draw)
        return out


def _scale_and_ratio(owner: str, scale: Any, ratio: Any) -> tuple[Any, Any]:
    """The two ranges of a rectangle's area and proportions. Raises ValueError."""
    scale, ratio = pair(owner, "scale", scale), pair(owner, "ratio", ratio)
    if not 0 <= scale[0] <= scale[1] <= 1:
        raise ValueError(f"{owner}: scale must be from 0 to 1, not {scale}")
    if ratio[0] <= 0:
        raise ValueError(f"{owner}: ratio must be above 0, not {ratio}")
    return scale, ratio


def _rectangles(
    draw: np.random.Generator,
    n: int,
    size: np.ndarray,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    most: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths (n, 2) of such shares of the area and such ratios, and whether they are at
    most ``most``: (n, 1). Ten are drawn for each, and the first that fits is taken."""
    areas = draw.uniform(*scale, size=(n, 10)) * size.prod()
    low, high = np.log(ratio)
    ratios = np.exp(draw.uniform(low, high, size=(n, 10)))
    sizes = np.rint(np.sqrt(np.stack([areas * ratios, areas / ratios], 2))).astype(int)
    fit = ((sizes > 0) & (sizes <= most)).all(2)
    return sizes[np.arange(n), fit.argmax(1)], fit.any(1)[:, None]


class RandomHorizontalFlip(RandomTransform):
    """Left and right changed, in each image with probability ``p``."""

    turned: tuple[slice, ...] = np.s_[:, :, :, ::-1]

    def __init__(self, p: float = 0.5, generator: Generator = None) -> None:
        super().__init__(generator)
        self.p = share(type(self).__name__, "p", p)

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        chosen = np.flatnonzero(draw.random(len(images)) < self.p)
        out = copy_of(images)
        out[chosen] = images[self.turned][chosen]
        return out


class RandomVerticalFlip(RandomHorizontalFlip):
    """Top and bottom changed, in each image with probability ``p``."""

    turned = np.s_[:, :, ::-1, :]


class _Holes(RandomTransform):
    """Rectangles that are filled; a subclass draws where they begin and end."""

    def __init__(
        self, p: float, value: float | Sequence[float] | str, generator: Generator
    ) -> None:
        super().__init__(generator)
        self.p, self.value = share(type(self).__name__, "p", p), value
        if isinstance(value, str) and value != "random":
            raise ValueError(f"{type(self).__name__}: value must be numbers or 'random': {value!r}")

    def holes(self, draw: np.random.Generator, n: int, size: np.ndarray) -> np.ndarray:
        """The first rows and columns, and those behind the last: (2, n, 2)."""
        raise NotImplementedError

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        n, channels, height, width = images.shape
        first, end = self.holes(draw, n, np.array([height, width]))
        chosen: Any = draw.random((n, 1)) < self.p
        last = np.where(chosen, end, first)  # an empty one otherwise
        inside = [
            (np.arange(size) >= first[:, axis, None]) & (np.arange(size) < last[:, axis, None])
            for axis, size in enumerate((height, width))
        ]
        where = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
        out = copy_of(images)
        if isinstance(self.value, str):
            noise: np.ndarray = draw.standard_normal(images.shape, np.float32)
            if images.dtype.kind != "f":
                noise = draw.integers(256, size=images.shape, dtype=np.uint8)
            np.copyto(out, noise, where=where, casting="unsafe")
            return out
        filling = np.asarray(self.value)
        if filling.ndim > 1 or (filling.ndim and len(filling) not in (1, channels)):
            name = type(self).__name__
            raise ShapeError(
                f"{name}: value is {filling.shape}, the images have {channels} channels"
            )
        np.copyto(out, filling.reshape(-1, 1, 1), where=where, casting="unsafe")
        return out


class RandomErasing(_Holes):
    """A rectangle of each image is filled, with probability ``p``.

    Its share of the area is drawn from ``scale``, its height over its width from ``ratio``
    (evenly in the logarithm), until it fits, ten times at most. ``value`` is a number, one for each
    channel, or "random".

    Source: Z. Zhong et al., "Random erasing data augmentation", 2017.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float | Sequence[float] | str = 0.0,
        generator: Generator = None,
    ) -> None:
        super().__init__(p, value, generator)
        self.scale, self.ratio = _scale_and_ratio("RandomErasing", scale, ratio)

    def holes(self, draw: np.random.Generator, n: int, size: np.ndarray) -> np.ndarray:
        sizes, fit = _rectangles(draw, n, size, self.scale, self.ratio, size - 1)
        sizes = sizes * fit
        first = np.floor(draw.random((n, 2)) * (size - sizes + 1)).astype(int)
        return np.stack([first, first + sizes])


class Cutout(_Holes):
    """A square of ``size`` pixels of each image is filled, with probability ``p``.

    Its centre is any pixel, so that it may stand out over the edge.

    Source: T. DeVries, G. Taylor, "Improved regularization of convolutional neural networks with
    cutout", 2017.
    """

    def __init__(
        self,
        size: int,
        p: float = 1.0,
        value: float | Sequence[float] = 0.0,
        generator: Generator = None,
    ) -> None:
        super().__init__(p, value, generator)
        self.size, _ = sides("Cutout", (size, size))

    def holes(self, draw: np.random.Generator, n: int, size: np.ndarray) -> np.ndarray:
        first = draw.integers(size, size=(n, 2)) - self.size // 2
        return np.stack([first, first + self.size])
