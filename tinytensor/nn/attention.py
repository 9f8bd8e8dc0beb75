"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from ..ops.checks import number, whole
from ..tensors.tensor import Tensor
from . import init
from .linear import Linear
from .module import Module
from .multi_head import attend, check_inputs
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
    to nothing: its heads are 0. ``add_bias_kv`` puts a key and a value that are parameters behind
    the others, ``add_zero_attn`` ones of zeros: no mask hides these. (Vaswani et al. 2017.)

    >>> import tinytensor as tt
    >>> x = tt.zeros((2, 5, 8))
    >>> attention = tt.nn.MultiheadAttention(8, num_heads=2, batch_first=True)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    _dtype_of = "in_proj_weight"
    # Of older pickles, which do not say:
    bias_k: Parameter | None = None
    bias_v: Parameter | None = None
    add_zero_attn: bool = False

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
        number("MultiheadAttention", "dropout", dropout, 0, 1)
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        self.in_proj_weight: Parameter | None = None
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = Parameter(init.empty(3 * embed_dim, embed_dim))
        else:
            self.q_proj_weight = Parameter(init.empty(embed_dim, embed_dim))
            self.k_proj_weight = Parameter(init.empty(embed_dim, self.kdim))
            self.v_proj_weight = Parameter(init.empty(embed_dim, self.vdim))
        self.in_proj_bias = Parameter(init.empty(3 * embed_dim)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias)
        self.bias_k = Parameter(init.empty(1, 1, embed_dim)) if add_bias_kv else None
        self.bias_v = Parameter(init.empty(1, 1, embed_dim)) if add_bias_kv else None
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
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

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
        batch = 0 if self.batch_first else 1
        inputs = (query, key, value)
        check_inputs("MultiheadAttention", inputs, (self.embed_dim, self.kdim, self.vdim), batch)
        weights: Any = self.in_proj_weight
        if weights is None:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        return attend(
            "MultiheadAttention",
            inputs,
            weights,
            self.in_proj_bias,
            (self.out_proj.weight, self.out_proj.bias),
            self.num_heads,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            bias_kv=(self.bias_k, self.bias_v),
            add_zero_attn=self.add_zero_attn,
            dropout=self.dropout if self.training else 0.0,
            need_weights=need_weights,
            average_weights=average_attn_weights,
            is_causal=is_causal,
            batch_first=self.batch_first,
        )
