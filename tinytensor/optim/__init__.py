"""Optimizers, and schedules of their learning rate: names, defaults and state as in PyTorch."""

import typing as _typing

from ..ops.ways import tells as _tells
from . import lr_scheduler
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
