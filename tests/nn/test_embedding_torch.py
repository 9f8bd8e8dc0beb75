"""Embedding and EmbeddingBag beside PyTorch's: all arguments, values and gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn

torch = pytest.importorskip("torch")

TABLE = np.random.default_rng(0).normal(size=(7, 3))
INDICES = np.array([1, 4, 4, 0, 6, 4, 1, 2])


def compare(name: str, settings: dict[str, Any], *arrays: Any) -> None:
    found = []
    for library in (tt, torch):
        layer = getattr(library.nn, name)(7, 3, _weight=library.tensor(TABLE.copy()), **settings)
        given = [None if a is None else library.tensor(a) for a in arrays]
        if len(given) > 2 and given[2] is not None:
            given[2].requires_grad = True
        out = layer(*given)
        weights = np.random.default_rng(1).normal(size=tuple(out.shape))
        (out * library.tensor(weights)).sum().backward()
        extra = [given[2].grad] if len(given) > 2 and given[2] is not None else []
        tensors = [out.detach(), layer.weight.detach(), layer.weight.grad, *extra]
        found.append((repr(layer), list(layer.state_dict()), [x.numpy() for x in tensors]))
    assert found[0][:2] == found[1][:2]
    for got, wanted in zip(found[0][2], found[1][2], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale_grad_by_freq", [False, True])
@pytest.mark.parametrize(("max_norm", "norm_type"), [(None, 2.0), (1.0, 2.0), (1.5, 1.0)])
@pytest.mark.parametrize("padding_idx", [None, 4, -3])
def test_embedding(
    padding_idx: int | None, max_norm: float | None, norm_type: float, scale_grad_by_freq: bool
) -> None:
    settings = {
        "padding_idx": padding_idx,
        "max_norm": max_norm,
        "norm_type": norm_type,
        "scale_grad_by_freq": scale_grad_by_freq,
    }
    compare("Embedding", settings, INDICES.reshape(2, 4))


BAGS = [
    (INDICES.reshape(2, 4), None),
    (INDICES, np.array([0, 3, 3, 7])),
    (INDICES, np.array([0, 8])),
    (INDICES[:0], np.array([0, 0])),
]


@pytest.mark.parametrize("bags", range(len(BAGS)))
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(("padding_idx", "max_norm"), [*product([None, 4], [None, 1.0])])
def test_embedding_bag(
    bags: int, mode: str, padding_idx: int | None, max_norm: float | None
) -> None:
    indices, offsets = BAGS[bags]
    settings = {"mode": mode, "padding_idx": padding_idx, "max_norm": max_norm}
    compare("EmbeddingBag", settings, indices, offsets)
    if offsets is not None and len(indices):
        ended = np.append(offsets, len(indices))
        compare("EmbeddingBag", {**settings, "include_last_offset": True}, indices, ended)
    if mode == "sum":
        weights = np.random.default_rng(2).normal(size=indices.shape)
        compare("EmbeddingBag", settings, indices, offsets, weights)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_gradients_of_bags_by_frequency(mode: str) -> None:
    """Divided by how often a row is looked up. (PyTorch takes the counts of other rows.)"""
    found = []
    for frequency in (False, True):
        layer = nn.EmbeddingBag(
            7, 3, mode=mode, scale_grad_by_freq=frequency, _weight=tt.tensor(TABLE.copy())
        )
        layer(tt.tensor(INDICES), tt.tensor([0, 3, 5])).sum().backward()
        assert layer.weight.grad is not None
        found.append(layer.weight.grad.numpy())
    counts = np.maximum(np.bincount(INDICES, minlength=7), 1)
    np.testing.assert_allclose(found[1], found[0] / counts[:, None], rtol=1e-12)
    with pytest.raises(ValueError, match="EmbeddingBag: scale_grad_by_freq is for the modes"):
        nn.EmbeddingBag(7, 3, mode="max", scale_grad_by_freq=True)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_second_gradients(mode: str) -> None:
    weights = np.random.default_rng(2).normal(size=8) if mode == "sum" else None

    def call(table: Any, *weights: Any) -> Any:
        out = nn.functional.embedding_bag(
            INDICES,
            table * table,
            np.array([0, 3]),
            mode=mode,
            per_sample_weights=weights[0] if weights else None,
        )
        return out * out

    tt.func.check_grad(call, TABLE, *([] if weights is None else [weights]), order=2, atol=1e-5)


def test_tables_of_others() -> None:
    table = tt.tensor(TABLE)
    for make in (nn.Embedding, nn.EmbeddingBag):
        layer = make.from_pretrained(table, max_norm=5.0, padding_idx=2)
        assert layer.weight.value is table.value
        assert not layer.weight.requires_grad
        assert make.from_pretrained(table, freeze=False).weight.requires_grad
    assert not nn.Embedding(3, 2, _freeze=True).weight.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.EmbeddingBag(3, 2, mode="min"), "EmbeddingBag: mode is 'sum', 'mean' or"),
        (lambda: nn.Embedding(3, 2, 3), "Embedding: padding_idx 3 of 3 rows"),
        (lambda: nn.Embedding(3, 2, max_norm=-1.0), "Embedding: max_norm must be at least 0"),
        (lambda: nn.Embedding(3, 2, _weight=tt.ones(2, 3)), "Embedding: the weight must be"),
        (lambda: bag(np.array([1])), r"embedding_bag: input must be \(B, n\), or have one axis"),
        (lambda: bag(np.array([[1]]), np.array([0])), "embedding_bag: the rows of input"),
        (lambda: bag(np.array([1.0]), np.array([0])), "embedding_bag: input must be integers"),
        (lambda: bag(np.array([1, 2]), np.array([1])), "embedding_bag: offsets must rise from 0"),
        (lambda: bag(np.array([1, 2]), np.array([0, 3])), "embedding_bag: offsets must rise"),
        (lambda: bag(np.array([1, 2]), np.array([0, 2, 1])), "embedding_bag: offsets must rise"),
        (lambda: bag(np.array([9]), np.array([0])), "embedding: "),
        (
            lambda: nn.functional.embedding_bag(
                np.array([[1]]), tt.ones(3, 2), per_sample_weights=tt.ones(1, 1)
            ),
            "embedding_bag: per_sample_weights are for the mode 'sum'",
        ),
    ],
)  # fmt: skip
def test_errors(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, IndexError), match=f"^{message}"):
        call()


def bag(*args: Any) -> Any:
    return nn.functional.embedding_bag(args[0], tt.ones(3, 2), *args[1:])
