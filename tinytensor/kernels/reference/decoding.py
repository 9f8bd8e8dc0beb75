"""One token through all layers of a decoder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .maps import gelu, relu, silu
from .norm import layer_norm, rms_norm
from .packed import packed_linear
from .rotary import rotary

__all__ = ["DecoderLayer", "DecoderProduct", "DecoderSizes", "DecoderSteps"]

Vector = np.ndarray


class DecoderProduct(NamedTuple):
    """A packed matrix, as :func:`packed_linear` takes it."""

    kind: str
    data: np.ndarray
    columns: int
    scales: Vector | None = None
    bias: Vector | None = None


class DecoderLayer(NamedTuple):
    """The parts of a layer, in the order of their work; no gate: None."""

    attention_norm: tuple[Vector, Vector | None]
    q: DecoderProduct
    k: DecoderProduct
    v: DecoderProduct
    o: DecoderProduct
    mlp_norm: tuple[Vector, Vector | None]
    gate: DecoderProduct | None
    up: DecoderProduct
    down: DecoderProduct
    window: int | None = None  # of how many tokens, itself among them, a token sees the last


class DecoderSizes(NamedTuple):
    """What all layers share."""

    heads: int
    shared_heads: int  # of keys and values
    depth: int  # of a head
    eps: float
    centred: bool  # layer norm; otherwise RMS norm
    activation: str
    scale: float
    softcap: float | None = None
    frequencies: Vector | None = None  # of the pairs of a head that positions turn
    rotary_scale: float = 1.0
    interleaved: bool = False


ACTIVATIONS = {
    "silu": silu,
    "gelu": lambda x: gelu(x, "none"),
    "gelu_tanh": lambda x: gelu(x, "tanh"),
    "relu": relu,
}


class DecoderSteps:
    """The layers and the head of a decoder, made ready for single tokens.

    Called with the embedding x (width,) of a token, the arrays of keys and values of each layer
    (batch, shared_heads, capacity, depth), the row of the batch, the place of the token in them and
    its position, it writes the token's keys and values there, and returns the logits of the next.
    """

    def __init__(
        self,
        layers: list[DecoderLayer],
        last_norm: tuple[Vector, Vector | None],
        head: DecoderProduct,
        sizes: DecoderSizes,
    ) -> None:
        self.layers, self.last_norm, self.head, self.sizes = layers, last_norm, head, sizes

    def __call__(self, x, keys, values, row, place, position):
        s = self.sizes
        x = np.array(x, np.float32)
        for layer, layer_keys, layer_values in zip(self.layers, keys, values, strict=True):
            normed = self._norm(x, *layer.attention_norm)
            q = _product(layer.q, normed).reshape(s.heads, s.depth)
            k = _product(layer.k, normed).reshape(s.shared_heads, s.depth)
            v = _product(layer.v, normed).reshape(s.shared_heads, s.depth)
            layer_keys[row, :, place] = self._turned(k, position)
            layer_values[row, :, place] = v
            first = 0 if layer.window is None else max(place + 1 - layer.window, 0)
            seen = np.s_[row, :, first : place + 1]
            found = self._attend(self._turned(q, position), layer_keys[seen], layer_values[seen])
            x += _product(layer.o, found)
            normed = self._norm(x, *layer.mlp_norm)
            inner, mapped = _product(layer.up, normed), ACTIVATIONS[s.activation]
            inner = inner * mapped(_product(layer.gate, normed)) if layer.gate else mapped(inner)
            x += _product(layer.down, inner)
        return _product(self.head, self._norm(x, *self.last_norm))

    def _norm(self, x, weight, bias):
        if self.sizes.centred:
            return layer_norm(x[None], weight, bias, self.sizes.eps, 1)[0][0]
        return rms_norm(x[None], weight, self.sizes.eps, 1)[0][0]

    def _turned(self, x, position):
        s = self.sizes
        if s.frequencies is None:
            return x
        where = np.full(1, position)
        return rotary(x[:, None], where, s.frequencies, s.interleaved, s.rotary_scale, False)[:, 0]

    def _attend(self, q, keys, values):
        s = self.sizes
        q = q.reshape(s.shared_heads, -1, s.depth)
        scores = q @ keys.swapaxes(1, 2) * np.float32(s.scale)
        if s.softcap:
            scores = s.softcap * np.tanh(scores / s.softcap)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return (weights @ values).reshape(-1)


def _product(product, x):
    return packed_linear(x, *product)
