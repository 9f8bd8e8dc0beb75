"""Memory: a training loop of a thousand steps stays where its first steps got."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest

import tinytensor as tt

resource_page = 4096


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource_page


def step(x: tt.Tensor, y: tt.Tensor, weights: list[tt.Tensor]) -> float:
    hidden = tt.relu(x @ weights[0] + weights[1])
    loss = ((hidden @ weights[2] - y) ** 2).mean()
    loss.backward()
    with tt.no_grad():
        for w in weights:
            assert w.grad is not None
            w -= 0.01 * w.grad
            w.grad = None
    return loss.item()


def setting(batch: int, width: int) -> tuple[tt.Tensor, tt.Tensor, list[tt.Tensor]]:
    rng = np.random.default_rng(0)
    x = tt.Tensor(rng.normal(size=(batch, width)).astype(np.float32))
    y = tt.Tensor(rng.normal(size=(batch, 1)).astype(np.float32))
    shapes = [(width, width), (width,), (width, 1)]
    return (
        x,
        y,
        [
            tt.Tensor(0.1 * rng.normal(size=s).astype(np.float32), requires_grad=True)
            for s in shapes
        ],
    )


@pytest.mark.slow
def test_a_thousand_steps_trace_no_growth() -> None:
    x, y, weights = setting(16, 32)
    gc.collect()
    gc.disable()  # reference counting alone must do
    try:
        for _ in range(20):
            step(x, y, weights)
        tracemalloc.start()
        step(x, y, weights)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        step(x, y, weights)
        peak_of_one = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        for _ in range(1000):
            step(x, y, weights)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    # The interpreter's free lists fill up; one float lost in a step would be 24,000 bytes.
    assert after - before < 16_000
    assert peak - peak_of_one < 16_000


@pytest.mark.slow
def test_a_thousand_steps_keep_the_process_flat() -> None:
    """Of large arrays, which may come from the cache of buffers and not from Python's allocator."""
    x, y, weights = setting(256, 512)
    for _ in range(50):
        step(x, y, weights)
    before = resident_bytes()
    for _ in range(1000):
        step(x, y, weights)
    assert resident_bytes() - before < 4 * 2**20
