"""The machine: how many CPUs this process may use, and the size of their last cache."""

from __future__ import annotations

import os
from collections.abc import Iterator


def default_num_threads() -> int:
    """TINYTENSOR_NUM_THREADS, otherwise OMP_NUM_THREADS, otherwise :func:`granted_cpus`."""
    for name in ("TINYTENSOR_NUM_THREADS", "OMP_NUM_THREADS"):
        # OMP_NUM_THREADS may be a list, one number for each level of nesting.
        text = os.environ.get(name, "").split(",")[0].strip()
        if not text:
            continue
        if text.isdecimal() and int(text) > 0:
            return int(text)
        if name.startswith("TINYTENSOR"):
            raise ValueError(f"{name} must be a whole number of at least 1, got {text!r}")
    return granted_cpus()


def granted_cpus() -> int:
    """The CPUs of the process's affinity mask, or fewer if its cgroup has a quota of CPU time."""
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, int(min(cpus, cgroup_quota())))


def cgroup_quota(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> float:
    """CPU seconds a second that the process's cgroup and those above it allow (inf: no limit)."""
    try:
        lines = _text(own).splitlines()
    except OSError:
        return float("inf")
    quota = float("inf")
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # version 2
            top = root
        elif "cpu" in controllers.split(","):
            top = os.path.join(root, "cpu")
        else:
            continue
        parts = [part for part in group.split("/") if part]
        for depth in range(len(parts) + 1):
            quota = min(quota, _quota_in(os.path.join(top, *parts[:depth])))
    return quota


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _quota_in(folder: str) -> float:
    """The limit that one cgroup folder states, in either version's files."""
    try:
        if os.path.exists(f"{folder}/cpu.max"):
            allowed, period = _text(f"{folder}/cpu.max").split()
        else:
            allowed = _text(f"{folder}/cpu.cfs_quota_us")
            period = _text(f"{folder}/cpu.cfs_period_us")
        if allowed == "max" or int(allowed) < 0:
            return float("inf")
        return int(allowed) / int(period)
    except (OSError, ValueError):
        return float("inf")


# The size of the last cache, where the system does not say it or says more: of a larger one that
# many cores share, others have their part.
USUAL_CACHE, LARGEST_CACHE = 16 << 20, 32 << 20


CACHES = "/sys/devices/system/cpu/cpu0/cache"


def caches(root: str | os.PathLike[str] = CACHES) -> Iterator[tuple[str, int]]:
    """The folder and the bytes of each cache of data of a CPU."""
    for name in os.listdir(root) if os.path.isdir(root) else ():
        folder = os.path.join(root, name)
        try:
            if _text(f"{folder}/type").strip() != "Instruction":
                text = _text(f"{folder}/size").strip()  # as "32768K"
                yield folder, int(text.removesuffix("K")) << 10
        except (OSError, ValueError):
            continue


def last_cache(root: str | os.PathLike[str] = CACHES) -> int:
    """Bytes of the largest cache of data of a CPU."""
    return min(max((size for _, size in caches(root)), default=USUAL_CACHE), LARGEST_CACHE)
