"""Llama: a decoder with rotary positions, root-mean-square norms and gated MLPs.

Llama 2 and 3 (Touvron et al. 2023; Grattafiori et al. 2024), and what is built as they are: SmolLM2
(tied embeddings), Qwen2 (biases of queries, keys and values), Mistral (a sliding window). The names
and layouts of the parameters are those of Hugging Face's files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn, ops
from ...tensors.tensor import Tensor
from .decoder_only import CausalAttention, DecoderOnly, draw_weights


@dataclass
class LlamaConfig:
    """Sizes and variants, by the names of ``config.json``. The defaults are SmolLM2-135M's
    but for its three ``num_key_value_heads``.

    ``num_key_value_heads`` None: as many as heads; ``head_dim`` None: hidden_size / heads.
    ``attention_bias`` is that of q, k, v, and of o unless ``output_bias`` says otherwise. Layers
    from ``max_window_layers`` on look back only ``sliding_window`` tokens, if it is given.
    """

    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int = None  # type: ignore[assignment]
    head_dim: int = None  # type: ignore[assignment]
    hidden_act: str = "silu"
    max_position_embeddings: int = 8192
    rms_norm_eps: float = 1e-5
    rope_theta: float = 100000.0
    rope_scaling: dict[str, Any] | None = None
    attention_bias: bool = False
    output_bias: bool = None  # type: ignore[assignment]
    mlp_bias: bool = False
    tie_word_embeddings: bool = True
    sliding_window: int | None = None
    max_window_layers: int = 0
    attention_dropout: float = 0.0
    initializer_range: float = 0.02
    model_type: str = "llama"

    def __post_init__(self) -> None:
        heads = self.num_attention_heads
        if self.num_key_value_heads is None:
            self.num_key_value_heads = heads
        if heads < 1 or self.num_key_value_heads < 1 or heads % self.num_key_value_heads:
            raise ValueError(
                f"LlamaConfig: {self.num_key_value_heads} heads of keys and values do not divide"
                f" {heads} heads"
            )
        if self.head_dim is None:
            if self.hidden_size % heads:
                raise ValueError(
                    f"LlamaConfig: {heads} heads do not divide {self.hidden_size} channels"
                )
            self.head_dim = self.hidden_size // heads
        if self.head_dim % 2:
            raise ValueError(f"LlamaConfig: head_dim must be even, not {self.head_dim}")
        if self.output_bias is None:
            self.output_bias = self.attention_bias


def _rotated(x: Tensor, positions: np.ndarray, base: float) -> Tensor:
    half = x.shape[-1] // 2
    angles = positions[..., None] * (base ** -(np.arange(half) / half)).astype(np.float32)
    if positions.ndim == 2:
        angles = angles[:, None]
    cos, sin = (Tensor(f(angles).astype(x.dtype)) for f in (np.cos, np.sin))
    a, b = x[..., :half], x[..., half:]
    return ops.concat([a * cos - b * sin, b * cos + a * sin], -1)


class LlamaAttention(CausalAttention):
    """Attention of queries and keys that their positions rotate. (B, T, C) → (B, T, C)."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        heads, shared, size = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        window = config.sliding_window if layer >= config.max_window_layers else None
        super().__init__(layer, heads, shared, size, config.attention_dropout, window)
        channels, bias = config.hidden_size, config.attention_bias
        self.q_proj = nn.Linear(channels, heads * size, bias=bias)
        self.k_proj = nn.Linear(channels, shared * size, bias=bias)
        self.v_proj = nn.Linear(channels, shared * size, bias=bias)
        self.o_proj = nn.Linear(heads * size, channels, bias=config.output_bias)
        self.base = config.rope_theta

    def forward(self, x: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        q, k, v = (
            project(x).reshape(*x.shape[:2], -1, self.head_dim).permute(0, 2, 1, 3)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = _rotated(q, positions, self.base), _rotated(k, positions, self.base)
        return self.o_proj(self.attend(q, k, v, cache))


class LlamaMLP(nn.Module):
    """W_down(silu(W_gate x) ⊙ W_up x). (B, T, C) → (B, T, C)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        sizes = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(*sizes, bias=config.mlp_bias)
        self.up_proj = nn.Linear(*sizes, bias=config.mlp_bias)
        self.down_proj = nn.Linear(*sizes[::-1], bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(config, layer)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, x: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), positions, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaModel(nn.Module):
    """Tokens (B, T) → features (B, T, C): embeddings, the layers, a last norm."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        layers = [LlamaLayer(config, i) for i in range(config.num_hidden_layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, tokens: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, positions, cache)
        return self.norm(x)


class Llama(DecoderOnly):
    """Tokens (B, T) → logits (B, T, vocab_size) of each next token.

    >>> import tinytensor as tt
    >>> model = Llama(LlamaConfig(96, hidden_size=36, intermediate_size=50, num_hidden_layers=2))
    >>> model(tt.zeros((2, 5), dtype="int64")).shape
    (2, 5, 96)
    """

    trunk = "model"

    def __init__(self, config: LlamaConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LlamaConfig()
        self.model = LlamaModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        draw_weights(self, config.initializer_range)

    def _cache_sizes(self) -> dict[str, Any]:
        c = self.config
        return {
            "layers": c.num_hidden_layers, "heads": c.num_key_value_heads, "head_dim": c.head_dim,
            "window": c.sliding_window,
        }  # fmt: skip
