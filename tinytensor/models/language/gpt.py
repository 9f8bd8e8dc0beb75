"""GPT: a decoder-only transformer, as small or large as its configuration; GPT-2 among others.

Pre-norm blocks, learned positions, GELU in its tanh form (Radford et al. 2019). The names and
layouts of the parameters are those of nanoGPT in PyTorch; Hugging Face's files of GPT-2 have the
same names, and the weights of ``attn`` and ``mlp`` transposed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ...generation import token_steps
from ...nn import functional as F
from ...tensors.tensor import Tensor
from . import gguf_names
from .decoder_only import CausalAttention, DecoderOnly, draw_weights
from .gpt_settings import ACTIVATIONS, GPTConfig


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
    prefix = "transformer."
    model_types: ClassVar[tuple[str, ...]] = ("gpt2",)
    architectures: ClassVar[tuple[str, ...]] = ("GPT2LMHeadModel",)
    configuration: ClassVar[type[GPTConfig]] = GPTConfig

    def __init__(self, config: GPTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GPTConfig()
        self.context = self.limit = config.block_size
        self.transformer = Decoder(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight
        draw_weights(self, 0.02, "c_proj.weight", 2 * config.n_layer)

    def cache_sizes(self) -> tuple[int, int, int, list[int | None]]:
        c = self.config
        return c.n_layer, c.n_head, c.n_embd // c.n_head, [None] * c.n_layer

    def decoder_parts(self) -> token_steps.Parts:
        trunk, c, blocks = self.transformer, self.config, list[Any](self.transformer.h)
        norm, product = token_steps.norm, token_steps.product
        layers = [
            token_steps.layer(
                norm(block.ln_1), product(block.attn.c_attn, 0, 3),
                product(block.attn.c_attn, 1, 3), product(block.attn.c_attn, 2, 3),
                product(block.attn.c_proj), norm(block.ln_2), None, product(block.mlp.c_fc),
                product(block.mlp.c_proj),
            )
            for block in blocks
        ]  # fmt: skip
        token, position = token_steps.row(trunk.wte), token_steps.row(trunk.wpe)
        size = c.n_embd // c.n_head
        activation = "gelu_tanh" if blocks[0].mlp.approximate == "tanh" else "gelu"
        sizes = token_steps.sizes(
            c.n_head, c.n_head, size, c.layer_norm_epsilon, True, activation, size**-0.5
        )
        return token_steps.Parts(
            lambda t, p: token(t) + position(p), layers, norm(trunk.ln_f), product(self.lm_head),
            sizes,
        )  # fmt: skip

    @classmethod
    def from_file(cls, name: str, array: np.ndarray) -> np.ndarray:
        """The linear layers of the blocks, which files have as (in, out), the other way around."""
        turned = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        return array.T if turned else array

    to_file = from_file

    @classmethod
    def gguf_settings(cls, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return gguf_names.settings_by(gguf_names.GPT_SETTINGS, metadata)

    @classmethod
    def gguf_names(cls, config: GPTConfig) -> dict[str, str]:
        return gguf_names.tensors_by(gguf_names.GPT_MODULES, config.n_layer)
