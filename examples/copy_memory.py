"""Copy memory: ten symbols, a long silence, and then the same ten, from memory.

A sequence of T + 20 steps begins with ten symbols of eight kinds. Blanks follow, T - 1 of them, and
a signal, which stays on for the last eleven steps; in the last ten the symbols are asked for, and
before these a blank. Who knows when to answer, but has forgotten the symbols, has a cross-entropy
of 10 ln 8 / (T + 20) a step. A temporal convolutional network looks back over all of that in eight
layers; recurrent networks must carry the symbols through T steps.

Hochreiter and Schmidhuber 1997; Arjovsky, Shah and Bengio 2016, "Unitary evolution recurrent neural
networks"; Bai, Kolter and Koltun 2018, "An empirical evaluation of generic convolutional and
recurrent networks for sequence modeling".
"""

from math import log

import numpy as np
from memory_tasks import Task, compare

import tinytensor as tt
from tinytensor import nn
from tinytensor.models import TCN

SYMBOLS, BLANK, SIGNAL, KINDS = 10, 0, 9, 10  # the symbols are 1 to 8


def problems(count, steps, rng):
    """Sequences and what is wanted of each step, both (count, steps + 20), of integers."""
    symbols = rng.integers(1, 9, (count, SYMBOLS))
    shown = np.full((count, steps + 2 * SYMBOLS), BLANK)
    wanted = shown.copy()
    shown[:, :SYMBOLS] = symbols
    shown[:, -SYMBOLS - 1 :] = SIGNAL
    wanted[:, -SYMBOLS:] = symbols
    return shown, wanted


class Recurrent(nn.Module):
    """Sequences (B, T) to logits (B, kinds, T)."""

    def __init__(self, kind, hidden=64):
        super().__init__()
        self.layer = kind(KINDS, hidden, batch_first=True)
        self.head = nn.Linear(hidden, KINDS)

    def forward(self, x):
        outputs, _ = self.layer(tt.eye(KINDS)[x])
        return tt.swapaxes(self.head(outputs), 1, 2)


class Convolutional(nn.Module):
    """The same by convolutions that look back 3,571 steps."""

    def __init__(self, channels=10, levels=8, kernel=8):
        super().__init__()
        self.body = TCN(KINDS, [channels] * levels, kernel, dropout=0.0)
        self.head = nn.Conv1d(channels, KINDS, 1)

    def forward(self, x):
        return self.head(self.body(tt.swapaxes(tt.eye(KINDS)[x], 1, 2)))


TASK = Task(
    name="copy_memory",
    lengths=[500, 1000],
    networks={
        "TCN": (lambda steps: Convolutional(), lambda steps: 5e-3),
        "RNN": (lambda steps: Recurrent(nn.RNN), lambda steps: 1e-3),
        "LSTM": (lambda steps: Recurrent(nn.LSTM), lambda steps: 5e-3),
        "GRU": (lambda steps: Recurrent(nn.GRU), lambda steps: 5e-3),
    },
    problems=problems,
    loss=nn.functional.cross_entropy,
    baseline=lambda steps: SYMBOLS * log(8) / (steps + 2 * SYMBOLS),
    solved=3e-5,
    rest=300,
    axis=0,
)

if __name__ == "__main__":
    compare(TASK, __doc__)
