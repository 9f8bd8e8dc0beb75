"""What BERT, ViT, T5 and Whisper share: attention by projections of its own, and heads of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np

from .. import nn, ops
from ..errors import ShapeError
from ..generation import KVCache
from ..nn import functional as F
from ..ops.packing import lengths_of
from ..tensors.tensor import Tensor
from .checkpoints import Checkpoint
from .pretrained import Pretrained

KeysValues = tuple[Tensor, Tensor]  # each (B, heads, S, D)

# By the names of config.json.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


def activation(owner: str, name: str) -> Callable[[Tensor], Tensor]:
    """The function that a configuration names. Raises ValueError if there is none."""
    if name not in ACTIVATIONS:
        raise ValueError(f"{owner}: there is no activation {name!r}; there are {[*ACTIVATIONS]}")
    return ACTIVATIONS[name]


class Attending(nn.Module):
    """softmax(scale · QKᵀ + mask)·V in each of ``heads`` heads: (B, T, C) → (B, T, heads · D).

    ``names`` are those of the projections of queries, keys and values; a fourth is that of the
    output, (B, T, C) then. ``biases`` says which of them have one. ``scale`` is 1/√D if None.
    """

    def __init__(
        self,
        owner: str,
        channels: int,
        heads: int,
        names: Sequence[str],
        biases: Sequence[bool] = (True, True, True, True),
        head_dim: int | None = None,
        dropout: float = 0.0,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        if heads < 1 or (head_dim is None and channels % heads):
            raise ValueError(f"{owner}: {heads} heads do not divide {channels} channels")
        inner = channels if head_dim is None else heads * head_dim
        self.heads, self.names, self.dropout, self.scale = heads, tuple(names), dropout, scale
        self.head_dim = inner // heads
        sizes = [(channels, inner)] * 3 + [(inner, channels)]
        for name, (inputs, outputs), bias in zip(names, sizes, biases, strict=False):
            setattr(self, name, nn.Linear(inputs, outputs, bias=bias))

    def _in_heads(self, x: Tensor, which: int) -> Tensor:
        """The projection ``which`` of x (B, T, C) as (B, heads, T, D)."""
        b, t, _ = x.shape
        y = getattr(self, self.names[which])(x)
        return y.reshape(b, t, self.heads, y.shape[-1] // self.heads).permute(0, 2, 1, 3)

    def keys_values(self, x: Tensor) -> KeysValues:
        """Keys and values of x (B, S, C), each (B, heads, S, D)."""
        return self._in_heads(x, 1), self._in_heads(x, 2)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        keys_values: KeysValues | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Attention of x to ``keys_values``, or to itself. A bool mask is True where it looks,
        another one is added.

        Keys of B sequences serve rB rows of x, the first r by the first one: no beam has a copy.
        """
        n, t, _ = x.shape
        q = self._in_heads(x, 0)
        k, v = self.keys_values(x) if keys_values is None else keys_values
        b, size = k.shape[0], q.shape[3]
        if n != b:
            q = q.reshape(b, n // b, self.heads, t, size).permute(0, 2, 1, 3, 4)
            q = q.reshape(b, self.heads, n // b * t, size)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal, self.scale)
        return self._out(y, n, t)

    def cached(self, x: Tensor, cache: KVCache, layer: int, bias: Tensor | None = None) -> Tensor:
        """Attention of x, which follows what the layer ``layer`` of a cache holds, to itself and
        that; ``bias`` is added to the scores."""
        q, (k, v) = self._in_heads(x, 0), self.keys_values(x)
        y = cache.attend(layer, q, k, v, scale=self.scale, bias=bias)
        return self._out(y, *x.shape[:2])

    def _out(self, y: Tensor, n: int, t: int) -> Tensor:
        """What the heads give, (B, heads, rT, D), as (n, t, C)."""
        y = y.permute(0, 2, 1, 3).reshape(n, t, self.heads * self.head_dim)
        return getattr(self, self.names[3])(y) if self.names[3:] else y


def key_mask(owner: str, shape: tuple[int, ...], mask: Any, lengths: Any) -> Tensor | None:
    """Bools (B, 1, 1, S): which keys are looked at, by a ``mask`` (B, S) that is not 0 there, or by
    ``lengths`` (B,); ``shape`` is (B, S)."""
    if mask is not None and lengths is not None:
        raise ValueError(f"{owner}: give a mask or lengths, not both")
    if mask is None and lengths is None:
        return None
    # By ops, so that whoever follows a run sees how the mask comes of what was given.
    if lengths is not None:
        batch, keys = shape
        ends = Tensor(lengths_of(owner, lengths, keys, batch))
        found = ops.less(Tensor(np.arange(keys)), ops.expand_dims(ends, 1))
    else:
        found = ops.not_equal(mask if isinstance(mask, Tensor) else Tensor(np.asarray(mask)), 0)
        if found.shape != shape:
            raise ShapeError(f"{owner}: the mask is {found.shape}, not {shape}")
    return ops.expand_dims(found, (1, 2))


def check_tokens(owner: str, name: str, tokens: Tensor, most: int | None = None) -> None:
    """Refuse tokens that are not (B, T) with T from 1 to ``most``."""
    limit = "1 or more" if most is None else f"1 to {most}"
    if tokens.ndim != 2 or not 0 < tokens.shape[1] <= (most or tokens.shape[1]):
        raise ShapeError(f"{owner}: {name} must be (B, T) with T {limit}, not {tokens.shape}")


class Pooler(nn.Module):
    """tanh(W x₀ + b) of the features at the first position. (B, T, C) → (B, outputs)."""

    def __init__(self, channels: int, outputs: int | None = None) -> None:
        super().__init__()
        self.dense = nn.Linear(channels, channels if outputs is None else outputs)

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(self.dense(x[:, 0]))


class Headed(Pretrained):
    """The base of models with a pooler or a classifier, or without, as the tensors of files say."""

    @classmethod
    def _of_checkpoint(cls, checkpoint: Checkpoint, dtype: Any) -> Self:
        tensors = checkpoint.tensors
        pooling = any(name.endswith("pooler.dense.weight") for name in tensors)
        labels = tensors["classifier.weight"].shape[0] if "classifier.weight" in tensors else 0
        settings = {**checkpoint.settings, "pooling": pooling, "num_labels": labels}
        return super()._of_checkpoint(replace(checkpoint, settings=settings), dtype)
