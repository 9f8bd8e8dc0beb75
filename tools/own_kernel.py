"""``python -m tools.own_kernel``: follow docs/own_kernel.md in a copy of the tree, word for word.

A bold path stands above each block: a whole file, or a change of one, whose lines without + must
stand in it once, one after the other. Blocks of sh are run where they stand.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "own_kernel.md"
BLOCK = re.compile(
    r"^(?:\*\*([\w./]+)\*\*\n\n)?```(py|c|cython|diff|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


class Step(NamedTuple):
    """A block of the page: a file or a change of it at ``path``, or commands, without one."""

    path: str
    kind: str
    text: str


def steps() -> list[Step]:
    return [Step(*groups) for groups in BLOCK.findall(PAGE.read_text("utf-8"))]


def write(step: Step, tree: Path) -> None:
    """Do to a tree what a step with a path says."""
    file = tree / step.path
    if step.kind != "diff":
        if file.exists():
            raise ValueError(f"{step.path} is there already")
        file.write_text(step.text, "utf-8")
        return
    text = file.read_text("utf-8")
    for old, new in hunks(step.text):
        if f"\n{text}".count(f"\n{old}") != 1:
            raise ValueError(
                f"{step.path} does not have once what stands beside the change:\n{old}"
            )
        text = f"\n{text}".replace(f"\n{old}", f"\n{new}")[1:]
    file.write_text(text, "utf-8")


def hunks(change: str) -> Iterator[tuple[str, str]]:
    """What stands in the file, and what will stand in its place."""
    for hunk in re.split(r"^@@\n", change, flags=re.MULTILINE):
        lines = [line or " " for line in hunk.splitlines()]
        yield (
            "".join(f"{line[1:]}\n" for line in lines if line[0] == " "),
            "".join(f"{line[1:]}\n" for line in lines),
        )


def copy(tree: Path) -> None:
    """What git knows of this tree, and what is new in it: nothing that was built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((ROOT / name).read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.own_kernel", description=__doc__)
    parser.add_argument("tree", nargs="?", type=Path, help="where (default: a temporary folder)")
    tree = parser.parse_args().tree or Path(tempfile.mkdtemp())
    copy(tree)
    for step in steps():
        if step.path:
            print(f"-- {step.path}", flush=True)
            write(step, tree)
            continue
        print(step.text, end="", flush=True)
        start = time.perf_counter()
        done = subprocess.run(["bash", "-e", "-c", f"export PYTHONPATH=.\n{step.text}"], cwd=tree)
        print(f"-- {time.perf_counter() - start:.0f} s", flush=True)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
