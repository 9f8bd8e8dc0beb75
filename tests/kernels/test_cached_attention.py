"""Attention over a cache against its twin, and against attention without one."""

from __future__ import annotations

import numpy as np
import pytest

from tinytensor import kernels
from tinytensor.kernels import reference
from tinytensor.kernels.reference.attention import Look

from ..twins import assert_close, normal

# batch, heads, heads of the keys, queries, capacity, depth
SIZES = [
    (1, 1, 1, 1, 1, 1),
    (2, 6, 2, 1, 100, 64),
    (3, 4, 1, 5, 90, 40),
    (1, 2, 2, 3, 1500, 16),
    (2, 4, 2, 33, 150, 24),
    (1, 9, 3, 1, 70, 130),
]


def arguments(size):
    batch, heads, shared, queries, capacity, depth = size
    q = normal(batch, heads, queries, depth)
    keys, values = normal(2, batch, shared, capacity, depth, seed=1)
    starts = np.linspace(capacity - queries, 0, batch).astype(np.int64)
    return q, keys, values, starts


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_like_the_twin(isa, size):
    batch, heads, _, queries, capacity, _ = size
    args = arguments(size)
    plain = normal(capacity, seed=3)
    by_query = normal(batch, 1, queries, capacity, seed=4)
    by_query[..., ::3] = -np.inf
    by_query[..., -1] = 0
    for window, softcap, bias in (
        (None, None, None),
        (7, None, plain),
        (None, 2.0, by_query),
        (3, 1.5, normal(1, heads, 1, 1, seed=5)),
    ):
        how = (0.4, window, softcap, bias)
        with np.errstate(invalid="ignore"):
            expected = reference.cached_attention(*args, *how)
        assert_close(kernels.cached_attention(*args, *how), expected)


def test_it_is_attention_of_the_rows_before():
    """A causal call on all tokens, and its last queries on a cache of them."""
    q, (k, v) = normal(2, 4, 20, 32), normal(2, 2, 2, 20, 32, seed=1)
    whole, _ = kernels.attention(q, k, v, None, None, Look(0.2, right=0))
    starts = np.array([17, 17])
    last = kernels.cached_attention(q[:, :, 17:], k, v, starts, 0.2)
    assert_close(last, np.ascontiguousarray(whole[:, :, 17:]))


@pytest.mark.parametrize("capacity", [40, 1200])
def test_what_stands_behind_is_not_read(isa, capacity):
    q, keys, values, _ = arguments((2, 4, 2, 2, capacity, 24))
    starts = np.array([5, capacity - 10])
    clean = kernels.cached_attention(q, keys, values, starts, 0.3)
    for row, start in enumerate(starts):
        keys[row, :, start + 2 :] = values[row, :, start + 2 :] = np.nan
    np.testing.assert_array_equal(kernels.cached_attention(q, keys, values, starts, 0.3), clean)


def test_bitwise_the_same_for_any_number_of_threads(num_threads):
    args = arguments((1, 3, 3, 2, 2000, 32))
    num_threads(1)
    alone = kernels.cached_attention(*args, 0.3)
    num_threads(4)
    np.testing.assert_array_equal(kernels.cached_attention(*args, 0.3), alone)


def test_layouts(isa):
    q, keys, values, starts = arguments((2, 4, 2, 3, 60, 16))
    expected = reference.cached_attention(q, keys, values, starts, 0.3)
    turned = [x.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3) for x in (q, keys, values)]
    assert_close(kernels.cached_attention(*turned, starts, 0.3), expected)


def test_starts_that_do_not_fit():
    q, keys, values, _ = arguments((2, 4, 2, 3, 60, 16))
    for starts in ([0], [0, 58], [-1, 0]):
        with pytest.raises(ValueError, match="cached_attention: starts"):
            kernels.cached_attention(q, keys, values, np.array(starts), 0.3)
    with pytest.raises(ValueError, match="bias"):
        kernels.cached_attention(q, keys, values, np.array([0, 9]), 0.3, bias=normal(5))
