"""VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition", 2014. Settings and the names of the parameters are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...tensors.tensor import Tensor
from .blocks import Weights, start, with_weights

# The paper's configurations A, B, D and E: how many convolutions each of five stages has.
CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def features(convolutions: Sequence[int], batch_norm: bool = False) -> nn.Sequential:
    """Five stages of 3×3 convolutions with ReLU, each with a pooling by 2 at its end: images
    (N, 3, H, W) → (N, 512, H / 32, W / 32)."""
    layers: list[nn.Module] = []
    inputs = 3
    for count, channels in zip(convolutions, CHANNELS, strict=True):
        for _ in range(count):
            layers.append(nn.Conv2d(inputs, channels, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            inputs = channels
        layers.append(nn.MaxPool2d(2, stride=2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """``features`` brought to 7×7 and three linear layers: images (N, 3, H, W) → logits
    (N, num_classes). Without ``init_weights`` the layers start as they do by themselves.

    >>> [sum(convolutions) + 3 for convolutions in CONVOLUTIONS.values()]
    [11, 13, 16, 19]
    """

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            start(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _vgg(layers: int, batch_norm: bool, weights: Weights | None, settings: dict[str, Any]) -> VGG:
    if weights is not None:  # none that are drawn would stay
        settings = {"init_weights": False} | settings
    return with_weights(VGG(features(CONVOLUTIONS[layers], batch_norm), **settings), weights)


def vgg11(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """VGG-11, configuration A: 132.9 million parameters. ``settings`` are those of :class:`VGG`;
    ``weights`` a state_dict or the path of one, in any format of :func:`tinytensor.load`."""
    return _vgg(11, False, weights, settings)


def vgg11_bn(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """:func:`vgg11` with a batch norm behind each convolution."""
    return _vgg(11, True, weights, settings)


def vgg13(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """VGG-13, configuration B: 133.0 million parameters; arguments as :func:`vgg11`."""
    return _vgg(13, False, weights, settings)


def vgg13_bn(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """:func:`vgg13` with a batch norm behind each convolution."""
    return _vgg(13, True, weights, settings)


def vgg16(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """VGG-16, configuration D: 138.4 million parameters; arguments as :func:`vgg11`."""
    return _vgg(16, False, weights, settings)


def vgg16_bn(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """:func:`vgg16` with a batch norm behind each convolution."""
    return _vgg(16, True, weights, settings)


def vgg19(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """VGG-19, configuration E: 143.7 million parameters; arguments as :func:`vgg11`."""
    return _vgg(19, False, weights, settings)


def vgg19_bn(*, weights: Weights | None = None, **settings: Any) -> VGG:
    """:func:`vgg19` with a batch norm behind each convolution."""
    return _vgg(19, True, weights, settings)
