"""Why entries of PyTorch's database of modules do not agree, and what of some is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Their outputs are drawn: shapes are compared.
DRAWING = {"FractionalMaxPool2d", "FractionalMaxPool3d"}


def _behind_log_softmax(g: np.ndarray, log_probs: Any) -> np.ndarray:
    """What a log_softmax in front makes of it: PyTorch's gradient is right only then."""
    return g - np.exp(log_probs.detach().numpy()) * g.sum(-1, keepdims=True)


GRADIENTS: dict[str, Callable[..., np.ndarray]] = {"CTCLoss": _behind_log_softmax}

# Of the largest element, where it is not the usual one.
TOLERANCES: dict[str, dict[str, float]] = {}

WHY: dict[str, str] = {}
REASONS = {name: reason for reason, names in WHY.items() for name in names.split()}
