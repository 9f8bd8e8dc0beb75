"""How ops are written in ONNX: a function for each, in a table by their names."""

from . import (
    composites,
    elementwise,
    indexing,
    layers,
    losses,
    nodes,
    recurrent,
    reductions,
    shapes,
)
from .composites import is_whole
from .nodes import is_node
from .recurrent import is_layer
from .writer import WRITERS, Unwritable, Writer, as_proto, code, writes

__all__ = [
    "WRITERS",
    "Unwritable",
    "Writer",
    "as_proto",
    "code",
    "is_layer",
    "is_node",
    "is_whole",
    "writes",
]
