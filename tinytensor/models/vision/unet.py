"""U-Net: Ronneberger, Fischer and Brox, "Convolutional networks for biomedical image segmentation",
2015; with padded convolutions, which keep the sizes, and batch norms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ... import nn
from ...errors import ShapeError
from ...nn import functional as F
from ...ops import concat
from ...ops.checks import whole
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Layer


def double(inputs: int, outputs: int, norm_layer: Layer | None) -> nn.Sequential:
    """Two 3×3 convolutions, each with norm and ReLU."""
    return nn.Sequential(
        ConvNormActivation(inputs, outputs, norm_layer=norm_layer),
        ConvNormActivation(outputs, outputs, norm_layer=norm_layer),
    )


class Up(nn.Module):
    """Bring x (N, inputs, H, W) to the sizes of ``skip`` (N, outputs, 2 H, 2 W, or one more each),
    put both together, and convolve twice: (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int, bilinear: bool, norm_layer: Layer | None) -> None:
        super().__init__()
        self.bilinear = bilinear
        self.up: nn.Module = (
            nn.Conv2d(inputs, outputs, 1)
            if bilinear
            else nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        )
        self.conv = double(2 * outputs, outputs, norm_layer)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        size = skip.shape[-2:]
        if self.bilinear:  # fewer channels first: the order does not matter, and this is less work
            x = F.interpolate(self.up(x), size=size, mode="bilinear", align_corners=False)
        else:
            x = self.up(x, output_size=size)
        return self.conv(concat((skip, x), 1))


class UNet(nn.Module):
    """A class for each pixel: images (N, in_channels, H, W) → logits (N, classes, H, W), for any H
    and W that can be halved ``depth`` times.

    On the way down each of ``depth`` levels halves the sizes and doubles the channels, beginning
    with ``channels``; or ``channels`` is a sequence of the channels of all levels, the lowest last.
    On the way up each level meets what it gave on the way down. ``bilinear`` interpolates upwards
    instead of transposed convolutions; ``norm_layer`` may be None.

    >>> import tinytensor as tt
    >>> UNet(3, 2, channels=8, depth=2)(tt.zeros((1, 3, 21, 32))).shape
    (1, 2, 21, 32)
    >>> UNet(1, 1, channels=(4, 6, 10, 12))(tt.zeros((1, 1, 16, 16))).shape
    (1, 1, 16, 16)
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        channels: int | Sequence[int] = 64,
        depth: int | None = None,
        bilinear: bool = False,
        norm_layer: Layer | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if isinstance(channels, Sequence):
            widths = list(channels)
            if depth is not None and depth != len(widths) - 1:
                raise ValueError(f"UNet: channels has {len(widths)} levels, and depth is {depth}")
        else:
            depth = 4 if depth is None else depth
            whole("UNet", 0, depth=depth)
            widths = [channels << level for level in range(depth + 1)]
        if not widths:
            raise ValueError("UNet: channels names no level")
        for width in widths:
            whole("UNet", 1, channels=width)
        self.depth = len(widths) - 1
        self.first = double(in_channels, widths[0], norm_layer)
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList([double(a, b, norm_layer) for a, b in pairwise(widths)])
        self.up = nn.ModuleList(
            [Up(b, a, bilinear, norm_layer) for a, b in reversed(list(pairwise(widths)))]
        )
        self.last = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or min(x.shape[-2:]) < 1 << self.depth:
            raise ShapeError(
                f"UNet: x must be (N, C, H, W) with H and W of at least {1 << self.depth}, to be"
                f" halved {self.depth} times, not {x.shape}"
            )
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(self.pool(levels[-1])))
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        return self.last(x)
