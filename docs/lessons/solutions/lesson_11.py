"""Solutions of lesson 11, attention."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Walk(NamedTuple):
    """What a walk over some of the keys keeps of each query."""

    top: np.ndarray  # (queries,): the largest score; −inf if no key was seen
    total: np.ndarray  # (queries,): Σ exp(s − top); 0 if no key was seen
    out: np.ndarray  # (queries, depth of values): Σ exp(s − top) v, not divided by the total


def weights(q: np.ndarray, k: np.ndarray, causal: bool = False) -> np.ndarray:
    s = q @ k.T / q.shape[1] ** 0.5
    if causal:
        s = np.where(np.triu(np.ones(s.shape, bool), 1), -np.inf, s)
    p = np.exp(s - s.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def merged(one: Walk, other: Walk) -> Walk:
    top = np.maximum(one.top, other.top)
    base = np.where(np.isneginf(top), 0, top)
    a, b = np.exp(one.top - base), np.exp(other.top - base)
    total = a * one.total + b * other.total
    return Walk(top, total, a[:, None] * one.out + b[:, None] * other.out)


def visited(queries: int, keys: int, size: int) -> int:
    lasts = [min(first + size, queries) - 1 for first in range(0, queries, size)]
    return sum(first <= last for first in range(0, keys, size) for last in lasts)


def step(
    cache: tuple[np.ndarray, np.ndarray], q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    keys, values = np.vstack([cache[0], k]), np.vstack([cache[1], v])
    return (weights(q[None], keys) @ values)[0], (keys, values)


def gradients(
    g: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    top: np.ndarray,
    total: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale = q.shape[1] ** -0.5
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    d = (g * out).sum(1, keepdims=True)
    for first in range(0, len(k), size):
        block, rows = slice(first, first + size), slice(first, None)
        s = q[rows] @ k[block].T * scale
        s = np.where(np.triu(np.ones(s.shape, bool), 1), -np.inf, s)
        p = np.exp(s - top[rows, None]) / total[rows, None]
        dv[block] = p.T @ g[rows]
        ds = p * (g[rows] @ v[block].T - d[rows]) * scale
        dq[rows] += ds @ k[block]
        dk[block] = ds.T @ q[rows]
    return dq, dk, dv
