"""Additive and multiplicative attention: how recurrent decoders look at what an encoder read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..errors import DtypeError, ShapeError
from ..ops.checks import whole
from ..ops.packing import lengths_of
from ..tensors.tensor import Tensor
from . import functional as F
from .linear import Linear
from .module import Module

__all__ = ["AdditiveAttention", "AlignmentMemory", "DotAttention", "GeneralAttention"]


class AlignmentMemory(NamedTuple):
    """What queries look at, made ready once, by ``memory`` of an attention."""

    values: Tensor  # (B, S, key_size), 0 where a mask hides
    keys: Tensor  # (B, S, …): the values as the scores need them
    hidden: Tensor | None  # (B, 1, S): −∞ where no query may look, and 0 elsewhere
    blind: Tensor | None  # (B, 1, 1), bool: whose queries may look nowhere


class _Alignment(Module):
    """``weights = softmax(scores(query, keys))``, ``context = Σ weights · keys``."""

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__()
        whole(type(self).__name__, 1, query_size=query_size, key_size=key_size)
        self.query_size = query_size
        self.key_size = key_size

    def memory(self, keys: Tensor, lengths: Any = None, mask: Any = None) -> AlignmentMemory:
        """What all steps of a decoder share of ``keys`` (B, S, key_size), to be given to
        ``forward`` in their place; ``lengths`` and ``mask`` are those of ``forward``."""
        kind = type(self).__name__
        if keys.ndim != 3 or keys.shape[-1] != self.key_size:
            raise ShapeError(
                f"{kind}: keys must be (batch, steps, {self.key_size}), but are {keys.shape}"
            )
        looks = _looks(kind, keys.shape[:2], lengths, mask)
        if looks is None:
            return AlignmentMemory(keys, self._keys(keys), None, None)
        # By ops, so that whoever follows a run sees how the masks come of what was given.
        blind = ops.logical_not(ops.any(looks, 1, True))  # softmax of −∞ alone is NaN
        zero, least = (Tensor(np.asarray(end, keys.dtype)) for end in (0, -np.inf))
        hidden = ops.expand_dims(ops.where(ops.logical_or(looks, blind), zero, least), 1)
        # A weight of 0 does not do: its product with NaN is NaN.
        values = ops.where(ops.expand_dims(looks, 2), keys, 0.0)
        seen = ops.expand_dims(blind, 1) if blind.numpy().any() else None
        return AlignmentMemory(values, self._keys(values), hidden, seen)

    def forward(
        self,
        query: Tensor,
        keys: Tensor | AlignmentMemory,
        lengths: Any = None,
        mask: Any = None,
    ) -> tuple[Tensor, Tensor]:
        """The context (B, L, key_size) and the weights (B, L, S) of queries (B, L, query_size), or
        both without L.

        Of ``keys`` (B, S, key_size), which are the values, too, a query may look at the first
        ``lengths`` (B,), and where ``mask`` (B, S), of bools, is True. Elsewhere weights are
        exactly 0, and NaN there reaches nothing. A query that may look nowhere gets weights and a
        context of 0.
        """
        kind = type(self).__name__
        if not isinstance(keys, AlignmentMemory):
            keys = self.memory(keys, lengths, mask)
        elif lengths is not None or mask is not None:
            raise TypeError(f"{kind}: lengths and mask are arguments of memory, which was called")
        batch = len(keys.values)
        fits = query.ndim in (2, 3) and query.shape[0] == batch
        if not fits or query.shape[-1] != self.query_size:
            raise ShapeError(
                f"{kind}: query must be ({batch}, {self.query_size}) or ({batch}, steps,"
                f" {self.query_size}), but is {query.shape}"
            )
        if query.ndim == 2:
            context, weights = self._attend(ops.expand_dims(query, 1), keys)
            return context[:, 0], weights[:, 0]
        return self._attend(query, keys)

    def _attend(self, query: Tensor, memory: AlignmentMemory) -> tuple[Tensor, Tensor]:
        scores = self._scores(query, memory.keys)
        weights = F.softmax(scores if memory.hidden is None else scores + memory.hidden, -1)
        if memory.blind is not None:
            weights = ops.where(memory.blind, 0.0, weights)
        return weights @ memory.values, weights

    def _keys(self, values: Tensor) -> Tensor:
        """What :meth:`_scores` needs of the values."""
        return values

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, L, S), of queries (B, L, query_size)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"query_size={self.query_size}, key_size={self.key_size}"


def _looks(kind: str, shape: tuple[int, ...], lengths: Any, mask: Any) -> Tensor | None:
    """Where queries may look, of keys of the shape (B, S); None if that is everywhere."""
    batch, steps = shape
    looks: Tensor | None = None
    if mask is not None:
        looks = mask if isinstance(mask, Tensor) else Tensor(np.asarray(mask))
        if looks.dtype != np.bool_:
            raise DtypeError(f"{kind}: mask must be bool, but is {looks.dtype}")
        if looks.shape != shape:
            raise ShapeError(f"{kind}: mask must be {shape}, but is {looks.shape}")
    if lengths is not None:
        ends = Tensor(lengths_of(kind, lengths, steps, batch))
        before = ops.less(Tensor(np.arange(steps)), ops.expand_dims(ends, 1))
        looks = before if looks is None else ops.logical_and(looks, before)
    return None if looks is None or looks.numpy().all() else looks


class AdditiveAttention(_Alignment):
    """``score(q, k) = vᵀ tanh(W_q q + W_k k)``. (Bahdanau, Cho and Bengio 2015, "Neural machine
    translation by jointly learning to align and translate").

    Queries (B, L, query_size), or (B, query_size), and keys (B, S, key_size), which are the values,
    too, give ``context = Σ_s weights_s k_s`` and the ``weights = softmax_s(score)``. W_q, W_k and v
    are the weights of ``query``, ``key`` and ``score``, without biases; there are ``hidden`` rows
    of W_q and W_k (by default query_size). Luong's "concat" is the same: [W_q W_k] is its matrix.

    >>> import tinytensor as tt
    >>> attention = tt.nn.AdditiveAttention(query_size=8, key_size=6)
    >>> context, weights = attention(tt.zeros((2, 8)), tt.zeros((2, 4, 6)), lengths=[4, 2])
    >>> context.shape, weights.tolist()
    ((2, 6), [[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]])
    """

    def __init__(self, query_size: int, key_size: int, hidden: int | None = None) -> None:
        super().__init__(query_size, key_size)
        hidden = query_size if hidden is None else hidden
        whole("AdditiveAttention", 1, hidden=hidden)
        self.query = Linear(query_size, hidden, bias=False)
        self.key = Linear(key_size, hidden, bias=False)
        self.score = Linear(hidden, 1, bias=False)

    def _keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        sums = ops.expand_dims(self.query(query), 2) + ops.expand_dims(keys, 1)
        return ops.squeeze(self.score(ops.tanh(sums)), -1)


class DotAttention(_Alignment):
    """``score(q, k) = qᵀ k``, of queries and keys of one ``size``; otherwise as
    :class:`AdditiveAttention`. (Luong, Pham and Manning 2015, "Effective approaches to
    attention-based neural machine translation".)

    >>> import tinytensor as tt
    >>> context, weights = tt.nn.DotAttention(1)(tt.zeros((1, 1)), tt.tensor([[[2.0], [4.0]]]))
    >>> context
    tensor([[3.]])
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, size)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.mT


class GeneralAttention(_Alignment):
    """``score(q, k) = qᵀ W k``; otherwise as :class:`AdditiveAttention`. W is the weight of
    ``key``, which is applied to the keys, once for all queries. (Luong, Pham and Manning 2015.)

    >>> import tinytensor as tt
    >>> attention = tt.nn.GeneralAttention(query_size=8, key_size=6)
    >>> context, weights = attention(tt.zeros((2, 3, 8)), tt.zeros((2, 4, 6)))
    >>> context.shape, weights.shape
    ((2, 3, 6), (2, 3, 4))
    """

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__(query_size, key_size)
        self.key = Linear(key_size, query_size, bias=False)

    def _keys(self, values: Tensor) -> Tensor:
        return self.key(values)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.mT
