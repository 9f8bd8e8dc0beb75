"""What `train.fit` costs over the loop that one writes by hand.

``python -m benchmarks.fit`` trains LeNet-5 and the digits' CNN on batches of 64 that are held
ready, epoch by epoch in turns: by hand, by ``fit`` without and with its bar, and with accuracy too.
It prints the median over the rounds of each one's time beside that of the loop in the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import tinytensor as tt
from tinytensor.models import DigitsCNN, LeNet
from tinytensor.train import fit

MODELS: dict[str, tuple[Callable[[], Any], int]] = {
    "LeNet-5": (LeNet, 28),
    "DigitsCNN": (DigitsCNN, 8),
}
BATCH = 64


def by_hand(model: Any, batches: Any, optimizer: Any, loss: Any, epochs: int) -> list[float]:
    """The loop as one writes it, with the losses that ``fit`` returns as well."""
    losses = []
    model.train()
    for _ in range(epochs):
        for x, y in batches:
            value = loss(model(x), y)
            losses.append(value.item())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return losses


WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "by hand": (by_hand, {}),
    "fit": (fit, {"progress": False}),
    "fit, bar": (fit, {"progress": True}),
    "fit, bar, accuracy": (fit, {"progress": True, "metrics": ["accuracy"]}),
}


def measure(name: str, rounds: int, steps: int, epochs: int) -> dict[str, list[float]]:
    """The seconds of each way, round by round."""
    build, size = MODELS[name]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(steps, BATCH, 1, size, size)).astype(np.float32)
    labels = rng.integers(0, 10, (steps, BATCH))
    batches = [(tt.tensor(x), tt.tensor(y)) for x, y in zip(images, labels, strict=True)]
    loss = tt.nn.CrossEntropyLoss()
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    made = {}
    for way in WAYS:
        model = build()
        made[way] = (model, tt.optim.AdamW(model.parameters(), lr=1e-4))
    for turn in range(rounds + 1):
        order = [*WAYS][turn % len(WAYS) :] + [*WAYS][: turn % len(WAYS)]
        for way in order:
            run, settings = WAYS[way]
            model, optimizer = made[way]
            with contextlib.redirect_stderr(io.StringIO()):
                start = time.perf_counter()
                run(model, batches, optimizer, loss, epochs, **settings)
                seconds = time.perf_counter() - start
            if turn:  # the first warms up
                found[way].append(seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--only", choices=[*MODELS])
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else MODELS:
        found = measure(name, arguments.rounds, arguments.steps, arguments.epochs)
        base = found["by hand"]
        step = 1e3 * median(base) / (arguments.steps * arguments.epochs)
        print(f"{name}, batch {BATCH}: {step:.3f} ms a step by hand")
        for way, seconds in found.items():
            ratio = median(a / b for a, b in zip(seconds, base, strict=True))
            print(f"    {way:20} {100 * (ratio - 1):+.2f} %")


if __name__ == "__main__":
    main()
