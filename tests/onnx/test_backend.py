"""onnx's own cases of each operator, run by its own runner.

``not_run.toml`` names the cases that do not pass, with the reason of each: this list and the cases
are held against each other, so that none is in it that passes, and none fails that is not.
"""

from __future__ import annotations

import tomllib
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt

NOT_RUN = tomllib.loads((Path(__file__).parent / "not_run.toml").read_text())
LISTED = {name for group in NOT_RUN.values() for name in group["cases"]}
# These may also pass: by chance, or with sums in the order of other instruction sets.
BY_CHANCE = {name for group in ("random", "rounding") for name in NOT_RUN[group]["cases"]}
KINDS = ("Node", "Simple", "PyTorchConverted", "PyTorchOperator")
PARTS = 6


@cache
def cases() -> dict[str, dict[str, Any]]:
    """The cases of each kind by name; "Real" ones would be fetched from elsewhere."""
    from onnx.backend.test import BackendTest

    class Cases(BackendTest):
        @classmethod
        def assert_similar_outputs(cls, ref_outputs, outputs, rtol, atol, model_dir=None):
            assert len(outputs) == len(ref_outputs)
            for got, wanted in zip(outputs, ref_outputs, strict=True):
                if isinstance(wanted, list | tuple):  # whose items may have no axis
                    cls.assert_similar_outputs(wanted, got, rtol, atol)
                elif wanted is None:
                    assert got is None
                else:
                    assert isinstance(got, np.ndarray)
                    super().assert_similar_outputs([wanted], [got], rtol, atol)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, where the cases are made
        tests = Cases(tt.onnx.backend, __name__).test_cases
    found = {}
    for kind in KINDS:
        of_kind = vars(tests[f"OnnxBackend{kind}ModelTest"]).items()
        found[kind] = {name[5:-4]: case for name, case in of_kind if name.endswith("_cpu")}
    return found


def outcome(case: Any) -> str:
    """Nothing if a case passes, otherwise what went wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case(None)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def check(chosen: dict[str, Any]) -> None:
    found = {name: outcome(case) for name, case in chosen.items()}
    wrong = {name: text for name, text in found.items() if text and name not in LISTED}
    assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())
    passing = {name for name in LISTED - BY_CHANCE if found.get(name) == ""}
    assert not passing, f"of not_run.toml these pass: {sorted(passing)}"


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(i, marks=[pytest.mark.slow]) for i in range(1, PARTS))]
)
def test_nodes(part: int) -> None:
    nodes = cases()["Node"].items()
    chosen = {name: case for name, case in nodes if zlib.crc32(name.encode()) % PARTS == part}
    assert len(chosen) > 200
    check(chosen)


def test_the_list_names_cases_and_reasons() -> None:
    listed = [name for group in NOT_RUN.values() for name in group["cases"]]
    assert len(LISTED) == len(listed)
    assert {name for kind in cases().values() for name in kind} >= LISTED
    assert all(len(group["reason"]) > 20 for group in NOT_RUN.values())
    assert len(cases()["Node"].keys() - LISTED) >= 1870


@pytest.mark.parametrize("kind", KINDS[1:])
def test_small_models(kind: str) -> None:
    assert len(cases()[kind]) > 20
    check(cases()[kind])
