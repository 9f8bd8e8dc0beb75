"""Training: a loop with a progress bar, checkpoints, and the numbers to judge a model by."""

from ..nn.evaluating import evaluating
from .callbacks import (
    Average,
    Callback,
    Checkpoint,
    Clip,
    CSVLog,
    EarlyStopping,
    Schedule,
    TensorBoard,
)
from .checkpoints import read_checkpoint, write_checkpoint
from .history import History
from .loop import Run, fit, predict
from .metrics import (
    F1,
    Accuracy,
    BitsPerCharacter,
    CharacterErrorRate,
    Confusion,
    Mean,
    Metric,
    Perplexity,
    Precision,
    Recall,
    TopK,
    WordErrorRate,
    accuracy,
    bits_per_character,
    confusion_matrix,
    f1_score,
    next_token_loss,
    top_k_accuracy,
)
from .reporting import report

__all__ = [
    "F1",
    "Accuracy",
    "Average",
    "BitsPerCharacter",
    "CSVLog",
    "Callback",
    "CharacterErrorRate",
    "Checkpoint",
    "Clip",
    "Confusion",
    "EarlyStopping",
    "History",
    "Mean",
    "Metric",
    "Perplexity",
    "Precision",
    "Recall",
    "Run",
    "Schedule",
    "TensorBoard",
    "TopK",
    "WordErrorRate",
    "accuracy",
    "bits_per_character",
    "confusion_matrix",
    "evaluating",
    "f1_score",
    "fit",
    "next_token_loss",
    "predict",
    "read_checkpoint",
    "report",
    "top_k_accuracy",
    "write_checkpoint",
]
