"""Helpers for training: clipping and norms of gradients, parameters as one vector, sequences."""

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
