"""Schedules of the learning rate.

Most are functions of the number of steps taken, which multiply the rates that the groups had when
the schedule was made (``initial_lr``). Call ``step()`` after the optimizer's.

A group's rate may be changed between the steps, by hand or by one more schedule: the change is
kept as a factor from then on, as in PyTorch. In the same way a group that was added later goes on
from the rate it came with. ``LambdaLR``, ``CosineAnnealingWarmRestarts``, ``CyclicLR`` and
``OneCycleLR`` alone set what they say, whatever the rate was.
"""

import typing as _typing

from ...ops.ways import tells as _tells
from .base import LRScheduler
from .combined import ChainedScheduler, SequentialLR
from .cycles import CyclicLR, OneCycleLR
from .functions import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
