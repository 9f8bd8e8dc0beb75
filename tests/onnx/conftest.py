"""For the tests of ONNX: the same weights in every run."""

from __future__ import annotations

import pytest

import tinytensor as tt


@pytest.fixture(autouse=True)
def seeded() -> None:
    tt.manual_seed(0)
