"""docs/stepping.md: its debugger session is run, and shows what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "stepping.md").read_text()
CORE = "tinytensor/engine/core.py"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)


def line_that_is_grepped() -> tuple[int, str]:
    """Where the line stands for which the page's grep looks, and what it is."""
    (pattern,) = re.findall(rf'grep -n "(.+)" {CORE}', PAGE)
    lines = (ROOT / CORE).read_text().splitlines()
    found = [(number, line) for number, line in enumerate(lines, 1) if pattern in line]
    assert len(found) == 1
    return found[0]


def test_the_line_is_found() -> None:
    _, line = line_that_is_grepped()
    assert re.search(rf"^\d+:{re.escape(line)}$", PAGE, re.M)  # the number is of its day


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="its pdb stops at a line again when a call returns"
)
def test_the_session_shows_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "step.py").write_text(blocks("python")[0])
    session = "".join(block for block in blocks("text") if block.startswith("(Pdb) "))
    number, _ = line_that_is_grepped()
    session = re.sub(rf"{CORE}:\d+", f"{CORE}:{number}", session)
    steps = [step.splitlines() for step in session.split("(Pdb) ")[1:]]
    assert len(steps) > 15
    done = subprocess.run(
        [sys.executable, "-m", "pdb", "step.py"],
        input="".join(f"{command}\n" for command, *_ in steps),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINYTENSOR_PURE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    shown = done.stdout.split("(Pdb) ")[1:]
    assert len(shown) >= len(steps), done.stdout + done.stderr
    for (command, *expected), output in zip(steps, shown, strict=False):
        lines = [line.strip() for line in output.splitlines()]
        missing = [line for line in expected if line.strip() not in lines]
        assert not missing, f"{command}: {missing} in {output}"
        assert "***" not in output, f"{command}: {output}"  # pdb's mark of an error
