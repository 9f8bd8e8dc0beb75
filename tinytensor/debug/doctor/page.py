"""The report as a terminal shows it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from typing import Any

from .report import BROKEN, Finding, Report

GOOD, WORSE, BAD = "✓", "!", "✗"
ASCII = {GOOD: "ok", WORSE: "!", BAD: "X"}
COLOURS = {GOOD: "32", WORSE: "33", BAD: "31"}
WIDTH = 100
PYTHONS_OWN = ("-fPIC", "-fwrapv", "-fno-strict-overflow", "-fno-common")  # of every module


def written(report: Report, encoding: str = "utf-8", colours: bool = False) -> str:
    """The page, in characters of ``encoding``."""
    text = "\n".join(_lines(report, _marks(encoding, colours)))
    return text.encode(encoding, "backslashreplace").decode(encoding)


def wants_colours(stream: Any) -> bool:
    """Whether it is a terminal, and nothing says that it should be plain: see no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _marks(encoding: str, colours: bool) -> dict[str, str]:
    try:
        (GOOD + BAD).encode(encoding)
        marks = {mark: mark for mark in COLOURS}
    except (UnicodeEncodeError, LookupError):
        marks = ASCII
    if not colours:
        return marks
    return {kind: f"\x1b[{COLOURS[kind]}m{mark}\x1b[0m" for kind, mark in marks.items()}


def _lines(report: Report, marks: dict[str, str]) -> Iterator[str]:
    yield f"tinytensor {report['package']['version']} in {report['package']['path']}"
    yield ""
    for name, value, more in _facts(report):
        head = f"  {name:<10}  "
        if more:
            yield f"{head}{value:<32}  {more}"
        else:
            yield from _wrapped(head, value)
    yield from _tested(report, marks)
    yield from _reached(report)
    yield from told(report["findings"], marks)
    yield ""
    broken = sum(finding["level"] == BROKEN for finding in report["findings"])
    warnings = len(report["findings"]) - broken
    if broken:
        yield f"{marks[BAD]} broken: {_counted(broken, 'thing')} to mend"
    elif warnings:
        yield f"{marks[GOOD]} it works, with {_counted(warnings, 'thing')} to look at"
    else:
        yield f"{marks[GOOD]} all is well"


def told(findings: list[Finding], marks: dict[str, str] | None = None) -> Iterator[str]:
    """Findings as lines, with an empty one before each."""
    marks = marks or _marks("utf-8", False)
    for finding in findings:
        yield ""
        mark = marks[BAD if finding["level"] == BROKEN else WORSE]
        yield from _wrapped(f"{mark} ", finding["what"], "  ")
        yield from _wrapped("  seen by   ", finding["known"])
        yield f"  to do     {finding['remedy']}"  # whole, so that it can be copied
        if finding["otherwise"]:
            yield from _wrapped("            ", finding["otherwise"])


def _wrapped(head: str, text: str, indent: str | None = None) -> list[str]:
    indent = " " * len(head) if indent is None else indent
    lines = textwrap.wrap(text, WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return [(indent if i else head) + line for i, line in enumerate(lines or [""])]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _facts(report: Report) -> Iterator[tuple[str, str, str]]:
    isa, threads, caches = report["isa"], report["threads"], report["caches"]
    build, python = report["build"], report["python"]
    if report["package"]["seconds"] is None:
        yield "import", "fails", ""
    else:
        yield "import", f"{report['package']['seconds']:.2f} s", ""
        by = f"by {build['compiler']}" if build and build["compiler"] else ""
        yield "engine", report["engine"] or "", by if report["engine"] == "compiled" else ""
        yield "kernels", report["kernels"] or "", "" if report["kernels"] == "fast" else "NumPy"
    if isa["used"]:
        yield "ISA", isa["used"], f"of {', '.join(isa['available'])}"
    used = threads["used"] if threads["used"] is not None else threads["granted"]
    limits = [f"affinity {threads['affinity']}"] if threads["affinity"] < threads["cpus"] else []
    if threads["quota"] is not None:
        limits.append(f"quota {threads['quota']:g}")
    more = f" ({', '.join(limits)})" if limits else ""
    yield "threads", str(used), f"of {_counted(threads['granted'], 'CPU')} granted{more}"
    sizes = [f"{name} {_size(caches[name])}" for name in ("L1", "L2", "L3") if caches[name]]
    counts = f"{_size(caches['counted'])} counts as the last one"
    yield "caches", ", ".join(sizes) or "unknown", counts
    yield "Python", f"{python['version']} on {python['system']}", python["executable"]
    versions = report["requirements"]
    noted = build and build["numpy"]
    yield "NumPy", versions["numpy"] or "missing", f"built beside {noted}" if noted else ""
    others = (f"{name} {versions[name] or 'missing'}" for name in ("safetensors", "tqdm"))
    yield "others", ", ".join(others), ""
    if build and build["flags"]:
        yield "flags", " ".join(_telling(build["flags"])), ""
    for i, (name, value) in enumerate(report["environment"].items()):
        yield "" if i else "set", f"{name}={value}", ""


def _telling(flags: str) -> list[str]:
    """Those of a build that decide how fast it is; of each kind the last one counts."""
    telling = {
        "-O" if flag.startswith("-O") else flag.split("=")[0]: flag
        for flag in flags.split()
        if flag.startswith(("-O", "-m", "-f")) and flag not in PYTHONS_OWN
    }
    return list(telling.values())


def _size(bytes: int | None) -> str:
    size = (bytes or 0) >> 10
    return f"{size} KB" if size < 1024 else f"{size / 1024:g} MB"


def _tested(report: Report, marks: dict[str, str]) -> Iterator[str]:
    tested = report["self_test"]
    if tested is None:
        return
    wrong = len({failure["kernel"] for failure in tested["failures"]})
    yield ""
    said = f"{wrong} of {tested['kernels']} kernels differ from NumPy"
    if not wrong:
        said = f"all {tested['kernels']} kernels agree with NumPy"
    calls = f"{tested['calls']} calls on each of {', '.join(tested['isas'])}"
    yield f"{marks[BAD if wrong else GOOD]} {said} ({calls}; {tested['seconds']:.1f} s)"


def _reached(report: Report) -> Iterator[str]:
    limits = report["limits"]
    if not limits:
        return

    def row(name: str, cells: list[str]) -> str:
        return (f"  {name:<30}" + "".join(f"{cell:>24}" for cell in cells)).rstrip()

    yield ""
    yield row("of the machine's limits", [_counted(each["threads"], "thread") for each in limits])
    yield row("multiply-adds", [f"{each['flops'] / 1e9:.0f} GFLOP/s" + " " * 7 for each in limits])
    yield row("memory", [f"{each['bytes'] / 1e9:.1f} GB/s" + " " * 7 for each in limits])
    for name, key, unit in (
        ("product of 1024 x 1024", "gemm", "GFLOP/s"),
        ("map x + y, past the caches", "map", "GB/s"),
        ("step of a perceptron", "step", "GFLOP/s"),
    ):
        reached = [each[key] for each in limits]  # type: ignore[literal-required]
        digits = 1 if unit == "GB/s" else 0
        rates = [
            f"{each['rate'] / 1e9:.{digits}f} {unit}{each['share']:>6.0%} " for each in reached
        ]
        yield row(name, rates)
