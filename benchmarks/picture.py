"""The picture of a report: bars of the ratios, and the roofline with each kernel as a point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from .measure import Measurement
from .report import Report

COLOURS = {"numpy": "#4c72b0", "torch": "#dd8452", "torch-compile": "#c44e52", "jax": "#55a868"}


def draw(report: Report, path: Path) -> None:
    """A panel of bars for each number of threads, and a roofline below each."""
    threads = list(dict.fromkeys(m.threads for m in report.measurements))
    by_threads = {n: [m for m in report.measurements if m.threads == n] for n in threads}
    peers = [peer for peer in report.peers if any(peer in m.times for m in report.measurements)]
    bars = 0.11 * (len(peers) + 1.5) * max(map(len, by_threads.values())) + 1
    figure, axes = plt.subplots(
        2,
        len(threads),
        figsize=(8 * len(threads), bars + 6),
        height_ratios=(bars, 5),
        squeeze=False,
        layout="constrained",
    )
    for column, n in enumerate(threads):
        title = f"{n} {'thread' if n == 1 else 'threads'}"
        draw_ratios(axes[0, column], by_threads[n], peers, title)
        draw_roofline(axes[1, column], report, n, by_threads[n])
    processor = report.machine.get("processor", "")
    figure.suptitle(f"tinytensor: how many times faster than its peers ({processor})")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_ratios(axes: Any, measurements: list[Measurement], peers: list[str], title: str) -> None:
    height = 0.85 / max(len(peers), 1)
    for index, peer in enumerate(peers):
        at = [i for i, m in enumerate(measurements) if peer in m.times]
        spreads = [measurements[i].ratio(peer) for i in at]
        medians = np.array([spread.median for spread in spreads])
        axes.barh(
            np.array(at) + (index - (len(peers) - 1) / 2) * height,
            medians - 1,  # bars start at 1, which is as fast as the peer
            height,
            left=1,
            xerr=[medians - [s.low for s in spreads], [s.high for s in spreads] - medians],
            color=COLOURS.get(peer),
            error_kw={"elinewidth": 0.6},
            label=f"{peer}",
        )
    axes.axvline(1, color="black", linewidth=0.8)
    logarithmic(axes, "x")
    axes.set_yticks(range(len(measurements)), [m.row.name for m in measurements], fontsize=7)
    axes.set_ylim(len(measurements) - 0.4, -0.6)
    axes.set_xlabel("time of the peer / time of tinytensor")
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)
    if peers:
        axes.legend(loc="lower right", fontsize=8)


def draw_roofline(axes: Any, report: Report, threads: int, measurements: list[Measurement]) -> None:
    points = [m for m in measurements if m.row.flops and m.row.bytes]
    intensity = np.array([m.row.flops / m.row.bytes for m in points])
    rate = np.array([m.row.flops / m.seconds() / 1e9 for m in points])
    groups = [m.row.group for m in points]
    for group in dict.fromkeys(groups):
        chosen = np.array([g == group for g in groups])
        axes.scatter(intensity[chosen], rate[chosen], s=18, label=group)
    limits = report.limits.get(threads)
    if limits is not None:
        ends = np.geomspace(min([0.1, *intensity]), max([1000.0, *intensity]), 100)
        roof = np.minimum(limits.flops, ends * limits.bytes) / 1e9
        axes.plot(ends, roof, color="black", linewidth=1)
    logarithmic(axes, "x")
    logarithmic(axes, "y")
    axes.set_xlabel("operations for each byte of memory (FLOP/B)")
    axes.set_ylabel("GFLOP/s")
    axes.grid(alpha=0.3)
    if points:
        axes.legend(fontsize=8)


def logarithmic(axes: Any, which: str) -> None:
    """A logarithmic axis "x" or "y", with numbers at 1, 2, 5, 10, …"""
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())
