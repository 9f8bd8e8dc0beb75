"""Solutions of lesson 13, a GPT."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import tinytensor as tt


def windows(data: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    both = data[starts[:, None] + np.arange(length + 1)]
    return both[:, :-1], both[:, 1:]


def bits(logits: np.ndarray, targets: np.ndarray) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    nats = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets]
    return float(nats.mean() / np.log(2))


def sample(logits: np.ndarray, temperature: float, top_k: int | None, u: float) -> int:
    if temperature == 0:
        return int(np.argmax(logits))
    logits = logits / temperature
    if top_k is not None:
        logits = np.where(logits < np.sort(logits)[-top_k], -np.inf, logits)
    p = np.exp(logits - logits.max())
    return int(np.argmax(np.cumsum(p / p.sum()) > u))


def pair_bits(
    read: Sequence[int], unread: Sequence[int], size: int, smoothing: float = 0.1
) -> float:
    counts = np.full((size, size), smoothing)
    np.add.at(counts, (list(read[:-1]), list(read[1:])), 1)
    p = counts / counts.sum(1, keepdims=True)
    return float(-np.log2(p[list(unread[:-1]), list(unread[1:])]).mean())


def peeps(model: Callable[[tt.Tensor], tt.Tensor], size: int, length: int) -> bool:
    tokens = np.arange(length) % size
    with tt.no_grad():
        before = model(tt.tensor(tokens[None])).numpy()
        for t in range(1, length):
            for other in range(size):
                changed = tokens.copy()
                changed[t] = other
                after = model(tt.tensor(changed[None])).numpy()
                if not np.allclose(before[0, :t], after[0, :t], atol=1e-5):
                    return True
    return False
