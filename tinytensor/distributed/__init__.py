"""Several processes, the *ranks*, that train together: MPI's collectives on tensors.

    mpiexec -n 2 python train.py

Each rank runs the same script on its own share of the data::

    tt.distributed.init()
    model = tt.distributed.DistributedDataParallel(model)  # averages the gradients of all ranks

It needs mpi4py and an MPI, which ``pip install "tinytensor[distributed]"`` brings. A script that no
launcher started is the only rank, and runs as it would without.
"""

from . import functional
from .batch_norm import SyncBatchNorm
from .collectives import (
    all_gather,
    all_gather_object,
    all_reduce,
    all_to_all,
    barrier,
    broadcast,
    broadcast_object,
    gather,
    gather_object,
    recv,
    reduce,
    reduce_scatter,
    reset_statistics,
    scatter,
    send,
    statistics,
)
from .data_parallel import DistributedDataParallel
from .sampler import DistributedBatches, DistributedBatchSampler, DistributedSampler
from .sharded import ZeroRedundancyOptimizer
from .world import Group, Work, abort, init, is_initialized, rank, shutdown, size, split

__all__ = [
    "DistributedBatchSampler",
    "DistributedBatches",
    "DistributedDataParallel",
    "DistributedSampler",
    "Group",
    "SyncBatchNorm",
    "Work",
    "ZeroRedundancyOptimizer",
    "abort",
    "all_gather",
    "all_gather_object",
    "all_reduce",
    "all_to_all",
    "barrier",
    "broadcast",
    "broadcast_object",
    "functional",
    "gather",
    "gather_object",
    "init",
    "is_initialized",
    "rank",
    "recv",
    "reduce",
    "reduce_scatter",
    "reset_statistics",
    "scatter",
    "send",
    "shutdown",
    "size",
    "split",
    "statistics",
]
