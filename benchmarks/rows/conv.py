"""Two-dimensional convolutions: the layers of LeNet, of small and large ResNets, of MobileNets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..row import Row


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
    flops = 2.0 * n * k * channels * r * r * out * out
    traffic = 4.0 * (n * c * size * size + k * channels * r * r + n * k * out * out)
    name = f"conv {n}x{c}x{size} to {k}, {r}x{r}" + (f", stride {stride}" if stride > 1 else "")
    if groups > 1:
        name += ", depthwise" if groups == c else f", {groups} groups"
    builders = {"tinytensor": build, "torch": build, "jax": build_jax}
    inputs = {"x": (n, c, size, size), "weight": (k, channels, r, r)}
    yield Row("conv", name, "forward", builders, inputs, flops, traffic, quick=quick)
    yield Row(
        "conv",
        f"{name}, forward + backward",
        "backward",
        builders,
        inputs,
        3 * flops,
        3 * traffic,
        quick=quick,
    )


def rows() -> Iterator[Row]:
    yield from conv(32, 1, 28, 6, 5)
    yield from conv(32, 16, 32, 16, 3, quick=True)
    yield from conv(32, 64, 8, 64, 3)
    yield from conv(8, 64, 56, 64, 3)
    yield from conv(8, 256, 14, 256, 3)
    yield from conv(8, 64, 56, 256, 1)
    yield from conv(8, 3, 224, 64, 7, stride=2)
    yield from conv(8, 128, 28, 128, 3, groups=128)
    yield from conv(8, 128, 28, 128, 3, stride=2, groups=128)
    yield from conv(8, 128, 28, 128, 3, groups=32)


ROWS = list(rows())
