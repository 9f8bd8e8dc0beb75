"""Mixture of experts beside a plain loop, LoRA beside its formula, and weights that are shared."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn


def plain_mixture(layer: nn.MixtureOfExperts, x: tt.Tensor) -> tt.Tensor:
    """Each token by itself, through each of its experts."""
    rows, taken = [], np.zeros(len(layer.experts))
    shares = tt.softmax(layer.router(x), -1)
    chosen = np.argsort(-shares.numpy(), -1, kind="stable")[:, : layer.top_k]
    most = np.inf
    if layer.capacity_factor is not None:
        most = np.ceil(layer.capacity_factor * chosen.size / len(layer.experts))
    kept = np.zeros(chosen.shape, bool)
    for k in range(layer.top_k):
        for t in range(len(chosen)):
            kept[t, k] = taken[chosen[t, k]] < most
            taken[chosen[t, k]] += 1
    for t, experts in enumerate(chosen):
        own = shares[t][experts]
        own = own / own.sum() if layer.normalize else own
        row = tt.zeros(x.shape[1], dtype=x.dtype)
        for k, e in enumerate(experts):
            if kept[t, k]:
                row = row + own[k] * layer.experts[e](x[t : t + 1])[0]
        rows.append(row)
    return tt.stack(rows)


@pytest.mark.parametrize(
    "settings",
    [{}, {"top_k": 1, "normalize": False}, {"top_k": 3, "capacity_factor": 0.8}],
    ids=str,
)
def test_a_mixture_is_its_loop(settings: dict[str, Any]) -> None:
    tt.manual_seed(0)
    layer = nn.MixtureOfExperts(6, 5, experts=4, **settings).double()
    x = tt.randn(9, 6, dtype="float64", requires_grad=True)
    cotangent = tt.randn(9, 6, dtype="float64")
    wanted = [x, *layer.parameters()]
    out = layer(x)
    assert layer.balance_loss is not None
    assert layer.z_loss is not None
    extra = layer.balance_loss * 0.3 + layer.z_loss * 0.1
    found = tt.grad((out * cotangent).sum() + extra, wanted, allow_unused=True)
    scores = layer.router(x)
    shares = tt.softmax(scores, -1)
    order = np.argsort(-shares.numpy(), -1, kind="stable")[:, : layer.top_k]
    f = np.bincount(order.reshape(-1), minlength=4) / order.size
    balance = 4 * (shares.mean(0) * f).sum()
    extra = balance * 0.3 + (tt.logsumexp(scores, -1) ** 2).mean() * 0.1
    other = plain_mixture(layer, x)
    np.testing.assert_allclose(out.numpy(), other.numpy(), rtol=1e-12, atol=1e-14)
    expected = tt.grad((other * cotangent).sum() + extra, wanted, allow_unused=True)
    for got, want in zip(found, expected, strict=True):
        assert (got is None) == (want is None)
        if got is not None and want is not None:
            np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-9, atol=1e-12)
    assert layer.load.sum() == 9 * layer.top_k
    assert (layer.dropped > 0) == ("capacity_factor" in settings)
    assert layer(tt.zeros((2, 0, 6), dtype="float64")).shape == (2, 0, 6)


def test_lora() -> None:
    tt.manual_seed(1)
    model = nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    tokens = tt.tensor([[1, 2], [6, 0]])
    plain = model(tokens).numpy()
    assert nn.apply_lora(model, ["0", "1", "3"], rank=2, alpha=3.0) == ["0", "1", "3"]
    np.testing.assert_array_equal(model(tokens).numpy(), plain)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name), name
    optimizer = tt.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (model(tokens) ** 2).sum().backward()
        optimizer.step()
    learned = model(tokens).numpy()
    assert np.abs(learned - plain).max() > 1e-3
    layer = model[1]
    a, b = layer.lora_A.weight.numpy(), layer.lora_B.weight.numpy()
    np.testing.assert_allclose(layer.delta(), 1.5 * b @ a)
    state = {k: v.numpy().copy() for k, v in nn.lora_state_dict(model).items()}
    assert sorted(state)[:2] == [
        "base_model.model.0.lora_embedding_A", "base_model.model.0.lora_embedding_B",
    ]  # fmt: skip
    layer.merge().merge()
    np.testing.assert_allclose(model(tokens).numpy(), learned, rtol=1e-12)
    layer.unmerge()
    np.testing.assert_allclose(layer.base_layer.weight.numpy(), before["1.weight"], rtol=1e-12)
    fresh = nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    fresh.load_state_dict(before)
    nn.apply_lora(fresh, lambda name, one: hasattr(one, "weight"), rank=2, alpha=3.0)
    with pytest.raises(KeyError, match="the names differ"):
        nn.load_lora_state_dict(fresh, {})
    nn.load_lora_state_dict(fresh, state)
    np.testing.assert_allclose(fresh(tokens).numpy(), learned, rtol=1e-12)
    nn.merge_lora(fresh)
    assert list(fresh.state_dict()) == list(before)
    np.testing.assert_allclose(fresh(tokens).numpy(), learned, rtol=1e-10)
    with pytest.raises(ValueError, match="no layer of Sequential is named"):
        nn.apply_lora(fresh, ["q_proj"])
    with pytest.raises(TypeError, match="there is none for Tanh"):
        nn.LoRA(nn.Tanh())


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: tt.Tensor) -> tt.Tensor:
        return self.head(self.table(tokens))


def test_shared_weights_count_once() -> None:
    model = Tied()
    assert len(list(model.parameters())) == 1
    assert list(model.state_dict()) == ["table.weight", "head.weight"]  # as PyTorch's
    tokens = tt.tensor([1, 2, 4])
    start = model.table.weight.numpy().copy()
    model(tokens).sum().backward()
    grad = model.table.weight.grad
    assert grad is not None
    kept = grad.numpy().copy()
    tt.optim.SGD(model.parameters(), lr=0.5).step()
    np.testing.assert_allclose(model.head.weight.numpy(), start - 0.5 * kept, rtol=1e-6)
    twin = copy.deepcopy(model)
    assert twin.head.weight is twin.table.weight is not model.table.weight
    other = Tied()
    other.load_state_dict(model.state_dict())
    assert other.head.weight is other.table.weight
    np.testing.assert_array_equal(other(tokens).detach().numpy(), model(tokens).detach().numpy())


def test_positions_that_are_added() -> None:
    x = tt.zeros((2, 5, 6), dtype="float64")
    p, i = np.arange(5)[:, None], np.arange(3)
    layer = nn.SinusoidalPositions(6)
    table = layer(x).numpy()[0]
    np.testing.assert_allclose(table[:, ::2], np.sin(p / 10000 ** (2 * i / 6)))
    np.testing.assert_allclose(table[:, 1::2], np.cos(p / 10000 ** (2 * i / 6)))
    halves = nn.SinusoidalPositions(6, layout="halves")(x, [[0, 1, 2, 3, 4]] * 2).numpy()[1]
    np.testing.assert_allclose(halves[:, :3], np.sin(p / 10000 ** (i / 2)))
    np.testing.assert_allclose(halves[:, 3:], np.cos(p / 10000 ** (i / 2)))
    learned = nn.LearnedPositions(5, 6)
    wanted = learned.weight.numpy()[[4, 0]]
    np.testing.assert_array_equal(learned(tt.zeros((2, 6)), tt.tensor([4, 0])).numpy(), wanted)
    with pytest.raises(tt.ShapeError, match="LearnedPositions: 9 positions"):
        learned(tt.zeros((9, 6)))
    with pytest.raises(tt.ShapeError, match=r"needs x \(…, T, 6\)"):
        layer(tt.zeros(5, 4))


def test_checkpointed_blocks() -> None:
    """The same gradients, to the bit, and less that is held; also of a copy, and back again."""
    tt.manual_seed(0)
    sizes = tt.models.GPTConfig(vocab_size=9, n_layer=3, n_embd=16, n_head=2, dropout=0.1)
    model = tt.models.GPT(sizes)
    tokens = tt.tensor([[1, 2, 3, 4, 5, 6]] * 2)

    def gradients(model: Any) -> tuple[list[np.ndarray], int]:
        tt.manual_seed(3)
        model.zero_grad()
        with tt.saved_memory() as saved:
            loss = model(tokens).sum()
            held = saved.total
        loss.backward()
        return [p.grad.numpy().copy() for p in model.parameters()], held

    plain, much = gradients(model)
    found, little = gradients(copy.deepcopy(model.checkpoint_blocks()))
    assert little < much / 2
    for got, want in zip(found, plain, strict=True):
        np.testing.assert_array_equal(got, want)
    assert gradients(model.checkpoint_blocks(False))[1] == much
    with pytest.raises(ValueError, match="Linear: there is no ModuleList"):
        nn.Linear(2, 2).checkpoint_blocks()


CONVOLUTIONS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "line": (lambda: nn.Conv1d(4, 6, 3, padding="same", dilation=2), (2, 4, 9)),
    "image": (lambda: nn.Conv2d(4, 6, (3, 2), 2, (1, 2), padding_mode="reflect"), (2, 4, 7, 8)),
    "volume": (lambda: nn.Conv3d(4, 6, 1, bias=False), (1, 4, 2, 3, 2)),
    "groups": (lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), (2, 4, 6, 5)),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_lora_of_convolutions(kind: str) -> None:
    """As peft has it: A is a convolution of all channels, B one of size 1, in the groups."""
    tt.manual_seed(0)
    make, shape = CONVOLUTIONS[kind]
    model = nn.Sequential(make()).double()
    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    x = tt.randn(*shape, dtype="float64")
    plain = model(x).numpy()
    nn.apply_lora(model, ["0"], rank=4, alpha=2.0)
    np.testing.assert_array_equal(model(x).numpy(), plain)
    layer = model[0]
    a, b = layer.lora_A.weight, layer.lora_B.weight
    assert a.shape == (4, 4, *layer.base_layer.kernel_size)
    assert b.shape == (6, 4 // layer.base_layer.groups, *(1,) * (len(shape) - 2))
    assert sorted(nn.lora_state_dict(model)) == [
        f"base_model.model.0.lora_{which}.weight" for which in "AB"
    ]
    (model(x) ** 2).sum().backward()
    assert np.abs(b.grad.numpy()).max() > 0
    tt.nn.init.normal_(b)
    learned = model(x).numpy()
    assert np.abs(learned - plain).max() > 1e-3
    if kind == "groups":
        low = layer.lora_A(x).numpy().reshape(2, 2, 2, 6, 5)  # of each group
        share = np.einsum("ngrhw,gkr->ngkhw", low, b.numpy().reshape(2, 3, 2))
        np.testing.assert_allclose(learned, plain + 0.5 * share.reshape(plain.shape), rtol=1e-10)
        with pytest.raises(TypeError, match="cannot be added to a weight in groups"):
            nn.merge_lora(model)
        with pytest.raises(ValueError, match="groups 2 must divide the rank 3"):
            nn.LoRA(layer.base_layer, rank=3)
        return
    nn.merge_lora(model)
    assert list(model.state_dict()) == list(before)
    np.testing.assert_allclose(model(x).numpy(), learned, rtol=1e-10, atol=1e-12)


def test_lora_of_a_table_learns_nothing_of_the_padding() -> None:
    tokens = tt.tensor([[1, 2, 2]])
    layer = nn.LoRA(nn.Embedding(4, 3, padding_idx=1), rank=2)
    layer(tokens).sum().backward()
    learned = np.abs(layer.lora_embedding_A.grad.numpy()).sum(0)
    assert (learned > 0).tolist() == [False, False, True, False]
    packed = nn.packed.quantize(nn.Embedding(5, 32), "q8_0")
    assert isinstance(packed, nn.PackedEmbedding)
    layer = nn.LoRA(packed, rank=2)
    np.testing.assert_array_equal(layer(tokens).numpy(), packed(tokens).numpy())
    tt.nn.init.ones_(layer.lora_embedding_A)
    expected = packed(tokens).numpy() + layer.lora_embedding_B.numpy().sum(1)
    np.testing.assert_allclose(layer(tokens).numpy(), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(TypeError, match="PackedEmbedding has no weight to be added to"):
        layer.merge()


def test_lora_beside_packed_weights() -> None:
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 8), nn.Tanh())
    nn.packed.quantize(model, "q8_0")
    x = tt.randn(3, 64)
    plain = model(x).numpy()
    nn.apply_lora(model, ["0"], rank=2)
    np.testing.assert_array_equal(model(x).numpy(), plain)
    model(x).sum().backward()
    assert np.abs(model[0].lora_B.weight.grad.numpy()).max() > 0
    with pytest.raises(TypeError, match="PackedLinear has no weight to be added to"):
        nn.merge_lora(model)
