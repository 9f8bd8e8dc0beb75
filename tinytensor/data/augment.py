"""Random affine distortion of images, in NumPy: shift, rotation, scale and shear."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..random import Source


def affine(images: Any, matrices: Any, shifts: Any) -> np.ndarray:
    """Resample images under affine maps about their centres, with bilinear interpolation.

    Pixel p of an output takes the value of its input at ``matrices @ (p − centre) + centre −
    shifts``, so a matrix maps *output* to *input* (rows, columns) and a shift moves the picture
    by that many pixels. Outside an image all is 0.

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

    # A border of zeros stands for all that is outside.
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    padded = padded.reshape(n, channels, (height + 2) * (width + 2))
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top = np.minimum(rows.astype(np.intp), height)
    left = np.minimum(columns.astype(np.intp), width)
    down, right = rows - top, columns - left

    stride = width + 2
    corner = top * stride + left
    out = np.zeros((n, channels, height * width), np.float32)
    for offset, weight in (
        (0, (1 - down) * (1 - right)),
        (1, (1 - down) * right),
        (stride, down * (1 - right)),
        (stride + 1, down * right),
    ):
        out += np.take_along_axis(padded, (corner + offset)[:, None], 2) * weight[:, None]
    return out.reshape(images.shape).astype(images.dtype, copy=False)


class RandomAffine:
    """Distort each image of a batch (N, C, H, W) by an affine map drawn anew for every call.

    Uniformly drawn: a rotation of at most ``degrees`` either way, a shift of at most ``shift``
    pixels along each axis, a scaling of each axis by at most 1 ± ``scale``, and a shear (the
    tangent of its angle) of at most ``shear``. ``generator`` is a NumPy generator or a seed;
    without one the draws are those of ``tt.manual_seed``.

    >>> augment = RandomAffine(degrees=10, shift=1, generator=0)
    >>> augment(np.ones((4, 1, 8, 8), np.float32)).shape
    (4, 1, 8, 8)
    """

    def __init__(
        self,
        degrees: float = 0.0,
        shift: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        generator: np.random.Generator | int | None = None,
    ) -> None:
        for name, size in (("degrees", degrees), ("shift", shift), ("shear", shear)):
            if size < 0:
                raise ValueError(f"RandomAffine: {name} must be at least 0, not {size}")
        if not 0 <= scale < 1:
            raise ValueError(f"RandomAffine: scale must be in [0, 1), not {scale}")
        self.degrees, self.shift, self.scale, self.shear = degrees, shift, scale, shear
        self.draws = Source(generator)

    def __call__(self, images: Any) -> np.ndarray:
        images = np.asarray(images)
        n, draw = len(images), self.draws().uniform
        angle = np.radians(draw(-self.degrees, self.degrees, n))
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.stack([cos, -sin, sin, cos], 1).reshape(n, 2, 2)
        shear = np.tile(np.eye(2), (n, 1, 1))
        shear[:, 1, 0] = draw(-self.shear, self.shear, n)
        scaling = 1 / draw(1 - self.scale, 1 + self.scale, (n, 1, 2))  # of the columns
        return affine(images, rotation @ shear * scaling, draw(-self.shift, self.shift, (n, 2)))
