"""Recurrent layers over whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..row import Builder, Row

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(
    kind: str,
    t: int,
    b: int,
    i: int,
    h: int,
    modes: tuple[str, ...] = ("forward", "backward"),
    layers: int = 1,
    bidirectional: bool = False,
    quick: bool = False,
) -> Iterator[Row]:
    """The rows of a layer ``kind`` on (t, b, i), with h hidden units."""

    def build(lib: Any) -> Any:
        return getattr(lib.nn, kind)(i, h, layers, bidirectional=bidirectional)

    flops, traffic = work(kind, t * b, i, h, layers, 1 + bidirectional)
    shape = f"T{t} B{b} I{i} H{h}" + f", {layers} layers both ways" * bidirectional
    builders = {"tinytensor": build, "torch": build}
    inputs = {"x": (t, b, i)}
    if "forward" in modes:
        yield Row("recurrent", f"{kind} {shape}", "forward", builders, inputs, flops, traffic)
    if "backward" in modes:
        name = f"{kind} {shape}, forward + backward"
        yield Row(
            "recurrent", name, "backward", builders, inputs, 3 * flops, 3 * traffic, quick=quick
        )


def work(kind: str, steps: int, i: int, h: int, layers: int, ways: int) -> tuple[float, float]:
    """The operations of this many steps of sequences, and the bytes that they touch."""
    flops = traffic = 0.0
    for layer in range(layers):
        size = ways * h if layer else i
        weights = GATES[kind] * h * (size + h)
        flops += ways * 2.0 * steps * weights
        traffic += ways * 4.0 * (steps * (size + GATES[kind] * h + h) + weights)
    return flops, traffic


def ragged(kind: str, t: int, b: int, i: int, h: int) -> Row:
    """The row of a layer over sequences of lengths from t / 4 to t: PyTorch packs them."""
    lengths = np.random.default_rng(0).integers(t // 4, t + 1, b)

    def build(lib: Any) -> Any:
        class Ragged(lib.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = getattr(lib.nn, kind)(i, h)

            def forward(self, x: Any) -> Any:
                return self.layer(x, None, lengths)

        return Ragged()

    def packed(torch: Any) -> Any:
        from torch.nn.utils import rnn  # type: ignore[import-not-found, unused-ignore]

        sizes = torch.from_numpy(lengths)

        class Packed(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = getattr(torch.nn, kind)(i, h)

            def forward(self, x: Any) -> Any:
                rows = rnn.pack_padded_sequence(x, sizes, enforce_sorted=False)
                return rnn.pad_packed_sequence(self.layer(rows)[0], total_length=t)[0]

        return Packed()

    builders: dict[str, Builder | None] = {"tinytensor": build, "torch": packed}
    flops, traffic = work(kind, int(lengths.sum()), i, h, 1, 1)
    name = f"{kind} T{t // 4}–{t} B{b} I{i} H{h}, forward + backward"
    return Row("recurrent", name, "backward", builders, {"x": (t, b, i)}, 3 * flops, 3 * traffic)


def rows() -> Iterator[Row]:
    for kind in ("RNN", "GRU", "LSTM"):
        yield from recurrent(kind, 64, 32, 64, 128, quick=kind == "LSTM")
        yield from recurrent(kind, 128, 16, 256, 512)
        yield ragged(kind, 64, 32, 64, 128)
        yield ragged(kind, 128, 16, 256, 512)
    for kind in ("GRU", "LSTM"):
        for size in ((64, 32, 64, 128), (128, 16, 256, 512)):
            yield from recurrent(kind, *size, modes=("backward",), layers=2, bidirectional=True)
    yield from recurrent("LSTM", 30, 128, 128, 256)
    for size in ((64, 1, 128, 128), (100, 1, 256, 256), (100, 1, 256, 512)):
        yield from recurrent("LSTM", *size, modes=("forward",))


ROWS = list(rows())
