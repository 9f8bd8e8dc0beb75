"""PyTorch's own database of operations: its sample inputs, forward and gradients, asked of us."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")  # which the database imports, and PyTorch does not bring along

from ..op_db import AGREES, WRONG, Outcome, entries, outcome  # noqa: E402
from ..table.op_db import COUNTERPARTS, NAMES, REASONS, SHAPES_ALONE  # noqa: E402

AGREEING = 190  # entries at least: what once agreed goes on


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {name: outcome(entry) for name, entry in entries().items()}


def test_none_is_wrong(outcomes: dict[str, Outcome]) -> None:
    wrong = [f"{one.name}: {one.detail}" for one in outcomes.values() if one.state in WRONG]
    assert not wrong, "\n".join(wrong)


def test_most_agree(outcomes: dict[str, Outcome]) -> None:
    assert sum(one.state == AGREES for one in outcomes.values()) >= AGREEING


def test_the_table_names_entries(outcomes: dict[str, Outcome]) -> None:
    unknown = {*NAMES, *COUNTERPARTS, *REASONS, *SHAPES_ALONE} - outcomes.keys()
    assert not unknown, f"in tests/table/op_db.py, but not in the database: {sorted(unknown)}"
