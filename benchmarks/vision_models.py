"""Networks that see, built of the ``nn`` of any library that has PyTorch's names."""

from __future__ import annotations

from typing import Any


def units(nn: Any, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, **how: Any) -> list:
    """A convolution and the norm of its batch."""
    padding = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False, **how)
    return [conv, nn.BatchNorm2d(outputs)]


def residual(nn: Any, inner: list, around: list, last: Any) -> Any:
    """last(inner(x) + around(x))."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(*inner)
            self.around = nn.Sequential(*around)
            self.last = last

        def forward(self, x: Any) -> Any:
            return self.last(self.inner(x) + self.around(x))

    return Residual()


def resnet(lib: Any, blocks: tuple[int, ...], bottleneck: bool) -> Any:
    """ResNet-18 of (2, 2, 2, 2), ResNet-50 of (3, 4, 6, 3) bottlenecks."""
    nn = lib.nn
    layers = [*units(nn, 3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for i, count in enumerate(blocks):
        width = 64 << i
        outputs = width * (4 if bottleneck else 1)
        for block in range(count):
            stride = 2 if i and not block else 1
            if bottleneck:
                inner = [*units(nn, inputs, width, 1), nn.ReLU()]
                inner += [*units(nn, width, width, 3, stride), nn.ReLU()]
                inner += units(nn, width, outputs, 1)
            else:
                inner = [*units(nn, inputs, width, 3, stride), nn.ReLU(), *units(nn, width, width)]
            changes = stride > 1 or inputs != outputs
            around = units(nn, inputs, outputs, 1, stride) if changes else []
            layers.append(residual(nn, inner, around, nn.ReLU()))
            inputs = outputs
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inputs, 1000 if bottleneck else 10),
    )


def mobilenet_v2(lib: Any, width: float) -> Any:
    """MobileNetV2 (Sandler et al. 2018) with ``width`` times its channels, for 10 classes."""
    nn = lib.nn

    def channels(n: int) -> int:
        near = max(8, int(n * width + 4) // 8 * 8)
        return near + 8 if near < 0.9 * n * width else near

    inputs = channels(32)
    layers = [*units(nn, 3, inputs, 3, 2), nn.ReLU6()]
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    table += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expand, of_whole, count, first in table:
        outputs = channels(of_whole)
        for block in range(count):
            stride, hidden = 1 if block else first, inputs * expand
            inner = [*units(nn, inputs, hidden, 1), nn.ReLU6()] if expand > 1 else []
            inner += [*units(nn, hidden, hidden, 3, stride, groups=hidden), nn.ReLU6()]
            inner += units(nn, hidden, outputs, 1)
            if stride == 1 and inputs == outputs:
                layers.append(residual(nn, inner, [], nn.Identity()))
            else:
                layers.append(nn.Sequential(*inner))
            inputs = outputs
    layers += [*units(nn, inputs, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, 10))


def unet(lib: Any, width: int, depth: int = 4) -> Any:
    """U-Net (Ronneberger, Fischer and Brox 2015), padded and with batch norm: 1 to 2 channels."""
    nn = lib.nn

    def twice(inputs: int, outputs: int) -> list:
        return [*units(nn, inputs, outputs), nn.ReLU(), *units(nn, outputs, outputs), nn.ReLU()]

    class Level(nn.Module):  # type: ignore[name-defined]
        """What a level does, with the coarser ones inside it."""

        def __init__(self, inputs: int, channels: int, deeper: int) -> None:
            super().__init__()
            self.down = nn.Sequential(*twice(inputs, channels))
            self.inside = None
            if deeper:
                inside = Level(channels, 2 * channels, deeper - 1)
                up = nn.ConvTranspose2d(2 * channels, channels, 2, 2)
                self.inside = nn.Sequential(nn.MaxPool2d(2), inside, up)
                self.up = nn.Sequential(*twice(2 * channels, channels))

        def forward(self, x: Any) -> Any:
            x = self.down(x)
            if self.inside is None:
                return x
            return self.up(lib.cat([x, self.inside(x)], 1))

    return nn.Sequential(Level(1, width, depth), nn.Conv2d(width, 2, 1))
