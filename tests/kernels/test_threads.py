"""Threads: the same bits for any number of them, several callers at once, forked children."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import kernels

from ..table import Case, Row
from ..table.calls import evaluate, op_of
from ..table.large_cases import LARGE
from ..twins import normal

if kernels.active != "fast":
    pytest.skip("the reference kernels have no threads", allow_module_level=True)

from tinytensor.kernels import _core


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = _core.get_num_threads()
    yield
    _core.set_num_threads(before)


@pytest.mark.parametrize(("row", "case"), LARGE)
def test_the_same_bits_for_any_number_of_threads(row: Row, case: Case) -> None:
    results = []
    for n in (1, 2, 3):
        _core.set_num_threads(n)
        results.append(evaluate(op_of(row), case))
    for other in results[1:]:
        for (name, a), (_, b) in zip(results[0].named(), other.named(), strict=True):
            assert a.tobytes() == b.tobytes(), f"{row.op}, {name}"


def work(seed: int) -> bytes:
    """Forward and backward on a graph of its own, large enough for the pool."""
    rng = np.random.default_rng(seed)
    x = tt.tensor(rng.normal(size=(200, 301)).astype(np.float32), requires_grad=True)
    w = tt.tensor(rng.normal(size=(301, 150)).astype(np.float32), requires_grad=True)
    ((x @ w).tanh() * 0.5).sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    return x.grad.numpy().tobytes() + w.grad.numpy().tobytes()


def test_several_python_threads_at_once() -> None:
    expected = [work(seed) for seed in range(4)]
    got: dict[int, list[bytes]] = {seed: [] for seed in range(4)}

    def run(seed: int) -> None:
        for _ in range(5):
            got[seed].append(work(seed))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {seed: [expected[seed]] * 5 for seed in range(4)}


def child(queue: multiprocessing.Queue) -> None:
    queue.put(work(0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_works() -> None:
    _core.set_num_threads(2)
    expected = work(0)  # the pool runs before the fork
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    try:
        assert queue.get(timeout=60) == expected
    finally:
        process.kill() if process.is_alive() and process.join(10) else None
        process.join(10)
    assert process.exitcode == 0
    assert work(0) == expected


def test_the_number_of_threads() -> None:
    tt.set_num_threads(3)
    assert tt.get_num_threads() == 3
    with pytest.raises(ValueError, match="at least 1"):
        tt.set_num_threads(0)


def test_bitwise_the_same_for_any_number_of_threads(num_threads):
    x, g, weight = normal(900, 300), normal(900, 300, seed=1), normal(300)
    images, target = normal(16, 40, 9, 9), np.random.default_rng(0).integers(0, 300, 900)

    def run():
        _, mean, rstd = kernels.layer_norm(x, weight, weight, 1e-5, 1)
        loss, lse, divisor = kernels.cross_entropy(x, target, None, -100, 0.1, "mean")
        of_classes = (target, None, -100, 0.1, divisor)
        normed = kernels.batch_norm(images, None, None, None, None, True, 0.1, 1e-5)
        return [
            kernels.softmax(x, 1),
            *(part for axis in (0, 1) for part in kernels.logsumexp(x, axis)),
            kernels.logsumexp_backward(x[:, 0], g, kernels.logsumexp(g, 1)[1], 1),
            *(kernels.cumsum(x, axis, reverse) for axis in (0, 1) for reverse in (False, True)),
            *kernels.layer_norm_backward(g, x, weight, mean, rstd, 1),
            loss,
            kernels.cross_entropy_backward(np.float32(1), x, lse, *of_classes),
            *normed,
            *kernels.batch_norm_backward(images, images, None, *normed[1:], True),
            kernels.embedding_backward(g, target, 300, None),
            kernels.dropout(x, 0.5, 99),
        ]

    num_threads(1)
    alone = run()
    num_threads(4)
    for _ in range(3):
        for a, b in zip(alone, run(), strict=True):
            np.testing.assert_array_equal(a, b)
