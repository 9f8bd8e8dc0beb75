"""What the repository says of a report: README's table and picture, and the page of all rows.

Each stands between two marks in its file, and is made of the report alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .markdown import lines, table
from .measure import Measurement
from .report import COMPILERS, RIVALS, Report, bare, family, geometric_mean

ROOT = Path(__file__).parent.parent
BEGIN = "<!-- made by `python -m benchmarks report --publish`: begin -->\n"
END = "<!-- end -->\n"

TORCH = ("torch",)
# What README calls a family, and against whom it is held.
FAMILIES = (
    ("small operations", "overhead", TORCH),
    ("element-wise, rows, reductions", "maps, forward + backward", RIVALS),
    ("matrix products", "gemm, forward", RIVALS),
    ("convolutions", "conv, forward + backward", RIVALS),
    ("attention", "attention, forward + backward", RIVALS),
    ("RNN, GRU and LSTM", "recurrent, forward + backward", RIVALS),
    ("training steps", "models", TORCH),
)
NAMES = {"": "own choice", "avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}


class Glance(NamedTuple):
    """All rows of a family, on so many threads of an instruction set."""

    words: str
    isa: str
    threads: int
    mean: float  # the geometric one
    least: float
    least_row: str


def at_a_glance(report: Report) -> list[Glance]:
    found = []
    for words, name, peers in FAMILIES:
        some = [m for m in usual(report) if family(m.row) == name and m.faster(peers)]
        for isa in report.isas:
            for threads in sorted({m.threads for m in some if m.isa == isa}):
                ratios = {
                    m.name: ratio(m, peers)
                    for m in some
                    if (m.isa, m.threads) == (isa, threads)
                }  # fmt: skip
                least = min(ratios, key=lambda row: ratios[row])
                mean = geometric_mean([*ratios.values()])
                found.append(Glance(words, isa, threads, mean, ratios[least], least))
    return found


def usual(report: Report) -> list[Measurement]:
    """Without the rows that only run if they are named."""
    return [m for m in report.measurements if not m.row.on_request]


def ratio(m: Measurement, peers: Iterable[str]) -> float:
    """Against the faster of the peers, of which there is one."""
    peer = m.faster(peers)
    assert peer is not None
    return m.ratio(peer).median


def steps(report: Report) -> dict[str, dict[str, float]]:
    """For each training step and instruction set how many times faster than PyTorch, in the
    geometric mean over the numbers of threads."""
    found: dict[str, dict[str, list[float]]] = {}
    for m in usual(report):
        if m.row.mode == "train" and "torch" in m.times:
            found.setdefault(m.name, {}).setdefault(m.isa, []).append(ratio(m, TORCH))
    return {
        name: {isa: geometric_mean(ratios) for isa, ratios in of.items()}
        for name, of in found.items()
    }


# --- README ----------------------------------------------------------------------------------


def summary(report: Report, picture: str) -> Iterator[str]:
    """The picture, a table with a line for each family, and what was compared."""
    yield from (f"![tinytensor beside PyTorch and NumPy]({picture})", "")
    glances = at_a_glance(report)
    columns = sorted(
        {(g.isa, g.threads) for g in glances}, key=lambda c: (report.isas.index(c[0]), c[1])
    )
    head = [""]
    for isa in report.isas:
        head += [f"{called(isa)}, {count(n)}" for which, n in columns if which == isa]
        head.append("least")
    body = []
    for words in dict.fromkeys(g.words for g in glances):
        cells = [words]
        for isa in report.isas:
            some = [g for g in glances if (g.words, g.isa) == (words, isa)]
            means = {g.threads: f"{g.mean:.2f}" for g in some}
            cells += [means.get(n, "") for which, n in columns if which == isa]
            cells.append(f"{min(g.least for g in some):.2f}" if some else "")
        body.append(cells)
    yield from table(head, body)
    yield from ("", compared(report))
    if text := beside_compilers(report):
        yield from ("", text)


def compared(report: Report) -> str:
    versions = [
        f"{name} {bare(version)}" for name, version in report.versions.items() if name in RIVALS
    ]
    processor, cpus = report.machine.get("processor", ""), report.machine.get("CPUs", "")
    held = " and ".join(called(isa) for isa in report.isas)
    sets = f"; all libraries held to {held} in turn" if "" not in report.isas else ""
    return f"{', '.join(versions)}, on a processor {processor} with {cpus} CPUs{sets}."


def beside_compilers(report: Report) -> str:
    """How training steps stand beside each compiler that took part."""
    parts = []
    for peer in COMPILERS:
        ratios = [ratio(m, (peer,)) for m in usual(report)
                  if m.row.mode == "train" and peer in m.times]  # fmt: skip
        if ratios:
            parts.append(
                f"those of {peer} {geometric_mean(ratios):.2f} times as long in the geometric mean,"
                f" at least {min(ratios):.2f}"
            )
    return f"Training steps take {'; '.join(parts)}." if parts else ""


def called(isa: str) -> str:
    return NAMES.get(isa, isa)


def count(threads: int) -> str:
    return f"{threads} {'thread' if threads == 1 else 'threads'}"


# --- Files -----------------------------------------------------------------------------------


def page(report: Report, pictures: Iterable[str]) -> Iterator[str]:
    """All rows, without the title, which the page has."""
    for picture in pictures:
        yield from (f"![ratios, rooflines and memory]({picture})", "")
    text = iter(lines(report))
    next(text)
    next(text)
    yield from text


def place(path: Path, made: Iterable[str]) -> None:
    """Put it between the marks, in place of what is there."""
    text = path.read_text()
    pattern = re.compile(f"({re.escape(BEGIN)}).*?({re.escape(END)})", re.DOTALL)
    body = "\n" + "\n".join(made).strip("\n") + "\n\n"
    text, n = pattern.subn(lambda marks: marks[1] + body + marks[2], text)
    if n != 1:
        raise ValueError(f"{path} has no place for the report: {BEGIN.strip()} … {END.strip()}")
    path.write_text(text)


def publish(report: Report, root: Path = ROOT) -> Iterator[Path]:
    """Write README's part, the page, and their pictures; the paths of the files."""
    from .picture import draw, draw_at_a_glance  # late: matplotlib is not needed to measure

    pictures = []
    for isa in report.isas:
        name = "benchmarks" + (f"-{isa}" if len(report.isas) > 1 else "") + ".png"
        if draw(report.of(isa), root / "docs" / name):
            pictures.append(name)
    draw_at_a_glance(report, root / "docs" / "speed.png")
    place(root / "docs" / "benchmarks.md", page(report, pictures))
    place(root / "README.md", summary(report, "docs/speed.png"))
    yield from (root / "docs" / name for name in [*pictures, "speed.png", "benchmarks.md"])
    yield root / "README.md"
