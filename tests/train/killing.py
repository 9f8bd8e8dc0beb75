"""A training that is killed by SIGKILL at random moments, and resumed, until it is done.

``python -m tests.train.killing --kills 50``: every step of every resumed run has the loss and the
weights, bit for bit, of the run that nobody killed; every checkpoint that a kill leaves is whole.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import tinytensor as tt
from tinytensor import nn
from tinytensor.data import DataLoader, RandomAffine, TensorDataset
from tinytensor.train import (
    Callback,
    Checkpoint,
    CSVLog,
    EarlyStopping,
    History,
    fit,
    read_checkpoint,
)

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 4
CLASSES = 4


def crc(model: nn.Module) -> int:
    """A checksum of all parameters and buffers."""
    arrays = [tensor.numpy().tobytes() for tensor in model.state_dict().values()]
    return zlib.crc32(b"".join(arrays))


class Trace(Callback):
    """A line for each step: its number, its loss, and the weights after it."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a")
        self.file.write("\n")  # a kill may have cut the last line

    def on_step_end(self, run: Any) -> None:
        loss = run.history.losses[-1].hex()
        self.file.write(f"{run.step} {loss} {crc(run.model):08x}\n")
        self.file.flush()

    def on_fit_end(self, run: Any) -> None:
        self.file.close()


class Noise:
    """A transform that draws from every source there is: its own, Python's, NumPy's and ours."""

    def __init__(self) -> None:
        self.affine = RandomAffine(degrees=10, shift=1, generator=3)
        self.own = random.Random(4)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        old = np.random.normal(0, 1e-2)  # noqa: NPY002
        shift = old + 1e-2 * (self.own.random() + random.random())
        drawn = tt.random.rand(images.shape, np.float32)
        return self.affine(images) + np.float32(shift) + 1e-2 * drawn


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(6 * 16, CLASSES),
    )


def train(folder: Path, resume: bool = True, **settings: Any) -> tuple[nn.Module, History]:
    """The training that is killed: all that has a state takes part in it."""
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 200)
    centres = rng.normal(size=(CLASSES, 1, 8, 8))
    images = (centres[labels] + rng.normal(size=(200, 1, 8, 8))).astype(np.float32)
    data = TensorDataset(images[:150], labels[:150], transform=Noise())
    loader = DataLoader(data, batch_size=16, shuffle=True)
    val = DataLoader(TensorDataset(images[150:], labels[150:]), batch_size=32, shuffle=True)
    model = network()
    optimizer = tt.optim.AdamW(model.parameters(), lr=3e-3)
    settings = {"epochs": EPOCHS, "accumulate": 2, "max_norm": 1.0, **settings}
    history = fit(
        model,
        loader,
        optimizer,
        nn.CrossEntropyLoss(),
        val=val,
        metrics=["accuracy", "f1", "confusion"],
        scheduler=tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * 5),
        callbacks=[
            Checkpoint(folder, every_steps=1),
            EarlyStopping(patience=EPOCHS, restore=True),
            CSVLog(folder / "log.csv"),
            Trace(folder / "trace.txt"),
            *settings.pop("callbacks", ()),
        ],
        resume=resume,
        progress=False,
        **settings,
    )
    return model, history


def lines(folder: Path) -> dict[str, str]:
    """The trace by steps, without lines that a kill has cut."""
    path = folder / "trace.txt"
    found: dict[str, str] = {}
    for line in (path.read_text() if path.exists() else "").splitlines():
        fields = line.split()
        if len(fields) == 3 and len(fields[2]) == 8:
            assert found.setdefault(fields[0], line) == line, f"step {line!r} went otherwise before"
    return found


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.train.killing", "--child", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def child(folder: Path) -> None:
    print("ready", flush=True)
    began = time.monotonic()
    model, history = train(folder)
    print(f"{time.monotonic() - began:.3f} {crc(model):08x}", flush=True)
    print(history.repeatable(), flush=True)


def killed(kills: int, seed: int, folder: Path, show: Any = None) -> dict[str, int]:
    """Kill trainings ``kills`` times in all, and finish each. Raises AssertionError."""
    rng = random.Random(seed)
    whole = folder / "whole"
    whole.mkdir()
    with start(whole) as process:
        out = process.communicate()[0].split("\n")
    assert process.returncode == 0
    seconds, expected = float(out[1].split()[0]), [out[1].split()[1], out[2]]
    steps = lines(whole)
    counts = {"kills": 0, "runs": 0, "resumed": 0, "checkpoints": 0, "within a save": 0}
    while counts["kills"] < kills:
        counts["runs"] += 1
        place = folder / str(counts["runs"])
        place.mkdir()
        while True:
            # Late enough, often enough, to leave something to go on from.
            pause = rng.uniform(0, seconds) if counts["kills"] < kills else None
            with start(place) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                counts["resumed"] += (place / "last.safetensors").exists()
                if pause is not None:
                    try:
                        process.wait(pause)
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                out = process.communicate()[0].split("\n")
            for file in place.glob("*.safetensors"):
                read_checkpoint(file)
                counts["checkpoints"] += 1
            for step, line in lines(place).items():
                assert line == steps[step], f"a resumed run went another way: {line}"
            if process.returncode != -signal.SIGKILL:
                break
            counts["kills"] += 1
            counts["within a save"] += any(place.glob(".tinytensor-*"))
            if show:
                show(f"kill {counts['kills']} after {pause:.3f} s of {seconds:.3f}")
        assert process.returncode == 0
        assert [out[0].split()[1], out[1]] == expected, "the end of a resumed run is another"
        assert len(lines(place)) == len(steps)
        left = {p.name for p in place.iterdir()} - {p.name for p in whole.iterdir()}
        assert not left, f"what kills left was not cleared: {left}"
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        counts = killed(arguments.kills, arguments.seed, Path(folder), print)
    print(
        f"{counts['kills']} kills, {counts['within a save']} of them within a save, in"
        f" {counts['runs']} runs; {counts['resumed']} times resumed:"
        f" every step bitwise the whole run's; {counts['checkpoints']} checkpoints read, all whole"
    )


if __name__ == "__main__":
    main()
