"""Configurations of Llama and its relatives, as config.json says them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ..settings import Settings

# config.json's names of activations → those of nn.GatedMLP.
ACTIVATIONS = {
    "silu": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


@dataclass
class LlamaConfig(Settings):
    """Sizes and variants, by the names of config.json. The sizes are SmolLM2-135M's unless given;
    what else is not given is as files mean it.

    ``num_key_value_heads`` None: as many as heads. ``head_dim`` None: hidden_size / heads.
    ``rope_scaling`` is that of :class:`tinytensor.nn.RotaryEmbedding`.
    """

    model_type: ClassVar[str] = "llama"
    fixed: ClassVar[dict[str, Any]] = {"rope_interleaved": False, "partial_rotary_factor": 1.0}
    without_effect: ClassVar[frozenset[str]] = frozenset({"is_llama_config"})

    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 2048
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        heads, shared, size = self.heads
        if heads < 1 or shared < 1 or heads % shared:
            raise ValueError(
                f"{name}: {shared} heads of keys and values do not divide {heads} heads"
            )
        if self.head_dim is None and self.hidden_size % heads:
            raise ValueError(f"{name}: {heads} heads do not divide {self.hidden_size} channels")
        if size < 2 or size % 2:
            raise ValueError(f"{name}: head_dim must be even, not {size}")
        if self.hidden_act not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"{name}: hidden_act must be one of {known}, not {self.hidden_act!r}")

    @property
    def heads(self) -> tuple[int, int, int]:
        """Heads of queries, those of keys and values, and the size of each."""
        heads, shared, size = self.num_attention_heads, self.num_key_value_heads, self.head_dim
        return (
            heads,
            heads if shared is None else shared,
            self.hidden_size // max(heads, 1) if size is None else size,
        )

    @property
    def biases(self) -> tuple[bool, bool]:
        """Whether there are biases of queries, keys and values; and of attention's output."""
        return self.attention_bias, self.attention_bias

    @property
    def windows(self) -> list[int | None]:
        """For each layer, how many tokens a token sees, itself among them; None: all before it."""
        return [None] * self.num_hidden_layers

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The configuration that a config.json describes.

        Newer files have one dictionary ``rope_parameters`` for ``rope_theta`` and ``rope_scaling``.
        """
        settings = dict(settings) if isinstance(settings, dict) else settings
        if isinstance(settings, dict) and isinstance(settings.get("rope_parameters"), dict):
            scaling = dict(settings.pop("rope_parameters"))
            for name in ("rope_theta", "partial_rotary_factor"):
                if name in scaling:
                    settings[name] = scaling.pop(name)
            plain = scaling in ({}, {"rope_type": "default"})
            settings["rope_scaling"] = None if plain else scaling
        return super().from_settings(settings)

    def to_settings(self) -> dict[str, Any]:
        """What a config.json says of this configuration, in the names that all versions read."""
        settings = super().to_settings()
        if self.head_dim is None:  # which not all readers of null fill in
            del settings["head_dim"]
        return settings


@dataclass
class MistralConfig(LlamaConfig):
    """Every layer sees ``sliding_window`` tokens."""

    model_type: ClassVar[str] = "mistral"

    num_key_value_heads: int | None = 8
    sliding_window: int | None = 4096

    @property
    def windows(self) -> list[int | None]:
        return [self.sliding_window or None] * self.num_hidden_layers


@dataclass
class Qwen2Config(LlamaConfig):
    """Queries, keys and values have biases. With ``use_sliding_window`` layers see
    ``sliding_window`` tokens from ``max_window_layers`` on, or where ``layer_types`` says so."""

    model_type: ClassVar[str] = "qwen2"

    max_position_embeddings: int = 32768
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None

    @property
    def biases(self) -> tuple[bool, bool]:
        return True, False

    @property
    def windows(self) -> list[int | None]:
        layers = range(self.num_hidden_layers)
        slides = [i >= self.max_window_layers for i in layers]
        if self.layer_types is not None:
            slides = [kind == "sliding_attention" for kind in self.layer_types]
        window = self.sliding_window if self.use_sliding_window else None
        return [(window or None) if slide else None for slide in slides]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer_types is not None and (
            len(self.layer_types) != self.num_hidden_layers
            or not {*self.layer_types} <= {"full_attention", "sliding_attention"}
        ):
            raise ValueError(
                f"Qwen2Config: layer_types must be {self.num_hidden_layers} of 'full_attention' and"
                f" 'sliding_attention', not {self.layer_types}"
            )
