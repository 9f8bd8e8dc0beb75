"""``tt.onnx.load``: a model of a file as a module."""

from __future__ import annotations

from typing import Any

from .graph_module import GraphModule

__all__ = ["load"]


def load(source: Any) -> GraphModule:
    """A model of ONNX as a module.

    ``source`` is a path, the bytes of a file, an open file, or a ``ModelProto``.
    """
    from .building import build
    from .reading import read_model

    return build(*read_model(source))
