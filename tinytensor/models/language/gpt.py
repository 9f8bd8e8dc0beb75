"""GPT: a decoder-only transformer, as small or large as its configuration; GPT-2 among others.

Pre-norm blocks, learned positions, GELU in its tanh form (Radford et al. 2019). The names and
layouts of the parameters are those of nanoGPT in PyTorch; Hugging Face's files of GPT-2 have the
same names, and the weights of ``attn`` and ``mlp`` transposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ... import nn
from ...nn import functional as F
from ...tensors.tensor import Tensor
from .decoder_only import CausalAttention, DecoderOnly, draw_weights

# Hugging Face's names of activations → ours.
ACTIVATIONS: dict[str, Literal["tanh", "none"]] = {
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu": "none",
}


@dataclass
class GPTConfig:
    """Sizes of a GPT. The defaults are nanoGPT's setting for a CPU.

    ``n_inner`` is the width inside an MLP, 4 · n_embd if None. With ``tie_word_embeddings`` the
    embeddings are the weights of the output layer, too, as GPT-2's are.
    """

    vocab_size: int = 96
    block_size: int = 64
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = True
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: {self.n_head} heads do not divide {self.n_embd} channels")
        if self.activation_function not in ACTIVATIONS:
            raise ValueError(
                f"GPTConfig: activation_function must be one of {', '.join(ACTIVATIONS)}, not"
                f" {self.activation_function!r}"
            )


class CausalSelfAttention(CausalAttention):
    """Attention whose queries, keys and values are one product. (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        heads, channels = config.n_head, config.n_embd
        super().__init__(layer, heads, heads, channels // heads, config.dropout, window=None)
        self.c_attn = nn.Linear(channels, 3 * channels, bias=config.bias)
        self.c_proj = nn.Linear(channels, channels, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: Any = None) -> Tensor:
        qkv = self.c_attn(x).reshape(*x.shape[:2], 3, self.heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, C / heads)
        return self.resid_dropout(self.c_proj(self.attend(q, k, v, cache)))


class MLP(nn.Module):
    """W₂·gelu(W₁x), as a rule four times as wide inside. (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        inner = 4 * config.n_embd if config.n_inner is None else config.n_inner
        self.c_fc = nn.Linear(config.n_embd, inner, bias=config.bias)
        self.c_proj = nn.Linear(inner, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.approximate = ACTIVATIONS[config.activation_function]

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate=self.approximate)))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig, layer: int = 0) -> None:
        super().__init__()
        norm = config.n_embd, config.layer_norm_epsilon
        self.ln_1 = nn.LayerNorm(*norm, bias=config.bias)
        self.attn = CausalSelfAttention(config, layer)
        self.ln_2 = nn.LayerNorm(*norm, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cache: Any = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class Decoder(nn.Module):
    """Tokens (B, T) → features (B, T, C): embeddings, the blocks, a last norm."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config, i) for i in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, config.layer_norm_epsilon, bias=config.bias)

    def forward(self, tokens: Tensor, positions: np.ndarray, cache: Any = None) -> Tensor:
        x = self.drop(self.wte(tokens) + self.wpe(Tensor(positions)))
        held = () if cache is None else (cache,)
        for block in self.h:
            x = block(x, *held)
        return self.ln_f(x)


class GPT(DecoderOnly):
    """Tokens (B, T), T at most ``block_size`` → logits (B, T, vocab_size) of each next token.

    >>> import tinytensor as tt
    >>> model = GPT(GPTConfig(n_layer=1, n_embd=32))
    >>> model(tt.zeros((2, 5), dtype="int64")).shape
    (2, 5, 96)
    """

    trunk = "transformer"

    def __init__(self, config: GPTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GPTConfig()
        self.context = config.block_size
        self.transformer = Decoder(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight
        draw_weights(self, 0.02, "c_proj.weight", 2 * config.n_layer)

    def _cache_sizes(self) -> dict[str, Any]:
        c = self.config
        return {"layers": c.n_layer, "heads": c.n_head, "head_dim": c.n_embd // c.n_head}
