"""What ranks that train together hold: ``mpiexec -n 3 python -m tests.distributed.sharing``.

Names behind it are those of the checks that are asked. Each function ``check_…`` is asked on all
ranks, and prints its name when it held. What ranks come to is compared with what one process does
with the joined batches, which each rank works out too.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import distributed, nn, optim, train
from tinytensor.data import DataLoader, RandomWindows, TensorDataset
from tinytensor.distributed import (
    DistributedBatches,
    DistributedBatchSampler,
    DistributedDataParallel,
    DistributedSampler,
    SyncBatchNorm,
    ZeroRedundancyOptimizer,
)
from tinytensor.text import LengthBuckets

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("ASGD", {"lr": 0.1, "t0": 1.0}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adadelta", {"lr": 0.5}),
    ("Adafactor", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    ("Adamax", {"lr": 0.1}),
    ("Lion", {"lr": 0.1}),
    ("Muon", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5, "centered": True}),
    ("Rprop", {"lr": 0.1}),
    ("SparseAdam", {"lr": 0.1}),
]
SHAPES = [(5, 4), (3, 3), (4, 6), (2, 2), (6, 4), (4, 4)]
JOINED = 12  # samples of a joined batch: 2, 3 and 4 ranks divide it
SAMPLES = 45  # so that the last batch of an epoch has 9, which 2 ranks do not divide


@contextmanager
def joined_folder() -> Iterator[Path]:
    """A folder that all ranks see."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(distributed.broadcast_object(folder))
        distributed.barrier()


def same(found: Any, expected: Any) -> None:
    """The same bits in all of two trees."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), (found.keys(), expected.keys())
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for mine, other in zip(found, expected, strict=True):
            same(mine, other)
    else:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


# --- ZeRO ------------------------------------------------------------------------------------


def parameters(dtype: Any = tt.float32) -> list[nn.Parameter]:
    rng = np.random.default_rng(1)
    return [nn.Parameter(tt.tensor(rng.normal(size=shape), dtype=dtype)) for shape in SHAPES]


def groups(params: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [{"params": params[:4]}, {"params": params[4:], "lr": 0.03}]


def steps(params: list[nn.Parameter], optimizer: Any, count: int, seed: int) -> None:
    """Steps by the same gradients on all ranks; one parameter has none in the first of them."""
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    rng = np.random.default_rng(seed)
    for step in range(count):
        optimizer.zero_grad()
        for i, parameter in enumerate(params):
            grad = tt.tensor(rng.normal(size=parameter.shape), dtype=parameter.dtype)
            parameter.grad = None if i == 1 and not step else grad
        nn.utils.clip_grad_norm_(params, 2.0)
        optimizer.step()
        schedule.step()


def check_optimizers_are_those_of_one_process() -> None:
    by_itself = distributed.split(distributed.rank())
    others = [("AdamW", {"lr": 0.1}, tt.float64), ("SGD", {"lr": 0.1}, tt.float16)]
    for name, settings, dtype in [(*each, tt.float32) for each in OPTIMIZERS] + others:
        kind = getattr(optim, name)
        whole, parts = parameters(dtype), parameters(dtype)
        alone = kind(groups(whole), **settings)
        together = ZeroRedundancyOptimizer(groups(parts), kind, **settings)
        steps(whole, alone, 3, 2)
        steps(parts, together, 3, 2)
        same(parts, whole)
        assert all(p.grad is not None for p in parts), "gradients stay on all ranks"
        together.consolidate_state_dict(to=distributed.size() - 1)
        if distributed.rank() == distributed.size() - 1:
            same(together.state_dict(), alone.state_dict())
        else:
            refused("consolidate_state_dict", RuntimeError, together.state_dict)
        # Any number of ranks goes on from there: these, and each by itself.
        saved = alone.state_dict()
        again = [parameters(dtype), parameters(dtype)]
        for params, group in zip(again, (None, by_itself), strict=True):
            for parameter, value in zip(params, whole, strict=True):
                parameter.value[...] = value.value
            resumed = ZeroRedundancyOptimizer(groups(params), kind, group, **settings)
            resumed.load_state_dict(saved)
            steps(params, resumed, 2, 3)
        steps(whole, alone, 2, 3)
        for params in again:
            same(params, whole)


def check_state_is_spread_by_bytes() -> None:
    sizes = [(64, 32), (32, 32), (32, 32), (16, 16), (256,), (16, 16), (256,), (64,)]
    params = [nn.Parameter(tt.ones(*shape)) for shape in sizes]
    optimizer = ZeroRedundancyOptimizer(params[:-1], optim.Adam)
    optimizer.add_param_group({"params": params[-1:], "lr": 0.1})
    for _ in range(2):  # once without, once with a state that was loaded
        for parameter in params:
            parameter.grad = tt.ones(*parameter.shape)
        optimizer.step()
        kept = sum(
            array.nbytes
            for state in optimizer.state.values()
            for array in state.values()
            if isinstance(array, np.ndarray)
        )
        of_all = distributed.all_gather_object(kept)
        whole = 2 * sum(p.value.nbytes for p in params)
        assert sum(of_all) == whole
        fair = max(whole / distributed.size(), 2 * params[0].value.nbytes)
        assert max(of_all) <= 1.1 * fair, (of_all, whole)
        optimizer.consolidate_state_dict()
        state = optimizer.state_dict() if distributed.rank() == 0 else None
        optimizer.load_state_dict(distributed.broadcast_object(state))


def refused(words: str, kind: type[Exception], call: Any, *args: Any, **settings: Any) -> None:
    with pytest.raises(kind, match=words):
        call(*args, **settings)


def check_what_is_refused() -> None:
    params = parameters()
    refused("LBFGS", ValueError, ZeroRedundancyOptimizer, params, optim.LBFGS)
    optimizer = ZeroRedundancyOptimizer(params, optim.SGD, lr=0.1)
    refused("no rank 7", ValueError, optimizer.consolidate_state_dict, 7)
    refused("given twice", ValueError, optimizer.add_param_group, {"params": params[:1]})


def check_hooks_are_called_once() -> None:
    params = parameters()
    optimizer = ZeroRedundancyOptimizer(params, optim.SGD, lr=0.1)
    told: list[str] = []
    hooks = [
        optimizer.register_step_pre_hook(lambda *_: told.append("before")),
        optim.optimizer.register_optimizer_step_post_hook(lambda *_: told.append("after")),
    ]
    optimizer.step(lambda: told.append("closure"))
    for hook in hooks:
        hook.remove()
    assert told == ["before", "closure", "after"]


# --- Batch norm ------------------------------------------------------------------------------


def check_batch_norm_of_the_joined_batch() -> None:
    rank, size = distributed.rank(), distributed.size()
    rng = np.random.default_rng(3)
    for shape, how in [
        ((7, 3, 4, 4), {}),
        ((7, 3), {"momentum": None}),
        ((7, 3, 5), {"affine": False}),
        ((7, 3, 2, 2, 2), {"track_running_stats": False}),
        ((max(size, 2), 3, 1, 1), {}),  # one value a channel on each rank
    ]:
        for dtype, tolerance in ((tt.float64, 1e-12), (tt.float32, 2e-5), (tt.float16, 4e-3)):
            kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
            alone = kind[len(shape)](3, **how).to(dtype)
            if alone.weight is not None:
                alone.weight.value[...] = [0.5, 2, -1]
            layer = nn.SyncBatchNorm.convert_sync_batchnorm(
                nn.Sequential(kind[len(shape)](3, **how).to(dtype))
            )
            layer.load_state_dict({f"0.{k}": v for k, v in alone.state_dict().items()})
            assert type(layer[0]) is SyncBatchNorm
            for _ in range(2):
                data = tt.tensor(3 + 2 * rng.normal(size=shape), dtype=dtype)
                weights = tt.tensor(rng.normal(size=shape), dtype=dtype)
                x, own = (part.detach().requires_grad_() for part in (data, data[rank::size]))
                for part in (alone, layer):
                    part.zero_grad()
                y, mine = alone(x), layer(own)
                (y * weights).sum().backward()
                (mine * weights[rank::size]).sum().backward()
                pairs = [(mine, y[rank::size]), (own.grad, x.grad[rank::size])]
                if alone.weight is not None:
                    for name in ("weight", "bias"):
                        grad = getattr(layer[0], name).grad
                        total = distributed.all_reduce(grad.detach().astype(tt.float64))
                        pairs.append((total, getattr(alone, name).grad))
                if alone.running_mean is not None:
                    for name in ("running_mean", "running_var", "num_batches_tracked"):
                        pairs.append((getattr(layer[0], name), getattr(alone, name)))
                for pair in pairs:
                    found, expected = (np.asarray(part.detach(), np.float64) for part in pair)
                    bound = tolerance * max(1.0, np.abs(expected).max(initial=0))
                    assert np.abs(found - expected).max(initial=0) <= bound, (shape, how)
            alone.eval(), layer.eval()
            np.testing.assert_allclose(layer(own.detach()), alone(own.detach()), atol=tolerance)


def check_batch_norm_far_from_zero() -> None:
    rank, size = distributed.rank(), distributed.size()
    rng = np.random.default_rng(3)
    x = (1000 + 0.1 * rng.normal(size=(24, 3, 5))).astype(np.float32)
    grads = []
    for layer, part, dtype in (
        (nn.BatchNorm1d(3), slice(None), tt.float64),
        (SyncBatchNorm(3), slice(rank, None, size), tt.float32),
    ):
        own = tt.tensor(x[part], dtype=dtype, requires_grad=True)
        weights = tt.tensor(np.cos(np.arange(x.size)).reshape(x.shape)[part], dtype=dtype)
        (layer.to(dtype)(own) * weights).sum().backward()
        grads.append(own.grad.numpy())
    bound = 5e-5 * np.abs(grads[0]).max()
    np.testing.assert_allclose(grads[1], grads[0][rank::size], atol=bound)


def check_batch_norm_in_several_places() -> None:
    norm = nn.BatchNorm1d(3)
    inner = nn.Sequential(norm, norm)
    model = SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(inner, norm, inner))
    assert model[0][0] is model[0][1] is model[1]
    assert type(model[1]) is SyncBatchNorm
    lazy = nn.Sequential(nn.LazyBatchNorm1d())
    convert = SyncBatchNorm.convert_sync_batchnorm
    refused("LazyBatchNorm1d has no shape", ValueError, convert, lazy)


# --- Training --------------------------------------------------------------------------------


def data() -> TensorDataset:
    rng = np.random.default_rng(4)
    return TensorDataset(rng.normal(size=(SAMPLES, 3, 6, 6)), rng.integers(0, 4, SAMPLES))


def network() -> nn.Module:
    tt.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(64, 4)]
    return nn.Sequential(*layers)


def shared(model: nn.Module) -> nn.Module:
    return DistributedDataParallel(SyncBatchNorm.convert_sync_batchnorm(model))


def batches(size: int, rank: int, seed: int = 1) -> Any:
    """Joined batches, cut."""
    loader = DataLoader(data(), JOINED, shuffle=True, generator=seed)
    return DistributedBatches(loader, size, rank)


def sampled(size: int, rank: int) -> Any:
    """A sampler's share."""
    sampler = DistributedSampler(SAMPLES, size, rank, seed=5)
    return DataLoader(data(), JOINED // size, sampler=sampler, drop_last=True)


def bucketed(size: int, rank: int) -> Any:
    """Shares of batches of near lengths."""
    buckets = LengthBuckets(np.arange(SAMPLES) % 7, 10, generator=3)
    return DataLoader(data(), batch_sampler=DistributedBatchSampler(buckets, size, rank))


def trained(
    make: Any,
    alone: bool,
    epochs: int = 2,
    model: nn.Module | None = None,
    kind: Any = optim.AdamW,
    **settings: Any,
) -> tuple[train.History, nn.Module]:
    """A training of all ranks, or of each one by itself."""
    size, rank = (1, 0) if alone else (distributed.size(), distributed.rank())
    model = network() if model is None else model
    if alone:
        optimizer = kind(model.parameters(), lr=0.01)
    else:
        model = shared(model)
        made = (
            kind if kind is optim.LBFGS else partial(ZeroRedundancyOptimizer, optimizer_class=kind)
        )
        optimizer = made(model.parameters(), lr=0.01)
    given = {"max_norm": 0.5, "metrics": ["accuracy", "confusion"], "progress": False}
    val = DataLoader(data(), batch_size=7)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit: each rank trains a model of its own")
        loss = settings.pop("loss", nn.CrossEntropyLoss())
        history = train.fit(
            model, make(size, rank), optimizer, loss, epochs, val=val, **{**given, **settings}
        )
    return history, model if alone else model.module


def near(found: train.History, expected: train.History) -> None:
    """The curves of two trainings."""
    for name in ("losses", "norms"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-10, atol=1e-10
        )
    assert len(found) == len(expected)
    rows = (history.repeatable()["epochs"] for history in (found, expected))
    for row, other in zip(*rows, strict=True):
        assert row.keys() == other.keys()
        for key, value in other.items():
            np.testing.assert_allclose(row[key], value, rtol=1e-10, atol=1e-10, err_msg=key)


def check_curves_are_those_of_one_process() -> None:
    for make, settings in (
        (batches, {}),
        (sampled, {}),
        (bucketed, {}),
        (batches, {"accumulate": 3}),
        (batches, {"kind": optim.LBFGS, "epochs": 1}),
    ):
        expected, alone = trained(make, True, **settings)
        found, model = trained(make, False, **settings)
        near(found, expected)
        for history in distributed.all_gather_object(found.state_dict()):
            same(history, found.state_dict())  # clocks, too
        for name, value in alone.state_dict().items():
            np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-9, atol=1e-9)


class Stop(train.Callback):
    """Stops at a step, on the last rank alone."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, run: train.Run) -> None:
        if run.step == self.step and run.rank == run.ranks.size - 1:
            run.asked = True  # as Ctrl-C does


def check_training_goes_on_with_any_number_of_ranks() -> None:
    for make in (batches, sampled):
        expected, _ = trained(make, True)
        for before, after in ((False, False), (False, True), (True, False)):
            with joined_folder() as folder:
                # Each rank by itself has a folder of its own; that of rank 0 is the ranks'.
                own = [folder, folder / str(distributed.rank())]
                place = own[before and distributed.rank() > 0]
                first = [train.Checkpoint(place, every_steps=1), Stop(2)]
                stopped, _ = trained(make, before, callbacks=first)
                assert (len(stopped.losses), stopped.stopped) == (2, "interrupted")
                distributed.barrier()
                again = [train.Checkpoint(place, every_steps=2), Stop(0)]
                found, _ = trained(make, after, resume=folder, callbacks=again)
                near(found, expected)


def check_each_rank_keeps_its_random_numbers() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(108, 4))
        tt.manual_seed(10 + distributed.rank())  # masks of its own
        return model

    tt.manual_seed(0)
    weights = nn.Linear(108, 4).state_dict()

    def run(**settings: Any) -> list[float]:
        model = make()
        model[2].load_state_dict(weights)
        return trained(batches, False, model=model, **settings)[0].losses

    expected = run()
    with joined_folder() as folder:
        run(callbacks=[train.Checkpoint(folder), Stop(3)])
        assert run(resume=folder, callbacks=[train.Checkpoint(folder)]) == expected


def check_ranks_decide_alike() -> None:
    """By what rank 0 has seen, also where a rank would have seen another thing."""
    seen = iter([5.0, 4.0, 4.5, 4.6, 1.0] if distributed.rank() == 0 else [1.0, 2.0, 3.0, 4.0, 5.0])
    stopping = train.EarlyStopping("score", patience=2)
    model = shared(network())
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = train.fit(
            model,
            batches(distributed.size(), distributed.rank()),
            optimizer,
            nn.CrossEntropyLoss(),
            5,
            evaluate=lambda model: {"score": next(seen)},
            callbacks=[stopping, train.Schedule(plateau, monitor="score")],
            progress=False,
        )
    assert history["score"] == [5.0, 4.0, 4.5, 4.6]
    assert "4.0 for 2 epochs" in history.stopped
    assert optimizer.param_groups[0]["lr"] < 0.05


def check_an_interrupt_at_any_moment_ends_all() -> None:
    """Also one that comes while ranks ask each other whether any was interrupted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for moment in range(3):

        class Interrupts(train.Callback):
            def on_step_end(self, run: Any, moment: int = moment) -> None:
                each, calls = run.ranks.each, count()

                def interrupted(*numbers: float) -> Any:
                    found = each(*numbers)
                    if next(calls) == moment and run.step == 2:
                        os.kill(os.getpid(), signal.SIGINT)
                    return found

                if run.step == 2 and run.rank == 1:
                    run.ranks.each = interrupted

        with joined_folder() as folder:
            history, _ = trained(
                batches, False, epochs=20, callbacks=[Interrupts(), train.Checkpoint(folder)]
            )
            assert history.stopped == "interrupted"
            assert len({*distributed.all_gather_object(len(history.losses))}) == 1
            assert len(history.losses) < 6
            saved = train.read_checkpoint(folder)["history"]["losses"]
            assert np.asarray(saved).tolist() == history.losses


def check_rank_0_writes() -> None:
    with joined_folder() as folder:
        own = folder / str(distributed.rank())
        callbacks = [train.Checkpoint(own), train.CSVLog(own / "epochs.csv")]
        trained(batches, False, 1, callbacks=callbacks)
        distributed.barrier()
        names = {path.name for path in folder.iterdir()}
        assert names == {"0"}, names


def check_mistakes_are_told() -> None:
    rank, size = distributed.rank(), distributed.size()
    if size == 1:
        return

    def short(size: int, rank: int) -> Any:
        return [*batches(size, rank)][: 3 - (rank == 1)]

    refused("different numbers of batches", ValueError, trained, short, False)
    refused("different orders", ValueError, trained, lambda *_: batches(*_, seed=rank), False)
    windows = RandomWindows(np.arange(50), 4, 6, 2, generator=rank)
    refused("different orders", ValueError, trained, lambda *_: DistributedBatches(windows), False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = shared(network())
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        loader = DataLoader(data(), 9)
        train.fit(model, loader, optimizer, nn.CrossEntropyLoss(), progress=False)
        train.fit(network(), loader, optimizer, nn.CrossEntropyLoss(), progress=False)
    words = [str(w.message) for w in told if "fit:" in str(w.message)]
    own = ["fit: each rank trains a model of its own: it is no DistributedDataParallel"]
    same_batches = ["fit: all ranks train on the same batches: see distributed.DistributedSampler"]
    assert words == same_batches * (rank == 0) + own, words


class Die(train.Callback):
    """Kills the last rank within a step."""

    def on_gradients(self, run: train.Run) -> None:
        if run.step == 5 and run.rank == run.ranks.size - 1:
            os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(folder: str) -> None:
    """``train FOLDER``: go on from what is there. ``train FOLDER die``: and die in step 6."""
    fallen = [Die()] * (sys.argv[3:] == ["die"])
    callbacks = [train.Checkpoint(folder, every_steps=1), *fallen]
    history, _ = trained(batches, distributed.size() == 1, callbacks=callbacks, resume=True)
    if distributed.rank() == 0:
        print(history.to_json())


def main() -> None:
    distributed.init(timeout=60)
    tt.set_default_dtype(tt.float64)
    asked = sys.argv[1:]
    if asked[:1] == ["train"]:
        train_until_killed(asked[1])
        return
    for name, check in list(globals().items()):
        if name.startswith("check_") and (not asked or name in asked):
            check()
            distributed.barrier()
            if distributed.rank() == 0:
                print(name, flush=True)


if __name__ == "__main__":
    main()
