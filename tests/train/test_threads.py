"""Two Python threads that train two models at once: to the bit what each gets alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.engine.observers import observers
from tinytensor.func import checkpoint
from tinytensor.nn import functional as F

STEPS = 30

Draw = Callable[[tt.Tensor], tt.Tensor]


@pytest.fixture(autouse=True)
def threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(40, 300), nn.Linear(300, 300), nn.Linear(300, 10)

    def forward(self, x: tt.Tensor, drop: Draw) -> tt.Tensor:
        return self.c(drop(F.gelu(self.b(drop(self.a(x).relu())))))


class ConvThenLSTM(nn.Module):
    """Images (N, 1, 12, 12) → a convolution, a batch norm, its rows as the steps of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.lstm, self.out = nn.LSTM(36, 24, batch_first=True), nn.Linear(24, 10)

    def forward(self, x: tt.Tensor, drop: Draw) -> tt.Tensor:
        x = F.max_pool2d(self.norm(self.conv(x.reshape(-1, 1, 12, 12))).relu(), 2)
        x = drop(x.permute(0, 2, 1, 3).reshape(-1, 6, 36))
        return self.out(self.lstm(x)[0][:, -1])


SIZES = {MLP: 40, ConvThenLSTM: 144}
CONTEXTS: dict[str, Callable[[], Any]] = {
    "plain": nullcontext,
    "detect_anomaly": tt.detect_anomaly,
    "saved_memory": tt.saved_memory,
}


def model_of(kind: type[nn.Module]) -> nn.Module:
    """A new model, the same each time; made before there are threads, for the seed is shared."""
    tt.manual_seed(7)
    return kind()


def train(model: nn.Module, context: Callable[[], Any] = nullcontext, again: bool = False) -> bytes:
    """All that a training leaves behind."""
    rng = np.random.default_rng(3)
    drops = np.random.default_rng(4)

    def drop(x: tt.Tensor) -> tt.Tensor:
        return tt.dropout(x, 0.3, True, drops)

    def run(x: tt.Tensor, generator: np.random.Generator) -> tt.Tensor:
        return model(x, lambda h: tt.dropout(h, 0.3, True, generator))

    optimizer = tt.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    with context():
        for _ in range(STEPS):
            x = tt.tensor(rng.normal(size=(64, SIZES[type(model)])).astype(np.float32))
            y = tt.tensor(rng.integers(0, 10, 64))
            optimizer.zero_grad()
            loss = F.cross_entropy(checkpoint(run, x, drops) if again else model(x, drop), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    arrays = [t.numpy().tobytes() for t in model.state_dict().values()]
    return b"".join([*arrays, np.array(losses).tobytes()])


def at_once(jobs: list[Callable[[], bytes]]) -> list[bytes]:
    """What each job returns, when all start together, each in a thread."""
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(i: int) -> None:
        start.wait()
        try:
            results[i] = jobs[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def test_losses_fall() -> None:
    """What is compared below is a training that changes its model."""
    for kind in SIZES:
        model = model_of(kind)
        before = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
        after = train(model)
        assert len(after) == len(before) + 8 * STEPS
        assert after[: len(before)] != before


@pytest.mark.parametrize("context", CONTEXTS)
def test_two_trainings_at_once(context: str, num_threads: Callable[[int], None]) -> None:
    num_threads(2)
    alone = [train(model_of(kind)) for kind in SIZES]
    models = [model_of(kind) for kind in SIZES]
    together = at_once([lambda: train(models[0], CONTEXTS[context]), lambda: train(models[1])])
    assert together == alone
    assert observers.get() == ()


def test_the_same_model_twice_at_once(num_threads: Callable[[int], None]) -> None:
    """First calls of ops race for their plans; each thread has its own parameters."""
    num_threads(2)
    alone = train(model_of(MLP))
    models = [model_of(MLP) for _ in range(3)]
    assert at_once([lambda m=m: train(m) for m in models]) == [alone] * 3


def test_checkpoints_at_once(num_threads: Callable[[int], None]) -> None:
    num_threads(2)
    alone = [train(model_of(kind)) for kind in SIZES]
    models = [model_of(kind) for kind in SIZES]
    assert at_once([lambda m=m: train(m, again=True) for m in models]) == alone


def test_an_observer_hears_its_own_thread_alone() -> None:
    """While one thread looks for anomalies, the other makes them; ledgers do not mix."""
    totals: list[tuple[int, int]] = []

    def careful() -> bytes:
        for _ in range(200):
            x = tt.ones((100,)).requires_grad_()
            with tt.detect_anomaly(), tt.saved_memory() as ledger:
                y = x.exp()
                totals.append((ledger.total, ledger.peak))
                y.sum().backward()
        return b""

    def careless() -> bytes:
        for _ in range(200):
            x = tt.zeros((50,)).requires_grad_()
            (1 / x).sum().backward()
        return b""

    at_once([careful, careless, careful])
    assert totals == [(400, 400)] * 400


def test_first_calls_of_an_op_race_for_its_plans() -> None:
    def forward(x, y):
        return x * y

    for _ in range(50):
        new = tt.op(forward).grad(x=lambda g, y: g * y, y=lambda g, x: g * x)

        def use(seed: int, new: Any = new) -> bytes:
            x = tt.tensor([1.0 + seed, 2.0], requires_grad=True)
            new(x, 3.0).sum().backward()
            new(x, x).sum().backward()
            return x.grad.numpy().tobytes()

        assert at_once([lambda s=s: use(s) for s in range(3)]) == [use(s) for s in range(3)]
