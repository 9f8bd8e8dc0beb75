"""A model in evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.grad_mode import no_grad
from .module import Module


@contextmanager
def in_mode(model: Module, training: bool) -> Iterator[Module]:
    """Inside, all of the model is in training mode, or in evaluation mode; afterwards each module
    is in its own again, whether or not that is the model's."""
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield model
    finally:
        for module, before in modes:
            module.training = before


@contextmanager
def evaluating(model: Module) -> Iterator[Module]:
    """Inside, the model is in evaluation mode and nothing is recorded."""
    with in_mode(model, training=False), no_grad():
        yield model
