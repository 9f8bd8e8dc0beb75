"""The machine: its limits, its name, and how much memory this process has."""

from __future__ import annotations

import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

FMA_RUNS = 200
STREAM_RUNS = 10


@dataclass(frozen=True)
class Limits:
    """What no kernel can pass, on so many threads."""

    flops: float  # a second: fused multiply-adds, each two
    bytes: float  # a second: the faster of reading and of STREAM's triad


def measure_limits() -> Limits | None:
    """The best of some runs on the threads that tinytensor uses here. None without C kernels."""
    from tinytensor.debug.limits import measured_limits  # late: other frameworks' processes

    found = measured_limits(FMA_RUNS, STREAM_RUNS)
    return None if found is None else Limits(*found)


def description() -> dict[str, str | int]:
    """What a reader wants to know of the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    stated = os.environ.get("TINYTENSOR_CACHES")
    return {
        "processor": model,
        "CPUs": cpus(),
        **({"work cut for caches of": stated} if stated else {}),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- Memory of this process, in bytes --------------------------------------------------------

STATUS = Path("/proc/self/status")


def resident_memory() -> int:
    """The resident set now; where that cannot be known, its peak."""
    return status("VmRSS") if STATUS.exists() else peak_memory()


def peak_memory() -> int:
    """The peak of the resident set, since the last reset where there can be one."""
    if STATUS.exists():
        return status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak_memory() -> None:
    """Let the peak be what is resident now (Linux)."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def status(name: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {name}")
