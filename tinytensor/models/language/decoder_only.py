"""What decoder-only language models share: tokens to logits, with a cache of keys and values."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...generation import Causal, KVCache
from ...nn import functional as F
from ...tensors.tensor import Tensor
from ..pretrained import Pretrained


class CausalAttention(nn.Module):
    """The base of self-attention in which a token looks at itself and at those before it: softmax(
    QKᵀ/√d + causal mask)·V in each head, of which several may share keys and values.

    With a ``cache`` those of earlier calls are looked at, too, and the new ones are appended.
    """

    def __init__(
        self, layer: int, heads: int, shared: int, head_dim: int, dropout: float, window: int | None
    ) -> None:
        super().__init__()
        self.layer, self.heads, self.shared, self.head_dim = layer, heads, shared, head_dim
        self.dropout, self.window = dropout, window

    def attend(self, q: Tensor, k: Tensor, v: Tensor, cache: Any = None) -> Tensor:
        """q (B, heads, T, D), k and v (B, shared, T, D) → (B, T, heads · D)."""
        b, heads, t, size = q.shape
        if cache is not None:
            y = cache.attend(self.layer, q, k, v)
        else:
            y = F.scaled_dot_product_attention(
                q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=True,
                enable_gqa=self.heads != self.shared, window=self.window,
            )  # fmt: skip
        return y.permute(0, 2, 1, 3).reshape(b, t, heads * size)


class DecoderOnly(Causal, Pretrained):
    """The base of language models that only decode: tokens (B, T) → logits (B, T, V) of the next.

    A subclass has its layers in the module that ``trunk`` names, called with tokens, positions and
    cache, and an ``lm_head``. It says by ``cache_sizes`` what a cache holds of it.
    """

    trunk: ClassVar[str]
    lm_head: nn.Module
    limit: int | None = None  # of positions, where they are learned

    def forward(self, tokens: Tensor, cache: Any = None, lengths: Any = None) -> Tensor:
        """Logits (B, T, V) of the token behind each. See :meth:`features`."""
        return self.head(self.features(tokens, cache, lengths))

    def features(self, tokens: Tensor, cache: Any = None, lengths: Any = None) -> Tensor:
        """Features (B, T, C) behind the last norm.

        With a ``cache`` of :meth:`new_cache` the tokens stand behind those that it holds, and it
        holds them, too, afterwards: of each row all T, or the first of ``lengths`` (B,) where rows
        are padded at their ends.
        """
        count = tokens.shape[1] if tokens.ndim == 2 else 0
        held = 0 if cache is None else int(cache.lengths.max(initial=0))
        room = math.inf if self.limit is None else self.limit - held
        if not 0 < (count if lengths is None else min(count, np.max(lengths, initial=1))) <= room:
            raise ShapeError(
                f"{type(self).__name__}: tokens must be (B, T) with T"
                f" {'at least 1' if self.limit is None else f'from 1 to {room}'}"
                f"{f' behind {held} in the cache' * (held > 0)}, not {tokens.shape}"
            )
        positions = np.arange(count) if cache is None else cache.positions(count)
        if self.limit is not None and lengths is not None:  # of padding, which is forgotten
            positions = np.minimum(positions, self.limit - 1)
        x = getattr(self, self.trunk)(tokens, positions, cache)
        if cache is not None:
            cache.advance(count if lengths is None else lengths)
        return x

    def head(self, features: Tensor) -> Tensor:
        """Logits (…, V) of features (…, C)."""
        return self.lm_head(features)

    def new_cache(self, batch: int, capacity: int | None = None) -> KVCache:
        """An empty cache of keys and values for ``batch`` sequences. It has room for ``capacity``
        tokens of each, or grows."""
        layers, heads, size, windows = self.cache_sizes()
        dtype = "float64" if next(self.parameters()).dtype == np.float64 else "float32"
        return KVCache(layers, batch, heads, size, capacity, windows, dtype)

    def cache_sizes(self) -> tuple[int, int, int, list[int | None]]:
        """Layers, heads of keys and values, the size of each, and the layers' windows."""
        raise NotImplementedError


def draw_weights(model: nn.Module, std: float, summed: str = "", times: int = 1) -> None:
    """Weights normal with ``std``, biases 0. Weights whose names end with ``summed``, which write
    into a stream that adds up ``times`` outputs, have std/√times. (Radford et al. 2019.)"""
    for name, parameter in model.named_parameters():
        if summed and name.endswith(summed):
            nn.init.normal_(parameter, std=std / times**0.5)
        elif parameter.ndim == 2:
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
