"""The explorer's pages of lessons: their code runs, and what it saves becomes part of the site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The blocks of a page, which comes in on standard input, one after the other in one namespace. They
# stand on the lines that they have in the page, so that a recorded run tells of these.
RUN = r"""
import linecache, re, sys
name, text = sys.argv[1], sys.stdin.read()
linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
space = {"__name__": "__main__"}
for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
    above = "\n" * text.count("\n", 0, block.start(1))
    exec(compile(above + block[1], name, "exec"), space)
"""


PAGE = re.compile(r"\.save\(\"(\w+\.html)\"")
POOL = ThreadPoolExecutor(2)


def begin(folder: Path) -> dict[str, Future[dict[str, bytes]]]:
    """The names of the pages that the lessons in a folder save, each with the lesson's run: it goes
    on while the site is rendered."""
    texts = {page.name: page.read_text(encoding="utf-8") for page in sorted(folder.glob("*.md"))}
    return {uri: run(name, text) for name, text in texts.items() for uri in PAGE.findall(text)}


@cache  # `mkdocs serve` builds often
def run(name: str, text: str) -> Future[dict[str, bytes]]:
    return POOL.submit(saved_by, name, text)


def saved_by(name: str, text: str) -> dict[str, bytes]:
    """What the code of one lesson saves, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", RUN, f"docs/lessons/{name}"],
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise RuntimeError(f"docs/lessons/{name} does not run:\n{done.stderr}")
        return {page.name: page.read_bytes() for page in Path(folder).glob("*.html")}
