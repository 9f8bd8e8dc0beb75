"""Sequences into sequences, by a recurrent encoder and a decoder that attends to what it read."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from ... import nn, ops
from ...engine.grad_mode import no_grad
from ...errors import ShapeError
from ...generation import Hypothesis, beam_search, draw, greedy, sample
from ...nn.evaluating import evaluating
from ...ops.checks import integers, number
from ...ops.packing import lengths_of
from ...random import seeded
from ...tensors.tensor import Tensor
from .encoder_decoder import ATTENTION, CELLS, FEEDS, Decoder, Encoder, Parts


class Seq2Seq(nn.Module):
    """Source tokens (B, S) and the target's before each (B, T) → logits (B, T, target_size).

    The encoder is recurrent, in both directions unless ``bidirectional`` is False, with ``hidden``
    numbers at each token. Its last states become the decoder's first ones by a linear layer, h by
    a tanh behind it, too. The decoder's h_t find a context c_t by ``attention``: "additive"
    (Bahdanau, Cho and Bengio 2015), "dot", "general" or "concat" (Luong, Pham and Manning 2015), or
    None. The logits are those of ``h̃_t = tanh(W [c_t; h_t])``, or of h_t without attention.

    ``feed`` says what of attention the recurrence is given beside each token: "context", c_t, which
    is then that of h_{t-1} (Bahdanau et al.; the default of "additive"); "output", h̃_{t-1} (Luong
    et al.'s input feeding); None, nothing (the default of the others): then the recurrence runs
    over all steps at once, which is faster.

    ``dropout`` acts on embeddings, between layers and on h̃. Smoothed labels are an argument of the
    loss: ``cross_entropy(…, ignore_index=, label_smoothing=)``.

    >>> import tinytensor as tt
    >>> model = Seq2Seq(20, 30, embedding=8, hidden=16)
    >>> source = tt.tensor([[3, 4, 5], [6, 7, 0]])
    >>> model(source, [3, 2], tt.zeros((2, 4), dtype="int64")).shape
    (2, 4, 30)
    >>> written = model.generate(source, [3, 2], start=1, end=2, max_length=5, beams=3)
    >>> len(written), max(map(len, written)) <= 5
    (2, True)
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        embedding: int = 256,
        hidden: int = 256,
        layers: int = 1,
        attention: Literal["additive", "general", "dot", "concat"] | None = "additive",
        cell: Literal["lstm", "gru"] = "lstm",
        dropout: float = 0.0,
        feed: Literal["auto", "context", "output"] | None = "auto",
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        if feed == "auto":
            feed = "context" if attention == "additive" else None
        for name, value, among in (
            ("attention", attention, ATTENTION),
            ("cell", cell, CELLS),
            ("feed", feed, FEEDS),
        ):
            if value not in among:
                raise ValueError(f"Seq2Seq: {name} is one of {[*among]}, not {value!r}")
        how = (embedding, hidden, layers, cell, dropout)
        self.encoder = Encoder(source_size, *how, bidirectional)
        self.decoder = Decoder(target_size, *how, attention, feed)
        parts = len(self.decoder.rnn.state_names)
        self.bridge = nn.ModuleList([nn.Linear(hidden, hidden) for _ in range(parts)])

    def forward(
        self,
        source: Any,
        source_lengths: Any,
        target_in: Any,
        teacher_forcing: float = 1.0,
        generator: np.random.Generator | int | None = None,
    ) -> Tensor:
        """Logits (B, T, target_size). Of each source ``source_lengths`` (B,) tokens count, or all.

        With ``teacher_forcing`` below 1 a token is the target's with this probability, and
        otherwise drawn from the prediction before it, through which no gradient goes: scheduled
        sampling (Bengio et al. 2015), of which :func:`scheduled_sampling` has the schedules.
        """
        number("Seq2Seq", "teacher_forcing", teacher_forcing, 0, 1)
        memory, parts = self.encode(source, source_lengths)
        target = _tokens("target_in", target_in, parts[0].shape[1])
        rng = seeded(generator)

        def following(t: int, features: Tensor) -> np.ndarray:
            tokens = target[:, t + 1].copy()
            own = rng.random(len(tokens)) >= teacher_forcing
            if own.any():
                with no_grad():
                    logits = self.decoder.logits(features[own])
                tokens[own] = draw(logits.numpy(), 1.0, None, rng)
            return tokens

        features, _ = self.decoder(
            target, memory, parts, following if teacher_forcing < 1 else None
        )
        return self.decoder.logits(features)

    def encode(self, source: Any, source_lengths: Any = None) -> tuple[Any, Parts]:
        """The memory of attention (None without it), and the decoder's first states."""
        source = _tokens("source", source)
        batch, steps = source.shape
        lengths = np.full(batch, steps)
        if source_lengths is not None:
            lengths = lengths_of("Seq2Seq", source_lengths, steps, batch)
        read, last = self.encoder(source, lengths)
        h, *rest = (layer(part) for layer, part in zip(self.bridge, last, strict=True))
        attention = self.decoder.attention
        memory = None if attention is None else attention.memory(read, lengths)
        return memory, (ops.tanh(h), *rest)

    def align(self, source: Any, source_lengths: Any, target_in: Any) -> np.ndarray:
        """The weights of attention (B, T, S) at the steps that are given ``target_in`` (B, T)."""
        if self.decoder.attention is None:
            raise ValueError("Seq2Seq: without attention nothing is aligned")
        with evaluating(self):
            memory, parts = self.encode(source, source_lengths)
            target = _tokens("target_in", target_in, parts[0].shape[1])
            weights = self.decoder(target, memory, parts)[1]
        return np.asarray(weights)

    def search(
        self,
        source: Any,
        source_lengths: Any,
        start: int,
        end: int | None,
        max_length: int,
        beams: int = 1,
        temperature: float = 0.0,
        **how: Any,
    ) -> list[list[Hypothesis]]:
        """The best sequences for each source, as :func:`tinytensor.generation.beam_search` finds
        and returns them, or ``greedy`` with one beam, or ``sample`` with a ``temperature``. ``how``
        are further arguments of that function."""
        find: Any = partial(beam_search, beams=beams) if beams > 1 else greedy
        if temperature:
            if beams > 1:
                raise ValueError("Seq2Seq: draws, which a temperature asks for, take one beam")
            find = partial(sample, temperature=temperature)
        with evaluating(self):
            memory, parts = self.encode(source, source_lengths)
            step = partial(self.decoder.step, memory=memory)
            starts = np.full(parts[0].shape[1], start)
            found = find(step, self.decoder.first(parts), starts, end, max_length, **how)
        return [row if isinstance(row, list) else [row] for row in found]

    def generate(
        self,
        source: Any,
        source_lengths: Any,
        start: int,
        end: int | None,
        max_length: int,
        beams: int = 1,
        temperature: float = 0.0,
        alignments: bool = False,
        **how: Any,
    ) -> Any:
        """The best sequence for each source, without start and end: a list of lists of tokens.

        With ``alignments`` also the weights of attention, an array (tokens, source's length) for
        each sequence. The other arguments are those of :meth:`search`.
        """
        found = self.search(
            source, source_lengths, start, end, max_length, beams, temperature, **how
        )
        tokens = [best[0].tokens if best else [] for best in found]
        if not alignments:
            return tokens
        steps = max(map(len, tokens), default=0)
        before = np.full((len(tokens), max(steps, 1)), start)
        for row, taken in zip(before, tokens, strict=True):
            row[1 : len(taken)] = taken[:-1]
        weights = self.align(source, source_lengths, before)
        ends = [weights.shape[2]] * len(tokens) if source_lengths is None else source_lengths
        each = zip(weights, tokens, ends, strict=True)
        return tokens, [w[: len(taken), : int(end)] for w, taken, end in each]


def _tokens(name: str, tokens: Any, batch: int | None = None) -> np.ndarray:
    tokens = integers("Seq2Seq", name, tokens)
    if tokens.ndim != 2 or not tokens.shape[1] or (batch is not None and len(tokens) != batch):
        wanted = "batch" if batch is None else batch
        raise ShapeError(f"Seq2Seq: {name} must be ({wanted}, steps ≥ 1), but is {tokens.shape}")
    return tokens
