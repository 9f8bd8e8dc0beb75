"""The child process: one framework, which does what the lines on its standard input ask.

A request is a line of JSON, ``{"do": name, …}``, with a ``"framework"`` if it is for a guest; the
answer is a line of JSON, which has an ``"error"`` and a ``"traceback"`` if it went wrong.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

import numpy as np

from .frameworks import FRAMEWORKS, Framework, Work
from .machine import Limits, measure_limits, peak_memory, reset_peak_memory, resident_memory
from .rows import BY_NAME
from .width import WITNESS_SECONDS, WITNESSES

MEMORY_STEPS = 3
TINY_MODEL = "MLP 64-64-64-10, batch 32"


class Session:
    """The requests, each a method."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework
        self.work: Work | None = None

    def prepare(self, row: str) -> dict[str, Any]:
        """Make the inputs of a row, and what is to be run on them."""
        self.work = None  # before the next one is made
        gc.collect()
        self.work = self.framework.prepare(BY_NAME[row])
        return {}

    def outputs(self, path: str) -> dict[str, Any]:
        """Run once, and save what came out as arrays ``arr_0``, … of an .npz file."""
        assert self.work is not None
        with self.work.context():
            np.savez(path, *map(self.framework.array, self.work.outputs()))
        return {}

    def run(self, n: int) -> dict[str, Any]:
        """Run n times."""
        assert self.work is not None
        return {"seconds": self.work.seconds(n)}

    def memory(self, row: str) -> dict[str, Any]:
        """The peak of resident memory over some runs of the row, above that of before.

        A tiny model runs first: the library's own code is then in memory, and does not count.
        """
        self.prepare(TINY_MODEL)
        self.run(MEMORY_STEPS)
        self.work = None
        gc.collect()
        reset_peak_memory()
        before = resident_memory()
        self.prepare(row)
        self.run(MEMORY_STEPS)
        return {"bytes": max(peak_memory() - before, 0)}

    def side(self) -> dict[str, Any]:
        """What the library says of its instruction set, and its best rate of the witnesses."""
        return {"says": self.framework.says(), "flops": max(map(self.best_rate, WITNESSES))}

    def best_rate(self, row: str) -> float:
        """Operations a second, of the fastest of some runs of the row."""
        self.prepare(row)
        assert self.work is not None
        self.run(1)  # one to compile, or to warm up
        end, best = time.perf_counter() + WITNESS_SECONDS, float("inf")
        while best == float("inf") or time.perf_counter() < end:
            best = min(best, self.work.seconds(1))
        self.work = None
        return BY_NAME[row].flops / best

    def limits(self) -> dict[str, Any]:
        limits: Limits | None = measure_limits()
        return {} if limits is None else {"limits": [limits.flops, limits.bytes]}


def main() -> None:
    name, threads = sys.argv[1], int(sys.argv[2])
    # What libraries print goes to standard error: standard output is for answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sessions = {name: Session(FRAMEWORKS[name](threads))}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            asked = request.pop("framework", name)
            if asked not in sessions:
                sessions[asked] = Session(FRAMEWORKS[asked](threads))
            answer = getattr(sessions[asked], request.pop("do"))(**request)
        except Exception as error:
            kind = type(error).__name__
            answer = {"error": f"{kind}: {error}", "traceback": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
