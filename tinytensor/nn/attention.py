"""MultiheadAttention."""

from __future__ import annotations

import math

import numpy as np

from .. import ops
from ..dtypes import is_real_floating
from ..errors import DtypeError, ShapeError
from ..ops.attention import attention_weights
from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """``out_proj(concat(head_1, …, head_h))`` with ``head_i = attention(q Wq_i, k Wk_i, v Wv_i)``.

    Query (L, B, E), key (S, B, kdim) and value (S, B, vdim) give (L, B, E); with ``batch_first``
    B comes first, and without B it is one sequence. The projections are the rows of
    ``in_proj_weight`` (3 E, E), those of q, k and v in this order, or ``q_proj_weight`` (E, E),
    ``k_proj_weight`` (E, kdim) and ``v_proj_weight`` (E, vdim) where kdim or vdim is not E. They
    start as xavier_uniform, the biases as 0.

    In a mask of bools True hides, as in PyTorch; a mask of floats is added. ``key_padding_mask``
    is (B, S), ``attn_mask`` (L, S) or (B · num_heads, L, S). A query that may look nowhere attends
    to nothing: its heads are 0. (Vaswani et al. 2017.)

    >>> import tinytensor as tt
    >>> x = tt.zeros((2, 5, 8))
    >>> attention = tt.nn.MultiheadAttention(8, num_heads=2, batch_first=True)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    _dtype_of = "in_proj_weight"

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        whole("MultiheadAttention", 1, embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: embed_dim {embed_dim} must be a multiple of num_heads"
                f" {num_heads}"
            )
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn are not supported")
        number("MultiheadAttention", "dropout", dropout, 0, 1)
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.in_proj_weight: Parameter | None = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = Parameter(init.empty(3 * embed_dim, embed_dim))
        else:
            self.q_proj_weight = Parameter(init.empty(embed_dim, embed_dim))
            self.k_proj_weight = Parameter(init.empty(embed_dim, self.kdim))
            self.v_proj_weight = Parameter(init.empty(embed_dim, self.vdim))
        self.in_proj_bias = Parameter(init.empty(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections into the heads anew, and set the biases to 0."""
        if self.in_proj_weight is not None:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The output, and with ``need_weights`` the attention weights (B, L, S), the mean of the
        heads', or (B, num_heads, L, S) unless ``average_attn_weights``. They have gone through
        dropout, as in PyTorch.

        Without ``need_weights`` it is faster: the matrix of weights never exists. With
        ``is_causal`` query i looks at keys up to i only, besides what the masks hide.
        """
        self._check(query, key, value)
        batched = query.ndim == 3
        same = query is key, key is value
        if not batched:
            query, key, value = (ops.expand_dims(x, 0) for x in (query, key, value))
        elif not self.batch_first:
            query, key, value = (ops.swapaxes(x, 0, 1) for x in (query, key, value))
        q, k, v = (self._heads(x) for x in self._project(query, key, value, same))
        mask = self._mask(attn_mask, key_padding_mask, q.shape, k.shape[2])
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = F.dropout(attention_weights(q, k, mask, is_causal), dropout)
            output = ops.matmul(weights, v)
            if average_attn_weights:
                weights = ops.mean(weights, 1)
            if not batched:
                weights = ops.squeeze(weights, 0)
        else:
            output = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
        batch, _, length, _ = q.shape
        output = ops.reshape(ops.swapaxes(output, 1, 2), (batch, length, self.embed_dim))
        output = self.out_proj(output)
        if not batched:
            output = ops.squeeze(output, 0)
        elif not self.batch_first:
            output = ops.swapaxes(output, 0, 1)
        return output, weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        sizes = (self.embed_dim, self.kdim, self.vdim)
        shapes = (query.shape, key.shape, value.shape)
        batch = 0 if self.batch_first else 1
        fits = (
            query.ndim in (2, 3)
            and query.ndim == key.ndim == value.ndim
            and tuple(shape[-1] for shape in shapes) == sizes
            and key.shape[:-1] == value.shape[:-1]
            and (query.ndim == 2 or query.shape[batch] == key.shape[batch])
        )
        if not fits:
            layout = "(B, L, E), (B, S, kdim), (B, S, vdim)"
            if not self.batch_first:
                layout = "(L, B, E), (S, B, kdim), (S, B, vdim)"
            raise ShapeError(
                f"MultiheadAttention: needs query, key and value {layout}, or all without B, with"
                f" sizes {sizes}: they are {shapes[0]}, {shapes[1]}, {shapes[2]}"
            )

    def _project(
        self, query: Tensor, key: Tensor, value: Tensor, same: tuple[bool, bool]
    ) -> tuple[Tensor, ...]:
        """q, k and v of all heads, each (B, L or S, E), by as few products as there are inputs."""
        if self.in_proj_weight is None:
            weights: tuple[Tensor, ...] = (
                self.q_proj_weight,
                self.k_proj_weight,
                self.v_proj_weight,
            )
        elif all(same):
            return ops.split(F.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        else:
            weights = ops.split(self.in_proj_weight, 3)
        biases: tuple[Tensor | None, ...] = (None, None, None)
        if self.in_proj_bias is not None:
            biases = ops.split(self.in_proj_bias, 3)
        inputs = (query, key, value)
        return tuple(F.linear(*args) for args in zip(inputs, weights, biases, strict=True))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, E) as (B, num_heads, L, head_dim)."""
        batch, length, _ = x.shape
        return ops.swapaxes(ops.reshape(x, (batch, length, self.num_heads, self.head_dim)), 1, 2)

    def _mask(
        self,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        q_shape: tuple[int, ...],
        keys: int,
    ) -> Tensor | None:
        """Both masks as one that fits (B, num_heads, L, S), True meaning "look"."""
        batch, heads, queries, _ = q_shape
        masks = []
        for name, mask in (("attn_mask", attn_mask), ("key_padding_mask", key_padding_mask)):
            if mask is not None and not (mask.dtype == np.bool_ or is_real_floating(mask)):
                raise DtypeError(
                    f"MultiheadAttention: {name} is of bools or floats, not {mask.dtype}"
                )
        if attn_mask is not None:
            if attn_mask.shape not in ((queries, keys), (batch * heads, queries, keys)):
                raise ShapeError(
                    f"MultiheadAttention: attn_mask must be {(queries, keys)} or"
                    f" {(batch * heads, queries, keys)}: it is {attn_mask.shape}"
                )
            if attn_mask.ndim == 3:
                attn_mask = ops.reshape(attn_mask, (batch, heads, queries, keys))
            masks.append(attn_mask)
        if key_padding_mask is not None:
            unbatched = [(keys,)] if batch == 1 else []
            if key_padding_mask.shape not in [(batch, keys), *unbatched]:
                raise ShapeError(
                    f"MultiheadAttention: key_padding_mask must be {(batch, keys)}:"
                    f" it is {key_padding_mask.shape}"
                )
            masks.append(ops.reshape(key_padding_mask, (batch, 1, 1, keys)))
        if not masks:
            return None
        if all(mask.dtype == np.bool_ for mask in masks):
            hidden = masks[0] if len(masks) == 1 else ops.logical_or(*masks)
            return ops.logical_not(hidden)
        added = [
            ops.where(mask, -math.inf, 0.0) if mask.dtype == np.bool_ else mask for mask in masks
        ]
        return added[0] if len(added) == 1 else added[0] + added[1]
