"""What can be seen without importing tinytensor: files, packages, the environment, the machine.

This, and all that the doctor needs to tell of it, runs where the package cannot be imported, on
older Pythons too.
"""

from __future__ import annotations

import json
import os
import platform
import re
import runpy
import struct
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from ... import built
from .report import SCHEMA, Report

REQUIRED_PYTHON = (3, 11)
REQUIRED = {"numpy": (2,), "safetensors": (0, 7), "tqdm": (0,)}  # and later ones

# What is read of the environment: by the package, by its build and by its tests.
VARIABLES = (
    "TINYTENSOR_ISA", "TINYTENSOR_KERNELS", "TINYTENSOR_NUM_THREADS", "TINYTENSOR_PURE",
    "TINYTENSOR_REQUIRE_KERNELS", "TINYTENSOR_SANITIZE", "TINYTENSOR_EXPECT", "TINYTENSOR_NO_SKIPS",
    "TINYTENSOR_CONFIGURATIONS", "TINYTENSOR_PROGRAMS",
)  # fmt: skip

# What a CPU must have for each instruction set, as Linux names it; see csrc/dispatch.c.
AVX2 = {"avx2", "bmi2", "fma", "f16c"}
FEATURES = {
    "x86_64": {
        "baseline": set(),
        "avx2": AVX2,
        "avx512": AVX2 | {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    },
    "aarch64": {"baseline": set(), "neon": {"asimd"}},
}


def observed(root: str = "/") -> Report:
    """A report of all that can be seen from outside. ``root`` is where /proc and /sys lie."""
    cpus: Any = SimpleNamespace(**runpy.run_path(os.path.join(built.PACKAGE, "kernels", "cpus.py")))
    return {
        "schema": SCHEMA,
        "healthy": True,
        "package": {
            "version": _version_in(built.PACKAGE) or "unknown",
            "path": built.PACKAGE,
            "installed": version_of("tinytensor"),
            "origin": _origin(),
            "source": os.path.exists(os.path.join(os.path.dirname(built.PACKAGE), "setup.py")),
            "seconds": None,
            "failure": None,
            "others": _others(),
        },
        "engine": None,
        "kernels": None,
        "modules": _modules(),
        "build": built.notes(os.path.dirname(built.PACKAGE)),  # type: ignore[typeddict-item]
        "isa": {
            "used": None,
            "available": [],
            "forced": os.environ.get("TINYTENSOR_ISA") or None,
            "cpu": instruction_sets(os.path.join(root, "proc/cpuinfo")),
        },
        "threads": _threads(cpus, root),
        "caches": _caches(cpus, os.path.join(root, "sys/devices/system/cpu")),
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "system": f"{platform.system()} {platform.machine()}",
            "suffix": EXTENSION_SUFFIXES[0],
        },
        "requirements": {name: version_of(name) for name in REQUIRED},
        "default_dtype": None,
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith("TINYTENSOR_") or name == "OMP_NUM_THREADS"
        },
        "self_test": None,
        "limits": None,
        "findings": [],
    }


# --- Packages --------------------------------------------------------------------------------


def version_of(package: str) -> str | None:
    """The version of an installed package; "unknown" if there is but the package; None if not."""
    try:
        return version(package)
    except PackageNotFoundError:
        if package == "tinytensor":
            return None
        return None if find_spec(package) is None else "unknown"


def _origin() -> str | None:
    """The folder or the file that pip has installed us from."""
    try:
        noted = distribution("tinytensor").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    return json.loads(noted)["url"] if noted else None


def _version_in(package: str) -> str | None:
    """The version that stands in a tinytensor's version.py."""
    try:
        with open(os.path.join(package, "version.py"), encoding="utf-8") as file:
            found = re.search(r'__version__ = "(.+)"', file.read())
    except OSError:
        return None
    return found[1] if found else None


def _others() -> list[dict[str, str | None]]:
    """More that an import of the name may find: on the path, or in the folder that is open."""
    found: list[dict[str, str | None]] = []
    seen = {os.path.realpath(built.PACKAGE)}
    places = [(entry or os.getcwd(), "path") for entry in sys.path] + [(os.getcwd(), "folder")]
    for folder, place in places:
        for name in ("tinytensor/__init__.py", "tinytensor.py"):
            file = os.path.join(folder, *name.split("/"))
            other = file if name == "tinytensor.py" else os.path.dirname(file)
            if os.path.isfile(file) and os.path.realpath(other) not in seen:
                seen.add(os.path.realpath(other))
                found.append({"path": other, "version": _version_in(other), "place": place})
    return found


def taken_from_here() -> dict[str, str]:
    """Which packages that are needed an import finds in the folder that is open, although they are
    installed elsewhere: by their names, the file or the folder of each."""
    here = os.getcwd()
    found: dict[str, str] = {}
    if here not in [os.path.abspath(entry) for entry in sys.path]:
        return found
    for name in REQUIRED:
        try:
            home = os.path.realpath(str(distribution(name).locate_file("")))
        except PackageNotFoundError:
            continue
        package = os.path.join(here, name)
        for path, file in ((f"{package}.py",) * 2, (package, os.path.join(package, "__init__.py"))):
            if os.path.isfile(file) and home != os.path.realpath(here):
                found[name] = path
    return found


# --- Compiled modules ------------------------------------------------------------------------


def _modules() -> Any:
    """Those that there should be, as setup.py finds them, and what there is."""
    names, files = [], set()
    for folder, _, inside in os.walk(built.PACKAGE):
        for file in inside:
            files.add(os.path.join(folder, file))
    for path in sorted(files):
        stem, kind = os.path.splitext(path)
        if kind == ".pyx" or (kind == ".py" and f"{stem}.pxd" in files):
            names.append(os.path.relpath(stem, built.PACKAGE).replace(os.sep, "."))
    found: dict[str, Any] = {"built": [], "missing": [], "foreign": {}, "bad": {}}
    for name in names:
        stem = os.path.join(built.PACKAGE, *name.split("."))
        own = next((stem + s for s in EXTENSION_SUFFIXES if stem + s in files), None)
        others = [f for f in files if f.startswith(f"{stem}.") and f.endswith((".so", ".pyd"))]
        if own is not None:
            found["built"].append(name)
            wrong = ailment(own)
            if wrong:
                found["bad"][name] = wrong
        else:
            found["missing"].append(name)
            if others:
                found["foreign"][name] = sorted(others)[0]
    return {**found, "changed": built.changed_sources(os.path.dirname(built.PACKAGE))}


# The machines of ELF files, by their numbers.
MACHINES = {3: "i386", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64"}
MACHINES[243] = "riscv64"


def ailment(path: str) -> str | None:
    """What is wrong with a shared object, as far as its head says; None if it is for here."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(64)
    if sys.platform != "linux":
        return None if size else "is empty"
    if len(head) < 64 or head[:4] != b"\x7fELF":
        return f"is no shared object ({size} bytes)"
    machine = struct.unpack_from("<H", head, 18)[0]
    here = platform.machine()
    if MACHINES.get(machine, here) != here:
        return f"was built for {MACHINES[machine]}, and this machine is {here}"
    if head[4] == 2:
        sections = struct.unpack_from("<Q", head, 40)[0]
        entry, count = struct.unpack_from("<HH", head, 58)
        if sections + entry * count > size:
            return f"is cut off ({size} bytes of {sections + entry * count})"
    return None


# --- The machine -----------------------------------------------------------------------------


def instruction_sets(cpuinfo: str, machine: str = platform.machine()) -> list[str] | None:
    try:
        with open(cpuinfo, encoding="utf-8", errors="replace") as file:
            found = re.search(r"^(?:flags|Features)\s*:(.*)$", file.read(), re.MULTILINE)
    except OSError:
        return None
    if found is None or machine not in FEATURES:
        return None
    flags = set(found[1].split())
    return [isa for isa, needed in FEATURES[machine].items() if needed <= flags]


def _threads(cpus: Any, root: str) -> Any:
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    machine = os.cpu_count() or 1
    top = os.path.join(root, "sys/fs/cgroup")
    quota = cpus.cgroup_quota(top, os.path.join(root, "proc/self/cgroup"))
    variables = [n for n in ("TINYTENSOR_NUM_THREADS", "OMP_NUM_THREADS") if os.environ.get(n)]
    is_second = os.path.exists(os.path.join(top, "cgroup.controllers"))
    is_first = os.path.exists(os.path.join(top, "cpu"))
    return {
        "used": None,
        "asked": os.environ[variables[0]] if variables else None,
        "variable": variables[0] if variables else None,
        "cpus": machine,
        "affinity": affinity or machine,
        "quota": None if quota == float("inf") else quota,
        "cgroup": 2 if is_second else 1 if is_first else None,
        "granted": max(1, int(min(affinity or machine, quota))),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _caches(cpus: Any, root: str) -> Any:
    sizes: dict[str, int] = {}
    for folder, size in cpus.caches(os.path.join(root, "cpu0/cache")):
        try:
            with open(os.path.join(folder, "level"), encoding="utf-8") as file:
                sizes[f"L{file.read().strip()}"] = size
        except OSError:
            continue
    levels = {name: sizes.get(name) for name in ("L1", "L2", "L3")}
    return {**levels, "counted": cpus.cache_sizes(root).last}
