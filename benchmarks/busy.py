"""With one CPU kept busy by another process: how much longer all threads take than one alone.

A pool that waits for a thread which the system is not running loses a time slice in each call. So
it is the mean that counts here, not the median: the slow calls are what is looked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from .measure import PAUSE, Plan, mean_of, runs_in_a_turn
from .process import Worker
from .row import Row

SPIN = "while True: pass"


@dataclass
class Busy:
    """A row's mean times of one run in each round, in seconds, beside a busy neighbour: of one
    thread that has a CPU to itself, and of as many threads as there are CPUs."""

    name: str
    threads: int
    alone: dict[str, list[float]] = field(default_factory=dict)  # by framework
    together: dict[str, list[float]] = field(default_factory=dict)
    source: str = ""
    isa: str = ""

    def ratio(self, framework: str) -> float:
        """The mean time on all threads, in mean times on one."""
        alone, together = self.alone[framework], self.together[framework]
        return sum(together) / len(together) / (sum(alone) / len(alone))


def possible() -> bool:
    """Are there two CPUs, and can a process be kept on one of them?"""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


@contextmanager
def neighbour() -> Iterator[list[int]]:
    """A process that keeps the last CPU busy; the CPUs that are left."""
    *others, last = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        os.sched_setaffinity(process.pid, {last})
        yield others
    finally:
        process.kill()
        process.wait()


def measure_busy(
    row: Row, threads: int, workers: Mapping[str, tuple[Worker, Worker]], plan: Plan
) -> Busy:
    """Measure the row in pairs of workers, of one thread and of all, while a neighbour is busy."""
    busy = Busy(row.name, threads)
    for pair in workers.values():
        for worker in pair:
            worker.ask("prepare", row=row.name)
    with neighbour() as quiet:
        for one, _ in workers.values():
            os.sched_setaffinity(one.process.pid, quiet)
        runs = {name: runs_in_a_turn(one, plan.turn) for name, (one, _) in workers.items()}
        start, done = time.perf_counter(), 0
        while done < 3 or (done < plan.rounds and time.perf_counter() - start < plan.row):
            for name, pair in workers.items():
                for worker, times in zip(pair, (busy.alone, busy.together), strict=True):
                    time.sleep(PAUSE)
                    worker.seconds(1)
                    times.setdefault(name, []).append(mean_of(worker, runs[name]))
            done += 1
    return busy
