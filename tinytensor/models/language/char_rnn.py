"""A character-level language model: embedding, LSTM layers, a linear output."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import nn
from ...generation import generate
from ...tensors.tensor import Tensor

State = tuple[Tensor, Tensor]


class CharRNN(nn.Module):
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

    def generate(
        self,
        tokens: Any,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: np.random.Generator | int | None = None,
        top_p: float | None = None,
    ) -> np.ndarray:
        """``tokens`` (B, T) continued by ``count`` drawn ones: (B, T + count), int64. Each is
        drawn from the softmax of its logits / ``temperature`` (0: the likeliest), among the
        ``top_k`` likeliest, and the likeliest that have ``top_p`` of the probability."""

        def step(tokens: np.ndarray, state: State | None) -> tuple[Tensor, State]:
            return self.run(Tensor(tokens if state is None else tokens[:, -1:]), state)

        return generate(self, step, tokens, count, temperature, top_k, generator, top_p)
