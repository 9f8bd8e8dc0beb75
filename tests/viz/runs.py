"""Eight programs, recorded: what the explorer's page is made of in its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.models import LeNet
from tinytensor.models.language.gpt import Block, GPTConfig
from tinytensor.scalar import Value


class Run(NamedTuple):
    """A recording, the arrays of the program's variables by name, and the gradients of leaves as
    the engine left them: by name too, the last ones of each."""

    recording: Any
    arrays: dict[str, Any]
    gradients: dict[str, Any]


def draws(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def gradients_of(model: nn.Module) -> dict[str, Any]:
    return {name: np.asarray(p.grad) for name, p in model.named_parameters()}


def scalars() -> Run:
    with tt.viz.record(title="(a·b + c).tanh()") as recording:
        a, b, c = Value(0.5), Value(-3.0), Value(2.0)
        y = (a * b + c).tanh()
        y.backward()
    gradients = {"a": a.grad.data, "b": b.grad.data, "c": c.grad.data}
    return Run(recording, {"a": 0.5, "y": y.data}, gradients)


def mlp() -> Run:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, targets = tt.tensor(draws(6, 4)), tt.tensor(np.array([0, 2, 1, 1, 0, 2]))
    with tt.viz.record(model, title="A step of an MLP") as recording:
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, targets)
        loss.backward()
        optimizer.step()
    return Run(recording, {"logits": logits, "loss": loss}, gradients_of(model))


def lenet() -> Run:
    model = LeNet()
    images, labels = tt.tensor(draws(2, 1, 28, 28)), tt.tensor(np.array([3, 7]))
    with tt.viz.record(model, title="LeNet") as recording:
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
    return Run(recording, {"logits": logits, "loss": loss}, gradients_of(model))


def lstm() -> Run:
    model = nn.LSTM(3, 4, num_layers=2)
    x = tt.tensor(draws(5, 2, 3))
    with tt.viz.record(model, title="A two-layer LSTM") as recording:
        out, (h, _) = model(x)
        loss = (out * out).mean() + h.sum()
        loss.backward()
    return Run(recording, {"x": x, "out": out, "loss": loss}, gradients_of(model))


class Around(nn.Module):
    """A block of a GPT inside a model, as it is in one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.block = Block(GPTConfig(vocab_size=11, block_size=6, n_layer=1, n_head=2, n_embd=8))
        self.head = nn.Linear(8, 11)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.block(self.embedding(tokens)))


def gpt() -> Run:
    model = Around()
    tokens = tt.tensor(np.array([[1, 4, 2, 9, 3], [5, 1, 0, 10, 2]]))
    with tt.viz.record(model, title="A block of a GPT") as recording:
        logits = model(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.reshape(-1, 11), tokens[:, 1:].reshape(-1))
        loss.backward()
    return Run(recording, {"loss": loss}, gradients_of(model))


def in_place() -> Run:
    x = tt.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    with tt.viz.record(title="Changes in place, through views") as recording:
        y = x * 2
        row = y[0]
        row *= 10
        column = y[:, 1]
        column += 1
        loss = (y * row).sum()
        loss.backward()
    arrays = {"row": row, "column": column, "loss": loss}
    return Run(recording, arrays, {"x": np.asarray(x.grad)})


def hessian() -> Run:
    x = tt.tensor([0.5, -1.0, 2.0], requires_grad=True)
    rows = []
    with tt.viz.record(title="A Hessian, row by row") as recording:
        y = (x * x.exp()).sum()
        (first,) = tt.grad(y, x, create_graph=True)
        for i in range(3):
            (row,) = tt.grad(first[i], x, retain_graph=True)
            rows.append(np.asarray(row))
    assert np.allclose(rows, np.diag((2 + x.value) * np.exp(x.value)), rtol=1e-5)
    return Run(recording, {"y": y}, {"x": rows[-1]})


def lanes() -> Run:
    def loss_of(w: Any, x: Any) -> Any:
        return (w @ x).tanh().sum()

    w, batch = tt.tensor(draws(2, 3)), tt.tensor(draws(4, 3) * 2)
    with tt.viz.record(title="Gradients of each example, by vmap") as recording:
        each = tt.func.vmap(tt.func.grad(loss_of), in_axes=(None, 0))(w, batch)
    return Run(recording, {"each": each}, {})


RUNS: dict[str, Callable[[], Run]] = {
    run.__name__: run for run in (scalars, mlp, lenet, lstm, gpt, in_place, hessian, lanes)
}
