"""The adding problem: what a network can carry over hundreds of steps.

Each step shows a number in [0, 1] and a mark, which is 1 at two steps of the sequence and 0 at all
others. The answer, asked for after the last step, is the sum of the two marked numbers. Who always
says 1 has a mean squared error of 1/6 = 0.1667 (the papers' 0.1767 is a sample's); to do better, a
gradient must find its way back over the steps in between. Compared are a plain RNN, the same begun
at the identity (IRNN), LSTM, GRU, and a temporal convolutional network.

Hochreiter and Schmidhuber 1997, "Long short-term memory"; Le, Jaitly and Hinton 2015, "A simple way
to initialize recurrent networks of rectified linear units"; Bai, Kolter and Koltun 2018, "An
empirical evaluation of generic convolutional and recurrent networks for sequence modeling".
"""

from math import ceil, log2

import numpy as np
from memory_tasks import Task, compare

import tinytensor as tt
from tinytensor import nn
from tinytensor.models import TCN


def problems(count, steps, rng):
    """Inputs (steps, count, 2), the numbers and the marks, and the sums (count,)."""
    numbers = rng.random((steps, count), np.float32)
    first = rng.integers(0, steps, count)
    second = (first + rng.integers(1, steps, count)) % steps  # any other
    rows = np.arange(count)
    marks = np.zeros_like(numbers)
    marks[first, rows] = marks[second, rows] = 1
    return np.stack([numbers, marks], -1), numbers[first, rows] + numbers[second, rows]


class Last(nn.Module):
    """A recurrent layer, and one number of its last state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size, 1)

    def forward(self, x):
        outputs, _ = self.layer(x)
        return self.head(outputs[-1])[:, 0]


def rnn(steps):
    return Last(nn.RNN(2, 100))


def irnn(steps):
    """Rectified, and begun as what remembers all: the identity, and no biases."""
    return Last(nn.init.irnn_(nn.RNN(2, 100, nonlinearity="relu"), std=0.1))


def lstm(steps):
    """Its forget gates begin so far open that its cells remember for 1 to ``steps`` steps.
    (Tallec and Ollivier 2018, "Can recurrent neural networks warp time?")"""
    layer = nn.LSTM(2, 64)
    forget = np.log(np.random.default_rng(0).uniform(1, steps - 1, 64))
    biases = np.concatenate([-forget, forget, np.zeros(128)]).astype(np.float32)
    with tt.no_grad():
        layer.bias_ih_l0.copy_(tt.tensor(biases))
    nn.init.zeros_(layer.bias_hh_l0)
    return Last(layer)


def gru(steps):
    return Last(nn.GRU(2, 64))


class Convolutional(nn.Module):
    """As many levels as it takes to see all steps from the last one."""

    def __init__(self, steps):
        super().__init__()
        levels = ceil(log2(1 + steps / 12))
        self.body = TCN(2, [24] * levels, kernel_size=7, dropout=0.0)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.body(tt.permute_dims(x, (1, 2, 0)))[..., -1])[:, 0]


TASK = Task(
    name="adding_problem",
    lengths=[100, 200, 600],
    networks={
        "RNN": (rnn, lambda steps: 1e-3),
        "IRNN": (irnn, lambda steps: 0.05 / steps),  # its powers must not run away
        "LSTM": (lstm, lambda steps: 1e-2),
        "GRU": (gru, lambda steps: 5e-3),
        "TCN": (Convolutional, lambda steps: 0.2 / steps),
    },
    problems=problems,
    loss=nn.functional.mse_loss,
    baseline=lambda steps: 1 / 6,  # twice the variance of a number in [0, 1]
    solved=1e-2,
    rest=1000,
    axis=1,
)

if __name__ == "__main__":
    compare(TASK, __doc__)
