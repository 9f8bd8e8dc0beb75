"""Whole training steps: forward, cross-entropy, backward, AdamW; and inference of a few models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from ..row import Builder, Draw, Row, classes


def step(
    name: str,
    builders: dict[str, Builder | None],
    x: Draw,
    y: Draw,
    multiplications: float,
    quick: bool = False,
    on_request: bool = False,
) -> Row:
    """The row of one training step, whose forward pass takes that many multiplications.

    Each is an addition too, and is done for the output, for the input's and the weight's gradient.
    """
    return Row(
        "models",
        name,
        "train",
        builders,
        {"x": x, "y": y},
        6.0 * multiplications,
        tolerance=1e-3,  # small gradients of large sums, and what AdamW makes of them
        quick=quick,
        on_request=on_request,
    )


def read(name: str, builders: dict[str, Builder | None], x: Draw, multiplications: float) -> Row:
    """The row of an inference, which takes that many multiplications."""
    return Row("models", name, "forward", builders, {"x": x}, 2.0 * multiplications, tolerance=1e-3)


def inference(builders: Mapping[str, Builder]) -> dict[str, Builder | None]:
    """The same models, not in training."""

    def evaluated(build: Builder) -> Builder:
        return lambda lib: build(lib).eval()

    return {library: evaluated(build) for library, build in builders.items()}


# --- Multi-layer perceptrons -----------------------------------------------------------------


def mlp(widths: Sequence[int], batch: int, quick: bool = False) -> Row:
    def build(lib: Any) -> Any:
        layers = []
        for inputs, outputs in pairwise(widths):
            layers += [lib.nn.Linear(inputs, outputs), lib.nn.ReLU()]
        return lib.nn.Sequential(*layers[:-1])

    def build_jax(jax: Any) -> Any:
        from ..jax_models import MLP

        return MLP(widths)

    return step(
        f"MLP {'-'.join(map(str, widths))}, batch {batch}",
        {"tinytensor": build, "torch": build, "jax": build_jax},
        (batch, widths[0]),
        classes(widths[-1], batch),
        batch * sum(a * b for a, b in pairwise(widths)),
        quick=quick,
    )


# --- Convolutional networks ------------------------------------------------------------------


def lenet(batch: int, quick: bool = False) -> Row:
    def build(_: Any) -> Any:
        from tinytensor.models import LeNet

        return LeNet()

    def build_torch(_: Any) -> Any:
        from ..torch_vision import LeNet

        return LeNet()

    def build_jax(_: Any) -> Any:
        from ..jax_models import LeNet

        return LeNet()

    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25
    return step(
        f"LeNet-5, batch {batch}, 28x28",
        {"tinytensor": build, "torch": build_torch, "jax": build_jax},
        (batch, 1, 28, 28),
        classes(10, batch),
        batch * (convolutions + 400 * 120 + 120 * 84 + 84 * 10),
        quick=quick,
    )


def resnet20(batch: int) -> Iterator[Row]:
    """The rows of a training step, and of the inference of one picture."""

    def build(_: Any) -> Any:
        from tinytensor.models import resnet20

        return resnet20()

    def build_torch(_: Any) -> Any:
        from ..torch_vision import ResNet20

        return ResNet20()

    def build_jax(_: Any) -> Any:
        from ..jax_models import ResNet20

        return ResNet20()

    image = 32 * 32 * (3 * 16 * 9 + 6 * 16 * 16 * 9)
    for size, c in ((16, 32), (8, 64)):
        image += size * size * (c // 2 * c * 9 + 5 * c * c * 9 + c // 2 * c)
    yield step(
        f"ResNet-20, batch {batch}, 32x32",
        {"tinytensor": build, "torch": build_torch, "jax": build_jax},
        (batch, 3, 32, 32),
        classes(10, batch),
        batch * (image + 640),
    )
    builders = inference({"tinytensor": build, "torch": build_torch})
    yield read("ResNet-20, inference of one picture, 32x32", builders, (1, 3, 32, 32), image + 640)


# What a picture takes, as PyTorch's counter of operations has it (convolutions and products).
RESNET18, MOBILENET_V2, UNET, RESNET50 = 148_050_944, 7_837_440, 3_008_888_832, 4_089_184_256


def network(name: str, build: Builder, images: tuple[int, ...], multiplications: int) -> Row:
    """The training step of a network of ``vision_models``; a U-Net classifies each pixel."""
    batch, _, *size = images
    y = classes(2, batch, *size) if name.startswith("U-Net") else classes(10, batch)
    builders: dict[str, Builder | None] = {"tinytensor": build, "torch": build}
    name = f"{name}, batch {batch}, {size[0]}x{size[1]}"
    return step(name, builders, images, y, batch * multiplications)


def resnet18(lib: Any) -> Any:
    from ..vision_models import resnet

    return resnet(lib, (2, 2, 2, 2), bottleneck=False)


def mobilenet_v2(lib: Any) -> Any:
    from ..vision_models import mobilenet_v2

    return mobilenet_v2(lib, 0.5)


def unet(lib: Any) -> Any:
    from ..vision_models import unet

    return unet(lib, 32)


def resnet50(lib: Any) -> Any:
    from ..vision_models import resnet

    return resnet(lib, (3, 4, 6, 3), bottleneck=True)


# --- Language models -------------------------------------------------------------------------


def char_lstm(batch: int, t: int, vocabulary: int, embedding: int, hidden: int) -> Row:
    sizes = (vocabulary, embedding, hidden, 2)

    def build(_: Any) -> Any:
        from tinytensor.models import CharRNN

        return CharRNN(*sizes)

    def build_torch(_: Any) -> Any:
        from ..torch_models import CharRNN

        return CharRNN(*sizes)

    def build_jax(_: Any) -> Any:
        from ..jax_models import CharRNN

        return CharRNN(*sizes)

    token = 4 * hidden * (embedding + hidden) + 4 * hidden * 2 * hidden + hidden * vocabulary
    return step(
        f"char-LSTM {vocabulary}-{embedding}-2x{hidden}, batch {batch}, T {t}",
        {"tinytensor": build, "torch": build_torch, "jax": build_jax},
        classes(vocabulary, batch, t),
        classes(vocabulary, batch, t),
        batch * t * token,
    )


def encoder(
    name: str,
    layers: int,
    width: int,
    heads: int,
    t: int,
    batch: int,
    classes_of_y: int,
    patch: int | None = None,
) -> Row:
    """Layers of TransformerEncoder over tokens, each of which is classified; or with ``patch`` over
    square patches of images, which are classified by the mean. One program for both libraries."""

    def build(lib: Any) -> Any:
        nn = lib.nn

        class Encoder(nn.Module):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.embed = (
                    nn.Embedding(classes_of_y, width)
                    if patch is None
                    else nn.Conv2d(3, width, patch, patch)
                )
                self.positions = nn.Embedding(t, width)
                self.norm = nn.LayerNorm(width)
                self.layers = nn.ModuleList(
                    [
                        nn.TransformerEncoderLayer(
                            width, heads, 4 * width, 0.0, "gelu", batch_first=True,
                            norm_first=patch is not None,
                        )
                        for _ in range(layers)
                    ]
                )  # fmt: skip
                self.head = nn.Linear(width, classes_of_y)

            def forward(self, x: Any) -> Any:
                x = self.embed(x)
                if patch is not None:
                    x = x.flatten(2).transpose(1, 2)
                x = x + self.positions.weight
                x = x if patch is not None else self.norm(x)
                for layer in self.layers:
                    x = layer(x)
                return self.head(x if patch is None else self.norm(x).mean(1))

        return Encoder()

    token = layers * (12 * width * width + 2 * width * t)
    head = width * classes_of_y
    side = (patch or 0) * round(t**0.5)
    return step(
        f"{name} {layers} layers, d {width}, T {t}, batch {batch}",
        {"tinytensor": build, "torch": build},
        classes(classes_of_y, batch, t) if patch is None else (batch, 3, side, side),
        classes(classes_of_y, batch, t) if patch is None else classes(classes_of_y, batch),
        batch
        * (t * (token + head) if patch is None else t * (token + 3 * patch**2 * width) + head),
        on_request=True,
    )


def gpt(
    layers: int,
    width: int,
    heads: int,
    t: int,
    batch: int,
    vocabulary: int,
    name: str = "GPT",
    reads: bool = False,
    **choices: bool,
) -> Iterator[Row]:
    """The rows of a training step and, if it ``reads``, of the inference of one text."""
    sizes: dict[str, Any] = {
        "vocab_size": vocabulary,
        "block_size": t,
        "n_layer": layers,
        "n_head": heads,
        "n_embd": width,
        "bias": True,
    }
    config: Any = SimpleNamespace(**sizes)

    def build(_: Any) -> Any:
        from tinytensor.models import GPT, GPTConfig

        return GPT(GPTConfig(**sizes))

    def build_torch(_: Any) -> Any:
        from ..torch_models import GPT

        return GPT(config)

    def build_jax(_: Any) -> Any:
        from ..jax_models import GPT

        return GPT(config)

    token = layers * (12 * width * width + width * (t + 1)) + width * vocabulary
    what = f"{name} {layers} layers, d {width}, T {t}"
    yield step(
        f"{what}, batch {batch}",
        {"tinytensor": build, "torch": build_torch, "jax": build_jax},
        classes(vocabulary, batch, t),
        classes(vocabulary, batch, t),
        batch * t * token,
        **choices,
    )
    if reads:
        builders = inference({"tinytensor": build, "torch": build_torch})
        yield read(f"{what}, inference of one text", builders, classes(vocabulary, 1, t), t * token)


ROWS = [
    mlp((64, 64, 64, 10), 32, quick=True),
    mlp((784, 512, 512, 10), 128),
    lenet(64, quick=True),
    *resnet20(32),
    network("ResNet-18", resnet18, (8, 3, 64, 64), RESNET18),
    network("MobileNetV2 of width 0.5", mobilenet_v2, (16, 3, 64, 64), MOBILENET_V2),
    network("U-Net of 32 channels", unet, (4, 1, 128, 128), UNET),
    read(
        "ResNet-50, inference of one picture, 224x224",
        inference({"tinytensor": resnet50, "torch": resnet50}),
        (1, 3, 224, 224),
        RESNET50,
    ),
    char_lstm(32, 64, 96, 64, 256),
    *gpt(4, 128, 4, 64, 12, 96, quick=True),
    *gpt(6, 384, 6, 256, 4, 96, reads=True),
    *gpt(12, 768, 12, 256, 2, 50257, name="GPT-2 124M,", on_request=True),
    encoder("BERT-base's layers,", 4, 768, 12, 128, 4, 30522),
    encoder("ViT-S,", 6, 384, 6, 196, 4, 1000, patch=16),
]
