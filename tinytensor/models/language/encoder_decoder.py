"""The recurrent halves of sequences into sequences: an encoder, a decoder that attends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import nn, ops
from ...tensors.tensor import Tensor

Parts = tuple[Tensor, ...]  # (h,), or (h, c) of an LSTM, each (layers, B, hidden)

CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
ATTENTION: dict[str | None, Callable[[int], Any]] = {
    "additive": lambda size: nn.AdditiveAttention(size, size),
    "concat": lambda size: nn.AdditiveAttention(size, size),
    "dot": nn.DotAttention,
    "general": lambda size: nn.GeneralAttention(size, size),
    None: lambda size: None,
}
FEEDS = ("context", "output", None)


def _parts(state: Any) -> Parts:
    return state if isinstance(state, tuple) else (state,)


def _state(parts: Parts) -> Any:
    return parts if len(parts) > 1 else parts[0]


class Encoder(nn.Module):
    """Tokens (B, S) of which ``lengths`` count → what was read at each (B, S, hidden), and the last
    states, each (layers, B, hidden). Of two directions each has half of ``hidden``."""

    def __init__(
        self, size: int, embedding: int, hidden: int, layers: int, cell: str, dropout: float,
        bidirectional: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        if bidirectional and hidden % 2:
            raise ValueError(f"Encoder: two directions share hidden, but it is odd: {hidden}")
        self.embed = nn.Embedding(size, embedding)
        self.rnn = CELLS[cell](
            embedding, hidden // (1 + bidirectional), layers,
            dropout=dropout if layers > 1 else 0.0, bidirectional=bidirectional,
        )  # fmt: skip
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: np.ndarray, lengths: np.ndarray) -> tuple[Tensor, Parts]:
        x = self.dropout(self.embed(Tensor(source.T)))
        read, last = self.rnn(x, lengths=lengths)
        return ops.swapaxes(read, 0, 1), tuple(map(self._joined, _parts(last)))

    def _joined(self, last: Tensor) -> Tensor:
        """(layers · directions, B, H) as (layers, B, directions · H)."""
        rows, batch, size = last.shape
        directions = 1 + self.rnn.bidirectional
        split = ops.reshape(last, (rows // directions, directions, batch, size))
        return ops.reshape(ops.swapaxes(split, 1, 2), (len(split), batch, directions * size))


class Decoder(nn.Module):
    """Tokens → features h̃_t = tanh(W [c_t; h_t]), or h_t without attention, and their logits by
    ``head``. :class:`Seq2Seq` says what ``attention`` and ``feed`` are."""

    def __init__(
        self, size: int, embedding: int, hidden: int, layers: int, cell: str, dropout: float,
        attention: str | None, feed: str | None,
    ) -> None:  # fmt: skip
        super().__init__()
        if feed and not attention:
            raise ValueError(f"Decoder: without attention there is no {feed} to feed")
        self.feed = feed
        self.embed = nn.Embedding(size, embedding)
        self.rnn = CELLS[cell](
            embedding + (hidden if feed else 0), hidden, layers,
            dropout=dropout if layers > 1 else 0.0,
        )  # fmt: skip
        self.attention = ATTENTION[attention](hidden)
        self.combine = nn.Linear(2 * hidden, hidden, bias=False) if attention else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, size)

    def logits(self, features: Tensor) -> Tensor:
        return self.head(self.dropout(features))

    def forward(
        self,
        target: np.ndarray,
        memory: Any,
        parts: Parts,
        following: Callable[[int, Tensor], np.ndarray] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Features (B, T, hidden) and weights of attention (B, T, S) of given tokens (B, T);
        ``following(t, features)``, if given, says which tokens (B,) come behind step t instead."""
        inputs = None
        if following is None:
            embedded = self.dropout(self.embed(Tensor(target.T)))
            if self.feed is None:
                output, _ = self.rnn(embedded, _state(parts))
                seen, weights = self._look(ops.swapaxes(output, 0, 1), memory)
                return self._combined(seen), weights
            inputs = ops.unstack(embedded)
        # What no step needs of the last is left for all steps at once.
        by_step = self.feed == "output" or inputs is None
        fed, all_seen, all_weights = self.unfed(parts), [], []
        tokens = target[:, 0]
        for t in range(target.shape[1]):
            x = self.dropout(self.embed(Tensor(tokens))) if inputs is None else inputs[t]
            seen, weights, parts = self._recur(x, parts, fed, memory)
            if by_step:
                seen = self._combined(seen)
                fed = None if fed is None else seen
            if following and t + 1 < target.shape[1]:
                tokens = following(t, seen)
            all_seen.append(seen)
            all_weights.append(weights)
        features = ops.stack(all_seen, 1)
        return (
            features if by_step else self._combined(features),
            ops.stack(all_weights, 1) if self.attention else None,
        )

    def step(self, tokens: np.ndarray, state: Any, memory: Any) -> tuple[Tensor, Any]:
        """One of a search: logits (N, V) of N rows. A state has their axis first, as
        :meth:`first` gives it."""
        parts, fed = state
        parts = tuple(ops.swapaxes(part, 0, 1) for part in parts)
        seen, _, parts = self._recur(self.embed(Tensor(tokens)), parts, fed, memory)
        features = self._combined(seen)
        return self.logits(features), (self.first(parts)[0], None if fed is None else features)

    def first(self, parts: Parts) -> Any:
        return tuple(ops.swapaxes(part, 0, 1) for part in parts), self.unfed(parts)

    def unfed(self, parts: Parts) -> Tensor | None:
        """The features before the first, which are 0; None if none are fed."""
        if self.feed != "output":
            return None
        return Tensor(np.zeros(parts[0].shape[1:], parts[0].dtype))

    def _recur(
        self, x: Tensor, parts: Parts, fed: Tensor | None, memory: Any
    ) -> tuple[Tensor, Tensor | None, Parts]:
        """One step of inputs (N, E): [c; h] (N, 2 · hidden), the weights, and the next states."""
        context, weights = fed, None
        if self.feed == "context":
            context, weights = self._context(parts[0][-1], memory)
        if context is not None:
            x = ops.concat([x, context], -1)
        output, last = self.rnn(ops.expand_dims(x, 0), _state(parts))
        if self.feed == "context":
            seen = ops.concat([context, output[0]], -1)
        else:
            seen, weights = self._look(output[0], memory)
        return seen, weights, _parts(last)

    def _look(self, h: Tensor, memory: Any) -> tuple[Tensor, Tensor | None]:
        """[c; h] of the context that h finds, and the weights; h alone without attention."""
        if self.attention is None:
            return h, None
        context, weights = self._context(h, memory)
        return ops.concat([context, h], -1), weights

    def _context(self, h: Tensor, memory: Any) -> tuple[Tensor, Tensor]:
        """The rows h (N, hidden) of a search are some of each source: queries of its memory."""
        sources = len(memory.values)
        if h.ndim == 3 or len(h) == sources:
            return self.attention(h, memory)
        found = self.attention(ops.reshape(h, (sources, -1, h.shape[-1])), memory)
        context, weights = (ops.reshape(x, (len(h), x.shape[-1])) for x in found)
        return context, weights

    def _combined(self, seen: Tensor) -> Tensor:
        return seen if self.combine is None else ops.tanh(self.combine(seen))
