"""A report as Markdown: the summaries at its head, then a table for each group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .measure import OURS, Measurement
from .report import RIVALS, Memory, Report, geometric_mean, summaries
from .width import OWN, WITNESSES

NOTE = """\
A ratio is the time of the peer over that of tinytensor, so above 1 tinytensor is the faster: the
median of the ratios of single rounds, in which the frameworks took turns, and in brackets their
quartiles. All of it can be computed from the times in the JSON file. Where the instruction set is
"own", each library has chosen it; otherwise all libraries were held to it."""


def as_markdown(report: Report) -> str:
    return "\n".join(lines(report)) + "\n"


def lines(report: Report) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield ", ".join(f"{name}: {value}" for name, value in report.machine.items()) + "."
    yield ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."
    sources = {m.source.split()[0] for m in report.measurements if m.source}
    if sources:
        yield f"tinytensor's commit: {', '.join(sorted(sources))}."
    yield from ("", NOTE)
    if report.limits:
        yield from ("", "This machine's limits, measured in the same run:", "")
        yield from table(("instruction set", "threads", "GFLOP/s (FMA)", "GB/s (stream)"), [
            (key.isa or OWN, str(key.threads), f"{of.flops / 1e9:.0f}", f"{of.bytes / 1e9:.1f}")
            for key, of in report.limits.items()
        ])  # fmt: skip
    if report.sides:
        yield from ("", "What each library says that it runs, and the better of its rates in")
        yield from (f"{' and '.join(WITNESSES)}:", "")
        yield from table(*sides_table(report))
    if report.measurements:
        yield from ("", "## Summary", "")
        yield from table(
            ("rows", "set", "threads", "against", "count", "geometric mean", "least", "which is"),
            [
                (s.family, s.isa or OWN, str(s.threads), s.against, str(s.rows), f"{s.mean:.2f}",
                 f"{s.least:.2f}", s.least_row)
                for s in summaries(report)
            ],
        )  # fmt: skip
    parts: dict[tuple[str, str], list[Measurement]] = {}
    for m in sorted(report.measurements, key=lambda m: report.isas.index(m.isa)):
        parts.setdefault((m.isa, m.row.group), []).append(m)
    for (isa, group), some in parts.items():
        yield from ("", f"## {group}" + (f", all held to {isa}" if isa else ""), "")
        yield from table(*speed_table(report, some))
    yield from isa_section(report)
    if report.busy:
        yield from ("", "## Beside a busy neighbour", "")
        yield "Another process keeps one CPU busy. The mean time on all threads, over that of one"
        yield "thread which has a CPU to itself: 1 is no loss."
        yield ""
        yield from table(*busy_table(report))
    if report.memory:
        yield from ("", "## Peak memory of a training step, above that of the idle process", "")
        yield from table(*memory_table(report.memory))
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


def isa_section(report: Report) -> Iterator[str]:
    """The rows that have more than one instruction set: each beside its own limits and rivals."""
    rows: dict[tuple[str, int], dict[str, Measurement]] = {}
    for m in report.measurements:
        rows.setdefault((m.row.name, m.threads), {})[m.isa] = m
    rows = {key: found for key, found in rows.items() if len(found) > 1}
    if not rows:
        return
    isas = [isa for isa in report.isas if any(isa in found for found in rows.values())]
    yield from ("", "## Instruction sets, each beside its own limits", "")
    rivals = "× the faster of " + " and ".join(RIVALS)
    heads = [cell for isa in isas for cell in (f"tinytensor, {isa or OWN}", "of the limit", rivals)]
    body = []
    for (name, threads), found in rows.items():
        cells = [name, str(threads)]
        for isa in isas:
            cells += isa_cells(report, found[isa]) if isa in found else [""] * 3
        body.append(cells)
    yield from table(["", "threads", *heads], body)


def isa_cells(report: Report, m: Measurement) -> list[str]:
    rival = m.faster(RIVALS)
    against = f"{m.ratio(rival).median:.2f}" if rival else ""
    return [duration(m.seconds()), share(*report.shares(m)), against]


def sides_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """What each library ran: what is faster than its instruction set can be runs a wider one."""
    rows = []
    for side in report.sides:
        part = side.share(report.limits_of(side))
        cells = [side.name, side.isa or OWN, str(side.threads), side.says]
        cells += [f"{side.flops / 1e9:.0f}", "" if part is None else f"{part:.0%}"]
        rows.append([*cells, "**wider than asked**" if report.is_wider(side) else ""])
    return ["", "set", "threads", "says", "GFLOP/s", "of the FMA limit", ""], rows


def busy_table(report: Report) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(name for busy in report.busy for name in busy.alone))
    rows = [
        [busy.name, busy.isa or OWN, str(busy.threads),
         *(f"{busy.ratio(name):.2f}" if name in busy.alone else "" for name in names)]
        for busy in report.busy
    ]  # fmt: skip
    for isa in dict.fromkeys(busy.isa for busy in report.busy):
        some = [busy for busy in report.busy if busy.isa == isa]
        ratios = [[busy.ratio(name) for busy in some if name in busy.alone] for name in names]
        means = [f"{sum(r) / len(r):.2f}" if r else "" for r in ratios]
        rows.append(["mean", isa or OWN, "", *means])
    return ["", "set", "threads", *names], rows


def memory_table(memories: list[Memory]) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(name for memory in memories for name in memory.bytes))
    peers = [name for name in names if name != OURS]
    rows = []
    for memory in memories:
        found = memory.bytes
        cells = [f"{found[n] / 2**20:.1f} MB" if n in found else "" for n in names]
        for peer in peers:
            known = OURS in found and found.get(peer)
            cells.append(f"{found[OURS] / found[peer]:.2f}" if known else "")
        rows.append([memory.name, memory.isa or OWN, str(memory.threads), *cells])
    return ["", "set", "threads", *names, *(f"tinytensor / {peer}" for peer in peers)], rows


# --- Cells -----------------------------------------------------------------------------------


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
