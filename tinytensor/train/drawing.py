"""Charts as SVG and pictures as PNG, as text for a page of HTML: by no library but zlib."""

from __future__ import annotations

import math
import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

COLOURS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea", "#0891b2", "#be123c", "#a16207", "#475569")
WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34  # margins around the plot


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_name: str,
    log: bool = False,
) -> str:
    """Lines through points (x, y) by name, with axes and a legend; a line is broken where y is not
    finite (or, if ``log``, not above 0)."""
    drawn = {}
    for name, (xs, ys) in series.items():
        y = np.asarray(ys, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn[name] = np.asarray(xs, np.float64), np.log10(y) if log else y
    all_x = np.concatenate([x for x, _ in drawn.values()] or [np.zeros(0)])
    all_y = np.concatenate([y for _, y in drawn.values()] or [np.zeros(0)])
    x_ticks = ticks(*_range(all_x))
    y_ticks = (log_ticks if log else ticks)(*_range(all_y))
    x_of = _scale(x_ticks, _range(all_x), LEFT, WIDTH - RIGHT)
    y_of = _scale(y_ticks, _range(all_y), HEIGHT - BOTTOM, TOP)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for tick in y_ticks:
        y = y_of(tick)
        label = f"{10.0**tick:.3g}" if log else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for tick in x_ticks:
        at = f'x="{x_of(tick)}" y="{HEIGHT - BOTTOM + 15}"'
        parts.append(f'<text {at} text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_name)}</text>'
    )
    for i, (name, (xs_, ys_)) in enumerate(drawn.items()):
        colour = COLOURS[i % len(COLOURS)]
        for run in _runs(ys_):
            points = [(x_of(x), y_of(y)) for x, y in zip(xs_[run], ys_[run], strict=True)]
            if len(points) == 1:
                (x, y), *_ = points
                parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
                continue
            text = " ".join(f"{x},{y}" for x, y in points)
            parts.append(
                f'<polyline data-name="{escape(name)}" stroke="{colour}" points="{text}"/>'
            )
        if len(xs_) <= 60:
            for x, y, value in zip(xs_, ys_, series[name][1], strict=True):
                if math.isfinite(y):
                    tip = escape(f"{name} at {x:g}: {value:.5g}")
                    parts.append(
                        f'<circle cx="{x_of(x)}" cy="{y_of(y)}" r="2.5" fill="{colour}">'
                        f"<title>{tip}</title></circle>"
                    )
    parts.append("</svg>")
    keys = "".join(
        f'<span class="key"><i style="background:{COLOURS[i % len(COLOURS)]}"></i>'
        f"{escape(name)}</span>"
        for i, name in enumerate(series)
    )
    return f"<figure>{''.join(parts)}<figcaption>{keys}</figcaption></figure>"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers, some ``about`` of them, from [low, high].

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    step = 10 ** math.floor(math.log10((high - low) / about))
    step *= next(n for n in (1, 2, 5, 10) if (high - low) / (step * n) <= about + 0.5)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Logarithms of round numbers from [low, high]: 1, 2, 5, 10 …, or powers of ten where these are
    too many; below a factor of about two, as `ticks`.

    >>> [round(10**tick, 2) for tick in log_ticks(-1.0, 0.4)]
    [0.1, 0.2, 0.5, 1.0, 2.0]
    """
    for numbers in ((1, 2, 5), (1,)):
        powers = range(math.floor(low), math.ceil(high) + 1)
        found = [power + math.log10(n) for power in powers for n in numbers]
        found = [tick for tick in found if low - 1e-9 <= tick <= high + 1e-9]
        if 2 <= len(found) <= most:
            return found
    return ticks(low, high)


def _range(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = 0.5 * abs(low) or 0.5
        return low - room, high + room
    return low, high


def _scale(marks: list[float], limits: tuple[float, float], start: float, end: float) -> Any:
    """The map of numbers to places on the page."""
    low, high = min([*marks, limits[0]]), max([*marks, limits[1]])
    return lambda value: round(start + (end - start) * (value - low) / (high - low), 1)


def _runs(values: np.ndarray) -> list[slice]:
    """Where values are finite, without a gap."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isfinite(values).view(np.int8), [0]])))
    return [slice(a, b) for a, b in edges.reshape(-1, 2).tolist()]


def bar_table(rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[str], unit: str) -> str:
    """A table with a bar for each number, all to one scale; several numbers lie side by side."""
    most = max((sum(v for v in values if math.isfinite(v)) for _, values in rows), default=0) or 1
    lines = []
    for name, values in rows:
        bars = "".join(
            f'<i style="width:{100 * value / most if math.isfinite(value) else 0:.2f}%;'
            f'background:{COLOURS[i]}"></i>'
            for i, value in enumerate(values)
        )
        numbers = "".join(f'<td class="number">{value:.3g}</td>' for value in values)
        lines.append(f'<tr><th>{escape(name)}</th>{numbers}<td class="bar">{bars}</td></tr>')
    heads = "".join(
        f'<th><span class="key"><i style="background:{COLOURS[i]}"></i>{escape(name)}</span></th>'
        for i, name in enumerate(names)
    )
    head = f"<tr><th></th>{heads}<th>{escape(unit)}</th></tr>"
    return f'<table class="bars">{head}{"".join(lines)}</table>'


def confusion_table(matrix: np.ndarray, names: Sequence[str]) -> str:
    """A table of counts, rows true and columns predicted: what is right blue, errors orange, by
    their share of the row."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    lines = []
    for i, name in enumerate(names):
        cells = []
        for j, count in enumerate(matrix[i]):
            share = shares[i, j] if i == j else min(1.0, 4 * shares[i, j])
            colour = _mixed((37, 99, 235) if i == j else (234, 88, 12), float(share))
            dark = "color:#fff;" if share > 0.5 else ""
            tip = escape(f"{name} taken for {names[j]}: {count}")
            text = count if count else ""
            cells.append(f'<td style="{dark}background:{colour}" title="{tip}">{text}</td>')
        lines.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f'<table class="confusion"><tr><th></th>{head}</tr>{"".join(lines)}</table>'


def _mixed(colour: tuple[int, int, int], share: float) -> str:
    """A colour on white."""
    return "rgb({},{},{})".format(*(round(255 - (255 - part) * share) for part in colour))


def picture(array: np.ndarray, caption: str = "", scale: float = 4, css: str = "") -> str:
    """A figure of an image (H, W) or (H, W, 3) of bytes, each pixel ``scale`` wide."""
    height, width = array.shape[:2]
    size = f'width="{round(width * scale)}" height="{round(height * scale)}"'
    label = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    alt = "" if caption else "picture"  # a caption says it already
    return f'<figure class="{css}"><img {size} alt="{alt}" src="{data_uri(array)}">{label}</figure>'


def data_uri(array: np.ndarray) -> str:
    return f"data:image/png;base64,{b64encode(png(array)).decode()}"


def png(array: np.ndarray) -> bytes:
    """A PNG file of an image of bytes, (H, W) grey or (H, W, 3) in colour."""
    array = np.ascontiguousarray(array, np.uint8)
    height, width = array.shape[:2]
    rows = array.reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1)  # each with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if array.ndim == 2 else 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    content = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        crc = zlib.crc32(data, zlib.crc32(kind))
        content += [struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)]
    return b"".join(content)


def grey(image: np.ndarray) -> np.ndarray:
    """An image (C, H, W) as bytes from its smallest to its largest number: grey, (H, W), or for
    three channels in colour, (H, W, 3)."""
    image = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
    low, high = (image.min(), image.max()) if image.size else (0.0, 1.0)
    image = np.round(255 * (image - low) / ((high - low) or 1)).astype(np.uint8)
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image.mean(0).astype(np.uint8)


def signed(image: np.ndarray, most: float) -> np.ndarray:
    """A matrix as colours (H, W, 3): orange below 0, white at 0, blue above."""
    share = np.clip(np.nan_to_num(image / (most or 1)), -1, 1)[..., None]
    above, below = 255.0 - np.array([37, 99, 235]), 255.0 - np.array([234, 88, 12])
    return np.round(255 - np.where(share > 0, share * above, -share * below)).astype(np.uint8)


def tiles(images: Sequence[np.ndarray], columns: int, space: int = 1) -> np.ndarray:
    """Images of one size side by side in rows, in colour, on white."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + space), columns * (width + space), 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + space), (i % columns) * (width + space)
        colour = image if image.ndim == 3 else image[..., None]
        sheet[top : top + height, left : left + width] = colour
    return sheet
