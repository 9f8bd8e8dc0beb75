"""The results of a run, as JSON and back: written as they come, continued, and merged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .busy import Busy
from .machine import Limits
from .measure import OURS, Measurement
from .row import Row

# What a kernel is held against is the faster of these two. The others are compilers, which see a
# whole training step: each is held against by itself.
RIVALS = ("torch", "numpy")
COMPILERS = ("torch-compile", "jax")


@dataclass
class Memory:
    """The peak memory of one training step in each framework, in bytes."""

    name: str
    threads: int
    bytes: dict[str, int]
    source: str = ""


Result = TypeVar("Result", Measurement, Memory, Busy)


class Key(NamedTuple):
    """What limits are of."""

    framework: str
    threads: int


class Summary(NamedTuple):
    """One line for all the rows of a family: how many times faster tinytensor is."""

    family: str
    threads: int
    against: str
    rows: int
    mean: float  # the geometric one
    least: float
    least_row: str


@dataclass
class Report:
    machine: dict[str, str | int]
    versions: dict[str, str]
    limits: dict[Key, Limits] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    busy: list[Busy] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def peers(self) -> list[str]:
        return [name for name in self.versions if name != OURS]

    def shares(
        self, measurement: Measurement, framework: str = OURS
    ) -> tuple[float | None, float | None]:
        """The parts of the FMA limit and of the bandwidth limit that a row reaches."""
        limits = self.limits.get(Key(framework, measurement.threads))
        if limits is None:
            return None, None
        row, seconds = measurement.row, measurement.seconds(framework)
        return (
            row.flops / seconds / limits.flops if row.flops else None,
            row.bytes / seconds / limits.bytes if row.bytes else None,
        )

    def note_limits(self, key: Key, limits: Limits) -> None:
        """Limits are the best that was seen."""
        old = self.limits.get(key, limits)
        self.limits[key] = Limits(max(old.flops, limits.flops), max(old.bytes, limits.bytes))

    def add(self, result: Measurement | Memory | Busy) -> None:
        """Note a result, in place of an older one."""
        if isinstance(result, Measurement):
            self.measurements = merged(self.measurements, [result])
        elif isinstance(result, Memory):
            self.memory = merged(self.memory, [result])
        else:
            self.busy = merged(self.busy, [result])

    def merge(self, later: Report) -> None:
        """Take the results of another run on this machine, which replace those of the same rows."""
        for name in ("processor", "CPUs"):
            if self.machine.get(name) != later.machine.get(name):
                raise ValueError(f"merge: the reports are of two machines: {name} differs")
        for name in self.versions.keys() & later.versions.keys() - {OURS}:
            if self.versions[name].split("+")[0] != later.versions[name].split("+")[0]:
                raise ValueError(f"merge: the reports are of two versions of {name}")
        self.versions |= later.versions
        for key, limits in later.limits.items():
            self.note_limits(key, limits)
        self.measurements = merged(self.measurements, later.measurements)
        self.memory = merged(self.memory, later.memory)
        self.busy = merged(self.busy, later.busy)
        self.failures = list(dict.fromkeys([*self.failures, *later.failures]))


def merged(old: list[Result], new: list[Result]) -> list[Result]:
    """The old results, each replaced by the new one of its row and threads; then the others."""
    by_key: dict[tuple[str, int], Any] = {(each.name, each.threads): each for each in old}
    by_key |= {(each.name, each.threads): each for each in new}
    return list(by_key.values())


# --- Summaries -------------------------------------------------------------------------------


def geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def family(row: Row) -> str:
    """The rows that are summed up together."""
    if row.mode in ("statement", "train"):
        return row.group
    return f"{row.group}, forward" + (" + backward" if row.mode == "backward" else "")


def summaries(report: Report) -> list[Summary]:
    """For each family and number of threads: against the faster of the rivals in each row, against
    PyTorch alone where that is not the same, and against each compiler. Ratios are the median ones.
    """
    groups: dict[tuple[str, int], list[Measurement]] = {}
    for m in report.measurements:
        groups.setdefault((family(m.row), m.threads), []).append(m)
    found = []
    for (name, threads), rows in groups.items():
        before: dict[str, float] = {}
        for peers in (RIVALS, ("torch",), *((peer,) for peer in COMPILERS)):
            ratios = {m.row.name: m.ratio(peer).median for m in rows if (peer := m.faster(peers))}
            if not ratios or ratios == before:
                continue
            before = ratios
            least = min(ratios, key=lambda row: ratios[row])
            known = [peer for peer in peers if any(peer in m.times for m in rows)]
            against = known[0] if len(known) == 1 else f"the faster of {' and '.join(known)}"
            mean = geometric_mean(list(ratios.values()))
            found.append(Summary(name, threads, against, len(ratios), mean, ratios[least], least))
    return found


# --- JSON ------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    """A line for each result. ``times`` are those of one run, one for each round: what else is
    said of a row, and the summaries, can be computed from them again."""
    parts = {
        "machine": report.machine,
        "versions": report.versions,
        "limits": [
            {"framework": key.framework, "threads": key.threads, **vars(limits)}
            for key, limits in report.limits.items()
        ],
        "summary": [each._asdict() for each in summaries(report)],
        "rows": [row_as_json(report, m) for m in report.measurements],
        "memory": [vars(memory) for memory in report.memory],
        "busy": [
            {**vars(busy), "ratio": {name: busy.ratio(name) for name in busy.alone}}
            for busy in report.busy
        ],
        "failures": report.failures,
    }
    return "{\n" + ",\n".join(f"{json.dumps(k)}: {lines(v)}" for k, v in parts.items()) + "\n}\n"


def lines(part: Any) -> str:
    if not isinstance(part, list) or not part:
        return json.dumps(part)
    return "[\n " + ",\n ".join(map(json.dumps, part)) + "\n]"


def row_as_json(report: Report, m: Measurement) -> dict[str, Any]:
    seconds = m.seconds()
    of_fma, of_bandwidth = report.shares(m)
    return {
        "group": m.row.group,
        "name": m.row.name,
        "threads": m.threads,
        "seconds": {name: m.seconds(name) for name in m.times},
        "ratios": {peer: vars(m.ratio(peer)) for peer in m.peers},
        "flops": m.row.flops,
        "bytes": m.row.bytes,
        "GFLOP/s": m.row.flops / seconds / 1e9,
        "GB/s": m.row.bytes / seconds / 1e9,
        "share of the FMA limit": of_fma,
        "share of the bandwidth limit": of_bandwidth,
        "source": m.source,
        "times": m.times,
    }


def from_json(text: str, rows: Mapping[str, Row]) -> Report:
    """The report again; without the results of rows that there are no more."""
    content = json.loads(text)
    return Report(
        content["machine"],
        content["versions"],
        {
            Key(each["framework"], each["threads"]): Limits(each["flops"], each["bytes"])
            for each in content["limits"]
        },
        [
            Measurement(rows[each["name"]], each["threads"], each["times"], source=each["source"])
            for each in content["rows"]
            if each["name"] in rows
        ],
        [Memory(**each) for each in content["memory"] if each["name"] in rows],
        [
            Busy(**{name: value for name, value in each.items() if name != "ratio"})
            for each in content["busy"]
            if each["name"] in rows
        ],
        content["failures"],
    )


def save(report: Report, path: Path) -> None:
    """Write the JSON, all of it or nothing: a run may be stopped at any moment."""
    from tinytensor.io.files import replaced  # reading a report needs no library

    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path, "save") as file:
        file.write(as_json(report).encode())
