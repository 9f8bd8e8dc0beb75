"""Whisper: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...nn import functional as F
from ...tensors.tensor import Tensor
from ..attending import Attending, activation, check_tokens
from ..settings import Settings
from .conditional import Cache, Conditional, Encoded, Mask, Memory, Sublayers, held, through

NAMES = ("q_proj", "k_proj", "v_proj", "out_proj")
LAYERDROP = {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}
WITHOUT_EFFECT = """num_hidden_layers median_filter_width alignment_heads apply_spec_augment
mask_time_prob mask_time_length mask_time_min_masks mask_feature_prob mask_feature_length
mask_feature_min_masks"""


@dataclass
class WhisperConfig(Settings):
    """Sizes, by the names of ``config.json``. The defaults are those of Whisper tiny."""

    vocab_size: int = 51865
    num_mel_bins: int = 80
    d_model: int = 384
    encoder_layers: int = 4
    encoder_attention_heads: int = 6
    encoder_ffn_dim: int = 1536
    decoder_layers: int = 4
    decoder_attention_heads: int = 6
    decoder_ffn_dim: int = 1536
    activation_function: str = "gelu"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    max_source_positions: int = 1500
    max_target_positions: int = 448
    init_std: float = 0.02
    decoder_start_token_id: int = 50257
    bos_token_id: int | None = 50256
    eos_token_id: int | None = 50256
    pad_token_id: int | None = 50256
    tie_word_embeddings: bool = True

    model_type: ClassVar[str] = "whisper"
    fixed: ClassVar[dict[str, Any]] = {"scale_embedding": False} | LAYERDROP
    without_effect = frozenset(WITHOUT_EFFECT.split())


class WhisperLayer(Sublayers):
    """A layer of the encoder or the decoder."""

    def __init__(self, config: WhisperConfig, decoder: bool) -> None:
        super().__init__()
        c = config.d_model
        heads, inner = config.encoder_attention_heads, config.encoder_ffn_dim
        if decoder:
            heads, inner = config.decoder_attention_heads, config.decoder_ffn_dim
        for name in ("self_attn", "encoder_attn")[: 1 + decoder]:
            bias, dropout = (True, False, True, True), config.attention_dropout
            setattr(self, name, Attending("Whisper", c, heads, NAMES, bias, dropout=dropout))
            setattr(self, f"{name}_layer_norm", nn.LayerNorm(c))
        self.fc1, self.fc2 = nn.Linear(c, inner), nn.Linear(inner, c)
        self.final_layer_norm = nn.LayerNorm(c)
        self.dropout = nn.Dropout(config.dropout)
        self.activation_dropout = nn.Dropout(config.activation_dropout)
        self.activation = activation("Whisper", config.activation_function)
        self.decoder = decoder

    @property
    def itself(self: Any) -> Any:
        return self.self_attn_layer_norm, self.self_attn

    @property
    def memory(self: Any) -> Any:
        return (self.encoder_attn_layer_norm, self.encoder_attn) if self.decoder else None

    def feed_forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.fc1(self.final_layer_norm(x)))
        return self.fc2(self.activation_dropout(y))


def sinusoids(positions: int, channels: int) -> np.ndarray:
    """The positions' (positions, channels): sines, then cosines, of wave lengths 2π to 10⁴ · 2π."""
    half = channels // 2
    angles = np.arange(positions)[:, None] * 10000.0 ** (-np.arange(half) / max(half - 1, 1))
    return np.concatenate([np.sin(angles), np.cos(angles)], 1)


class WhisperEncoder(nn.Module):
    """Log-mel features (B, num_mel_bins, 2S) → (B, S, C): two convolutions and the layers."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        c, self.positions = config.d_model, config.max_source_positions
        if c % 2:
            raise ValueError(f"Whisper: sines and cosines need an even d_model, not {c}")
        self.conv1 = nn.Conv1d(config.num_mel_bins, c, 3, padding=1)
        self.conv2 = nn.Conv1d(c, c, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(self.positions, c, _freeze=True)
        count = config.encoder_layers
        self.layers = nn.ModuleList([WhisperLayer(config, False) for _ in range(count)])
        self.layer_norm = nn.LayerNorm(c)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, features: Tensor) -> Tensor:
        shape = (self.conv1.in_channels, 2 * self.positions)
        if features.ndim != 3 or features.shape[1:] != shape:
            raise ShapeError(f"Whisper: features are (B, *{shape}), not {features.shape}")
        x = F.gelu(self.conv2(F.gelu(self.conv1(features)))).permute(0, 2, 1)
        x = self.dropout(x + self.embed_positions(Tensor(np.arange(self.positions))))
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x)


class WhisperDecoder(nn.Module):
    """Tokens (B, T) → features (B, T, C), beside keys and values of the encoder's."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        c, self.positions = config.d_model, config.max_target_positions
        self.embed_tokens = nn.Embedding(config.vocab_size, c, config.pad_token_id)
        self.embed_positions = nn.Embedding(self.positions, c)
        count = config.decoder_layers
        self.layers = nn.ModuleList([WhisperLayer(config, True) for _ in range(count)])
        self.layer_norm = nn.LayerNorm(c)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Tensor, memory: Memory, mask: Mask = None, cache: Cache = None
    ) -> Tensor:
        before = held(cache)
        check_tokens("Whisper", "tokens", tokens, self.positions - before)
        new = tokens.shape[1]
        positions = self.embed_positions(Tensor(np.arange(before, before + new)))
        x = self.dropout(self.embed_tokens(tokens) + positions)
        return self.layer_norm(through(self.layers, x, None, True, memory, mask, cache))


class Whisper(Conditional):
    """Log-mel features (B, num_mel_bins, 2 · max_source_positions) and tokens (B, T) → logits
    (B, T, vocab_size) of each next token.

    >>> import tinytensor as tt
    >>> sizes = dict(d_model=12, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
    ...              decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=20)
    >>> config = WhisperConfig(40, 5, **sizes, max_source_positions=8, decoder_start_token_id=1,
    ...                        eos_token_id=2, pad_token_id=0)
    >>> model, features = Whisper(config), tt.zeros((3, 5, 16))
    >>> model(features, tt.tensor([[1, 7]] * 3)).shape, len(model.generate(features, 4))
    ((3, 2, 40), 3)
    """

    model_types = ("whisper",)
    architectures = ("WhisperForConditionalGeneration",)
    configuration = WhisperConfig
    prefix = "model."

    def __init__(self, config: WhisperConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WhisperConfig()
        encoder, decoder = WhisperEncoder(config), WhisperDecoder(config)
        self.model: Any = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        self.proj_out = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.proj_out.weight = decoder.embed_tokens.weight
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=config.init_std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        table = encoder.embed_positions.weight
        table.data = sinusoids(*table.shape).astype(table.dtype)

    def encode(self, source: Tensor, lengths: Any = None, mask: Any = None) -> Encoded:
        if lengths is not None or mask is not None:
            raise ValueError("Whisper: all of the features count: it takes no lengths and no mask")
        return self.model["encoder"](source), None

    def decoder_layers(self) -> Iterable[Sublayers]:
        return self.model["decoder"].layers

    def decode(
        self, tokens: Tensor, memory: Memory, mask: Mask = None, cache: Cache = None
    ) -> Tensor:
        return self.model["decoder"](tokens, memory, mask, cache)

    def head(self, features: Tensor) -> Tensor:
        return self.proj_out(features)

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        return self._written(self.encode(features), tokens)
