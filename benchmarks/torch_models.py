"""The language models of tinytensor.models once more, in PyTorch, with the same parameter names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:  # a process that measures PyTorch does not load tinytensor
    from tinytensor.models import GPTConfig


class CharRNN(nn.Module):
    """The twin of tinytensor.models.CharRNN."""

    def __init__(self, vocabulary: int, embedding: int = 64, hidden: int = 256, layers: int = 2):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(tokens))[0])


class Attention(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.n_head = config.n_head

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.c_attn(x).view(b, t, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, t, c))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """The twin of tinytensor.models.GPT, without dropout."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.transformer
        x = parts["wte"](tokens) + parts["wpe"](torch.arange(tokens.shape[1]))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))


class Reader(GPT):
    """A GPT that reads token by token behind ``held`` ones, whose keys and values it keeps."""

    def __init__(self, config: GPTConfig, held: int, steps: int):
        super().__init__(config)
        self.held, self.steps, self.cache = held, steps, None
        size = 2, config.n_layer, 1, config.n_head, held + steps, config.n_embd // config.n_head
        self.room = torch.zeros(size)

    def read(self, tokens: Tensor, start: int) -> Tensor:
        parts, count = self.transformer, tokens.shape[1]
        end = start + count
        x = parts["wte"](tokens) + parts["wpe"](torch.arange(start, end))
        for i, block in enumerate(parts["h"]):
            attn = block.attn
            qkv = attn.c_attn(block.ln_1(x)).view(1, count, 3, attn.n_head, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            keys, values = self.room[:, i]
            keys[:, :, start:end], values[:, :, start:end] = k, v
            y = F.scaled_dot_product_attention(
                q, keys[:, :, :end], values[:, :, :end], is_causal=count > 1
            )
            x = x + attn.c_proj(y.transpose(1, 2).reshape(1, count, -1))
            x = x + block.mlp(block.ln_2(x))
        return parts["ln_f"](x[:, -1])

    def forward(self, tokens: Tensor) -> Tensor:
        if self.cache is None:
            self.cache = self.read(tokens[:, : self.held], 0)
        for i in range(self.held, self.held + self.steps):
            logits = self.lm_head(self.read(tokens[:, i : i + 1], i))
        return logits
