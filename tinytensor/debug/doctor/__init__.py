"""The doctor: what runs here, whether it is right, and what is wrong and to be done.

``python -m tinytensor doctor``. It looks at files, the environment and the machine without
importing the package, and has a process of its own import it, test its kernels and measure: so it
can tell why an import fails or crashes. docs/doctor.md tells of it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import findings, page, surroundings
from .inside import EVENT
from .report import BROKEN, Report

if TYPE_CHECKING:
    from .model import examine as examine

PATIENCE = 300  # seconds for the process that imports the package


def main(arguments: Sequence[str] | None = None, root: str = "/") -> int:
    """Print the report; 1 if something is broken, otherwise 0. /proc and /sys lie in ``root``."""
    parser = argparse.ArgumentParser(
        prog="python -m tinytensor doctor",
        description="What of tinytensor runs here, whether its kernels are right, what of the"
        " machine it reaches, what is wrong, and what to do. Exits with 1 if something is broken.",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quick", action="store_true", help="measure nothing")
    given = parser.parse_args(sys.argv[2:] if arguments is None else arguments)
    report = examined(measure=not given.quick, root=root)
    if given.json:
        print(json.dumps(report, indent=2, allow_nan=False))
    else:
        encoding = sys.stdout.encoding or "ascii"
        print(page.written(report, encoding, page.wants_colours(sys.stdout)))
    return 0 if report["healthy"] else 1


def examined(measure: bool = True, root: str = "/") -> Report:
    """The whole report."""
    report = surroundings.observed(root)
    _ask_inside(report, measure)
    report["findings"] = findings.found(report)
    report["healthy"] = all(finding["level"] != BROKEN for finding in report["findings"])
    return report


def _ask_inside(report: Report, measure: bool) -> None:
    """Have a process import the package, and note what it tells."""
    script = os.path.join(os.path.dirname(__file__), "inside.py")
    asked = json.dumps({"path": [entry or os.getcwd() for entry in sys.path], "measure": measure})
    process = subprocess.Popen(
        [sys.executable, script, asked],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
        errors += f"\nno answer within {PATIENCE} seconds"
    events: list[dict[str, Any]] = [{"event": "importing", "file": None}]
    for line in out.splitlines():
        if line.startswith(EVENT):
            events.append(json.loads(line[len(EVENT) :]))
            _note(report, events[-1])
    if process.returncode:
        _note_end(report, events[-1], process.returncode, errors.strip()[-2000:])


def _note(report: Report, event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "failed":
        ended = {"during": "import", "kernel": None, "isa": None}
        report["package"]["failure"] = {**ended, **event["error"]}  # type: ignore[typeddict-item]
    elif kind == "imported":
        report["package"]["seconds"] = event["seconds"]
        report["isa"]["used"], report["isa"]["available"] = event["used"], event["available"]
        report["threads"]["used"] = event["threads"]
        for name in ("engine", "kernels", "default_dtype"):
            report[name] = event[name]
        if report["build"] is not None and event["compiler"]:
            report["build"]["compiler"] = event["compiler"]
    elif kind == "tested":
        report["self_test"] = event["self_test"]
    elif kind == "measured":
        report["limits"] = event["limits"]


def _note_end(report: Report, last: dict[str, Any], code: int, errors: str) -> None:
    """The process has not come to its end: what it was about when it died."""
    try:
        kind = signal.Signals(-code).name
    except ValueError:
        kind = f"exit code {code}"
    during = {"importing": "import", "measuring": "measurement"}.get(last["event"], "self-test")
    report["package"]["failure"] = {
        "during": during,
        "kind": kind,
        "message": errors,
        "file": last.get("file"),
        "kernel": last.get("kernel"),
        "isa": last.get("isa"),
    }


def __getattr__(name: str) -> Any:
    if name == "examine":  # which needs the package
        from .model import examine

        return examine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
