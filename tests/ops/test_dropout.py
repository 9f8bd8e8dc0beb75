"""Dropout: its stream of random bits, its distribution, seeds, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels
from tinytensor.kernels import reference

from ..twins import normal


def test_philox_is_the_published_one():
    """The known answers of Random123 for a key and a counter of zeros."""
    words = reference.philox(0, np.zeros(1, np.uint64))[0]
    assert [f"{w:08x}" for w in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("n", [0, 1, 5, 131, 70_000])
def test_dropout_is_the_same_stream(isa, n):
    key = 2**63 + 12345
    np.testing.assert_array_equal(
        kernels.dropout(normal(n), 0.3, key), reference.dropout(normal(n), 0.3, key)
    )


def test_dropout_keeps_the_mean():
    n, p = 1_000_000, 0.3
    out = tt.dropout(tt.ones(n), p, generator=np.random.default_rng(0)).value
    dropped = np.mean(out == 0)
    assert abs(dropped - p) < 5 * np.sqrt(p * (1 - p) / n)
    assert abs(out.mean() - 1) < 0.01
    assert set(np.unique(out)) == {0, np.float32(1 / (1 - p))}


def test_a_seed_repeats_dropout_and_the_next_draw_differs():
    x = tt.ones(1000)
    tt.manual_seed(1)
    first, second = tt.dropout(x).value, tt.dropout(x).value
    tt.manual_seed(1)
    np.testing.assert_array_equal(tt.dropout(x).value, first)
    assert not np.array_equal(first, second)


def test_bad_dropout():
    with pytest.raises(ValueError, match=r"^dropout: p"):
        tt.dropout(tt.ones(3), 1.5)
    with pytest.raises(TypeError, match="generator"):
        tt.dropout(tt.ones(3), generator=np.random)
