"""Eight threads that do all that a program does, on one model and on their own, while another one
changes the number of the pool's threads: each gets, to the bit, what it gets alone.

``TINYTENSOR_STRESS=20`` makes twenty rounds of it, for a run under ThreadSanitizer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.engine.observers import observers
from tinytensor.func import checkpoint
from tinytensor.nn import functional as F

THREADS = 8
ROUNDS = int(os.environ.get("TINYTENSOR_STRESS", "1"))

Job = Callable[[int], bytes]
rng_of = np.random.default_rng


@pytest.fixture(autouse=True)
def threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval(), tt.get_num_threads()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before[0])
    tt.set_num_threads(before[1])


def at_once(jobs: list[Callable[[], Any]], meanwhile: Callable[[], Any] | None = None) -> list[Any]:
    """What the jobs return, when all start together; again and again something else, meanwhile."""
    start = threading.Barrier(len(jobs) + (meanwhile is not None))
    over = threading.Event()

    def begin(job: Callable[[], Any]) -> Any:
        start.wait(60)
        return job()

    def go_on() -> None:
        start.wait(60)
        while not over.wait(1e-3):
            meanwhile()

    with ThreadPoolExecutor(len(jobs) + 1) as pool:
        beside = meanwhile and pool.submit(go_on)
        try:
            return [each.result() for each in [pool.submit(begin, job) for job in jobs]]
        finally:
            over.set()
            if beside:
                beside.result()


# --- What a thread does ----------------------------------------------------------------------


def floats(seed: int, *shape: int) -> tt.Tensor:
    return tt.tensor(rng_of(seed).standard_normal(shape, np.float32))


def bytes_of(tensors: Any) -> bytes:
    return b"".join(t.numpy().tobytes() for t in tensors)


class Net(nn.Module):
    """Images (N, 1, 8, 8) → a convolution, a batch norm, steps of a GRU, attention, classes. Its
    weights are what ``seed`` says: the default generator is one for all threads."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.gru = nn.GRU(16, 16, batch_first=True)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.out = nn.Linear(16, 5)
        rng = rng_of(seed)
        with tt.no_grad():
            for parameter in self.parameters():
                parameter[...] = rng.normal(size=parameter.shape).astype(np.float32) / 4

    def forward(self, x: tt.Tensor) -> tt.Tensor:
        x = F.max_pool2d(F.gelu(self.norm(self.conv(x))), 2)
        x = self.gru(x.permute(0, 2, 1, 3).reshape(-1, 4, 16))[0]
        return self.out(self.attention(x, x, x)[0].mean(1))


def train(seed: int) -> bytes:
    """A model of one's own."""
    net = Net(seed)
    optimizer = [tt.optim.AdamW, tt.optim.SGD][seed % 2](net.parameters(), lr=1e-2)
    draws, losses = rng_of(seed + 1), []
    for step in range(3):
        optimizer.zero_grad()
        x = tt.dropout(floats(seed + step, 6, 1, 8, 8), 0.2, True, draws)
        loss = F.cross_entropy(net(x), tt.tensor(np.arange(6) % 5))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return bytes_of([*losses, *net.state_dict().values()])


def large_products(seed: int) -> bytes:
    """Work that is cut into pieces, in buffers of the cache."""
    a, b = floats(seed, 130, 200).requires_grad_(), floats(seed + 1, 200, 170).requires_grad_()
    ((a @ b).tanh().softmax(-1).cumsum(0) * 0.5).sum().backward()
    return bytes_of([a.grad, b.grad])


def transforms(seed: int) -> bytes:
    w, x = floats(seed, 4, 4), floats(seed + 1, 5, 4)

    def energy(v: tt.Tensor) -> tt.Tensor:
        return ((w @ v).tanh() * v).sum()

    gradients = tt.func.vmap(tt.func.grad(energy))(x)
    hessian = tt.func.hessian(energy)(x[0])
    _, tangent = tt.func.jvp(energy, (x[1],), (x[2],))
    return bytes_of([gradients, hessian, tangent])


def checkpoints(seed: int) -> bytes:
    first, second = floats(seed, 8, 8).requires_grad_(), floats(seed + 1, 8, 8).requires_grad_()
    out = checkpoint(lambda x: (x @ second).exp().sin(), checkpoint(lambda x: x.tanh() @ x, first))
    out.sum().backward()
    return bytes_of([first.grad, second.grad])


def batches(seed: int) -> bytes:
    data = tt.data.TensorDataset(floats(seed, 20, 3), tt.arange(20))
    loader = tt.data.DataLoader(data, 4, shuffle=True, num_workers=2, generator=rng_of(seed))
    return b"".join(bytes_of(batch) for _ in range(2) for batch in loader)


def records(seed: int) -> bytes:
    """Observers of one thread; the others' calls are not theirs."""
    x = floats(seed, 4).requires_grad_()
    with tt.viz.record() as recording, tt.saved_memory() as ledger, tt.detect_anomaly():
        (x.exp() * x).sum().backward()
    data = recording.data()
    told = [call["op"] for call in data["calls"]], [step["kind"] for step in data["steps"]]
    return repr((told, ledger.peak)).encode() + bytes_of([x.grad])


def changes_in_place(seed: int) -> bytes:
    x = floats(seed, 6, 6).requires_grad_()
    y = x * 1
    rows = y[1:4]
    rows *= 2
    y[0] += x[1]
    (y * rows.sum()).sum().backward()
    z = x.exp()
    z += 1
    with pytest.raises(tt.GraphError, match="changed in place"):
        z.sum().backward()
    return bytes_of([x.grad])


JOBS: list[Job] = [
    train, large_products, transforms, checkpoints, batches, records, changes_in_place,
]  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Net:
    """A model that all threads call."""
    return Net(99).eval()


def answer(net: Net, seed: int) -> bytes:
    """What a model says that nobody trains."""
    with tt.no_grad():
        return bytes_of([net(floats(seed, 3, 1, 8, 8))])


def test_everything_at_once(shared: Net) -> None:
    jobs = [*JOBS, lambda seed: answer(shared, seed)]
    tt.set_num_threads(1)
    alone = {(job, seed): job(seed) for job in jobs for seed in range(2)}
    numbers = count()

    def all_from(first: int) -> dict[Any, bytes]:
        order = [jobs[(first + i) % len(jobs)] for i in range(len(jobs))]
        return {(job, first % 2): job(first % 2) for job in order}

    for _ in range(ROUNDS):
        together = at_once(
            [lambda i=i: all_from(i) for i in range(THREADS)],
            meanwhile=lambda: tt.set_num_threads(1 + next(numbers) % 4),
        )
        for found in together:
            for key, value in found.items():
                assert value == alone[key], key
    assert observers.get() == ()


# --- What threads share ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 50_000])  # a kernel lets go of the GIL for the larger one
def test_threads_add_to_the_gradients_of_the_same_leaves(size: int) -> None:
    """Sums of whole numbers, which are the same in any order: none is lost, none counts twice."""
    times = 300 if size > 3 else 1000
    weight, bias = tt.ones((size,)).requires_grad_(), tt.zeros((size,)).requires_grad_()

    def add(number: int) -> None:
        for _ in range(times):
            (weight * number + bias).sum().backward()

    for _ in range(ROUNDS):
        weight.grad = bias.grad = None
        at_once([lambda i=i: add(i + 1) for i in range(THREADS)])
        assert (weight.grad.numpy() == times * sum(range(1, THREADS + 1))).all()
        assert (bias.grad.numpy() == times * THREADS).all()


def test_threads_train_one_model() -> None:
    """Each takes its part of a batch; one steps when all have added theirs. Numbers are whole, and
    the rate a power of two: sums are exact in any order, as far as float64 has bits: four steps."""
    steps = 4
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1))
    with tt.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter[...] = rng_of(i).integers(-2, 3, parameter.shape)
    optimizer = tt.optim.SGD(net.parameters(), lr=2.0**-12)
    parts = [tt.tensor(rng_of(i).integers(-3, 4, (4, 6)).astype(np.float64)) for i in range(8)]
    net = net.to(tt.float64)
    before = [p.detach().clone() for p in net.parameters()]

    def serially() -> bytes:
        for _ in range(steps):
            optimizer.zero_grad()
            for part in parts:
                net(part).sum().backward()
            optimizer.step()
        return bytes_of(net.parameters())

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    alone = serially()
    all_added = threading.Barrier(THREADS, update)

    def work(part: tt.Tensor) -> None:
        for _ in range(steps):
            net(part).sum().backward()
            all_added.wait(60)

    for _ in range(ROUNDS):
        with tt.no_grad():
            for parameter, value in zip(net.parameters(), before, strict=True):
                parameter[...] = value
        optimizer.zero_grad()
        at_once([lambda part=part: work(part) for part in parts])
        assert bytes_of(net.parameters()) == alone


def test_threads_differentiate_one_graph() -> None:
    """Heads on one body, whose graph is retained: nobody changes what it saved."""
    x = floats(0, 20, 8).requires_grad_()
    body = (x @ floats(1, 8, 8)).tanh() * x.exp()
    wanted = [tt.grad((body * i).sum(), x, retain_graph=True)[0].numpy() for i in range(THREADS)]

    def head(i: int) -> list[np.ndarray]:
        return [tt.grad((body * i).sum(), x, retain_graph=True)[0].numpy() for _ in range(10)]

    for i, found in enumerate(at_once([lambda i=i: head(i) for i in range(THREADS)])):
        assert all((gradient == wanted[i]).all() for gradient in found)


def test_what_threads_make_at_once_is_one() -> None:
    """The default generator, which the first draw makes, and hooks that are added at once."""
    start = "import threading, tinytensor as tt\nfrom tinytensor.random import default_generator\n"
    start += f"""
import sys
sys.setswitchinterval(1e-6)
together = threading.Barrier({THREADS})
found = []
def first():
    together.wait()
    found.append(default_generator())
threads = [threading.Thread(target=first) for _ in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len({{id(generator) for generator in found}}) == 1
assert isinstance(found[0], tt.Generator)
"""
    in_a_new_process(start)

    from tinytensor.optim import optimizer

    def add() -> list[Any]:
        return [optimizer.register_optimizer_step_pre_hook(lambda *args: None) for _ in range(200)]

    handles = [handle for added in at_once([add] * THREADS) for handle in added]
    assert len(optimizer._before_every_step) == len(handles)
    for handle in handles:
        handle.remove()
    assert not optimizer._before_every_step


def test_threads_import_at_once() -> None:
    """Modules that are imported when they are first asked for, each first by another thread."""
    in_a_new_process(f"""
import sys, threading
import tinytensor as tt
names = ["nn", "models", "viz", "text", "train", "func", "data", "distributions", "generation",
         "io", "optim", "debug", "Generator", "profile", "hann_window", "save", "levels"]
sys.setswitchinterval(1e-6)
together = threading.Barrier({THREADS})
found, errors = [None] * {THREADS}, []
def look(first):
    together.wait()
    try:
        got = {{name: getattr(tt, name) for name in names[2 * first:] + names[:2 * first]}}
        x = tt.ones((2, 3), requires_grad=True)
        tt.nn.Linear(3, 2)(x).sum().backward()
        found[first] = got
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=look, args=(i,)) for i in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not errors, errors
assert all(got == found[0] for got in found)
if hasattr(sys, "_is_gil_enabled"):
    import sysconfig
    assert sys._is_gil_enabled() is not bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
""")


def in_a_new_process(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(tt.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
