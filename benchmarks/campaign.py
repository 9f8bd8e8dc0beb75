"""A run of the benchmarks: what is measured goes into its report, which is saved each time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
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
from .width import Side

NO_MEMORY = ("numpy",)  # the reference kernels' memory is no peer's
POOLS = (OURS, "torch")  # those whose threads share one kernel


class Wider(RuntimeError):
    """A library runs wider than the instruction set that it was held to."""


class Campaign:
    """With ``resume``, what the report already has is not measured again. All processes are held to
    the instruction set ``isa``; what runs wider ends the campaign, unless ``allow_wider``."""

    def __init__(
        self,
        report: Report,
        names: list[str],
        plan: Plan,
        path: Path,
        bar: tqdm,
        resume: bool = False,
        isa: str = "",
        allow_wider: bool = False,
    ) -> None:
        self.report, self.names, self.plan, self.path, self.bar = report, names, plan, path, bar
        self.resume, self.isa, self.allow_wider = resume, isa, allow_wider
        self.source = source()

    def what(self, name: str, threads: int) -> str:
        """How a failure of this run is named."""
        return f"{name}, threads {threads}" + (f", {self.isa}" if self.isa else "")

    def result(self, what: str, measure: Callable[[], None]) -> None:
        """Measure once. A failure is a line of the report."""
        self.bar.set_description(what[:60])
        self.forget(what)
        try:
            measure()
        except WorkerError as error:
            self.fail(f"{what}: {error}")
        save(self.report, self.path)
        self.bar.update()

    def forget(self, what: str) -> None:
        """An older failure: it is tried again."""
        self.report.failures = [
            line for line in self.report.failures if not line.startswith(f"{what}:")
        ]

    def fail(self, failure: str) -> None:
        self.report.failures.append(failure)
        self.bar.write(failure)

    def frameworks(self, row: Row) -> list[str]:
        """Those that take part in the row."""
        return [name for name in self.names if FRAMEWORKS[name].takes(row)]

    def worker(self, name: str, threads: int) -> Worker:
        return Worker(name, threads, self.isa)

    # --- Speed -------------------------------------------------------------------------------

    def speed(self, rows: list[Row], threads: int) -> None:
        """Measure the rows, each in the workers whose frameworks take part."""
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}

            def worker(name: str) -> Worker:
                if name not in workers or workers[name].process.poll() is not None:
                    host = FRAMEWORKS[name].host
                    new = Guest(worker(host), name) if host else self.worker(name, threads)
                    workers[name] = stack.enter_context(new)
                return workers[name]

            def run(row: Row, what: str) -> None:
                part = {name: worker(name) for name in self.frameworks(row)}
                measurement = measure(row, threads, part, self.plan)
                measurement.source, measurement.isa = self.source, self.isa
                if measurement.failure:
                    self.fail(f"{what}: {measurement.failure}")
                else:
                    self.report.add(measurement)

            new = [row for row in rows if not self.has(row, threads)]
            self.bar.update(len(rows) - len(new))
            if new:
                self.limits(worker(OURS), threads)
                self.sides({name: worker(name) for name in self.hosts()}, threads)
            for row in new:
                what = self.what(row.name, threads)
                self.result(what, partial(run, row, what))
            if new:
                self.limits(worker(OURS), threads)
                save(self.report, self.path)

    def has(self, row: Row, threads: int) -> bool:
        wanted = {*self.frameworks(row)}
        return self.resume and any(
            (m.row.name, m.threads, m.isa) == (row.name, threads, self.isa)
            and wanted <= m.times.keys()
            for m in self.report.measurements
        )

    def hosts(self) -> list[str]:
        """The frameworks that have a process of their own."""
        return [name for name in self.names if not FRAMEWORKS[name].host]

    def limits(self, ours: Worker, threads: int) -> None:
        """Measure the machine's limits by our kernels."""
        if limits := ours.ask("limits").get("limits"):
            self.report.note_limits(Key(threads, self.isa), Limits(*limits))

    def sides(self, workers: Mapping[str, Worker], threads: int) -> None:
        """Note what each library runs. One that runs wider than it was told ends the campaign."""
        wider = []
        for name, worker in workers.items():
            what = self.what(name, threads)
            self.bar.set_description(what)
            self.forget(what)
            side = Side(name, threads, **worker.ask("side"), isa=self.isa)
            if self.report.is_wider(side):  # or something slowed the measuring of the limit
                self.limits(workers[OURS], threads)
            self.report.add(side)
            if self.report.is_wider(side) and not self.allow_wider:
                wider.append(f"{what}: runs wider: {self.report.too_fast(side)}")
                self.fail(wider[-1])
        if wider:
            save(self.report, self.path)
            raise Wider("\n".join(wider))

    # --- Memory ------------------------------------------------------------------------------

    def memory(self, rows: list[Row], threads: int) -> None:
        """The peak memory of each row in each framework, in a fresh process each time."""

        def run(row: Row) -> None:
            memory = Memory(row.name, threads, {}, self.source, self.isa)
            for name in self.frameworks(row):
                if name not in NO_MEMORY:
                    with self.worker(name, threads) as worker:
                        memory.bytes[name] = worker.ask("memory", row=row.name)["bytes"]
            self.report.add(memory)

        known = {(m.name, m.threads, m.isa) for m in self.report.memory if self.resume}
        for row in rows:
            if (row.name, threads, self.isa) in known:
                self.bar.update()
            else:
                self.result(self.what(f"memory of {row.name}", threads), partial(run, row))

    # --- Busy --------------------------------------------------------------------------------

    def busy(self, rows: list[Row]) -> None:
        """Each row on all CPUs, while another process keeps one of them busy."""
        names, threads = [name for name in self.names if name in POOLS], cpus()
        known = {
            b.name
            for b in self.report.busy
            if self.resume and b.isa == self.isa and b.alone.keys() >= {*names}
        }
        with ExitStack() as stack:
            enter = stack.enter_context
            workers = {
                name: (enter(self.worker(name, 1)), enter(self.worker(name, threads)))
                for name in names
            }
            if {row.name for row in rows} - known:
                self.limits(workers[OURS][0], 1)
                self.sides({name: one for name, (one, _) in workers.items()}, 1)

            def run(row: Row) -> None:
                busy = measure_busy(row, threads, workers, self.plan)
                busy.source, busy.isa = self.source, self.isa
                self.report.add(busy)

            for row in rows:
                if row.name in known:
                    self.bar.update()
                else:
                    what = self.what(f"{row.name}, beside a busy neighbour", threads)
                    self.result(what, partial(run, row))


def source() -> str:
    """Which code is measured, and when."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return f"{commit} {time.strftime('%Y-%m-%d %H:%M', time.gmtime())}"
