"""The explorer's pages of lessons: their code runs, and what it saves becomes part of the site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def explorers(folder: Path) -> dict[str, bytes]:
    """The pages (NN_name.html) that the lessons in a folder save, by name."""
    codes = {page.name: "\n".join(BLOCK.findall(page.read_text())) for page in folder.glob("*.md")}
    saving = [(name, code) for name, code in sorted(codes.items()) if ".save(" in code]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda one: saved_by(*one), saving)
        return {name: page for pages in found for name, page in pages.items()}


@cache  # `mkdocs serve` builds often
def saved_by(name: str, code: str) -> dict[str, bytes]:
    """What the code of one lesson saves, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"docs/lessons/{name} does not run:\n{done.stderr}")
        return {page.name: page.read_bytes() for page in Path(folder).glob("*.html")}
