"""The examples run, as a user runs them, and learn."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(name, *arguments):
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_moons_of_scalars():
    assert len((ROOT / "examples" / "moons_mlp.py").read_text().splitlines()) <= 60
    found = re.search(r"right on ([\d.]+)% of 500", run("moons_mlp.py"))
    assert found
    assert float(found[1]) > 97
