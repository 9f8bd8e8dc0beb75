"""Other layers of networks that see or hear: norms of groups and of images, CTC, pooling."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from ..row import Row


def layer(
    name: str, operation: str, inputs: dict[str, Any], *args: Any, **kwargs: Any
) -> Iterator[Row]:
    """The rows of ``nn.functional``'s function, whose tensors are ``inputs``, by their names."""

    def build(lib: Any) -> Any:
        function = getattr(lib.nn.functional, operation)

        def call(x: Any, *parameters: Any) -> Any:
            names = dict(zip([*inputs][1:], parameters, strict=True))
            return function(x, *args, **names, **kwargs)

        return call

    builders = {"tinytensor": build, "torch": build}
    n = prod(inputs["x"])
    yield Row("layers", name, "forward", builders, inputs, n, 8.0 * n)
    name = f"{name}, forward + backward"
    yield Row("layers", name, "backward", builders, inputs, 3 * n, 20.0 * n)


def ctc(t: int, n: int, c: int, s: int) -> Iterator[Row]:
    """The loss of logits (t, n, c) against n sequences of s labels."""

    def build(lib: Any) -> Any:
        functional = lib.nn.functional
        lengths = [lib.tensor([length] * n) for length in (t, s)]

        def call(x: Any, targets: Any) -> Any:
            return functional.ctc_loss(functional.log_softmax(x, -1), targets, *lengths)

        return call

    builders = {"tinytensor": build, "torch": build}
    inputs: dict[str, Any] = {
        "x": (t, n, c),
        "targets": lambda rng: rng.integers(1, c, size=(n, s)),
    }
    flops, traffic = 8.0 * t * n * (2 * s + 1), 4.0 * t * n * (2 * c + 2 * s)
    name = f"ctc_loss {t}x{n}x{c}, {s} labels"
    yield Row("layers", name, "forward", builders, inputs, flops, traffic)
    name = f"{name}, forward + backward"
    # Gradients are differences of probabilities, of which few digits are left.
    yield Row("layers", name, "backward", builders, inputs, 3 * flops, 2 * traffic, tolerance=5e-3)


def vocabulary(n: int, features: int, words: int) -> Row:
    """The loss of n tokens' features (n, features) against the words of a vocabulary: the output
    layer and its cross-entropy as one, in PyTorch as two."""

    def build(lib: Any) -> Any:
        return lib.nn.functional.linear_cross_entropy

    def as_two(torch: Any) -> Any:
        functional = torch.nn.functional
        return lambda x, weight, y: functional.cross_entropy(functional.linear(x, weight), y)

    inputs: dict[str, Any] = {
        "x": (n, features),
        "weight": (words, features),
        "y": lambda rng: rng.integers(words, size=n),
    }
    name = f"linear_cross_entropy {n}x{features}, {words} words, forward + backward"
    flops, traffic = 6.0 * n * features * words, 12.0 * (n + words) * features
    builders = {"tinytensor": build, "torch": as_two}
    return Row("layers", name, "backward", builders, inputs, flops, traffic)


def rows() -> Iterator[Row]:
    affine = {"weight": (256,), "bias": (256,)}
    images = {"x": (8, 256, 28, 28), **affine}
    yield from layer("group_norm 8x256x28x28, 32 groups", "group_norm", images, 32)
    yield from layer("group_norm 8x256x28x28, 1 group", "group_norm", images, 1)
    yield from layer("instance_norm 8x256x28x28", "instance_norm", images)
    yield from ctc(100, 16, 40, 20)
    yield from ctc(400, 32, 80, 60)
    yield vocabulary(512, 768, 50257)
    yield vocabulary(1024, 384, 8192)
    lines = {"x": (16, 64, 1024)}
    volumes = {"x": (4, 32, 16, 28, 28)}
    pixels = {"x": (8, 64, 56, 56)}
    for kind in ("max", "avg"):
        yield from layer(f"{kind}_pool1d 16x64x1024, 2", f"{kind}_pool1d", lines, 2)
        yield from layer(f"{kind}_pool1d 16x64x1024, 3/2", f"{kind}_pool1d", lines, 3, 2, 1)
        yield from layer(f"{kind}_pool2d 8x64x56x56, 2", f"{kind}_pool2d", pixels, 2)
        yield from layer(f"{kind}_pool2d 8x64x56x56, 3/2", f"{kind}_pool2d", pixels, 3, 2, 1)
        yield from layer(f"{kind}_pool3d 4x32x16x28x28, 2", f"{kind}_pool3d", volumes, 2)
        yield from layer(f"{kind}_pool3d 4x32x16x28x28, 3/2", f"{kind}_pool3d", volumes, 3, 2, 1)


ROWS = list(rows())
