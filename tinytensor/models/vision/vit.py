"""ViT, the vision transformer: Dosovitskiy et al., "An image is worth 16×16 words", 2021.

Patches are the tokens, a learned class token stands before them. The names and layouts of the
parameters are those of Hugging Face's files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ... import nn, ops
from ...errors import ShapeError
from ...nn import functional as F
from ...tensors.tensor import Tensor
from ..attending import Attending, Headed, Pooler, activation
from ..settings import Settings

Size = int | list[int] | tuple[int, ...]


@dataclass
class ViTConfig(Settings):
    """Sizes, by the names of ``config.json``. The defaults are ViT-B/16's.

    ``image_size`` and ``patch_size`` are one number or (height, width). Without labels
    (``num_labels`` 0) the model gives the features of the class token; with ``pooling`` it has a
    pooler, of ``pooler_output_size`` outputs, or of as many as there are channels.
    """

    image_size: Size = 224
    patch_size: Size = 16
    num_channels: int = 3
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    num_labels: int = 2
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    pooling: bool = False
    pooler_output_size: int | None = None

    model_type: ClassVar[str] = "vit"
    fixed: ClassVar[dict[str, Any]] = {"pooler_act": "tanh"}
    without_effect: ClassVar[frozenset[str]] = frozenset({"encoder_stride"})

    def __post_init__(self) -> None:
        for size, patch in zip(_pair(self.image_size), _pair(self.patch_size), strict=True):
            if not 1 <= patch <= size:
                raise ValueError(
                    f"ViTConfig: patches of {self.patch_size} do not fit in {self.image_size}"
                )

    @property
    def grid(self) -> tuple[int, int]:
        """How many patches an image has, down and across."""
        (height, width), (down, across) = _pair(self.image_size), _pair(self.patch_size)
        return height // down, width // across


def _pair(size: Size) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


class ViTEmbeddings(nn.Module):
    """Images (B, C, H, W) → the class token and the patches, each with its position (B, 1 + N, C).

    A patch is projected by a convolution whose stride is its size.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config, channels = config, config.hidden_size
        down, across = config.grid
        self.cls_token = nn.Parameter(nn.init.empty(1, 1, channels))
        self.position_embeddings = nn.Parameter(nn.init.empty(1, 1 + down * across, channels))
        patch = _pair(config.patch_size)
        projection = nn.Conv2d(config.num_channels, channels, patch, stride=patch)
        self.patch_embeddings = nn.ModuleDict({"projection": projection})
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, pixel_values: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        size, channels = _pair(self.config.image_size), self.config.num_channels
        if pixel_values.ndim != 4 or pixel_values.shape[1] != channels:
            raise ShapeError(
                f"ViT: pixel_values must be (B, {channels}, H, W), not {pixel_values.shape}"
            )
        other = pixel_values.shape[2:] != size
        if other and not interpolate_pos_encoding:
            raise ShapeError(
                f"ViT: images are of {size}, not {pixel_values.shape[2:]}, unless"
                " interpolate_pos_encoding"
            )
        patches = self.patch_embeddings["projection"](pixel_values)
        b, c, down, across = patches.shape
        positions = self._positions(down, across) if other else self.position_embeddings
        x = patches.reshape(b, c, down * across).permute(0, 2, 1)
        first = ops.broadcast_to(self.cls_token, (b, 1, c))
        return self.dropout(ops.concat([first, x], 1) + positions)

    def _positions(self, down: int, across: int) -> Tensor:
        """The positions of the patches, resized as an image of them."""
        table = self.position_embeddings
        channels = table.shape[2]
        image = table[:, 1:].reshape(1, *self.config.grid, channels).permute(0, 3, 1, 2)
        image = F.interpolate(image, (down, across), mode="bicubic", align_corners=False)
        patches = image.permute(0, 2, 3, 1).reshape(1, down * across, channels)
        return ops.concat([table[:, :1], patches], 1)


class ViTLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        c, inner = config.hidden_size, config.intermediate_size
        attention = Attending(
            "ViT", c, config.num_attention_heads, ("query", "key", "value"),
            (config.qkv_bias,) * 3, dropout=config.attention_probs_dropout_prob,
        )  # fmt: skip
        output = nn.ModuleDict({"dense": nn.Linear(c, c)})
        self.attention: Any = nn.ModuleDict({"attention": attention, "output": output})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(c, inner)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, c)})
        self.layernorm_before = nn.LayerNorm(c, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(c, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.activation = activation("ViT", config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention["attention"](self.layernorm_before(x))
        x = x + self.dropout(self.attention["output"]["dense"](y))
        y = self.activation(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.dropout(self.output["dense"](y))


class ViTModel(nn.Module):
    """Images (B, C, H, W) → features (B, 1 + N, hidden_size) of the class token and N patches."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embeddings = ViTEmbeddings(config)
        layers = nn.ModuleList([ViTLayer(config) for _ in range(config.num_hidden_layers)])
        self.encoder: Any = nn.ModuleDict({"layer": layers})
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        outputs = config.pooler_output_size
        self.pooler = Pooler(config.hidden_size, outputs) if config.pooling else None

    def forward(self, pixel_values: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        x = self.embeddings(pixel_values, interpolate_pos_encoding)
        for layer in self.encoder["layer"]:
            x = layer(x)
        return self.layernorm(x)


class ViT(Headed):
    """Images (B, num_channels, H, W) → logits (B, num_labels).

    ``model.vit`` gives the features of all tokens, and ``model.vit.pooler`` what a pooler makes of
    them. With ``interpolate_pos_encoding`` images may have other sizes than ``image_size``.

    >>> import tinytensor as tt
    >>> config = ViTConfig(image_size=8, patch_size=4, hidden_size=12, num_hidden_layers=1,
    ...                    num_attention_heads=3, intermediate_size=24, num_labels=5)
    >>> model = ViT(config)
    >>> model(tt.zeros((2, 3, 8, 8))).shape, model.vit(tt.zeros((2, 3, 8, 8))).shape
    ((2, 5), (2, 5, 12))
    """

    model_types = ("vit",)
    architectures = ("ViTForImageClassification", "ViTModel")
    configuration = ViTConfig
    prefix = "vit."

    def __init__(self, config: ViTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ViTConfig()
        self.vit = ViTModel(config)
        self.classifier: nn.Module = nn.Identity()
        if config.num_labels:
            self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.trunc_normal_(parameter, std=config.initializer_range)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, pixel_values: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        return self.classifier(self.vit(pixel_values, interpolate_pos_encoding)[:, 0])
