"""Llama: a decoder with rotary positions, root-mean-square norms and gated MLPs.

Llama 2 and 3 (Touvron et al. 2023; Grattafiori et al. 2024), and what is built as they are: SmolLM2
(tied embeddings), Qwen2 (biases of queries, keys and values), Mistral (a sliding window). The names
and layouts of the parameters are those of Hugging Face's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ...generation import token_steps
from ...tensors.tensor import Tensor
from . import gguf_names
from .decoder_only import CausalAttention, DecoderOnly, draw_weights
from .llama_settings import ACTIVATIONS, LlamaConfig, MistralConfig, Qwen2Config


class LlamaAttention(CausalAttention):
    """Attention of queries and keys that their positions turn. (B, T, C) → (B, T, C)."""

    def __init__(self, config: LlamaConfig, layer: int, rotary: nn.RotaryEmbedding) -> None:
        heads, shared, size = config.heads
        channels, (bias, output_bias) = config.hidden_size, config.biases
        window = config.windows[layer]
        super().__init__(layer, heads, shared, size, config.attention_dropout, window)
        self.q_proj = nn.Linear(channels, heads * size, bias=bias)
        self.k_proj = nn.Linear(channels, shared * size, bias=bias)
        self.v_proj = nn.Linear(channels, shared * size, bias=bias)
        self.o_proj = nn.Linear(heads * size, channels, bias=output_bias)
        self.rotary_emb = rotary  # one for all layers

    def forward(self, x: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        q, k, v = (
            project(x).reshape(*x.shape[:2], -1, self.head_dim).permute(0, 2, 1, 3)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )  # (B, heads or shared, T, D)
        q, k = self.rotary_emb(q, positions), self.rotary_emb(k, positions)
        return self.o_proj(self.attend(q, k, v, cache))


class LlamaLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: LlamaConfig, layer: int, rotary: nn.RotaryEmbedding) -> None:
        super().__init__()
        channels, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = LlamaAttention(config, layer, rotary)
        self.mlp = nn.GatedMLP(
            channels, config.intermediate_size, ACTIVATIONS[config.hidden_act], config.mlp_bias
        )
        self.input_layernorm = nn.RMSNorm(channels, eps)
        self.post_attention_layernorm = nn.RMSNorm(channels, eps)

    def forward(self, x: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), positions, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaModel(nn.Module):
    """Tokens (B, T) → features (B, T, C): embeddings, the layers, a last norm."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        rotary = nn.RotaryEmbedding(
            config.heads[2], config.rope_theta, config.rope_scaling,
            max_position_embeddings=config.max_position_embeddings,
        )  # fmt: skip
        layers = [LlamaLayer(config, i, rotary) for i in range(config.num_hidden_layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.RMSNorm(config.hidden_size, config.rms_norm_eps)

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
    prefix = "model."
    model_types: ClassVar[tuple[str, ...]] = ("llama",)
    architectures: ClassVar[tuple[str, ...]] = ("LlamaForCausalLM",)
    configuration: ClassVar[type[LlamaConfig]] = LlamaConfig
    gguf_settings_in = (gguf_names.DIVISORS,)

    def __init__(self, config: LlamaConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or self.configuration()
        scaling = config.rope_scaling or {}
        grows = scaling.get("rope_type", scaling.get("type")) == "dynamic"
        self.context = None if grows else config.max_position_embeddings
        self.model = LlamaModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        draw_weights(self, config.initializer_range)

    def cache_sizes(self) -> tuple[int, int, int, list[int | None]]:
        _, shared, size = self.config.heads
        return self.config.num_hidden_layers, shared, size, self.config.windows

    def decoder_parts(self) -> token_steps.Parts:
        model, c, blocks = self.model, self.config, list[Any](self.model.layers)
        heads, shared, size = c.heads
        norm, product = token_steps.norm, token_steps.product
        layers = [
            token_steps.layer(
                norm(one.input_layernorm), product(one.self_attn.q_proj),
                product(one.self_attn.k_proj), product(one.self_attn.v_proj),
                product(one.self_attn.o_proj), norm(one.post_attention_layernorm),
                product(one.mlp.gate_proj), product(one.mlp.up_proj), product(one.mlp.down_proj),
                window,
            )
            for one, window in zip(blocks, c.windows, strict=True)
        ]  # fmt: skip
        row, rotary = token_steps.row(model.embed_tokens), blocks[0].self_attn.rotary_emb
        sizes = token_steps.sizes(
            heads, shared, size, c.rms_norm_eps, False, ACTIVATIONS[c.hidden_act], size**-0.5,
            None, token_steps.frequencies(rotary), rotary.attention_factor, rotary.interleaved,
        )  # fmt: skip
        head = product(self.lm_head)
        return token_steps.Parts(lambda token, _: row(token), layers, norm(model.norm), head, sizes)

    @classmethod
    def gguf_settings(cls, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return gguf_names.llama_settings(metadata)

    @classmethod
    def gguf_names(cls, config: LlamaConfig) -> dict[str, str]:
        return gguf_names.tensors_by(gguf_names.LLAMA_MODULES, config.num_hidden_layers)

    @classmethod
    def gguf_rows(cls, config: LlamaConfig, name: str) -> np.ndarray | None:
        heads, shared, size = config.heads
        count = {"q_proj": heads, "k_proj": shared}.get(name.split(".")[-2])
        return None if count is None else gguf_names.alternating(count, size)


class Mistral(Llama):
    """Llama with a sliding window. Its GGUF files call it a Llama."""

    model_types = ("mistral",)
    architectures = ("MistralForCausalLM",)
    configuration = MistralConfig


class Qwen2(Llama):
    """Llama with biases of queries, keys and values."""

    model_types = ("qwen2",)
    architectures = ("Qwen2ForCausalLM",)
    configuration = Qwen2Config

    @classmethod
    def gguf_rows(cls, config: LlamaConfig, name: str) -> np.ndarray | None:
        return None
