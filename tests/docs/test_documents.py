"""The documents' Python runs: README, CONTRIBUTING, and the pages in docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import func

from ..table import rows

pytestmark = pytest.mark.no_c

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DESIGN = ROOT / "docs" / "design.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(page: Path, monkeypatch: pytest.MonkeyPatch, folder: Path | None = None) -> dict[str, Any]:
    """In order, in one namespace, as somebody who reads the page would type them, in ``folder``."""
    monkeypatch.setattr(rows, "ROWS", dict(rows.ROWS))
    if folder is not None:
        monkeypatch.chdir(folder)
    text = page.read_text()
    namespace: dict[str, Any] = {"__name__": "document"}
    for block in BLOCK.finditer(text):
        lines_before = text.count("\n", 0, block.start(1))
        exec(compile("\n" * lines_before + block[1], str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pages may save files, in the current folder. Of a picture that the page shows, from its
    folder ``pictures``, the words are those of the one that it saves."""
    run(page, monkeypatch, tmp_path)
    for shown in (page.parent / "pictures").glob("*.svg"):
        if (saved := tmp_path / shown.name).exists():
            words, new = (re.findall(r"<text[^>]*>([^<]*)<", p.read_text()) for p in (shown, saved))
            assert words == new, f"{page.name} saves another {shown.name} than it shows"


QUOTED = re.compile(r'^```\w+ title="(\S+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quotations_stand_in_their_files(page: Path) -> None:
    """A block with a path as its title: its lines are in that file, one after the other as they
    stand here, but for the space before them; a line of … alone leaves some out. The first line
    may be a comment with the path, for who does not see titles, and with the names quoted from."""
    for path, quoted in QUOTED.findall(page.read_text()):
        source, at = (ROOT / path).read_text(), 0
        lines = [line.strip() for line in source.splitlines() if line.strip()]
        if quoted.startswith((f"# {path}", f"/* {path}")):
            comment, quoted = quoted.split("\n", 1)
            for name in re.findall(r"[\w.]+", comment.partition(", in ")[2]):
                pattern = rf"(def|class) {name.rpartition('.')[2]}\b"
                assert re.search(pattern, source), f"{page.name}: no {name} in {path}"
        for part in re.split(r"^\s*…\n", quoted, flags=re.MULTILINE):
            wanted = [line.strip() for line in part.splitlines() if line.strip()]
            starts = range(at, len(lines) - len(wanted) + 1)
            found = [i for i in starts if lines[i : i + len(wanted)] == wanted]
            assert found, f"{page.name} quotes what {path} does not say: {part}"
            at = found[0] + len(wanted)


def test_the_op_that_is_added_holds_what_a_row_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONTRIBUTING's op, as somebody who copies it into the package would find it."""
    squash = run(ROOT / "CONTRIBUTING.md", monkeypatch)["squash_"]
    x = tt.tensor([[-1.5, 0.5], [2.0, -3.0]], dtype=tt.float64)
    func.check_grad(squash, x, order=3)
    lanes = func.vmap(func.grad(lambda row: squash(row).sum()))(x)
    np.testing.assert_allclose(lanes, 1 / (1 + np.abs(np.asarray(x))) ** 2, rtol=1e-15)
    assert squash.batching
    with pytest.raises(tt.DtypeError, match="squash"):
        squash(tt.asarray([1j]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, or to a page that this page's code saves: the site puts that beside it."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        if f'.save("{target}")' in text:
            assert target != f"{page.stem}.html", f"{page.name} is this itself on the site"
            continue
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


FOLDERS = ("tinytensor/", "csrc/", "tests/", "docs/", ".ci/", "benchmarks/", "examples/")
SOURCE = re.compile(r"[\w./*<>-]+\.(py|pyx|pxd|c|h)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    """In backticks: a path from the root, or a source file by the end of its path.
    `<family>` and `*` stand for any name."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`", page.read_text())
    for word in (word for span in spans for word in span.split()):
        pattern = re.sub("<[^>]+>", "*", word)
        if word.startswith(FOLDERS):
            assert any(ROOT.glob(pattern)), f"{page.name} names {word}"
        elif SOURCE.fullmatch(word):
            folders = [ROOT / folder for folder in FOLDERS]
            named = [found for folder in folders for found in folder.rglob(pattern)]
            assert named or (ROOT / word).exists(), f"{page.name} names {word}"


def test_the_house_is_drawn_as_it_stands() -> None:
    """In docs/design.md's tree: names left of the descriptions, each beneath its folder."""
    tree = re.search(r"^## The house\n\n```\n(.*?)^```$", DESIGN.read_text(), re.M | re.S)
    assert tree
    above: list[str] = []
    drawn: set[Path] = set()
    for line in tree[1].splitlines():
        names = (line[:27] if line[26:27] == " " else line).split()
        depth = (len(line) - len(line.lstrip())) // 2
        for name in names:
            found = list(ROOT.joinpath(*above[:depth]).glob(name))
            assert found, f"docs/design.md draws {name}"
            drawn.update(found)
        above[depth:] = names[-1:]
    modules = (ROOT / "tinytensor").iterdir()
    python = {m for m in modules if m.suffix == ".py" or (m / "__init__.py").exists()}
    left_out = {m.name for m in python - drawn} - {"__init__.py"}
    assert not left_out, "docs/design.md does not draw them"


def lines_of(*files: Path) -> int:
    return sum(file.read_text().count("\n") for file in files)


def test_lines_are_counted_rightly() -> None:
    """Within a tenth: the afternoon's files and their sum, and the engine's."""
    design, readme = DESIGN.read_text(), " ".join(PAGES[0].read_text().split())
    path = re.findall(r"^\| `(\S+)` \| (\d+) \|", design, re.M)
    assert len(path) > 9
    for name, lines in path:
        assert int(lines) == pytest.approx(lines_of(ROOT / name), rel=0.1), name
    together = sum(lines_of(ROOT / name) for name, _ in path)
    engine = lines_of(*(ROOT / "tinytensor" / "engine").glob("*.py"))
    for text, pattern, counted in [
        (design, r"^\| together \| ([\d,]+) \|", together),
        (readme, r"a path of ([\d,]+) lines", together),
        (readme, r"([\d,]+) lines of plain Python", engine),
    ]:
        said = re.search(pattern, text, re.M)
        assert said, pattern
        assert int(said[1].replace(",", "")) == pytest.approx(counted, rel=0.1), said[0]


def test_files_that_ci_names_exist() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    for word in re.findall(r"(?<![\w./])(?:tinytensor|csrc|tests|examples)/[\w./*]+", text):
        assert any(ROOT.glob(word)), f".ci/run names {word}"


def test_the_readme_has_its_two_commands() -> None:
    commands = re.findall(r"^```sh\n(.*?)\n```$", PAGES[0].read_text(), re.MULTILINE)
    assert commands == [
        'pip install -e ".[examples,test]" && python examples/digits.py',
        "pytest -n auto",
    ]
