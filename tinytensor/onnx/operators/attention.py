"""Attention, positions by rotation, caches, and linear attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ops
from ...dtypes import is_narrow
from ..registry import operator
from ..values import array, dtype_of_code

__all__: list[str] = []


def _in_heads(x: Any, heads: int | None, what: str) -> Any:
    """(B, T, heads · size) as (B, heads, T, size)."""
    if x.ndim == 4:
        return x
    if not heads or x.shape[-1] % heads:
        raise ValueError(f"{what}: {x.shape} is not of {heads} heads")
    batch, steps, size = x.shape
    return ops.swapaxes(ops.reshape(x, (batch, steps, heads, size // heads)), 1, 2)


def _flat(x: Any) -> Any:
    batch, heads, steps, size = x.shape
    return ops.reshape(ops.swapaxes(x, 1, 2), (batch, steps, heads * size))


def _hidden(
    queries: int, keys: int, offset: Any, causal: bool, left: int, right: int, lengths: Any
) -> np.ndarray | None:
    """Which keys the places of queries hide, (…, queries, keys); None if none are."""
    if not causal and left < 0 and right < 0 and lengths is None:
        return None
    key = np.arange(keys)
    place = np.arange(queries)[:, np.newaxis] + np.asarray(offset).reshape(-1, 1, 1, 1)
    hidden = np.zeros((*place.shape[:-1], keys), bool)
    if causal:
        hidden |= key > place
    if left >= 0:
        hidden |= key < place - left
    if right >= 0:
        hidden |= key > place + right
    if lengths is not None:
        hidden |= key >= lengths.reshape(-1, 1, 1, 1)
    return hidden


@operator("Attention", since=23)
def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    past_key: Any = None,
    past_value: Any = None,
    lengths: Any = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
    left_window_size: int = -1,
    right_window_size: int = -1,
    node: Any,
) -> tuple[Any, ...]:
    flat = q.ndim == 3
    q = _in_heads(q, q_num_heads, "Attention: Q")
    k, v = (_in_heads(x, kv_num_heads, "Attention: K and V") for x in (k, v))
    past = 0
    if past_key is not None and past_value is not None:
        past = past_key.shape[2]
        k, v = ops.concat([past_key, k], 2), ops.concat([past_value, v], 2)
    queries, keys = q.shape[2], k.shape[2]
    if mask is not None and mask.shape[-1] < keys:  # a shorter one hides what is behind it
        none = False if mask.dtype == bool else -np.inf
        widths = (*((0, 0),) * (mask.ndim - 1), (0, keys - mask.shape[-1]))
        mask = ops.pad(mask, widths, constant_values=none)
    ends = None if lengths is None else array(lengths)
    offset: Any = past if ends is None or past else ends - queries
    wants_scores = len(node.outputs) > 3 and bool(node.outputs[3])
    if not wants_scores and np.ndim(offset) == 0 and softmax_precision in (None, 1):
        left, right = (None if n < 0 else n for n in (left_window_size, right_window_size))
        y = ops.scaled_dot_product_attention(
            q,
            k,
            v,
            mask,
            is_causal=bool(is_causal),
            scale=scale,
            enable_gqa=True,
            window=None if left is None and right is None else (left, right),
            softcap=softcap or None,
            offset=offset,
        )
        return (_flat(y) if flat else y), k, v, None
    dtype = q.dtype
    groups = q.shape[1] // k.shape[1]
    keys_of, values_of = (x if groups == 1 else ops.repeat(x, groups, 1) for x in (k, v))
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = ops.matmul(q, ops.swapaxes(keys_of, -1, -2)) * scale
    shown = [scores]
    if softcap:
        scores = softcap * ops.tanh(scores / softcap)
    shown.append(scores)
    if mask is not None:
        scores = ops.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    hidden = _hidden(
        queries, keys, offset, bool(is_causal), left_window_size, right_window_size, ends
    )
    if hidden is not None:
        scores = ops.where(hidden, np.asarray(-np.inf, scores.dtype), scores)
    shown.append(scores)
    wide = (
        scores
        if softmax_precision is None
        else ops.astype(scores, dtype_of_code(softmax_precision))
    )
    nothing = (array(wide) == -np.inf).all(-1, keepdims=True)
    if nothing.any():  # a query that may look nowhere gives 0
        wide = ops.softmax(ops.where(nothing, np.asarray(0, wide.dtype), wide), -1)
        wide = ops.where(nothing, np.asarray(0, wide.dtype), wide)
    else:
        wide = ops.softmax(wide, -1)
    weights = ops.astype(wide, dtype)
    shown.append(weights)
    y = ops.matmul(weights, values_of)
    return (_flat(y) if flat else y), k, v, shown[qk_matmul_output_mode]


@operator("RotaryEmbedding", since=23, settings=(1, 2))
def rotary_embedding(
    x: Any,
    cosines: Any,
    sines: Any,
    positions: Any = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Any:
    flat = x.ndim == 3
    heads = _in_heads(x, num_heads, "RotaryEmbedding: X")
    size = rotary_embedding_dim or heads.shape[-1]
    if positions is not None:
        cosines, sines = (ops.take(c, array(positions), 0) for c in (cosines, sines))
    cosines, sines = (ops.expand_dims(c, 1) for c in (cosines, sines))
    if cosines.shape[-1] != size // 2:
        raise ValueError(
            f"RotaryEmbedding: {size} elements need {size // 2} cosines, not {cosines.shape[-1]}"
        )
    turned, rest = heads[..., :size], heads[..., size:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., : size // 2], turned[..., size // 2 :]
    parts = [cosines * a - sines * b, sines * a + cosines * b]
    turned = (
        ops.reshape(ops.stack(parts, -1), turned.shape) if interleaved else (ops.concat(parts, -1))
    )
    y = ops.concat([turned, rest], -1) if rest.shape[-1] else turned
    return _flat(y) if flat else y


@operator("CausalConvWithState", since=27)
def causal_conv(
    x: Any, weight: Any, bias: Any = None, past: Any = None, *, activation: str = "none"
) -> tuple[Any, Any]:
    before = weight.shape[-1] - 1
    if past is None:
        past = np.zeros((*x.shape[:2], before), x.dtype)
    whole = ops.concat([past, x], -1)
    y = ops.conv1d(whole, weight, bias, groups=x.shape[1])
    if activation in ("silu", "swish"):
        y = ops.silu(y)
    elif activation != "none":
        raise ValueError(f"CausalConvWithState: activation is silu or none, not {activation!r}")
    return y, whole[..., whole.shape[-1] - before :]


@operator("LinearAttention", since=27)
def linear_attention(
    q: Any,
    k: Any,
    v: Any,
    state: Any = None,
    decay: Any = None,
    beta: Any = None,
    *,
    q_num_heads: int,
    kv_num_heads: int,
    chunk_size: int = 64,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
) -> tuple[Any, Any]:
    rules = ("linear", "gated", "delta", "gated_delta")
    if update_rule not in rules:
        raise ValueError(f"LinearAttention: update_rule is one of {rules}, not {update_rule!r}")
    gated, delta = "gated" in update_rule, "delta" in update_rule
    for needed, what, given in ((gated, "decay", decay), (delta, "beta", beta)):
        if needed and given is None:
            raise ValueError(f"LinearAttention: {update_rule!r} needs {what}")
    dtype = q.dtype
    if is_narrow(dtype):  # sums over steps are kept in float32
        given = (q, k, v, state, decay, beta)
        q, k, v, state, decay, beta = (x if x is None else ops.astype(x, np.float32) for x in given)
    q = _in_heads(q, q_num_heads, "LinearAttention: query")
    k, v = (_in_heads(x, kv_num_heads, "LinearAttention: key and value") for x in (k, v))
    batch, _, steps, size = q.shape
    groups = q_num_heads // kv_num_heads
    if state is None:
        state = np.zeros((batch, kv_num_heads, size, v.shape[-1]), q.dtype)
    q = q * (scale or 1 / math.sqrt(size))
    out = []
    for t in range(steps):
        key, worth = k[:, :, t, :, np.newaxis], v[:, :, t, np.newaxis]  # (B, H, K, 1), (B, H, 1, V)
        if gated:
            share = ops.exp(decay[:, t])  # (B, H · K) or (B, H)
            state = state * ops.reshape(share, (batch, kv_num_heads, -1, 1))
        if delta:
            worth = worth - ops.matmul(ops.swapaxes(key, -1, -2), state)
            worth = worth * ops.reshape(beta[:, t], (batch, -1, 1, 1))
        state = state + key * worth
        asked = ops.reshape(q[:, :, t], (batch, kv_num_heads, groups, size))
        out.append(ops.reshape(ops.matmul(asked, state), (batch, q_num_heads, -1)))
    y = ops.stack(out, 2) if out else np.zeros((batch, q_num_heads, 0, v.shape[-1]), dtype)
    return ops.astype(_flat(y), dtype), ops.astype(state, dtype)
