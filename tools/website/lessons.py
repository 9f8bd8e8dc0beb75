"""The explorer's pages of lessons: their code runs, and what it saves becomes part of the site."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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


def explorers(folder: Path) -> dict[str, bytes]:
    """The pages (NN_name.html) that the lessons in a folder save, by name."""
    texts = {page.name: page.read_text(encoding="utf-8") for page in sorted(folder.glob("*.md"))}
    saving = [(name, text) for name, text in texts.items() if ".save(" in text]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda one: saved_by(*one), saving)
        return {name: page for pages in found for name, page in pages.items()}


@cache  # `mkdocs serve` builds often
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
