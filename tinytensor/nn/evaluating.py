"""A model in evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.grad_mode import no_grad
from .module import Module


@contextmanager
def evaluating(model: Module) -> Iterator[Module]:
    """Inside, the model is in evaluation mode and nothing is recorded."""
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            yield model
    finally:
        model.train(was_training)
