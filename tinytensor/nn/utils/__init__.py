"""Helpers of modules: clipping and norms of gradients, parameters as one vector, sequences, weights
that are computed, batch norm folded away."""

import typing as _typing

from ...ops.ways import tells as _tells
from . import parametrizations, parametrize, rnn, rnn_weights
from .before_forward import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm
from .clip import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from .norms import GradientNorm, GradientNorms, gradient_norms
from .skipping import skip_init
from .vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "GradientNorm",
    "GradientNorms",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "gradient_norms",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "rnn_weights",
    "skip_init",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]

if not _typing.TYPE_CHECKING:
    __getattr__ = _tells(__name__)
