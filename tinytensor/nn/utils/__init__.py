"""Helpers for training: clipping and norms of gradients, parameters as one vector, sequences."""

import typing as _typing

from ...ops.ways import tells as _tells
from . import rnn
from .clip import clip_grad_norm_, clip_grad_value_, get_total_norm
from .norms import GradientNorm, GradientNorms, gradient_norms
from .vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "GradientNorm",
    "GradientNorms",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "gradient_norms",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
