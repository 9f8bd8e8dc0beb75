"""Threads and processes save to one path and load from it: is anything lost, or mixed?

    python -m tests.io.saving_race [seconds] [threads] [processes]

Each save writes tensors of one number, of a size of its own, and that number. What a load finds
must be whole, and no save may be lost: none that began after the found one had ended may have
ended before the load began. At the end nothing may lie beside the file, although each of the
processes is one that saves until it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinytensor as tt

PARTS = 5
LONGEST = 40_000


class Counts(NamedTuple):
    saves: int
    loads: int
    killed: int
    wrong: list[str]


def state_of(number: int) -> dict[str, object]:
    length = random.Random(number).randrange(1, LONGEST)
    return {
        "number": number,
        **{str(i): np.full(length + i, number, np.int64) for i in range(PARTS)},
    }


def fault(state: dict[str, object]) -> str | None:
    """What is wrong with what was loaded, None where all is right."""
    number = state["number"]
    assert isinstance(number, int)
    expected = state_of(number)
    if list(state) != list(expected):
        return f"{number} has the keys {list(state)}"
    for i in range(PARTS):
        if not np.array_equal(np.asarray(state[str(i)]), expected[str(i)]):
            return f"{number} has another one's part {i}"
    return None


def killed_writer(path: Path, number: int) -> None:
    """Save again and again, until the process is killed."""
    while True:
        tt.save(path, state_of(number))
        number += 1


def race(folder: Path, seconds: float, threads: int = 8, processes: int = 0) -> Counts:
    path = folder / "state.safetensors"
    tt.save(path, state_of(0))
    end = time.monotonic() + seconds
    wrong: list[str] = []
    saves: dict[int, tuple[float, float]] = {0: (0.0, 0.0)}  # when each began and ended
    loads: list[tuple[float, int]] = []  # when it began, and what it found

    def load() -> None:
        began = time.monotonic()
        state = tt.load(path)
        loads.append((began, int(state["number"])))
        if what := fault(state):
            wrong.append(what)

    def work(thread: int) -> None:
        draw = random.Random(thread)
        number = thread + 1
        try:
            while time.monotonic() < end:
                if draw.random() < 0.5:
                    began = time.monotonic()
                    tt.save(path, state_of(number))
                    saves[number] = began, time.monotonic()
                    number += threads
                else:
                    load()
        except BaseException as error:
            wrong.append(f"{type(error).__name__}: {error}")

    def kill(first: int) -> None:
        draw, context = random.Random(first), multiprocessing.get_context("spawn")
        while time.monotonic() < end:
            process = context.Process(target=killed_writer, args=(path, first))
            process.start()
            assert process.pid is not None
            time.sleep(1 + draw.random())
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed.append(first)

    killed: list[int] = []
    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    workers += [threading.Thread(target=kill, args=((i + 1) << 32,)) for i in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    load()
    ended = sorted((ended, began) for began, ended in saves.values())
    latest = np.maximum.accumulate([began for _, began in ended])  # of those ended by then
    for began, number in loads:
        before = bisect_left(ended, (began, 0.0))
        if before and number in saves and saves[number][1] < latest[before - 1]:
            wrong.append(f"{number} was found when a later save had ended")
    tt.save(path, state_of(0))  # it clears up what the last one killed left
    wrong += [f"{name} is left" for name in os.listdir(folder) if name != path.name]
    return Counts(len(saves), len(loads), len(killed), wrong)


def main() -> None:
    given = [float(argument) for argument in sys.argv[1:]]
    seconds, threads, processes = (given + [60, 8, 2][len(given) :])[:3]
    with tempfile.TemporaryDirectory() as folder:
        counts = race(Path(folder), seconds, int(threads), int(processes))
    print(f"{counts.saves} saves, {counts.loads} loads, {counts.killed} killed writers")
    print("\n".join(counts.wrong[:20]) or "nothing lost, nothing mixed, nothing left")
    sys.exit(bool(counts.wrong))


if __name__ == "__main__":
    main()
