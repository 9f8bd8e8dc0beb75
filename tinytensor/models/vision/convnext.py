"""ConvNeXt: Liu et al., "A ConvNet for the 2020s", 2022. Settings and the names of the parameters
are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ... import nn
from ...nn import functional as F
from ...ops.checks import number
from ...tensors.creation import full
from ...tensors.tensor import Tensor
from .blocks import ConvNormActivation, Layer, Permute, StochasticDepth, Weights, with_weights


class LayerNorm2d(nn.LayerNorm):
    """A layer norm of the channels of each pixel: (N, C, H, W) → (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        x = input.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A 7×7 convolution of each channel by itself, then at each pixel a layer norm and two linear
    layers with a GELU between; scaled by channel, left out at random in training, and added to x.

    (N, dim, H, W) → (N, dim, H, W).
    """

    def __init__(
        self,
        dim: int,
        layer_scale: float,
        stochastic_depth_prob: float,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6) if norm_layer is None else norm_layer
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim),
            Permute((0, 2, 3, 1)),
            norm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute((0, 3, 1, 2)),
        )
        self.layer_scale = nn.Parameter(full((dim, 1, 1), float(layer_scale), dtype="float32"))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stochastic_depth(self.layer_scale * self.block(x))


@dataclass
class CNBlockConfig:
    """A stage: ``num_layers`` blocks of ``input_channels``, and a halving of the sizes to
    ``out_channels`` behind them, unless that is None."""

    input_channels: int
    out_channels: int | None
    num_layers: int


class ConvNeXt(nn.Module):
    """Stages of :class:`CNBlock` behind a 4×4 convolution of stride 4: images (N, 3, H, W) → logits
    (N, num_classes).

    ``stochastic_depth_prob`` is the probability to leave out the last block; those of the others
    rise to it from 0. ``layer_scale`` is where the scales by channel start.

    >>> import tinytensor as tt
    >>> stages = [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)]
    >>> ConvNeXt(stages, num_classes=5)(tt.zeros((2, 3, 32, 32))).shape
    (2, 5)
    """

    def __init__(
        self,
        block_setting: Sequence[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Layer | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        stages = list(block_setting)
        if not stages or not all(isinstance(stage, CNBlockConfig) for stage in stages):
            raise TypeError(f"ConvNeXt: block_setting is CNBlockConfigs, not {block_setting!r}")
        number("ConvNeXt", "stochastic_depth_prob", stochastic_depth_prob, 0, 1)
        make: Layer = CNBlock if block is None else block
        norm: Layer = partial(LayerNorm2d, eps=1e-6) if norm_layer is None else norm_layer
        layers: list[nn.Module] = [
            ConvNormActivation(
                3, stages[0].input_channels, 4, stride=4, padding=0, norm_layer=norm,
                activation_layer=None, bias=True,
            )
        ]  # fmt: skip
        before, last = 0, max(sum(stage.num_layers for stage in stages) - 1, 1)
        for stage in stages:
            channels = stage.input_channels
            blocks = range(before, before + stage.num_layers)
            probabilities = [stochastic_depth_prob * i / last for i in blocks]
            layers.append(nn.Sequential(*[make(channels, layer_scale, p) for p in probabilities]))
            before += stage.num_layers
            if stage.out_channels is not None:
                halved = nn.Conv2d(channels, stage.out_channels, 2, stride=2)
                layers.append(nn.Sequential(norm(channels), halved))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        outputs = stages[-1].out_channels or stages[-1].input_channels
        self.classifier = nn.Sequential(
            norm(outputs), nn.Flatten(1), nn.Linear(outputs, num_classes)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(
    channels: int,
    layers: Sequence[int],
    stochastic_depth_prob: float,
    weights: Weights | None,
    settings: dict[str, Any],
) -> ConvNeXt:
    """The channels double from stage to stage."""
    widths: list[int | None] = [channels << i for i in range(len(layers))]
    stages = [
        CNBlockConfig(width, following, count)  # type: ignore[arg-type]
        for width, following, count in zip(widths, [*widths[1:], None], layers, strict=True)
    ]
    settings = {"stochastic_depth_prob": stochastic_depth_prob} | settings
    return with_weights(ConvNeXt(stages, **settings), weights)


def convnext_tiny(*, weights: Weights | None = None, **settings: Any) -> ConvNeXt:
    """ConvNeXt-Tiny: 28.6 million parameters. ``settings`` are those of :class:`ConvNeXt`;
    ``weights`` a state_dict or the path of one, in any format of :func:`tinytensor.load`."""
    return _convnext(96, (3, 3, 9, 3), 0.1, weights, settings)


def convnext_small(*, weights: Weights | None = None, **settings: Any) -> ConvNeXt:
    """ConvNeXt-Small: 50.2 million parameters; arguments as :func:`convnext_tiny`."""
    return _convnext(96, (3, 3, 27, 3), 0.4, weights, settings)


def convnext_base(*, weights: Weights | None = None, **settings: Any) -> ConvNeXt:
    """ConvNeXt-Base: 88.6 million parameters; arguments as :func:`convnext_tiny`."""
    return _convnext(128, (3, 3, 27, 3), 0.5, weights, settings)
