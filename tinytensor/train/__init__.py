"""Training: a loop with a progress bar, and the numbers to judge a model by."""

from ..nn.evaluating import evaluating
from .loop import History, fit, predict
from .metrics import accuracy, bits_per_character, confusion_matrix, next_token_loss

__all__ = [
    "History",
    "accuracy",
    "bits_per_character",
    "confusion_matrix",
    "evaluating",
    "fit",
    "next_token_loss",
    "predict",
]
