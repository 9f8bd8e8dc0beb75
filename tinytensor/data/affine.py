"""Affine distortion of images, in NumPy: shift, rotation, scale and shear, random or given."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from .buffers import copy_of, empty
from .transforms import RandomTransform, Range, of_dtype, pair


def affine(images: Any, matrices: Any, shifts: Any, fill: float = 0.0) -> np.ndarray:
    """Resample images under affine maps about their centres, with bilinear interpolation.

    Pixel p of an output takes the value of its input at ``matrices @ (p − centre) + centre −
    shifts``, so a matrix maps *output* to *input* (rows, columns) and a shift moves the picture
    by that many pixels. Outside an image all is ``fill``.

    ``images`` (N, C, H, W), ``matrices`` (N, 2, 2), ``shifts`` (N, 2) → (N, C, H, W), of the dtype
    of the images. Raises ShapeError.

    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> affine(image, np.eye(2)[None], [[1, 0]])[0, 0]  # one row down
    array([[0., 0., 0.],
           [0., 1., 2.],
           [3., 4., 5.]])
    """
    images = np.asarray(images)
    matrices, shifts = np.asarray(matrices, np.float32), np.asarray(shifts, np.float32)
    if images.ndim != 4:
        raise ShapeError(f"affine: images must be (N, C, H, W), not {images.shape}")
    n, channels, height, width = images.shape
    if matrices.shape != (n, 2, 2) or shifts.shape != (n, 2):
        raise ShapeError(
            f"affine: {n} images need matrices ({n}, 2, 2) and shifts ({n}, 2), not"
            f" {matrices.shape} and {shifts.shape}"
        )
    centre = np.array([[height - 1], [width - 1]], np.float32) / 2
    grid = np.indices((height, width), np.float32).reshape(2, -1) - centre
    rows, columns = np.moveaxis(matrices @ grid + (centre - shifts[:, :, None]), 1, 0)  # (N, H·W)

    # A border stands for all that is outside. With the channels last, a pixel is one place.
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=fill)
    pixels = np.moveaxis(padded, 1, 3).reshape(-1, channels)
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top = np.minimum(rows.astype(np.intp), height)
    left = np.minimum(columns.astype(np.intp), width)
    down, right = rows - top.astype(np.float32), columns - left.astype(np.float32)

    stride = width + 2
    first = np.arange(n)[:, None] * ((height + 2) * stride)
    corner = (first + top * stride + left).ravel()
    out = empty((len(corner), channels), np.dtype(np.float32))
    part, taken = empty(out.shape, out.dtype), empty(out.shape, images.dtype)
    out.fill(0)
    for offset, weight in (
        (0, (1 - down) * (1 - right)),
        (1, (1 - down) * right),
        (stride, down * (1 - right)),
        (stride + 1, down * right),
    ):
        # All places are within; to check that they are takes as long again.
        pixels.take(corner + offset, 0, taken, "clip")
        out += np.multiply(taken, weight.reshape(-1, 1), out=part, casting="same_kind")
    out = np.moveaxis(out.reshape(n, height, width, channels), 3, 1)
    return of_dtype(copy_of(out), images.dtype)


class RandomAffine(RandomTransform):
    """Distort each image of a batch (N, C, H, W) by an affine map drawn anew for every call.

    Uniformly drawn: a rotation of at most ``degrees`` either way, a shift of at most ``shift``
    pixels along each axis, or of a share ``translate`` of its size, a scaling of each axis by at
    most 1 ± ``scale``, and a shear (the tangent of its angle) of at most ``shear``. Degrees, scale
    and shear may be pairs (least, most) too; a pair of scales scales both axes by one number.
    Outside an image all is ``fill``.

    >>> augment = RandomAffine(degrees=10, shift=1, generator=0)
    >>> augment(np.ones((4, 1, 8, 8), np.float32)).shape
    (4, 1, 8, 8)
    """

    def __init__(
        self,
        degrees: Range = 0.0,
        shift: float = 0.0,
        scale: Range = 0.0,
        shear: Range = 0.0,
        generator: np.random.Generator | int | None = None,
        *,
        translate: float | tuple[float, float] = 0.0,
        fill: float = 0.0,
    ) -> None:
        super().__init__(generator)
        for name, size in (("degrees", degrees), ("shift", shift), ("shear", shear)):
            if not isinstance(size, tuple | list) and size < 0:
                raise ValueError(f"RandomAffine: {name} must be at least 0, not {size}")
        if not isinstance(scale, tuple | list) and not 0 <= scale < 1:
            raise ValueError(f"RandomAffine: scale must be in [0, 1), not {scale}")
        shares = translate if isinstance(translate, tuple | list) else (translate, translate)
        if len(shares) != 2 or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"RandomAffine: translate must be in [0, 1], not {translate}")
        self.degrees = pair("RandomAffine", "degrees", degrees)
        self.shear = pair("RandomAffine", "shear", shear)
        self.scale = pair("RandomAffine", "scale", scale)
        self.by_axis = not isinstance(scale, tuple | list)
        if self.by_axis:
            self.scale = (1 + self.scale[0], 1 + self.scale[1])
        if self.scale[0] <= 0:
            raise ValueError(f"RandomAffine: scale must be above 0, not {scale}")
        self.shift, self.translate, self.fill = shift, shares, fill

    def apply(self, images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        n, uniform = len(images), draw.uniform
        angle = np.radians(uniform(*self.degrees, size=n))
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.stack([cos, -sin, sin, cos], 1).reshape(n, 2, 2)
        shear = np.tile(np.eye(2), (n, 1, 1))
        shear[:, 1, 0] = uniform(*self.shear, size=n)
        scaling = 1 / uniform(*self.scale, size=(n, 1, 1 + self.by_axis))  # of the columns
        most = self.shift + np.array(self.translate) * images.shape[2:]
        return affine(images, rotation @ shear * scaling, uniform(-most, most, (n, 2)), self.fill)
