"""Recurrent layers over whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..row import Row


def recurrent(kind: str, t: int, b: int, i: int, h: int, quick: bool = False) -> Iterator[Row]:
    """The rows of a layer ``kind`` on (t, b, i), with h hidden units."""

    def build(lib: Any) -> Any:
        return getattr(lib.nn, kind)(i, h)

    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    weights = gates * h * (i + h)
    flops = 2.0 * t * b * weights
    traffic = 4.0 * (t * b * (i + gates * h + h) + weights)
    name = f"{kind} T{t} B{b} I{i} H{h}"
    builders = {"tinytensor": build, "torch": build}
    inputs = {"x": (t, b, i)}
    yield Row("recurrent", name, "forward", builders, inputs, flops, traffic)
    yield Row(
        "recurrent",
        f"{name}, forward + backward",
        "backward",
        builders,
        inputs,
        3 * flops,
        3 * traffic,
        quick=quick,
    )


def rows() -> Iterator[Row]:
    for kind in ("RNN", "GRU", "LSTM"):
        yield from recurrent(kind, 64, 32, 64, 128, quick=kind == "LSTM")
        yield from recurrent(kind, 128, 16, 256, 512)


ROWS = list(rows())
