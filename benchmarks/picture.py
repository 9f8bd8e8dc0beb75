"""The picture of a report: a bar for each ratio, and rooflines with each kernel as a point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from .measure import OURS, Measurement
from .report import COMPILERS, RIVALS, Key, Memory, Report, geometric_mean

COLUMNS = 3
ROW_HEIGHT = 0.19  # inches
ROOFLINE_HEIGHT = 4.6
BARS = ("#1f5f99", "#8ab6dd", "#c9d9e8")  # by the number of threads
MARKS = {"torch-compile": ("D", "#c44e52"), "jax": ("o", "#55a868")}
GROUPS = {
    "gemm": "#1f5f99",
    "conv": "#dd8452",
    "attention": "#55a868",
    "recurrent": "#8172b3",
    "maps": "#c44e52",
}

Rows = dict[str, list[Measurement]]  # by name: one for each number of threads


def draw(report: Report, path: Path) -> None:
    """Bars of the ratios in columns; under them the rooflines, and the memory if it is known. The
    report is of one instruction set."""
    rows: Rows = {}
    isa = report.measurements[0].isa
    for m in report.measurements:
        rows.setdefault(m.row.name, []).append(m)
    threads = sorted({m.threads for m in report.measurements})
    columns = in_columns(rows)
    height = ROW_HEIGHT * max(map(lines_of, columns)) + 0.8
    figure = plt.figure(figsize=(19, height + ROOFLINE_HEIGHT + 1.4), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(height, ROOFLINE_HEIGHT))
    upper, lower = parts
    every = upper.subplots(1, len(columns), sharex=True, squeeze=False)[0]
    for axes, names in zip(every, columns, strict=True):
        draw_ratios(axes, {name: rows[name] for name in names}, threads)
    legend(upper, report, threads)
    panels = lower.subplots(1, len(threads) + bool(report.memory), squeeze=False)[0]
    for axes, n in zip(panels, threads, strict=False):
        draw_roofline(axes, report, Key(n, isa))
    if report.memory:
        draw_memory(panels[-1], report.memory)
    figure.suptitle(
        "How many times faster tinytensor is than the faster of PyTorch and NumPy"
        f"  ({report.machine.get('processor', '')}{f', all held to {isa}' if isa else ''})",
        fontsize=14,
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)


# --- Bars ------------------------------------------------------------------------------------


def group_of(name: str, rows: Rows) -> str:
    return rows[name][0].row.group


def in_columns(rows: Rows) -> list[list[str]]:
    """The rows' names, those of a group together, in columns of about the same height."""
    groups: dict[str, list[str]] = {}
    for name in rows:
        groups.setdefault(group_of(name, rows), []).append(name)
    columns: list[list[str]] = [[] for _ in range(min(COLUMNS, len(groups)))]
    for names in sorted(groups.values(), key=len, reverse=True):
        min(columns, key=len).extend(names)
    return columns


def lines_of(names: Sequence[str]) -> float:
    return len(names) + 5


def draw_ratios(axes: Any, rows: Rows, threads: Sequence[int]) -> None:
    height = 0.8 / len(threads)
    at, labels, y, group = [], [], 0.0, ""
    for name, measurements in rows.items():
        if group_of(name, rows) != group:  # a heading, in a line of its own
            group = group_of(name, rows)
            axes.text(0, y, f" {group}{means(group, rows, threads)}", weight="bold",
                      transform=axes.get_yaxis_transform(), va="center", fontsize=9,
                      bbox={"color": "white", "pad": 1})  # fmt: skip
            y += 1
        at.append(y)
        labels.append(name.replace("forward + backward", "+ backward"))
        for m in measurements:
            index = threads.index(m.threads)
            offset = (index - (len(threads) - 1) / 2) * height
            draw_row(axes, m, y + offset, height, BARS[index % len(BARS)])
        y += 1
    axes.axvline(1, color="black", linewidth=0.9)
    logarithmic(axes, "x")
    axes.set_yticks(at, labels, fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.4, -0.8)
    axes.set_xlabel("time of the peer / time of tinytensor")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def means(group: str, rows: Rows, threads: Sequence[int]) -> str:
    """The geometric mean of the group's bars on each number of threads."""
    ratios: dict[int, list[float]] = {n: [] for n in threads}
    for name in rows:
        for m in rows[name] if group_of(name, rows) == group else ():
            if peer := m.faster(RIVALS):
                ratios[m.threads].append(m.ratio(peer).median)
    known = [f"{geometric_mean(values):.2f}" for values in ratios.values() if values]
    return f": {' and '.join(known)} in the geometric mean" if known else ""


def draw_row(axes: Any, m: Measurement, y: float, height: float, colour: str) -> None:
    """The bar from 1 (as fast as the peer) to the median, the quartiles, and the compilers."""
    peer = m.faster(RIVALS)
    if peer is not None:
        spread = m.ratio(peer)
        axes.barh(y, spread.median - 1, height, left=1, color=colour)
        axes.plot([spread.low, spread.high], [y, y], color="black", linewidth=0.6)
        beyond = max(spread.high, 1.0)
        axes.annotate(f"{spread.median:.2f}", (beyond, y), (2, 0), textcoords="offset points",
                      va="center", fontsize=5.5)  # fmt: skip
    for compiler in COMPILERS:
        if compiler in m.times and m.row.mode == "train":
            marker, edge = MARKS[compiler]
            axes.plot(m.ratio(compiler).median, y, marker, markersize=4, color=edge)


def legend(figure: Any, report: Report, threads: Sequence[int]) -> None:
    handles: list[Any] = [
        plt.Rectangle((0, 0), 1, 1, color=BARS[index % len(BARS)], label=count(n))
        for index, n in enumerate(threads)
    ]
    handles.append(plt.Line2D([], [], color="black", linewidth=0.6, label="quartiles"))
    for compiler, (marker, colour) in MARKS.items():
        if any(compiler in m.times and m.row.mode == "train" for m in report.measurements):
            label = f"against {compiler} (training steps)"
            handles.append(plt.Line2D([], [], linestyle="", marker=marker, color=colour,
                                      markersize=4, label=label))  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9,
                  frameon=False)  # fmt: skip


def count(threads: int) -> str:
    return f"{threads} {'thread' if threads == 1 else 'threads'}"


# --- Rooflines and memory --------------------------------------------------------------------


def draw_roofline(axes: Any, report: Report, key: Key) -> None:
    points = [
        m for m in report.measurements if m.threads == key.threads and m.row.flops and m.row.bytes
    ]
    intensity = np.array([m.row.flops / m.row.bytes for m in points])
    rate = np.array([m.row.flops / m.seconds() / 1e9 for m in points])
    groups = [m.row.group for m in points]
    for group in dict.fromkeys(groups):
        chosen = np.array([g == group for g in groups])
        axes.scatter(intensity[chosen], rate[chosen], s=22, label=group, alpha=0.8,
                     color=GROUPS.get(group), linewidths=0)  # fmt: skip
    limits = report.limits.get(key)
    if limits is not None:
        ends = np.geomspace(min([0.1, *intensity]), max([1000.0, *intensity]), 200)
        roof = np.minimum(limits.flops, ends * limits.bytes) / 1e9
        label = f"{limits.flops / 1e9:.0f} GFLOP/s, {limits.bytes / 1e9:.0f} GB/s"
        axes.plot(ends, roof, color="black", linewidth=1.2, label=label)
    logarithmic(axes, "x", subs=(1,))
    logarithmic(axes, "y")
    axes.set_xlabel("operations for each byte of memory (FLOP/B)")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"Each kernel under this machine's limits, {count(key.threads)}", fontsize=10)
    axes.grid(alpha=0.3)
    if points or limits is not None:
        axes.legend(fontsize=7.5, loc="lower right")


def draw_memory(axes: Any, memories: Sequence[Memory]) -> None:
    """What a training step needs, of what it needs in PyTorch."""
    known = [m for m in memories if OURS in m.bytes and m.bytes.get("torch")]
    threads = sorted({m.threads for m in known})
    names = list(dict.fromkeys(m.name for m in known))
    height = 0.8 / max(len(threads), 1)
    for m in known:
        index = threads.index(m.threads)
        y = names.index(m.name) + (index - (len(threads) - 1) / 2) * height
        part = m.bytes[OURS] / m.bytes["torch"]
        axes.barh(y, part, height, color=BARS[index % len(BARS)])
        axes.annotate(f"{m.bytes[OURS] / 2**20:.0f} of {m.bytes['torch'] / 2**20:.0f} MB",
                      (0, y), (3, 0), textcoords="offset points", va="center", fontsize=6.5,
                      color="white" if index == 0 else "black")  # fmt: skip
    axes.axvline(1, color="black", linewidth=0.9)
    axes.set_yticks(range(len(names)), names, fontsize=7.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("peak memory of tinytensor / of PyTorch")
    axes.set_title("Memory of a training step", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def logarithmic(axes: Any, which: str, subs: Sequence[float] = (1, 2, 5)) -> None:
    """A logarithmic axis "x" or "y", with numbers at 1, 2, 5, 10, …"""
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())
