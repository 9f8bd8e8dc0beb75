"""The pictures of a report: a bar for each ratio, and rooflines with each kernel as a point; and a
small one of families and training steps, to be read at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from .measure import OURS, Measurement
from .publish import at_a_glance, called, count, steps
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
    "layers": "#937860",
    "models": "#8c8c8c",
}

Rows = dict[str, list[Measurement]]  # by name: one for each number of threads


def draw(report: Report, path: Path) -> bool:
    """Bars of the ratios in columns; under them the rooflines, and the memory. The report is of one
    instruction set. What has no peer has no place, and where nothing is left there is no picture:
    nothing is blank."""
    rows: Rows = {}
    isa = report.measurements[0].isa
    for m in filter(has_bar, report.measurements):
        rows.setdefault(m.row.name, []).append(m)
    threads = sorted({m.threads for m in report.measurements})
    columns = in_columns(rows)
    lines = max(map(len, columns))
    memory = [m for m in report.memory if OURS in m.bytes and m.bytes.get("torch")]
    kernels = [n for n in threads if points_of(report, n)]
    height = ROW_HEIGHT * lines + 0.8 if rows else 0.0
    below = ROOFLINE_HEIGHT if kernels or memory else 0.0
    ratios = [part for part in (height, below) if part]
    if not ratios:
        return False
    figure = plt.figure(figsize=(19, height + below + 1.4), layout="constrained")
    parts = iter(figure.subfigures(len(ratios), 1, height_ratios=ratios, squeeze=False)[:, 0])
    if rows:
        upper: Any = next(parts)
        every = upper.subplots(1, len(columns), sharex=True, squeeze=False)[0]
        for axes, column in zip(every, columns, strict=True):
            draw_ratios(axes, column, lines, rows, threads)
        legend(upper, report, threads)
    if below:
        lower: Any = next(parts)
        panels = iter(lower.subplots(1, len(kernels) + bool(memory), squeeze=False)[0])
        for n in kernels:
            draw_roofline(next(panels), report, Key(n, isa))
        if memory:
            draw_memory(next(panels), memory)
    figure.suptitle(
        "How many times faster tinytensor is than the faster of PyTorch and NumPy"
        f"  ({report.machine.get('processor', '')}{f', all held to {isa}' if isa else ''})",
        fontsize=14,
    )
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return True


# --- At a glance -----------------------------------------------------------------------------

WIDTH, LINE = 8.8, 0.33  # inches, of which a page shows 100 pixels
SHARPNESS = 2  # pixels of the file for each of the page
GREY = "#757c85"  # to be read on white as on black
WIDTHS = ("#2f6fd0", "#5fb0b7", "#d08a2f")  # by the instruction set


def draw_at_a_glance(report: Report, path: Path) -> None:
    """How many times faster: left the families, right the training steps, a bar for each
    instruction set. The ground is that of the page."""
    families: dict[str, dict[str, list[float]]] = {}
    for g in at_a_glance(report):
        families.setdefault(g.words, {}).setdefault(g.isa, []).append(g.mean)
    left = {
        words: {isa: geometric_mean(means) for isa, means in of.items()}
        for words, of in families.items()
    }
    right = {shortened(name): of for name, of in steps(report).items()}
    sides = [side for side in (left, right) if side]
    lines = max(map(len, sides), default=1)
    style: Any = {"text.color": GREY, "xtick.color": GREY, "ytick.color": GREY, "font.size": 9}
    with plt.rc_context(style):
        figure = plt.figure(figsize=(WIDTH, LINE * lines + 0.8), layout="constrained")
        every = figure.subplots(1, max(len(sides), 1), sharex=True, squeeze=False)[0]
        for axes, side in zip(every, sides, strict=False):
            draw_side(axes, side, report.isas, lines)
        handles: list[Any] = [
            plt.Rectangle((0, 0), 1, 1, color=WIDTHS[i % len(WIDTHS)], label=called(isa))
            for i, isa in enumerate(report.isas)
        ]
        handles.append(
            plt.Line2D(
                [], [], color=GREY, linewidth=1, label="PyTorch, or the faster of it and NumPy"
            )
        )
        title = "How many times faster tinytensor is"
        figure.legend(handles=handles, title=title, title_fontproperties={"weight": "bold"},
                      loc="outside upper center", ncols=len(handles), frameon=False)  # fmt: skip
        figure.savefig(path, dpi=100 * SHARPNESS, transparent=True)
        plt.close(figure)


def shortened(name: str) -> str:
    """Of a step, without the sizes of its batch."""
    return re.sub(r", T \d+|, batch.*", "", name)


def draw_side(
    axes: Any, found: dict[str, dict[str, float]], isas: Sequence[str], lines: int
) -> None:
    height = 0.8 / len(isas)
    for y, of in enumerate(found.values()):
        for isa, value in of.items():
            i = isas.index(isa)
            at = y + (i - (len(isas) - 1) / 2) * height
            axes.barh(at, value, height * 0.92, color=WIDTHS[i % len(WIDTHS)])
            axes.annotate(f"{value:.1f}" if value >= 1.95 else f"{value:.2f}", (value, at), (3, 0),
                          textcoords="offset points", va="center", fontsize=7)  # fmt: skip
    axes.plot([1, 1], [-0.5, len(found) - 0.5], color=GREY, linewidth=1)
    axes.set_yticks(range(len(found)), found)
    axes.set_ylim(lines - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.margins(x=0.12)
    axes.set_frame_on(False)


# --- Bars ------------------------------------------------------------------------------------


def group_of(name: str, rows: Rows) -> str:
    return rows[name][0].row.group


def has_bar(m: Measurement) -> bool:
    """Is there a peer to be drawn?"""
    compiled = m.row.mode == "train" and any(peer in m.times for peer in COMPILERS)
    return compiled or m.faster(RIVALS) is not None


def in_columns(rows: Rows) -> list[list[str]]:
    """The lines of columns of about the same height: names of rows, and before those of a group,
    also where a column begins within one, its name behind a "#"."""
    groups: dict[str, list[str]] = {}
    for name in rows:
        groups.setdefault(group_of(name, rows), []).append(name)
    most = -(-(len(rows) + len(groups)) // COLUMNS) + 1
    columns: list[list[str]] = [[]]
    for group, names in groups.items():
        if len(columns[-1]) + 3 > most:  # no heading alone at the end
            columns.append([])
        columns[-1].append(f"#{group}")
        for name in names:
            if len(columns[-1]) >= most:
                columns.append([f"#{group}"])
            columns[-1].append(name)
    return columns


def draw_ratios(
    axes: Any, column: Sequence[str], lines: int, rows: Rows, threads: Sequence[int]
) -> None:
    """A column, in a height of so many lines."""
    height = 0.8 / len(threads)
    at, labels = [], []
    for y, name in enumerate(column):
        if name.startswith("#"):
            axes.text(0, y, f" {name[1:]}{means(name[1:], rows, threads)}", weight="bold",
                      transform=axes.get_yaxis_transform(), va="center", fontsize=9,
                      bbox={"color": "white", "pad": 1})  # fmt: skip
            continue
        at.append(y)
        labels.append(name.replace("forward + backward", "+ backward"))
        for m in rows[name]:
            index = threads.index(m.threads)
            offset = (index - (len(threads) - 1) / 2) * height
            draw_row(axes, m, y + offset, height, BARS[index % len(BARS)])
    axes.axvline(1, color="black", linewidth=0.9)
    logarithmic(axes, "x")
    axes.set_yticks(at, labels, fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(lines - 0.4, -0.8)
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
    return f": {' and '.join(known)}" if known else ""


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
    handles.append(plt.Line2D([], [], linewidth=0, label="behind a group: the geometric means"))
    for compiler, (marker, colour) in MARKS.items():
        if any(compiler in m.times and m.row.mode == "train" for m in report.measurements):
            label = f"against {compiler} (training steps)"
            handles.append(plt.Line2D([], [], linestyle="", marker=marker, color=colour,
                                      markersize=4, label=label))  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9,
                  frameon=False)  # fmt: skip


# --- Rooflines and memory --------------------------------------------------------------------


def points_of(report: Report, threads: int) -> list[Measurement]:
    """The rows whose work and traffic are known."""
    some = [m for m in report.measurements if m.threads == threads]
    return [m for m in some if m.row.flops and m.row.bytes]


def draw_roofline(axes: Any, report: Report, key: Key) -> None:
    points = points_of(report, key.threads)
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
    axes.legend(fontsize=7.5, loc="lower right")


def draw_memory(axes: Any, known: Sequence[Memory]) -> None:
    """What a training step needs, of what it needs in PyTorch."""
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
