"""A learned bias of attention by distance, far distances in buckets: T5's (Raffel et al. 2020)."""

from __future__ import annotations

import math

import numpy as np

from ... import nn, ops
from ...nn import functional as F
from ...tensors.tensor import Tensor


def bucket(distance: Tensor, count: int, most: int, both: bool) -> Tensor:
    """The bucket, of ``count``, of each distance key - query.

    Each of the near distances has its own, farther ones share them by ratio up to ``most``. Half of
    all are for keys behind the query if ``both`` ways count; otherwise those are as near as it.
    """
    behind: Tensor | None = None
    if both:
        count //= 2
        behind = ops.multiply(ops.astype(ops.greater(distance, 0), np.int64), count)
        distance = ops.abs(distance)
    else:
        distance = ops.maximum(ops.negative(distance), 0)
    exact = count // 2
    # In float32, whose rounding decides the bucket of powers of the ratio.
    ratio = ops.log(ops.astype(ops.maximum(distance, 1), np.float32) / np.float32(exact))
    ratio = ratio / np.float32(math.log(most / exact)) * np.float32(count - exact)
    far = ops.minimum(ops.astype(ratio, np.int64) + exact, count - 1)
    found = ops.where(ops.less(distance, exact), distance, far)
    return found if behind is None else found + behind


class RelativeBias(nn.Module):
    """What distances add to the scores of attention, by a table ``weight`` (buckets, heads).

    >>> RelativeBias(8, 2, most=20, both=True)(new=3, before=1).shape
    (1, 2, 3, 4)
    """

    def __init__(self, buckets: int, heads: int, most: int, both: bool) -> None:
        exact = buckets // (4 if both else 2)
        if exact < 1 or most <= exact:
            raise ValueError(f"RelativeBias: {buckets} buckets do not reach a distance of {most}")
        super().__init__()
        self.weight = nn.Parameter(nn.init.empty(buckets, heads))
        nn.init.normal_(self.weight)
        self.most, self.both = most, both

    def forward(self, new: int, before: int = 0) -> Tensor:
        """(1, heads, new, before + new), for queries behind ``before`` others."""
        keys, queries = np.arange(before + new), np.arange(before, before + new)
        distance = Tensor(keys) - ops.expand_dims(Tensor(queries), 1)
        buckets = bucket(distance, len(self.weight), self.most, self.both)
        return ops.expand_dims(F.embedding(buckets, self.weight).permute(2, 0, 1), 0)
