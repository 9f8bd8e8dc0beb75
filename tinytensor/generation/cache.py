"""The keys and values of tokens that a decoder has seen, so that each is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels
from ..engine.grad_mode import is_grad_enabled
from ..errors import ShapeError
from ..ops.checks import integers, whole
from ..tensors.tensor import Tensor

__all__ = ["KVCache"]

FIRST = 64  # tokens for which a cache that grows has room at first
SLACK = 64  # tokens behind a window that are kept, so that as many can be taken back


class KVCache:
    """Keys and values of ``layers`` layers, for ``batch`` sequences that may differ in length.

    ``keys[i]`` and ``values[i]`` are arrays (batch, heads, capacity, head_dim); ``heads`` are those
    of the keys, of which each may serve several of the queries. ``lengths`` (batch,), int64, says
    how many tokens each sequence has. With a ``capacity`` that is the most that there is room for;
    without, the arrays grow to twice their size.

    With a ``window``, one or one for each layer, a token sees itself and the window − 1 tokens
    before it. What no layer will see any more is dropped from time to time, so memory does not grow
    with the length.

    A layer calls ``attend``, and the model calls ``advance`` behind its last layer:

    >>> cache = KVCache(layers=1, batch=1, heads=1, head_dim=2)
    >>> q = k = v = Tensor(np.ones((1, 1, 3, 2), np.float32))
    >>> cache.attend(0, q, k, v).shape
    (1, 1, 3, 2)
    >>> cache.advance(3)
    >>> cache
    KVCache(layers=1, batch=1, heads=1, head_dim=2, lengths=[3], capacity=64)
    """

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        head_dim: int,
        capacity: int | None = None,
        window: int | Sequence[int | None] | None = None,
        dtype: Any = "float32",
    ) -> None:
        whole("KVCache", 1, layers=layers, heads=heads, head_dim=head_dim)
        whole("KVCache", 0, batch=batch)
        if capacity is not None:
            whole("KVCache", 1, capacity=capacity)
        self.windows = list(window) if isinstance(window, Sequence) else [window] * layers
        if len(self.windows) != layers:
            raise ShapeError(f"KVCache: {len(self.windows)} windows for {layers} layers")
        for one in self.windows:
            if one is not None:
                whole("KVCache", 1, window=one)
        self.fixed = capacity is not None
        shape = batch, heads, capacity if capacity is not None else FIRST, head_dim
        self.keys, self.values = (
            [np.zeros(shape, np.dtype(dtype)) for _ in range(layers)] for _ in range(2)
        )
        self.lengths = np.zeros(batch, np.int64)
        self.starts = np.zeros(batch, np.int64)  # of the arrays, where the next token goes

    @property
    def layers(self) -> int:
        return len(self.keys)

    @property
    def batch(self) -> int:
        return len(self.lengths)

    @property
    def capacity(self) -> int:
        """Tokens for which the arrays have room."""
        return self.keys[0].shape[2]

    @property
    def window(self) -> int | None:
        """How far any layer sees; None: to the first token."""
        known = [window for window in self.windows if window is not None]
        return max(known) if len(known) == self.layers else None

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (*self.keys, *self.values))

    def __repr__(self) -> str:
        batch, heads, capacity, depth = self.keys[0].shape
        window = "" if self.window is None else f", window={self.window}"
        return (
            f"KVCache(layers={self.layers}, batch={batch}, heads={heads}, head_dim={depth},"
            f" lengths={self.lengths.tolist()}, capacity={capacity}{window})"
        )

    # --- What a model calls -------------------------------------------------------------------

    def positions(self, steps: int) -> np.ndarray:
        """Where the next ``steps`` tokens of each sequence stand: (batch, steps), int64."""
        return self.lengths[:, None] + np.arange(steps)

    def attend(
        self,
        layer: int,
        q: Any,
        k: Any,
        v: Any,
        *,
        scale: float | None = None,
        softcap: float | None = None,
        bias: Any = None,
    ) -> Tensor:
        """Append k and v (batch, heads, T, head_dim) to a layer's, and let q (batch, heads of q, T,
        head_dim) look at all up to its own place: (batch, heads of q, T, head_dim).

        ``scale`` is 1/√head_dim if None. Scores s become softcap · tanh(s / softcap). ``bias`` is
        added to them; it broadcasts to (batch, heads of q, T, keys), the keys those held, from the
        oldest. Nothing here has a gradient.
        """
        if is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in (q, k, v)):
            raise RuntimeError(
                "KVCache.attend: gradients do not pass a cache; call the model under no_grad(), or"
                " without a cache"
            )
        q, k, v = np.asarray(q), np.asarray(k), np.asarray(v)
        batch, heads, _, depth = self.keys[layer].shape
        steps = q.shape[2] if q.ndim == 4 else -1
        if (
            k.shape != (batch, heads, steps, depth)
            or v.shape != k.shape
            or q.shape != (batch, q.shape[1], steps, depth)
            or q.shape[1] % heads
        ):
            raise ShapeError(
                f"KVCache.attend: q must be ({batch}, H, T, {depth}) with H a multiple of {heads},"
                f" k and v ({batch}, {heads}, T, {depth}), but they are {q.shape}, {k.shape} and"
                f" {v.shape}"
            )
        self.reserve(steps)
        keys, values, starts = self.keys[layer], self.values[layer], self.starts
        first = int(starts[0]) if batch else 0
        even = batch == 1 or bool((starts == first).all())
        if even:
            keys[:, :, first : first + steps] = k
            values[:, :, first : first + steps] = v
        else:
            for row, start in enumerate(starts.tolist()):
                keys[row, :, start : start + steps] = k[row]
                values[row, :, start : start + steps] = v[row]
        factor = depth**-0.5 if scale is None else float(scale)
        bias = None if bias is None else np.asarray(bias)
        window = self.windows[layer]
        found = kernels.cached_attention(q, keys, values, starts, factor, window, softcap, bias)
        return Tensor(found)

    def advance(self, counts: Any) -> None:
        """Count the tokens that all layers have been given: one number, or one for each sequence.

        What stands behind a sequence's own count is overwritten by its next tokens.
        """
        self.lengths += counts
        self.starts += counts

    def reserve(self, steps: int) -> None:
        """Make room for ``steps`` more tokens of each sequence.

        Raises ShapeError if they are more than a cache of fixed capacity has room for.
        """
        needed = (int(self.starts.max()) if self.batch else 0) + steps
        if needed <= self.capacity:
            return
        if self.window is not None:
            room = self.capacity - self.window + 1 - steps
            slack = min(SLACK, max(room, 0) // 2) if self.fixed else SLACK
            needed -= self._drop(self.window - 1 + slack)
            if needed <= self.capacity:
                return
        if self.fixed:
            raise ShapeError(
                f"KVCache: {steps} more tokens than the {int(self.starts.max(initial=0))} that are"
                f" held are above the capacity of {self.capacity}"
            )
        size = max(needed, 2 * self.capacity)
        for arrays in (self.keys, self.values):
            for i, old in enumerate(arrays):
                arrays[i] = np.zeros((*old.shape[:2], size, old.shape[3]), old.dtype)
                arrays[i][:, :, : old.shape[2]] = old

    def _drop(self, kept: int) -> int:
        """Of each sequence keep the last ``kept`` tokens; how many fewer the longest has then."""
        before = int(self.starts.max(initial=0))
        for row, start in enumerate(self.starts.tolist()):
            if start > kept:
                for array in (*self.keys, *self.values):
                    array[row, :, :kept] = array[row, :, start - kept : start].copy()
        np.minimum(self.starts, kept, out=self.starts)
        return before - int(self.starts.max(initial=0))

    # --- What a search calls ------------------------------------------------------------------

    def truncate(self, lengths: Any) -> None:
        """Forget all but the first ``lengths`` tokens, one number or one for each sequence.

        Raises ValueError for more than there are, and for fewer than a window's dropped tokens.
        """
        wanted = np.broadcast_to(
            integers("KVCache.truncate", "lengths", lengths), self.lengths.shape
        )
        starts = np.where(wanted == 0, 0, wanted - (self.lengths - self.starts))
        # Behind what was dropped there must still be all that the next token sees.
        least = np.where((self.starts < self.lengths) & (wanted > 0), (self.window or 1) - 1, 0)
        if (wanted < 0).any() or (wanted > self.lengths).any() or (starts < least).any():
            dropped = int((self.lengths - self.starts).max(initial=0))
            raise ValueError(
                f"KVCache.truncate: of {self.lengths.tolist()} tokens, {dropped} of them dropped"
                f" behind the window, {wanted.tolist()} cannot be left"
            )
        self.lengths[:] = wanted
        self.starts[:] = starts

    def reset(self) -> None:
        """Forget all tokens; the arrays stay."""
        self.lengths[:] = 0
        self.starts[:] = 0

    def reorder(self, indices: Any) -> None:
        """Make the sequences those of ``indices``, of which there may be more or fewer, as beams
        ask for."""
        indices = integers("KVCache.reorder", "indices", indices)
        held = int(self.starts.max(initial=0))
        if len(indices) == self.batch:
            (moved,) = np.nonzero(indices != np.arange(self.batch))
            if len(moved):
                for array in (*self.keys, *self.values):
                    array[moved, :, :held] = array[indices[moved], :, :held]
        else:
            for arrays in (self.keys, self.values):
                for i, old in enumerate(arrays):
                    arrays[i] = np.zeros((len(indices), *old.shape[1:]), old.dtype)
                    arrays[i][:, :, :held] = old[indices, :, :held]
        self.lengths, self.starts = self.lengths[indices], self.starts[indices]

    def repeat(self, count: int) -> None:
        """Each sequence ``count`` times, the copies beside each other."""
        whole("KVCache.repeat", 1, count=count)
        self.reorder(np.repeat(np.arange(self.batch), count))

    def copy(self) -> KVCache:
        """One more cache of the same tokens."""
        made = object.__new__(KVCache)
        made.windows, made.fixed = self.windows, self.fixed
        made.keys = [array.copy() for array in self.keys]
        made.values = [array.copy() for array in self.values]
        made.lengths, made.starts = self.lengths.copy(), self.starts.copy()
        return made
