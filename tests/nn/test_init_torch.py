"""Initial values beside PyTorch's."""

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((3, 3, 3), 1), ((6, 2, 4), 3), ((2, 5, 3, 2), 1), ((5, 2, 1, 3), 1), ((4, 3, 2, 3, 3), 2)],
)
def test_dirac(shape, groups):
    ours = nn.init.dirac_(tt.ones(shape), groups)
    theirs = torch.nn.init.dirac_(torch.ones(shape), groups)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_dirac_hands_on_what_it_is_given():
    x = tt.tensor(np.random.default_rng(0).normal(size=(1, 3, 5, 5)))
    weight = nn.init.dirac_(tt.zeros((3, 3, 3, 3), dtype=tt.float64))
    assert nn.functional.conv2d(x, weight, padding=1).tolist() == x.tolist()
    with pytest.raises(ValueError, match="dirac_: 3 filters do not divide into 2 groups"):
        nn.init.dirac_(tt.zeros((3, 3, 3)), 2)
    with pytest.raises(tt.ShapeError, match="not of 3, 4 or 5 axes"):
        nn.init.dirac_(tt.zeros((3, 3)))


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 1.0])
def test_sparse(sparsity):
    """As many zeros in each column as PyTorch makes, and the deviation of the others."""
    ours = nn.init.sparse_(tt.ones((40, 25)), sparsity, std=2.0).numpy()
    theirs = torch.nn.init.sparse_(torch.ones((40, 25)), sparsity, std=2.0).numpy()
    np.testing.assert_array_equal((ours == 0).sum(0), (theirs == 0).sum(0))
    if sparsity < 1:
        assert 1.7 < ours[ours != 0].std() < 2.3
    with pytest.raises(ValueError, match="sparse_: sparsity must be from 0 to 1"):
        nn.init.sparse_(tt.ones((2, 2)), 1.5)
    with pytest.raises(tt.ShapeError, match="not a matrix"):
        nn.init.sparse_(tt.ones(2), 0.5)
