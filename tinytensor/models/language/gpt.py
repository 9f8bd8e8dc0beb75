"""GPT: a decoder-only transformer (Radford et al. 2019), as small or large as its configuration.

Pre-norm blocks, learned positions, GELU in its tanh form, an output layer of its own weights. The
names and layouts of the parameters are those of nanoGPT in PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...generation import generate
from ...nn import functional as F
from ...tensors.tensor import Tensor


@dataclass
class GPTConfig:
    """Sizes of a GPT. The defaults are nanoGPT's setting for a CPU."""

    vocab_size: int = 96
    block_size: int = 64
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = True

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(f"GPTConfig: {self.n_head} heads do not divide {self.n_embd} channels")


class CausalSelfAttention(nn.Module):
    """softmax(QKᵀ/√d + causal mask)·V in each of ``n_head`` heads. (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        qkv = self.c_attn(x).reshape(b, t, 3, self.n_head, c // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, C / heads)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.resid_dropout(self.c_proj(y.permute(0, 2, 1, 3).reshape(b, t, c)))


class MLP(nn.Module):
    """W₂·gelu(W₁x), four times as wide inside. (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)). (B, T, C) → (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Decoder(nn.Module):
    """Tokens (B, T) → features (B, T, C): embeddings, the blocks, a last norm."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd, bias=config.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = Tensor(np.arange(tokens.shape[1]))
        x = self.drop(self.wte(tokens) + self.wpe(positions))
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class GPT(nn.Module):
    """Tokens (B, T), T at most ``block_size`` → logits (B, T, vocab_size) of each next token.

    >>> import tinytensor as tt
    >>> model = GPT(GPTConfig(n_layer=1, n_embd=32))
    >>> model(tt.zeros((2, 5), dtype="int64")).shape
    (2, 5, 96)
    """

    def __init__(self, config: GPTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GPTConfig()
        self.transformer = Decoder(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):  # the 2·n_layer sums into the residual stream
                nn.init.normal_(parameter, std=0.02 / (2 * config.n_layer) ** 0.5)
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.ndim != 2 or not 0 < tokens.shape[1] <= self.config.block_size:
            raise ShapeError(
                f"GPT: tokens must be (B, T) with T from 1 to {self.config.block_size}, not"
                f" {tokens.shape}"
            )
        return self.lm_head(self.transformer(tokens))

    def generate(
        self,
        tokens: Any,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: np.random.Generator | int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray:
        """``tokens`` (B, T) continued by ``count`` drawn ones: (B, T + count), int64.

        Each is drawn from the softmax of its logits / ``temperature`` (0: the likeliest), among
        the ``top_k`` likeliest, and the likeliest that have ``top_p`` of the probability. The model
        sees at most the last ``block_size`` tokens.
        """

        def step(tokens: np.ndarray, state: None) -> tuple[Tensor, None]:
            return self(Tensor(tokens[:, -self.config.block_size :])), None

        return generate(self, step, tokens, count, temperature, top_k, generator, top_p)
