"""What the compiled modules were made of: they are refused beside sources that have changed since.

A build leaves built.txt, with a line for each file that went into it: its checksum, size and time.
A file of the same size and time counts as the same, and of others the checksum decides.
"""

from __future__ import annotations

import os
import zlib
from importlib.machinery import EXTENSION_SUFFIXES

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
        with open(path, "rb") as file:
            return zlib.crc32(file.read()) != int(crc, 16)
    except FileNotFoundError:
        return False


def _is_compiled(name: str) -> bool:
    module = os.path.join(os.path.dirname(PACKAGE), os.path.splitext(name)[0])
    return any(os.path.exists(module + suffix) for suffix in EXTENSION_SUFFIXES)


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
