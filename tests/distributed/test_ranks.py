"""Collectives and DistributedDataParallel on two and four ranks, and on one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import distributed as dist
from tinytensor import nn

from .launching import ROOT, mpiexec, script

pytestmark = pytest.mark.no_c
pytest.importorskip("mpi4py")


@pytest.mark.parametrize("ranks", [2, 4])
def test_what_every_rank_checks(ranks: int) -> None:
    done = mpiexec(ranks, "-m", "tests.distributed.checks", seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trains_as_one_process_with_the_joined_batch" in done.stdout


def test_one_rank_is_the_identity() -> None:
    assert (dist.rank(), dist.size()) == (0, 1)
    x = tt.tensor([1.0, 2.0])
    for op in ("sum", "mean", "product", "max", "min"):
        assert dist.all_reduce(x, op) is x
        assert dist.reduce(x, 0, op) is x
        assert dist.reduce_scatter(x[None], op).tolist() == [1, 2]
    assert dist.broadcast(x) is x
    assert x.tolist() == [1, 2]
    for got in (dist.all_gather(x), dist.gather(x), dist.all_to_all(x[None])):
        assert got.tolist() == [[1, 2]]
    assert dist.scatter(x[None]).tolist() == [1, 2]
    assert dist.all_gather_object("a") == dist.gather_object("a") == ["a"]
    assert dist.broadcast_object("a") == "a"
    assert dist.all_reduce(x, asynchronous=True).wait() is x
    dist.barrier()
    with pytest.raises(ValueError, match=r"there is no other rank|source 0 is this rank"):
        dist.recv(0)
    with pytest.raises(ValueError, match="target 0 is this rank itself"):
        dist.send(x, 0)


def test_data_parallel_on_one_rank_is_the_model() -> None:
    layer = nn.Linear(3, 2)
    model = dist.DistributedDataParallel(layer)
    x = tt.ones(4, 3)
    with model.no_sync(), model.join():
        model(x).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[4, 4, 4]] * 2
    assert [name for name, _ in model.named_parameters()] == ["weight", "bias"]
    with pytest.raises(TypeError, match="copy or pickle its module"):
        __import__("copy").deepcopy(model)
    for setting in ("bucket_bytes", "first_bucket_bytes"):
        with pytest.raises(ValueError, match=f"{setting} must be above 0"):
            dist.DistributedDataParallel(layer, **{setting: 0})
    with pytest.raises(TypeError, match="module is Tensor, not a Module"):
        dist.DistributedDataParallel(x)  # type: ignore[arg-type]


def test_the_package_asks_for_mpi_in_init_alone() -> None:
    body = """
import sys
import tinytensor as tt
tt.distributed.all_reduce(tt.ones(3))
assert "mpi4py" not in sys.modules
sys.modules["mpi4py"] = None  # as if it were not installed
tt.distributed.init()  # no launcher: one rank
assert (tt.distributed.rank(), tt.distributed.size()) == (0, 1)
tt.distributed.shutdown()
import os
os.environ["PMI_RANK"] = "0"
try:
    tt.distributed.init()
except ImportError as error:
    assert 'pip install "tinytensor[distributed]"' in str(error), error
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", body], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ranks_share_the_cores() -> None:
    body = """
        del os.environ["TINYTENSOR_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]
        tt.set_num_threads(4)
        dist.init()
        share = 4 // dist.size() if tt.kernels.active == "fast" else 1
        assert tt.get_num_threads() == share, tt.get_num_threads()
        dist.shutdown()
        dist.init(threads=3)
        assert tt.get_num_threads() == (3 if tt.kernels.active == "fast" else 1)
        """
    done = script(2, body)
    assert done.returncode == 0, done.stderr


def test_gradients_of_one_rank_are_left_alone(rng: np.random.Generator) -> None:
    model = dist.DistributedDataParallel(nn.Linear(3, 1))
    loss = model(tt.tensor(rng.normal(size=(2, 3)).astype(np.float32))).sum()
    first = tt.grad(loss, list(model.parameters()), create_graph=True)
    assert len(first) == 2
