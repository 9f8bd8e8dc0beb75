"""A small run of the mutations of each format; `python -m tests.io.mutations` has more."""

import pytest

from .mutations import FORMATS, run


@pytest.mark.slow
@pytest.mark.no_c  # whose sanitizers want more memory than a worker is allowed
def test_mutated_files_are_told_or_loaded():
    counts, failures, _ = run(600, 7, 1, [*FORMATS])
    assert failures == []
    assert counts.total() == 600
    for name in FORMATS:
        assert counts[f"{name} told"] > 10
    assert sum(counts[f"{name} right"] for name in FORMATS) > 30
