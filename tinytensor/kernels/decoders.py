"""A token through all layers of a decoder: the fast version where it is built, otherwise its twin.

A module of its own, since only who decodes needs it: importing tinytensor does not load it.
"""

from __future__ import annotations

from typing import Any

from .. import built
from . import active
from .reference import decoding
from .reference.decoding import DecoderLayer, DecoderProduct, DecoderSizes

__all__ = ["DecoderLayer", "DecoderProduct", "DecoderSizes", "DecoderSteps"]

_fast = built.module("tinytensor.kernels.decoding") if active == "fast" else None
DecoderSteps: Any = (_fast or decoding).DecoderSteps
