"""Graphs of other frameworks in the format ONNX: read as modules, and modules written so.

It needs the package onnx: ``pip install "tinytensor[onnx]"``.
"""

from . import backend
from .exporting import export
from .graph_module import GraphModule
from .loading import load
from .registry import operator

__all__ = ["GraphModule", "backend", "export", "load", "operator"]
