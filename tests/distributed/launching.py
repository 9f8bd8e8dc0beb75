"""Runs of several ranks: mpiexec, started by tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def mpiexec(ranks: int, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """A run of Python with these arguments on so many ranks, one thread each."""
    launcher = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert launcher is not None, 'no mpiexec: pip install "tinytensor[distributed]"'
    return subprocess.run(
        [launcher, "-n", str(ranks), sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "TINYTENSOR_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def script(ranks: int, body: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A run of ``body`` behind the usual imports, as ``rank`` of ``size``."""
    head = """
        import os, signal, sys, threading, time
        import tinytensor as tt
        import tinytensor.distributed as dist
        """
    return mpiexec(ranks, "-c", textwrap.dedent(head) + textwrap.dedent(body), seconds=seconds)
