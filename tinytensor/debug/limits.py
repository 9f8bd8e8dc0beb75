"""The limits of this machine: what no kernel can pass on the threads in use."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import numpy as np

FLOATS = 1 << 24  # 64 MB an array: more than the caches hold


class Limits(NamedTuple):
    """What no kernel can pass, but for memory that a cache holds."""

    flops: float  # operations a second: fused multiply-adds, each two
    bytes: float  # a second: the faster of reading and of STREAM's triad


def measured_limits(fma_runs: int = 200, stream_runs: int = 10) -> Limits | None:
    """The best of so many runs of each, half a second in all. None where NumPy computes, whose
    limits are others.

    Source: McCalpin, "Memory Bandwidth and Machine Balance", 1995 (the triad).
    """
    if import_module("tinytensor.kernels").active == "reference":
        return None
    peak = import_module("tinytensor.kernels.peak")
    x, y, out = (np.ones(FLOATS, np.float32) for _ in range(3))
    return Limits(
        max(peak.fma_rate() for _ in range(fma_runs)),
        max(max(peak.read_rate(x), peak.triad_rate(x, y, out)) for _ in range(stream_runs)),
    )
