"""What happened in a training: the loss of every step, and a row of numbers for each epoch."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import numpy as np

from ..io.files import read_file, replaced
from ..tensors.tensor import Tensor

CLOCKED = ("seconds", "samples_per_second")  # what no two runs have in common


@dataclass
class History:
    """The loss of every step, and a row for each epoch: numbers by name.

    ``history["val_loss"]`` is a column, ``history.epochs[-1]`` a row. The names are "epoch" (from
    1), "step", "loss" (the mean over the epoch's samples) and each metric; the same of ``val``
    behind "val\\_"; what ``evaluate`` said; "lr", "seconds" and "samples_per_second". ``stopped``
    says why a run ended before its last epoch. ``norms`` are those of all gradients of every step,
    before they were clipped; without clipping by the norm there are none.

    >>> history = History([3.0, 1.0], [{"epoch": 1, "loss": 2.0}])
    >>> history["loss"]
    [2.0]
    >>> print(history.to_csv(), end="")
    epoch,loss
    1,2.0
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    norms: list[float] = field(default_factory=list)

    def recent_loss(self, steps: int = 50) -> float:
        """The mean loss of the last ``steps`` steps (NaN before the first)."""
        return float(np.mean(self.losses[-steps:])) if self.losses else float("nan")

    @property
    def columns(self) -> list[str]:
        """The names in the rows, in order."""
        return list(dict.fromkeys(name for row in self.epochs for name in row))

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.columns:
            have = ", ".join(self.columns) or "none: no epoch has ended"
            raise KeyError(f"there is no column {name!r}; there are {have}")
        return [row.get(name, math.nan) for row in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    def best(self, name: str = "val_loss", mode: str = "min") -> dict[str, Any]:
        """The row in which ``name`` is smallest, or with ``mode="max"`` largest; of equal ones the
        first."""
        if mode not in ("min", "max"):
            raise ValueError(f"History: mode is {mode!r}, not 'min' or 'max'")
        sign = -1 if mode == "max" else 1
        column = [sign * float(v) for v in self[name]]
        return self.epochs[min(range(len(column)), key=lambda i: _last_if_nan(column[i]))]

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The epochs as CSV, written to ``path`` if there is one. Matrices are left out."""
        names = [n for n in self.columns if all(np.ndim(r.get(n, 0)) == 0 for r in self.epochs)]
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_plain(row.get(name, "")) for name in names] for row in self.epochs)
        return _written(text.getvalue(), path)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """All of it as JSON, written to ``path`` if there is one. A number that is not finite is
        null there, for JSON has none."""
        return _written(json.dumps(_finite(_plain(self.state_dict())), allow_nan=False), path)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> History:
        """Read what :meth:`to_json` wrote; null is NaN again."""
        try:
            return cls.from_state(_nan(json.loads(read_file(path, "History"))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"History: {os.fspath(path)!r} is not of to_json: {error}") from None

    def state_dict(self) -> dict[str, Any]:
        """All of it, of dicts and lists."""
        epochs = [dict(row) for row in self.epochs]
        losses, norms = list(self.losses), list(self.norms)
        return {"losses": losses, "norms": norms, "epochs": epochs, "stopped": self.stopped}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> History:
        """The history of a :meth:`state_dict`."""
        losses, norms = (
            np.asarray(state.get(name, ()), np.float64).tolist() for name in ("losses", "norms")
        )
        epochs = [{k: _loaded(v) for k, v in row.items()} for row in state["epochs"]]
        return cls(losses, epochs, str(state["stopped"]), norms)

    def repeatable(self) -> dict[str, Any]:
        """What a second run of the same training has too: all but what the clock says."""
        epochs = [{k: v for k, v in row.items() if k not in CLOCKED} for row in self.epochs]
        return _plain({"losses": self.losses, "norms": self.norms, "epochs": epochs})


def _last_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _loaded(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, Tensor | list) else value


def _plain(value: Any) -> Any:
    """A tree of Python's own numbers, lists and dicts."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return np.asarray(value).tolist()
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_nan(v) for v in value]
    return math.nan if value is None else value


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        with replaced(path, "History") as file:
            file.write(text.encode())
    return text
