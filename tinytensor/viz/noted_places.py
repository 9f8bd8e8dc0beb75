"""Where calls of a recording stand: lines of files, with their source, and modules of a model."""

from __future__ import annotations

import linecache
import os
from typing import Any

from ..engine.user_line import Line

_ABOVE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


class NotedLines:
    """The lines that are referred to, by file."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, dict[str, str]]] = {}

    def of(self, line: Line | None) -> list[int] | None:
        """The numbers of its file and of the line. Its source is read now: it may change later."""
        if line is None:
            return None
        known = self._files.get(line.file)
        if known is None:
            known = self._files[line.file] = len(self._files), {}
        if str(line.number) not in known[1]:
            source = linecache.getline(line.file, line.number)
            known[1][str(line.number)] = source.rstrip("\n")
        return [known[0], line.number]

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"name": _told(name), "lines": {**lines}} for name, (_, lines) in self._files.items()
        ]


class NotedModules:
    """The modules of a model by their names, and which of them run."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._kinds: list[str] = []
        self._inside: list[int] = []  # the outermost first

    def add(self, name: str, module: Any) -> None:
        if name not in self._numbers:
            self._numbers[name] = len(self._kinds)
            self._kinds.append(type(module).__name__)

    def begin(self, name: str) -> None:
        """A call of this module begins."""
        self._inside.append(self._numbers[name])

    def end(self) -> None:
        """The innermost call of a module has ended."""
        if self._inside:
            self._inside.pop()

    def forget_calls(self) -> None:
        self._inside = []

    @property
    def innermost(self) -> int | None:
        """The module that runs."""
        return self._inside[-1] if self._inside else None

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "kind": self._kinds[i], "parent": self._parent_of(name)}
            for name, i in self._numbers.items()
        ]

    def _parent_of(self, name: str) -> int | None:
        while name:
            name = name.rpartition(".")[0]
            if name in self._numbers:
                return self._numbers[name]
        return None


def _told(file: str) -> str:
    """A file as data call it: below the working folder, or this package, from there on."""
    for folder in (os.getcwd() + os.sep, _ABOVE):
        if file.startswith(folder):
            return file[len(folder) :]
    return file
