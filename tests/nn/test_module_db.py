"""PyTorch's own database of modules: its sample inputs, states, forward and gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which the database imports, and PyTorch does not bring along

from ..module_db import PAGE, entries, outcome, page  # noqa: E402
from ..op_db import AGREES, WRONG, Outcome  # noqa: E402
from ..table.module_db import DRAWING, GRADIENTS, REASONS, TOLERANCES  # noqa: E402

AGREEING = 114  # entries at least: what once agreed goes on


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {name: outcome(name, entry) for name, entry in entries().items()}


def test_none_is_wrong(outcomes: dict[str, Outcome]) -> None:
    wrong = [f"{one.name}: {one.detail}" for one in outcomes.values() if one.state in WRONG]
    assert not wrong, "\n".join(wrong)


def test_all_agree_but_those_with_a_reason(outcomes: dict[str, Outcome]) -> None:
    others = {one.name for one in outcomes.values() if one.state != AGREES}
    without = [f"{name}: {outcomes[name]}" for name in sorted(others - REASONS.keys())]
    assert not without, "\n".join(without)
    assert not REASONS.keys() - others, "these agree, or are no entries: take the reason away"
    assert len(outcomes) - len(others) >= AGREEING


def test_the_page_is_that_of_the_table(outcomes: dict[str, Outcome]) -> None:
    assert PAGE.read_text() == page(len(outcomes)), "python -m tests.module_db --write"


def test_the_table_names_entries(outcomes: dict[str, Outcome]) -> None:
    unknown = {*DRAWING, *GRADIENTS, *REASONS, *TOLERANCES} - outcomes.keys()
    assert not unknown, f"in tests/table/module_db.py, but not in the database: {sorted(unknown)}"
