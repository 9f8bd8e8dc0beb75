"""The same language models, weights and batches in tinytensor and PyTorch: do the losses agree?

``python -m benchmarks.parity`` trains each of the two models for 100 steps of AdamW in both, and
prints the largest difference of the loss. Roundings grow from step to step; how much is natural is
seen from PyTorch in float64.
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


def losses_of_each(
    name: str, batches: Iterable[tuple[Any, Any]]
) -> tuple[list[float], list[float], list[float]]:
    """The loss of each step, from one initial state: in tinytensor, PyTorch, PyTorch in float64."""
    build, build_torch, _ = MODELS[name]
    batches = list(batches)
    tt.manual_seed(0)
    ours = build()
    state = {key: torch.from_numpy(np.array(value)) for key, value in ours.state_dict().items()}

    def losses_of_torch(dtype: torch.dtype) -> list[float]:
        model = build_torch()
        model.load_state_dict(state)
        model.to(dtype)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        losses = []
        for x, y in batches:
            logits = model(torch.from_numpy(np.array(x))).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(
                logits, torch.from_numpy(np.array(y)).flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    optimizer = tt.optim.AdamW(ours.parameters(), lr=1e-3)
    history = fit(ours, batches, optimizer, next_token_loss, progress=False)
    return history.losses, losses_of_torch(torch.float32), losses_of_torch(torch.float64)


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
        ours, theirs, exact = losses_of_each(name, stdlib_batches(name, arguments.steps))
        print(f"{name}: loss {ours[0]:.4f} to {ours[-1]:.4f} in {arguments.steps} steps,")
        print(f"  in PyTorch {theirs[0]:.4f} to {theirs[-1]:.4f}; largest differences:")
        print(f"  tinytensor − PyTorch {largest(ours, theirs):.1e}")
        print(f"  tinytensor − PyTorch in float64 {largest(ours, exact):.1e}")
        print(f"  PyTorch − PyTorch in float64 {largest(theirs, exact):.1e}")


def largest(a: list[float], b: list[float]) -> float:
    return float(np.abs(np.subtract(a, b)).max())


if __name__ == "__main__":
    main()
