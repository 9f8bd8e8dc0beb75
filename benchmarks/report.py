"""The results of a run, and how they are written: JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .machine import Limits
from .measure import OURS, Measurement


@dataclass
class Memory:
    """The peak memory of one training step in each framework, in bytes."""

    name: str
    threads: int
    bytes: dict[str, int]


@dataclass
class Report:
    machine: dict[str, str | int]
    versions: dict[str, str]
    limits: dict[int, Limits] = field(default_factory=dict)  # by threads
    measurements: list[Measurement] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def peers(self) -> list[str]:
        return [name for name in self.versions if name != OURS]

    def shares(self, measurement: Measurement) -> tuple[float | None, float | None]:
        """The parts of the FMA limit and of the bandwidth limit that a row reaches."""
        limits, seconds = self.limits.get(measurement.threads), measurement.seconds()
        if limits is None:
            return None, None
        row = measurement.row
        return (
            row.flops / seconds / limits.flops if row.flops else None,
            row.bytes / seconds / limits.bytes if row.bytes else None,
        )


def geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


# --- JSON ------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    rows = []
    for m in report.measurements:
        seconds = m.seconds()
        of_fma, of_bandwidth = report.shares(m)
        rows.append(
            {
                "group": m.row.group,
                "name": m.row.name,
                "threads": m.threads,
                "seconds": {name: m.seconds(name) for name in m.times},
                "ratios": {peer: vars(m.ratio(peer)) for peer in m.peers},
                "rounds": len(m.times[OURS]),
                "flops": m.row.flops,
                "bytes": m.row.bytes,
                "GFLOP/s": m.row.flops / seconds / 1e9,
                "GB/s": m.row.bytes / seconds / 1e9,
                "share of the FMA limit": of_fma,
                "share of the bandwidth limit": of_bandwidth,
            }
        )
    content = {
        "machine": report.machine,
        "versions": report.versions,
        "limits": [{"threads": n, **vars(limits)} for n, limits in report.limits.items()],
        "rows": rows,
        "memory": [vars(memory) for memory in report.memory],
        "failures": report.failures,
    }
    return json.dumps(content, indent=1) + "\n"


# --- Markdown --------------------------------------------------------------------------------


def as_markdown(report: Report) -> str:
    return "\n".join(lines(report)) + "\n"


def lines(report: Report) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield ", ".join(f"{name}: {value}" for name, value in report.machine.items()) + "."
    yield ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."
    yield ""
    yield "A ratio says how many times faster tinytensor is: the median of the ratios of single"
    yield "rounds, and their quartiles."
    if report.limits:
        yield "Shares are of this machine's limits, measured in this run:"
    for threads, limits in report.limits.items():
        yield (
            f"with {threads} {'thread' if threads == 1 else 'threads'}"
            f" {limits.flops / 1e9:.0f} GFLOP/s (FMA) and {limits.bytes / 1e9:.1f} GB/s (stream)."
        )
    groups = dict.fromkeys(m.row.group for m in report.measurements)
    for group in groups:
        yield from ("", f"## {group}", "")
        some = [m for m in report.measurements if m.row.group == group]
        yield from table(*speed_table(report, some))
    if report.memory:
        yield from ("", "## Peak memory of a training step, above that of the idle process", "")
        yield from table(*memory_table(report))
    if report.failures:
        yield from ("", "## Failed", "")
        yield from (f"- {failure}" for failure in report.failures)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def speed_table(
    report: Report, measurements: list[Measurement]
) -> tuple[list[str], list[list[str]]]:
    peers = [peer for peer in report.peers if any(peer in m.times for m in measurements)]
    head = ["", "threads", OURS, "GFLOP/s", "GB/s", "of the limit"]
    rows = []
    for m in measurements:
        row, seconds = m.row, m.seconds()
        cells = [row.name, str(m.threads), duration(seconds)]
        cells.append(f"{row.flops / seconds / 1e9:.1f}" if row.flops else "")
        cells.append(f"{row.bytes / seconds / 1e9:.1f}" if row.bytes else "")
        cells.append(share(*report.shares(m)))
        rows.append(cells + [ratio(m, peer) for peer in peers])
    means: list[Any] = ["geometric mean", "", "", "", "", ""]
    for peer in peers:
        ratios = [m.ratio(peer).median for m in measurements if peer in m.times]
        means.append(f"{geometric_mean(ratios):.2f}")
    return head + [f"× {peer}" for peer in peers], [*rows, means]


def memory_table(report: Report) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(name for memory in report.memory for name in memory.bytes))
    rows = [
        [
            memory.name,
            str(memory.threads),
            *(
                f"{memory.bytes[name] / 2**20:.1f} MB" if name in memory.bytes else ""
                for name in names
            ),
        ]
        for memory in report.memory
    ]
    return ["", "threads", *names], rows


def ratio(measurement: Measurement, peer: str) -> str:
    if peer not in measurement.times:
        return ""
    spread = measurement.ratio(peer)
    return f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def share(of_fma: float | None, of_bandwidth: float | None) -> str:
    """The nearer of the two limits."""
    if of_fma is None and of_bandwidth is None:
        return ""
    if (of_fma or 0) >= (of_bandwidth or 0):
        return f"{of_fma:.0%} FMA"
    return f"{of_bandwidth:.0%} stream"


def duration(seconds: float) -> str:
    """Three digits with a unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


# --- Files -----------------------------------------------------------------------------------


def write(report: Report, folder: Path) -> list[Path]:
    """Write all forms of the report; the paths of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "benchmarks.json", folder / "benchmarks.md"]
    paths[0].write_text(as_json(report))
    paths[1].write_text(as_markdown(report))
    try:
        from .picture import draw
    except ModuleNotFoundError:
        print("no picture: matplotlib is not installed")
        return paths
    if report.measurements:
        paths.append(folder / "benchmarks.png")
        draw(report, paths[-1])
    return paths
