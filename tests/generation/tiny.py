"""A decoder of one file for tests: grouped heads, a window, a bias, learned positions."""

from dataclasses import dataclass

import numpy as np

import tinytensor as tt
from tinytensor import nn
from tinytensor.errors import ShapeError
from tinytensor.generation import Causal, KVCache


@dataclass
class Config:
    vocab_size: int = 13
    n_positions: int = 48
    heads: int = 4
    kv_heads: int = 2
    window: int | None = None
    layers: int = 2


class Tiny(Causal, nn.Module):
    DEPTH = 4

    def __init__(self, seed=0, sharp=3.0, **how):
        super().__init__()
        self.config = c = Config(**how)
        self.context = c.n_positions
        tt.manual_seed(seed)
        width, shared = c.heads * self.DEPTH, c.kv_heads * self.DEPTH
        self.wte, self.wpe = nn.Embedding(c.vocab_size, width), nn.Embedding(c.n_positions, width)
        self.q = nn.ModuleList([nn.Linear(width, width) for _ in range(c.layers)])
        self.kv = nn.ModuleList([nn.Linear(width, 2 * shared) for _ in range(c.layers)])
        self.out = nn.ModuleList([nn.Linear(width, width) for _ in range(c.layers)])
        self.norm, self.lm_head = nn.LayerNorm(width), nn.Linear(width, c.vocab_size, bias=False)
        self.sharp, self.reads = sharp, []

    def new_cache(self, batch, capacity=None):
        c = self.config
        return KVCache(c.layers, batch, c.kv_heads, self.DEPTH, capacity, c.window)

    def features(self, tokens, cache=None, lengths=None):
        c, (batch, steps) = self.config, tokens.shape
        self.reads.append(steps)
        places = np.arange(steps)[None] if cache is None else cache.positions(steps)
        if lengths is None and places.max() >= c.n_positions:
            raise ShapeError("too long")
        x = self.wte(tokens) + self.wpe(tt.tensor(np.minimum(places, c.n_positions - 1)))
        for i in range(c.layers):
            q, k, v = (
                y.reshape(batch, steps, -1, self.DEPTH).permute(0, 2, 1, 3)
                for y in (self.q[i](x), *tt.split(self.kv[i](x), 2, -1))
            )
            if cache is None:
                gap = np.arange(steps)[:, None] - np.arange(steps)
                mask = (gap >= 0) & (gap < (c.window or steps))
                y = tt.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
            else:
                y = cache.attend(i, q, k, v)
            x = x + tt.tanh(self.out[i](y.permute(0, 2, 1, 3).reshape(batch, steps, -1)))
        if cache is not None:
            cache.advance(steps if lengths is None else lengths)
        return self.norm(x)

    def head(self, features):
        return self.lm_head(features) * self.sharp

    def forward(self, tokens, cache=None):
        return self.head(self.features(tokens, cache))


class Letters:
    """A tokeniser of bytes, of which 256 is the end."""

    pad, unknown, bos, eos, ends = None, None, None, 256, {256}

    def encode(self, text):
        return list(text.encode())

    def decode(self, tokens):
        return bytes(token for token in tokens if token < 256).decode(errors="replace")
