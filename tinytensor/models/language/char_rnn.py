"""A character-level language model: embedding, LSTM layers, a linear output."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn, ops
from ...generation import Causal
from ...tensors.tensor import Tensor

State = tuple[Tensor, Tensor]


class CharRNN(Causal, nn.Module):
    """Tokens (B, T) → logits (B, T, vocabulary) of the token that follows each.

    >>> import tinytensor as tt
    >>> model = CharRNN(96, embedding=8, hidden=16, layers=1)
    >>> model(tt.zeros((2, 5), dtype="int64")).shape
    (2, 5, 96)
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int = 64,
        hidden: int = 256,
        layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, layers, dropout=dropout, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.run(tokens)[0]

    def run(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits (B, T, vocabulary) and the LSTM's state after the last token, to go on from."""
        hidden, state = self.lstm(self.embed(tokens), state)
        return self.head(hidden), state

    def features(
        self, tokens: Tensor, cache: RecurrentCache | None = None, lengths: Any = None
    ) -> Tensor:
        """What the LSTM says behind each token (B, T, hidden), continuing from the cache's state;
        of row i only the first ``lengths[i]`` tokens change it."""
        state = None if cache is None else cache.state
        if cache is None or lengths is None:
            hidden, state = self.lstm(self.embed(tokens), state)
            count: Any = tokens.shape[1]
        else:
            count, each = np.asarray(lengths), []
            for t in range(tokens.shape[1]):
                out, new = self.lstm(self.embed(tokens[:, t : t + 1]), state)
                each.append(out)
                goes = (t < count)[:, None]
                before = state if state is not None else [x * 0 for x in new]
                h, c = (ops.where(goes, x, y) for x, y in zip(new, before, strict=True))
                state = h, c
            hidden = ops.concat(each, 1)
        if cache is not None:
            cache.state = state
            cache.advance(count)
        return hidden

    def new_cache(self, batch: int, capacity: int | None = None) -> RecurrentCache:
        """An empty cache for ``batch`` sequences; a state has room for any number of tokens."""
        return RecurrentCache(batch)


class RecurrentCache:
    """The state of a recurrent network (layers, batch, hidden) in place of keys and values."""

    def __init__(self, batch: int) -> None:
        self.lengths = np.zeros(batch, np.int64)
        self.state: State | None = None

    @property
    def batch(self) -> int:
        return len(self.lengths)

    def advance(self, counts: Any) -> None:
        self.lengths += counts

    def reorder(self, indices: np.ndarray) -> None:
        self.lengths = self.lengths[indices]
        if self.state is not None:
            h, c = (ops.take(x, indices, 1) for x in self.state)
            self.state = h, c

    def reset(self) -> None:
        self.lengths[:] = 0
        self.state = None

    def truncate(self, lengths: Any) -> None:
        raise ValueError("RecurrentCache.truncate: a state does not go back to earlier tokens")
