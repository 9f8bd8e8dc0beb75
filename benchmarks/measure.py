"""Measuring: outputs compared, then rounds in which the frameworks take turns."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .process import Worker
from .row import Row

OURS = "tinytensor"
PAUSE = 0.02  # s, in which the threads of the framework that had its turn go to sleep
SPINS = {"numpy": 0.15}  # s: OpenBLAS's threads spin for 0.1 s


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int = 15
    turn: float = 0.1  # s of runs in a turn, at least one run
    row: float = 30.0  # s; slow rows get fewer rounds, at least 3
    run: float = 6.0  # s; a peer that takes longer for one run takes part in the first round alone


QUICK = Plan(rounds=5, turn=0.01, row=2.0)


@dataclass(frozen=True)
class Spread:
    """A median, between the quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(*(float(q) for q in np.percentile(values, (25, 50, 75))))


@dataclass
class Measurement:
    """A row's times of one run, in seconds: for each framework one for each round."""

    row: Row
    threads: int
    times: dict[str, list[float]] = field(default_factory=dict)
    failure: str = ""
    source: str = ""  # the commit of tinytensor, and when: where several runs are merged
    isa: str = ""  # the instruction set that all were held to; "" if each chose its own

    @property
    def name(self) -> str:
        return self.row.name

    def seconds(self, framework: str = OURS) -> float:
        return Spread.of(self.times[framework]).median

    @property
    def peers(self) -> list[str]:
        return [framework for framework in self.times if framework != OURS]

    def ratio(self, peer: str) -> Spread:
        """How many times faster tinytensor is, from the ratios of the single rounds."""
        rounds = zip(self.times[peer], self.times[OURS], strict=False)  # a slow peer has only one
        return Spread.of([theirs / ours for theirs, ours in rounds])

    def faster(self, peers: Iterable[str]) -> str | None:
        """Of these peers the one against which the ratio is the smallest."""
        present = [peer for peer in peers if peer in self.times]
        return min(present, key=lambda peer: self.ratio(peer).median, default=None)


def difference(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], tolerance: float) -> str:
    """What is wrong between the outputs of two frameworks; "" if they agree."""
    if len(ours) != len(theirs):
        return f"{len(ours)} outputs against {len(theirs)}"
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape:
            return f"output {index} is {a.shape} against {b.shape}"
        if not a.size:
            continue
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return f"output {index} is not finite"
        largest = float(np.abs(b).max())
        error = float(np.abs(a.astype(np.float64) - b).max())
        if error > tolerance * largest:
            return f"output {index} differs by {error:.2g}, of values up to {largest:.2g}"
    return ""


def measure(row: Row, threads: int, workers: Mapping[str, Worker], plan: Plan) -> Measurement:
    """Measure the row in these workers, tinytensor's first."""
    measurement = Measurement(row, threads)
    expected: list[np.ndarray] = []
    wrong = []
    for name, worker in workers.items():
        worker.ask("prepare", row=row.name)
        outputs = worker.outputs()
        if name == OURS:
            expected = outputs
        elif problem := difference(expected, outputs, row.tolerance):
            wrong.append(f"tinytensor and {name} disagree: {problem}")
    if wrong:
        measurement.failure = "; ".join(wrong)
        return measurement

    runs = {name: runs_in_a_turn(worker, plan.turn) for name, worker in workers.items()}
    measurement.times = {name: [] for name in workers}
    spent, done, before = 0.0, 0, [*workers][-1]
    while done < plan.rounds and (done < 3 or spent * (done + 1) / done < plan.row):
        start = time.perf_counter()
        for name, worker in workers.items():
            if done and name != OURS and measurement.times[name][0] > plan.run:
                continue
            time.sleep(SPINS.get(before, PAUSE) if threads > 1 else PAUSE)
            before = name
            if runs[name] > 1:
                worker.seconds(1)  # warm the caches that the others have filled
            measurement.times[name].append(mean_of(worker, runs[name]))
        spent += time.perf_counter() - start
        done += 1
    return measurement


def mean_of(worker: Worker, n: int) -> float:
    """The mean time of n runs, in as many digits as the report has."""
    return float(f"{worker.seconds(n) / n:.5g}")


def runs_in_a_turn(worker: Worker, turn: float) -> int:
    """How many runs take as long as a turn."""
    n = 1
    while (seconds := worker.seconds(n)) < turn / 2:
        n = max(2 * n, math.ceil(n * turn / max(seconds, 1e-9)) if seconds > turn / 20 else 10 * n)
    return max(1, round(n * turn / seconds))
