"""Attention."""

import numpy as np

from .checks import of_real_numbers
from .dropout import dropout

__all__ = ["attention", "attention_backward", "cached_attention", "check_cached_attention"]


def _attention_logits(q, k, mask, is_causal, scale):
    """``scale * q @ k.mT`` with -inf where a query may not look; heads of k repeated as q has."""
    s = (q * q.dtype.type(scale)) @ _repeat_heads(k, q).mT
    if mask is not None:
        s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
    if is_causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=np.bool_), s, -np.inf)
    return s.astype(q.dtype, copy=False)


def _repeat_heads(k, q):
    return k if k.shape[-3] == q.shape[-3] else k.repeat(q.shape[-3] // k.shape[-3], axis=-3)


def _sum_heads(dk, k):
    """Undo ``_repeat_heads``: sum over the query heads that share a head of k."""
    if dk.shape == k.shape:
        return dk
    return dk.reshape(*k.shape[:-2], -1, *dk.shape[-2:]).sum(axis=-3)


@of_real_numbers
def attention(q, k, v, mask, is_causal, scale, dropout_p, dropout_key):
    """``softmax(scale * q @ k.mT + mask) @ v``, and of each row what backward needs, as in
    ``logsumexp``: the largest score and Σ exp(score − largest), or 0 and 0 if all is masked.

    q is (batch, heads, queries, depth), k and v (batch, shared heads, keys, depth); a bool mask
    says where to look, another one is added. Rows that may look nowhere are 0. Unless its key is
    None, dropout is applied to the weights.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        s = _attention_logits(q, k, mask, is_causal, scale)
        top = s.max(axis=-1, keepdims=True, initial=-np.inf)
        top = np.where(np.isneginf(top), q.dtype.type(0), top)
        p = np.exp(s - top)
        total = p.sum(axis=-1, keepdims=True)
        p /= np.where(total == 0, q.dtype.type(1), total)
        if dropout_key is not None:
            p = dropout(p, dropout_p, dropout_key)
        return p @ _repeat_heads(v, q), np.stack([top[..., 0], total[..., 0]])


def attention_backward(g, q, k, v, mask, out, lse, is_causal, scale, dropout_p, dropout_key):
    """The cotangents of q, k and v."""
    with np.errstate(invalid="ignore"):
        top, total = lse[..., None]
        p = np.exp(_attention_logits(q, k, mask, is_causal, scale) - top)
        p /= np.where(total == 0, q.dtype.type(1), total)
        dp = g @ _repeat_heads(v, q).mT
        dropped = p
        if dropout_key is not None:
            dropped, dp = (dropout(x, dropout_p, dropout_key) for x in (p, dp))
        ds = p * (dp - (g * out).sum(axis=-1, keepdims=True)) * q.dtype.type(scale)
        return ds @ _repeat_heads(k, q), _sum_heads(ds.mT @ q, k), _sum_heads(dropped.mT @ g, v)


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
