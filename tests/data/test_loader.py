"""DataLoader: its arguments, its workers of both kinds, its draws, its errors and its states."""

from __future__ import annotations

import inspect
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import data
from tinytensor.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomAffine,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)

WAYS = [{}, {"num_workers": 1}, {"num_workers": 3, "prefetch_factor": 1}]
FORKED = {"workers": "processes", "multiprocessing_context": "fork"}  # of classes in functions
KINDS = {"threads": {"workers": "threads"}, "processes": FORKED}
PROCESSES = {"num_workers": 2, **FORKED}

pytestmark = pytest.mark.no_c


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread and no process of a loader outlives a test for long."""
    import multiprocessing

    yield
    end = time.monotonic() + 5
    while time.monotonic() < end:
        threads = [t.name for t in threading.enumerate() if t.name.startswith("DataLoader")]
        left = [*threads, *multiprocessing.active_children()]
        if not left:
            return
        time.sleep(0.01)
    raise AssertionError(f"left behind: {left}")


class Noisy(Dataset):
    """Samples that draw from the default generator, and augmented ones from their own seed."""

    def __init__(self, n: int = 11) -> None:
        self.n = n
        self.affine = RandomAffine(30, 1, generator=5)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        image = np.arange(9.0, dtype=np.float32).reshape(1, 1, 3, 3)
        return index, tt.rand(2), self.affine(image)[0]


class Stream(IterableDataset):
    """0, 1, …, with a draw of the default generator beside each."""

    def __init__(self, n: int = 11) -> None:
        self.n = n

    def __iter__(self) -> Iterator[Any]:
        for i in range(self.n):
            yield i, tt.rand(1)


class Resumable(Stream):
    """A stream that knows its place, and notes what it read."""

    def __init__(self, n: int = 11) -> None:
        super().__init__(n)
        self.place, self.read = 0, []

    def __iter__(self) -> Iterator[Any]:
        while self.place < self.n:
            self.place += 1
            self.read.append(self.place - 1)
            yield self.place - 1, tt.rand(1)
        self.place = 0

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


def plain(batch: Any) -> Any:
    if isinstance(batch, list | tuple):
        return [plain(item) for item in batch]
    return batch.tolist() if isinstance(batch, tt.Tensor | np.ndarray) else batch


def epochs(loader: DataLoader, number: int = 2) -> list[Any]:
    return [[plain(batch) for batch in loader] for _ in range(number)]


def with_noise(batch: Any) -> Any:
    return batch, tt.rand(1)


# --- The same batches, whoever loads them ----------------------------------------------------


@pytest.mark.parametrize("dataset", [Noisy(), Stream()], ids=["indexed", "iterable"])
@pytest.mark.parametrize("generator", [None, 3])
def test_batches_do_not_depend_on_the_workers(dataset, generator):
    def found(**how):
        tt.manual_seed(7)
        shuffle = None if isinstance(dataset, IterableDataset) else True
        args: Any = {"shuffle": shuffle, "generator": generator, "transform": with_noise}
        return epochs(DataLoader(dataset, 4, **args, **how))

    expected = found()
    assert expected[0] != expected[1]
    assert [len(epoch) for epoch in expected] == [3, 3]
    for how in (*WAYS, PROCESSES, {"num_workers": 2, "persistent_workers": True}):
        assert found(**how) == expected, how
    assert found(**PROCESSES, persistent_workers=True) == expected


def test_another_seed_is_another_run():
    def found(seed):
        return epochs(DataLoader(Noisy(), 4, shuffle=True, generator=seed), 1)

    assert found(0) == found(0) != found(1)


class Globals(Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return random.random(), float(np.random.rand())  # noqa: NPY002


def test_processes_seed_the_generators_of_python_and_numpy():
    def found(number):
        loader = DataLoader(Globals(), 2, num_workers=number, **FORKED, generator=0)
        return epochs(loader)

    one = found(1)
    assert one == found(2)
    assert one[0] != one[1]
    assert len({value for batch in one[0] for field in batch for value in field}) == 12


def test_processes_that_are_spawned():
    loader = DataLoader(
        Noisy(), 4, generator=1, num_workers=1, multiprocessing_context="spawn", shuffle=True
    )
    assert loader.workers == "processes"
    assert epochs(loader, 1) == epochs(DataLoader(Noisy(), 4, generator=1, shuffle=True), 1)
    local = DataLoader([lambda: 0], num_workers=1, multiprocessing_context="spawn")
    with pytest.raises(Exception, match="lambda") as caught:
        next(iter(local))
    assert "use what a module defines" in caught.value.__notes__[-1]  # behind Python's own


def test_processes_are_forked_unless_somebody_chose_otherwise():
    of_lambdas = DataLoader([lambda: 1], num_workers=1, workers="processes", collate_fn=len)
    if sys.platform == "linux":
        assert list(of_lambdas) == [1]
    multiprocessing.set_start_method("spawn", force=True)
    try:
        with pytest.raises(Exception, match="lambda"):
            list(of_lambdas)
    finally:
        multiprocessing.set_start_method(None, force=True)


def test_draws_of_the_user_go_on_beside_a_loader():
    """A loader takes one draw of the default generator, for the key of its epoch."""

    def draws(number):
        tt.manual_seed(1)
        found = []
        for _ in DataLoader(Noisy(), 4, num_workers=number):
            found.append(tt.rand(1).item())
        return found

    assert draws(0) == draws(2)


def test_workers_overlap():
    """Each of three batches waits for the two others, which one worker could not do."""
    meeting = threading.Barrier(3, timeout=30)

    def sample(index):
        meeting.wait()
        return index

    class Meeting(Dataset):
        def __len__(self) -> int:
            return 3

        __getitem__ = staticmethod(sample)

    loader = DataLoader(Meeting(), num_workers=3)
    assert [batch.tolist() for batch in loader] == [[0], [1], [2]]


def test_batches_out_of_order():
    first = threading.Event()

    class Slow(Dataset):
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> int:
            if index == 0:
                first.wait(30)
            return index

    loader = DataLoader(Slow(), num_workers=2, in_order=False)
    found = []
    for batch in loader:
        found.append(batch.item())
        first.set()
        with pytest.raises(RuntimeError, match="without in_order"):
            loader.state_dict()
    assert found == [1, 0]


# --- Workers ---------------------------------------------------------------------------------


class Who(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        assert info.dataset is self
        assert info.num_workers == 2
        return info.id, info.seed - info.id, os.getpid()


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_workers_know_who_they_are(kind):
    assert get_worker_info() is None
    loader = DataLoader(Who(), num_workers=2, **KINDS[kind])
    ids, seeds, processes = zip(*[plain(batch) for batch in loader], strict=True)
    assert {i for (i,) in ids} <= {0, 1}
    assert len({seed for (seed,) in seeds}) == 1
    assert ({os.getpid()} == {p for (p,) in processes}) == (kind == "threads")
    assert get_worker_info() is None


def test_a_stream_is_read_by_one_worker():
    class Sharded(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            info = get_worker_info()
            assert info is not None
            return iter(range(info.id, 10, info.num_workers))

    loader = DataLoader(Sharded(), 4, num_workers=3)
    assert [batch.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


class Begun(Dataset):
    """Which workers have begun, where a sample is loaded."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return len(self.begun)


def begin(number: int) -> None:
    get_worker_info().dataset.begun.append(number)  # type: ignore[union-attr]


def fail(number: int) -> None:
    raise KeyError("cannot begin")


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_worker_init_fn(kind):
    loader = DataLoader(Begun(), num_workers=1, **KINDS[kind], worker_init_fn=begin)
    assert [batch.item() for batch in loader] == [1, 1]
    broken = DataLoader([1, 2], num_workers=2, **KINDS[kind], worker_init_fn=fail)
    with pytest.raises(KeyError, match="cannot begin") as caught:
        list(broken)
    assert "at the start of" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_workers_that_persist(kind):
    def workers(persistent):
        loader = DataLoader(
            Who(), num_workers=2, **KINDS[kind], persistent_workers=persistent, batch_size=2
        )
        for _ in loader:
            break
        next(iter(loader))
        return [plain(batch)[1][0] for _ in range(3) for batch in loader]

    assert len(set(workers(True))) == 1
    assert len(set(workers(False))) == 3


def test_two_iterations_of_one_loader_at_once():
    for persistent in (False, True):
        loader = DataLoader(range(4), num_workers=2, persistent_workers=persistent)
        pairs = [(a.item(), b.item()) for a, b in zip(loader, loader, strict=True)]
        assert pairs == [(i, i) for i in range(4)]
        assert [x.item() for x in loader] == [0, 1, 2, 3]


def test_a_loop_that_is_left_early_stops_its_workers():
    loaded = []

    class Counted(Dataset):
        def __len__(self) -> int:
            return 10_000

        def __getitem__(self, index: int) -> int:
            loaded.append(index)
            return index

    for _ in DataLoader(Counted(), num_workers=2, prefetch_factor=3):
        break
    assert len(loaded) <= 7
    for _ in DataLoader(Counted(), **PROCESSES):
        break


# --- Errors ----------------------------------------------------------------------------------


class Broken(Dataset):
    def __len__(self) -> int:
        return 9

    def __getitem__(self, index: int) -> int:
        if index == 5:
            raise OSError(f"no file {index}")
        return index


class Odd(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


@pytest.mark.parametrize("how", [{}, {"num_workers": 2}, PROCESSES], ids=str)
def test_an_error_arrives_with_its_sample_and_traceback(how):
    batches = iter(DataLoader(Broken(), 2, **how))
    assert [next(batches).tolist(), next(batches).tolist()] == [[0, 1], [2, 3]]
    with pytest.raises(OSError, match="no file 5") as caught:
        next(batches)
    notes = "\n".join(caught.value.__notes__)
    assert "in sample 5 of a Broken" in notes
    assert "in batch 2, samples 4, 5" in notes
    if how:
        assert "worker" in notes
    frames = notes if how is PROCESSES else str(caught.getrepr())
    assert "no file {index}" in frames


class Oddity(Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise Odd(1, 2)


def test_errors_and_batches_that_cannot_be_sent():
    with pytest.raises(RuntimeError, match="an Odd: 1 and 2") as caught:
        list(DataLoader(Oddity(), **PROCESSES))
    assert any("raise Odd(1, 2)" in note for note in caught.value.__notes__)
    with pytest.raises(Exception, match="lambda"):
        list(DataLoader([1], **PROCESSES, collate=lambda samples: lambda: 0))


def test_errors_of_a_stream_and_of_a_transform():
    class Breaking(IterableDataset):
        def __iter__(self) -> Iterator[int]:
            yield 1
            raise ValueError("the line is broken")

    for how in WAYS:
        with pytest.raises(ValueError, match="the line is broken") as caught:
            list(DataLoader(Breaking(), **how))
        assert "in batch 1" in caught.value.__notes__[0]
        with pytest.raises(ZeroDivisionError) as caught_:
            list(DataLoader([1], transform=lambda batch: 1 // 0, **how))
        assert "in batch 0, samples 0" in caught_.value.__notes__[0]


class Deadly(Dataset):
    def __init__(self, how: str) -> None:
        self.how = how

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        if index == 2:
            if self.how == "exit":
                os._exit(3)
            os.kill(os.getpid(), signal.SIGKILL)
        return index


@pytest.mark.parametrize(("how", "what"), [("exit", "exited with code 3"), ("kill", "SIGKILL")])
def test_a_process_that_dies_is_an_error(how, what):
    with pytest.raises(RuntimeError, match=rf"process worker 0 \(process \d+\) died: it .*{what}"):
        list(DataLoader(Deadly(how), num_workers=1, **FORKED))


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_timeout(kind):
    class Hanging(Dataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> int:
            stop.wait(30)
            return index

    stop = threading.Event()
    batches = iter(DataLoader(Hanging(), num_workers=1, **KINDS[kind], timeout=0.05))
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(RuntimeError, match=r"no batch came within its timeout of 0\.05 s"):
        next(batches)


INTERRUPTED = """
import os, signal, sys, threading, time
from tinytensor.data import DataLoader, Dataset

class Slow(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        if index:
            time.sleep(60)
        return index

if __name__ == "__main__":
    threading.Timer(0.5, os.killpg, (0, signal.SIGINT)).start()  # as a terminal sends it
    try:
        for batch in DataLoader(Slow(), num_workers=2, workers=sys.argv[1]):
            print("first", flush=True)
    except KeyboardInterrupt:
        import multiprocessing
        print("interrupted", multiprocessing.active_children())
"""


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_ends_a_loader(kind, tmp_path):
    (tmp_path / "program.py").write_text(INTERRUPTED)
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "program.py", kind],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=45,  # of 60 s that a worker would sleep
    )
    assert done.stdout == "first\ninterrupted []\n", done.stderr


KILLED = """
import os, sys
from tinytensor.data import DataLoader, Dataset

class Pids(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        return os.getpid()

found = set()
for batch in DataLoader(Pids(), num_workers=2, workers="processes", prefetch_factor=4):
    found.add(batch.item())
    if len(found) == 2:
        print(*found, flush=True)
        os.kill(os.getpid(), 9)
"""


def test_processes_do_not_outlive_a_parent_that_is_killed():
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
    )
    processes = [int(pid) for pid in done.stdout.split()]
    assert processes, done.stderr
    end = time.monotonic() + 30
    while any(map(alive, processes)):
        assert time.monotonic() < end, f"{processes} live on"
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether a process is there, and not just waiting for its parent to ask how it ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# --- States ----------------------------------------------------------------------------------


def saved(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """As it comes back from a file."""
    tt.save(path / "state", {"loader": state})
    return tt.load(path / "state")["loader"]


def weighted() -> WeightedRandomSampler:
    return WeightedRandomSampler(np.arange(1, 12), 11, generator=4)


LOADERS = {
    "in order": lambda **how: DataLoader(Noisy(), 3, **how),
    "shuffled": lambda **how: DataLoader(Noisy(), 3, shuffle=True, **how),
    "of a seed": lambda **how: DataLoader(Noisy(), 3, shuffle=True, generator=2, **how),
    "sampler": lambda **how: DataLoader(Noisy(), 3, sampler=weighted(), **how),
    "batch_sampler": lambda **how: DataLoader(
        Noisy(), batch_sampler=BatchSampler(weighted(), 3), **how
    ),
    "samples": lambda **how: DataLoader(Noisy(5), None, shuffle=True, **how),
    "stream": lambda **how: DataLoader(Stream(), 3, **how),
    "stream with a place": lambda **how: DataLoader(Resumable(), 3, **how),
}


@pytest.mark.parametrize("how", [*WAYS, {"num_workers": 2, "persistent_workers": True}], ids=str)
@pytest.mark.parametrize("name", LOADERS)
def test_a_state_goes_on_in_the_middle_of_an_epoch(name, how, tmp_path):
    tt.manual_seed(1)
    whole = LOADERS[name]()
    first, second, third = epochs(whole, 3)
    for at in range(len(first) + 1):
        tt.manual_seed(1)
        loader, found = LOADERS[name](**how), []
        assert plain(next(iter(loader))) == first[0]  # an iteration that was left
        tt.manual_seed(1)
        loader = LOADERS[name](**how)
        state, default = loader.state_dict(), tt.get_rng_state()
        for batch in loader:
            if len(found) == at:
                break
            found.append(plain(batch))
            state, default = loader.state_dict(), tt.get_rng_state()
        state = saved(state, tmp_path)
        tt.manual_seed(99)
        other = LOADERS[name](**how)
        other.load_state_dict(state)
        tt.set_rng_state(default)
        assert other.state_dict() == state
        rest, *following = epochs(other, 3)
        assert found + rest == first, at
        assert following == [second, third]


@pytest.mark.parametrize("name", LOADERS)
def test_a_state_between_epochs_begins_the_next(name, tmp_path):
    tt.manual_seed(1)
    loader = LOADERS[name](num_workers=1)
    epochs(loader, 1)
    state, default = saved(loader.state_dict(), tmp_path), tt.get_rng_state()
    expected = epochs(loader)
    other = LOADERS[name](num_workers=2)
    other.load_state_dict(state)
    tt.set_rng_state(default)
    assert epochs(other) == expected


def test_a_stream_with_a_place_is_not_read_again():
    loader = DataLoader(Resumable(), 3, num_workers=1)
    for _, _batch in zip(range(2), loader, strict=False):
        state = loader.state_dict()
    dataset = Resumable()
    other = DataLoader(dataset, 3)
    other.load_state_dict(state)
    assert [batch[0].tolist() for batch in other] == [[6, 7, 8], [9, 10]]
    assert dataset.read == [6, 7, 8, 9, 10]


def test_states_of_other_loaders_are_refused():
    state = DataLoader(range(4), 2).state_dict()
    for loader, message in (
        (DataLoader(range(4), 3), "batches of 2, but batch_size is 3"),
        (DataLoader(range(8), 2), "of 2 batches, and here are 4"),
        (DataLoader(range(4), 2, generator=0), "generator was given here or there"),
        (DataLoader(range(4), 2, sampler=RandomSampler(range(4), generator=0)), "other draws"),
    ):
        with pytest.raises(ValueError, match=message):
            loader.load_state_dict(state)
    for wrong in ({}, {"batch_size": 2}, [], None, {**state, "epoch": 3}):
        with pytest.raises(ValueError, match="no state of a loader"):
            DataLoader(range(4), 2).load_state_dict(wrong)  # type: ignore[arg-type]
    seeded = DataLoader(range(4), 2, generator=0)
    for own in ({}, 3, {**seeded.state_dict()["generator"], "state": 1}):
        with pytest.raises(ValueError, match="the state is none of a generator Philox"):
            seeded.load_state_dict({**seeded.state_dict(), "generator": own})


# --- Arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_workers": -1}, "num_workers must be at least 0"),
        ({"prefetch_factor": 2}, "prefetch_factor is for workers"),
        ({"persistent_workers": True}, "persistent_workers is for workers"),
        ({"timeout": 1}, "timeout is for workers"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context is for workers"),
        ({"num_workers": 1, "timeout": -1}, "timeout must be at least 0"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor must be at least 1"),
        ({"workers": "gnomes"}, "workers must be 'threads' or 'processes', not 'gnomes'"),
        (
            {"num_workers": 1, "workers": "threads", "multiprocessing_context": "fork"},
            "threads have no",
        ),
        ({"sampler": [0], "shuffle": True}, "sampler and shuffle exclude"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler excludes"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler excludes"),
        ({"batch_size": None, "drop_last": True}, "drop_last is for batches"),
    ],
    ids=str,
)
def test_arguments_that_exclude_one_another(arguments, message):
    with pytest.raises(ValueError, match=f"DataLoader: .*{message}"):
        DataLoader(range(3), **arguments)


def test_arguments_of_other_types():
    for name in ("collate", "collate_fn", "transform", "worker_init_fn"):
        with pytest.raises(TypeError, match="is a str, not a function"):
            DataLoader([1], **{name: "f"})
    with pytest.raises(TypeError, match="sampler is an int, which is no iterable"):
        DataLoader([1], sampler=3)  # type: ignore[arg-type]
    for given in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ValueError, match="an IterableDataset has its own order"):
            DataLoader(Stream(), **given)
    with pytest.warns(UserWarning, match="pin_memory has no effect"):
        DataLoader([1], pin_memory=True)


def test_samplers_of_any_kind():
    letters = "abcdef"
    assert list(DataLoader(letters, 2, sampler=[4, 0, 2])) == [["e", "a"], ["c"]]
    assert list(DataLoader(letters, batch_sampler=[[1], (2, 3)])) == [["b"], ["c", "d"]]
    assert len(DataLoader(letters, 2, sampler=[4, 0, 2], drop_last=True)) == 1
    loader = DataLoader(letters, 2, sampler=SubsetRandomSampler([1, 3], generator=0))
    assert sorted(next(iter(loader))) == ["b", "d"]
    assert isinstance(loader.batch_sampler, BatchSampler)
    table = np.eye(4)
    found = DataLoader(table, None, sampler=BatchSampler(range(4), 2))  # indexed by lists
    assert [x.shape for x in found] == [(2, 4), (2, 4)]
    with pytest.raises(TypeError):
        len(DataLoader(letters, sampler=iter([1])))


def test_samples_without_batches():
    dataset = [{"x": np.ones(2), "name": "a"}, {"x": np.zeros(2), "name": "b"}]
    first, second = DataLoader(dataset, batch_size=None)
    assert first["name"] == "a"
    assert isinstance(first["x"], tt.Tensor)
    assert second["x"].tolist() == [0, 0]
    assert list(DataLoader([1, 2], None, collate=lambda sample: -sample)) == [-1, -2]
    assert [plain(x)[0] for x in DataLoader(Stream(3), None)] == [0, 1, 2]
    assert [plain(x)[0] for x in DataLoader(Stream(3), None, collate_fn=list)] == [0, 1, 2]


class Fetched(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        raise AssertionError

    def __getitems__(self, indices: list[int]) -> list[int]:
        return [10 * i for i in indices]


def test_samples_that_a_dataset_fetches_together():
    assert [x.tolist() for x in DataLoader(Fetched(), 2)] == [[0, 10], [20, 30]]
    assert list(DataLoader(Fetched(), 2, collate=tuple)) == [(0, 10), (20, 30)]


def test_lengths_of_streams():
    class Known(Stream):
        def __len__(self) -> int:
            return self.n

    assert len(DataLoader(Known(11), 3)) == 4
    assert len(DataLoader(Known(11), 3, drop_last=True)) == 3
    assert len(list(DataLoader(Known(11), 3, drop_last=True, num_workers=2))) == 3
    with pytest.raises(TypeError):
        len(DataLoader(Stream(), 3))


def test_fields_of_every_kind_come_from_processes():
    samples = [
        {
            "x": np.full((3, 4), i, np.float32),
            "empty": np.zeros((0, 2)),
            "name": f"s{i}",
            "none": None,
            "transposed": np.arange(6).reshape(2, 3).T,
        }
        for i in range(4)
    ]
    for one, other in zip(DataLoader(samples, 2), DataLoader(samples, 2, **PROCESSES), strict=True):
        assert {k: plain(v) for k, v in one.items()} == {k: plain(v) for k, v in other.items()}
        assert other["x"].dtype == np.float32
        other["x"] += 1  # memory of its own


def test_a_loader_takes_what_pytorchs_takes(torch):
    theirs = inspect.signature(torch.utils.data.DataLoader).parameters
    ours = inspect.signature(DataLoader).parameters
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    by_place = [name for name, parameter in theirs.items() if parameter.kind is positional]
    assert [*ours][: len(by_place)] == by_place
    assert theirs.keys() <= ours.keys()
    for name in ("batch_size", "num_workers", "drop_last", "timeout", "in_order"):
        assert ours[name].default == theirs[name].default


def test_names_of_pytorch_in_a_loader():
    loader = DataLoader(TensorDataset(np.arange(4)), 2, False, None, None, 0, None)
    assert loader.collate_fn is None
    assert data.default_collate is data.collate
    assert tt.utils.data.DataLoader is DataLoader
