"""Docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

ROLE = re.compile(r":(?:func|class|meth|mod):`~?\.?([\w.]+)`")
CODE = re.compile(r"(``.+?``|`[^`\n]+`|<autoref .*?</autoref>)", re.DOTALL)
SPECIAL = re.compile(r"([\\*_<>\[\]#])")


def markdown(text: str, path_of: Callable[[str], str] = str) -> str:
    r"""A docstring: doctests fenced, roles as links, and in prose no accidental markup.

    >>> print(markdown("a * b, but ``a * b``."))
    a \* b, but ``a * b``.
    """
    out: list[str] = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = block.split("\n")
        at = next((i for i, line in enumerate(lines) if line.startswith(">>> ")), len(lines))
        if lines[:at]:
            literal = lines[0].startswith(("    ", "|"))
            before = "\n".join(lines[:at])
            out.append(before if literal else prose(before, path_of))
        if lines[at:]:
            out.append("\n".join(["```pycon", *lines[at:], "```"]))
    return re.sub(r"\n```\n\n```pycon\n", "\n", "\n\n".join(out))


def prose(text: str, path_of: Callable[[str], str] = str) -> str:
    """A paragraph. ``path_of`` gives the place of what a role names; if that is on some page, the
    name becomes a link."""

    def link(role: re.Match[str]) -> str:
        path, word = path_of(role[1]), role[1].rpartition(".")[2]
        return f'<autoref identifier="{path}" optional><code>{word}</code></autoref>'

    parts = CODE.split(ROLE.sub(link, text))
    parts[::2] = [SPECIAL.sub(r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
