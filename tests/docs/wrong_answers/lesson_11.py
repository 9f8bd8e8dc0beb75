"""Wrong answers to lesson 11's exercises, each with words of the message that is meant for that."""

import numpy as np


def weights(divide=True, stable=True, axis=1, diagonal=1, after=False):
    def weights(q, k, causal=False):
        with np.errstate(all="ignore"):
            s = q @ k.T / (q.shape[1] ** 0.5 if divide else 1)
            future = np.triu(np.ones(s.shape, bool), diagonal)
            if causal and not after:
                s = np.where(future, -np.inf, s)
            p = np.exp(s - s.max(axis, keepdims=True)) if stable else np.exp(s)
            p = p / p.sum(axis, keepdims=True)
            return np.where(future, 0, p) if causal and after else p

    return weights


def merged(repair=True, care=True, turned=False, rows=True):
    def merged(one, other):
        top = np.maximum(one.top, other.top)
        base = np.where(np.isneginf(top), 0, top) if care else top
        a, b = (np.exp(walk.top - base) if repair else 1 + 0 * base for walk in (one, other))
        if turned:
            a, b = b, a
        total = a * one.total + b * other.total
        out = a[:, None] * one.out + b[:, None] * other.out if rows else one.out + other.out
        return type(one)(top, total, out)

    return merged


def step(late=False, in_order=True):
    def step(cache, q, k, v):
        keys, values = cache
        if in_order:
            after = np.vstack([keys, k]), np.vstack([values, v])
        else:
            after = np.vstack([k, keys]), np.vstack([v, values])
        keys, values = cache if late else after
        return weights()(q[None], keys)[0] @ values, after

    return step


def gradients(d=True, scaled=True, adds=True, hides=True):
    def gradients(g, q, k, v, out, top, total, size):
        scale = q.shape[1] ** -0.5
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        share = (g * out).sum(1, keepdims=True) if d else 0
        future = np.triu(np.ones((len(q), len(k)), bool), 1)
        for first in range(0, len(k), size):
            block = slice(first, first + size)
            s = q @ k[block].T * scale
            s = np.where(future[:, block], -np.inf, s) if hides else s
            p = np.exp(s - top[:, None]) / total[:, None]
            dv[block] = p.T @ g
            ds = p * (g @ v[block].T - share) * (scale if scaled else 1)
            dq = ds @ k[block] + (dq if adds else 0)
            dk[block] = ds.T @ q
        return dq, dk, dv

    return gradients


WRONG = [
    ("visited", lambda q, k, size: -(-q // size) * (1 - -q // size) // 2, "in blocks of 64: 2"),
    ("weights", weights(divide=False), "not divided"),
    ("weights", weights(axis=0), "rows should"),
    ("weights", weights(stable=False), "overflows"),
    ("weights", weights(diagonal=0), "sees its own place"),
    ("weights", weights(after=True), "after the softmax"),
    ("merged", merged(repair=False), "relative to its own top"),
    ("merged", merged(care=False), "take off 0"),
    ("merged", merged(turned=True), "exponent"),
    ("merged", merged(rows=False), "out is not"),
    ("visited", lambda q, k, size: -(-q // size) * -(-k // size), "all pairs"),
    ("visited", lambda q, k, size: (q // size) * (q // size - 1) // 2, "diagonal"),
    ("step", step(late=True), "sees itself"),
    ("step", step(in_order=False), "order of the tokens"),
    ("gradients", gradients(hides=False), "before its key"),
    ("gradients", gradients(scaled=False), "scaled once more"),
    ("gradients", gradients(d=False), "dv is right, dk is not"),
    ("gradients", gradients(adds=False), "+="),
]
