"""What of the machine's limits a matrix product, a map and a training step reach."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from ... import config, kernels, ops
from ...tensors.tensor import Tensor
from ..limits import FLOATS, measured_limits

SIDE = 1024  # of the matrices
ROWS, WIDTHS = 256, (784, 512, 512, 10)  # of the perceptron: a batch, and its layers
SECONDS = 0.25  # for each


def on_one_thread_and_all() -> list[dict[str, Any]] | None:
    """The limits and what is reached of them; None where NumPy computes."""
    before = config.get_num_threads()
    try:
        found = [_measured(threads) for threads in sorted({1, before})]
    finally:
        config.set_num_threads(before)
    return None if None in found else [each for each in found if each is not None]


def _measured(threads: int) -> dict[str, Any] | None:
    config.set_num_threads(threads)
    limits = measured_limits(150, 5)
    if limits is None:
        return None
    x, y = (np.ones(FLOATS, np.float32) for _ in range(2))
    a, b = (np.ones((SIDE, SIDE), np.float32) for _ in range(2))
    product = 2 * SIDE**3 / _shortest(lambda: kernels.matmul(a, b))
    moved = 3 * x.nbytes / _shortest(lambda: kernels.add(x, y))
    step, flops = _training()
    trained = flops / _shortest(step)
    return {
        "threads": threads,
        "flops": limits.flops,
        "bytes": limits.bytes,
        "gemm": {"rate": product, "share": product / limits.flops},
        "map": {"rate": moved, "share": moved / limits.bytes},
        "step": {"rate": trained, "share": trained / limits.flops},
    }


def _shortest(run: Callable[[], Any]) -> float:
    """The seconds of the quickest run, after one that fills the caches."""
    run()
    times: list[float] = []
    while len(times) < 3 or sum(times) < SECONDS:
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def _training() -> tuple[Callable[[], None], int]:
    """A step of SGD of a perceptron, and the operations of its products: one forward in each layer,
    two backward, but for the cotangent of the images, which nobody wants."""
    rng = np.random.default_rng(0)
    sizes = list(pairwise(WIDTHS))
    weights = [
        Tensor((rng.normal(size=(n, k)) / k**0.5).astype(np.float32), requires_grad=True)
        for k, n in sizes
    ]
    images = Tensor(rng.normal(size=(ROWS, WIDTHS[0])).astype(np.float32))
    target = Tensor(rng.integers(0, WIDTHS[-1], ROWS))

    def step() -> None:
        x = images
        for weight in weights[:-1]:
            x = ops.relu(ops.linear(x, weight))
        loss = ops.cross_entropy(ops.linear(x, weights[-1]), target)
        loss.backward()
        grads = [weight.grad.value for weight in weights if weight.grad is not None]
        values = [weight.value for weight in weights]
        kernels.sgd_step(values, grads, None, 1e-3, 0, 0, 0, False, False, False)
        for weight in weights:
            weight.grad = None

    products = [2 * ROWS * k * n for k, n in sizes]
    return step, 3 * sum(products) - products[0]
