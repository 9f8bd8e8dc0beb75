"""What `fit` tells its callbacks, and what the ones that there are do."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor import nn
from tinytensor.train import (
    Accuracy,
    Callback,
    Checkpoint,
    Clip,
    CSVLog,
    EarlyStopping,
    History,
    Schedule,
    TensorBoard,
    fit,
    read_checkpoint,
)
from tinytensor.train.callbacks import EVENTS

pytestmark = pytest.mark.no_c


def run(epochs: int = 2, batches: int = 3, **settings: Any) -> tuple[nn.Module, History]:
    tt.manual_seed(0)
    model = nn.Linear(3, 2)
    rng = np.random.default_rng(0)
    data = []
    for i in range(batches):
        x = rng.normal(size=(4 + i, 3)).astype(np.float32)
        data.append((tt.tensor(x), tt.tensor((x.sum(1) > 0).astype(np.int64))))
    optimizer = settings.pop("optimizer", tt.optim.SGD)(model.parameters(), lr=0.5)
    callbacks = settings.pop("callbacks", [])
    if callable(callbacks):
        callbacks = callbacks(optimizer)
    settings = {"progress": False, "callbacks": callbacks, **settings}
    loss = settings.pop("loss", nn.CrossEntropyLoss())
    return model, fit(model, settings.pop("loader", data), optimizer, loss, epochs, **settings)


class Heard(Callback):
    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in EVENTS:
            return lambda run: self.events.append(name)
        return super().__getattribute__(name)


def test_the_order_of_events() -> None:
    heard = Heard()
    run(epochs=2, callbacks=[heard], accumulate=2)
    step = ["on_gradients", "on_step_end"]
    epoch = ["on_epoch_start", *["on_batch_end"] * 2, *step, "on_batch_end", *step]
    epoch += ["on_validation_end", "on_epoch_end"]
    assert heard.events == ["on_fit_start", *epoch, *epoch, "on_fit_end"]


def test_the_end_is_told_after_an_error_too() -> None:
    heard = Heard()
    with pytest.raises(FloatingPointError, match="the loss is nan in step 1"):
        run(callbacks=[heard], loss=lambda outputs, targets: outputs.sum() * math.nan)
    assert heard.events == ["on_fit_start", "on_epoch_start", "on_fit_end"]


def test_any_object_and_any_function() -> None:
    class Mine:
        def on_step_end(self, run: Any) -> None:
            steps.append((run.epoch, run.step, run.loss, tuple(run.outputs.shape)))
            if run.step == 4:
                run.stop("enough")

    steps: list[Any] = []
    lengths: list[int] = []
    _, history = run(3, callbacks=[Mine(), lambda history: lengths.append(len(history))])
    assert [step[:2] for step in steps] == [(1, 1), (1, 2), (1, 3), (2, 4)]
    assert [step[2] for step in steps] == history.losses
    assert steps[2][3] == (6, 2)
    assert (lengths, history.stopped, len(history)) == ([1], "enough", 1)


def test_what_is_no_callback() -> None:
    class Typo(Callback):
        def on_epoch_ends(self, run: Any) -> None:
            pass

    with pytest.raises(TypeError, match="Typo has on_epoch_ends, but callbacks hear of on_fit_st"):
        run(callbacks=[Typo()])
    with pytest.raises(TypeError, match="a callback is the class Heard; make one"):
        run(callbacks=[Heard])
    with pytest.raises(TypeError, match="a callback is an int, with none of on_fit_start"):
        run(callbacks=[3])


# --- The numbers -----------------------------------------------------------------------------


def test_means_are_of_samples_not_of_batches() -> None:
    """Batches of 4, 5 and 6: as one batch of 15."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(15, 3)).astype(np.float32), rng.integers(0, 2, 15)
    model = nn.Linear(3, 2)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.0)
    cuts = zip(np.split(x, [4, 9]), np.split(y, [4, 9]), strict=True)
    parts = [(tt.tensor(a), tt.tensor(b)) for a, b in cuts]

    def largest(outputs: tt.Tensor, targets: tt.Tensor) -> float:
        return float(outputs.numpy().max(1).mean())

    loss = nn.CrossEntropyLoss()
    history = fit(
        model, parts, optimizer, loss, 1, val=parts, metrics=[Accuracy(), largest], progress=False
    )
    whole = model(tt.tensor(x)).detach()
    row = history.epochs[0]
    for prefix in ("", "val_"):
        assert row[f"{prefix}loss"] == pytest.approx(loss(whole, tt.tensor(y)).item(), rel=1e-6)
        assert row[f"{prefix}accuracy"] == (whole.numpy().argmax(1) == y).mean()
        assert row[f"{prefix}largest"] == pytest.approx(whole.numpy().max(1).mean(), abs=1e-6)
    assert row["lr"] == 0.0
    assert [*row][-3:] == ["lr", "seconds", "samples_per_second"]


def test_accumulated_batches_are_one_batch() -> None:
    """Unequal ones too, and the rest at the end of an epoch."""
    small, _ = run(1, accumulate=2)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(4 + i, 3)).astype(np.float32) for i in range(3)]
    joined = [np.concatenate(x[:2]), x[2]]
    batches = [(tt.tensor(a), tt.tensor((a.sum(1) > 0).astype(np.int64))) for a in joined]
    large, history = run(1, loader=batches)
    assert len(history.losses) == 2
    for a, b in zip(small.parameters(), large.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


def test_an_optimizer_that_asks_several_times_a_step() -> None:
    """LBFGS: each batch counts once, with the loss that the step began with."""
    evaluations: list[int] = []

    def loss(outputs: tt.Tensor, targets: tt.Tensor) -> tt.Tensor:
        evaluations.append(1)
        return nn.functional.cross_entropy(outputs, targets)

    heard = Heard()
    _, history = run(
        3, 1, optimizer=tt.optim.LBFGS, loss=loss, callbacks=[heard], metrics="accuracy"
    )
    assert len(evaluations) > 3 * 5
    assert heard.events.count("on_batch_end") == heard.events.count("on_step_end") == 3
    assert history.losses == history["loss"]
    assert history.losses[-1] < history.losses[0]


def test_metrics_by_name_and_their_names() -> None:
    _, history = run(1, metrics={"a": "accuracy", "b": Accuracy(), "c": lambda o, t: 2.0})
    assert history["a"] == history["b"]
    assert history["c"] == [2.0]
    with pytest.raises(ValueError, match="no metric is called 'acuracy'; there are accuracy, top5"):
        run(metrics=["acuracy"])
    with pytest.raises(ValueError, match="two metrics are called 'accuracy'"):
        run(metrics=["accuracy", Accuracy(threshold=0.5)])
    with pytest.raises(TypeError, match="a metric is an int"):
        run(metrics=[3])


def test_a_metric_that_counts_nothing_at_first() -> None:
    """The bar does without it; at the end of an epoch it is an error."""
    x = tt.ones(4, 3)
    batches = [(x, tt.ones(4, dtype=tt.int64)), (x, tt.zeros(4, dtype=tt.int64))]
    metric = Accuracy(ignore_index=1)
    _, history = run(1, loader=batches, metrics=metric, progress=True)
    assert history["accuracy"][0] in (0.0, 1.0)
    with pytest.raises(ValueError, match="accuracy: there were no samples"):
        run(1, loader=batches[:1], metrics=metric, progress=True)


def test_batches_of_other_forms() -> None:
    x = tt.ones(4, 3)
    with pytest.raises(TypeError, match=r"the loader gave a batch of 1, not \(inputs, targets\)"):
        run(loader=[(x,)])

    def forward(model: nn.Module, batch: Any) -> tuple[tt.Tensor, tt.Tensor]:
        return model(batch["x"]), batch["x"][:, :2]

    _, history = run(loader=[{"x": x}], forward=forward, loss=nn.MSELoss())
    assert history.losses[-1] < history.losses[0]

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, a: tt.Tensor, b: tt.Tensor) -> tt.Tensor:
            return self.layer(a + b)

    model = Two()
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    fit(model, [(x, x, tt.ones(4, 1))], optimizer, nn.MSELoss(), progress=False)


def test_loaders_that_give_nothing() -> None:
    with pytest.raises(ValueError, match="the loader gave no batch in epoch 1"):
        run(loader=[])
    with pytest.raises(ValueError, match="no batch in epoch 2; an iterator is used up after one"):
        run(loader=iter([(tt.ones(4, 3), tt.zeros(4, dtype=tt.int64))]))
    with pytest.raises(ValueError, match="val gave no batch in epoch 1"):
        run(val=[])
    with pytest.raises(ValueError, match="epochs"):
        run(epochs=-1)
    with pytest.raises(ValueError, match="accumulate"):
        run(accumulate=0)
    assert len(run(epochs=0)[1]) == 0


# --- Each callback ---------------------------------------------------------------------------


def test_clip() -> None:
    norms: list[float] = []

    class Norm(Callback):
        def on_gradients(self, run: Any) -> None:
            norms.append(nn.utils.get_total_norm([p.grad for p in run.parameters]).item())

    history = run(callbacks=[Norm(), Clip(0.1), Norm(), Clip(value=0.01), Norm(), Clip(9)])[1]
    assert history.norms == pytest.approx(norms[::3])
    assert len(history.norms) == len(history.losses)
    assert History.from_state(history.state_dict()).norms == history.norms
    assert run(callbacks=[Clip(value=0.01)])[1].norms == []
    assert norms[0] > 0.2
    assert norms[1] == pytest.approx(0.1, rel=1e-3)
    assert norms[2] <= 0.01 * math.sqrt(8) + 1e-6
    with pytest.raises(ValueError, match="max_norm or value"):
        Clip()


def test_schedules_by_steps_and_by_epochs() -> None:
    of = tt.optim.lr_scheduler.StepLR
    by_steps = run(2, callbacks=lambda o: [Schedule(of(o, 1, gamma=0.5))])[1]
    assert by_steps["lr"] == [0.5**4, 0.5**7]
    by_epochs = run(2, callbacks=lambda o: [Schedule(of(o, 1, gamma=0.5), "epoch")])[1]
    assert by_epochs["lr"] == [0.5, 0.25]

    class Plateau:
        def __init__(self) -> None:
            self.seen: list[float] = []

        def step(self, metrics: float) -> None:
            self.seen.append(metrics)

    plateau = Plateau()
    history = run(2, callbacks=[Schedule(plateau)])[1]
    assert plateau.seen == history["loss"]
    with pytest.raises(ValueError, match="per is 'step', not 'step' or 'epoch' with a monitor"):
        Schedule(plateau, "step")
    with pytest.raises(TypeError, match="an int has no step"):
        Schedule(3)


class Columns(Callback):
    """Puts numbers into the rows."""

    def __init__(self, **columns: list[float]) -> None:
        self.columns = columns

    def on_validation_end(self, run: Any) -> None:
        for name, column in self.columns.items():
            run.row[name] = column[run.epoch - 1]


def test_early_stopping() -> None:
    worse = Columns(val_loss=[3, 2, 2, math.nan, 1.95, 1], f1=[1, 2, 3, 4, 5, 6])
    for stopping, epochs in [
        (EarlyStopping(patience=2), 4),
        (EarlyStopping(patience=3), 6),
        (EarlyStopping(patience=3, min_delta=0.1), 5),
        (EarlyStopping("f1", patience=1), 6),
        (EarlyStopping("f1", patience=1, mode="min"), 2),
    ]:
        history = run(6, callbacks=[worse, stopping])[1]
        assert len(history) == epochs
        assert bool(history.stopped) == (epochs < 6)
    with pytest.raises(ValueError, match="there is no number 'f2' to watch; there are epoch, step"):
        run(callbacks=[EarlyStopping("f2")])


def test_early_stopping_restores_the_best() -> None:
    weights: list[Any] = []

    def keep(run: Any) -> None:
        weights.append(run.model.weight.numpy().copy())

    watching = Callback()
    watching.on_epoch_end = keep  # type: ignore[method-assign]
    columns = Columns(val_loss=[3, 1, 2, 2])
    model, _ = run(4, callbacks=[columns, watching, EarlyStopping(patience=2, restore=True)])
    assert len(weights) == 4
    np.testing.assert_array_equal(model.weight.numpy(), weights[1])


def test_checkpoints_of_the_best_and_the_last(tmp_path: Path) -> None:
    columns = Columns(val_accuracy=[0.1, 0.3, 0.3, 0.2])
    run(4, callbacks=[columns, Checkpoint(tmp_path / "a" / "b", "val_accuracy")])
    best = read_checkpoint(tmp_path / "a" / "b" / "best.safetensors")
    last = read_checkpoint(tmp_path / "a" / "b")
    assert (best["place"]["step"], last["place"]["step"]) == (6, 12)
    run(1, callbacks=[Checkpoint(tmp_path / "c", best=False)])
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["last.safetensors"]


def test_csv_log(tmp_path: Path) -> None:
    _, history = run(3, callbacks=[CSVLog(tmp_path / "x" / "log.csv")], metrics="confusion")
    with (tmp_path / "x" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert "confusion" not in rows[0]


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    columns = Columns(val_loss=[3.0, 2.0])
    saving = Checkpoint(tmp_path / "run")
    _, first = run(1, callbacks=[columns, TensorBoard(tmp_path / "tb"), saving])
    _, history = run(2, callbacks=[columns, TensorBoard(tmp_path / "tb"), saving], resume=True)
    events = EventAccumulator(str(tmp_path / "tb"))
    events.Reload()
    steps = events.Scalars("step/loss")
    assert [event.step for event in steps] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose([event.value for event in steps], history.losses, rtol=1e-6)
    assert [(e.step, e.value) for e in events.Scalars("epoch/val_loss")] == [(3, 3.0), (6, 2.0)]
    assert first.losses == history.losses[:3]


def test_a_missing_tensorboard_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(ImportError, match=r'pip install "tinytensor\[tensorboard\]"'):
        run(callbacks=[TensorBoard(tmp_path)])


# --- The history -----------------------------------------------------------------------------


def test_a_history_as_csv_and_json(tmp_path: Path) -> None:
    _, history = run(2, metrics=["accuracy", "confusion"])
    history.epochs[0]["odd"] = math.inf
    text = history.to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == text
    rows = list(csv.DictReader(text.splitlines()))
    assert [float(row["accuracy"]) for row in rows] == history["accuracy"]
    assert (rows[0]["odd"], rows[1]["odd"]) == ("inf", "")
    text = history.to_json(tmp_path / "h.json")
    assert json.loads(text)["epochs"][0]["odd"] is None
    history.epochs[0]["odd"] = 0.5
    history.to_json(tmp_path / "h.json")
    again = History.from_json(tmp_path / "h.json")
    assert again.repeatable() == history.repeatable()
    assert again["confusion"][1].shape == (2, 2)
    (tmp_path / "h.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"h\.json' is not of to_json"):
        History.from_json(tmp_path / "h.json")


def test_columns_and_the_best_row() -> None:
    history = History([], [{"loss": 2.0}, {"loss": 1.0, "f1": 0.5}, {"loss": math.nan, "f1": 0.7}])
    assert history.columns == ["loss", "f1"]
    assert math.isnan(history["f1"][0])
    assert history.best("loss") == history.epochs[1]
    assert history.best("f1", "max") == history.epochs[2]
    with pytest.raises(KeyError, match="there is no column 'x'; there are loss, f1"):
        history["x"]
    with pytest.raises(KeyError, match="none: no epoch has ended"):
        History()["loss"]
    with pytest.raises(ValueError, match="mode is 'most'"):
        history.best("loss", "most")


def test_the_bar_in_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There each drawing stays, so there are few; in a terminal one is drawn over another."""

    def drawings() -> int:
        run(10, progress=True)
        return capsys.readouterr().err.count("step/s")

    few = drawings()
    monkeypatch.setattr("tinytensor.train.progress.SECONDS_BETWEEN_LINES", 0)
    assert 1 <= few <= 12 < 30 <= drawings()


def test_the_bar_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run(2, metrics="accuracy", progress="letters")
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "letters: epoch 2/2: 100%" in bar
    assert "6/6" in bar
    assert "accuracy" in bar
    assert "samples/s" in bar
