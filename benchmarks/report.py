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
from .width import Side

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
    isa: str = ""


Result = TypeVar("Result", Measurement, Memory, Busy, Side)


class Key(NamedTuple):
    """What limits are of: so many threads of tinytensor, held to an instruction set."""

    threads: int
    isa: str = ""


class Summary(NamedTuple):
    """One line for all the rows of a family: how many times faster tinytensor is."""

    family: str
    threads: int
    against: str
    rows: int
    mean: float  # the geometric one
    least: float
    least_row: str
    isa: str = ""


@dataclass
class Report:
    machine: dict[str, str | int]
    versions: dict[str, str]
    limits: dict[Key, Limits] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    busy: list[Busy] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def peers(self) -> list[str]:
        return [name for name in self.versions if name != OURS]

    @property
    def isas(self) -> list[str]:
        """The instruction sets that rows were held to, "" among them where libraries chose."""
        return list(dict.fromkeys(m.isa for m in self.measurements))

    def of(self, isa: str) -> Report:
        """The part of one instruction set, without the failures."""
        return Report(
            self.machine,
            self.versions,
            {key: limits for key, limits in self.limits.items() if key.isa == isa},
            [side for side in self.sides if side.isa == isa],
            [m for m in self.measurements if m.isa == isa],
            [memory for memory in self.memory if memory.isa == isa],
            [busy for busy in self.busy if busy.isa == isa],
        )

    def limits_of(self, result: Measurement | Side) -> Limits | None:
        return self.limits.get(Key(result.threads, result.isa))

    def shares(self, measurement: Measurement) -> tuple[float | None, float | None]:
        """The parts of the FMA limit and of the bandwidth limit that a row reaches."""
        limits = self.limits_of(measurement)
        if limits is None:
            return None, None
        row, seconds = measurement.row, measurement.seconds()
        return (
            row.flops / seconds / limits.flops if row.flops else None,
            row.bytes / seconds / limits.bytes if row.bytes else None,
        )

    def note_limits(self, key: Key, limits: Limits) -> None:
        """Limits are the best that was seen."""
        old = self.limits.get(key, limits)
        self.limits[key] = Limits(max(old.flops, limits.flops), max(old.bytes, limits.bytes))

    def is_wider(self, side: Side) -> bool:
        return side.is_wider(self.limits_of(side))

    def too_fast(self, side: Side) -> str:
        """How a side that is wider shows it."""
        limits = self.limits_of(side)
        assert limits is not None
        return (
            f"{side.flops / 1e9:.0f} GFLOP/s, where {side.isa} can do {limits.flops / 1e9:.0f} here"
        )

    def add(self, result: Measurement | Memory | Busy | Side) -> None:
        """Note a result, in place of an older one."""
        if isinstance(result, Measurement):
            self.measurements = merged(self.measurements, [result])
        elif isinstance(result, Memory):
            self.memory = merged(self.memory, [result])
        elif isinstance(result, Side):
            self.sides = merged(self.sides, [result])
        else:
            self.busy = merged(self.busy, [result])

    def merge(self, later: Report) -> None:
        """Take the results of another run on this machine, which replace those of the same rows."""
        for name in ("processor", "CPUs", "work cut for caches of"):
            if self.machine.get(name) != later.machine.get(name):
                raise ValueError(f"merge: the reports are of two machines: {name} differs")
        for name in self.versions.keys() & later.versions.keys() - {OURS}:
            if bare(self.versions[name]) != bare(later.versions[name]):
                raise ValueError(f"merge: the reports are of two versions of {name}")
        said = {key_of(side): side.says for side in self.sides}
        for side in later.sides:
            if said.get(key_of(side), side.says) != side.says:
                raise ValueError(
                    f"merge: {side.name} ran {said[key_of(side)]} in one report and {side.says} in"
                    " another"
                )
        self.versions |= later.versions
        for key, limits in later.limits.items():
            self.note_limits(key, limits)
        self.sides = merged(self.sides, later.sides)
        self.measurements = merged(self.measurements, later.measurements)
        self.memory = merged(self.memory, later.memory)
        self.busy = merged(self.busy, later.busy)
        self.failures = list(dict.fromkeys([*self.failures, *later.failures]))


def merged(old: list[Result], new: list[Result]) -> list[Result]:
    """The old results, each replaced by the new one of its key; then the others."""
    by_key: dict[tuple[str, int, str], Any] = {key_of(each): each for each in old}
    by_key |= {key_of(each): each for each in new}
    return list(by_key.values())


def key_of(result: Measurement | Memory | Busy | Side) -> tuple[str, int, str]:
    """What tells results apart: the row or framework, the threads, and the instruction set."""
    return result.name, result.threads, result.isa


def bare(version: str) -> str:
    """Without the build: "2.13.0+cpu" is 2.13.0, and so is "2.13.0 (with that library)"."""
    return version.split("+")[0].split()[0]


# --- Summaries -------------------------------------------------------------------------------


def geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def family(row: Row) -> str:
    """The rows that are summed up together."""
    if row.mode in ("statement", "train"):
        return row.group
    return f"{row.group}, forward" + (" + backward" if row.mode == "backward" else "")


def summaries(report: Report) -> list[Summary]:
    """For each family, number of threads and instruction set: against the faster of the rivals in
    each row, against PyTorch alone where that is not the same, and against each compiler. Ratios
    are the median ones.
    """
    groups: dict[tuple[str, int, str], list[Measurement]] = {}
    for m in report.measurements:
        groups.setdefault((family(m.row), m.threads, m.isa), []).append(m)
    found = []
    for (name, threads, isa), rows in groups.items():
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
            found.append(
                Summary(name, threads, against, len(ratios), mean, ratios[least], least, isa)
            )
    return found


# --- JSON ------------------------------------------------------------------------------------

DERIVED = {"ratio", "share of the FMA limit", "wider"}  # what is in the JSON for its readers


def as_json(report: Report) -> str:
    """A line for each result. ``times`` are those of one run, one for each round: what else is
    said of a row, and the summaries, can be computed from them again."""
    parts = {
        "machine": report.machine,
        "versions": report.versions,
        "limits": [{**key._asdict(), **vars(limits)} for key, limits in report.limits.items()],
        "sides": [
            {
                **vars(side),
                "share of the FMA limit": side.share(report.limits_of(side)),
                "wider": report.is_wider(side),
            }
            for side in report.sides
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
        "isa": m.isa,
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
    """The report again; without the results of rows that there are no more. One of before results
    had an instruction set is of what each library chose."""
    content = json.loads(text)
    return Report(
        content["machine"],
        content["versions"],
        {
            Key(each["threads"], each.get("isa", "")): Limits(each["flops"], each["bytes"])
            for each in content["limits"]
            if each.get("framework", OURS) == OURS
        },
        [
            Side(**{name: value for name, value in each.items() if name not in DERIVED})
            for each in content.get("sides", [])
        ],
        [
            Measurement(
                rows[each["name"]],
                each["threads"],
                each["times"],
                source=each["source"],
                isa=each.get("isa", ""),
            )
            for each in content["rows"]
            if each["name"] in rows
        ],
        [Memory(**each) for each in content["memory"] if each["name"] in rows],
        [
            Busy(**{name: value for name, value in each.items() if name not in DERIVED})
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
