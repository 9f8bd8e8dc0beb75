"""Embedding: the kernel against its twin, the padding row, bad indices."""

from __future__ import annotations

import numpy as np
import pytest

import tinytensor as tt

from ..twins import assert_like_twin, normal


@pytest.mark.parametrize("width", [1, 13, 64])
def test_embedding(isa, width):
    weight, indices = normal(5000, width), np.random.default_rng(0).integers(0, 50, (40, 9))
    assert_like_twin("embedding", indices, weight)
    assert_like_twin("embedding_backward", normal(40, 9, width), indices, 5000, 3)


@pytest.mark.parametrize("padding", [3, -2])
def test_the_padding_row_gets_no_gradient(padding, torch):
    weight, indices = normal(5, 4), np.array([[1, 3], [3, 0]])
    ours = tt.Tensor(weight, requires_grad=True)
    tt.embedding(indices, ours, padding).sum().backward()
    theirs = torch.tensor(weight, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor(indices), theirs, padding).sum().backward()
    np.testing.assert_array_equal(ours.grad.value, theirs.grad.numpy())
    g = tt.Tensor(normal(2, 2, 4), requires_grad=True)
    ours = tt.Tensor(weight, requires_grad=True)
    out = tt.embedding(indices, ours, padding)
    (found,) = tt.grad(out, [ours], g, create_graph=True)
    found.sum().backward()
    np.testing.assert_array_equal(g.grad.value[..., 0], indices != 3)


def test_bad_indices():
    weight = tt.zeros((4, 3))
    for bad in (4, -1, -(2**62)):
        with pytest.raises(IndexError, match=rf"^embedding: indices holds {bad}, outside \[0, 4\)"):
            tt.embedding(np.array([0, bad]), weight)
    with pytest.raises(TypeError, match=r"^embedding: indices must be integers"):
        tt.embedding(np.array([0.0]), weight)
    with pytest.raises(tt.ShapeError, match=r"^embedding: weight"):
        tt.embedding(np.array([0]), weight[0])
    with pytest.raises(IndexError, match=r"^embedding: padding_idx"):
        tt.embedding(np.array([0]), weight, 4)
