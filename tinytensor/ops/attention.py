"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..dtypes import is_real_floating
from ..engine.core import Variable
from ..errors import ShapeError
from ..random import draw_key, in_lanes
from . import reduction
from .annotations import ArrayLike, Tensor
from .arithmetic import multiply
from .batching import lanes_of, padded, rank, with_lanes
from .checks import floating, number
from .declared import op
from .dropout import dropout, keyed_dropout, ones_of_lane
from .logic import equal, logical_and, logical_not, where
from .shape import broadcast_to, reshape
from .softmax import softmax

__all__ = [
    "scaled_dot_product_attention",
]

NAME = "scaled_dot_product_attention"


@op(residuals=("lse", "dropout_key", "factor"))
def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """softmax(scale · query keyᵀ + mask) value, without ever holding the matrix of weights.

    query (…, L, E), key (…, S, E) and value (…, S, V) give (…, L, V); ``scale`` is 1/√E if None.
    The axes in front broadcast.
    ``attn_mask`` broadcasts to (…, L, S): a bool one is True where a query may look, another one is
    added. With ``is_causal`` query i looks at the keys up to i, too. A query that may look nowhere
    gets 0, and so do its gradients. ``dropout_p`` drops weights, by ``generator`` or
    ``tt.manual_seed``. With ``enable_gqa`` key and value may have fewer heads (axis -3), each of
    which serves as many neighbouring heads of the query. (Vaswani et al. 2017; Dao et al. 2022.)

    A gradient of the mask, of dropped weights, and of a gradient, does make the matrix.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> tt.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.0)
    tensor([[1. , 0. ],
            [0.5, 0.5]])
    """
    q, k, v = (
        floating(NAME, "query", query),
        floating(NAME, "key", key),
        floating(NAME, "value", value),
    )
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(
            f"{NAME}: query, key and value must have at least 2 axes, but are {q.shape}, {k.shape}"
            f" and {v.shape}"
        )
    q, k, v = _side_by_side(q, k, v, enable_gqa, np.broadcast_to)
    if q.shape[-1] != k.shape[-1] or k.shape[:-1] != v.shape[:-1]:
        raise ShapeError(
            f"{NAME}: query is (…, L, E), key (…, S, E) and value (…, S, V), but they are"
            f" {q.shape}, {k.shape} and {v.shape}"
        )
    grouped = enable_gqa and q.ndim > 2 and k.shape[-3] and q.shape[-3] % k.shape[-3] == 0
    if q.shape[:-2] != k.shape[:-2] and not (grouped and q.shape[:-3] == k.shape[:-3]):
        raise ShapeError(
            f"{NAME}: query {q.shape} and key {k.shape} differ in their leading axes (enable_gqa is"
            f" {bool(enable_gqa)})"
        )
    dropout_p = number(NAME, "dropout_p", dropout_p, 0, 1)
    factor = _factor(q.shape, scale)
    dropout_key = draw_key(generator) if dropout_p else None
    out, lse = kernels.attention(
        _in_four(q), _in_four(k), _in_four(v), _mask(attn_mask, q, k),
        bool(is_causal), factor, dropout_p, dropout_key,
    )  # fmt: skip
    return out.reshape(*q.shape[:-1], v.shape[-1]), lse, dropout_key, factor


def _side_by_side(q, k, v, enable_gqa, broadcast):
    """The three with the same axes in front, where these broadcast; but for the heads of key and
    value with ``enable_gqa``."""
    if q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        return q, k, v
    own = 3 if enable_gqa and min(q.ndim, k.ndim, v.ndim) > 2 else 2  # axes that stay
    try:
        front = np.broadcast_shapes(*(x.shape[:-own] for x in (q, k, v)))
    except ValueError:
        return q, k, v  # which is refused
    return tuple(
        x if x.shape[:-own] == front else broadcast(x, (*front, *x.shape[-own:])) for x in (q, k, v)
    )


def _in_four(x):
    """The array as (batch, heads, rows, depth)."""
    if x.ndim == 4:
        return x
    return x.reshape(-1, *x.shape[-3:]) if x.ndim > 4 else x[(None,) * (4 - x.ndim)]


def _mask(mask, q, k):
    """The mask beside arrays in four axes."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    shape = (*q.shape[:-1], k.shape[-2])
    if mask.dtype != np.bool_ and not is_real_floating(mask):
        raise TypeError(f"{NAME}: attn_mask must be bool or floating point, but is {mask.dtype}")
    try:
        spread = np.broadcast_to(mask, shape)
    except ValueError:
        raise ShapeError(
            f"{NAME}: attn_mask is {mask.shape}, which does not broadcast to {shape}"
        ) from None
    return _in_four(spread) if q.ndim > 4 else mask


@op(outputs=3)
def attention_backward(
    g, query, key, value, mask, result, lse, is_causal, scale, dropout_p, dropout_key
):
    """The cotangents of query, key and value; the weights are made again from ``lse``."""
    found = kernels.attention_backward(
        _in_four(g), _in_four(query), _in_four(key), _in_four(value), _mask(mask, query, key),
        _in_four(result), lse, is_causal, scale, dropout_p, dropout_key,
    )  # fmt: skip
    return tuple(dx.reshape(x.shape) for dx, x in zip(found, (query, key, value), strict=True))


# --- In plain operations: for the mask's gradient and for higher derivatives -----------------


def _for_each_head(x, query):
    """Key or value with each head repeated for the heads of the query that share it."""
    if x.ndim < 3 or x.shape[-3] == query.shape[-3]:
        return x
    *lead, heads, rows, depth = x.shape
    group = query.shape[-3] // heads
    shared = reshape(x, (*lead, heads, 1, rows, depth)) * np.ones((group, 1, 1), x.dtype)
    return reshape(shared, (*lead, heads * group, rows, depth))


def _over_shared_heads(dx, x):
    """The sum over the heads of the query that share a head of key or value."""
    if dx.shape == x.shape:
        return dx
    return reduction.sum(reshape(dx, (*x.shape[:-2], -1, *x.shape[-2:])), -3)


def attention_weights(query, key, mask=None, is_causal=False, scale=None):
    """softmax(scale · query keyᵀ + mask) (…, L, S), with the arguments of
    :func:`scaled_dot_product_attention`. The row of a query that may look nowhere is 0."""
    factor = _factor(query.shape, scale)
    logits = (query * factor) @ _for_each_head(key, query).mT
    allowed: Any = np.tri(*logits.shape[-2:], dtype=np.bool_) if is_causal else None
    if mask is not None:
        mask = mask if isinstance(mask, Variable) else np.asarray(mask)
        looks = mask
        if mask.dtype != bool:
            hidden = equal(mask, -math.inf)
            looks = logical_not(hidden)
            logits = logits + where(hidden, 0.0, mask)
        if allowed is None:
            allowed = np.ones(logits.shape[-1:], bool)
        allowed = logical_and(allowed, looks)
    if allowed is None:
        return softmax(logits)
    blind = logical_not(reduction.any(allowed, -1, True))
    # Where all logits are −∞, softmax is NaN, and so is its gradient.
    weights = softmax(where(blind, 0.0, where(allowed, logits, -math.inf)))
    return where(blind, 0.0, weights)


def _factor(query, scale):
    """``scale``, for a query of this shape."""
    return 1 / math.sqrt(max(query[-1], 1)) if scale is None else float(scale)


def _scores_backward(g, query, key, value, mask, is_causal, scale, dropout_p, dropout_key):
    """The weights after dropout, and the cotangent of the scores before their softmax."""
    weights = attention_weights(query, key, mask, is_causal, scale)
    dweights = g @ _for_each_head(value, query).mT
    dropped = weights
    if dropout_key is not None:
        dropped = keyed_dropout(weights, dropout_p, dropout_key)
        dweights = keyed_dropout(dweights, dropout_p, dropout_key)
    row_sums = reduction.sum(weights * dweights, -1, keepdims=True)
    return dropped, weights * (dweights - row_sums)


def _attention_backward(
    g, query, key, value, mask, result, lse, is_causal, scale, dropout_p, dropout_key
):
    weights, dscores = _scores_backward(
        g, query, key, value, mask, is_causal, scale, dropout_p, dropout_key
    )
    dscores = dscores * scale
    return (
        dscores @ _for_each_head(key, query),
        _over_shared_heads(dscores.mT @ query, key),
        _over_shared_heads(weights.mT @ g, value),
    )


def _attention_rule(
    g,
    query,
    key,
    value,
    attn_mask,
    out,
    lse,
    is_causal,
    factor,
    dropout_p,
    dropout_key,
    enable_gqa,
    needs,
):
    query, key, value = _side_by_side(query, key, value, enable_gqa, broadcast_to)
    how = (bool(is_causal), factor, dropout_p, dropout_key)
    dmask = None
    if needs[3]:
        dmask = _scores_backward(g, query, key, value, attn_mask, *how)[1]
    found: tuple[Any, ...] = (None, None, None)
    if any(needs[:3]):
        found = attention_backward(g, query, key, value, attn_mask, out, lse, *how)
    return (*found, dmask)


attention_backward.defined_by(_attention_backward)
scaled_dot_product_attention.grad_all(("query", "key", "value", "attn_mask"), _attention_rule)


# --- Lanes of a vmap: one more of the axes in front --------------------------------------------


def _attention_lanes(op, args, mapped, static):
    *arrays, mask, dropout_p, is_causal, scale, _enable_gqa, generator = args
    lanes, ranks = (
        lanes_of(args, mapped),
        {rank(x, o) for x, o in zip(arrays, mapped, strict=False)},
    )
    ndim = max(ranks)
    if len(ranks) > 1 or ndim < 2 or (mask is not None and rank(mask, mapped[3]) > ndim):
        return NotImplemented
    arrays = [with_lanes(x, o, lanes) for x, o in zip(arrays, mapped, strict=False)]
    mask = None if mask is None else padded(mask, mapped[3], ndim)
    *others, how = in_lanes.get() if dropout_p else ("error",)
    if not dropout_p or how == "error":
        return op(*arrays, mask, *args[4:])
    token = in_lanes.set(tuple(others))
    try:
        if how == "different":
            return op(*arrays, mask, *args[4:])
        query, shared, values = (multiply(x, 1) for x in arrays)  # tensors, where they were not
        weights = attention_weights(query, shared, mask, is_causal, scale)
        kept = dropout(ones_of_lane(weights), dropout_p, True, generator)
        return (weights * kept) @ _for_each_head(values, query)
    finally:
        in_lanes.reset(token)


def _attention_backward_lanes(op, args, mapped, static):
    """Of a pullback: only g has lanes, and lse is the forward's."""
    g, query, key, value, mask, result, lse, *how, dropout_key = args
    if any(mapped[1:]) or dropout_key is not None:
        return NotImplemented
    lanes = g.shape[0]
    arrays = [with_lanes(x, False, lanes) for x in (query, key, value)]
    batch, heads = lse.shape[1:3]
    front = (1, lanes) if g.ndim == 3 else (lanes * batch, heads)
    lse = np.broadcast_to(lse[:, None], (2, lanes, *lse.shape[1:]))
    lse = lse.reshape(2, *front, lse.shape[-1])
    return op(g, *arrays, mask, with_lanes(result, False, lanes), lse, *how, None)


scaled_dot_product_attention.batched(_attention_lanes)
attention_backward.batched(_attention_backward_lanes)
