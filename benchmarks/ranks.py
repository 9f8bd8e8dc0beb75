"""What ranks gain: ``mpiexec -n 2 python -m benchmarks.ranks``, one thread each.

A step of training (forward, backward, SGD), with as large a batch on every rank as on the one that
runs alone: ``alone`` while the others sleep, ``apart`` on all ranks without a word between them,
``overlapping`` with gradients reduced while backward runs, ``afterwards`` with all of them reduced
behind it, and ``thread`` with MPI asked by a thread, every millisecond, instead of where gradients
arrive. The throughput of n ranks is n · alone / overlapping times that of one. Exposed is how long
all ranks, having come to the end of backward, wait for what has not been reduced by then.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import tinytensor as tt
from tinytensor import distributed as dist

VOCABULARY, T = 96, 256
WAYS = ("alone", "apart", "overlapping", "afterwards", "thread")


def resnet(batch: int) -> tuple[Any, Callable[[Any], Any]]:
    """ResNet-20 on images of CIFAR's size."""
    rng = np.random.default_rng(dist.rank())
    x = tt.tensor(rng.normal(size=(batch, 3, 32, 32)).astype(np.float32))
    y = tt.tensor(rng.integers(0, 10, batch))
    return tt.models.resnet20(), lambda model: tt.nn.functional.cross_entropy(model(x), y)


def gpt(batch: int) -> tuple[Any, Callable[[Any], Any]]:
    """The GPT of width 384 with 6 layers, on 256 characters."""
    rng = np.random.default_rng(dist.rank())
    x, y = (tt.tensor(rng.integers(0, VOCABULARY, (batch, T))) for _ in range(2))

    def loss(model: Any) -> Any:
        scores = model(x).reshape(-1, VOCABULARY)
        return tt.nn.functional.cross_entropy(scores, y.reshape(-1))

    sizes = tt.models.GPTConfig(VOCABULARY, block_size=T, n_layer=6, n_head=6, n_embd=384)
    return tt.models.GPT(sizes), loss


@contextmanager
def asking(reducer: Any) -> Iterator[None]:
    """A thread that lets MPI go on."""
    over, lock, poll = threading.Event(), threading.Lock(), reducer.poll

    def locked() -> bool:
        with lock:
            return poll()

    def ask() -> None:
        while not over.wait(1e-3):
            locked()

    reducer.poll = locked
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        del reducer.poll


def seconds(step: Callable[[], None], count: int) -> float:
    """The time of one of ``count`` steps that follow each other."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def measured(model: Any, loss: Callable[[Any], Any], rounds: int, count: int) -> dict[str, Any]:
    """The times of each way, a round after the other."""
    parallel = dist.DistributedDataParallel(model)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    reducer: Any = parallel._reducer

    def step(of: Any) -> None:
        optimizer.zero_grad()
        loss(of).backward()
        optimizer.step()

    def run(way: str) -> float:
        if way == "alone" and dist.rank():
            return 0.0
        if way in ("alone", "apart"):
            with parallel.no_sync():
                return seconds(lambda: step(model), count)
        reducer.overlaps = way != "afterwards"
        if way == "thread":
            with asking(reducer):
                return seconds(lambda: step(parallel), count)
        return seconds(lambda: step(parallel), count)

    times: dict[str, list[float]] = {way: [] for way in WAYS}
    exposed: dict[str, list[float]] = {way: [] for way in WAYS[2:]}
    for _ in range(3):
        step(parallel)
    dist.reset_statistics()
    step(parallel)
    sent = dist.statistics()["gradients"]
    for _ in range(rounds):
        for way in WAYS:
            dist.barrier()
            took = run(way)
            dist.barrier()
            times[way].append(max(dist.all_gather_object(took)))
            if way in exposed:
                exposed[way].append(reducer.exposed)
    nbytes = sum(p.nbytes for p in model.parameters())
    return {"times": times, "exposed": exposed, "sent": sent, "parameters": nbytes}


def reduction(nbytes: int) -> float:
    """The time of one all_reduce of so many bytes, when all have come."""
    x = np.zeros(nbytes // 4, np.float32)
    times = []
    for _ in range(10):
        dist.barrier()
        times.append(seconds(lambda: dist.all_reduce(x), 1))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="mpiexec -n 2 python -m benchmarks.ranks")
    parser.add_argument("models", nargs="*", default=["resnet", "gpt"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, help="a rank's (default: 64 images, 4 texts)")
    options = parser.parse_args()
    dist.init(threads=1)
    for name in options.models:
        make, batch = {"resnet": (resnet, 64), "gpt": (gpt, 4)}[name]
        tt.manual_seed(0)
        found = measured(*make(options.batch or batch), options.rounds, options.steps)
        alone = reduction(found["parameters"])
        if dist.rank():
            continue
        size, times = dist.size(), found["times"]
        print(f"{name}, {options.batch or batch} a rank, {size} ranks of {tt.get_num_threads()}")
        for way in WAYS:
            median = statistics.median(times[way])
            ratios = [size * a / b for a, b in zip(times["alone"], times[way], strict=True)]
            gain = "" if way == "alone" else f"  {statistics.median(ratios):.3f} times alone"
            spread = f"{min(times[way]) * 1e3:.1f} to {max(times[way]) * 1e3:.1f}"
            left = found["exposed"].get(way)
            wait = "" if left is None else f", {statistics.median(left) * 1e3:.2f} ms exposed"
            print(f"  {way:<12}{median * 1e3:8.1f} ms ({spread}){gain}{wait}")
        sent, least = found["sent"], 2 * (size - 1) / size * found["parameters"]
        print(
            f"  gradients of {found['parameters'] / 1e6:.3f} MB in {sent['calls']} buckets: a rank"
            f" sends {sent['sent'] / 1e6:.3f} MB a step, 2(n - 1)/n of the parameters'"
            f" {least / 1e6:.3f} MB and {100 * (sent['sent'] / least - 1):.2f} % of padding;"
            f" all_reduce of as many bytes: {alone * 1e3:.2f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
