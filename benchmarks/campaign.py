"""A run of the benchmarks: what is measured goes into its report, which is saved each time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tqdm import tqdm

from .busy import measure_busy
from .frameworks import FRAMEWORKS
from .machine import Limits, cpus
from .measure import OURS, Plan, measure
from .process import ROOT, Guest, Worker, WorkerError
from .report import Key, Memory, Report, save
from .row import Row

NO_MEMORY = ("numpy",)  # the reference kernels' memory is no peer's
POOLS = (OURS, "torch")  # those whose threads share one kernel


class Campaign:
    """With ``resume``, what the report already has is not measured again."""

    def __init__(
        self, report: Report, names: list[str], plan: Plan, path: Path, bar: tqdm, resume: bool
    ) -> None:
        self.report, self.names, self.plan, self.path, self.bar = report, names, plan, path, bar
        self.resume = resume
        self.source = source()

    def result(self, what: str, measure: Callable[[], None]) -> None:
        """Measure once. A failure is a line of the report."""
        self.bar.set_description(what[:60])
        self.report.failures = [
            line for line in self.report.failures if not line.startswith(f"{what}:")
        ]
        try:
            measure()
        except WorkerError as error:
            self.fail(f"{what}: {error}")
        save(self.report, self.path)
        self.bar.update()

    def fail(self, failure: str) -> None:
        self.report.failures.append(failure)
        self.bar.write(failure)

    def frameworks(self, row: Row) -> list[str]:
        """Those that take part in the row."""
        return [name for name in self.names if FRAMEWORKS[name].takes(row)]

    # --- Speed -------------------------------------------------------------------------------

    def speed(self, rows: list[Row], threads: int) -> None:
        """Measure the rows, each in the workers whose frameworks take part."""
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}

            def worker(name: str) -> Worker:
                if name not in workers or workers[name].process.poll() is not None:
                    host = FRAMEWORKS[name].host
                    new = Guest(worker(host), name) if host else Worker(name, threads)
                    workers[name] = stack.enter_context(new)
                return workers[name]

            def run(row: Row, what: str) -> None:
                part = {name: worker(name) for name in self.frameworks(row)}
                measurement = measure(row, threads, part, self.plan)
                measurement.source = self.source
                if measurement.failure:
                    self.fail(f"{what}: {measurement.failure}")
                else:
                    self.report.add(measurement)

            new = [row for row in rows if not self.has(row, threads)]
            self.bar.update(len(rows) - len(new))
            if new:
                self.limits(worker, threads)
            for row in new:
                what = f"{row.name}, threads {threads}"
                self.result(what, partial(run, row, what))
            if new:
                self.limits(worker, threads)
                save(self.report, self.path)

    def has(self, row: Row, threads: int) -> bool:
        wanted = {*self.frameworks(row)}
        return self.resume and any(
            (m.row.name, m.threads) == (row.name, threads) and wanted <= m.times.keys()
            for m in self.report.measurements
        )

    def limits(self, worker: Callable[[str], Worker], threads: int) -> None:
        """Measure the machine's limits by each of our tables of kernels. One that does not run here
        takes no further part."""
        for name in [name for name in self.names if name.startswith(OURS)]:
            try:
                limits = worker(name).ask("limits").get("limits")
            except WorkerError as error:
                if name == OURS:
                    raise
                self.fail(str(error))
                self.names.remove(name)
            else:
                if limits:
                    self.report.note_limits(Key(name, threads), Limits(*limits))

    # --- Memory ------------------------------------------------------------------------------

    def memory(self, rows: list[Row], threads: int) -> None:
        """The peak memory of each row in each framework, in a fresh process each time."""

        def run(row: Row) -> None:
            memory = Memory(row.name, threads, {}, self.source)
            for name in self.frameworks(row):
                if name not in NO_MEMORY:
                    with Worker(name, threads) as worker:
                        memory.bytes[name] = worker.ask("memory", row=row.name)["bytes"]
            self.report.add(memory)

        known = {(m.name, m.threads) for m in self.report.memory if self.resume}
        for row in rows:
            if (row.name, threads) in known:
                self.bar.update()
            else:
                self.result(f"memory of {row.name}, threads {threads}", partial(run, row))

    # --- Busy --------------------------------------------------------------------------------

    def busy(self, rows: list[Row]) -> None:
        """Each row on all CPUs, while another process keeps one of them busy."""
        names, threads = [name for name in self.names if name in POOLS], cpus()
        known = {b.name for b in self.report.busy if self.resume and b.alone.keys() >= {*names}}
        with ExitStack() as stack:
            enter = stack.enter_context
            workers = {
                name: (enter(Worker(name, 1)), enter(Worker(name, threads))) for name in names
            }

            def run(row: Row) -> None:
                busy = measure_busy(row, threads, workers, self.plan)
                busy.source = self.source
                self.report.add(busy)

            for row in rows:
                if row.name in known:
                    self.bar.update()
                else:
                    self.result(f"{row.name}, beside a busy neighbour", partial(run, row))


def source() -> str:
    """Which code is measured, and when."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return f"{commit} {time.strftime('%Y-%m-%d %H:%M', time.gmtime())}"
