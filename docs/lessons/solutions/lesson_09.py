"""Solutions of lesson 9, training."""

from __future__ import annotations

from collections.abc import Iterable

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F


def sgd_step(parameters: Iterable[tt.Tensor], lr: float) -> None:
    with tt.no_grad():
        for p in parameters:
            if p.grad is not None:
                p -= lr * p.grad


def cross_entropy(logits: tt.Tensor, labels: tt.Tensor) -> tt.Tensor:
    shifted = logits - logits.max(1, keepdims=True).detach()
    log_sum = tt.log(tt.exp(shifted).sum(1))
    return (log_sum - shifted[tt.arange(len(labels)), labels]).mean()


def accuracy_of(model: nn.Module, x: tt.Tensor, y: tt.Tensor) -> float:
    training = model.training
    model.eval()
    with tt.no_grad():
        right = model(x).argmax(-1) == y
    model.train(training)
    return float(right.numpy().mean())


def momentum_step(
    parameters: list[tt.Tensor], velocities: list[tt.Tensor], lr: float, momentum: float
) -> None:
    with tt.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v *= momentum
            v += p.grad
            p -= lr * v


def mended_training(model: nn.Module, x: tt.Tensor, y: tt.Tensor, steps: int) -> list[float]:
    optimizer = tt.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(steps):
        logits = model(x)  # 1. recorded, so that backward has a graph
        loss = F.cross_entropy(logits, y)  # 2. a row for each example, as it was
        optimizer.zero_grad()  # 3. a new sum
        loss.backward()
        optimizer.step()
        losses.append(loss.item())  # 4. a float: a tensor would hold its graph
    return losses
