"""Convolutions: the layers of LeNet, of ResNets, of MobileNets, of networks of sounds and of
videos; and their transposes, those of U-Nets and of DCGANs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from ..row import Row


def both(
    name: str,
    builders: dict[str, Any],
    inputs: dict[str, Any],
    flops: float,
    out: int,
    quick: bool = False,
) -> Iterator[Row]:
    """The rows of a function of ``inputs``: forward, and with the gradients of both of them."""
    traffic = 4.0 * (sum(prod(shape) for shape in inputs.values()) + out)
    yield Row("conv", name, "forward", builders, inputs, flops, traffic, quick=quick)
    name = f"{name}, forward + backward"
    yield Row("conv", name, "backward", builders, inputs, 3 * flops, 3 * traffic, quick=quick)


def conv(
    n: int,
    c: int,
    size: int,
    k: int,
    r: int,
    stride: int = 1,
    groups: int = 1,
    quick: bool = False,
) -> Iterator[Row]:
    """The rows of images (n, c, size, size) → (n, k, size / stride, size / stride), r×r."""
    padding = r // 2

    def build(lib: Any) -> Any:
        function = lib.nn.functional.conv2d
        return lambda x, weight: function(x, weight, None, stride, padding, 1, groups)

    def build_jax(jax: Any) -> Any:
        pads = [(padding, padding)] * 2
        return lambda x, weight: jax.lax.conv_general_dilated(
            x, weight, (stride,) * 2, pads, feature_group_count=groups
        )

    out = (size + 2 * padding - r) // stride + 1
    channels = c // groups  # that a filter sees
    name = f"conv {n}x{c}x{size} to {k}, {r}x{r}" + (f", stride {stride}" if stride > 1 else "")
    if groups > 1:
        name += ", depthwise" if groups == c else f", {groups} groups"
    yield from both(
        name,
        {"tinytensor": build, "torch": build, "jax": build_jax},
        {"x": (n, c, size, size), "weight": (k, channels, r, r)},
        2.0 * n * k * channels * r * r * out * out,
        n * k * out * out,
        quick,
    )


def along(
    x: tuple[int, ...],
    k: int,
    kernel: tuple[int, ...],
    stride: int = 1,
    padding: int | tuple[int, ...] | None = None,
    dilation: int = 1,
    groups: int = 1,
    transposed: bool = False,
) -> Iterator[Row]:
    """The rows of x (N, C, …) → (N, k, …) along any number of axes, or of the transpose."""
    axes, channels = len(kernel), x[1]
    if padding is None:
        padding = tuple(r // 2 * dilation for r in kernel)
    pads = (padding,) * axes if isinstance(padding, int) else padding
    operation = f"conv{'_transpose' if transposed else ''}{axes}d"

    def build(lib: Any) -> Any:
        function = getattr(lib.nn.functional, operation)
        if transposed:
            return lambda x, weight: function(x, weight, None, stride, padding, 0, groups)
        return lambda x, weight: function(x, weight, None, stride, padding, dilation, groups)

    reach = [dilation * (r - 1) + 1 for r in kernel]
    if transposed:
        out = [(n - 1) * stride - 2 * p + r for n, p, r in zip(x[2:], pads, reach, strict=True)]
        weight = (channels, k // groups, *kernel)
    else:
        out = [(n + 2 * p - r) // stride + 1 for n, p, r in zip(x[2:], pads, reach, strict=True)]
        weight = (k, channels // groups, *kernel)
    name = f"{operation} {'x'.join(map(str, x))} to {k}, {'x'.join(map(str, kernel))}"
    for what, value, usual in (("stride", stride, 1), ("dilation", dilation, 1)):
        name += f", {what} {value}" if value != usual else ""
    if groups > 1:
        name += ", depthwise" if groups == channels else f", {groups} groups"
    yield from both(
        name,
        {"tinytensor": build, "torch": build},
        {"x": x, "weight": weight},
        2.0 * prod(weight) * x[0] * prod(x[2:] if transposed else out),
        x[0] * k * prod(out),
    )


def rows() -> Iterator[Row]:
    yield from conv(32, 1, 28, 6, 5)
    yield from conv(32, 16, 32, 16, 3, quick=True)
    yield from conv(32, 64, 8, 64, 3)
    yield from conv(8, 64, 56, 64, 3)
    yield from conv(8, 256, 14, 256, 3)
    yield from conv(8, 64, 56, 256, 1)
    yield from conv(8, 3, 224, 64, 7, stride=2)
    yield from conv(8, 64, 56, 128, 3, stride=2)
    yield from conv(8, 64, 56, 128, 1, stride=2)
    yield from conv(8, 128, 28, 128, 3, groups=128)
    yield from conv(8, 128, 28, 128, 3, stride=2, groups=128)
    yield from conv(8, 128, 28, 128, 3, groups=32)

    lines = (16, 64, 1024)
    yield from along(lines, 64, (3,))
    yield from along(lines, 64, (7,))
    yield from along(lines, 128, (3,), stride=2)
    yield from along(lines, 64, (3,), dilation=4)
    yield from along(lines, 64, (3,), groups=64)
    yield from along(lines, 128, (1,))
    yield from along((16, 1, 16000), 32, (80,), stride=4)
    yield from along((4, 32, 16, 28, 28), 32, (3, 3, 3))
    yield from along((4, 32, 16, 28, 28), 64, (3, 3, 3), stride=2)
    yield from along((4, 32, 16, 28, 28), 32, (1, 3, 3))
    yield from along((4, 32, 16, 28, 28), 32, (3, 1, 1))
    yield from along((2, 3, 16, 56, 56), 32, (3, 7, 7), stride=2)
    yield from along((4, 64, 32, 32), 32, (2, 2), 2, 0, transposed=True)
    yield from along((4, 512, 8, 8), 256, (2, 2), 2, 0, transposed=True)
    yield from along((16, 256, 8, 8), 128, (4, 4), 2, 1, transposed=True)
    yield from along((16, 64, 32, 32), 3, (4, 4), 2, 1, transposed=True)
    yield from along((16, 64, 256), 32, (4,), 2, 1, transposed=True)
    yield from along((4, 64, 8, 14, 14), 32, (2, 2, 2), 2, 0, transposed=True)


ROWS = list(rows())
