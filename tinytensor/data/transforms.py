"""Transforms of batches of images: what they have in common, and those that draw nothing.

Images are arrays or tensors (N, C, H, W), or a single one (C, H, W); bytes 0 … 255, or floats in
[0, 1] where colours count. What comes out is of the kind and the dtype that went in, unless a
transform says otherwise. Given a tuple or a list, as a `DataLoader` has its batches, a transform
takes its first item for the images and leaves the rest, so that it fits into
``DataLoader(transform=)`` as well as into ``TensorDataset(transform=)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, a_kind_of
from ..random import Source
from ..tensors.tensor import Tensor, as_array
from .buffers import empty

Range = float | tuple[float, float]


def pair(owner: str, name: str, value: Any) -> tuple[float, float]:
    """A range (least, most): a pair, or a number for as much either way. Raises ValueError."""
    ends = value if isinstance(value, tuple | list) else (-value, value)
    if len(ends) != 2 or not ends[0] <= ends[1]:
        raise ValueError(f"{owner}: {name} must be a number or (least, most), not {value!r}")
    return float(ends[0]), float(ends[1])


def sides(owner: str, size: Any) -> tuple[int, int]:
    """Height and width: a number for both, or a pair. Raises ValueError."""
    found = tuple(size) if isinstance(size, tuple | list) else (size, size)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in found)
    if len(found) != 2 or not whole or min(found) < 1:
        raise ValueError(f"{owner}: size must be a whole number above 0 or two, not {size!r}")
    return int(found[0]), int(found[1])


def share(owner: str, name: str, value: Any) -> float:
    """A number in [0, 1]. Raises ValueError."""
    if not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ValueError(f"{owner}: {name} must be from 0 to 1, not {value!r}")
    return float(value)


def brightest(images: np.ndarray) -> float:
    """The value of white: 255 of bytes, 1 of floats."""
    return 1.0 if images.dtype.kind == "f" else 255.0


def of_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats in another dtype; in one of whole numbers rounded, and cut off at its ends."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype, copy=False)


class Transform:
    """A function of images: a subclass defines ``apply`` for arrays (N, C, H, W)."""

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """The images (N, C, H′, W′), in new memory or as they are; ``draw`` is for random ones."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply")

    def draws(self) -> Any:
        """The generator of this call."""

    def __call__(self, images: Any) -> Any:
        if isinstance(images, tuple | list):
            first, *rest = images
            fields = [self(first), *rest]
            return tuple(fields) if isinstance(images, tuple) else fields
        array = as_array(images)
        if array.ndim not in (3, 4):
            raise ShapeError(
                f"{type(self).__name__}: images must be (N, C, H, W) or (C, H, W), not"
                f" {array.shape}"
            )
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{type(self).__name__}: images are {array.dtype}, not numbers")
        out = self.apply(array if array.ndim == 4 else array[None], self.draws())
        out = out if array.ndim == 4 else out[0]
        return Tensor(out) if isinstance(images, Tensor) else out


class RandomTransform(Transform):
    """A transform that draws, for each image of a batch anew.

    ``generator`` is a NumPy generator or a seed; without one the draws are those of
    ``tt.manual_seed``. In a `DataLoader` they depend on the loader's seed, on the number of the
    batch, and on the seed that is given here, whatever worker loads.
    """

    def __init__(self, generator: np.random.Generator | int | None = None) -> None:
        self.draws = Source(generator)  # type: ignore[method-assign]


class Compose:
    """Several functions one after the other.

    >>> Compose([lambda x: x + 1, lambda x: 2 * x])(3)
    8
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)
        for transform in self.transforms:
            if not callable(transform):
                raise TypeError(f"Compose: {a_kind_of(transform)} is no function")

    def __call__(self, images: Any) -> Any:
        for transform in self.transforms:
            images = transform(images)
        return images


class ToFloat(Transform):
    """Bytes 0 … 255 as float32 in [0, 1]; floats stay as they are.

    >>> ToFloat()(np.full((1, 1, 1), 51, np.uint8)).round(3)
    array([[[0.2]]], dtype=float32)
    """

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        if images.dtype.kind == "f":
            return images
        return np.multiply(images, np.float32(1 / 255), out=empty(images.shape, np.float32))


class Normalize(Transform):
    """(x − mean) / std, channel by channel: floats. Bytes count as [0, 1], and become float32.

    >>> Normalize([0.5], [0.25])(np.full((1, 1, 2), 255, np.uint8))
    array([[[2., 2.]]], dtype=float32)
    """

    def __init__(self, mean: Sequence[float] | float, std: Sequence[float] | float) -> None:
        self.mean, self.std = (np.atleast_1d(np.asarray(x, np.float64)) for x in (mean, std))
        if self.mean.ndim != 1 or self.std.ndim != 1:
            raise ShapeError("Normalize: mean and std are a number for each channel")
        if not (self.std > 0).all():
            raise ValueError(f"Normalize: std must be above 0, not {std}")

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        channels = images.shape[1]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ShapeError(
                    f"Normalize: {name} is of {len(values)} channels, the images have {channels}"
                )
        dtype = images.dtype if images.dtype.kind == "f" else np.dtype(np.float32)
        scale = (1 / (self.std * brightest(images))).astype(dtype)[:, None, None]
        out = np.multiply(images, scale, out=empty(images.shape, dtype))
        out -= (self.mean / self.std).astype(dtype)[:, None, None]
        return out


class CenterCrop(Transform):
    """The middle, of ``size``: a number or (height, width).

    >>> CenterCrop(1)(np.arange(9).reshape(1, 3, 3))
    array([[[4]]])
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = sides("CenterCrop", size)

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        (height, width), (h, w) = images.shape[2:], self.size
        if h > height or w > width:
            raise ShapeError(f"CenterCrop: size {self.size} is above that of {images.shape}")
        top, left = round((height - h) / 2), round((width - w) / 2)
        return images[:, :, top : top + h, left : left + w]


class Resize(Transform):
    """Images of another size: (height, width), or a number for the shorter side.

    ``interpolation`` is one of `tinytensor.nn.functional.interpolate`; where a picture shrinks,
    ``antialias`` takes the mean of what each pixel covers.

    >>> Resize((1, 2), "area")(np.arange(16.0).reshape(1, 4, 4))
    array([[[6.5, 8.5]]])
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        interpolation: str = "bilinear",
        antialias: bool = True,
    ) -> None:
        sides("Resize", size)
        if interpolation not in ("nearest", "bilinear", "bicubic", "area"):
            raise ValueError(f"Resize: there is no interpolation {interpolation!r}")
        self.size, self.interpolation, self.antialias = size, interpolation, antialias

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        height, width = images.shape[2:]
        if isinstance(self.size, tuple | list):
            size = sides("Resize", self.size)
        else:  # the longer side in proportion, rounded down
            shorter = min(height, width)
            size = (self.size * height // shorter, self.size * width // shorter)
        if size == (height, width):
            return images
        floats = images if images.dtype.kind == "f" else images.astype(np.float32)
        smooth = self.antialias and self.interpolation in ("bilinear", "bicubic")
        out = ops.interpolate(floats, size=size, mode=self.interpolation, antialias=smooth)
        return of_dtype(as_array(out), images.dtype)
