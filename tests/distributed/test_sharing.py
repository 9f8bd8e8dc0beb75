"""ZeRO-1, SyncBatchNorm and training on two and three ranks; two examples on two."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest

from tinytensor.train import read_checkpoint

from . import sharing
from .launching import ROOT, mpiexec

pytestmark = pytest.mark.no_c
pytest.importorskip("mpi4py")


# On three ranks, what depends on their number.
OF_THREE = [
    "check_optimizers_are_those_of_one_process",
    "check_state_is_spread_by_bytes",
    "check_batch_norm_of_the_joined_batch",
    "check_training_goes_on_with_any_number_of_ranks",
]


@pytest.mark.parametrize(("ranks", "asked"), [(2, []), (3, OF_THREE)])
def test_what_ranks_hold(ranks: int, asked: list[str]) -> None:
    done = mpiexec(ranks, "-m", "tests.distributed.sharing", *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    every = [name for name in vars(sharing) if name.startswith("check_")]
    assert done.stdout.split() == (asked or every)


def test_a_killed_run_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    def run(ranks: int, folder: str, *how: str) -> Any:
        settings = ["tests.distributed.sharing", "train", str(tmp_path / folder), *how]
        return mpiexec(ranks, "-m", *settings)

    whole, killed = run(1, "whole"), run(2, "killed", "die")
    assert killed.returncode != 0
    assert len(read_checkpoint(tmp_path / "killed")["history"]["losses"]) == 5
    rest = run(3, "killed")
    losses = [json.loads(done.stdout)["losses"] for done in (whole, rest)]
    assert len(losses[0]) == 8
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-10)


def test_the_table_has_all_optimizers() -> None:
    from tinytensor import optim

    kinds = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)}
    assert {name for name, _ in sharing.OPTIMIZERS} == kinds - {"Optimizer", "LBFGS"}


@pytest.mark.parametrize("example", ["cifar", "code_gpt"])
def test_examples_have_the_curve_of_one_process(example: str, tmp_path: Path) -> None:
    if example == "cifar":
        sys.path.insert(0, str(ROOT / "examples"))
        try:
            run_path(str(ROOT / "examples" / "cifar.py"))["write_stripes"](tmp_path, 8)
        finally:
            sys.path.pop(0)
        how = [str(tmp_path), "--epochs", "2", "--batch", "16", "--workers", "0"]
        saved = "history.json"
    else:
        how = ["--quick", "--text", str(ROOT / "docs" / "design.md")]
        saved = "code_gpt.json"
    losses = []
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        settings = [*how, "--dtype", "float64", "--threads", "1", "--out", str(out)]
        done = mpiexec(ranks, f"examples/{example}.py", *settings)
        assert done.returncode == 0, done.stdout + done.stderr
        losses.append(json.loads((out / saved).read_text())["losses"])
    assert len(losses[0]) >= 4
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-10)
