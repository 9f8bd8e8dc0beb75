"""The machine: how many CPUs this process may use, and the sizes of their caches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple


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


# --- Caches ----------------------------------------------------------------------------------


class CacheSizes(NamedTuple):
    """Bytes: a core's share of the first and of the second cache, and of the last what counts."""

    first: int
    second: int
    last: int


# What is usual, where the system says nothing. Of a last cache larger than LARGEST_CACHE, which
# many cores share, others have their part.
USUAL_CACHES = CacheSizes(32 << 10, 1 << 20, 16 << 20)
LARGEST_CACHE = 32 << 20
SMALLEST_CACHE = 1 << 10

SYSTEM = "/sys/devices/system/cpu"
UNITS = {"": 0, "K": 10, "M": 20, "G": 30}


def cache_sizes(root: str | os.PathLike[str] = SYSTEM) -> CacheSizes:
    """TINYTENSOR_CACHES, as "32K,512K,8M", otherwise what the system says of this process's CPUs.

    Of two kinds of cores the smaller caches count, since a piece of work may be done by either.
    """
    text = os.environ.get("TINYTENSOR_CACHES", "").strip()
    if text:
        return stated_caches(text)
    kinds = list(caches_by_level(root)) or _asked_of_macos() or [_asked_of_libc()]
    firsts = [kind[1] for kind in kinds if kind.get(1)]
    seconds = [kind[2] for kind in kinds if kind.get(2)]
    lasts = [kind[LAST] for kind in kinds if kind.get(LAST)]
    first = min(firsts, default=USUAL_CACHES.first)
    second = max(first, min(seconds, default=USUAL_CACHES.second))
    last = max(second, min(min(lasts, default=USUAL_CACHES.last), LARGEST_CACHE))
    return CacheSizes(first, second, last)


def stated_caches(text: str) -> CacheSizes:
    """Three sizes in bytes, K, M or G, each at least the one before."""
    sizes = []
    for word in text.upper().split(","):
        number, unit = word.strip().rstrip("KMG"), word.strip()[-1:].strip("0123456789")
        if not number.isdecimal() or unit not in UNITS:
            break
        sizes.append(int(number) << UNITS[unit])
    if len(sizes) != 3 or sizes != sorted(sizes) or sizes[0] < SMALLEST_CACHE:
        raise ValueError(
            "TINYTENSOR_CACHES must be the sizes of the first, second and last cache, from 1K on"
            f" and none smaller than the one before, as 32K,512K,8M; got {text!r}"
        )
    return CacheSizes(*sizes)


LAST = 0  # the key of the whole of a CPU's largest cache, beside the levels


def caches_by_level(root: str | os.PathLike[str] = SYSTEM) -> Iterator[dict[int, int]]:
    """For the first and the last CPU of this process, which on machines with two kinds of cores are
    one of each: a core's share of its first and second cache, and all of the others."""
    affinity = getattr(os, "sched_getaffinity", None)
    granted = sorted(affinity(0)) if affinity else [0]
    for number in dict.fromkeys((granted[0], granted[-1])):
        cpu = os.path.join(root, f"cpu{number}")
        found: dict[int, int] = {}
        for folder, size in caches(os.path.join(cpu, "cache")):
            found[LAST] = max(size, found.get(LAST, 0))
            try:
                level = int(_text(f"{folder}/level"))
                found[level] = size // (_cores_that_share(folder, cpu) if level < 3 else 1)
            except (OSError, ValueError):
                continue
        if found:
            yield found


def _cores_that_share(folder: str, cpu: str) -> int:
    """How many cores a cache is for; two CPUs of one core are one."""
    try:
        threads = _count(_text(f"{cpu}/topology/thread_siblings_list"))
        return max(1, _count(_text(f"{folder}/shared_cpu_list")) // threads)
    except (OSError, ValueError):
        return 1


def _count(ranges: str) -> int:
    """Of CPUs, as "0-3,8"."""
    total = 0
    for part in ranges.strip().split(","):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total


def caches(root: str | os.PathLike[str] = f"{SYSTEM}/cpu0/cache") -> Iterator[tuple[str, int]]:
    """The folder and the bytes of each cache of data of a CPU."""
    for name in os.listdir(root) if os.path.isdir(root) else ():
        folder = os.path.join(root, name)
        try:
            if _text(f"{folder}/type").strip() != "Instruction":
                text = _text(f"{folder}/size").strip()  # as "32768K"
                yield folder, int(text.removesuffix("K")) << 10
        except (OSError, ValueError):
            continue


# glibc's _SC_LEVEL1_DCACHE_SIZE and so on, which Python has no names for.
LEVELS_OF_LIBC = {1: 188, 2: 191, 3: 194}


def _asked_of_libc() -> dict[int, int]:
    """What the C library has from the processor itself, where a container hides the files."""
    found = {}
    for level, number in LEVELS_OF_LIBC.items() if sys.platform == "linux" else ():
        try:
            found[level] = max(0, os.sysconf(number))
        except (OSError, ValueError):
            continue
    found[LAST] = max(found.values(), default=0)
    return found


def _asked_of_macos() -> list[dict[int, int]]:
    """The caches of each kind of core; [] elsewhere."""
    if sys.platform != "darwin":
        return []
    import ctypes  # late: of no use elsewhere

    libc = ctypes.CDLL(None)

    def asked(name: str) -> int:
        value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
        libc.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
        return value.value

    kinds = []
    for prefix in ("hw.perflevel0.", "hw.perflevel1.", "hw."):
        second = asked(f"{prefix}l2cachesize")
        if second and not (prefix == "hw." and kinds):
            kinds.append({
                1: asked(f"{prefix}l1dcachesize"),
                2: second // max(1, asked(f"{prefix}cpusperl2")),
                LAST: max(second, asked("hw.l3cachesize")),
            })  # fmt: skip
    return kinds
