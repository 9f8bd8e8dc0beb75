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

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinytensor as tt
from tinytensor import nn
from tinytensor.nn.utils import clip_grad_norm_

ALWAYS_ONE = 1 / 6  # its mean squared error: twice the variance of a number in [0, 1]
SOLVED = 1e-3


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
    layer = nn.RNN(2, 100, nonlinearity="relu")
    nn.init.eye_(layer.weight_hh_l0)
    nn.init.normal_(layer.weight_ih_l0, 0.0, 0.1)
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        nn.init.zeros_(bias)
    return Last(layer)


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


# How each is made for sequences of so many steps, and the learning rate that suits it.
NETWORKS = {"RNN": (rnn, 1e-3), "IRNN": (irnn, 3e-4), "LSTM": (lstm, 1e-2), "GRU": (gru, 5e-3)}


def learn(name, steps, arguments):
    """A run: how large the error was, of sequences of its own, after so many batches."""
    build, lr = NETWORKS[name]
    tt.manual_seed(arguments.seed)
    model = build(steps)
    optimizer = tt.optim.Adam(model.parameters(), lr=lr)
    rng, unseen = np.random.default_rng(arguments.seed), np.random.default_rng(10**6)
    watched, test = problems(500, steps, unseen), problems(2000, steps, unseen)
    curve, begin = [], time.perf_counter()
    for batch in range(1, arguments.batches + 1):
        x, y = problems(32, steps, rng)
        loss = nn.functional.mse_loss(model(tt.tensor(x)), tt.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if batch % arguments.every == 0 or batch == arguments.batches:
            curve.append((batch, error(model, *watched)))
            if curve[-1][1] < SOLVED:
                break
    found = {
        "curve": curve,
        "batches": batch,
        "error": error(model, *test),
        "seconds": time.perf_counter() - begin,
    }
    how = "solved" if found["error"] < 2 * SOLVED else "not solved"
    print(
        f"T = {steps}, {name}, seed {arguments.seed}: error {found['error']:.5f} after"
        f" {batch:,} batches, {how}   ({found['seconds']:.0f} s)",
        flush=True,
    )
    return found


def error(model, x, y):
    """The mean squared error."""
    with tt.no_grad():
        parts = [model(tt.tensor(x[:, i : i + 500])).numpy() for i in range(0, len(y), 500)]
    return float(np.mean((np.concatenate(parts) - y) ** 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 200, 400, 600])
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument("--batches", type=int, default=10_000, help="at most, of 32 (10,000)")
    parser.add_argument("--every", type=int, default=100, help="batches between looks (100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="30 batches of 20 steps")
    parser.add_argument("--fresh", action="store_true", help="forget the runs of an earlier call")
    parser.add_argument("--threads", type=int, help="default: one for each core")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.lengths, arguments.batches, arguments.every = [20], 30, 10
    if arguments.threads:
        tt.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)

    kept = arguments.out / "adding_problem.json"
    forget = arguments.fresh or arguments.quick or not kept.exists()
    runs = {} if forget else json.loads(kept.read_text())
    for steps in arguments.lengths:
        for name in arguments.networks:
            key = f"{steps} {name} {arguments.seed}"
            if key not in runs:
                runs[key] = learn(name, steps, arguments)
                kept.write_text(json.dumps(runs))
    picture(runs).savefig(arguments.out / "adding_problem.png", dpi=80)
    print(f"who always says 1: {ALWAYS_ONE:.4f}")
    print(f"the errors of all runs in {kept} are drawn in {kept.with_suffix('.png')}")


def picture(runs):
    """The errors by the batch, a plot for each length."""
    lengths = sorted({int(key.split()[0]) for key in runs})
    figure = Figure(figsize=(3.2 * len(lengths) + 0.8, 3.2), layout="constrained")
    plots = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    for axes, steps in zip(plots, lengths, strict=True):
        for i, name in enumerate(NETWORKS):
            ours = [run for key, run in runs.items() if key.split()[:2] == [str(steps), name]]
            for j, run in enumerate(ours):
                label = name if j == 0 else None
                axes.plot(*zip(*run["curve"], strict=True), color=f"C{i}", label=label, lw=1)
        axes.axhline(ALWAYS_ONE, color="0.6", lw=0.8)
        axes.set(title=f"T = {steps}", xlabel="batches of 32", xscale="log", yscale="log")
    plots[0].set_ylabel("mean squared error")
    plots[0].legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main()
