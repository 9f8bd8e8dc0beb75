"""The peak of resident memory in training GPT-2 124M: ``python -m benchmarks.peak LIBRARY``.

LIBRARY is tinytensor, which takes linear_cross_entropy (``--blocks``: and checkpoints its blocks),
or torch, which takes cross_entropy (``--fused``: linear_cross_entropy): a process for each.
"""

from __future__ import annotations

import argparse
import resource
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

VOCABULARY, T, BATCH, WIDTH = 50257, 256, 2, 768
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "block_size": T, "n_layer": 12, "n_head": 12, "n_embd": WIDTH,
    "bias": True,
}  # fmt: skip


def tinytensor_step(x: Any, y: Any, threads: int, blocks: bool) -> Any:
    import tinytensor as tt
    from tinytensor.models import GPT, GPTConfig

    tt.set_num_threads(threads)
    model: Any = GPT(GPTConfig(**SIZES)).checkpoint_blocks(blocks)
    optimizer = tt.optim.AdamW(model.parameters(), lr=1e-4)
    tokens, target = tt.tensor(x), tt.tensor(y.ravel())

    def step() -> float:
        optimizer.zero_grad()
        features = model.features(tokens).reshape(-1, WIDTH)
        loss = tt.nn.functional.linear_cross_entropy(features, model.lm_head.weight, target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_step(x: Any, y: Any, threads: int, fused: bool) -> Any:
    import torch

    from .torch_models import GPT

    torch.set_num_threads(threads)
    config: Any = SimpleNamespace(**SIZES)
    model: Any = GPT(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens, target = torch.tensor(x), torch.tensor(y.ravel())
    head, functional = model.lm_head, torch.nn.functional
    if fused:
        model.lm_head = torch.nn.Identity()

    def step() -> float:
        optimizer.zero_grad()
        out = model(tokens).flatten(0, 1)
        if fused:
            loss = functional.linear_cross_entropy(out, head.weight, target)
        else:
            loss = functional.cross_entropy(out, target)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peak", description=__doc__)
    parser.add_argument("library", choices=["tinytensor", "torch"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--blocks", action="store_true")
    parser.add_argument("--fused", action="store_true")
    given = parser.parse_args()
    x, y = np.random.default_rng(0).integers(0, VOCABULARY, (2, BATCH, T))
    if given.library == "torch":
        step = torch_step(x, y, given.threads, given.fused)
    else:
        step = tinytensor_step(x, y, given.threads, given.blocks)
    for _ in range(given.steps):
        start = time.perf_counter()
        loss = step()
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"loss {loss:.4f}, {took:.2f} s, peak {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
