"""``tt.onnx.load``: a model of a file as a module."""

from __future__ import annotations

from typing import Any

from .graph_module import GraphModule

__all__ = ["load"]


def load(source: Any) -> GraphModule:
    """A model of ONNX as a module, in ``eval`` mode: what the file says.

    ``source`` is a path, the bytes of a file, an open file, or a ``ModelProto``. Arrays that lie in
    other files are found if there is a path; they must lie in its folder, or below it.

    Initializers of floating point are parameters, unless they are single numbers or stand where
    operators learn nothing (moving averages, limits, scales); the others are buffers. Both keep
    their names: ``encoder.0.weight``, or with "/" instead of ".", is the weight in the module 0 in
    the module encoder. Nodes are modules by their names, too. Nodes of constants are computed here,
    once, and the bodies of functions take the places of their calls.

    Raises NotImplementedError that lists all operators that are not known, or for an opset newer
    than those that are; ValueError for a file that is no model or is truncated, for a graph with a
    cycle or with inputs that nothing makes, for types that operators do not take, and for arrays
    that cannot be read.

    >>> import onnx.parser, tinytensor as tt
    >>> model = onnx.parser.parse_model('''
    ...     <ir_version: 10, opset_import: ["" : 22]>
    ...     half (float[n, 2] x) => (float[n, 2] y) <float[2] bias = {1, 3}> {
    ...         sum = Add(x, bias)
    ...         two = Constant<value_float=2.0>()
    ...         y = Div(sum, two)
    ...     }''')
    >>> module = tt.onnx.load(model)
    >>> module(tt.zeros(1, 2))
    tensor([[0.5, 1.5]], op=divide)
    >>> module
    GraphModule(
      input x: float32 (n, 2)
      output y
      (Add): Add(x, bias) → sum
      (Div): Div(sum, two) → y
    )
    >>> [name for name, _ in module.named_parameters()]
    ['bias']
    """
    from .building import build
    from .reading import read_model

    return build(*read_model(source))
