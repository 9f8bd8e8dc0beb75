"""Whether compiled modules run or their sources, and what they were made of: compiled modules are
refused beside sources that have changed since.

A build leaves built.txt, with a line for each file that went into it: its checksum, size and time.
A file of the same size and time counts as the same, and of others the checksum decides. Above them
are notes on the build itself, as ``# python 3.12.3``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from typing import Any

PACKAGE = os.path.dirname(os.path.abspath(__file__))
INTERPRETED = "tinytensor_interpreted"  # a second package of the same files: debug/translating.py

_REMEDIES = "To build again: pip install -e . (or python setup.py build_ext --inplace)."

DOCTOR = "python -m tinytensor doctor"


def asks_for_the_doctor() -> bool:
    """Whether Python was started as ``python -m tinytensor doctor``, and is now importing us."""
    arguments = getattr(sys, "argv", [])  # which are not there yet in sitecustomize
    started = getattr(sys, "orig_argv", [])[-len(arguments) :]
    return arguments[:2] == ["-m", "doctor"] and started[0] in ("tinytensor", "-mtinytensor")


def _lines(root: str) -> list[str]:
    """Of ``tinytensor/built.txt``; none where nothing is built."""
    try:
        with open(os.path.join(root, "tinytensor", "built.txt"), encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def notes(root: str) -> dict[str, str | None] | None:
    """What a build has noted of itself, None where it left nothing: the version of tinytensor, of
    Python, NumPy and the compiler, and the flags."""
    lines = _lines(root)
    noted = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    names = ("version", "compiler", "flags", "python", "numpy")
    return {name: noted.get(name) for name in names} if lines else None


def changed_sources(root: str) -> list[str]:
    """The files under ``root`` that are not what ``tinytensor/built.txt`` says of them.

    Files that are not there have not changed: a wheel has no C sources.
    """
    files = (line.split(" ", 3) for line in _lines(root) if line[:1] != "#")
    return [file[3] for file in files if _is_changed(root, *file)]


def _is_changed(root: str, crc: str, size: str, time: str, name: str) -> bool:
    path = f"{root}/{name}"
    try:
        state = os.stat(path)
        if (state.st_size, state.st_mtime_ns) == (int(size), int(time)):
            return False
        import zlib  # late: seldom needed

        with open(path, "rb") as file:
            return zlib.crc32(file.read()) != int(crc, 16)
    except FileNotFoundError:
        return False


def _is_compiled(name: str) -> bool:
    module = os.path.join(os.path.dirname(PACKAGE), os.path.splitext(name)[0])
    return any(os.path.exists(module + suffix) for suffix in EXTENSION_SUFFIXES)


def module(name: str) -> Any:
    """The compiled module of a name, or None if it is not built."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


class Interpreted:
    """Finds the .py file of a module that a .pxd file lets be compiled."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        package, *parts = name.split(".")
        file = os.path.join(PACKAGE, *parts)
        if package != __package__ or not all(map(os.path.exists, (f"{file}.py", f"{file}.pxd"))):
            return None
        loader = SourceFileLoader(name, f"{file}.py")
        spec = ModuleSpec(name, loader, origin=loader.path)
        spec.has_location = True
        return spec


def wants_interpreted() -> bool:
    """Whether the engine's sources are to run: by ``TINYTENSOR_PURE``, or as the second package."""
    return __package__ == INTERPRETED or os.environ.get("TINYTENSOR_PURE", "0") not in ("", "0")


def wants_reference() -> bool:
    """Whether NumPy is to do the kernels' work, by ``TINYTENSOR_KERNELS`` or so too."""
    return __package__ == INTERPRETED or os.environ.get("TINYTENSOR_KERNELS") == "reference"


def choose() -> None:
    """Let the interpreted engine run if it is wanted; refuse compiled modules that would run and
    are out of date."""
    refuse_changed_sources(engine=not wants_interpreted(), kernels=not wants_reference())
    if wants_interpreted():
        sys.meta_path.insert(0, Interpreted)


def refuse_changed_sources(*, engine: bool, kernels: bool) -> None:
    """Raise ImportError if what will run, the compiled engine or the kernels, is out of date."""
    for name in changed_sources(os.path.dirname(PACKAGE)):
        of_engine = not name.startswith(("csrc/", "tinytensor/kernels/"))
        if not (engine if of_engine else kernels) or not _is_compiled(
            name if of_engine else "tinytensor/kernels/_core"
        ):
            continue
        without = "TINYTENSOR_PURE=1" if of_engine else "TINYTENSOR_KERNELS=reference"
        raise ImportError(
            f"{name} has changed since it was compiled, and the compiled code would run without "
            f"the change. {_REMEDIES} Without building: {without}. What else is wrong: {DOCTOR}."
        )
