"""The same language models, weights and batches in tinytensor and PyTorch: do the losses agree?

``python -m benchmarks.parity`` trains each of the two models for 100 steps of AdamW in both, and
prints the largest difference of the loss.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

import tinytensor as tt
from tinytensor.data import RandomWindows, Vocabulary, stdlib_text
from tinytensor.models import GPT, CharRNN, GPTConfig
from tinytensor.train import fit, next_token_loss

from . import torch_models

VOCABULARY = 96
# name: tinytensor's model, PyTorch's, and the size of a batch
MODELS: dict[str, tuple[Callable[[], Any], Callable[[], Any], int]] = {
    "char_rnn": (lambda: CharRNN(VOCABULARY), lambda: torch_models.CharRNN(VOCABULARY), 32),
    "code_gpt": (lambda: GPT(GPTConfig()), lambda: torch_models.GPT(GPTConfig()), 12),
}


def losses_of_both(
    name: str, batches: Iterable[tuple[Any, Any]]
) -> tuple[list[float], list[float]]:
    """The loss of each step in tinytensor and in PyTorch, from one initial state."""
    build, build_torch, _ = MODELS[name]
    tt.manual_seed(0)
    ours, theirs = build(), build_torch()
    state = {key: torch.from_numpy(np.array(value)) for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    batches = list(batches)

    optimizer = tt.optim.AdamW(ours.parameters(), lr=1e-3)
    history = fit(ours, batches, optimizer, next_token_loss, progress=False)

    their_losses = []
    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-3)
    for x, y in batches:
        x, y = torch.from_numpy(np.array(x)), torch.from_numpy(np.array(y))
        loss = torch.nn.functional.cross_entropy(theirs(x).flatten(0, 1), y.flatten())
        their_optimizer.zero_grad()
        loss.backward()
        their_optimizer.step()
        their_losses.append(loss.item())
    return history.losses, their_losses


def stdlib_batches(name: str, steps: int) -> RandomWindows:
    """Batches of the size that the example of that name uses."""
    text, _ = stdlib_text()
    codes = Vocabulary.of(text, VOCABULARY).encode(text)
    return RandomWindows(codes, 64, MODELS[name][2], steps, generator=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tt.set_num_threads(arguments.threads)
    for name in MODELS:
        ours, theirs = losses_of_both(name, stdlib_batches(name, arguments.steps))
        difference = np.abs(np.subtract(ours, theirs)).max()
        print(
            f"{name}: loss {ours[0]:.4f} to {ours[-1]:.4f}, in PyTorch {theirs[0]:.4f} to"
            f" {theirs[-1]:.4f}; largest difference in {arguments.steps} steps {difference:.1e}"
        )


if __name__ == "__main__":
    main()
