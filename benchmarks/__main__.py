"""``python -m benchmarks``: run the rows that were asked for, and write the report."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from .busy import possible
from .campaign import Campaign, Wider
from .frameworks import FRAMEWORKS
from .machine import cpus, description
from .markdown import as_markdown
from .measure import OURS, QUICK, Plan
from .publish import publish
from .report import Report, from_json, save
from .row import Row
from .rows import BY_NAME, GROUPS
from .width import VARIABLES, available

HERE = Path(__file__).parent


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure tinytensor beside its peers: each framework in a process of its own,"
        " in alternating rounds, after their outputs have been compared.",
    )
    parser.add_argument(
        "group",
        nargs="?",
        default="all",
        choices=[*GROUPS, "memory", "busy", "all", "report"],
        help="which rows; report measures nothing, and writes what --merge has read",
    )
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        default=["numpy", "torch", "held"],
        help=f"of {', '.join(name for name in FRAMEWORKS if name != OURS)}"
        " (default: numpy,torch,held)",
    )
    parser.add_argument(
        "--threads",
        type=lambda text: [int(n) for n in text.split(",")],
        help="numbers of threads (default: 1 and all CPUs; with --quick 1)",
    )
    parser.add_argument(
        "--isa",
        default="",
        choices=list(VARIABLES),
        help="hold all frameworks to this instruction set (default: each chooses its own)",
    )
    parser.add_argument(
        "--allow-wider",
        action="store_true",
        help="measure what does not keep to --isa, too; otherwise it ends the run with an error",
    )
    parser.add_argument(
        "--caches",
        metavar="SIZES",
        help="as 32K,512K,16M: let tinytensor cut its work as if a core's first and second cache,"
        " and the last, had these sizes",
    )
    parser.add_argument("--quick", action="store_true", help="a few rows, a few short rounds")
    parser.add_argument("--rounds", type=int, help="turns of each framework in a row (default: 15)")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose names this regex finds")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder for the report")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the report in --out: keep its results, measure what it does not have",
    )
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        default=[],
        metavar="JSON",
        help="begin with the results of these runs; of a row in several, the last counts;"
        " instruction sets stay apart",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="also put the report into README.md and docs/, in place of the one that is there",
    )
    found = parser.parse_args(words)
    if unknown := set(found.peers) - set(FRAMEWORKS) | set(found.peers) & {OURS}:
        parser.error(f"--peers: {', '.join(sorted(unknown))} is not a peer")
    if found.isa and found.isa not in (here := available()):
        parser.error(
            f"--isa: all can be held to {', '.join(here) or 'none'} here, not to {found.isa}"
            " (it needs the compiled kernels and an x86-64 that has the set)"
        )
    if found.caches:
        try:
            import_module("tinytensor.kernels.cpus").stated_caches(found.caches)
        except ValueError as error:
            parser.error(f"--caches: {error}")
        os.environ["TINYTENSOR_CACHES"] = found.caches  # for the workers, and the report
    if found.threads is None:
        found.threads = [1] if found.quick else sorted({1, cpus()})
    if min(found.threads) < 1:
        parser.error("--threads: at least 1")
    if found.rounds is not None and found.rounds < 1:
        parser.error("--rounds: at least 1")
    try:
        re.compile(found.only or "")
    except re.error as error:
        parser.error(f"--only: {error}")
    if found.resume and (found.out / "benchmarks.json").exists():
        found.merge.append(found.out / "benchmarks.json")
    if missing := [str(path) for path in found.merge if not path.is_file()]:
        parser.error(f"--merge: there is no {', '.join(missing)}")
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


def begin(args: argparse.Namespace, versions: dict[str, str]) -> Report:
    """An empty report, or one with the results of other runs."""
    report = Report(description(), versions)
    if args.merge:
        first, *others = (from_json(path.read_text(), BY_NAME) for path in args.merge)
        for other in others:
            first.merge(other)
        if args.group == "report":
            return first
        first.merge(report)
        report = first
    return report


def write(report: Report, folder: Path) -> Iterator[Path]:
    """Write all forms of the report; the paths of the files."""
    yield (path := folder / "benchmarks.json")
    save(report, path)
    yield (path := folder / "benchmarks.md")
    path.write_text(as_markdown(report))
    try:
        from .picture import draw
    except ModuleNotFoundError:
        print("no picture: matplotlib is not installed")
        return
    for isa in report.isas:
        path = folder / ("benchmarks" + (f"-{isa}" if isa else "") + ".png")
        if draw(report.of(isa), path):
            yield path


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    names = [OURS, *installed(args.peers)]
    report = begin(args, {name: FRAMEWORKS[name].version() for name in names})
    groups = list(GROUPS) if args.group == "all" else [args.group]
    rows = [row for group in groups if group in GROUPS for row in GROUPS[group]]
    rows = chosen(rows, args.quick, args.only)
    memory = busy = []
    if args.group in ("memory", "all"):
        memory = chosen(GROUPS["models"], args.quick, args.only)
        if args.quick and args.only is None:
            memory = memory[-1:]
    if args.group == "busy" or (args.group == "all" and not args.quick):
        busy = chosen(GROUPS["kernels"], True, args.only) if possible() else []
    if not rows and not memory and not busy and args.group != "report":
        print(f"no row's name has {args.only!r}", file=sys.stderr)
        return 2

    plan = QUICK if args.quick else Plan()
    plan = replace(plan, rounds=args.rounds or plan.rounds)
    total = (len(rows) + len(memory)) * len(args.threads) + len(busy)
    with tqdm(total=total, dynamic_ncols=True) as bar:
        path = args.out / "benchmarks.json"
        campaign = Campaign(report, names, plan, path, bar, args.resume, args.isa, args.allow_wider)
        try:
            for threads in args.threads:
                campaign.speed(rows, threads)
                campaign.memory(memory, threads)
            if busy:
                campaign.busy(busy)
        except KeyboardInterrupt:
            bar.write("stopped: --resume continues")
            return 130
        except Wider as error:
            print(f"{error}\n--allow-wider measures it nevertheless", file=sys.stderr)
            return 1
    print(as_markdown(report))
    for path in chain(write(report, args.out), publish(report) if args.publish else ()):
        print(f"wrote {path}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
