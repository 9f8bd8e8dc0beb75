"""What T5 and Whisper share: a decoder beside an encoder's features, which generates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import nn
from ...errors import ShapeError
from ...generation import Hypothesis, KVCache, beam_search, greedy, sample
from ...nn.evaluating import evaluating
from ...ops.checks import integers
from ...tensors.tensor import Tensor
from ..attending import Attending, KeysValues
from ..pretrained import Pretrained

Mask = Tensor | None
Memory = tuple[KeysValues, ...]  # of each layer
Cache = KVCache | None
Encoded = tuple[Tensor, Mask]


class Sublayers(nn.Module):
    """The base of pre-norm layers: ``x + dropout(f(norm(x)))`` for attention to itself, in a
    decoder attention to an encoder's features, and a feed-forward network. (B, T, C) → (B, T, C).

    A subclass says which of its parts these are.
    """

    dropout: nn.Dropout

    @property
    def itself(self) -> tuple[nn.Module, Attending]:
        """The norm and the attention to itself."""
        raise NotImplementedError

    @property
    def memory(self) -> tuple[nn.Module, Attending] | None:
        """The norm and the attention to an encoder's features, in a decoder."""
        return None

    def feed_forward(self, x: Tensor) -> Tensor:
        """The last f, its norm included."""
        raise NotImplementedError

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        is_causal: bool = False,
        memory: KeysValues | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache = None,
        layer: int = 0,
    ) -> Tensor:
        """With a ``cache``, of which this is the layer ``layer``, x follows what it holds, sees
        itself and all before, and a mask is added."""
        norm, attention = self.itself
        if cache is None:
            y = attention(norm(x), mask, None, is_causal)
        else:
            y = attention.cached(norm(x), cache, layer, mask)
        x = x + self.dropout(y)
        if memory is not None and self.memory is not None:
            norm, attention = self.memory
            x = x + self.dropout(attention(norm(x), memory_mask, memory))
        return x + self.dropout(self.feed_forward(x))


def through(
    layers: Iterable[Any], x: Tensor, mask: Mask, is_causal: bool, memory: Memory | None,
    memory_mask: Mask, cache: Cache,
) -> Tensor:  # fmt: skip
    """The output of the last layer; the cache has the tokens then."""
    for i, layer in enumerate(layers):
        x = layer(x, mask, is_causal, memory and memory[i], memory_mask, cache, i)
    if cache is not None:
        cache.advance(x.shape[1])
    return x


def held(cache: Cache) -> int:
    """How many tokens each sequence of a cache has: all have as many."""
    return 0 if cache is None else int(cache.lengths.max(initial=0))


class Conditional(Pretrained):
    """The base of models that write a sequence for a source.

    A subclass computes an encoder's features by ``encode(source, …) -> (features, mask)`` and a
    decoder's by ``decode``; its configuration has the numbers of the tokens that start and end.
    """

    def encode(self, source: Tensor, lengths: Any = None, mask: Any = None) -> Encoded:
        """Features (B, S, C) of the source, and a mask of those that count."""
        raise NotImplementedError

    def decoder_layers(self) -> Iterable[Sublayers]:
        """The layers of the decoder."""
        raise NotImplementedError

    def decode(
        self, tokens: Tensor, memory: Memory, mask: Mask = None, cache: Cache = None
    ) -> Tensor:
        """Features (N, T, C) behind the last norm of tokens that follow those of the ``cache``,
        which has them then. ``memory`` is that of :meth:`memory_of`, of B sequences that N is a
        multiple of."""
        raise NotImplementedError

    def head(self, features: Tensor) -> Tensor:
        """Logits (…, V) of features (…, C)."""
        raise NotImplementedError

    def new_cache(self, batch: int, capacity: int | None = None) -> KVCache:
        """An empty cache of keys and values of the decoder's own tokens, of ``batch`` sequences. It
        has room for ``capacity`` tokens of each, or grows."""
        layers = [layer.itself[1] for layer in self.decoder_layers()]
        heads, size = layers[0].heads, layers[0].head_dim
        dtype = "float64" if next(self.parameters()).dtype == np.float64 else "float32"
        return KVCache(len(layers), batch, heads, size, capacity, dtype=dtype)

    def memory_of(self, features: Tensor) -> Memory:
        """Keys and values of each decoder layer for an encoder's features."""
        layers = self.decoder_layers()
        return tuple(layer.memory[1].keys_values(features) for layer in layers if layer.memory)

    def _written(self, encoded: Encoded, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the token behind each of ``tokens`` (B, T)."""
        features, mask = encoded
        if tokens.ndim != 2 or not tokens.shape[1] or len(tokens) != len(features):
            raise ShapeError(
                f"{type(self).__name__}: decoder_tokens must be ({len(features)}, T), not"
                f" {tokens.shape}"
            )
        return self.head(self.decode(tokens, self.memory_of(features), mask))

    def search(
        self,
        source: Tensor,
        max_new_tokens: int,
        *,
        lengths: Any = None,
        mask: Any = None,
        prompt: Sequence[int] | None = None,
        beams: int = 1,
        temperature: float = 0.0,
        use_cache: bool = True,
        **how: Any,
    ) -> list[list[Hypothesis]]:
        """The best sequences for each source, as :func:`tinytensor.generation.beam_search` finds
        them, ``greedy`` with one beam, or ``sample`` with a temperature; ``how`` are more of their
        arguments. Of the source ``lengths`` (B,) count, or where ``mask`` (B, S) is not 0.

        The decoder is given ``prompt``, or the token that starts. Keys and values of the source and
        of tokens so far are kept; without ``use_cache`` the decoder reads all tokens at each step.
        """
        if beams > 1 and temperature:
            raise ValueError(f"{type(self).__name__}: a temperature, which draws, takes one beam")
        find: Any = partial(beam_search, beams=beams) if beams > 1 else greedy
        if temperature:
            find = partial(sample, temperature=temperature)
        start = [self.config.decoder_start_token_id] if prompt is None else prompt
        begin = integers(type(self).__name__, "prompt", start)
        if begin.ndim != 1 or not len(begin):
            raise ShapeError(f"{type(self).__name__}: prompt must be (T,), not {begin.shape}")
        with evaluating(self):
            features, keys = self.encode(source, lengths, mask)
            memory = self.memory_of(features)
            before = np.tile(begin[:-1], (len(features), 1))

            def step(tokens: np.ndarray, cache: KVCache) -> tuple[Tensor, KVCache]:
                x = self.decode(Tensor(tokens[:, None]), memory, keys, cache)
                return self.head(x[:, -1]), cache

            def anew(tokens: np.ndarray, before: np.ndarray) -> tuple[Tensor, np.ndarray]:
                read = np.concatenate([before, tokens[:, None]], 1)
                return self.head(self.decode(Tensor(read), memory, keys)[:, -1]), read

            state: Any = before
            if use_cache:
                state = self.new_cache(len(features))
                if before.shape[1]:
                    self.decode(Tensor(before), memory, keys, state)
            starts = np.full(len(features), begin[-1])
            how = {"end": self.config.eos_token_id, "max_length": max_new_tokens} | how
            found = find(step if use_cache else anew, state, starts, **how)
        return [row if isinstance(row, list) else [row] for row in found]

    def generate(self, source: Tensor, max_new_tokens: int, **how: Any) -> list[list[int]]:
        """The best tokens for each source, without start, prompt and end; by default greedily. The
        arguments are those of :meth:`search`."""
        found = self.search(source, max_new_tokens, **how)
        return [best[0].tokens if best else [] for best in found]
