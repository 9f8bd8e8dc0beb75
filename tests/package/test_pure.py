"""The interpreted engine on the reference kernels: the core of the suite once more, without C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinytensor import engine, kernels

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]
CORE = ["engine/test_engine", "engine/test_scalar", "ops/test_hypothesis"]


def test_this_run_is_in_the_mode_that_was_asked_for() -> None:
    pure = os.environ.get("TINYTENSOR_PURE", "0") not in ("", "0")
    built = any((ROOT / "tinytensor" / "engine").glob("core.*.so"))
    assert engine.compiled == (built and not pure)
    reference = os.environ.get("TINYTENSOR_KERNELS") == "reference"
    built = any((ROOT / "tinytensor" / "kernels").glob("_core.*.so"))
    assert kernels.active == ("fast" if built and not reference else "reference")


def test_the_core_in_pure_mode() -> None:
    if not engine.compiled and kernels.active == "reference":
        return  # this whole run is that
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x"),
            *(f"tests/{name}.py" for name in CORE),
            *("-k", "not million"),  # .ci/run has all of it in this mode
        ],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TINYTENSOR_"))},
            "TINYTENSOR_PURE": "1",
            "TINYTENSOR_KERNELS": "reference",
            "TINYTENSOR_EXPECT": "interpreted reference",
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
