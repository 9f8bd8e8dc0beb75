"""MobileNetV2: Sandler et al., "Inverted residuals and linear bottlenecks", 2018. Settings and the
names of the parameters are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...errors import ShapeError
from ...ops.checks import number, whole
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Layer, Weights, divisible, start, with_weights

# The paper's table 2: expansion, channels, repetitions, and the stride of the first of them.
SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """A 1×1 convolution to ``inputs * expand_ratio`` channels, a 3×3 one of each channel by itself,
    and a 1×1 one back, without an activation; around it a shortcut where the sizes stay.

    (N, inputs, H, W) → (N, outputs, H / stride, W / stride).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        expand_ratio: float,
        norm_layer: Layer = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"InvertedResidual: stride is 1 or 2, not {stride}")
        hidden = round(inputs * expand_ratio)
        self.stride = stride
        self.use_res_connect = stride == 1 and inputs == outputs
        options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(ConvNormActivation(inputs, hidden, 1, **options))
        layers.append(ConvNormActivation(hidden, hidden, stride=stride, groups=hidden, **options))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), norm_layer(outputs)]
        self.conv = nn.Sequential(*layers)
        self.out_channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals between two convolutions: images (N, 3, H, W) → logits (N, num_classes).

    All channels are multiplied by ``width_mult`` and rounded to a multiple of ``round_nearest``;
    the last ones, 1280, are never fewer. A row of ``inverted_residual_setting`` is (expansion,
    channels, repetitions, stride); ``block`` and ``norm_layer`` make the blocks and norms.

    >>> import tinytensor as tt
    >>> MobileNetV2(num_classes=5, width_mult=0.25)(tt.zeros((2, 3, 32, 32))).shape
    (2, 5)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Layer | None = None,
        norm_layer: Layer | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        number("MobileNetV2", "width_mult", width_mult, 0)
        whole("MobileNetV2", 1, round_nearest=round_nearest)
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or any(len(row) != 4 for row in setting):
            raise ShapeError(
                "MobileNetV2: inverted_residual_setting is rows of (expansion, channels,"
                f" repetitions, stride), not {inverted_residual_setting}"
            )
        norm: Layer = nn.BatchNorm2d if norm_layer is None else norm_layer
        make: Layer = InvertedResidual if block is None else block
        options: dict[str, Any] = {"norm_layer": norm, "activation_layer": nn.ReLU6}
        inputs = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        layers: list[nn.Module] = [ConvNormActivation(3, inputs, stride=2, **options)]
        for expansion, channels, repetitions, stride in setting:
            outputs = divisible(channels * width_mult, round_nearest)
            for i in range(repetitions):
                step = stride if i == 0 else 1
                layers.append(make(inputs, outputs, step, expansion, norm_layer=norm))
                inputs = outputs
        layers.append(ConvNormActivation(inputs, self.last_channel, 1, **options))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes)
        )
        start(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2(*, weights: Weights | None = None, **settings: Any) -> MobileNetV2:
    """MobileNetV2: 3.5 million parameters. ``settings`` are those of :class:`MobileNetV2`;
    ``weights`` a state_dict or the path of one, in any format of :func:`tinytensor.load`."""
    return with_weights(MobileNetV2(**settings), weights)
