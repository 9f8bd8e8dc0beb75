"""``python -m tools.afternoon``: docs/afternoon.md with the line numbers that its files have now.

A quotation is a link to lines of a file and, below it, these lines, without the space that all of
them begin with. If they stand in the file once, their numbers can be found; otherwise the page must
be changed by hand.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "afternoon.md"
QUOTATION = re.compile(
    r"^\[(?P<words>[^\]]+)\]\(\.\./(?P<path>[^)#]+)#(?P<lines>L\d+(?:-L\d+)?)\):\n\n"
    r'```\w+ title="(?P=path)"\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


def places(path: str, text: str) -> Iterator[tuple[int, int]]:
    """The first and the last line of each place of a file where a text stands."""
    lines = (ROOT / path).read_text("utf-8").splitlines()
    wanted = text.splitlines()
    for at in range(len(lines) - len(wanted) + 1):
        here = "\n".join(lines[at : at + len(wanted)]) + "\n"
        if textwrap.dedent(here) == text:
            yield at + 1, at + len(wanted)


def numbered(first: int, last: int) -> tuple[str, str]:
    """How the page names lines: in words, and in the link."""
    if first == last:
        return f"line {first}", f"L{first}"
    return f"lines {first} to {last}", f"L{first}-L{last}"


def renumbered(page: str) -> str:
    def moved(quotation: re.Match[str]) -> str:
        path, found = quotation["path"], list(places(quotation["path"], quotation["text"]))
        if len(found) != 1:
            raise ValueError(f"{path} has {len(found)} times, not once:\n{quotation['text']}")
        words, lines = numbered(*found[0])
        head = f"[{words}](../{path}#{lines}):"
        return head + quotation[0][quotation[0].index("\n") :]

    return QUOTATION.sub(moved, page)


def main() -> int:
    before = PAGE.read_text("utf-8")
    after = renumbered(before)
    PAGE.write_text(after, "utf-8")
    print("docs/afternoon.md:", "as it was" if before == after else "renumbered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
