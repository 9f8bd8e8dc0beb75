"""Attention of several heads: what MultiheadAttention and its functions compute."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np

from .. import ops
from ..dtypes import is_real_floating
from ..errors import DtypeError, ShapeError
from ..ops.annotations import ArrayLike
from ..ops.attention import attention_with_weights
from ..tensors.tensor import Tensor

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

Inputs = tuple[Tensor, Tensor, Tensor]  # query, key and value
Weights = tuple[Any, Any, Any]  # of their projections, or one for all three
Window = int | tuple[int | None, int | None] | None


@overload
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False, generator: np.random.Generator | None = None,
    bias: ArrayLike | None = None, alibi_slopes: ArrayLike | None = None,
    key_lengths: ArrayLike | None = None, *, window: Window = None, softcap: float | None = None,
    offset: int = 0, need_weights: Literal[False] = False,
) -> Tensor: ...  # fmt: skip


@overload
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False, generator: np.random.Generator | None = None,
    bias: ArrayLike | None = None, alibi_slopes: ArrayLike | None = None,
    key_lengths: ArrayLike | None = None, *, window: Window = None, softcap: float | None = None,
    offset: int = 0, need_weights: Literal[True],
) -> tuple[Tensor, Tensor]: ...  # fmt: skip


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False, generator: np.random.Generator | None = None,
    bias: ArrayLike | None = None, alibi_slopes: ArrayLike | None = None,
    key_lengths: ArrayLike | None = None, *, window: Window = None, softcap: float | None = None,
    offset: int = 0, need_weights: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """:func:`tinytensor.scaled_dot_product_attention`; with ``need_weights`` a pair of its output
    and the weights (…, L, S) of each head, behind dropout.

    The weights are then an array, in the pass forward and for the gradients, of which both have
    their share. Dropout draws others than it does without weights.

    >>> import tinytensor as tt
    >>> x = tt.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> attention = tt.nn.functional.scaled_dot_product_attention
    >>> attention(x, x, x, is_causal=True, scale=0.0, need_weights=True)[1]
    tensor([[1. , 0. ],
            [0.5, 0.5]])
    """
    if not need_weights:
        return ops.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, generator, bias,
            alibi_slopes, key_lengths, window=window, softcap=softcap, offset=offset,
        )  # fmt: skip
    return attention_with_weights(
        query, key, value, attn_mask, enable_gqa, bias, dropout_p=dropout_p, is_causal=is_causal,
        scale=scale, generator=generator, alibi_slopes=alibi_slopes, key_lengths=key_lengths,
        window=window, softcap=softcap, offset=offset,
    )  # fmt: skip


def check_inputs(name: str, inputs: Inputs, sizes: tuple[int, ...], batch: int) -> None:
    """Refuse what is not (L, B, E), (S, B, kdim), (S, B, vdim), or all without B, which is axis
    ``batch``."""
    query, key, value = inputs
    shapes = tuple(x.shape for x in inputs)
    fits = (
        query.ndim in (2, 3)
        and query.ndim == key.ndim == value.ndim
        and tuple(shape[-1] for shape in shapes) == sizes
        and key.shape[:-1] == value.shape[:-1]
        and (query.ndim == 2 or query.shape[batch] == key.shape[batch])
    )
    if not fits:
        layout = "(L, B, E), (S, B, kdim), (S, B, vdim)"
        if batch == 0:
            layout = "(B, L, E), (B, S, kdim), (B, S, vdim)"
        raise ShapeError(
            f"{name}: needs query, key and value {layout}, or all without B, with"
            f" sizes {sizes}: they are {shapes[0]}, {shapes[1]}, {shapes[2]}"
        )


def attend(
    name: str,
    inputs: Inputs,
    weights: Weights,
    in_bias: Tensor | None,
    out: tuple[Tensor, Tensor | None],
    heads: int,
    *,
    attn_mask: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    bias_kv: tuple[Tensor | None, Tensor | None] = (None, None),
    static_kv: tuple[Tensor | None, Tensor | None] = (None, None),
    add_zero_attn: bool = False,
    dropout: float = 0.0,
    need_weights: bool = True,
    average_weights: bool = True,
    is_causal: bool = False,
    batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """The output in the layout of the query, and the weights (B, L, S) or (B, heads, L, S).

    Keys and values made of nothing, those of ``bias_kv`` and zeros, stand behind the others: every
    query may look at them, whatever the masks hide.
    """
    query, key, value = inputs
    batched = query.ndim == 3
    same = query is key is value
    if not batched:
        query, key, value = (ops.expand_dims(x, 0) for x in inputs)
    elif not batch_first:
        query, key, value = (ops.swapaxes(x, 0, 1) for x in inputs)
    q, k, v = _projected((query, key, value), weights, in_bias, same)
    if bias_kv[0] is not None:
        shape = (len(k), 1, k.shape[-1])
        k, v = (
            ops.concat([x, ops.broadcast_to(row, shape)], 1)
            for x, row in zip((k, v), bias_kv, strict=True)
        )
    q, k, v = (_heads(x, heads) for x in (q, k, v))
    k, v = (
        x if given is None else ops.reshape(given, (len(q), heads, -1, given.shape[-1]))
        for x, given in zip((k, v), static_kv, strict=True)
    )
    if add_zero_attn:
        nothing = np.zeros((*k.shape[:2], 1, k.shape[-1]), k.dtype)
        k, v = (ops.concat([x, nothing], 2) for x in (k, v))
    added = (bias_kv[0] is not None) + add_zero_attn
    mask = mask_of(name, attn_mask, key_padding_mask, q.shape, k.shape[2] - added)
    if added:
        mask = _of_more_keys(mask, added, q.shape, k.shape[2], is_causal)
        is_causal = False
    found = None
    how = (mask, dropout, is_causal)
    if need_weights:
        output, found = scaled_dot_product_attention(q, k, v, *how, need_weights=True)
        if average_weights:
            found = ops.mean(found, 1)
        if not batched:
            found = ops.squeeze(found, 0)
    else:
        output = ops.scaled_dot_product_attention(q, k, v, *how)
    batch, _, length, _ = q.shape
    output = ops.reshape(ops.swapaxes(output, 1, 2), (batch, length, heads * v.shape[-1]))
    output = ops.linear(output, *out)
    if not batched:
        output = ops.squeeze(output, 0)
    elif not batch_first:
        output = ops.swapaxes(output, 0, 1)
    return output, found


def _projected(
    inputs: Inputs, weights: Weights, bias: Tensor | None, same: bool
) -> tuple[Tensor, ...]:
    """q, k and v of all heads, each (B, L or S, E), by as few products as there are inputs."""
    if not isinstance(weights, tuple):
        if same:
            return ops.split(ops.linear(inputs[0], weights, bias), 3, -1)
        weights = ops.split(weights, 3)
    biases: tuple[Tensor | None, ...] = (None, None, None)
    if bias is not None:
        biases = ops.split(bias, 3)
    return tuple(ops.linear(*args) for args in zip(inputs, weights, biases, strict=True))


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, L, E) as (B, heads, L, head_dim)."""
    batch, length, size = x.shape
    return ops.swapaxes(ops.reshape(x, (batch, length, heads, size // heads)), 1, 2)


def mask_of(
    name: str,
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    q_shape: tuple[int, ...],
    keys: int,
) -> Tensor | None:
    """Both masks as one that fits (B, heads, L, S), True meaning "look"."""
    batch, heads, queries, _ = q_shape
    masks = []
    for which, mask in (("attn_mask", attn_mask), ("key_padding_mask", key_padding_mask)):
        if mask is not None and not (mask.dtype == np.bool_ or is_real_floating(mask)):
            raise DtypeError(f"{name}: {which} is of bools or floats, not {mask.dtype}")
    if attn_mask is not None:
        if attn_mask.shape not in ((queries, keys), (batch * heads, queries, keys)):
            raise ShapeError(
                f"{name}: attn_mask must be {(queries, keys)} or"
                f" {(batch * heads, queries, keys)}: it is {attn_mask.shape}"
            )
        if attn_mask.ndim == 3:
            attn_mask = ops.reshape(attn_mask, (batch, heads, queries, keys))
        masks.append(attn_mask)
    if key_padding_mask is not None:
        unbatched = [(keys,)] if batch == 1 else []
        if key_padding_mask.shape not in [(batch, keys), *unbatched]:
            raise ShapeError(
                f"{name}: key_padding_mask must be {(batch, keys)}: it is {key_padding_mask.shape}"
            )
        masks.append(ops.reshape(key_padding_mask, (batch, 1, 1, keys)))
    if not masks:
        return None
    if all(mask.dtype == np.bool_ for mask in masks):
        hidden = masks[0] if len(masks) == 1 else ops.logical_or(*masks)
        return ops.logical_not(hidden)
    added = [ops.where(mask, -math.inf, 0.0) if mask.dtype == np.bool_ else mask for mask in masks]
    return added[0] if len(added) == 1 else added[0] + added[1]


def _of_more_keys(
    mask: Any, added: int, q_shape: tuple[int, ...], keys: int, is_causal: bool
) -> Any:
    """The mask of all keys, of which the last ``added`` are never hidden."""
    queries = q_shape[2]
    if is_causal:
        seen = np.tri(queries, keys - added, dtype=bool)
        if mask is None:
            mask = seen
        elif mask.dtype == np.bool_:
            mask = ops.logical_and(mask, seen)
        else:
            mask = mask + np.where(seen, 0.0, -np.inf).astype(mask.dtype)
    if mask is None:
        return None
    free = np.full((*mask.shape[:-1], added), mask.dtype == np.bool_, mask.dtype)
    return ops.concat([mask, free], -1)


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What :class:`MultiheadAttention` computes, of tensors: query (L, B, E), key (S, B, kdim) and
    value (S, B, vdim), or all without B.

    The projections are the rows of ``in_proj_weight`` (3 E, E), or, with
    ``use_separate_proj_weight``, three weights. ``static_k`` and ``static_v`` (B · heads, S,
    E / heads) take the place of what is projected of key and value.
    """
    name = "multi_head_attention_forward"
    size = query.shape[-1]
    if size != embed_dim_to_check or num_heads < 1 or size % num_heads:
        raise ShapeError(
            f"{name}: query is {query.shape}, for embed_dim {embed_dim_to_check} and {num_heads}"
            " heads"
        )
    weights: Any = in_proj_weight
    sizes = (size, size, size)
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        if any(weight is None for weight in weights):
            raise ValueError(f"{name}: of the separate weights of q, k and v one is missing")
        sizes = (size, weights[1].shape[-1], weights[2].shape[-1])
    elif in_proj_weight is None:
        raise ValueError(f"{name}: in_proj_weight is missing")
    check_inputs(name, (query, key, value), sizes, 1)
    return attend(
        name,
        (query, key, value),
        weights,
        in_proj_bias,
        (out_proj_weight, out_proj_bias),
        num_heads,
        attn_mask=attn_mask,
        key_padding_mask=key_padding_mask,
        bias_kv=(bias_k, bias_v),
        static_kv=(static_k, static_v),
        add_zero_attn=add_zero_attn,
        dropout=dropout_p if training else 0.0,
        need_weights=need_weights,
        average_weights=average_attn_weights,
        is_causal=is_causal,
    )
