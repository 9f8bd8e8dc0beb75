"""Trainings that end early and go on: to the same bits, from files that are whole or refused."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tests.train import killing
from tinytensor import nn
from tinytensor.data import DataLoader, IterableDataset, TensorDataset
from tinytensor.optim import lr_scheduler
from tinytensor.train import (
    Average,
    Callback,
    Checkpoint,
    EarlyStopping,
    History,
    Schedule,
    fit,
    read_checkpoint,
)
from tinytensor.train.checkpoints import random_sources, random_states, set_random_states

pytestmark = pytest.mark.no_c


class Died(Exception):
    """In the place of a kill."""


class DieAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_gradients(self, run: Any) -> None:
        if run.step == self.step:
            raise Died


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """The weights and the history of the run that nobody stopped."""
    model, history = killing.train(tmp_path_factory.mktemp("whole"))
    assert len(history) == killing.EPOCHS
    return killing.crc(model), history.repeatable()


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    counts = killing.killed(4, seed=1, folder=tmp_path)
    assert counts["kills"] >= 4
    assert counts["checkpoints"] > counts["runs"]


@pytest.mark.parametrize("step", [1, 4, 5, 13])
def test_a_run_that_died_goes_on_to_the_same_bits(
    tmp_path: Path, whole: tuple[int, dict[str, Any]], step: int
) -> None:
    """Within an epoch and between two (each is of five steps), after the data have been drawn."""
    with pytest.raises(Died):
        killing.train(tmp_path, callbacks=[DieAt(step)])
    assert read_checkpoint(tmp_path)["place"]["step"] == step
    model, history = killing.train(tmp_path)
    assert (killing.crc(model), history.repeatable()) == whole


def test_a_run_that_died_twice(tmp_path: Path, whole: tuple[int, dict[str, Any]]) -> None:
    for step in (3, 8):
        with pytest.raises(Died):
            killing.train(tmp_path, callbacks=[DieAt(step)])
    model, history = killing.train(tmp_path)
    assert (killing.crc(model), history.repeatable()) == whole


def test_more_epochs_of_a_run_that_is_done(
    tmp_path: Path, whole: tuple[int, dict[str, Any]]
) -> None:
    killing.train(tmp_path, epochs=2)
    model, history = killing.train(tmp_path)
    assert (killing.crc(model), history.repeatable()) == whole
    again, same = killing.train(tmp_path)  # nothing is left to do
    assert (killing.crc(again), same.repeatable()) == whole


# --- Ctrl-C ----------------------------------------------------------------------------------


class Interrupt(Callback):
    """Ctrl-C, while the optimizer makes a step."""

    def __init__(self, step: int, event: str = "on_gradients") -> None:
        def press(run: Any) -> None:
            if run.step == step:
                os.kill(os.getpid(), signal.SIGINT)

        setattr(self, event, press)


def test_ctrl_c_ends_between_two_steps(tmp_path: Path, whole: tuple[int, dict[str, Any]]) -> None:
    model, history = killing.train(tmp_path, callbacks=[Interrupt(7)])
    assert history.stopped == "interrupted"
    assert len(history.losses) == 8  # the step that ran was finished
    assert len(history) == 1
    assert model.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model, history = killing.train(tmp_path)
    assert history.stopped == ""
    assert (killing.crc(model), history.repeatable()) == whole


class Slow:
    """Batches of a validation; Ctrl-C comes before the second."""

    pressed = False

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        for i, batch in enumerate(self.batches):
            tt.random.rand(3)  # what the validation draws is to be drawn once
            if i == 1 and not Slow.pressed:
                Slow.pressed = True
                os.kill(os.getpid(), signal.SIGINT)
            yield batch


def small(folder: Path, val: Any = None, **settings: Any) -> tuple[nn.Module, History]:
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
    batches = [(tt.tensor(part), tt.tensor(part.sum(1, keepdims=True))) for part in x]
    make = settings.pop("make", lambda params: tt.optim.SGD(params, lr=0.01, momentum=0.9))
    optimizer = make(model.parameters())
    callbacks = settings.pop("callbacks", lambda optimizer: [])(optimizer)
    saving = Checkpoint(folder, every_steps=settings.pop("every_steps", 1))
    callbacks.insert(0 if settings.pop("behind", False) else len(callbacks), saving)
    history = fit(
        model,
        settings.pop("loader", lambda batches: batches)(batches),
        optimizer,
        nn.MSELoss(),
        3,
        val=val(batches) if val else None,
        callbacks=callbacks,
        resume=True,
        progress=False,
        **settings,
    )
    return model, history


def test_ctrl_c_within_a_validation(tmp_path: Path) -> None:
    """The epoch's training is kept, and its validation begins anew."""
    Slow.pressed = False
    _, history = small(tmp_path / "a", Slow)
    assert (history.stopped, len(history.losses), len(history)) == ("interrupted", 6, 0)
    resumed, history = small(tmp_path / "a", Slow)
    model, expected = small(tmp_path / "b", Slow)
    assert history.repeatable() == expected.repeatable()
    assert killing.crc(resumed) == killing.crc(model)


def test_a_second_ctrl_c_raises_at_once(tmp_path: Path) -> None:
    """And nothing is saved of a step that is half done."""
    twice = [Interrupt(2), Interrupt(2)]
    with pytest.raises(KeyboardInterrupt):
        small(tmp_path, callbacks=lambda optimizer: twice)
    assert read_checkpoint(tmp_path)["place"]["step"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_handlers_are_left_alone(tmp_path: Path) -> None:
    found: list[History] = []
    thread = threading.Thread(target=lambda: found.append(small(tmp_path / "a")[1]))
    thread.start()
    thread.join()
    assert len(found[0]) == 3
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        small(tmp_path / "b", callbacks=lambda optimizer: [Interrupt(2)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


# --- Every kind of part ----------------------------------------------------------------------


class Shuffled:
    """A loader that knows no place, and draws as it goes."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.generator = np.random.default_rng(5)

    def __iter__(self) -> Iterator[Any]:
        for i in self.generator.permutation(len(self.batches)):
            x, y = self.batches[i]
            noise = np.float32(1e-2) * self.generator.normal(size=x.shape).astype(np.float32)
            yield x + noise, y


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda o: Schedule(lr_scheduler.StepLR(o, 4, gamma=0.3)),
    "LinearLR, by epochs": lambda o: Schedule(
        lr_scheduler.LinearLR(o, 0.3, total_iters=3), "epoch"
    ),
    "LambdaLR": lambda o: Schedule(lr_scheduler.LambdaLR(o, lambda i: 1 / (1 + i))),
    "ConstantLR": lambda o: Schedule(lr_scheduler.ConstantLR(o, 0.2, total_iters=8)),
    "MultiStepLR": lambda o: Schedule(lr_scheduler.MultiStepLR(o, [3, 8, 11], gamma=0.3)),
    "MultiplicativeLR": lambda o: Schedule(lr_scheduler.MultiplicativeLR(o, lambda i: 0.93)),
    "ExponentialLR": lambda o: Schedule(lr_scheduler.ExponentialLR(o, 0.91)),
    "PolynomialLR": lambda o: Schedule(lr_scheduler.PolynomialLR(o, 17, power=1.7)),
    "CosineAnnealingWarmRestarts": lambda o: Schedule(
        lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, eta_min=1e-4)
    ),
    "CyclicLR": lambda o: Schedule(lr_scheduler.CyclicLR(o, 1e-3, 1e-2, 4, mode="triangular2")),
    "OneCycleLR": lambda o: Schedule(lr_scheduler.OneCycleLR(o, 1e-2, 18)),
    "ReduceLROnPlateau": lambda o: Schedule(
        lr_scheduler.ReduceLROnPlateau(o, "max", factor=0.3, patience=0)
    ),
    "ChainedScheduler": lambda o: Schedule(
        lr_scheduler.ChainedScheduler(
            [lr_scheduler.LinearLR(o, 0.1, total_iters=7), lr_scheduler.ExponentialLR(o, 0.91)]
        )
    ),
    "SequentialLR": lambda o: Schedule(
        lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 13)],
            [5],
        )
    ),
}


def check_resume(folder: Path, steps: tuple[int, ...] = (6, 9), **settings: Any) -> None:
    callbacks = settings.pop("callbacks", lambda optimizer: [])
    settings["every_steps"] = 3
    expected_model, expected = small(folder / "whole", callbacks=callbacks, **settings)
    for step in steps:
        place = folder / str(step)
        with pytest.raises(Died):
            small(place, callbacks=lambda o, s=step: [*callbacks(o), DieAt(s)], **settings)
        model, history = small(place, callbacks=callbacks, **settings)
        assert history.repeatable() == expected.repeatable()
        assert killing.crc(model) == killing.crc(expected_model)


def test_every_schedule_is_tried() -> None:
    kinds = {"LRScheduler", "LinearLR", "CosineAnnealingLR"}  # the last two within others
    assert set(lr_scheduler.__all__) <= {*SCHEDULES, *kinds}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_go_on(tmp_path: Path, schedule: str) -> None:
    check_resume(tmp_path, callbacks=lambda o: [SCHEDULES[schedule](o)])


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda params: tt.optim.SGD(params, lr=0.01, momentum=0.9, nesterov=True),
    "Adam": lambda params: tt.optim.Adam(params, lr=0.01, amsgrad=True),
}
KINDS = [getattr(tt.optim, name) for name in tt.optim.__all__]
OPTIMIZERS |= {
    kind.__name__: lambda params, kind=kind: kind(params, lr=1e-3)
    for kind in KINDS
    if isinstance(kind, type) and kind is not tt.optim.Optimizer and kind.__name__ not in OPTIMIZERS
}
OPTIMIZERS["Muon"] = lambda params: tt.optim.Muon([p for p in params if p.ndim == 2])
OPTIMIZERS["LBFGS"] = lambda params: tt.optim.LBFGS(params, lr=0.1, max_iter=3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_go_on(tmp_path: Path, optimizer: str) -> None:
    check_resume(tmp_path, make=OPTIMIZERS[optimizer])


def threads(batches: list[Any]) -> DataLoader:
    """A loader that loads ahead, and shuffles and adds noise by the default generator."""
    x, y = (np.concatenate([batch[i].numpy() for batch in batches]) for i in range(2))

    def noise(x: np.ndarray) -> np.ndarray:
        return x + np.float32(0.01) * tt.random.randn(x.shape, np.float32)

    data = TensorDataset(x, y, transform=noise)
    return DataLoader(data, batch_size=4, shuffle=True, num_workers=2)


class Stream(IterableDataset):
    """Samples one after the other, with noise, from a source without a length."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        for x, y in self.batches:
            for sample, target in zip(x.numpy(), y.numpy(), strict=True):
                yield sample + np.float32(0.01) * tt.random.randn(sample.shape, np.float32), target


def stream(batches: list[Any]) -> DataLoader:
    return DataLoader(Stream(batches), batch_size=4)


@pytest.mark.parametrize("loader", [list, Shuffled, threads, stream])
def test_loaders_go_on(tmp_path: Path, loader: Callable[[Any], Any]) -> None:
    check_resume(tmp_path, loader=loader)


class Rare(Callback):
    """Draws from a generator of its own, and remembers what it drew."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(8)
        self.sum = 0.0

    def on_step_end(self, run: Any) -> None:
        self.sum += float(self.generator.normal())
        for parameter in run.parameters:
            parameter.value += np.float32(1e-3 * self.sum)

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self.sum}

    def load_state_dict(self, state: Any) -> None:
        self.sum = state["sum"]


def test_callbacks_go_on(tmp_path: Path) -> None:
    """Also where they stand behind the one that saves."""
    for behind in (False, True):
        place = tmp_path / str(behind)
        check_resume(place, callbacks=lambda optimizer: [Rare()], behind=behind)


class Carried:
    """A forward pass that hands something on to the next batch, as a recurrent network may."""

    def __init__(self) -> None:
        self.state: Any = None

    def __call__(self, model: nn.Module, batch: Any) -> tuple[Any, Any]:
        x, y = batch
        out = model(x) if self.state is None else model(x) + 0.5 * self.state
        self.state = out.detach()
        return out, y

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state}

    def load_state_dict(self, state: Any) -> None:
        self.state = state["state"]


def test_what_the_forward_pass_hands_on_goes_on(tmp_path: Path) -> None:
    model, history = small(tmp_path / "whole", forward=Carried())
    with pytest.raises(Died):
        small(tmp_path / "cut", forward=Carried(), callbacks=lambda optimizer: [DieAt(8)])
    again, same = small(tmp_path / "cut", forward=Carried())
    assert killing.crc(again) == killing.crc(model)
    assert same.repeatable() == history.repeatable()


@pytest.mark.parametrize("per", ["step", "epoch"])
def test_averages_go_on(tmp_path: Path, per: str) -> None:
    """Begun after the first, saved half-way, and begun again."""
    made: list[Any] = []

    def averaging(optimizer: Any) -> list[Any]:
        like = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        made.append(tt.optim.swa_utils.AveragedModel(like))
        return [Average(made[-1], per, start=1)]

    check_resume(tmp_path, callbacks=averaging)
    whole, *others = made
    assert len({killing.crc(averaged) for averaged in (whole, *others[1::2])}) == 1
    assert int(whole.n_averaged) == {"step": 17, "epoch": 2}[per]


def test_generators_are_found_wherever_they_are() -> None:
    """In attributes, slots, containers, closures, partial functions and methods; each once."""
    import random
    from functools import partial

    made = [np.random.default_rng(i) for i in range(7)]

    class Slotted:
        __slots__ = ("generator", "unset")

        def method(self) -> None:
            pass

    slotted, inner = Slotted(), made[4:6]
    slotted.generator = made[0]
    old = np.random.RandomState(3)
    roots = {
        "a": slotted,
        "b": {"x": [made[1], {2: made[2]}, made[1]], (1, 2): made[3]},
        "c": lambda: inner,
        "d": partial(print, made[0], end=made[6]),
        "e": Slotted().method,
        "f": (old, random.Random(5), nn.Linear(2, 2), [0] * 10**6),
    }
    found = random_sources(roots)
    paths = {*found} - {"default", "numpy", "python"}
    assert {"a.generator", "b.x.0", "b.x.1.2", "b.#1", "d.keywords.end", "f.0", "f.1"} <= paths
    assert {id(found[path]) for path in paths} == {*map(id, made), id(old), id(roots["f"][1])}
    states = random_states(found)
    drawn = [g.normal() for g in made], old.normal(), random.random(), np.random.rand()  # noqa: NPY002
    set_random_states(found, states)
    assert drawn == (
        [g.normal() for g in made],
        old.normal(),
        random.random(),
        np.random.rand(),  # noqa: NPY002
    )


def test_a_run_that_had_stopped_has_stopped(tmp_path: Path) -> None:
    def stopping(optimizer: Any) -> list[Any]:
        return [EarlyStopping("loss", patience=1, mode="max", restore=True)]

    model, history = small(tmp_path, callbacks=stopping)
    assert len(history) == 2
    assert history.stopped == f"loss was not better than {history['loss'][0]} for 1 epochs"
    again, same = small(tmp_path, callbacks=stopping)
    assert same == history
    assert killing.crc(again) == killing.crc(model)
    best = read_checkpoint(tmp_path / "best.safetensors")  # by the smallest loss: the second's
    assert best["place"]["step"] == 12


# --- Files that do not fit, or are damaged ---------------------------------------------------


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(ValueError, match="it was made with accumulate=1"):
        small(tmp_path, accumulate=2)
    with pytest.raises(ValueError, match=r"it has the metrics \[\], this run \['mean'\]"):
        small(tmp_path, metrics={"mean": lambda outputs, targets: 0.0})
    with pytest.raises(ValueError, match=r"other random generators .* beyond it loader\.generator"):
        small(tmp_path, loader=Shuffled)
    with pytest.raises(ValueError, match=r"fit: resume: .* load_state_dict: Adam:"):
        small(tmp_path, make=OPTIMIZERS["Adam"])
    small(tmp_path / "rare", callbacks=lambda optimizer: [Rare()])
    with pytest.raises(ValueError, match="it has the state of Rare, which callbacks lack"):
        small(tmp_path / "rare")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        fit(nn.Linear(1, 1), [], tt.optim.SGD([tt.ones(1)], 0.1), nn.MSELoss(), resume="none")
    with pytest.raises(ValueError, match="resume=True needs a Checkpoint"):
        fit(nn.Linear(1, 1), [], tt.optim.SGD([tt.ones(1)], 0.1), nn.MSELoss(), resume=True)


def test_a_loader_that_became_shorter(tmp_path: Path) -> None:
    with pytest.raises(Died):
        small(tmp_path, callbacks=lambda optimizer: [DieAt(4)])
    with pytest.raises(ValueError, match="loader ended after 2 batches; the checkpoint had seen 4"):
        small(tmp_path, loader=lambda batches: batches[:2])


def test_damaged_files_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    """Any byte that changed, any end that is missing: an error that names the file."""
    small(tmp_path)
    path = tmp_path / "last.safetensors"
    content = path.read_bytes()
    expected = read_checkpoint(path)
    told: list[str] = []
    header = 8 + int.from_bytes(content[:8], "little")
    places = [*rng.integers(0, header, 150), *rng.integers(header, len(content), 50)]
    for place in map(int, places):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            found = read_checkpoint(path)
        except (ValueError, TypeError) as error:
            told.append(str(error))
        else:  # what JSON means in two ways, such as a space
            assert repr(found) == repr(expected), place
    assert len(told) > 150
    assert all("last.safetensors" in message for message in told)
    for end in (0, 7, header - 1, header, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"last\.safetensors"):
            read_checkpoint(path)
    tt.save(path, {"a": tt.ones(2)})
    with pytest.raises(ValueError, match=r"last\.safetensors' is no checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_dtypes_go_on(tmp_path: Path, dtype: str) -> None:
    def train(name: str, *callbacks: Any) -> tuple[nn.Module, History]:
        tt.manual_seed(0)
        model = nn.Linear(3, 1).to(getattr(tt, dtype))
        x = tt.ones(4, 3, dtype=getattr(tt, dtype))
        optimizer = tt.optim.Adam(model.parameters(), lr=0.1)
        saving = Checkpoint(tmp_path / name, every_steps=1)
        batches = [(x, x[:, :1]), (2 * x, x[:, :1])]
        callbacks = (saving, *callbacks)
        loss = nn.MSELoss()
        return model, fit(
            model, batches, optimizer, loss, 2, callbacks=callbacks, resume=True, progress=False
        )

    model, history = train("a")
    with pytest.raises(Died):
        train("b", DieAt(3))
    again, same = train("b")
    assert model.weight.dtype == again.weight.dtype == getattr(tt, dtype)
    assert killing.crc(model) == killing.crc(again)
    assert history.repeatable() == same.repeatable()


def test_a_checkpoint_is_read_by_others(tmp_path: Path) -> None:
    """By any reader of safetensors, and by tt.load: the weights have their names."""
    model, _ = small(tmp_path)
    state = read_checkpoint(tmp_path)["model"]
    assert all((state[k].numpy() == v.numpy()).all() for k, v in model.state_dict().items())
    import safetensors.numpy

    arrays = safetensors.numpy.load_file(tmp_path / "last.safetensors")
    assert (arrays["model.0.weight"] == model.state_dict()["0.weight"].numpy()).all()
