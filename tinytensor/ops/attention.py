"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import kernels
from ..dtypes import is_real_floating
from ..engine.core import Variable
from ..engine.operation import MANY
from ..errors import ShapeError
from ..kernels.reference.attention import Look
from ..random import draw_key, in_lanes
from . import reduction
from .annotations import ArrayLike, Tensor
from .arithmetic import multiply
from .batching import lanes_of, named, padded, rank, with_lanes
from .checks import floating, integer, number
from .declared import op
from .dropout import dropout, keyed_dropout, ones_of_lane
from .elementary import tanh
from .logic import equal, logical_and, logical_not, where
from .shape import broadcast_to, reshape
from .softmax import softmax

__all__ = [
    "scaled_dot_product_attention",
]

NAME = "scaled_dot_product_attention"
FAR = 1 << 28  # the largest offset and window


@op(residuals=("lse", "look"))
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
    bias: ArrayLike | None = None,
    alibi_slopes: ArrayLike | None = None,
    key_lengths: ArrayLike | None = None,
    *,
    window: int | tuple[int | None, int | None] | None = None,
    softcap: float | None = None,
    offset: int = 0,
) -> Tensor:
    """softmax(scale · query keyᵀ + mask) value, without ever holding the matrix of weights.

    query (…, L, E), key (…, S, E) and value (…, S, V) give (…, L, V); ``scale`` is 1/√E if None.
    The axes in front broadcast.
    ``attn_mask`` broadcasts to (…, L, S): a bool one is True where a query may look, another one is
    added. With ``is_causal`` query i looks at the keys up to i, too. A query that may look nowhere
    gets 0, and so do its gradients. ``dropout_p`` drops weights, by ``generator`` or
    ``tt.manual_seed``. With ``enable_gqa`` key and value may have fewer heads (axis -3), each of
    which serves as many neighbouring heads of the query. (Vaswani et al. 2017; Dao et al. 2022.)

    Beyond PyTorch, to be given by name:

    - ``bias``, floats that broadcast to (…, L, S), is added beside a mask.
    - ``window`` w: query i looks at keys less than w away; (l, r): from l keys before it to r
      behind it, None for all.
    - ``softcap`` c: scores s are softcap · tanh(s / c) before anything is added (Gemma Team 2024).
    - ``alibi_slopes``, one for each head: slope · |i - j| is taken off (Press et al. 2022).
    - ``key_lengths`` (batch,): only so many of the keys are there; without an axis of heads, one
      for each of the axes in front.
    - ``offset``: query i stands at i + offset among the keys; S - L aligns the last ones.

    Time and memory go to the pairs that are not hidden, in blocks: what a window, causality,
    lengths or a mask hide costs nothing. A gradient of mask or bias is summed over broadcast axes
    where it is made. A gradient of a gradient does make the matrix.

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
    q, k, v = _checked(q, k, v, enable_gqa, np.broadcast_to)
    how = {
        "scale": scale, "is_causal": is_causal, "window": window, "softcap": softcap,
        "alibi_slopes": alibi_slopes, "key_lengths": key_lengths, "offset": offset,
        "dropout_p": dropout_p, "generator": generator,
    }  # fmt: skip
    look = _look(q, k, how)
    mask, added = _masks(attn_mask, bias, q, k)
    out, lse = kernels.attention(_in_four(q), _in_four(k), _in_four(v), mask, added, look)
    return out.reshape(*q.shape[:-1], v.shape[-1]), lse, look


def _checked(q, k, v, enable_gqa, broadcast):
    """The three side by side, if they are query, key and value of one attention."""
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(
            f"{NAME}: query, key and value must have at least 2 axes, but are {q.shape}, {k.shape}"
            f" and {v.shape}"
        )
    q, k, v = _side_by_side(q, k, v, enable_gqa, broadcast)
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
    return q, k, v


def _look(q, k, how):
    """The arguments by name, checked, as kernels take them."""
    left, right = _window(how["window"], how["is_causal"])
    softcap, dropout_p = how["softcap"], number(NAME, "dropout_p", how["dropout_p"], 0, 1)
    return Look(
        _factor(q.shape, how["scale"]),
        left,
        right,
        _whole("offset", how["offset"], -FAR, FAR),
        0.0 if softcap is None else number(NAME, "softcap", softcap, 0),
        _lengths(how["key_lengths"], k),
        _slopes(how["alibi_slopes"], q),
        dropout_p,
        draw_key(how["generator"]) if dropout_p else None,
    )


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


def _masks(attn_mask, bias, q, k):
    """What hides and what is added, beside arrays in four axes."""
    mask, bias = (
        None if x is None else _mask(x, name, q, k)
        for x, name in ((attn_mask, "attn_mask"), (bias, "bias"))
    )
    if mask is not None and mask.dtype != np.bool_:
        mask, bias = None, mask if bias is None else mask + bias
    return mask, bias


def _mask(mask, name, q, k):
    mask = np.asarray(mask)
    _check_mask(mask, name, (*q.shape[:-1], k.shape[-2]))
    if mask.ndim < 4 or q.ndim == 4:
        return mask
    front = mask.shape[:-3] if math.prod(mask.shape[:-3]) == 1 else q.shape[:-3]
    return np.broadcast_to(mask, front + mask.shape[-3:]).reshape(-1, *mask.shape[-3:])


def _check_mask(mask, name, shape):
    """Refuse a mask that is none of scores of ``shape``."""
    if not is_real_floating(mask) and (mask.dtype != np.bool_ or name == "bias"):
        kinds = "floating point" if name == "bias" else "bool or floating point"
        raise TypeError(f"{NAME}: {name} must be {kinds}, but is {mask.dtype}")
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{NAME}: {name} is {mask.shape}, which does not broadcast to {shape}")


def _shape_of_added(attn_mask, bias, ndim):
    """The shape of what is added to scores of ``ndim`` axes."""
    shapes = [x.shape for x in (attn_mask, bias) if x is not None and x.dtype != bool]
    shape = np.broadcast_shapes(*shapes)
    return (*(1,) * (ndim - len(shape)), *shape)


def _window(window, is_causal):
    """How many keys before and behind itself a query sees, None for all."""
    left: int | None = None
    right: int | None = None
    if isinstance(window, tuple | list):
        if len(window) != 2:
            raise ValueError(f"{NAME}: window is a number or (left, right), not {window!r}")
        left, right = (None if side is None else _whole("window", side, 0, FAR) for side in window)
    elif window is not None:
        left = right = _whole("window", window, 1, FAR) - 1
    return left, 0 if is_causal else right


def _whole(name, x, least, most):
    return int(number(NAME, name, integer(NAME, name, x), least, most))


def _lengths(lengths, k):
    """The lengths as (batch, heads of keys)."""
    if lengths is None:
        return None
    lengths = np.asarray(lengths)
    front = k.shape[:-3] if k.ndim > 3 else k.shape[:-2]
    if not np.issubdtype(lengths.dtype, np.integer):
        raise TypeError(f"{NAME}: key_lengths must be whole numbers, but are {lengths.dtype}")
    if lengths.size and (lengths.min() < 0 or lengths.max() > k.shape[-2]):
        raise ValueError(f"{NAME}: key_lengths must lie in 0 … {k.shape[-2]}: {lengths.tolist()}")
    try:
        lengths = np.broadcast_to(lengths, front)
    except ValueError:
        raise ShapeError(
            f"{NAME}: key_lengths is {lengths.shape}, which does not broadcast to {front}"
        ) from None
    return lengths.reshape(-1, 1) if k.ndim > 3 else lengths.reshape(1, -1)


def _slopes(slopes, q):
    """The slopes as (batch, heads)."""
    if slopes is None:
        return None
    slopes = np.asarray(slopes)
    if not is_real_floating(slopes):
        raise TypeError(f"{NAME}: alibi_slopes must be floating point, but are {slopes.dtype}")
    try:
        slopes = np.broadcast_to(slopes, q.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"{NAME}: alibi_slopes is {slopes.shape}, which does not broadcast to {q.shape[:-2]}"
        ) from None
    return slopes.reshape(-1, q.shape[-3] if q.ndim > 2 else 1)


@op(outputs=MANY)
def attention_backward(g, query, key, value, attn_mask, bias, result, lse, look, of_bias):
    """The cotangents of query, key and value, and with ``of_bias`` of what was added to the scores;
    the weights are made again from ``lse``."""
    mask, added = _masks(attn_mask, bias, query, key)
    shape: Any = (*(1,) * (4 - added.ndim), *added.shape) if of_bias else None
    *found, dbias = kernels.attention_backward(
        _in_four(g), _in_four(query), _in_four(key), _in_four(value), mask, added,
        _in_four(result), lse, look, shape,
    )  # fmt: skip
    found = [dx.reshape(x.shape) for dx, x in zip(found, (query, key, value), strict=True)]
    if of_bias:
        front = (1,) * (query.ndim - 3) if shape[0] == 1 else query.shape[:-3]
        own = (*front, *shape[1:]) if query.ndim > 2 else shape[2:]
        target = _shape_of_added(attn_mask, bias, query.ndim)
        over = tuple(i for i, n in enumerate(target) if n == 1)
        found.append(dbias.reshape(own).sum(over, keepdims=True))
    return tuple(found)


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


def attention_with_weights(query, key, value, attn_mask, enable_gqa, bias, **how):
    """What :func:`scaled_dot_product_attention` gives of the same arguments, all of them by name,
    and the weights (…, L, S) behind dropout, which draws others than it. The row of a query that
    may look nowhere is 0."""
    query, key, value = _checked(query, key, value, enable_gqa, broadcast_to)
    dropout_p, generator = how.pop("dropout_p"), how.pop("generator")
    look = _look(query, key, {**how, "dropout_p": 0.0, "generator": None})
    for name, mask in (("attn_mask", attn_mask), ("bias", bias)):
        if mask is not None:
            _check_mask(mask, name, (*query.shape[:-1], key.shape[-2]))
    weights = dropout(_weights(query, key, attn_mask, bias, look), dropout_p, True, generator)
    return weights @ _for_each_head(value, query), weights


def _weights(query, key, mask, bias, look):
    """The weights before dropout."""
    logits = (query * look.scale) @ _for_each_head(key, query).mT
    if look.softcap:
        logits = tanh(logits / look.softcap) * look.softcap
    allowed: Any = _seen(look, query.shape, key.shape[-2])
    if look.slopes is not None:
        away = np.abs(look.distances(*logits.shape[-2:]))
        slopes = look.slopes.reshape(*query.shape[:-2], 1, 1)
        logits = logits - (slopes * away).astype(logits.dtype)
    for given in (mask, bias):
        if given is None:
            continue
        added: Any = given if isinstance(given, Variable) else np.asarray(given)
        looks = added
        if added.dtype != bool:
            hidden = equal(added, -math.inf)
            looks = logical_not(hidden)
            logits = logits + where(hidden, 0.0, added)
        if allowed is None:
            allowed = np.ones(logits.shape[-1:], bool)
        allowed = logical_and(allowed, looks)
    if allowed is None:
        return softmax(logits)
    blind = logical_not(reduction.any(allowed, -1, True))
    # Where all logits are −∞, softmax is NaN, and so is its gradient.
    weights = softmax(where(blind, 0.0, where(allowed, logits, -math.inf)))
    return where(blind, 0.0, weights)


def _seen(look, query, keys):
    """What ``look`` lets queries of this shape see, beside arrays with all their axes in front."""
    within = look._replace(lengths=None).seen(query[-2], keys)
    if look.lengths is None:
        return within
    heads = query[-3] if len(query) > 2 else 1
    lengths = look.lengths.repeat(heads // look.lengths.shape[1], axis=1)
    inside = np.arange(keys) < lengths.reshape(*query[:-2], 1, 1)
    return inside if within is None else inside & within


def _factor(query, scale):
    """``scale``, for a query of this shape."""
    return 1 / math.sqrt(max(query[-1], 1)) if scale is None else float(scale)


def _attention_backward(g, query, key, value, attn_mask, bias, result, lse, look, of_bias):
    weights = _weights(query, key, attn_mask, bias, look)
    dweights = g @ _for_each_head(value, query).mT
    dropped = weights
    if look.dropout_key is not None:
        dropped = keyed_dropout(weights, look.dropout_p, look.dropout_key)
        dweights = keyed_dropout(dweights, look.dropout_p, look.dropout_key)
    dscores = weights * (dweights - reduction.sum(weights * dweights, -1, keepdims=True))
    dlogits = dscores
    if look.softcap:
        capped = tanh((query * look.scale) @ _for_each_head(key, query).mT / look.softcap)
        dlogits = dscores * (1 - capped * capped)
    dlogits = dlogits * look.scale
    found = (
        dlogits @ _for_each_head(key, query),
        _over_shared_heads(dlogits.mT @ query, key),
        _over_shared_heads(dropped.mT @ g, value),
    )
    if not of_bias:
        return found
    shape = _shape_of_added(attn_mask, bias, query.ndim)
    over = tuple(i for i, n in enumerate(shape) if n == 1 and dscores.shape[i] != 1)
    return (*found, reduction.sum(dscores, over, keepdims=True) if over else dscores)


def _attention_rule(
    g, query, key, value, attn_mask, bias, out, lse, look, enable_gqa, needs
):  # fmt: skip
    query, key, value = _side_by_side(query, key, value, enable_gqa, broadcast_to)
    of_bias = needs[3] or needs[4]
    found = attention_backward(g, query, key, value, attn_mask, bias, out, lse, look, of_bias)
    added = found[3] if of_bias else None
    return (*found[:3], added if needs[3] else None, added if needs[4] else None)


attention_backward.defined_by(_attention_backward)
scaled_dot_product_attention.grad_all(
    ("query", "key", "value", "attn_mask", "bias"), _attention_rule
)


# --- Lanes of a vmap: one more of the axes in front --------------------------------------------


def _attention_lanes(op, args, mapped, static):
    *arrays, mask, dropout_p, _, _, enable_gqa, generator, bias, slopes, lengths = args
    ranks = {rank(x, o) for x, o in zip(arrays, mapped, strict=False)}
    lanes, ndim = lanes_of(args, mapped), max(ranks)
    masks = ((mask, mapped[3]), (bias, mapped[9]))
    if len(ranks) > 1 or ndim < 2 or any(x is not None and rank(x, o) > ndim for x, o in masks):
        return NotImplemented
    if lengths is not None and ndim == 3:  # of what is not to become the axis of heads
        return NotImplemented if enable_gqa else _with_heads(op, args, mapped, static)
    arrays = [with_lanes(x, o, lanes) for x, o in zip(arrays, mapped, strict=False)]
    mask, bias = (None if x is None else padded(x, o, ndim) for x, o in masks)
    slopes = slopes if slopes is None else padded(slopes, mapped[10], ndim - 2)
    lengths = lengths if lengths is None else padded(lengths, mapped[11], max(ndim - 3, 0))
    args = (*arrays, mask, *args[4:9], bias, slopes, lengths)
    *others, how = in_lanes.get() if dropout_p else ("error",)
    if not dropout_p or how == "error":
        return op(*args, **static)
    token = in_lanes.set(tuple(others))
    try:
        if how == "different":
            return op(*args, **static)
        query, shared, values = (multiply(x, 1) for x in arrays)  # tensors, where they were not
        kept = {**named(op, args), **static, "dropout_p": 0.0, "generator": None}
        weights = _weights(query, shared, mask, bias, _look(query, shared, kept))
        dropped = dropout(ones_of_lane(weights), dropout_p, True, generator)
        return (weights * dropped) @ _for_each_head(values, query)
    finally:
        in_lanes.reset(token)


def _with_heads(op, args, mapped, static):
    """The call of lanes with 3 axes each, with an axis of one head."""
    args = list(args)
    for at in (0, 1, 2, 3, 9):
        if args[at] is not None and rank(args[at], mapped[at]) == 3:
            *front, rows, columns = args[at].shape
            args[at] = args[at].reshape(*front, 1, rows, columns)
    if args[10] is not None and rank(args[10], mapped[10]) == 1:
        args[10] = args[10].reshape(*args[10].shape, 1)
    out = _attention_lanes(op, args, mapped, static)
    *front, _, rows, columns = out.shape
    return reshape(out, (*front, rows, columns))


def _attention_backward_lanes(op, args, mapped, static):
    """Of a pullback: only g has lanes, and lse is the forward's."""
    g, query, key, value, mask, bias, result, lse, look, of_bias = args
    if any(mapped[1:]) or look.dropout_key is not None or of_bias:
        return NotImplemented
    lanes = g.shape[0]
    arrays = [with_lanes(x, False, lanes) for x in (query, key, value)]
    batch, heads = lse.shape[1:3]
    front = (1, lanes) if g.ndim == 3 else (lanes * batch, heads)
    lse = np.broadcast_to(lse[:, None], (2, lanes, *lse.shape[1:]))
    lse = lse.reshape(2, *front, lse.shape[-1])
    of_lanes = {
        name: np.broadcast_to(x, (lanes, *x.shape)).reshape(front[0], -1)
        for name, x in (("lengths", look.lengths), ("slopes", look.slopes))
        if x is not None
    }
    look = look._replace(**of_lanes)
    return op(g, *arrays, mask, bias, with_lanes(result, False, lanes), lse, look, False)


scaled_dot_product_attention.batched(_attention_lanes)
attention_backward.batched(_attention_backward_lanes)
