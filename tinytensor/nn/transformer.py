"""The transformer: layers of its encoder and its decoder, stacks of them, and both together."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..tensors.tensor import Tensor
from . import functional as F
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .norm import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = Callable[[Tensor], Tensor]


class _Layer(Module):
    """Attentions and a feed-forward network ``linear2(activation(linear1(x)))``, each a sublayer f
    with dropout, residual and layer norm: ``norm(x + dropout(f(x)))``, or with ``norm_first``
    ``x + dropout(f(norm(x)))``."""

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention
    _attentions: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        for name in self._attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias)
        self.norm_first = norm_first
        sublayers = range(1, len(self._attentions) + 2)
        for i in sublayers:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias))
        for i in sublayers:
            setattr(self, f"dropout{i}", Dropout(dropout))
        if isinstance(activation, str):
            if activation not in ("relu", "gelu"):
                raise ValueError(
                    f"{type(self).__name__}: activation is 'relu', 'gelu' or a function, not"
                    f" {activation!r}"
                )
            activation = F.relu if activation == "relu" else F.gelu
        self.activation = activation

    def _through(self, x: Tensor, *sublayers: Activation) -> Tensor:
        for i, sublayer in enumerate((*sublayers, self._feed_forward), 1):
            norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
            if self.norm_first:
                x = x + dropout(sublayer(norm(x)))
            else:
                x = norm(x + dropout(sublayer(x)))
        return x

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


def _attending(
    attention: MultiheadAttention,
    memory: Tensor | None,
    mask: Tensor | None,
    key_padding_mask: Tensor | None,
    is_causal: bool | None,
) -> Activation:
    """Attention of x to ``memory``, or to itself."""

    def attend(x: Tensor) -> Tensor:
        seen = x if memory is None else memory
        causal = bool(is_causal)
        return attention(x, seen, seen, key_padding_mask, False, mask, is_causal=causal)[0]

    return attend


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network, each with dropout, residual and layer norm:

    ``x = norm1(x + attention(x))``, ``x = norm2(x + feed_forward(x))``, or with ``norm_first``
    ``x = x + attention(norm1(x))``, ``x = x + feed_forward(norm2(x))``; the feed-forward network is
    ``linear2(activation(linear1(x)))``.

    Takes (L, B, d_model), or (B, L, d_model) with ``batch_first``, or (L, d_model). (Vaswani et al.
    2017; norm first: Xiong et al. 2020.)

    >>> import tinytensor as tt
    >>> layer = tt.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(tt.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """

    _attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = False,
    ) -> Tensor:
        """The masks are the ``attn_mask`` and ``key_padding_mask`` of the attention."""
        attend = _attending(self.self_attn, None, src_mask, src_key_padding_mask, is_causal)
        return self._through(src, attend)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to ``memory`` (what an encoder returned), and a feed-forward
    network, each as in :class:`TransformerEncoderLayer`.

    >>> import tinytensor as tt
    >>> layer = tt.nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(tt.zeros((3, 5, 8)), memory=tt.zeros((3, 7, 8))).shape
    (3, 5, 8)
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The masks are those of both attentions."""
        return self._through(
            tgt,
            _attending(self.self_attn, None, tgt_mask, tgt_key_padding_mask, tgt_is_causal),
            _attending(
                self.multihead_attn, memory, memory_mask, memory_key_padding_mask, memory_is_causal
            ),
        )


class _Stack(Module):
    """``num_layers`` copies of a layer, one after the other, then ``norm`` if given."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.layers = ModuleList(deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def _through(self, x: Tensor, *rest: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *rest)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """``num_layers`` copies of ``encoder_layer``, one after the other, then ``norm`` if given.

    ``enable_nested_tensor`` and ``mask_check`` are taken as PyTorch's, and do nothing.

    >>> import tinytensor as tt
    >>> layer = tt.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16)
    >>> tt.nn.TransformerEncoder(layer, num_layers=2)(tt.zeros((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The masks are the ``attn_mask`` and ``key_padding_mask`` of every layer's attention."""
        return self._through(src, mask, src_key_padding_mask, is_causal)


class TransformerDecoder(_Stack):
    """``num_layers`` copies of ``decoder_layer``, one after the other, then ``norm`` if given.

    >>> import tinytensor as tt
    >>> layer = tt.nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16)
    >>> decoder = tt.nn.TransformerDecoder(layer, num_layers=2)
    >>> decoder(tt.zeros((5, 3, 8)), tt.zeros((7, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None
    ) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The masks are those of both attentions of every layer."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return self._through(tgt, memory, *masks, tgt_is_causal, memory_is_causal)


class Transformer(Module):
    """An encoder of ``src`` and a decoder of ``tgt`` that attends to what it returns.

    Both are (L, B, d_model), or (B, L, d_model) with ``batch_first``, or without B. All matrices
    start as xavier_uniform. (Vaswani et al. 2017.)

    >>> import tinytensor as tt
    >>> model = tt.nn.Transformer(8, 2, 1, 1, dim_feedforward=16, batch_first=True)
    >>> model(tt.zeros((3, 7, 8)), tt.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        settings: Any = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        settings = (*settings, batch_first, norm_first, bias)
        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings),
            num_encoder_layers,
            LayerNorm(d_model, eps=layer_norm_eps, bias=bias),
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings),
            num_decoder_layers,
            LayerNorm(d_model, eps=layer_norm_eps, bias=bias),
        )
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The masks are those of the encoder and of both attentions of the decoder."""
        batch = 0 if self.batch_first else 1
        if (
            src.shape[-1:] != (self.d_model,)
            or tgt.shape[-1:] != (self.d_model,)
            or src.ndim != tgt.ndim
            or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch])
        ):
            raise ShapeError(
                f"Transformer: src and tgt must be of one batch and of {self.d_model} features:"
                f" they are {src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """A mask to be added, (sz, sz): −inf above the diagonal, 0 elsewhere."""
        hidden = np.triu(np.full((sz, sz), -math.inf), 1)
        return Tensor(hidden.astype(np.float32 if dtype is None else dtype))
