"""Exercises of lesson 9, training: fill in what raises NotImplementedError.

pytest docs/lessons/exercises -k lesson_09
"""

from __future__ import annotations

from collections.abc import Iterable

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F


def sgd_step(parameters: Iterable[tt.Tensor], lr: float) -> None:
    """1. Move each parameter against its gradient, in place: p ← p − lr · p.grad.

    A parameter whose ``grad`` is None had no part in the loss and stays where it is.

    Hint: a leaf that requires gradients may be changed in place only where nothing is recorded.
    """
    raise NotImplementedError(
        "Open `with tt.no_grad():`, and for each p with a grad write p -= lr * p.grad. What would"
        " p = p - lr * p.grad do instead?"
    )


def cross_entropy(logits: tt.Tensor, labels: tt.Tensor) -> tt.Tensor:
    """2. The mean over the rows of −log softmax(logits)[row, label], a tensor of one number.

    logits is (n, classes), labels (n,) of integers. Use ops like exp, log, sum, max, not a
    softmax or a loss that is there. It must have gradients, and survive logits of ±1000.

    Hint: −log softmax(x)[k] = log Σ exp(x) − x[k], and a number taken off all x of a row changes
    nothing. ``logits[tt.arange(n), labels]`` picks one number of each row.
    """
    raise NotImplementedError(
        "Take the largest logit off each row first, then log Σ exp of what is left, minus the"
        " logit of the label; then the mean."
    )


def accuracy_of(model: nn.Module, x: tt.Tensor, y: tt.Tensor) -> float:
    """3. The share of the rows of x for which the largest output stands at y; a float.

    In evaluation mode, without a graph. Afterwards the model is in the mode in which it came, be
    it training or evaluation.

    Hint: ``model.training`` says which mode it is in, and ``model.train(mode)`` sets it.
    """
    raise NotImplementedError(
        "Note model.training, call model.eval(), compute argmax(-1) == y under tt.no_grad(), then"
        " model.train(what you noted)."
    )


def momentum_step(
    parameters: list[tt.Tensor], velocities: list[tt.Tensor], lr: float, momentum: float
) -> None:
    """4. For each parameter p and its velocity v, both in place: v ← momentum · v + p.grad, then
    p ← p − lr · v.

    Hint: like exercise 1. Mind the order: the new v moves p.
    """
    raise NotImplementedError(
        "Under tt.no_grad(): v *= momentum; v += p.grad; p -= lr * v. A new name bound by v = ..."
        " would not reach the list."
    )


def mended_training(model: nn.Module, x: tt.Tensor, y: tt.Tensor, steps: int) -> list[float]:
    """5. The losses of so many steps. This loop has four faults; it should learn x and y by heart.

    The faults (in no order): something is computed with no graph; something is kept that keeps
    graphs alive; something adds up that should not; something is asked with the wrong shape.
    Take away the line that raises NotImplementedError when you are through.

    Hint: each of the five lines of the lesson has its place. Read the loop beside them.
    """
    raise NotImplementedError(
        "Mend the four faults below, then take this line away. Does the loss know about the graph?"
    )
    optimizer = tt.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(steps):
        with tt.no_grad():
            logits = model(x)
        loss = F.cross_entropy(logits.T, y)
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses
