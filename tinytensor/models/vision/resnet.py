"""Residual networks: He et al., "Deep residual learning for image recognition", 2015.

`ResNet` is the family for large images, `CifarResNet` that of section 4.2 for 32×32 ones. Shortcuts
that change size are 1×1 convolutions (the paper's option B). Settings and the names of the
parameters are torchvision's, and so is the stride of a bottleneck: at its 3×3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...ops.checks import whole
from ...tensors.tensor import Tensor
from .blocks import Layer, Weights, start, with_weights


def conv3x3(
    inputs: int, outputs: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


class _Block(nn.Module):
    """relu(shortcut(x) + branch(x)), of ``planes * expansion`` channels."""

    expansion: int
    downsample: nn.Module | None

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.stride = stride

    def branch(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.branch(x) + shortcut)


class BasicBlock(_Block):
    """Two 3×3 convolutions, each normalised: (N, inplanes, H, W) → (N, planes, H / stride, W /
    stride)."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Layer = nn.BatchNorm2d,
    ) -> None:
        if groups != 1 or base_width != 64 or dilation != 1:
            raise ValueError(
                "BasicBlock: groups, base_width and dilation are 1, 64 and 1, not"
                f" {groups}, {base_width} and {dilation}: a Bottleneck takes others"
            )
        super().__init__(stride)
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def branch(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class Bottleneck(_Block):
    """1×1, 3×3 and 1×1 convolutions, each normalised: (N, inplanes, H, W) → (N, 4 planes, H /
    stride, W / stride). Inside there are ``planes * base_width / 64 * groups`` channels."""

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Layer = nn.BatchNorm2d,
    ) -> None:
        super().__init__(stride)
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.downsample = downsample

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


class _Stages(nn.Module):
    """What both families share: the stages of blocks, and the last block's channels."""

    def __init__(self, block: type[_Block], inplanes: int, norm_layer: Layer) -> None:
        super().__init__()
        self.inplanes, self.dilation = inplanes, 1
        self._block, self._norm_layer = block, norm_layer
        self.groups, self.base_width = 1, 64

    def _stage(self, planes: int, blocks: int, stride: int, dilate: bool = False) -> nn.Sequential:
        """``blocks`` blocks, of which the first changes the sizes. With ``dilate`` it keeps them,
        and all later convolutions look ``stride`` times as far."""
        block, norm, outputs = self._block, self._norm_layer, planes * self._block.expansion
        dilation, downsample = self.dilation, None
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        if stride != 1 or self.inplanes != outputs:
            downsample = nn.Sequential(conv1x1(self.inplanes, outputs, stride), norm(outputs))
        make: Layer = block
        layers = []
        for _ in range(blocks):
            sizes = (self.inplanes, planes, stride, downsample)
            layers.append(make(*sizes, self.groups, self.base_width, dilation, norm))
            self.inplanes, stride, downsample, dilation = outputs, 1, None, self.dilation
        return nn.Sequential(*layers)


class ResNet(_Stages):
    """Four stages of ``layers`` blocks, for images of some 224×224: (N, 3, H, W) → logits
    (N, num_classes).

    ``zero_init_residual`` lets each branch start as 0 (Goyal et al. 2017). ``groups`` and
    ``width_per_group`` are those of the 3×3 convolutions of bottlenecks (ResNeXt, Xie et al. 2017;
    Wide ResNet, Zagoruyko and Komodakis 2016). ``replace_stride_with_dilation`` keeps the sizes of
    the last three stages, one by one, for dense prediction. ``norm_layer(channels)`` makes a norm.

    >>> import tinytensor as tt
    >>> ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)(tt.zeros((2, 3, 64, 64))).shape
    (2, 5)
    """

    def __init__(
        self,
        block: type[_Block],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        dilate = replace_stride_with_dilation
        dilate = (False, False, False) if dilate is None else tuple(dilate)
        if not (isinstance(block, type) and issubclass(block, _Block)):
            raise TypeError(f"ResNet: block is BasicBlock or Bottleneck, not {block!r}")
        if len(layers) != 4 or len(dilate) != 3:
            raise ValueError(
                "ResNet: layers are four numbers of blocks, and replace_stride_with_dilation three"
                f" booleans or None, not {layers} and {replace_stride_with_dilation}"
            )
        for count in layers:
            whole("ResNet", 1, layers=count)
        norm = nn.BatchNorm2d if norm_layer is None else norm_layer
        super().__init__(block, 64, norm)
        self.groups, self.base_width = groups, width_per_group
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(64, layers[0], 1)
        self.layer2 = self._stage(128, layers[1], 2, dilate[0])
        self.layer3 = self._stage(256, layers[2], 2, dilate[1])
        self.layer4 = self._stage(512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        start(self)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last: Any = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                    nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class CifarResNet(_Stages):
    """Three stages of ``blocks`` basic blocks, with 16, 32 and 64 channels: 6·blocks + 2 layers.

    Images (N, 3, H, W), of 32×32 in the paper → logits (N, classes).

    >>> import tinytensor as tt
    >>> CifarResNet(1)(tt.zeros((2, 3, 32, 32))).shape
    (2, 10)
    """

    def __init__(self, blocks: int, classes: int = 10) -> None:
        whole("CifarResNet", 1, blocks=blocks)
        super().__init__(BasicBlock, 16, nn.BatchNorm2d)
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = self._stage(16, blocks, 1)
        self.layer2 = self._stage(32, blocks, 2)
        self.layer3 = self._stage(64, blocks, 2)
        self.fc = nn.Linear(64, classes)
        start(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def resnet20(classes: int = 10) -> CifarResNet:
    """The 20-layer network of the paper: 0.27 million parameters.

    >>> import tinytensor as tt
    >>> resnet20()(tt.zeros((2, 3, 32, 32))).shape
    (2, 10)
    """
    return CifarResNet(3, classes)


def resnet32(classes: int = 10) -> CifarResNet:
    """The 32-layer network of the paper: 0.46 million parameters."""
    return CifarResNet(5, classes)


def resnet44(classes: int = 10) -> CifarResNet:
    """The 44-layer network of the paper: 0.66 million parameters."""
    return CifarResNet(7, classes)


def resnet56(classes: int = 10) -> CifarResNet:
    """The 56-layer network of the paper: 0.85 million parameters."""
    return CifarResNet(9, classes)


def resnet110(classes: int = 10) -> CifarResNet:
    """The 110-layer network of the paper: 1.7 million parameters."""
    return CifarResNet(18, classes)


def resnet18(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-18: 11.7 million parameters. ``settings`` are those of :class:`ResNet`; ``weights`` a
    state_dict or the path of one, in any format of :func:`tinytensor.load`.

    >>> import tinytensor as tt
    >>> resnet18(num_classes=7)(tt.zeros((2, 3, 32, 32))).shape
    (2, 7)
    """
    return with_weights(ResNet(BasicBlock, (2, 2, 2, 2), **settings), weights)


def resnet34(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-34: 21.8 million parameters; arguments as :func:`resnet18`."""
    return with_weights(ResNet(BasicBlock, (3, 4, 6, 3), **settings), weights)


def resnet50(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-50: 25.6 million parameters; arguments as :func:`resnet18`."""
    return with_weights(ResNet(Bottleneck, (3, 4, 6, 3), **settings), weights)


def resnet101(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-101: 44.5 million parameters; arguments as :func:`resnet18`."""
    return with_weights(ResNet(Bottleneck, (3, 4, 23, 3), **settings), weights)


def resnet152(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-152: 60.2 million parameters; arguments as :func:`resnet18`."""
    return with_weights(ResNet(Bottleneck, (3, 8, 36, 3), **settings), weights)


def resnext50_32x4d(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNeXt-50, of 32 groups of 4 channels: 25.0 million parameters; arguments as
    :func:`resnet18`. (Xie et al. 2017, "Aggregated residual transformations".)"""
    settings = {"groups": 32, "width_per_group": 4} | settings
    return resnet50(weights=weights, **settings)


def wide_resnet50_2(*, weights: Weights | None = None, **settings: Any) -> ResNet:
    """ResNet-50 with 3×3 convolutions of twice the channels: 68.9 million parameters; arguments as
    :func:`resnet18`. (Zagoruyko and Komodakis 2016, "Wide residual networks".)"""
    return resnet50(weights=weights, **({"width_per_group": 128} | settings))
