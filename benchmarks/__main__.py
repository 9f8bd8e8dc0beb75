"""``python -m benchmarks``: run the rows that were asked for, and write the report."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

from .frameworks import FRAMEWORKS
from .machine import Limits, cpus, description
from .measure import OURS, QUICK, Plan, measure
from .process import Worker, WorkerError
from .report import Memory, Report, as_markdown, write
from .row import Row
from .rows import GROUPS

NO_MEMORY = ("numpy",)  # the reference kernels' memory is no peer's
HERE = Path(__file__).parent


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure tinytensor beside its peers: each framework in a process of its own,"
        " in alternating rounds, after their outputs have been compared.",
    )
    parser.add_argument(
        "group", nargs="?", default="all", choices=[*GROUPS, "memory", "all"], help="which rows"
    )
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        default=["numpy", "torch"],
        help=f"of {', '.join(name for name in FRAMEWORKS if name != OURS)} (default: numpy,torch)",
    )
    parser.add_argument(
        "--threads",
        type=lambda text: [int(n) for n in text.split(",")],
        help="numbers of threads (default: 1 and all CPUs; with --quick 1)",
    )
    parser.add_argument("--quick", action="store_true", help="a few rows, a few short rounds")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose names this regex finds")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder for the report")
    found = parser.parse_args(words)
    if unknown := set(found.peers) - set(FRAMEWORKS) | set(found.peers) & {OURS}:
        parser.error(f"--peers: {', '.join(sorted(unknown))} is not a peer")
    if found.threads is None:
        found.threads = [1] if found.quick else sorted({1, cpus()})
    if min(found.threads) < 1:
        parser.error("--threads: at least 1")
    try:
        re.compile(found.only or "")
    except re.error as error:
        parser.error(f"--only: {error}")
    return found


def chosen(rows: list[Row], quick: bool, only: str | None) -> list[Row]:
    """The rows that are asked for."""
    if only is not None:
        return [row for row in rows if re.search(only, row.name)]
    return [row for row in rows if not row.on_request and (row.quick or not quick)]


def installed(peers: list[str]) -> Iterator[str]:
    for peer in peers:
        module = FRAMEWORKS[peer].module
        if find_spec(module) is None:
            print(f"{peer} is left out: {module} is not installed")
        else:
            yield peer


def run_speed(report: Report, rows: list[Row], threads: int, plan: Plan, bar: tqdm) -> None:
    """Measure the rows, each in the workers whose frameworks take part."""
    with ExitStack() as stack:
        workers = {OURS: stack.enter_context(Worker(OURS, threads))}
        limits = workers[OURS].ask("limits").get("limits")
        for row in rows:
            bar.set_description(f"{row.name}, threads {threads}"[:60])
            part = {}
            for name in report.versions:
                if not FRAMEWORKS[name].takes(row):
                    continue
                if name not in workers or workers[name].process.poll() is not None:
                    workers[name] = stack.enter_context(Worker(name, threads))
                part[name] = workers[name]
            try:
                measurement = measure(row, threads, part, plan)
                failure = measurement.failure
                if not failure:
                    report.measurements.append(measurement)
            except WorkerError as error:
                failure = str(error)
            if failure:
                report.failures.append(f"{row.name}, threads {threads}: {failure}")
                bar.write(report.failures[-1])
            bar.update()
        if limits:  # before and after: the better of two moments
            again = workers[OURS].ask("limits")["limits"]
            report.limits[threads] = Limits(*map(max, limits, again))


def run_memory(report: Report, rows: list[Row], threads: int, bar: tqdm) -> None:
    """The peak memory of each row in each framework, in a fresh process each time."""
    for row in rows:
        bar.set_description(f"memory of {row.name}, threads {threads}"[:60])
        memory = Memory(row.name, threads, {})
        for name in report.versions:
            if name in NO_MEMORY or not FRAMEWORKS[name].takes(row):
                continue
            try:
                with Worker(name, threads) as worker:
                    memory.bytes[name] = worker.ask("memory", row=row.name)["bytes"]
            except WorkerError as error:
                report.failures.append(f"memory of {row.name}, threads {threads}: {error}")
                bar.write(report.failures[-1])
        report.memory.append(memory)
        bar.update()


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    names = [OURS, *installed(args.peers)]
    report = Report(description(), {name: FRAMEWORKS[name].version() for name in names})
    groups = list(GROUPS) if args.group == "all" else [args.group]
    rows = [row for group in groups if group in GROUPS for row in GROUPS[group]]
    rows = chosen(rows, args.quick, args.only)
    memory = chosen(GROUPS["models"], args.quick, args.only)
    if args.group not in ("memory", "all"):
        memory = []
    if args.quick and args.only is None:
        memory = memory[-1:]
    if not rows and not memory:
        print(f"no row's name has {args.only!r}", file=sys.stderr)
        return 2

    with tqdm(total=(len(rows) + len(memory)) * len(args.threads), dynamic_ncols=True) as bar:
        for threads in args.threads:
            if rows:
                run_speed(report, rows, threads, QUICK if args.quick else Plan(), bar)
            run_memory(report, memory, threads, bar)
    print(as_markdown(report))
    for path in write(report, args.out):
        print(f"wrote {path}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
