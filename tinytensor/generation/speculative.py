"""Speculative decoding: a small model writes, the large one reads several tokens at once.

A drafted token d, drawn from the small model's q, is taken with probability min(1, p(d) / q(d)),
where p is what the large model thinks; at the first that is not, a token is drawn from max(0, p −
q), normalised, instead. What is taken has the distribution p: of x, min(p, q) + (1 − Σ min(p, q)) ·
max(0, p − q) / Σ max(0, p − q) = p. (Leviathan, Kalman and Matias 2023, "Fast inference from
transformers via speculative decoding", appendix A.1.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .rules import Rules, drawn

__all__ = ["drafted"]


def drafted(
    reader: Any, helper: Any, rules: Rules, streams: Any, size: int
) -> Iterator[tuple[int, int | None]]:
    """Rows and tokens of ``reader``'s model, where ``helper``'s writes ``size`` at a time. Both
    read one past, and forget behind each round what was not taken."""
    past, rows = reader.past, np.arange(len(reader.going))
    while True:
        begin = past.lengths.copy()
        room = past.tokens.shape[1] - int(begin.max()) - 1
        if reader.context is not None:
            room = min(room, reader.context - int(begin.max()))
        if helper.context is not None:
            room = min(room, helper.context - int(begin.max()))
        count = max(min(size, room), 0)
        q, tokens = [], np.empty((len(rows), count), np.int64)
        for i in range(count):
            chances = rules.chances(rules.penalised(helper.logits(), past))
            tokens[:, i] = drawn(chances, streams.uniform())
            q.append(chances)
            past.tokens[rows, past.lengths] = tokens[:, i]
            past.lengths[:] += 1
        logits = reader.logits(count + 1).reshape(len(rows), count + 1, -1)
        p = []
        for i in range(count + 1):  # rules are asked about the past as it was at each place
            past.lengths[:] = begin + i
            p.append(rules.chances(rules.penalised(logits[:, i], past)))
        past.lengths[:] = begin
        for row in rows.tolist():
            if not reader.going[row]:
                continue
            for token in _taken(row, tokens[row].tolist(), p, q, streams[row]):
                if not reader.going[row]:
                    break
                past.tokens[row, past.lengths[row]] = token
                past.lengths[row] += 1
                yield row, token
        reader.unread()
        helper.unread()


def _taken(
    row: int, tokens: list[int], p: list[np.ndarray], q: list[np.ndarray], rng: np.random.Generator
) -> Iterator[int]:
    """The drafted tokens that are taken, and one more."""
    for token, of_large, of_small in zip(tokens, p, q, strict=False):
        chance, drafted_by = of_large[row, token], of_small[row, token]
        if rng.random() * drafted_by >= chance:
            rest = np.maximum(of_large[row] - of_small[row], 0)
            if not rest.any():  # p and q differ by rounding alone
                rest = of_large[row]
            yield int(drawn(rest[None], np.array([rng.random()]))[0])
            return
        yield token
    yield int(drawn(p[len(tokens)][row][None], np.array([rng.random()]))[0])
