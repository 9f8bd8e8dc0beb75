"""Hessians and Jacobians of five models beside PyTorch's, in float64, by all their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.func import functional_call, hessian, hvp, jacfwd, jacrev

torch = pytest.importorskip("torch")

TOLERANCE = 1e-8  # of each element, and of the largest element of the matrix


class Normalized(torch.nn.Module):
    """Layer norm (axis -1) or batch norm (axis 0) by its formula. PyTorch 2.13's own ones have a
    Hessian under ``torch.func`` that is not symmetric, and differs from ``torch.autograd``'s."""

    def __init__(self, size: int, axis: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))
        self.bias = torch.nn.Parameter(torch.zeros(size))
        self.axis = axis

    def forward(self, x):
        centred = x - x.mean(self.axis, keepdim=True)
        variance = (centred**2).mean(self.axis, keepdim=True)
        return centred / torch.sqrt(variance + 1e-5) * self.weight + self.bias


def layer_norm(lib: Any, size: int) -> Any:
    return lib.nn.LayerNorm(size) if lib is tt else Normalized(size, axis=-1)


def batch_norm(lib: Any, size: int) -> Any:
    return lib.nn.BatchNorm1d(size) if lib is tt else Normalized(size, axis=0)


def mlp(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 2))


def cnn(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 2, 2, stride=2),
        nn.Tanh(),
        nn.AvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 2),
    )


def char_lstm(lib: Any) -> Any:
    class CharLSTM(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = lib.nn.Embedding(4, 2)
            self.lstm = lib.nn.LSTM(2, 3, batch_first=True)
            self.head = lib.nn.Linear(3, 4)

        def forward(self, codes):
            hidden, _ = self.lstm(self.embedding(codes))
            return self.head(hidden)

    return CharLSTM()


def transformer_block(lib: Any) -> Any:
    class Block(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = layer_norm(lib, 4), layer_norm(lib, 4)
            self.qkv, self.out = lib.nn.Linear(4, 12), lib.nn.Linear(4, 4)
            self.up, self.down = lib.nn.Linear(4, 5), lib.nn.Linear(5, 4)

        def forward(self, x):
            batch, time, _ = x.shape
            heads = self.qkv(self.norm1(x)).reshape(batch, time, 3, 2, 2).permute(2, 0, 3, 1, 4)
            mixed = lib.nn.functional.scaled_dot_product_attention(
                heads[0], heads[1], heads[2], is_causal=True
            )
            x = x + self.out(mixed.permute(0, 2, 1, 3).reshape(batch, time, 4))
            return x + self.down(lib.nn.functional.gelu(self.up(self.norm2(x))))

    return Block()


def batch_norm_net(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Linear(3, 4),
        batch_norm(lib, 4),
        nn.Sigmoid(),
        nn.Linear(4, 3),
    )


def squares(lib: Any, out: Any, y: Any) -> Any:
    return ((out - y) ** 2).mean()


def cross_entropy(lib: Any, out: Any, y: Any) -> Any:
    return lib.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))


Model = tuple[Callable[[Any], Any], Callable[..., Any], Callable[..., Any]]
MODELS: dict[str, Model] = {
    "mlp": (mlp, squares, lambda rng: (rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))),
    "cnn": (
        cnn,
        cross_entropy,
        lambda rng: (rng.normal(size=(3, 1, 4, 4)), rng.integers(2, size=3)),
    ),
    "char-LSTM": (
        char_lstm,
        cross_entropy,
        lambda rng: (rng.integers(4, size=(2, 5)), rng.integers(4, size=(2, 5))),
    ),
    "transformer block": (
        transformer_block,
        squares,
        lambda rng: (rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))),
    ),
    "batch-norm net": (
        batch_norm_net,
        cross_entropy,
        lambda rng: (rng.normal(size=(6, 3)), rng.integers(3, size=6)),
    ),
}


def made(name: str, rng: np.random.Generator) -> tuple[Any, Any, Callable[..., Any], Any, Any]:
    """The model in both libraries with the same parameters, its loss and a batch."""
    model, loss, batch = MODELS[name]
    ours, theirs = model(tt).double(), model(torch).double()
    for p in ours.parameters():
        p.data = p.numpy() + 0.3 * rng.normal(size=p.shape)
    theirs.load_state_dict(
        {k: torch.from_numpy(p.detach().numpy()) for k, p in ours.named_parameters()}
    )
    x, y = batch(rng)
    return ours, theirs, loss, x, y


@pytest.mark.parametrize("name", MODELS)
def test_hessian_and_its_product(name: str, rng: np.random.Generator) -> None:
    ours, theirs, loss, x, y = made(name, rng)

    def our_loss(model):
        return loss(tt, model(tt.Tensor(x)), tt.Tensor(y))

    def their_loss(parameters):
        out = torch.func.functional_call(theirs, parameters, torch.from_numpy(x))
        return loss(torch, out, torch.from_numpy(y))

    parameters = {k: p.detach() for k, p in theirs.named_parameters()}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        expected = torch.func.hessian(their_loss)(parameters)
    found = hessian(our_loss)(ours)
    along = {k: rng.normal(size=p.shape) for k, p in parameters.items()}
    product = hvp(our_loss, (ours,), (along,))
    largest = max(e.abs().max().item() for row in expected.values() for e in row.values())
    assert found.keys() == expected.keys()
    for a in expected:
        assert found[a].keys() == expected[a].keys()
        for b, block in expected[a].items():
            assert_close(found[a][b], block.numpy(), largest, f"{name}: {a}, {b}")
        times = [np.tensordot(h.numpy(), along[b], along[b].ndim) for b, h in expected[a].items()]
        assert_close(product[a], sum(times), largest, f"{name}: {a}, product")


def assert_close(got: tt.Tensor, expected: np.ndarray, largest: float, what: str) -> None:
    atol = TOLERANCE * largest  # for what is 0 but for rounding
    np.testing.assert_allclose(got.numpy(), expected, rtol=TOLERANCE, atol=atol, err_msg=what)


@pytest.mark.parametrize("name", MODELS)
def test_jacobians_forward_and_in_reverse(name: str, rng: np.random.Generator) -> None:
    ours, _, _, x, _ = made(name, rng)

    def outputs(parameters):
        return functional_call(ours, parameters, tt.Tensor(x))

    parameters = {k: p.detach() for k, p in ours.named_parameters()}
    rows, columns = jacrev(outputs)(parameters), jacfwd(outputs)(parameters)
    for key, p in parameters.items():
        assert rows[key].shape[-p.ndim :] == p.shape
        np.testing.assert_allclose(
            columns[key].numpy(), rows[key].numpy(), rtol=1e-10, atol=1e-12, err_msg=key
        )
