"""One token after another through a whole decoder, each by a single call.

What Python costs between the layers of a model is nothing beside a training step, and a quarter of
the time of a token. So a model that consists of the usual parts hands their arrays over once, to
:class:`~tinytensor.kernels.decoders.DecoderSteps`, and all layers of a token are one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..kernels import decoders
from ..nn.packed import PackedEmbedding, PackedLinear, PackedMatrix
from .cache import KVCache

__all__ = ["Parts", "TokenSteps", "frequencies", "layer", "norm", "product", "row", "sizes"]

layer, sizes = decoders.DecoderLayer, decoders.DecoderSizes


class Unusual(Exception):
    """A part is not what these steps compute; the model itself goes on."""


class Parts(NamedTuple):
    """What a model consists of."""

    embed: Callable[[int, int], np.ndarray]  # of a token at a position, float32 (width,)
    layers: list[decoders.DecoderLayer]
    last_norm: tuple[np.ndarray, np.ndarray | None]
    head: decoders.DecoderProduct
    sizes: decoders.DecoderSizes


class TokenSteps:
    """A function of one more token (1,), int64, to logits (1, V), which advances the cache."""

    def __init__(self, parts: Parts, cache: KVCache) -> None:
        self.embed, self.cache = parts.embed, cache
        self.steps = decoders.DecoderSteps(*parts[1:])

    @classmethod
    def of(cls, model: Any, cache: KVCache) -> TokenSteps | None:
        """Those of a model that says by ``decoder_parts()`` what it consists of, for one sequence;
        None where it is being trained, watched by hooks, or has parts that are not the usual ones,
        or not of float32."""
        parts = getattr(model, "decoder_parts", None)
        if parts is None or cache.batch != 1 or cache.keys[0].dtype != np.float32:
            return None
        for module in model.modules():
            if module.training or any(getattr(module, hooks) for hooks in HOOKS):
                return None
        try:
            return cls(parts(), cache)
        except Unusual:
            return None

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        cache = self.cache
        cache.reserve(1)
        position = int(cache.lengths[0])
        x = self.embed(int(tokens[0]), position)
        logits = self.steps(x, cache.keys, cache.values, 0, int(cache.starts[0]), position)
        cache.advance(1)
        return logits[None]


HOOKS = ("_forward_pre_hooks", "_forward_hooks")


def _array(x: Any) -> np.ndarray:
    """The numbers of a parameter."""
    array = x.numpy()
    if array.dtype != np.float32:
        raise Unusual
    return np.ascontiguousarray(array)


def norm(module: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Weight and bias of a LayerNorm or RMSNorm."""
    if type(module) not in (nn.LayerNorm, nn.RMSNorm) or module.weight is None:
        raise Unusual
    bias = getattr(module, "bias", None)
    return _array(module.weight), None if bias is None else _array(bias)


def product(module: Any, part: int = 0, parts: int = 1) -> decoders.DecoderProduct:
    """A Linear, stored in any way; or one of so many equal parts of its outputs."""
    if type(module) is PackedLinear:
        matrix = module.matrix
    elif type(module) is nn.Linear:
        matrix = PackedMatrix.of(_array(module.weight), "f32")
    else:
        raise Unusual
    rows, columns = matrix.shape
    own = slice(part * rows // parts, (part + 1) * rows // parts)
    scales = None if matrix.scales is None else matrix.scales[own]
    bias = None if module.bias is None else _array(module.bias)[own]
    return decoders.DecoderProduct(matrix.kind, matrix.data[own], columns, scales, bias)


def frequencies(rotary: nn.RotaryEmbedding) -> np.ndarray:
    """Those of positions of any number."""
    if rotary.kind in ("dynamic", "ntk"):
        raise Unusual
    return rotary.frequencies


def row(module: Any) -> Callable[[int], np.ndarray]:
    """A function of a token to its embedding, float32."""
    if type(module) is PackedEmbedding:
        matrix = module.matrix
        return lambda token: matrix.rows(np.array([token]))[0]
    if type(module) is nn.Embedding and module.max_norm is None:
        weight = _array(module.weight)
        return lambda token: weight[token]
    raise Unusual
