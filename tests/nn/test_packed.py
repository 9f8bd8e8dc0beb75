"""Packed modules: states, copies, gradients, lanes, and what quantize replaces."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn


class Tied(nn.Module):
    """A table that is the last layer's weight too."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 32)
        self.inner = nn.Linear(32, 32)
        self.head = nn.Linear(32, 7, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens):
        return self.head(self.inner(self.table(tokens)))


TOKENS = np.array([[1, 2, 6]])


@pytest.mark.parametrize("kind", ["q4", "int8", "bf16"])
def test_quantized_models_are_saved_loaded_and_copied(kind: str) -> None:
    model = nn.packed.quantize(Tied(), kind)
    expected = model(tt.tensor(TOKENS)).numpy()
    assert model.head.matrix.data is model.table.matrix.data
    assert [*dict(model.named_parameters())] == ["inner.bias"]
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other(tt.tensor(TOKENS)).numpy(), expected)
        assert np.shares_memory(other.head.matrix.data, other.table.matrix.data)
        assert not np.shares_memory(other.head.matrix.data, model.head.matrix.data)
    for assign in (False, True):
        other = nn.packed.quantize(Tied(), kind)
        other.load_state_dict(model.state_dict(), assign=assign)
        np.testing.assert_array_equal(other(tt.tensor(TOKENS)).numpy(), expected)
    with pytest.raises(KeyError, match="weight_f16"):
        nn.packed.quantize(Tied(), "f16").load_state_dict(model.state_dict())


def test_rounding_is_that_of_the_weights_alone() -> None:
    layer = nn.packed.quantize(nn.Linear(32, 5), "q4")
    x = tt.tensor(np.random.default_rng(0).normal(size=(2, 32)))
    expected = x.numpy() @ layer.weight.numpy().astype(np.float64).T + layer.bias.numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)


def test_lanes() -> None:
    matrix = nn.PackedMatrix.of(np.eye(3, 32, dtype=np.float32), "q8_0")
    x, bias = tt.ones((4, 2, 32)), tt.ones((4, 3))
    out = tt.func.vmap(lambda x, b: tt.packed_linear(x, matrix, b))(x, bias)
    np.testing.assert_allclose(out.numpy(), np.full((4, 2, 3), 2), rtol=1e-3)
    assert tt.func.vmap(lambda x: tt.packed_linear(x, matrix))(x).shape == (4, 2, 3)


def test_what_quantize_leaves_alone() -> None:
    model = nn.Sequential(nn.Linear(33, 4), nn.Embedding(3, 32, max_norm=1.0), nn.ReLU())
    nn.packed.quantize(model, "q4")
    assert model[0].kind == "int8"
    assert type(model[1]) is nn.Embedding
    with pytest.raises(ValueError, match="whole blocks"):
        nn.packed.quantize(nn.Sequential(nn.Linear(32, 4), nn.Linear(33, 4)), "q4_1")


def test_bad_arguments() -> None:
    data = np.zeros((3, 64), np.uint8)
    int8 = nn.PackedMatrix("int8", (3, 64), data, np.ones(3))
    with pytest.raises(ValueError, match="kind is one of f32"):
        nn.PackedMatrix("q9", (3, 64), data)
    with pytest.raises(ValueError, match="takes 384 bytes, but data has 192"):
        nn.PackedMatrix("bf16", (3, 64), data)
    with pytest.raises(TypeError, match="scales belong to 'int8' alone"):
        nn.PackedMatrix("int8", (3, 64), data)
    with pytest.raises(ValueError, match="not finite"):
        nn.PackedMatrix.of(np.full((1, 32), np.nan), "q4_1")
    with pytest.raises(ValueError, match=r"x is \(63,\), matrix is \(3, 64\)"):
        tt.packed_linear(tt.ones(63), int8)
    with pytest.raises(TypeError, match="must be a PackedMatrix"):
        tt.packed_linear(tt.ones(64), data)
    with pytest.raises(IndexError, match="packed_embedding: indices holds 3"):
        nn.PackedEmbedding(int8)(tt.tensor([3]))
    with pytest.raises(AttributeError, match="does not change"):
        int8.kind = "f32"
