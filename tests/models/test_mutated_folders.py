"""A small run of mutated models' files; `python -m tests.models.mutated_folders` has more."""

import pytest

from .mutated_folders import run

pytest.importorskip("gguf")


@pytest.mark.slow
@pytest.mark.no_c
def test_mutated_files_are_told_or_loaded():
    counts, failures = run(120, 7)
    assert failures == []
    assert counts.total() == 120
    assert sum(count for name, count in counts.items() if name.endswith("told")) > 60
