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

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(page: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """In order, in one namespace, as somebody who reads the page would type them."""
    monkeypatch.setattr(rows, "ROWS", dict(rows.ROWS))
    text = page.read_text()
    namespace: dict[str, Any] = {"__name__": "document"}
    for block in BLOCK.finditer(text):
        lines_before = text.count("\n", 0, block.start(1))
        exec(compile("\n" * lines_before + block[1], str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(page, monkeypatch)


def test_the_op_that_is_added_holds_what_a_row_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONTRIBUTING's op, as somebody who copies it into the package would find it."""
    softsign = run(ROOT / "CONTRIBUTING.md", monkeypatch)["softsign_"]
    x = tt.tensor([[-1.5, 0.5], [2.0, -3.0]], dtype=tt.float64)
    func.check_grad(softsign, x, order=3)
    lanes = func.vmap(func.grad(lambda row: softsign(row).sum()))(x)
    np.testing.assert_allclose(lanes, 1 / (1 + np.abs(np.asarray(x))) ** 2, rtol=1e-15)
    assert softsign.batching
    with pytest.raises(tt.DtypeError, match="softsign"):
        softsign(tt.asarray([1j]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
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
