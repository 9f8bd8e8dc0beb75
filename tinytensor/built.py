"""Whether compiled modules run or their sources, and what they were made of: compiled modules are
refused beside sources that have changed since.

A build leaves built.txt, with a line for each file that went into it: its checksum, size and time.
A file of the same size and time counts as the same, and of others the checksum decides.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from typing import Any

PACKAGE = os.path.dirname(os.path.abspath(__file__))

_REMEDIES = "To build again: pip install -e . (or python setup.py build_ext --inplace)."


def changed_sources(root: str) -> list[str]:
    """The files under ``root`` that are not what ``tinytensor/built.txt`` says of them.

    Files that are not there have not changed: a wheel has no C sources.
    """
    try:
        with open(os.path.join(root, "tinytensor", "built.txt"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:  # nothing is built
        return []
    return [line.split(" ", 3)[3] for line in lines if _is_changed(root, *line.split(" ", 3))]


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


def choose() -> None:
    """Let the interpreted engine run if ``TINYTENSOR_PURE`` says so; refuse compiled modules that
    would run and are out of date."""
    pure = os.environ.get("TINYTENSOR_PURE", "0") not in ("", "0")
    kernels = os.environ.get("TINYTENSOR_KERNELS", "fast") != "reference"
    refuse_changed_sources(engine=not pure, kernels=kernels)
    if pure:
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
            f"the change. {_REMEDIES} Without building: {without}."
        )
