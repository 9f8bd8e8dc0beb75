"""Whether you have lesson 9. Read the messages; the tests themselves give answers away."""

import math

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn import functional as F

approx = pytest.approx


def test_sgd_step(lesson):
    w, unused = (tt.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    (w * w).sum().backward()  # the gradient is 2 w
    held = w
    try:
        lesson.sgd_step([w, unused], 0.25)
    except tt.GraphError as error:
        raise AssertionError(
            f"The engine refused: {error}. A step is no part of the function: put it under"
            " `with tt.no_grad():`."
        ) from None
    except TypeError as error:
        raise AssertionError(
            f"{error}: the second parameter has no gradient, its grad is None. Leave it out."
        ) from None
    assert held.tolist() != [1.0, 2.0], (
        "The parameter did not move. p = p - lr * p.grad makes a new tensor and gives it the name"
        " p; the model still holds the old one. p -= lr * p.grad changes it in place."
    )
    assert held.tolist() != [1.5, 3.0], "It went up the hill: the sign is turned."
    assert held.tolist() == [0.5, 1.0], (
        f"From (1, 2) with the gradient (2, 4) and lr 0.25 to (0.5, 1), not to {held.tolist()}."
    )
    grad = None if held.grad is None else held.grad.tolist()
    assert grad == [2.0, 4.0], (
        "The gradient was changed. A step reads it; zero_grad is another line."
    )


def test_cross_entropy(lesson):
    rng = np.random.default_rng(0)
    logits = tt.tensor(rng.normal(size=(5, 3)), requires_grad=True)
    labels = tt.tensor([0, 2, 1, 1, 0])
    found, right = lesson.cross_entropy(logits, labels), F.cross_entropy(logits, labels).item()
    assert found.shape == (), f"One number is asked for, the mean, not the shape {found.shape}."
    assert found.item() != approx(5 * right), "This is the sum over the rows, not their mean."
    assert found.item() != approx(-right), "The sign is turned: a loss is 0 at best, never below."
    rows = np.log(np.exp(logits.detach().numpy()).sum(1)).mean()
    columns = rows - logits.detach().numpy()[:, labels.numpy()].mean()
    assert found.item() != approx(columns), (
        "logits[:, labels] takes these columns of *all* rows. One number of each row is"
        " logits[tt.arange(n), labels]."
    )
    assert found.item() == approx(right), f"It should be {right:.4f}; yours is {found.item():.4f}."
    assert found.requires_grad, (
        "The value is right, but it has no graph. NumPy, .item() or no_grad leaves it: stay with"
        " ops of tensors."
    )
    (gradient,) = tt.grad(found, logits)
    (expected,) = tt.grad(F.cross_entropy(logits, labels), logits)
    assert np.allclose(gradient, expected), (
        "The value is right, the gradient is not: it is (softmax − one-hot) / n. Was a part of the"
        " graph detached that is needed? (The largest logit may be.)"
    )
    large = lesson.cross_entropy(tt.tensor([[1000.0, 0.0], [-1000.0, 0.0]]), tt.tensor([1, 1]))
    assert math.isfinite(large.item()), (
        "At logits of 1000 it is not finite: exp(1000) is more than a float holds. Take the"
        " largest logit off the row first, and never take the log of a softmax that may be 0."
    )
    assert large.item() == approx(500.0), f"The mean of 1000 and 0 is 500, not {large.item()}."


def test_accuracy_of(lesson):
    class Watched(nn.Module):
        def forward(self, x):
            heard.append((self.training, tt.is_grad_enabled()))
            return x

    heard, model = [], Watched()
    x = tt.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    y = tt.tensor([0, 1, 1, 1])
    for training in (True, False):
        model.train(training)
        found = lesson.accuracy_of(model, x, y)
        assert isinstance(found, int | float), f"A float is asked for, not {type(found).__name__}."
        assert found == approx(0.75), f"Three of four are right: 0.75, not {found}."
        assert heard[-1][0] is False, (
            "The model ran in training mode: dropout would have dropped, a batch norm would have"
            " looked at the batch. Call model.eval() first."
        )
        assert heard[-1][1] is False, "A graph was recorded for nothing: `with tt.no_grad():`."
        assert model.training is training, (
            f"The model came with training={training} and left with training={model.training}."
            " Whoever measures in the middle of a training must leave it as it was."
        )


def test_momentum_step(lesson):
    w, v = tt.tensor([1.0], requires_grad=True), tt.tensor([10.0])
    w.grad = tt.tensor([2.0])
    try:
        lesson.momentum_step([w], [v], 0.1, 0.5)
    except tt.GraphError as error:
        raise AssertionError(f"The engine refused: {error}. Work under no_grad.") from None
    assert v.tolist() != [10.0], "The velocity did not change: v *= and v += work in place."
    assert v.tolist() == [7.0], f"v is 0.5 · 10 + 2 = 7, not {v.item()}."
    assert w.item() != approx(0.0), "The old velocity moved p: first v, then p."
    assert w.item() != approx(0.8), "The gradient moved p. It is the velocity that should."
    assert w.item() == approx(0.3), f"p is 1 − 0.1 · 7 = 0.3, not {w.item()}."


def test_mended_training(lesson):
    tt.manual_seed(0)
    model = nn.Linear(4, 3)
    x, y = tt.eye(4)[:3], tt.tensor([2, 0, 1])
    try:
        losses = lesson.mended_training(model, x, y, 40)
    except tt.GraphError as error:
        raise AssertionError(f"There is no graph to go back through: {error}") from None
    assert len(losses) == 40, f"A loss for each of 40 steps, not {len(losses)}."
    assert not isinstance(losses[0], tt.Tensor), (
        "The list holds tensors. Each would hold its graph in memory, for as long as the list"
        " lives: .item() gives the float."
    )
    assert losses[0] == approx(math.log(3), abs=0.5), (
        f"The first loss of three classes is near log 3 = 1.1, not {losses[0]:.2f}."
    )
    right = (model(x).argmax(-1) == y).all()
    assert right, (
        "It has not learned three examples by heart. The rows of the logits are the examples:"
        " does the loss see them so? And is the loss falling at all?"
    )
    tt.manual_seed(0)
    reference, curve = nn.Linear(4, 3), []
    for _ in range(40):
        loss = F.cross_entropy(reference(x), y)
        curve.append(loss.item())
        reference.zero_grad()
        loss.backward()
        with tt.no_grad():
            for p in reference.parameters():
                p -= 0.5 * p.grad
    assert losses == approx(curve, rel=1e-4), (
        f"It learns, but not by plain steps: after 40 the loss is {losses[-1]:.4f}, and should be"
        f" {curve[-1]:.4f}. Gradients that add up from step to step do this."
    )
