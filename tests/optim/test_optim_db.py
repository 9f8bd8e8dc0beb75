"""PyTorch's own database of optimizers: what it tries and refuses (``tests/optim_db.py``)."""

import pytest

pytest.importorskip("torch")

from tests import optim_db

ENTRIES = optim_db.entries()


@pytest.mark.parametrize("name", ENTRIES)
def test_the_entry_agrees(name, monkeypatch):
    monkeypatch.setattr(optim_db, "STEPS", 12)
    assert optim_db.failures(name, ENTRIES[name]) == []


def test_all_of_the_database_is_here():
    assert len(ENTRIES) == 15
