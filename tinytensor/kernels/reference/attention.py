"""Attention."""

from typing import Any, NamedTuple

import numpy as np

from .checks import of_real_numbers
from .dropout import dropout

__all__ = ["attention", "attention_backward", "cached_attention"]


class Look(NamedTuple):
    """How a query looks at keys.

    Query i stands among the keys at ``offset + i`` (a number, or one for each row of the batch); it
    sees those from ``left`` before it to ``right`` behind it (None: all), and of these the first
    ``lengths`` (batch, shared heads). Scores s are capped to ``softcap · tanh(s / softcap)`` unless
    that is 0; ``slopes`` (batch, heads) times the distance is taken off.
    """

    scale: float
    left: int | None = None
    right: int | None = None
    offset: Any = 0
    softcap: float = 0.0
    lengths: np.ndarray | None = None
    slopes: np.ndarray | None = None
    dropout_p: float = 0.0
    dropout_key: int | None = None

    def distances(self, queries, keys):
        """From each query to each key: (L, S), or (batch, 1, L, S) with offsets of rows."""
        offset = np.asarray(self.offset)
        if offset.ndim:
            offset = offset[:, None, None, None]
        return np.arange(keys) - np.arange(queries)[:, None] - offset

    def seen(self, queries, keys):
        """Which keys a query sees, or None for all."""
        seen = None
        if self.left is not None or self.right is not None:
            away = self.distances(queries, keys)
            seen = np.ones((), bool)
            if self.left is not None:
                seen = away >= -self.left
            if self.right is not None:
                seen = seen & (away <= self.right)
        if self.lengths is not None:
            inside = np.arange(keys) < self.lengths[..., None, None]
            seen = inside if seen is None else seen & inside
        return seen


def _attention_scores(q, k, mask, bias, look):
    """The scores before the softmax, with -inf where a query may not look; heads of k repeated as
    q has. Of a cap, what it multiplies gradients by, too."""
    s = (q * q.dtype.type(look.scale)) @ _repeat_heads(k, q).mT
    slope = None
    if look.softcap:
        t = np.tanh(s / q.dtype.type(look.softcap))
        s, slope = q.dtype.type(look.softcap) * t, 1 - t * t
    if look.slopes is not None:
        away = np.abs(look.distances(*s.shape[-2:]))
        s = s - (look.slopes[..., None, None] * away).astype(s.dtype)
    if bias is not None:
        s = s + bias
    if mask is not None:
        s = np.where(mask, s, -np.inf)
    seen = look.seen(*s.shape[-2:])
    if seen is not None:
        if look.lengths is not None and seen.shape[1] != 1:
            seen = seen.repeat(q.shape[1] // seen.shape[1], axis=1)
        s = np.where(seen, s, -np.inf)
    return s.astype(q.dtype, copy=False), slope


def _repeat_heads(k, q):
    return k if k.shape[-3] == q.shape[-3] else k.repeat(q.shape[-3] // k.shape[-3], axis=-3)


def _sum_heads(dk, k):
    """Undo ``_repeat_heads``: sum over the query heads that share a head of k."""
    if dk.shape == k.shape:
        return dk
    return dk.reshape(*k.shape[:-2], -1, *dk.shape[-2:]).sum(axis=-3)


@of_real_numbers
def attention(q, k, v, mask, bias, look):
    """``softmax(scale * q @ k.mT + bias) @ v`` over what ``look`` and the mask of bools let a query
    see, and of each row what backward needs, as in ``logsumexp``: the largest score and
    Σ exp(score − largest), or 0 and 0 if all is masked.

    q is (batch, heads, queries, depth), k and v (batch, shared heads, keys, depth). Rows that may
    look nowhere are 0. Unless its key is None, dropout is applied to the weights.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        s, _ = _attention_scores(q, k, mask, bias, look)
        top = s.max(axis=-1, keepdims=True, initial=-np.inf)
        top = np.where(np.isneginf(top), q.dtype.type(0), top)
        p = np.exp(s - top)
        total = p.sum(axis=-1, keepdims=True)
        p /= np.where(total == 0, q.dtype.type(1), total)
        if look.dropout_key is not None:
            p = dropout(p, look.dropout_p, look.dropout_key)
        return p @ _repeat_heads(v, q), np.stack([top[..., 0], total[..., 0]])


def attention_backward(g, q, k, v, mask, bias, out, lse, look, bias_shape=None):
    """The cotangents of q, k and v, and None; or, summed to ``bias_shape`` of 4 axes, the
    bias's."""
    with np.errstate(invalid="ignore"):
        top, total = lse[..., None]
        s, slope = _attention_scores(q, k, mask, bias, look)
        p = np.exp(s - top)
        p /= np.where(total == 0, q.dtype.type(1), total)
        dp = g @ _repeat_heads(v, q).mT
        dropped = p
        if look.dropout_key is not None:
            dropped, dp = (dropout(x, look.dropout_p, look.dropout_key) for x in (p, dp))
        ds = p * (dp - (g * out).sum(axis=-1, keepdims=True))
        dbias = None
        if bias_shape is not None:
            over = tuple(i for i, n in enumerate(bias_shape) if n == 1)
            dbias = ds.sum(axis=over, keepdims=True)
        if slope is not None:
            ds = ds * slope
        ds = ds * q.dtype.type(look.scale)
        return (
            ds @ _repeat_heads(k, q),
            _sum_heads(ds.mT @ q, k),
            _sum_heads(dropped.mT @ g, v),
            dbias,
        )


def check_cached_attention(q, keys, starts, bias):
    """Refuse what would be read beyond the keys, or beyond the bias."""
    batch, queries, capacity = q.shape[0], q.shape[2], keys.shape[2]
    if starts.shape != (batch,) or (
        batch and (starts.min() < 0 or starts.max() + queries > capacity)
    ):
        raise ValueError(
            f"cached_attention: starts {starts.tolist()} and {queries} queries do not fit {batch}"
            f" rows of {capacity} keys"
        )
    needed = starts.max(initial=0) + queries
    if bias is not None and bias.ndim and 1 < bias.shape[-1] < needed:
        raise ValueError(f"cached_attention: bias {bias.shape} is for less than {needed} keys")


@of_real_numbers
def cached_attention(q, keys, values, starts, scale, window=None, softcap=None, bias=None):
    """Attention of the queries q (batch, heads, T, depth) over what a cache holds: keys and values
    (batch, shared heads, capacity, depth).

    Query t of row b stands at ``starts[b] + t``: it sees the keys up to itself, with a window only
    the last ``window`` of them. The scores are ``scale · q · k``, capped to
    ``softcap · tanh(s / softcap)``, plus the bias, which broadcasts to (batch, heads, T, S): S is
    the capacity, or less where no query sees beyond. What stands behind the last query matters
    nothing.
    """
    check_cached_attention(q, keys, starts, bias)
    queries = q.shape[2]
    size = int(starts.max(initial=0)) + queries
    keys, values = keys[:, :, :size], values[:, :, :size]
    places = np.arange(size)
    last = starts[:, None] + np.arange(queries)
    seen = places <= last[..., None]
    if window:
        seen &= places > last[..., None] - window
    seen = seen[:, None]
    values = np.where(places[:, None] < starts[:, None, None, None] + queries, values, 0)
    with np.errstate(invalid="ignore"):
        s = (q * q.dtype.type(scale)) @ _repeat_heads(keys, q).mT
        if softcap:
            s = softcap * np.tanh(s / softcap)
        if bias is not None:
            s = s + (bias if not bias.ndim or bias.shape[-1] == 1 else bias[..., :size])
        s = np.where(seen, s, -np.inf)
        p = np.exp(s - np.maximum(s.max(axis=-1, keepdims=True), np.finfo(q.dtype).min))
        total = p.sum(axis=-1, keepdims=True)
        p /= np.where(total == 0, 1, total)
    return (p @ _repeat_heads(values, q)).astype(q.dtype, copy=False)
